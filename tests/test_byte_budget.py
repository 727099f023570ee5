"""The one budget of bytes: who is refused, who is put out, and that every byte comes back."""

from __future__ import annotations

import asyncio
import threading
from contextlib import ExitStack, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.waiting import HANG_SECONDS
from vidi.byte_budget import RECENT_S, WORTH_GIVING_BACK, ByteBudget
from vidi.domain.errors import Unavailable

TOTAL = 1000


class Clock:
    """Time that tests move."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_what_is_held_is_refused_to_others_and_comes_back_whatever_happens() -> None:
    budget = ByteBudget(TOTAL)
    for _ in range(3):
        with pytest.raises(KeyError), budget.hold(TOTAL):
            with pytest.raises(Unavailable, match="too many large") as refused, budget.hold(1):
                pass
            assert refused.value.retry_after
            raise KeyError
    assert (budget.used, budget.peak) == (0, TOTAL)


def test_a_stalled_transfer_gives_its_place_to_the_next() -> None:
    clock = Clock()
    budget = ByteBudget(TOTAL, clock)
    told: list[str] = []
    with budget.transfer() as stalled, budget.transfer() as busy:
        stalled.add(600)
        stalled.interrupt = lambda: told.append("stalled")
        busy.interrupt = lambda: told.append("busy")
        with pytest.raises(Unavailable), budget.hold(500):
            pass
        clock.now = 2 * RECENT_S
        busy.add(400)
        with budget.hold(500):
            assert (stalled.put_out, busy.put_out, told) == (True, False, ["stalled"])
            assert budget.used == 900
    assert budget.used == 0


def test_nobody_is_put_out_where_that_would_not_be_enough() -> None:
    clock = Clock()
    budget = ByteBudget(TOTAL, clock)
    with budget.transfer() as stalled, budget.hold(500):
        stalled.add(400)
        clock.now = 2 * RECENT_S
        with pytest.raises(Unavailable), budget.hold(600):
            pass
        assert not stalled.put_out


def test_a_slow_transfer_puts_out_none_that_moves_faster() -> None:
    clock = Clock()
    budget = ByteBudget(TOTAL, clock)
    with budget.transfer() as slow, budget.transfer() as faster:
        slow.add(500)
        clock.now = RECENT_S
        faster.add(500)
        clock.now = 2 * RECENT_S
        with pytest.raises(Unavailable):
            slow.add(1)
        assert not faster.put_out


def test_a_body_that_is_complete_is_never_put_out() -> None:
    clock = Clock()
    budget = ByteBudget(TOTAL, clock)
    with budget.transfer() as complete:
        complete.add(TOTAL)
        budget.complete(complete)
        clock.now = 100 * RECENT_S
        with pytest.raises(Unavailable), budget.hold(1):
            pass
        assert budget.used == TOTAL


def test_a_slow_reader_counts_as_stalled_and_one_that_reads_does_not() -> None:
    clock = Clock()
    budget = ByteBudget(TOTAL, clock)
    with budget.transfer() as idle, budget.transfer() as reading:
        idle.add(500)
        reading.add(500)
        for _ in range(10):
            clock.now += 1
            reading.moved(100)
        with budget.hold(500):
            assert (idle.put_out, reading.put_out) == (True, False)


STEPS = st.lists(
    st.tuples(
        st.integers(0, 3), st.integers(0, 600), st.floats(0, 20), st.sampled_from(["add", "end", "leave"])
    )
)


@given(STEPS)
def test_never_more_is_held_than_there_is_and_all_of_it_comes_back(
    steps: list[tuple[int, int, float, str]],
) -> None:
    clock = Clock()
    budget = ByteBudget(TOTAL, clock)
    places = [ExitStack() for _ in range(4)]
    moving = [place.enter_context(budget.transfer()) for place in places]
    for which, size, seconds, what in steps:
        clock.now += seconds
        if what == "add" and not moving[which].put_out:
            with suppress(Unavailable):
                moving[which].add(size)
        elif what == "end":
            budget.complete(moving[which])
        elif what == "leave":
            places[which].close()
            moving[which] = places[which].enter_context(budget.transfer())
        assert budget.used == sum(transfer.held for transfer in moving) <= TOTAL
    for place in places:
        place.close()
    assert budget.used == 0


@pytest.mark.parametrize(("size", "given_back"), [(WORTH_GIVING_BACK, True), (WORTH_GIVING_BACK - 1, False)])
def test_memory_goes_back_to_the_system_a_moment_after_much_of_it_was_freed(
    size: int, given_back: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vidi.byte_budget.SETTLE_S", 0.01)

    async def story() -> bool:
        told = threading.Event()
        budget = ByteBudget(4 * WORTH_GIVING_BACK, trim=told.set)
        with budget.hold(size):
            await asyncio.sleep(0.05)
            assert not told.is_set()
        # The larger one is told of for sure, however busy the machine; the smaller one never.
        return await asyncio.to_thread(told.wait, HANG_SECONDS if given_back else 0.2)

    assert asyncio.run(story()) is given_back
