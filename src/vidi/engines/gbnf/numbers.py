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
"""Digits after the point; a limit with more is taken at the nearest stricter value with so many."""

_ZEROS, _NINES = "0" * FRACTION_DIGITS, "9" * FRACTION_DIGITS
_STEP = Decimal(1).scaleb(-FRACTION_DIGITS)
_BOUND = LARGEST + 1 - _STEP
_ENOUGH = Context(prec=40)
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
    """Every number from `least` to `most` with at most FRACTION_DIGITS; None if there is none.

    A number is compared as written, which agrees with comparing what it is read as: reading rounds to the
    nearest double, and the limits are doubles.
    """
    low = -_BOUND if least is None else _limit(least, ROUND_CEILING)
    high = _BOUND if most is None else _limit(most, ROUND_FLOOR)
    low, high = max(low, -_BOUND), min(high, _BOUND)
    if low > high:
        return None
    parts = []
    if high >= 0:
        parts.append(_magnitude(max(low, Decimal(0)), high))
    if low < 0:
        below = _above_zero(-low) if high >= 0 else _magnitude(-high, -low)
        parts.append(sequence(_MINUS, below))
    return choice(*parts)


def _limit(value: float, rounding: str) -> Decimal:
    exact = Decimal(repr(value))
    return exact if abs(exact) > _BOUND else exact.quantize(_STEP, rounding=rounding, context=_ENOUGH)


def _halves(value: Decimal) -> tuple[int, str]:
    """The digits before the point as a number, and all FRACTION_DIGITS after it."""
    whole, _, fraction = f"{value:f}".partition(".")
    return int(whole), fraction.ljust(FRACTION_DIGITS, "0")


def _magnitude(low: Decimal, high: Decimal) -> Expression:
    """From `low` to `high`, both at least 0."""
    (first, after_low), (last, after_high) = _halves(low), _halves(high)
    if first == last:
        return sequence(literal(str(first)), _fraction(after_low, after_high))
    parts = []
    if after_low != _ZEROS:
        parts.append(sequence(literal(str(first)), _fraction(after_low, _NINES)))
        first += 1
    end = last if after_high == _NINES else last - 1
    if first <= end:
        parts.append(sequence(_whole(first, end), _fraction(_ZEROS, _NINES)))
    if end < last:
        parts.append(sequence(literal(str(last)), _fraction(_ZEROS, after_high)))
    return choice(*parts)


def _above_zero(high: Decimal) -> Expression:
    """From above 0 to `high`, for a number that has a sign: a bare 0 has none."""
    small = sequence(literal("0."), _digits(_ZEROS, _NINES if high >= 1 else _halves(high)[1], short=True))
    return choice(small, _magnitude(Decimal(1), high)) if high >= 1 else small


def _fraction(low: str, high: str) -> Expression:
    """A point and digits from `low` to `high`, or nothing where that means as much."""
    digits = sequence(literal("."), _digits(low, high, short=True))
    return optional(digits) if low == _ZEROS else digits


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
            parts.append(_digits(str(start), str(end)))
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


def _digits(low: str, high: str, *, short: bool = False) -> Expression:
    """Digits from `low` to `high`, which are as long as each other.

    With `short` they stand after a point: zeros at the end may be left out, but not the first digit.
    """
    size = len(low)
    zeros, nines = "0" * (size - 1), "9" * (size - 1)
    if low == high and not short:
        return literal(low)
    if low == "0" + zeros and high in (low, "9" + nines):
        return repeated(DIGIT if high > low else literal("0"), 1 if short else size, size)
    if low[0] == high[0]:
        return sequence(literal(low[0]), _rest(low[1:], high[1:], short))
    first, last = int(low[0]), int(high[0])
    parts: list[Expression] = []
    if low[1:] != zeros:
        parts.append(sequence(literal(low[0]), _rest(low[1:], nines, short)))
        first += 1
    end = last if high[1:] == nines else last - 1
    if first <= end:
        parts.append(sequence(_digit(first, end), _rest(zeros, nines, short)))
    if end < last:
        parts.append(sequence(literal(high[0]), _rest(zeros, high[1:], short)))
    return choice(*parts)


def _rest(low: str, high: str, short: bool) -> Expression:
    """Further digits; none where there is no room, or where they may be left out."""
    if not low:
        return EMPTY
    digits = _digits(low, high, short=short)
    if not short or low.strip("0"):
        return digits
    return repeated(DIGIT, 0, len(low)) if high == "9" * len(high) else optional(digits)


def _digit(low: int, high: int) -> Expression:
    return literal(str(low)) if low == high else one_of([(0x30 + low, 0x30 + high)])
