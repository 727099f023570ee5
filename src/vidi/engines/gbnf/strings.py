"""Strings: any, of a length, of a format, of a pattern.

A pattern is a regular expression, taken where it is simple enough. Read are literals, `.`, classes,
`\\d \\w \\s` and their opposites, groups, alternatives, `* + ? {m,n}`, and `^` and `$` at the ends of the
whole or of its alternatives, in the sense that ECMA 262 and RE2 share. All else, and what would make
llama.cpp follow too many branches at once, is left to validation.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from vidi.domain.schema import Schema
from vidi.engines.gbnf.expression import (
    EMPTY,
    Binding,
    Expression,
    Rules,
    Span,
    choice,
    literal,
    repeated,
    sequence,
)
from vidi.engines.gbnf.literals import ALL, all_but, any_character, common, in_string, span_of, spans

MOST_STATES = 60
"""Characters in a pattern, each counted as often as it may be repeated: a bound on the branches that are
followed at once. 200 cost 1.4 s a token with a vocabulary of 150,000; most patterns need three branches."""

LONGEST = 2000
"""Letters of a pattern."""

DEEPEST_GROUP = 30
"""Groups inside groups."""

_WORD: tuple[Span, ...] = ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A))
_BLANK: tuple[Span, ...] = ((0x09, 0x0A), (0x0C, 0x0D), (0x20, 0x20))
_ANY_BLANK: tuple[Span, ...] = (
    *((0x09, 0x0D), (0x20, 0x20), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A)),
    *((0x2028, 0x2029), (0x202F, 0x202F), (0x205F, 0x205F), (0x3000, 0x3000), (0xFEFF, 0xFEFF)),
)
_CLASSES: dict[str, tuple[Span, ...]] = {
    "d": ((0x30, 0x39),),
    "D": all_but([(0x30, 0x39)]),
    "w": _WORD,
    "W": all_but(_WORD),
    "s": _BLANK,
    "S": all_but(_ANY_BLANK),
    ".": all_but([(0x0A, 0x0A), (0x0D, 0x0D), (0x2028, 0x2029)]),
}
_CONTROLS = dict(zip("tnvfr", "\t\n\v\f\r", strict=True))
_QUANTIFIER = re.compile(r"(?:([*+?])|\{(\d{1,4})(?:(,)(\d{1,4})?)?\})\??")
_GROUP = re.compile(r"\((?:\?:|\?P?<[A-Za-z_]\w*>)?(?!\?)")
_CHARACTER = re.compile(
    r"\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|([dDwWsS])|([tnvfr])|([ -/:-@\[-^`{-~]))|([^\\])", re.DOTALL
)

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


class _Unsupported(Exception):
    """The pattern is not among the simple ones."""


@dataclass(frozen=True, slots=True)
class _Fragment:
    """A part of a pattern.

    Attributes:
        expression: What it says.
        states: How many characters it is written with, each as often as it may be repeated.
        empty: Whether it may be nothing.
        loose: Whether its texts may differ in length.
        single: Whether it is one character of a set.
        run: Whether it is that, or a repetition of it.
    """

    expression: Expression
    states: int
    empty: bool
    loose: bool
    single: bool = False
    run: bool = False


def pattern_text(pattern: str, rules: Rules) -> Expression | None:
    """Texts that match a pattern, as JSON writes them between quotes; None if it is not a simple one."""
    if len(pattern) > LONGEST:
        return None
    try:
        return _PatternParser(pattern, rules).whole()
    except _Unsupported:
        return None


class _PatternParser:
    """Reads a pattern from left to right."""

    def __init__(self, pattern: str, rules: Rules) -> None:
        self._pattern = pattern
        self._at = 0
        self._rules = rules
        self._depth = 0
        self._anything = self._repeat(self._one(ALL), 0, None)

    def whole(self) -> Expression:
        """The alternatives of the whole; where one is not anchored, anything may stand."""
        found = [self._branch()]
        while self._taken("|"):
            found.append(self._branch())
        if self._at < len(self._pattern) or len(found) > MOST_STATES:
            raise _Unsupported
        return choice(*found)

    def _branch(self) -> Expression:
        start = [] if self._taken("^") else [self._anything]
        pieces = [*start, *self._pieces()]
        if not self._taken("$"):
            pieces.append(self._anything)
        # One repetition of one character is in one or two places at a time, however long it may be.
        loose = [piece for piece in pieces if piece.loose]
        steady = not loose or (len(loose) == 1 and loose[0].run)
        if not steady and sum(piece.states for piece in pieces) > MOST_STATES:
            raise _Unsupported
        return sequence(*(piece.expression for piece in pieces))

    def _pieces(self) -> list[_Fragment]:
        pieces = []
        while self._at < len(self._pattern) and self._pattern[self._at] not in "|)$":
            pieces.append(self._quantified(self._atom()))
        return pieces

    def _quantified(self, piece: _Fragment) -> _Fragment:
        found = _QUANTIFIER.match(self._pattern, self._at)
        if found is None:
            return piece
        self._at = found.end()
        if self._at < len(self._pattern) and self._pattern[self._at] in "*+?{":
            raise _Unsupported
        sign, low, comma, high = found.groups()
        if sign:
            return self._repeat(piece, int(sign == "+"), 1 if sign == "?" else None)
        least = int(low)
        most = int(high) if high else None if comma else least
        if most is not None and most < least:
            raise _Unsupported
        return self._repeat(piece, least, most)

    def _repeat(self, piece: _Fragment, least: int, most: int | None) -> _Fragment:
        if piece.empty and (most is None or most > 1):
            raise _Unsupported  # A repetition of nothing is left recursion, which llama.cpp refuses.
        states = piece.states * max(1, least, most or 0)
        if not piece.single and states > MOST_STATES:
            raise _Unsupported
        return _Fragment(
            self._rules.repeat(piece.expression, least, most, "letters"),
            states,
            empty=piece.empty or least == 0,
            loose=piece.loose or least != most,
            run=piece.single,
        )

    def _atom(self) -> _Fragment:
        if self._pattern.startswith("(", self._at):
            return self._group()
        if self._taken("["):
            return self._class()
        if self._taken("."):
            return self._one(_CLASSES["."])
        if self._pattern[self._at] in "^$*+?{":
            raise _Unsupported
        return self._one(self._character())

    def _one(self, allowed: tuple[Span, ...]) -> _Fragment:
        if not allowed:
            raise _Unsupported
        letter = in_string(allowed, self._rules)
        atom = letter if letter.binding is Binding.ATOM else self._rules.define("letter", letter)
        return _Fragment(atom, 1, empty=False, loose=False, single=True, run=True)

    def _group(self) -> _Fragment:
        found = _GROUP.match(self._pattern, self._at)
        self._depth += 1
        if found is None or self._depth > DEEPEST_GROUP:
            raise _Unsupported
        self._at = found.end()
        options = [_joined(self._pieces())]
        while self._taken("|"):
            options.append(_joined(self._pieces()))
        if not self._taken(")"):
            raise _Unsupported
        self._depth -= 1
        if len(options) == 1:
            return options[0]
        empty = any(option.empty for option in options)
        states = sum(option.states for option in options)
        return _Fragment(choice(*(option.expression for option in options)), states, empty, loose=True)

    def _class(self) -> _Fragment:
        negated = self._taken("^")
        found: list[Span] = []
        while not self._taken("]"):
            if self._pattern.startswith("[:", self._at):
                raise _Unsupported
            low = high = self._character()
            if self._pattern.startswith("-", self._at) and not self._pattern.startswith("-]", self._at):
                self._at += 1
                high = self._character()
                if not _single(low) or not _single(high) or low > high:
                    raise _Unsupported
                low = ((low[0][0], high[0][1]),)
            found += low
        if not found:
            raise _Unsupported
        return self._one(all_but(found) if negated else common(spans(found), ALL))

    def _character(self) -> tuple[Span, ...]:
        """The character that stands here, or those that an escape means."""
        found = _CHARACTER.match(self._pattern, self._at)
        if found is None:
            raise _Unsupported
        self._at = found.end()
        byte, code, named, control, mark, plain = found.groups()
        if named:
            return _CLASSES[named]
        letter = chr(int(byte or code, 16)) if byte or code else _CONTROLS.get(control) or mark or plain
        if "\ud800" <= letter <= "\udfff":
            raise _Unsupported
        return (span_of(letter),)

    def _taken(self, letter: str) -> bool:
        taken = self._pattern.startswith(letter, self._at)
        self._at += taken
        return taken


def _single(ranges: tuple[Span, ...]) -> bool:
    return len(ranges) == 1 and ranges[0][0] == ranges[0][1]


def _joined(pieces: list[_Fragment]) -> _Fragment:
    """Pieces one after another as one."""
    if len(pieces) == 1:
        return pieces[0]
    return _Fragment(
        sequence(*(piece.expression for piece in pieces)) if pieces else EMPTY,
        sum(piece.states for piece in pieces),
        empty=all(piece.empty for piece in pieces),
        loose=any(piece.loose for piece in pieces),
    )


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
