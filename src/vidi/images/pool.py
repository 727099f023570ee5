"""Decodes pictures in processes that can be killed.

    server (asyncio)                         decoder process, at most `size` of them
    prepare() -- encoded bytes --> shared memory file --> decode, fit, flatten, turn upright
              -- Job --------------> socket ----------->
              <- Reply ------------- socket <-----------
              <- pixels ------------ shared memory file

A decoder that dies, misses the deadline or whose caller goes away is killed and replaced; it is never
reused in a doubtful state.
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
import weakref
from dataclasses import replace

from vidi.domain.errors import Unavailable
from vidi.domain.geometry import Fit, canvas, place
from vidi.domain.prompt import ImageFormat, ImageHeader, Picture
from vidi.images import formats
from vidi.images.protocol import REPLY_SIZE, DecodeResult, Job, Verdict, write_at
from vidi.images.source import PictureSource
from vidi.lru import LruCache

_START_SECONDS = 30.0
_IDLE_SECONDS = 60.0
_SLICE = 4 << 20
"""Bytes moved between two turns of the event loop; about a millisecond."""

_KEEP = 16 << 20
"""A shared file larger than this many bytes gives its memory back after the job."""
_HEAVY_PIXELS = 1 << 24
"""Pictures with more pixels are decoded one at a time, since each may need up to a gigabyte."""
_LARGEST_KEPT = 4
"""A picture over this part of the room for kept ones is not kept."""
_CLOSED = "The server is shutting down."


class _Died(Exception):
    """The decoder process is gone."""


def _shared_file() -> int:
    """An anonymous file in memory, or a deleted one on disk where the system has no such thing."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("vidi-picture", os.MFD_CLOEXEC)
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _process(channel: int, shared: int, memory_limit: int, deadline: float) -> subprocess.Popen[bytes]:
    arguments = ["-P", "-m", "vidi.images.decoder", str(shared), str(memory_limit), str(deadline)]
    return subprocess.Popen(
        [sys.executable, *arguments], stdin=channel, stdout=subprocess.DEVNULL, pass_fds=[shared]
    )


def _end(process: subprocess.Popen[bytes], channel: socket.socket, shared: int) -> None:
    """Kill and close; the process is left to be reaped."""
    process.kill()
    channel.close()
    os.close(shared)


def _abandon(process: subprocess.Popen[bytes], channel: socket.socket, shared: int) -> None:
    """Clean up after a worker that was forgotten, or that the interpreter's exit finds."""
    _end(process, channel, shared)
    process.wait()


class _Worker:
    """One decoder process, with its socket and its shared memory file."""

    def __init__(self, memory_limit: int, deadline: float) -> None:
        """Start the process. Raises OSError."""
        with contextlib.ExitStack() as undo:
            self._channel, theirs = socket.socketpair()
            undo.callback(self._channel.close)
            with theirs:
                self._channel.setblocking(False)
                self._shared = _shared_file()
                undo.callback(os.close, self._shared)
                self._process = _process(theirs.fileno(), self._shared, memory_limit, deadline)
            undo.pop_all()
        self._abandoned = weakref.finalize(self, _abandon, self._process, self._channel, self._shared)

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def stop(self) -> asyncio.Future[int]:
        """End the process but leave the socket to whoever waits on it, who will find it closed."""
        self._process.kill()
        return asyncio.get_running_loop().run_in_executor(None, self._process.wait)

    def kill(self) -> asyncio.Future[int]:
        """End the process and free all; the future is done when the process has been reaped."""
        if self._abandoned.detach():
            _end(self._process, self._channel, self._shared)
        return asyncio.get_running_loop().run_in_executor(None, self._process.wait)

    async def ready(self) -> None:
        """Wait until the process has started. Raises _Died."""
        await self._reply()

    async def run(self, data: bytes, job: Job) -> DecodeResult:
        """Let the process do a job. Raises _Died."""
        os.ftruncate(self._shared, len(data))
        for at in range(0, len(data), _SLICE):
            write_at(self._shared, memoryview(data)[at : at + _SLICE], at)
            await asyncio.sleep(0)
        try:
            await asyncio.get_running_loop().sock_sendall(self._channel, job.pack())
        except OSError:
            raise _Died from None
        return await self._reply()

    async def _reply(self) -> DecodeResult:
        try:
            message = await asyncio.get_running_loop().sock_recv(self._channel, REPLY_SIZE)
            return DecodeResult.unpack(message)
        except (OSError, ValueError, struct.error):
            raise _Died from None

    def collect(self, count: int) -> bytes:
        """Take the first `count` bytes out of the shared file. Raises _Died if it holds less."""
        content = os.pread(self._shared, count, 0)
        if os.fstat(self._shared).st_size > _KEEP:
            os.ftruncate(self._shared, 0)
        if len(content) < count:
            raise _Died
        return content


