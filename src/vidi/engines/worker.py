"""The one bridge between asynchronous callers and a synchronous engine.

Who runs where: callers live on the event loop; each running prompt has a thread of its own, as many as
the engine has slots, unless its engine has the answer at once; more prompts wait in a bounded queue, and
beyond it they are refused at once. A caller goes through three gates, so that nothing is prepared for whom
there is no place, and little for who waits:

    admit    a place in the queue, asked for before any work is done
    turn     near its head: time to prepare the prompt
    stream   a slot
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue

from vidi.domain.answer import Piece, TokenCount, gathered
from vidi.domain.errors import Internal, Unavailable, VidiError
from vidi.domain.prompt import Prompt, PromptHeaders
from vidi.engines.base import Engine, Instant, ModelCard, OwnProcess, Restarting, SelfCheck
from vidi.engines.machine import resident_bytes

log = logging.getLogger(__name__)

PENDING_PIECES = 256
"""How far an engine may run ahead of a slow reader, in pieces."""

MOST_COUNTERS = 16
"""How many prompts of one engine are counted at the same time; the others wait."""

KEPT_SECONDS = 10.0
"""How long a thread waits for the next prompt before it ends."""

CLOSE_SECONDS = 5.0
"""How long a closing worker waits for engines to notice."""

PREPARED = 2
"""How many prompts may be prepared or running, for each slot: one that runs, and the next one."""

FAILED = "The model failed on this request. The server's log says more."

RETRY_AFTER_S = 2.0
"""What a refused caller is told to wait."""


@dataclass(frozen=True, slots=True)
class WorkerState:
    """How a model is doing.

    Attributes:
        waiting, running: Prompts that are admitted but not in the model yet, and those in it.
        refused: Prompts that found the queue full, since the start.
        restarts: How often the model came back from the dead.
        problem: Why it cannot answer now; "" if it can.
        memory: Bytes that its own process holds; 0 where it runs in this one, or elsewhere.
    """

    waiting: int
    running: int
    refused: int
    restarts: int
    problem: str
    memory: int = 0


class Worker:
    """Runs one engine: slots, queue, cancellation."""

    def __init__(self, engine: Engine, *, queue: int) -> None:
        """Take charge of an engine.

        Args:
            engine: Closed by `close`.
            queue: How many prompts may wait for a slot; one more is refused.
        """
        self._engine = engine
        self._instant = engine if isinstance(engine, Instant) else None
        self._queue = queue
        self._admitted = 0
        self._refused = 0
        self._left_behind = 0
        self._turns = asyncio.Semaphore(PREPARED * engine.card.slots)
        self._slots = asyncio.Semaphore(engine.card.slots)
        self._running: set[asyncio.Future[None]] = set()
        self._at_once: set[_AtOnce] = set()
        self._threads = _KeptThreads(engine.card.id)
        # Its own, so that an engine whose server is frozen holds up nobody else's work.
        self._counters = ThreadPoolExecutor(
            min(MOST_COUNTERS, engine.card.slots), thread_name_prefix=f"{engine.card.id} counter"
        )

    @property
    def card(self) -> ModelCard:
        """The model behind this worker."""
        return self._engine.card

    @property
    def problem(self) -> str:
        """What is wrong with what the engine stands on; "" if all is well, or if it cannot tell."""
        return self._engine.problem() if isinstance(self._engine, SelfCheck) else ""

    @property
    def state(self) -> WorkerState:
        """How the model is doing."""
        restarts = self._engine.restarts if isinstance(self._engine, Restarting) else 0
        running = len(self._running) + len(self._at_once)
        waiting = max(0, self._admitted + self._left_behind - running)
        pid = self._engine.pid if isinstance(self._engine, OwnProcess) else None
        memory = resident_bytes(pid) if pid else 0
        return WorkerState(waiting, running, self._refused, restarts, self.problem, memory)

    async def count_tokens(self, headers: PromptHeaders) -> TokenCount:
        """What a prompt costs under the model's own id; an engine may have to ask another process."""
        if self._instant is not None and self._instant.counts_at_once(headers):
            return self._engine.count_tokens(headers)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._counters, self._engine.count_tokens, headers)

    def check_room(self) -> None:
        """Raise Unavailable if `admit` would."""
        if self._admitted + self._left_behind >= self.card.slots + self._queue:
            self._refused += 1
            raise Unavailable("The model is overloaded. Please try again later.", retry_after=RETRY_AFTER_S)

    @contextmanager
    def admit(self) -> Iterator[None]:
        """A place in the queue until the block is left; a prompt that is streamed needs one.

        Raises:
            Unavailable: Too many prompts are waiting already.
        """
        self.check_room()
        self._admitted += 1
        try:
            yield
        finally:
            self._admitted -= 1

    def turn(self) -> AbstractAsyncContextManager[None]:
        """Wait until it is time to prepare the prompt; it counts as prepared until the block is left."""
        return self._turns

    def stream(self, prompt: Prompt) -> AbstractAsyncContextManager[AsyncIterator[Piece]]:
        """Run a prompt; leaving the block cancels what still runs.

        The slot comes back when the engine's loop has really ended: at its next piece after a cancel. Until
        then it takes the place of a prompt that waits.
        """
        if self._instant is not None and self._instant.answers_at_once(prompt):
            return _AtOnce(self._slots, self._at_once, self._answer(prompt))
        return self._on_thread(prompt)

    @asynccontextmanager
    async def _on_thread(self, prompt: Prompt) -> AsyncIterator[AsyncIterator[Piece]]:
        await self._slots.acquire()
        channel = _Channel(asyncio.get_running_loop())
        self._running.add(channel.over)
        channel.over.add_done_callback(self._free_slot)
        self._threads.run(partial(self._run, prompt, channel))
        try:
            yield channel.pieces()
        finally:
            channel.cancel()
            if channel.ended:
                # The thread is on its last instruction: the slot is free when the caller goes on.
                await asyncio.wait({channel.over})
            elif not channel.over.done():
                self._left_behind += 1
                channel.over.add_done_callback(self._catch_up)

    async def _answer(self, prompt: Prompt) -> AsyncGenerator[Piece, None]:
        """The answer of an engine that has it at once: in one where nobody reads it piece by piece."""
        try:
            with closing(self._engine.generate(prompt)) as pieces:
                for piece in pieces if prompt.streamed else gathered(pieces):
                    if _says_something(piece):
                        yield piece
        except VidiError:
            raise
        except Exception:
            log.exception("engine %s failed", self.card.id)
            raise Internal(FAILED) from None

    def _catch_up(self, _over: asyncio.Future[None]) -> None:
        self._left_behind -= 1

    def _free_slot(self, over: asyncio.Future[None]) -> None:
        self._running.discard(over)
        self._slots.release()

    def _run(self, prompt: Prompt, channel: _Channel) -> None:
        try:
            with closing(self._engine.generate(prompt)) as pieces:
                for piece in pieces:
                    if not channel.put(piece):
                        break
            channel.end(None)
        except VidiError as error:
            channel.end(error)
        except Exception:
            log.exception("engine %s failed", self.card.id)
            channel.end(Internal(FAILED))

    async def close(self) -> None:
        """Give running prompts CLOSE_SECONDS to notice that they are cancelled, then close the engine."""
        self._counters.shutdown(wait=False, cancel_futures=True)
        self._threads.close()
        if self._running:
            _, stuck = await asyncio.wait(self._running, timeout=CLOSE_SECONDS)
            if stuck:
                log.warning("%s is left behind at work on %d prompts", self.card.id, len(stuck))
                return
        self._engine.close()


