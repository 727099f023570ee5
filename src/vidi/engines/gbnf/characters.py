"""Sets of characters, and how JSON writes them inside a string.

A character is written as itself wherever JSON allows that; `"`, `\\` and the control characters are escaped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

from vidi.engines.gbnf.expression import Expression, Span, choice, literal, one_of, repeated, sequence
from vidi.engines.gbnf.rules import Rules

ALL: tuple[Span, ...] = ((0x00, 0xD7FF), (0xE000, 0x10FFFF))
"""Every character; surrogates are none."""

_BARE: tuple[Span, ...] = ((0x20, 0x21), (0x23, 0x5B), (0x5D, 0xD7FF), (0xE000, 0x10FFFF))
_CONTROLS: Span = (0x00, 0x1F)
_SURROGATES = re.compile("[\ud800-\udfff]")
_HEX = one_of([(0x30, 0x39), (0x41, 0x46), (0x61, 0x66)])
_CONTROL = choice(
    sequence(literal("\\"), one_of((ord(c), ord(c)) for c in "bfnrt")),
    sequence(literal("\\u00"), one_of([(0x30, 0x31)]), _HEX),
)
_D = one_of([(0x44, 0x44), (0x64, 0x64)])


def spans(ranges: Iterable[Span]) -> tuple[Span, ...]:
    """The same set in order and without overlaps."""
    merged: list[Span] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return tuple(merged)


def all_but(ranges: Iterable[Span]) -> tuple[Span, ...]:
    """Every character that is not in these."""
    left: list[Span] = []
    taken = spans(ranges)
    for low, high in ALL:
        for start, end in taken:
            if start <= high and end >= low:
                if start > low:
                    left.append((low, start - 1))
                low = end + 1
        if low <= high:
            left.append((low, high))
    return tuple(left)


def common(one: Iterable[Span], other: Iterable[Span]) -> tuple[Span, ...]:
    """What is in both."""
    pairs = ((max(a, c), min(b, d)) for a, b in one for c, d in other)
    return spans(pair for pair in pairs if pair[0] <= pair[1])


def quoted(text: str) -> str:
    """A string as JSON, with its quotes; lone surrogates as the escapes that they came from."""
    return _SURROGATES.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text, ensure_ascii=False))


def inner(text: str) -> Expression:
    """A text as JSON writes it between the quotes."""
    return literal(quoted(text)[1:-1])


def in_string(allowed: tuple[Span, ...], rules: Rules) -> Expression:
    """One of the allowed characters, of which there must be one, as JSON writes it between quotes."""
    if len(allowed) == 1 and allowed[0][0] == allowed[0][1]:
        return inner(chr(allowed[0][0]))
    parts: list[Expression] = []
    bare = common(allowed, _BARE)
    if bare:
        parts.append(one_of(bare))
    parts += [inner(mark) for mark in '"\\' if common(allowed, [(ord(mark), ord(mark))])]
    controls = common(allowed, [_CONTROLS])
    if controls == (_CONTROLS,):
        parts.append(rules.define("control", _CONTROL))
    else:
        parts += [inner(chr(code)) for code in _codes(controls)]
    return choice(*parts)


def _codes(ranges: Iterable[Span]) -> Iterator[int]:
    for low, high in ranges:
        yield from range(low, high + 1)


def any_character(rules: Rules) -> Expression:
    """One character in any of JSON's spellings: as itself or escaped; a pair of surrogates is one."""
    low_half = sequence(literal("\\u"), _D, one_of([(0x43, 0x46), (0x63, 0x66)]), repeated(_HEX, 2, 2))
    high_half = sequence(_D, one_of([(0x38, 0x39), (0x41, 0x42), (0x61, 0x62)]), repeated(_HEX, 2, 2))
    unlike_d = one_of([(0x30, 0x39), (0x41, 0x43), (0x45, 0x46), (0x61, 0x63), (0x65, 0x66)])
    below = sequence(unlike_d, repeated(_HEX, 3, 3))
    between = sequence(_D, one_of([(0x30, 0x37)]), repeated(_HEX, 2, 2))
    code = rules.define("code", choice(below, between, sequence(high_half, low_half)))
    short = one_of((ord(c), ord(c)) for c in '"\\/bfnrt')
    escape = rules.define("escape", choice(short, sequence(literal("u"), code)))
    return rules.define("char", choice(one_of(_BARE), sequence(literal("\\"), escape)))
