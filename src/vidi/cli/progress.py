"""Progress of long work, drawn on the terminal or told in lines."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable

import click

LINE_EVERY = 0.25
"""Without a terminal, one line for each quarter of a step."""

DRAW_EVERY = 0.2
"""On a terminal, seconds between two drawings of a bar."""

RATE_AFTER = 1.0
"""Seconds after which a rate is worth telling."""


class ProgressBars:
    """The `Progress` of engines, drawn as it is told. Safe to call from any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Draw nothing yet; `clock` tells seconds."""
        self._lock = threading.Lock()
        self._clock = clock
        self._step = ""
        self._drawn = -1.0
        self._drawn_at = 0.0
        self._begun = (0.0, 0)

    def __call__(self, step: str, done: int, total: int) -> None:
        """Show that `done` of `total` units of a step are over; total 0 means unknown."""
        share = done / total if total else 0.0
        with self._lock:
            now = self._clock()
            new = step != self._step
            finished = total > 0 and done >= total
            terminal = sys.stderr.isatty()
            if not (new or finished or self._is_due(share, now, terminal)):
                return
            if new:
                if self._step and terminal and self._drawn < 1:
                    click.echo(err=True)
                # What an earlier run left is no speed of this one.
                self._begun = (now, done)
            self._step, self._drawn, self._drawn_at = step, share, now
            if terminal:
                click.echo(_bar(step, done, total, self._rate(done, now)), nl=False, err=True)
            else:
                click.echo(f"{step}: {share:.0%}", nl=False, err=True)
            if finished or not terminal:
                click.echo(err=True)

    def _is_due(self, share: float, now: float, terminal: bool) -> bool:
        if terminal:
            return now - self._drawn_at >= DRAW_EVERY
        return share - self._drawn >= LINE_EVERY

    def _rate(self, done: int, now: float) -> float:
        """Units a second of this step so far; 0 while nobody can tell."""
        since, before = self._begun
        return (done - before) / (now - since) if now - since >= RATE_AFTER else 0.0


def _bar(step: str, done: int, total: int, rate: float) -> str:
    width = 28
    share = done / total if total else 0.0
    filled = round(share * width)
    size = f"{share:.0%}"
    if total > 1_000_000:
        size = f"{done / 1e6:.1f} of {total / 1e6:.1f} MB"
        if rate > 0:
            size += f", {rate / 1e6:.1f} MB/s, {_clock_time((total - done) / rate)} left"
    return f"\r{step}  [{'#' * filled}{'.' * (width - filled)}]  {size}\033[K"


def _clock_time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
