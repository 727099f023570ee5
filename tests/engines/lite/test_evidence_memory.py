"""What was worked out before is not worked out again."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.waiting import HANG_SECONDS
from vidi.engines.lite.evidence import SharedPictures


def test_a_value_is_worked_out_once() -> None:
    memory = SharedPictures[int](2)
    calls: list[str] = []

    def work() -> int:
        calls.append("called")
        return 7

    assert [memory.recall("a", work), memory.recall("a", work)] == [7, 7]
    assert calls == ["called"]


def test_the_least_recently_used_is_forgotten() -> None:
    memory = SharedPictures[str](2)
    for key in ("a", "b", "a", "c"):
        memory.recall(key, lambda: "old")
    assert memory.recall("a", lambda: "new") == "old"
    assert memory.recall("b", lambda: "new") == "new"


def test_an_error_is_raised_and_forgotten() -> None:
    memory = SharedPictures[int](2)
    with pytest.raises(ZeroDivisionError):
        memory.recall("a", lambda: 1 // 0)
    assert memory.recall("a", lambda: 3) == 3


def test_those_who_ask_at_the_same_time_wait_for_one() -> None:
    memory = SharedPictures[int](2)
    started, gate = threading.Event(), threading.Event()
    calls: list[int] = []

    def work() -> int:
        calls.append(1)
        started.set()
        gate.wait(HANG_SECONDS)
        return 5

    with ThreadPoolExecutor(4) as threads:
        first = threads.submit(memory.recall, "a", work)
        assert started.wait(HANG_SECONDS)
        others = [threads.submit(memory.recall, "a", work) for _ in range(3)]
        gate.set()
        assert [each.result(HANG_SECONDS) for each in (first, *others)] == [5] * 4
    assert len(calls) == 1
