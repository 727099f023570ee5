"""Decodes pictures in processes that can be killed.

    server (asyncio)                         decoder process, at most `size` of them
    prepare() -- encoded bytes --> shared memory file --> decode, fit, flatten, turn upright
              -- Job --------------> socket ----------->
              <- DecodeResult ------ socket <-----------
              <- pixels ------------ shared memory file

Native decoders crash and hang on broken files, and take gigabytes for tiny ones. In a process of its own
that costs one picture. A decoder that dies, misses the deadline or whose caller goes away is killed and
replaced, never reused in a doubtful state.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from vidi.byte_budget import ByteBudget, give_back
from vidi.domain.errors import Unavailable
from vidi.domain.geometry import Fit, canvas, place
from vidi.domain.prompt import ImageFormat, ImageHeader, Picture
from vidi.images.header import broken_image
from vidi.images.protocol import RESULT_SIZE, DecodeResult, Job, Verdict, write_at
from vidi.images.source import PictureSource
from vidi.lru import LruCache

DECODER_MEMORY = 2_000_000_000
"""Address space of one decoder process in bytes: a 64-megapixel WEBP with alpha takes one gigabyte of it."""

NO_ENVIRONMENT: Mapping[str, str] = MappingProxyType({})

_START_SECONDS = 30.0
IDLE_SECONDS = 60.0
"""How long decoders wait for the next picture; what takes memory only to be quick is then given up."""

_SLICE_BYTES = 4 << 20
"""Bytes moved between two turns of the event loop; about a millisecond."""

_KEPT_FILE_BYTES = 16 << 20
"""A shared file larger than this many bytes gives its memory back after the job."""
_HEAVY_PIXELS = 1 << 24
"""Pictures with more pixels are decoded one at a time, since each may need up to a gigabyte."""
_HEAVY_BYTES = 16 << 20
"""So are files with more bytes: one is in memory twice, as it is read and as the decoder sees it."""
_LARGEST_KEPT = 4
"""A picture over this part of the room for kept ones is not kept."""
_CLOSED = "The server is shutting down."


class _DecoderDied(Exception):
    """The decoder process is gone."""


def _shared_file() -> int:
    """An anonymous file in memory, or a deleted one on disk where the system has no such thing."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("vidi-picture", os.MFD_CLOEXEC)
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


@dataclass(frozen=True, slots=True)
class DecoderLimits:
    """What a decoder process may have.

    Attributes:
        seconds: Most that one picture may take to decode; waiting for a turn is not counted.
        memory: Most address space in bytes.
        environment: The whole of its environment.
    """

    seconds: float
    memory: int
    environment: Mapping[str, str] = field(default_factory=lambda: NO_ENVIRONMENT)


def _spawn(channel: int, shared: int, limits: DecoderLimits) -> subprocess.Popen[bytes]:
    """A new interpreter, not a fork: after a fork a lock that another thread held stays locked for good.

    `-P` keeps the working directory out of its import path: files there are none of ours.
    """
    arguments = ["-P", "-m", "vidi.images.decoder", str(shared), str(limits.memory), str(limits.seconds)]
    return subprocess.Popen(
        [sys.executable, *arguments],
        stdin=channel,
        stdout=subprocess.DEVNULL,
        pass_fds=[shared],
        env=limits.environment,
    )


def _kill_and_close(process: subprocess.Popen[bytes], channel: socket.socket, shared: int) -> None:
    """Kill and close; the process is left to be reaped."""
    process.kill()
    channel.close()
    os.close(shared)


def _abandon(process: subprocess.Popen[bytes], channel: socket.socket, shared: int) -> None:
    """Clean up after a decoder that was forgotten, or that the interpreter's exit finds."""
    _kill_and_close(process, channel, shared)
    process.wait()


