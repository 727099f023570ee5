"""Strings: any, of a length, of a format, of a pattern."""

from __future__ import annotations

from functools import cached_property

from vidi.domain.schema import Schema
from vidi.engines.gbnf.expression import Binding, Expression, Rules, literal, repeated, sequence
from vidi.engines.gbnf.literals import any_character
from vidi.engines.gbnf.patterns import pattern_text

_QUOTE = literal('"')

# RFC 3339 from the year 1000; February has 29 days in leap years only. No leap seconds.
_DATE = (
    '([1-9] [0-9]{3} "-" ("0" [13578] | "1" [02]) "-" ("0" [1-9] | [12] [0-9] | "3" [01])'
    ' | [1-9] [0-9]{3} "-" ("0" [469] | "11") "-" ("0" [1-9] | [12] [0-9] | "30")'
    ' | [1-9] [0-9]{3} "-02-" ("0" [1-9] | "1" [0-9] | "2" [0-8])'
    ' | ([1-9] [0-9] ("0" [48] | [2468] [048] | [13579] [26])'
    ' | ([2468] [048] | [13579] [26]) "00") "-02-29")'
)
_TIME = (
    '("0" [0-9] | "1" [0-9] | "2" [0-3]) ":" [0-5] [0-9] ":" [0-5] [0-9] ("." [0-9]{1,6})?'
    ' ("Z" | [+\\-] ("0" [0-9] | "1" [0-9] | "2" [0-3]) ":" [0-5] [0-9])'
)
_FORMATS = {"date": _DATE, "time": _TIME, "date-time": f'{_DATE} "T" {_TIME}'}
"""The formats that Google's API knows."""


class StringRules:
    """Strings of one grammar."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules

    @cached_property
    def any(self) -> Expression:
        """Any string."""
        return self._quoted("string", repeated(self._char, 0, None))

    @cached_property
    def _char(self) -> Expression:
        return any_character(self._rules)

    def string(self, schema: Schema) -> Expression:
        """A JSON string by the pattern of a schema, else by its lengths, else by its format.

        Lengths beside a pattern are left to validation. A format gives way to both, since validation holds
        these against the answer, and no format.
        """
        if schema.pattern is not None:
            shaped = pattern_text(schema.pattern, self._rules)
            if shaped is not None:
                return self._quoted("text", shaped)
        least, most = schema.min_length or 0, schema.max_length
        if least or most is not None:
            inside = self._rules.repeat(self._char, least, most, "char")
            return self._quoted(f"string-{least}-{'' if most is None else most}", inside)
        if schema.format in _FORMATS and schema.pattern is None:
            return self._quoted(schema.format, Expression(_FORMATS[schema.format], Binding.SEQUENCE))
        return self.any

    def _quoted(self, name: str, inside: Expression) -> Expression:
        return self._rules.define(name, sequence(_QUOTE, inside, _QUOTE))
