"""The sync/async bridge: slots, queue, cancellation, errors."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Generator
from typing import Any

import pytest

from tests.waiting import HANG_SECONDS
from vidi.domain.answer import Finish, Piece, TokenCount, fold
from vidi.domain.errors import Internal, InvalidRequest, Unavailable
from vidi.domain.prompt import Prompt, PromptHeaders, Request, Role, Turn
from vidi.engines.base import ModelCard
from vidi.engines.worker import PENDING_PIECES, Worker

PROMPT: Prompt = Request(turns=(Turn(Role.USER, ("hello",)),))


class Scripted:
    """An engine that does what its script says; remembers what became of its generators."""

    def __init__(self, *, slots: int = 1, pieces: int = 3, error: Exception | None = None) -> None:
        self.card = ModelCard(id="scripted", display_name="", description="", slots=slots)
        self.pieces = pieces
        self.error = error
        self.gate = threading.Event()
        self.gate.set()
        self.running = 0
        self.most_running = 0
        self.yielded = 0
        self.closed_early = 0
        self.closed = False

    def count_tokens(self, headers: PromptHeaders) -> TokenCount:
        return TokenCount(text=1)

    def generate(self, prompt: Prompt) -> Generator[Piece, None, None]:
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            self.gate.wait(HANG_SECONDS)
            for index in range(self.pieces):
                self.yielded += 1
                yield Piece(f"{index} ", tokens=1)
            if self.error is not None:
                raise self.error
            yield Piece("", finish=Finish.STOP)
        except GeneratorExit:
            self.closed_early += 1
            raise
        finally:
            self.running -= 1

    def close(self) -> None:
        self.closed = True


async def _answer(worker: Worker) -> str:
    with worker.admit():
        async with worker.turn(), worker.stream(PROMPT) as pieces:
            return fold([piece async for piece in pieces])[0].text


async def _until(condition: Any) -> None:
    async with asyncio.timeout(HANG_SECONDS):
        while not condition():
            await asyncio.sleep(0.005)


def test_pieces_arrive_whole_and_in_order() -> None:
    async def run() -> str:
        worker = Worker(Scripted(pieces=3 * PENDING_PIECES), queue=0)
        try:
            return await _answer(worker)
        finally:
            await worker.close()

    assert asyncio.run(run()).split() == [str(index) for index in range(3 * PENDING_PIECES)]


def test_no_more_prompts_run_than_there_are_slots() -> None:
    async def run() -> int:
        engine = Scripted(slots=2, pieces=50)
        worker = Worker(engine, queue=10)
        await asyncio.gather(*(_answer(worker) for _ in range(8)))
        await worker.close()
        return engine.most_running

    assert asyncio.run(run()) <= 2


def test_a_full_queue_refuses_at_once_and_says_when_to_come_back() -> None:
    async def run() -> Unavailable:
        engine = Scripted()
        engine.gate.clear()
        worker = Worker(engine, queue=1)
        busy = [asyncio.create_task(_answer(worker)) for _ in range(2)]
        await _until(lambda: engine.running == 1)
        await asyncio.sleep(0)
        with pytest.raises(Unavailable) as refused:
            await _answer(worker)
        engine.gate.set()
        await asyncio.gather(*busy)
        await worker.close()
        return refused.value

    assert asyncio.run(run()).retry_after


def test_leaving_the_block_stops_the_engine_and_frees_the_slot() -> None:
    async def run() -> Scripted:
        engine = Scripted(pieces=1_000_000)
        worker = Worker(engine, queue=0)
        async with worker.stream(PROMPT) as pieces:
            async for _ in pieces:
                break
        await _until(lambda: engine.running == 0)
        engine.pieces = 1
        assert await _answer(worker) == "0 "
        await worker.close()
        return engine

    engine = asyncio.run(run())
    assert engine.closed_early == 1
    assert engine.closed


def test_an_engine_runs_no_further_ahead_than_its_reader_allows() -> None:
    async def run() -> int:
        engine = Scripted(pieces=1_000_000)
        worker = Worker(engine, queue=0)
        async with worker.stream(PROMPT) as pieces:
            async for _ in pieces:
                await asyncio.sleep(0.2)
                break
        yielded = engine.yielded
        await worker.close()
        return yielded

    assert asyncio.run(run()) <= PENDING_PIECES + 2


def test_empty_pieces_go_nowhere_but_show_that_nobody_waits_any_more() -> None:
    class Silent(Scripted):
        """Has nothing to say, and asks whether anybody still waits."""

        def generate(self, prompt: Prompt) -> Generator[Piece, None, None]:
            self.running += 1
            try:
                for _ in range(3 * PENDING_PIECES):
                    yield Piece("")
                yield Piece("now", tokens=1)
                while True:
                    time.sleep(0.001)
                    yield Piece("")
            finally:
                self.running -= 1

    async def run() -> list[Piece]:
        engine = Silent()
        worker = Worker(engine, queue=0)
        got = []
        async with worker.stream(PROMPT) as pieces:
            async for piece in pieces:
                got.append(piece)
                break
        await _until(lambda: engine.running == 0)
        await worker.close()
        return got

    assert asyncio.run(run()) == [Piece("now", tokens=1)]


def test_a_cancelled_wait_gives_its_place_back() -> None:
    async def run() -> None:
        engine = Scripted()
        engine.gate.clear()
        worker = Worker(engine, queue=1)
        first = asyncio.create_task(_answer(worker))
        await _until(lambda: engine.running == 1)
        for _ in range(5):
            waiting = asyncio.create_task(_answer(worker))
            await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
        engine.gate.set()
        assert await first
        assert await _answer(worker)
        await worker.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("raised", "expected"),
    [(InvalidRequest("no such thing"), InvalidRequest), (ZeroDivisionError("secret"), Internal)],
)
def test_an_engines_error_reaches_the_caller_without_internals(
    raised: Exception, expected: type[Exception]
) -> None:
    async def run() -> None:
        worker = Worker(Scripted(error=raised), queue=0)
        with pytest.raises(expected) as caught:
            await _answer(worker)
        assert "secret" not in str(caught.value)
        with pytest.raises(expected):
            await _answer(worker)
        await worker.close()

    asyncio.run(run())


def test_a_silent_engine_does_not_block_the_loop() -> None:
    async def run() -> None:
        engine = Scripted()
        engine.gate.clear()
        worker = Worker(engine, queue=0)
        answer = asyncio.create_task(_answer(worker))
        await _until(lambda: engine.running == 1)
        for _ in range(100):
            await asyncio.sleep(0)
        # The loop went on while the engine said nothing.
        assert (engine.running, engine.yielded, answer.done()) == (1, 0, False)
        engine.gate.set()
        await answer
        await worker.close()

    asyncio.run(run())


def test_an_engine_that_never_comes_back_does_not_keep_the_worker_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("vidi.engines.worker.CLOSE_SECONDS", 0.1)

    async def run() -> Scripted:
        engine = Scripted()
        engine.gate.clear()
        worker = Worker(engine, queue=0)
        answer = asyncio.create_task(_answer(worker))
        await _until(lambda: engine.running == 1)
        answer.cancel()
        async with asyncio.timeout(HANG_SECONDS):
            await worker.close()
        engine.gate.set()
        return engine

    assert not asyncio.run(run()).closed


class Quick(Scripted):
    """An engine that counts and answers at once, but for one of its prompts."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__(slots=1, error=error)
        self.threads: set[int] = set()

    def counts_at_once(self, headers: PromptHeaders) -> bool:
        return True

    def answers_at_once(self, prompt: Prompt) -> bool:
        return prompt == PROMPT

    def count_tokens(self, headers: PromptHeaders) -> TokenCount:
        self.threads.add(threading.get_ident())
        return TokenCount(text=1)

    def generate(self, prompt: Prompt) -> Generator[Piece, None, None]:
        self.threads.add(threading.get_ident())
        yield from super().generate(prompt)


