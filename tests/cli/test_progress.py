"""What a person and a log see of long work."""

from __future__ import annotations

import sys

import pytest

from vidi.cli.progress import ProgressBars

MEGABYTE = 1_000_000


class _Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_log_gets_a_line_a_quarter(capsys: pytest.CaptureFixture[str]) -> None:
    bars = ProgressBars()
    for done in range(101):
        bars("Fetching", done, 100)
    bars("Waiting", 0, 0)
    assert capsys.readouterr().err.splitlines() == [
        "Fetching: 0%",
        "Fetching: 25%",
        "Fetching: 50%",
        "Fetching: 75%",
        "Fetching: 100%",
        "Waiting: 0%",
    ]


def test_a_person_sees_rate_and_rest_of_what_this_run_brought(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = _Clock()
    bars = ProgressBars(clock)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    bars("Fetching", 500 * MEGABYTE, 1000 * MEGABYTE)  # Half of it was there.
    assert "500.0 of 1000.0 MB\033" in capsys.readouterr().err
    clock.now += 0.1
    bars("Fetching", 501 * MEGABYTE, 1000 * MEGABYTE)
    assert capsys.readouterr().err == ""
    clock.now += 1.9
    bars("Fetching", 520 * MEGABYTE, 1000 * MEGABYTE)
    shown = capsys.readouterr().err
    assert "520.0 of 1000.0 MB, 10.0 MB/s, 0:48 left" in shown
    assert shown.startswith("\r")
    clock.now += 0.01
    bars("Fetching", 1000 * MEGABYTE, 1000 * MEGABYTE)
    assert capsys.readouterr().err.endswith("\n")


def test_hours_are_told_as_hours(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    clock = _Clock()
    bars = ProgressBars(clock)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    bars("Fetching", 0, 10_000 * MEGABYTE)
    clock.now += 10
    bars("Fetching", 10 * MEGABYTE, 10_000 * MEGABYTE)
    assert "1.0 MB/s, 2:46:30 left" in capsys.readouterr().err
