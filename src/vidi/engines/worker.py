"""The one bridge between asynchronous callers and a synchronous engine.

Who runs where: callers live on the event loop; each running prompt has a thread of its own, as many as
the engine has slots; more prompts wait in a bounded queue, and beyond it they are refused at once.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing

from vidi.domain.answer import Piece, TokenCount
from vidi.domain.errors import Internal, Unavailable, VidiError
from vidi.domain.prompt import Outline, Prompt
from vidi.engines.base import Engine, ModelCard

log = logging.getLogger(__name__)

PENDING_PIECES = 256
"""How far an engine may run ahead of a slow reader, in pieces."""

RETRY_AFTER_S = 2.0
"""What a refused caller is told to wait."""


class Worker:
    """Runs one engine: slots, queue, cancellation."""

    def __init__(self, engine: Engine, *, queue: int) -> None:
        """Take charge of an engine.

        Args:
            engine: Closed by `close`.
            queue: How many prompts may wait for a slot; one more is refused.
        """
        self._engine = engine
        self._queue = queue
        self._waiting = 0
        self._slots = asyncio.Semaphore(engine.card.slots)
        self._threads = ThreadPoolExecutor(engine.card.slots, thread_name_prefix=engine.card.id)

    @property
    def card(self) -> ModelCard:
        """The model behind this worker."""
        return self._engine.card

    def count_tokens(self, outline: Outline) -> TokenCount:
        """What a prompt costs under the model's own id."""
        return self._engine.count_tokens(outline)

    @asynccontextmanager
    async def stream(self, prompt: Prompt) -> AsyncIterator[AsyncIterator[Piece]]:
        """Run a prompt; leaving the block cancels what still runs.

        The slot comes back when the engine's loop has really ended: at its next piece after a cancel.

        Raises:
            Unavailable: If too many prompts are waiting already.
        """
        await self._take_slot()
        channel = _Channel(asyncio.get_running_loop())
        running = asyncio.get_running_loop().run_in_executor(self._threads, self._run, prompt, channel)
        running.add_done_callback(lambda _: self._slots.release())
        try:
            yield channel.pieces()
        finally:
            channel.cancel()
            if channel.ended:
                # The thread is on its last instruction: the slot is free when the caller goes on.
                await asyncio.wait({running})

    async def _take_slot(self) -> None:
        if self._slots.locked() and self._waiting >= self._queue:
            raise Unavailable("The model is overloaded. Please try again later.", retry_after=RETRY_AFTER_S)
        self._waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self._waiting -= 1

    def _run(self, prompt: Prompt, channel: _Channel) -> None:
        try:
            with closing(self._engine.generate(prompt)) as pieces:
                for piece in pieces:
                    if not channel.put(piece):
                        return
            channel.end(None)
        except VidiError as error:
            channel.end(error)
        except Exception:
            log.exception("engine %s failed", self.card.id)
            channel.end(Internal("The model failed on this request. The server's log says more."))

    async def close(self) -> None:
        """Wait for running prompts to notice that they are cancelled, then close the engine."""
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)
        self._engine.close()


class _Channel:
    """Pieces from the engine's thread to the event loop, with back-pressure and cancellation."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._pieces: deque[Piece] = deque()
        self._room = threading.Semaphore(PENDING_PIECES)
        self._arrived = asyncio.Event()
        self._cancelled = False
        self.ended = False
        self._error: VidiError | None = None

    def put(self, piece: Piece) -> bool:
        """Called by the engine's thread; False tells it to stop."""
        self._room.acquire()
        if self._cancelled:
            return False
        self._pieces.append(piece)
        self._wake()
        return True

    def end(self, error: VidiError | None) -> None:
        """Called by the engine's thread when there is no more to come."""
        self._error = error
        self.ended = True
        self._wake()

    def cancel(self) -> None:
        """Called by the reader; the engine's thread stops at its next piece."""
        self._cancelled = True
        self._room.release()

    def _wake(self) -> None:
        # A loop that is already closed has no reader left to wake.
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._arrived.set)

    async def pieces(self) -> AsyncIterator[Piece]:
        """Pieces in order; raises what the engine raised."""
        while True:
            while self._pieces:
                piece = self._pieces.popleft()
                self._room.release()
                yield piece
            if self.ended and not self._pieces:
                if self._error is not None:
                    raise self._error
                return
            await self._arrived.wait()
            self._arrived.clear()