def test_what_is_done_at_once_is_done_on_the_loop_within_its_slot() -> None:
    async def run() -> tuple[Quick, int, str]:
        engine = Quick()
        worker = Worker(engine, queue=1)
        await worker.count_tokens(Request(turns=()))
        async with worker.stream(PROMPT) as first:
            await anext(first)
            running = worker.state.running
            waiting = asyncio.create_task(_answer(worker))
            await asyncio.sleep(0.05)
            assert not waiting.done(), "there is one slot"
        text = await waiting
        await worker.close()
        return engine, running, text

    engine, running, text = asyncio.run(run())
    assert engine.threads == {threading.get_ident()}
    assert (running, engine.most_running, text) == (1, 1, "0 1 2 ")


@pytest.mark.parametrize(
    ("error", "told"), [(Unavailable("Later."), Unavailable), (ValueError("a secret"), Internal)]
)
def test_an_error_of_what_is_done_at_once_is_told_like_any_other(
    error: Exception, told: type[Exception]
) -> None:
    async def run() -> None:
        worker = Worker(Quick(error), queue=0)
        with pytest.raises(told) as raised:
            await _answer(worker)
        assert "secret" not in str(raised.value)
        assert worker.state.running == 0
        await worker.close()

    asyncio.run(run())


def test_a_thread_is_kept_for_the_next_prompt_and_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vidi.engines.worker.KEPT_SECONDS", 0.05)

    class Named(Scripted):
        used: list[threading.Thread]

        def generate(self, prompt: Prompt) -> Generator[Piece, None, None]:
            self.used.append(threading.current_thread())
            yield from super().generate(prompt)

    async def run() -> list[threading.Thread]:
        engine = Named()
        engine.used = []
        worker = Worker(engine, queue=0)
        await _answer(worker)
        await asyncio.sleep(0.005)
        await _answer(worker)
        await _until(lambda: not engine.used[1].is_alive())
        assert await _answer(worker) == "0 1 2 "
        await worker.close()
        await _until(lambda: not engine.used[2].is_alive())
        return engine.used

    first, second, third = asyncio.run(run())
    assert first is second
    assert third is not second