class _DecoderProcess:
    """One decoder process, with its socket and its shared memory file."""

    def __init__(self, limits: DecoderLimits) -> None:
        """Start the process. Raises OSError."""
        with contextlib.ExitStack() as undo:
            self._channel, theirs = socket.socketpair()
            undo.callback(self._channel.close)
            with theirs:
                self._channel.setblocking(False)
                self._shared = _shared_file()
                undo.callback(os.close, self._shared)
                self._process = _spawn(theirs.fileno(), self._shared, limits)
            undo.pop_all()
        # Whoever is torn down without `close`, as tests and interrupts do, must leave no process behind.
        self._abandoned = weakref.finalize(self, _abandon, self._process, self._channel, self._shared)

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def stop(self) -> asyncio.Future[int]:
        """End the process but leave the socket open: whoever waits on it finds its other end closed.

        To close it here would leave the event loop with a number that the next connection may get.
        """
        self._process.kill()
        return asyncio.get_running_loop().run_in_executor(None, self._process.wait)

    def kill(self) -> asyncio.Future[int]:
        """End the process and free all; the future is done when the process has been reaped."""
        if self._abandoned.detach():
            _kill_and_close(self._process, self._channel, self._shared)
        return asyncio.get_running_loop().run_in_executor(None, self._process.wait)

    async def ready(self) -> None:
        """Wait until the process has started. Raises _DecoderDied."""
        await self._receive()

    async def run(self, data: bytes, job: Job) -> DecodeResult:
        """Let the process do a job. Raises _DecoderDied.

        The file is written in slices, so that other requests get their turns on the loop meanwhile.
        """
        os.ftruncate(self._shared, len(data))
        for at in range(0, len(data), _SLICE_BYTES):
            write_at(self._shared, memoryview(data)[at : at + _SLICE_BYTES], at)
            await asyncio.sleep(0)
        try:
            await asyncio.get_running_loop().sock_sendall(self._channel, job.pack())
        except OSError:
            raise _DecoderDied from None
        return await self._receive()

    async def _receive(self) -> DecodeResult:
        try:
            message = await asyncio.get_running_loop().sock_recv(self._channel, RESULT_SIZE)
            return DecodeResult.unpack(message)
        except (OSError, ValueError, struct.error):
            raise _DecoderDied from None

    def read_pixels(self, count: int) -> bytes:
        """Take the first `count` bytes out of the shared file. Raises _DecoderDied if it holds less."""
        content = os.pread(self._shared, count, 0)
        if os.fstat(self._shared).st_size > _KEPT_FILE_BYTES:
            os.ftruncate(self._shared, 0)
        if len(content) < count:
            raise _DecoderDied
        return content


