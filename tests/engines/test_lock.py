"""One process at a time."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.waiting import HANG_SECONDS
from vidi.engines.lock import alone


def quiet(step: str, done: int, total: int) -> None:
    pass


def test_who_does_not_want_to_wait_is_told_at_once(tmp_path: Path) -> None:
    with alone(tmp_path / "lock", quiet), pytest.raises(BlockingIOError), alone(tmp_path / "lock", None):
        pass
    with alone(tmp_path / "lock", None):
        pass


def test_who_waits_says_so_and_comes_next(tmp_path: Path) -> None:
    order: list[str] = []
    waiting = threading.Event()

    def progress(step: str, done: int, total: int) -> None:
        assert step == "Waiting for another process"
        waiting.set()

    def second() -> None:
        with alone(tmp_path / "lock", progress):
            order.append("second")

    with alone(tmp_path / "lock", quiet):
        thread = threading.Thread(target=second)
        thread.start()
        assert waiting.wait(HANG_SECONDS)
        order.append("first")
    thread.join(HANG_SECONDS)
    assert order == ["first", "second"]


def test_a_lock_is_free_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), alone(tmp_path / "lock", None):
        raise ZeroDivisionError
    with alone(tmp_path / "lock", None):
        pass
