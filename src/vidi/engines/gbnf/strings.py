"""Strings: any, of a length, of a format, of a pattern."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from vidi.domain.schema import Schema
from vidi.engines.gbnf.expression import (
    DIGIT,
    Expression,
    Rules,
    Span,
    choice,
    literal,
    one_of,
    optional,
    repeated,
    sequence,
)
from vidi.engines.gbnf.literals import any_character, spans
from vidi.engines.gbnf.patterns import LengthBounds, pattern_text

_QUOTE = literal('"')
_LETTERS: tuple[Span, ...] = ((0x41, 0x5A), (0x61, 0x7A))
_ALPHANUMERIC: tuple[Span, ...] = ((0x30, 0x39), *_LETTERS)


class StringRules:
    """Strings of one grammar."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules

    @cached_property
    def _char(self) -> Expression:
        return any_character(self._rules)

    @cached_property
    def any(self) -> Expression:
        """Any string."""
        inside = repeated(self._char, 0, None)
        return self._rules.define("string", sequence(_QUOTE, inside, _QUOTE))

    def string(self, schema: Schema) -> Expression:
        """A JSON string within the limits of a schema, which must not contradict each other.

        A pattern comes before lengths, lengths before a format: what is held against the answer afterwards is
        the pattern and the lengths.

        Raises:
            Unsatisfiable: No text of such a length matches the pattern.
        """
        limits = LengthBounds(schema.min_length or 0, schema.max_length)
        shaped = self._shaped(schema, limits)
        if shaped is not None:
            return self._rules.define(schema.format or "text", sequence(_QUOTE, shaped, _QUOTE))
        if limits == LengthBounds():
            return self.any
        name = f"string-{limits.least}-{'' if limits.most is None else limits.most}"
        inside = self._rules.repeat(self._char, limits.least, limits.most, "char")
        return self._rules.define(name, sequence(_QUOTE, inside, _QUOTE))

    def _shaped(self, schema: Schema, limits: LengthBounds) -> Expression | None:
        """The inside by pattern or format; None if there is none, or it cannot be had within the limits."""
        if schema.pattern is not None:
            return pattern_text(schema.pattern, limits, self._rules)
        known = _FORMATS.get(schema.format or "")
        return known.shape() if known is not None and limits.hold(known.least, known.most) else None


@dataclass(frozen=True, slots=True)
class _Format:
    """Shortest and longest text of a format, and its shape."""

    least: int
    most: int
    shape: Callable[[], Expression]


def _between(low: str, high: str) -> Expression:
    return one_of([(ord(low), ord(high))])


def _digit_of(digits: str) -> Expression:
    return (
        literal(digits) if len(digits) == 1 else one_of(spans((ord(digit), ord(digit)) for digit in digits))
    )


def _two(*pairs: tuple[str, str]) -> Expression:
    """Two digits: one of the first, then one of the second."""
    return choice(*(sequence(_digit_of(first), _digit_of(second)) for first, second in pairs))


def _date() -> Expression:
    """RFC 3339 full-date, from the year 1000; February has 29 days in leap years only."""
    year = sequence(_between("1", "9"), repeated(DIGIT, 3, 3))
    four = _two(("0", "48"), ("2468", "048"), ("13579", "26"))
    leap = choice(
        sequence(_between("1", "9"), DIGIT, four),
        sequence(choice(*(literal(f"{century}") for century in range(12, 100, 4))), literal("00")),
    )
    long_month = choice(*(literal(month) for month in ("01", "03", "05", "07", "08", "10", "12")))
    short_month = choice(*(literal(month) for month in ("04", "06", "09", "11")))
    digits = "0123456789"
    to_29 = (("0", digits[1:]), ("12", digits))
    dash = literal("-")
    return choice(
        sequence(year, dash, long_month, dash, _two(*to_29, ("3", "01"))),
        sequence(year, dash, short_month, dash, _two(*to_29, ("3", "0"))),
        sequence(year, literal("-02-"), _two(("0", digits[1:]), ("1", digits), ("2", digits[:-1]))),
        sequence(leap, literal("-02-29")),
    )


def _time() -> Expression:
    """RFC 3339 full-time, without leap seconds."""
    hours = _two(("01", "0123456789"), ("2", "0123"))
    sixtieths = sequence(_between("0", "5"), DIGIT)
    colon = literal(":")
    part = optional(sequence(literal("."), repeated(DIGIT, 1, 6)))
    sign = one_of([(0x2B, 0x2B), (0x2D, 0x2D)])
    zone = choice(literal("Z"), sequence(sign, hours, colon, sixtieths))
    return sequence(hours, colon, sixtieths, colon, sixtieths, part, zone)


def _uuid() -> Expression:
    hexadecimal = one_of([(0x30, 0x39), (0x41, 0x46), (0x61, 0x66)])
    groups = [repeated(hexadecimal, count, count) for count in (8, 4, 4, 4, 12)]
    dash = literal("-")
    return sequence(groups[0], *(part for group in groups[1:] for part in (dash, group)))


def _email() -> Expression:
    """The common part of RFC 5321: dotted words, an @, and a domain of at least two labels."""
    atom = repeated(one_of((*_ALPHANUMERIC, (0x5F, 0x5F), (0x2B, 0x2B), (0x2D, 0x2D))), 1, 20)
    user = sequence(atom, repeated(sequence(literal("."), atom), 0, 2))
    inner = sequence(repeated(one_of((*_ALPHANUMERIC, (0x2D, 0x2D))), 0, 20), one_of(_ALPHANUMERIC))
    label = sequence(one_of(_ALPHANUMERIC), optional(inner))
    top = repeated(one_of(_LETTERS), 2, 20)
    dotted = sequence(label, literal("."))
    return sequence(user, literal("@"), repeated(dotted, 1, 3), top)


_FORMATS = {
    "date": _Format(10, 10, _date),
    "time": _Format(9, 21, _time),
    "date-time": _Format(20, 32, lambda: sequence(_date(), literal("T"), _time())),
    "uuid": _Format(36, 36, _uuid),
    "email": _Format(6, 152, _email),
}