class _AtOnce(AbstractAsyncContextManager[AsyncIterator[Piece]]):
    """An answer that is made on the event loop, in a slot."""

    def __init__(
        self, slots: asyncio.Semaphore, running: set[_AtOnce], answer: AsyncGenerator[Piece, None]
    ) -> None:
        self._slots = slots
        self._running = running
        self._answer = answer

    async def __aenter__(self) -> AsyncIterator[Piece]:
        await self._slots.acquire()
        self._running.add(self)
        return self._answer

    async def __aexit__(self, *_: object) -> None:
        await self._answer.aclose()
        self._running.discard(self)
        self._slots.release()


def _says_something(piece: Piece) -> bool:
    """Whether a piece is for the reader; an empty one only asks whether there is one."""
    return bool(piece.text or piece.tokens or piece.finish or piece.call)


class _KeptThreads:
    """Threads of one engine: each runs one prompt at a time, and then waits a while for another.

    They are daemons, so that an engine that never comes back cannot keep the program from ending.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._idle: list[SimpleQueue[Callable[[], None] | None]] = []

    def run(self, call: Callable[[], None]) -> None:
        """Run a call on a thread of its own: the one that was at work last, or a new one."""
        try:
            inbox = self._idle.pop()
        except IndexError:
            inbox = SimpleQueue()
            threading.Thread(target=self._serve, args=(inbox,), name=self._name, daemon=True).start()
        inbox.put(call)

    def close(self) -> None:
        """Let idle threads end."""
        while self._idle:
            self._idle.pop().put(None)

    def _serve(self, inbox: SimpleQueue[Callable[[], None] | None]) -> None:
        while call := self._next(inbox):
            call()
            # It holds a prompt, with its pictures.
            del call
            self._idle.append(inbox)

    def _next(self, inbox: SimpleQueue[Callable[[], None] | None]) -> Callable[[], None] | None:
        try:
            return inbox.get(timeout=KEPT_SECONDS)
        except Empty:
            try:
                self._idle.remove(inbox)
            except ValueError:
                # It was just taken: a call is on its way.
                return inbox.get()
            return None


class _Channel:
    """Pieces from the engine's thread to the event loop, with back-pressure and cancellation.

    Neither side takes a lock, or wakes the other, unless that one waits: each says that it waits before it
    looks a last time, and each does what the other waits for before it looks whether it does.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._pieces: deque[Piece] = deque()
        self._room = threading.Condition(threading.Lock())
        self._is_full = False
        self._arrived = asyncio.Event()
        self._sleeps = False
        self._cancelled = False
        self._error: VidiError | None = None
        self.ended = False
        self.over: asyncio.Future[None] = loop.create_future()
        """Done when the engine's thread has ended."""

    def put(self, piece: Piece) -> bool:
        """Called by the engine's thread; False tells it to stop. An empty piece is only that question."""
        if not _says_something(piece):
            return not self._cancelled
        if len(self._pieces) >= PENDING_PIECES:
            self._wait_for_room()
        if self._cancelled:
            return False
        self._pieces.append(piece)
        self._wake()
        return True

    def _wait_for_room(self) -> None:
        with self._room:
            self._is_full = True
            while len(self._pieces) >= PENDING_PIECES and not self._cancelled:
                self._room.wait()
            self._is_full = False

    def _make_room(self) -> None:
        with self._room:
            self._room.notify()

    def end(self, error: VidiError | None) -> None:
        """Called by the engine's thread when there is no more to come."""
        self._error = error
        self.ended = True
        self._tell(self._finish)

    def cancel(self) -> None:
        """Called by the reader; the engine's thread stops at its next piece."""
        self._cancelled = True
        if self._is_full:
            self._make_room()

    def _wake(self) -> None:
        if self._sleeps:
            self._sleeps = False
            self._tell(self._arrived.set)

    def _tell(self, call: Callable[[], None]) -> None:
        # A loop that is already closed has no reader left to tell.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(call)

    def _finish(self) -> None:
        self._arrived.set()
        if not self.over.done():
            self.over.set_result(None)

    async def pieces(self) -> AsyncIterator[Piece]:
        """Pieces in order; raises what the engine raised."""
        while True:
            while self._pieces:
                piece = self._pieces.popleft()
                if self._is_full:
                    self._make_room()
                yield piece
            if self.ended and not self._pieces:
                if self._error is not None:
                    raise self._error
                return
            self._arrived.clear()
            self._sleeps = True
            if not self._pieces and not self.ended:
                await self._arrived.wait()
