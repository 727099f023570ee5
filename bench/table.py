"""What a benchmark found, a row a figure, and the printed table."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum


class Target(Enum):
    """Which number a target is about."""

    OURS = "ours"
    ADDED = "ours - yardstick"
    RATIO = "ours / yardstick"


@dataclass(frozen=True, slots=True)
class Row:
    """One figure.

    Attributes:
        figure: What was measured.
        ours: Vidi's number.
        theirs: The yardstick's number in the same run; None if there is none.
        yardstick: What it is held against, named.
        target: What `most` is about.
        most: The target is met up to here; None where there is none.
        unit: Of `ours` and `theirs`.
        skipped: Why nothing was measured; then the numbers mean nothing.
    """

    figure: str
    ours: float = 0.0
    theirs: float | None = None
    yardstick: str = ""
    target: Target = Target.OURS
    most: float | None = None
    unit: str = "ms"
    skipped: str = ""

    @property
    def compared(self) -> float | None:
        """The number that `target` names; None if there is no yardstick or it is nothing."""
        if self.target is Target.OURS:
            return self.ours
        if self.theirs is None:
            return None
        if self.target is Target.ADDED:
            return self.ours - self.theirs
        return self.ours / self.theirs if self.theirs else None

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None where there is none, or nothing was measured."""
        if self.most is None or self.compared is None or self.skipped:
            return None
        return self.compared <= self.most


HEAD = ("figure", "ours", "yardstick", "compared", "target", "met")


def table(rows: Iterable[Row]) -> str:
    """The rows below a headline, in columns."""
    lines = [HEAD, *map(_cells, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def as_json(rows: Sequence[Row]) -> str:
    """The rows for programs; `compared` and `met` are null where they do not apply."""
    fields = [
        dataclasses.asdict(row) | {"target": row.target.value, "compared": row.compared, "met": row.met}
        for row in rows
    ]
    return json.dumps(fields, indent=1)


def _cells(row: Row) -> tuple[str, ...]:
    if row.skipped:
        return (row.figure, "skipped", row.skipped, "", "", "")
    theirs = "" if row.theirs is None else f"{_number(row.theirs, row.unit)} "
    met = {True: "yes", False: "NO", None: ""}[row.met]
    return (
        row.figure,
        _number(row.ours, row.unit),
        f"{theirs}{row.yardstick}".rstrip(),
        _comparison(row),
        _target(row),
        met,
    )


def _comparison(row: Row) -> str:
    if row.theirs is None:
        return ""
    if row.target is Target.ADDED:
        return f"{row.ours - row.theirs:+.2f} {row.unit}"
    return f"x {row.ours / row.theirs:.2f}" if row.theirs else ""


def _target(row: Row) -> str:
    if row.most is None:
        return ""
    if row.target is Target.RATIO:
        return f"x {row.most:g} at most"
    sign = "+" if row.target is Target.ADDED else ""
    return f"{sign}{row.most:g} {row.unit} at most".replace("  ", " ")


def _number(value: float, unit: str) -> str:
    """Three figures that count."""
    digits = max(0, 3 - len(f"{abs(int(value))}"))
    return f"{value:,.{digits}f} {unit}".rstrip()
