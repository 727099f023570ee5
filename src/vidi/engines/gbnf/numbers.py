"""Numbers within limits, digit by digit. No sign before zero, no leading zeros, no exponent."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal

from vidi.engines.gbnf.expression import (
    DIGIT,
    EMPTY,
    Expression,
    choice,
    literal,
    one_of,
    optional,
    repeated,
    sequence,
)

LARGEST = 10**15 - 1
"""Largest magnitude that is written: every integer up to it is exact in a double, so in every client."""

FRACTION_DIGITS = 10
"""Digits after the point where no limit asks for more."""

_LIMIT_DIGITS = 20
"""A limit with more digits after the point is taken at the nearest stricter value with so many."""

_BOUND = Decimal(LARGEST + 1)
_ENOUGH = Context(prec=60)
_ZERO = Decimal(0)
_MINUS = literal("-")


def integers(least: int | None, most: int | None) -> Expression | None:
    """Every integer from `least` to `most`, None meaning -LARGEST and LARGEST; None if there is none."""
    low = -LARGEST if least is None else max(least, -LARGEST)
    high = LARGEST if most is None else min(most, LARGEST)
    if low > high:
        return None
    if low == -high and high > 0:
        return choice(literal("0"), sequence(optional(_MINUS), _whole(1, high)))
    parts = []
    if high >= 0:
        parts.append(_whole(max(low, 0), high))
    if low < 0:
        parts.append(sequence(_MINUS, _whole(max(1, -high), -low)))
    return choice(*parts)


def decimals(least: float | None, most: float | None) -> Expression | None:
    """Every number from `least` to `most` with a limited number of digits; None if there is none.

    A number is compared as written, which agrees with comparing what it is read as: reading rounds to the
    nearest double, and the limits are doubles.
    """
    low = -_BOUND if least is None else max(_limit(least, ROUND_CEILING), -_BOUND)
    high = _BOUND if most is None else min(_limit(most, ROUND_FLOOR), _BOUND)
    if low > high or low == _BOUND or high == -_BOUND:
        return None
    parts = []
    if high >= 0:
        parts.append(_fixed(max(low, _ZERO), high))
    if low < 0:
        below = _positive(-low) if high >= 0 else _fixed(-high, -low)
        parts.append(sequence(_MINUS, below))
    return choice(*parts)


def _limit(value: float, rounding: str) -> Decimal:
    exact = Decimal(repr(value))
    if abs(exact) > _BOUND:
        return exact
    return exact.quantize(Decimal(1).scaleb(-_LIMIT_DIGITS), rounding=rounding, context=_ENOUGH)


def _digits(value: Decimal) -> tuple[int, str]:
    """Whole part and fraction without trailing zeros."""
    whole, _, fraction = f"{value:f}".partition(".")
    return int(whole), fraction.rstrip("0")


def _fixed(low: Decimal, high: Decimal) -> Expression:
    """From `low` to `high`, both at least 0; the bound itself is not written."""
    whole_low, after_low = _digits(low)
    whole_high, after_high = _digits(high)
    if whole_low == whole_high:
        return sequence(literal(str(whole_low)), _fraction_between(after_low, after_high))
    parts = []
    if after_low:
        parts.append(sequence(literal(str(whole_low)), literal("."), _from(after_low, _room(after_low))))
    first = whole_low + 1 if after_low else whole_low
    if first < whole_high:
        any_fraction = optional(sequence(literal("."), repeated(DIGIT, 1, FRACTION_DIGITS)))
        parts.append(sequence(_whole(first, whole_high - 1), any_fraction))
    if high < _BOUND:
        parts.append(sequence(literal(str(whole_high)), _fraction_to(after_high)))
    return choice(*parts)


def _positive(high: Decimal) -> Expression:
    """From above 0 to `high`, for a number that has a sign (so never a bare 0)."""
    if high >= 1:
        small = sequence(literal("0."), repeated(DIGIT, 1, FRACTION_DIGITS))
        return choice(small, _fixed(Decimal(1), high))
    after = _digits(high)[1]
    return sequence(literal("0."), _to(after, _room(after)))


def _room(*fractions: str) -> int:
    return max(FRACTION_DIGITS, *map(len, fractions))


def _fraction_to(after: str) -> Expression:
    return optional(sequence(literal("."), _to(after, _room(after))))


def _fraction_between(low: str, high: str) -> Expression:
    if not low:
        return _fraction_to(high)
    return sequence(literal("."), _between(low, high, _room(low, high)))


def _rest(room: int) -> Expression:
    return repeated(DIGIT, 0, room)


def _from(low: str, room: int) -> Expression:
    """Digits after the point that are at least `low`."""
    if not low:
        return _rest(room)
    first = int(low[0])
    parts = [sequence(literal(low[0]), _from(low[1:], room - 1))]
    if first < 9:
        parts.append(sequence(_digit(first + 1, 9), _rest(room - 1)))
    return choice(*parts)


def _to(high: str, room: int) -> Expression:
    """At least one digit after the point, all together at most `high`."""
    if not high:
        return repeated(literal("0"), 1, max(room, 1))
    first = int(high[0])
    parts = [sequence(literal(high[0]), _maybe_to(high[1:], room - 1))]
    if first > 0:
        parts.append(sequence(_digit(0, first - 1), _rest(room - 1)))
    return choice(*parts)


def _maybe_to(high: str, room: int) -> Expression:
    return optional(_to(high, room)) if room > 0 else EMPTY


def _between(low: str, high: str, room: int) -> Expression:
    """Digits after the point from `low` to `high`; `low` is not empty."""
    first, last = int(low[0]), int(high[0])
    if first == last:
        rest = _between(low[1:], high[1:], room - 1) if low[1:] else _maybe_to(high[1:], room - 1)
        return sequence(literal(low[0]), rest)
    parts = [sequence(literal(low[0]), _from(low[1:], room - 1))]
    if first + 1 < last:
        parts.append(sequence(_digit(first + 1, last - 1), _rest(room - 1)))
    parts.append(sequence(literal(high[0]), _maybe_to(high[1:], room - 1)))
    return choice(*parts)


def _digit(low: int, high: int) -> Expression:
    if low == high:
        return literal(str(low))
    return one_of([(0x30 + low, 0x30 + high)])


def _whole(low: int, high: int) -> Expression:
    """Integers from `low` to `high`, both at least 0."""
    parts: list[Expression] = []
    if low == 0:
        parts.append(literal("0"))
        low = 1
    full: list[int] = []
    for start, end in _by_length(low, high):
        if start == 10 ** (len(str(start)) - 1) and end == 10 ** len(str(end)) - 1:
            full.append(len(str(start)))
        else:
            parts.append(_same_length(str(start), str(end)))
    if full:
        any_digits = repeated(DIGIT, full[0] - 1, full[-1] - 1)
        parts.append(sequence(_digit(1, 9), any_digits))
    return choice(*parts)


def _by_length(low: int, high: int) -> Iterator[tuple[int, int]]:
    """The range cut where numbers get longer."""
    while low <= high:
        end = min(high, 10 ** len(str(low)) - 1)
        yield low, end
        low = end + 1


def _same_length(low: str, high: str) -> Expression:
    """Digits from `low` to `high`, as long as both."""
    if not low:
        return EMPTY
    rest = len(low) - 1
    if low == "0" * len(low) and high == "9" * len(high):
        return repeated(DIGIT, len(low), len(low))
    if low[0] == high[0]:
        return sequence(literal(low[0]), _same_length(low[1:], high[1:]))
    first, last = int(low[0]), int(high[0])
    parts: list[Expression] = []
    if low[1:] != "0" * rest:
        parts.append(sequence(literal(low[0]), _same_length(low[1:], "9" * rest)))
        first += 1
    end = None
    if high[1:] != "9" * rest:
        end = sequence(literal(high[0]), _same_length("0" * rest, high[1:]))
        last -= 1
    if first <= last:
        parts.append(sequence(_digit(first, last), repeated(DIGIT, rest, rest)))
    return choice(*parts, *([end] if end else []))
