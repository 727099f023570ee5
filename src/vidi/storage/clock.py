"""Time and ids as arguments, and moments as databases keep them.

Whoever needs the time or an id is given the maker, so that a test owns both:

    FileService(storage, limits, clock=lambda: noon)
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]
"""Tells the time, aware of its zone; never a naive one, which could not be compared with what is stored."""

IdMaker = Callable[[], str]
"""Makes an unguessable id of [a-z0-9]; never the same twice."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

END_OF_TIME = datetime.max.replace(tzinfo=UTC)
"""Later than every moment that is stored."""


def utc_now() -> datetime:
    """A `Clock` on the system's time."""
    return datetime.now(UTC)


def to_micros(moment: datetime) -> int:
    """Microseconds since 1970, exactly: `timestamp()` would round."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def from_micros(micros: int) -> datetime:
    """The moment that `to_micros` was given.

    Raises:
        OverflowError: No calendar holds it.
    """
    return EPOCH + timedelta(microseconds=micros)
