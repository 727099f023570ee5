"""Right-hand sides of GBNF rules, built so that every one means what it says wherever it is put.

The dialect is llama.cpp's: rule names of letters, digits and hyphens; "literals"; [classes]; (groups); `|`;
and `?`, `*`, `+`, `{m,n}` after a literal, a class, a name or a group.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from itertools import chain, groupby

Span = tuple[int, int]
"""Code points from one to another, both included."""


class Binding(IntEnum):
    """How tightly an expression holds together: only an ATOM may be repeated as it stands."""

    CHOICE = 0
    SEQUENCE = 1
    ATOM = 2


@dataclass(frozen=True, slots=True)
class Expression:
    """A right-hand side.

    Attributes:
        text: As GBNF.
        binding: What has to be put in brackets before it is put elsewhere.
        spoken: What it says, if it can say one thing only; None else.
        parts: What a SEQUENCE consists of.
    """

    text: str
    binding: Binding = Binding.ATOM
    spoken: str | None = None
    parts: tuple[Expression, ...] = ()

    def within(self, binding: Binding) -> str:
        """The text, in brackets if it holds less tightly than asked for."""
        return self.text if self.binding >= binding else f"({self.text})"


_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}
_UNPRINTABLE = re.compile(r'[\x00-\x1f\x7f"\\]')
_SPECIAL_IN_CLASS = {"\n": "\\n", "[": "\\[", "]": "\\]", "-": "\\-", "\\": "\\\\", "^": "\\x5E"}


def literal(text: str) -> Expression:
    """Exactly this text; it must not hold U+0000, which no grammar can match, nor surrogates."""
    quoted = _UNPRINTABLE.sub(lambda found: _NAMED.get(found[0]) or f"\\x{ord(found[0]):02X}", text)
    return Expression(f'"{quoted}"', spoken=text)


def reference(name: str) -> Expression:
    """Whatever the rule of this name says."""
    return Expression(name)


def one_of(spans: Iterable[Span]) -> Expression:
    """One character of the given spans; U+0000 is left out.

    There are no negated classes: to llama.cpp they hold numbers that are no characters.
    """
    return Expression("[" + "".join(_span(max(low, 1), high) for low, high in spans if high > 0) + "]")


def _span(low: int, high: int) -> str:
    if low == high:
        return _in_class(low)
    return f"{_in_class(low)}{'-' if high > low + 1 else ''}{_in_class(high)}"


def _in_class(code: int) -> str:
    if chr(code) in _SPECIAL_IN_CLASS:
        return _SPECIAL_IN_CLASS[chr(code)]
    if 0x20 <= code < 0x7F:
        return chr(code)
    if code <= 0xFF:
        return f"\\x{code:02X}"
    return f"\\u{code:04X}" if code <= 0xFFFF else f"\\U{code:08X}"


EMPTY = literal("")
DIGIT = one_of([(0x30, 0x39)])


def sequence(*parts: Expression) -> Expression:
    """One after another; neighbouring literals become one."""
    flat = chain.from_iterable(part.parts or (part,) for part in parts)
    merged: list[Expression] = []
    for spoken, group in groupby(flat, key=lambda part: part.spoken is not None):
        if not spoken:
            merged += group
        elif text := "".join(part.spoken or "" for part in group):
            merged.append(literal(text))
    if len(merged) < 2:
        return merged[0] if merged else EMPTY
    whole = " ".join(part.within(Binding.SEQUENCE) for part in merged)
    return Expression(whole, Binding.SEQUENCE, parts=tuple(merged))


def choice(*options: Expression) -> Expression:
    """One of these, of which there must be at least one; the same option twice counts once."""
    unique = {option.text: option for option in options}
    if len(unique) == 1:
        return options[0]
    return Expression(" | ".join(unique), Binding.CHOICE)


def optional(part: Expression) -> Expression:
    """This or nothing."""
    return EMPTY if part.spoken == "" else Expression(f"{part.within(Binding.ATOM)}?")


def repeated(part: Expression, least: int, most: int | None) -> Expression:
    """At least `least`, at most `most` (None: any number) of these; for large numbers see `Rules.repeat`."""
    if most == 0 or part.spoken == "":
        return EMPTY
    if (least, most) == (1, 1):
        return part
    short = {(0, 1): "?", (0, None): "*", (1, None): "+"}.get((least, most))
    counts = f"{{{least}}}" if least == most else f"{{{least},{'' if most is None else most}}}"
    return Expression(part.within(Binding.ATOM) + (short or counts))