class DecoderPool:
    """Prepares pictures in at most `size` decoder processes; callers wait their turn in order.

    A file that was prepared in the same way before is not decoded again while there is room to keep it.

    Processes start with the first picture and stay warm; all but one of those that idle for a minute
    are let go. One pool belongs to one event loop.
    """

    def __init__(
        self,
        *,
        size: int,
        deadline: float,
        memory_limit: int,
        idle_seconds: float = _IDLE_SECONDS,
        keep: int = 0,
    ) -> None:
        """Start nothing yet.

        Args:
            size: Most decoder processes at the same time.
            deadline: Most seconds that one picture may take to decode; waiting for a turn is not counted.
            memory_limit: Most address space of a decoder process, in bytes.
            idle_seconds: After so long without a picture, all decoders but one are let go.
            keep: Most bytes of prepared pixels that are kept for the next request with the same file.
        """
        self._deadline = deadline
        self._memory_limit = memory_limit
        self._idle_seconds = idle_seconds
        self._prepared = LruCache[tuple[str, Job], Picture](
            keep, lambda _, picture: len(picture.rgb), largest_part=_LARGEST_KEPT
        )
        self._turns = asyncio.Semaphore(size)
        self._alone = asyncio.Lock()
        self._idle: list[_Worker] = []
        self._busy: set[_Worker] = set()
        self._reaping: set[asyncio.Future[int]] = set()
        self._retirement: asyncio.TimerHandle | None = None
        self._closed = False

    async def prepare(self, source: PictureSource, header: ImageHeader, fit: Fit) -> Picture:
        """Decode a picture and make it upright, opaque, sRGB and of the size that a model wants.

        Args:
            source: The encoded file; it is read only if its picture is not kept.
            header: What the source said about this file; its resolution goes on to the picture.
            fit: What the model wants.

        Raises:
            InvalidImage: The file is broken, takes too long or too much memory, or crashed the decoder.
            Unavailable: The pool is closed, or no decoder process can be started; or the file cannot be read.
        """
        digest = await source.digest()
        job = Job(header.format, header.orientation, header.width, header.height, fit)
        kept = self._prepared.get((digest, job))
        if kept is not None:
            return replace(kept, resolution=header.resolution)
        data = await source.read()
        async with self._alone if _is_heavy(job) else contextlib.nullcontext(), self._turns:
            reply, rgb = await self._decode(data, source.where, job)
        picture = Picture(
            reply.width,
            reply.height,
            rgb,
            place(reply.source_width, reply.source_height, fit),
            digest,
            header.resolution,
        )
        self._prepared.put((digest, job), picture)
        return picture

    async def close(self) -> None:
        """Kill all decoders, those at work too, and wait until they are gone."""
        self._closed = True
        if self._retirement is not None:
            self._retirement.cancel()
        while self._idle:
            self._discard(self._idle.pop())
        await asyncio.gather(*(worker.stop() for worker in self._busy))
        await asyncio.gather(*self._reaping)

    async def _decode(self, data: bytes, where: str, job: Job) -> tuple[DecodeResult, bytes]:
        """One job on one worker, which afterwards is idle or dead, never in between."""
        worker = await self._take()
        fit_for_more = False
        try:
            async with asyncio.timeout(self._deadline):
                reply = await worker.run(data, job)
            rgb = worker.collect(_count(reply, job))
            fit_for_more = True
        except TimeoutError:
            raise formats.broken(
                where, f"it took longer than {self._deadline:g} s to decode; save it anew or scale it down"
            ) from None
        except _Died:
            if self._closed:
                raise Unavailable(_CLOSED) from None
            raise formats.broken(where, "it crashed the decoder; save it anew with another program") from None
        finally:
            self._busy.discard(worker)
            if fit_for_more and not self._closed:
                self._rest(worker)
            else:
                self._discard(worker)
        if reply.verdict is not Verdict.DECODED:
            raise formats.broken(where, self._reason(reply.verdict))
        return reply, rgb

    def _reason(self, verdict: Verdict) -> str:
        if verdict is Verdict.TOO_MUCH_MEMORY:
            return f"it needs more than {self._memory_limit >> 20:,} MB of memory to decode; scale it down"
        if verdict is Verdict.NOT_AS_ANNOUNCED:
            return "its data do not have the size that its header announces; save it anew"
        return "its data are broken or cut short; send the whole, unaltered file"

    async def _take(self) -> _Worker:
        """A worker that is ready: the one that rested last, else a new one."""
        if self._closed:
            raise Unavailable(_CLOSED)
        while self._idle:
            worker = self._idle.pop()
            if worker.alive:
                self._busy.add(worker)
                return worker
            self._discard(worker)
        return await self._start()

    async def _start(self) -> _Worker:
        try:
            worker = _Worker(self._memory_limit, self._deadline)
        except OSError:
            raise Unavailable("No picture decoder can be started; the system is out of resources.") from None
        self._busy.add(worker)
        ready = False
        try:
            async with asyncio.timeout(_START_SECONDS):
                await worker.ready()
            ready = True
        except (TimeoutError, _Died):
            if self._closed:
                raise Unavailable(_CLOSED) from None
            raise Unavailable("The picture decoder does not start; the server's log says why.") from None
        finally:
            if not ready:
                self._discard(worker)
        return worker

    def _rest(self, worker: _Worker) -> None:
        """Keep a worker warm for the next picture."""
        self._idle.append(worker)
        if self._retirement is not None:
            self._retirement.cancel()
        self._retirement = asyncio.get_running_loop().call_later(self._idle_seconds, self._retire)

    def _retire(self) -> None:
        """Nothing has been decoded for a while: give memory back, but keep one worker warm."""
        while len(self._idle) > 1:
            self._discard(self._idle.pop())

    def _discard(self, worker: _Worker) -> None:
        self._busy.discard(worker)
        reaped = worker.kill()
        self._reaping.add(reaped)
        reaped.add_done_callback(self._reaping.discard)


def _is_heavy(job: Job) -> bool:
    """Whether the decoder holds all pixels of a big picture at once; JPEG is scaled while it is read."""
    return job.format is not ImageFormat.JPEG and job.width * job.height > _HEAVY_PIXELS


def _count(reply: DecodeResult, job: Job) -> int:
    """How many bytes of pixels to take; a decoder that claims the impossible counts as dead."""
    size = (reply.width, reply.height)
    if reply.verdict is not Verdict.DECODED:
        expected = (0, 0)
    else:
        expected = canvas(place(reply.source_width, reply.source_height, job.fit), job.fit)
    if size != expected:
        raise _Died
    return reply.width * reply.height * 3
