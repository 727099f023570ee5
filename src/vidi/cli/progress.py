"""Progress on standard error: bars for a person, sparse lines for a log."""

from __future__ import annotations

import sys
import threading

import click

LINE_EVERY = 0.25
"""Without a terminal, one line for each quarter of a step."""


class Bars:
    """A `Progress` of engines, drawn as it is told. Safe to call from any thread."""

    def __init__(self) -> None:
        """Draw nothing yet."""
        self._lock = threading.Lock()
        self._step = ""
        self._drawn = -1.0

    def __call__(self, step: str, done: int, total: int) -> None:
        """Show that `done` of `total` units of a step are over; total 0 means unknown."""
        share = done / total if total else 0.0
        with self._lock:
            new = step != self._step
            finished = total > 0 and done >= total
            terminal = sys.stderr.isatty()
            gap = 0.005 if terminal else LINE_EVERY
            if not (new or finished or share - self._drawn >= gap):
                return
            if new and self._step and terminal and self._drawn < 1:
                click.echo(err=True)
            self._step, self._drawn = step, share
            click.echo(_bar(step, done, total, share) if terminal else _line(step, share), nl=False, err=True)
            if finished or not terminal:
                click.echo(err=True)


def _line(step: str, share: float) -> str:
    return f"{step}: {share:.0%}"


def _bar(step: str, done: int, total: int, share: float) -> str:
    width = 28
    filled = round(share * width)
    size = f"{done / 1e6:.1f} of {total / 1e6:.1f} MB" if total > 1_000_000 else f"{share:.0%}"
    return f"\r{step}  [{'#' * filled}{'.' * (width - filled)}]  {size}\033[K"
