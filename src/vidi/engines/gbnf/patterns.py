"""Regular expressions as grammars, where they are simple enough.

Read are literals, `.`, classes, `\\d \\w \\s` and their opposites, groups, alternatives, `* + ? {m,n}`, and
`^` and `$` at the ends of the whole or of its alternatives, in the sense that ECMA 262 and RE2 share. All
else, and what would make llama.cpp follow too many branches at once, is left to validation.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from vidi.engines.gbnf.expression import EMPTY, Binding, Expression, Rules, Span, choice, sequence
from vidi.engines.gbnf.literals import ALL, all_but, common, in_string, spans

MOST_STATES = 60
"""Characters in a pattern, each counted as often as it may be repeated: a bound on the branches that are
followed at once. 200 cost 1.4 s a token with a vocabulary of 150,000; most patterns need three branches."""

LONGEST = 2000
"""Letters of a pattern."""

DEEPEST = 30
"""Groups inside groups."""

_DIGITS: tuple[Span, ...] = ((0x30, 0x39),)
_WORD: tuple[Span, ...] = ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A))
_BLANK: tuple[Span, ...] = ((0x09, 0x0A), (0x0C, 0x0D), (0x20, 0x20))
_ANY_BLANK: tuple[Span, ...] = (
    *((0x09, 0x0D), (0x20, 0x20), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A)),
    *((0x2028, 0x2029), (0x202F, 0x202F), (0x205F, 0x205F), (0x3000, 0x3000), (0xFEFF, 0xFEFF)),
)
_LINE_ENDS: tuple[Span, ...] = ((0x0A, 0x0A), (0x0D, 0x0D), (0x2028, 0x2029))
_CLASSES: dict[str, tuple[Span, ...]] = {
    "d": _DIGITS,
    "D": all_but(_DIGITS),
    "w": _WORD,
    "W": all_but(_WORD),
    "s": _BLANK,
    "S": all_but(_ANY_BLANK),
}
_CONTROLS = {"t": 0x09, "n": 0x0A, "v": 0x0B, "f": 0x0C, "r": 0x0D}
_QUANTIFIER = re.compile(r"(?:([*+?])|\{(\d{1,4})(?:(,)(\d{1,4})?)?\})\??")
_GROUP = re.compile(r"\((?:\?:|\?P?<[A-Za-z_]\w*>)?")
_CODE = re.compile(r"x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})")
_PUNCTUATION = frozenset("^$\\.*+?()[]{}|/-\"'#&,:;<=>@!%~` ")


class _Unsupported(Exception):
    """The pattern is not among the simple ones."""


@dataclass(frozen=True, slots=True)
class _Fragment:
    """A part of a pattern.

    Attributes:
        expression: What it says.
        least, most: How many characters; None is no limit.
        states: How many characters it is written with, each as often as it may be repeated.
        run: Whether it is one character of a set, or a repetition of that.
    """

    expression: Expression
    least: int
    most: int | None
    states: int
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
        # One repetition of one character is always in one or two places, however long it may be.
        loose = [piece for piece in pieces if piece.most != piece.least]
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
        once = most is not None and most <= 1
        if not once and piece.least == 0:
            raise _Unsupported  # A repetition of nothing is left recursion, which llama.cpp refuses.
        single = piece.run and piece.least == piece.most == 1
        states = piece.states * max(1, least, most or 0)
        if not single and states > MOST_STATES:
            raise _Unsupported
        return _Fragment(
            self._rules.repeat(piece.expression, least, most, "letters"),
            piece.least * least,
            None if most is None or piece.most is None else piece.most * most,
            states,
            single,
        )

    def _one(self, allowed: tuple[Span, ...]) -> _Fragment:
        if not allowed:
            raise _Unsupported
        letter = in_string(allowed, self._rules)
        atom = letter if letter.binding is Binding.ATOM else self._rules.define("letter", letter)
        return _Fragment(atom, 1, 1, 1, run=True)

    def _atom(self) -> _Fragment:
        readers: dict[str, Callable[[], _Fragment]] = {"(": self._group, "[": self._class}
        letter = self._pattern[self._at]
        if letter in readers:
            return readers[letter]()
        self._at += 1
        if letter == ".":
            return self._one(all_but(_LINE_ENDS))
        if letter == "\\":
            return self._one(self._escape())
        if letter in "^$*+?{":
            raise _Unsupported
        return self._one(_code_of(letter))

    def _group(self) -> _Fragment:
        found = _GROUP.match(self._pattern, self._at)
        self._depth += 1
        if found is None or self._depth > DEEPEST or self._pattern.startswith("?", found.end()):
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
        endless = any(option.most is None for option in options)
        return _Fragment(
            choice(*(option.expression for option in options)),
            min(option.least for option in options),
            None if endless else max(option.most or 0 for option in options),
            sum(option.states for option in options),
        )

    def _class(self) -> _Fragment:
        self._at += 1
        negated = self._taken("^")
        found: list[Span] = []
        while not self._taken("]"):
            found += self._class_item()
        if not found:
            raise _Unsupported
        return self._one(all_but(found) if negated else common(spans(found), ALL))

    def _class_item(self) -> tuple[Span, ...]:
        low = self._class_atom()
        if not self._pattern.startswith("-", self._at) or self._pattern.startswith("-]", self._at):
            return low
        self._at += 1
        high = self._class_atom()
        if not _single(low) or not _single(high) or low[0][0] > high[0][0]:
            raise _Unsupported
        return ((low[0][0], high[0][0]),)

    def _class_atom(self) -> tuple[Span, ...]:
        if self._at >= len(self._pattern) or self._pattern.startswith("[:", self._at):
            raise _Unsupported
        letter = self._pattern[self._at]
        self._at += 1
        return self._escape() if letter == "\\" else _code_of(letter)

    def _escape(self) -> tuple[Span, ...]:
        letter = self._pattern[self._at : self._at + 1]
        code = _CODE.match(self._pattern, self._at)
        if code is not None:
            self._at = code.end()
            return _code_of(chr(int(code[1] or code[2], 16)))
        self._at += 1
        if letter in _CLASSES:
            return _CLASSES[letter]
        if letter in _CONTROLS:
            return _code_of(chr(_CONTROLS[letter]))
        if letter not in _PUNCTUATION:
            raise _Unsupported
        return _code_of(letter)

    def _taken(self, letter: str) -> bool:
        taken = self._pattern.startswith(letter, self._at)
        self._at += taken
        return taken


def _single(ranges: tuple[Span, ...]) -> bool:
    return len(ranges) == 1 and ranges[0][0] == ranges[0][1]


def _code_of(letter: str) -> tuple[Span, ...]:
    if "\ud800" <= letter <= "\udfff":
        raise _Unsupported
    return ((ord(letter), ord(letter)),)


def _joined(pieces: list[_Fragment]) -> _Fragment:
    """Pieces one after another as one."""
    if len(pieces) == 1:
        return pieces[0]
    most = None if any(piece.most is None for piece in pieces) else sum(piece.most or 0 for piece in pieces)
    return _Fragment(
        sequence(*(piece.expression for piece in pieces)) if pieces else EMPTY,
        sum(piece.least for piece in pieces),
        most,
        sum(piece.states for piece in pieces),
    )