class DecoderPool:
    """Prepares pictures in at most `size` decoder processes; callers wait their turn in order.

    A file that was prepared in the same way before is not decoded again while there is room to keep it.

    Processes start with the first picture and stay warm. After a minute without a picture to decode all but
    one of them are let go, and no picture is kept any more. One pool belongs to one event loop.
    """

    def __init__(
        self,
        *,
        size: int,
        limits: DecoderLimits,
        budget: ByteBudget | None = None,
        idle_seconds: float = IDLE_SECONDS,
        keep: int = 0,
    ) -> None:
        """Start nothing yet.

        Args:
            size: Most decoder processes at the same time.
            limits: Of each of these processes.
            budget: Where the bytes of files that are being decoded are taken from; None has no end.
            idle_seconds: After so long without a picture, all decoders but one are let go, and what is kept.
            keep: Most bytes of prepared pixels that are kept for the next request with the same file.
        """
        self.decoded = 0
        """Pictures that were decoded, broken ones too."""
        self.decode_seconds = 0.0
        """How long that took."""
        self._limits = limits
        self._budget = budget or ByteBudget(sys.maxsize)
        self._idle_seconds = idle_seconds
        self._cache = LruCache[tuple[str, Job], Picture](
            keep, lambda _, picture: len(picture.rgb), largest_part=_LARGEST_KEPT
        )
        self._slots = asyncio.Semaphore(size)
        self._heavy_lock = asyncio.Lock()
        self._idle: list[_DecoderProcess] = []
        self._busy: set[_DecoderProcess] = set()
        self._reaping: set[asyncio.Future[int]] = set()
        self._idle_timer: asyncio.TimerHandle | None = None
        self._warming: asyncio.Task[None] | None = None
        self._closed = False

    def warm(self) -> None:
        """Begin to start a decoder, for a picture that will come when other things are ready too."""
        self._warming = asyncio.create_task(self._warm())

    async def _warm(self) -> None:
        # Who then needs one is told why there is none.
        with contextlib.suppress(Unavailable):
            self._release(await self._start())

    async def prepare(self, source: PictureSource, header: ImageHeader, fit: Fit) -> Picture:
        """Decode a picture and make it upright, opaque, sRGB and of the size that a model wants.

        Args:
            source: The encoded file; it is read only if its picture is not kept.
            header: What the source said about this file; its resolution goes on to the picture.
            fit: What the model wants.

        Raises:
            InvalidImage: The file is broken, takes too long or too much memory, or crashed the decoder.
            Unavailable: The pool is closed, or no decoder process can be started; the file cannot be read, or
                there is no memory left for it.
        """
        digest = await source.digest()
        kept = self.kept(digest, header, fit)
        if kept is not None:
            return kept
        job = _job(header, fit)
        size = source.stored or len(await source.read())
        heavy = _is_heavy(job) or size > _HEAVY_BYTES
        # First the lock, then a slot: a heavy picture that waits for another must not keep a decoder idle.
        # A stored file is read when its turn has come: those that wait take no memory.
        async with self._heavy_lock if heavy else contextlib.nullcontext(), self._slots:
            with self._budget.hold(size + source.stored):
                result, rgb = await self._decode(await source.read(), source.where, job)
        picture = Picture(
            result.width,
            result.height,
            rgb,
            place(result.source_width, result.source_height, fit),
            digest,
            header.resolution,
        )
        self._cache.put((digest, job), picture)
        return picture

    def kept(self, digest: str, header: ImageHeader, fit: Fit) -> Picture | None:
        """A picture that was prepared in the same way before, if there was room to keep it."""
        kept = self._cache.get((digest, _job(header, fit)))
        if kept is None or kept.resolution == header.resolution:
            return kept
        return replace(kept, resolution=header.resolution)

    async def close(self) -> None:
        """Kill all decoders, those at work too, and wait until they are gone."""
        self._closed = True
        if self._warming is not None:
            self._warming.cancel()
            await asyncio.gather(self._warming, return_exceptions=True)
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        while self._idle:
            self._discard(self._idle.pop())
        await asyncio.gather(*(decoder.stop() for decoder in self._busy))
        await asyncio.gather(*self._reaping)

    async def _decode(self, data: bytes, where: str, job: Job) -> tuple[DecodeResult, bytes]:
        """One job on one decoder, which afterwards is idle or dead, never in between.

        A cancelled caller leaves the decoder at work, so it is discarded like one that failed.
        """
        decoder = await self._acquire()
        reusable = False
        began = time.perf_counter()
        try:
            async with asyncio.timeout(self._limits.seconds):
                result = await decoder.run(data, job)
            rgb = decoder.read_pixels(_pixel_bytes(result, job))
            reusable = True
        except TimeoutError:
            raise broken_image(
                where,
                f"it took longer than {self._limits.seconds:g} s to decode; save it anew or scale it down",
            ) from None
        except _DecoderDied:
            if self._closed:
                raise Unavailable(_CLOSED) from None
            raise broken_image(where, "it crashed the decoder; save it anew with another program") from None
        finally:
            self.decoded += 1
            self.decode_seconds += time.perf_counter() - began
            self._busy.discard(decoder)
            if reusable and not self._closed:
                self._release(decoder)
            else:
                self._discard(decoder)
        if result.verdict is not Verdict.DECODED:
            raise broken_image(where, self._reason(result.verdict))
        return result, rgb

    def _reason(self, verdict: Verdict) -> str:
        """Why the picture cannot be used and what to do, to complete `broken_image`."""
        if verdict is Verdict.TOO_MUCH_MEMORY:
            return f"it needs more than {self._limits.memory >> 20:,} MB of memory to decode; scale it down"
        if verdict is Verdict.NOT_AS_ANNOUNCED:
            return "its data do not have the size that its header announces; save it anew"
        return "its data are broken or cut short; send the whole, unaltered file"

    async def _acquire(self) -> _DecoderProcess:
        """A decoder that is ready: the one that was used last, else a new one.

        The one that was used last is the warmest: its memory is there already.
        """
        if self._closed:
            raise Unavailable(_CLOSED)
        if self._warming is not None:
            warming, self._warming = self._warming, None
            await warming
        while self._idle:
            decoder = self._idle.pop()
            if decoder.alive:
                self._busy.add(decoder)
                return decoder
            self._discard(decoder)
        return await self._start()

    async def _start(self) -> _DecoderProcess:
        try:
            decoder = _DecoderProcess(self._limits)
        except OSError:
            raise Unavailable("No picture decoder can be started; the system is out of resources.") from None
        self._busy.add(decoder)
        ready = False
        try:
            async with asyncio.timeout(_START_SECONDS):
                await decoder.ready()
            ready = True
        except (TimeoutError, _DecoderDied):
            if self._closed:
                raise Unavailable(_CLOSED) from None
            raise Unavailable("The picture decoder does not start; the server's log says why.") from None
        finally:
            if not ready:
                self._discard(decoder)
        return decoder

    def _release(self, decoder: _DecoderProcess) -> None:
        """Keep a decoder warm for the next picture."""
        self._idle.append(decoder)
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        self._idle_timer = asyncio.get_running_loop().call_later(self._idle_seconds, self._shrink)

    def _shrink(self) -> None:
        """Nothing has been decoded for a while: give memory back, but keep one decoder warm."""
        while len(self._idle) > 1:
            self._discard(self._idle.pop())
        self._cache.clear()
        give_back()

    def _discard(self, decoder: _DecoderProcess) -> None:
        """Kill a decoder; it is reaped on a thread, since one with gigabytes takes a while to end."""
        self._busy.discard(decoder)
        reaped = decoder.kill()
        self._reaping.add(reaped)
        reaped.add_done_callback(self._reaping.discard)


def _job(header: ImageHeader, fit: Fit) -> Job:
    return Job(header.format, header.orientation, header.width, header.height, fit)


def _is_heavy(job: Job) -> bool:
    """Whether the decoder holds all pixels of a big picture at once; JPEG is scaled while it is read."""
    return job.format is not ImageFormat.JPEG and job.width * job.height > _HEAVY_PIXELS


def _pixel_bytes(result: DecodeResult, job: Job) -> int:
    """How many bytes of pixels to take; a decoder that claims the impossible counts as dead.

    It has run foreign data through native code: its word is checked before any memory is laid out by it.
    """
    size = (result.width, result.height)
    if result.verdict is not Verdict.DECODED:
        expected = (0, 0)
    else:
        expected = canvas(place(result.source_width, result.source_height, job.fit), job.fit)
    if size != expected:
        raise _DecoderDied
    return result.width * result.height * 3
