"""Sets of characters, and how JSON writes them inside a string.

A character is written as itself wherever JSON allows that; `"`, `\\` and the control characters are escaped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from vidi.engines.gbnf.expression import (
    EMPTY,
    MOST_CHARACTERS,
    Expression,
    Rules,
    Span,
    TooLarge,
    choice,
    literal,
    one_of,
    optional,
    reference,
    repeated,
    sequence,
)

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


FEW = 16
"""So many words stand side by side; more are merged by their beginnings, since llama.cpp follows every
alternative that fits so far (1,000 of them cost 180 ms a token with a vocabulary of 150,000)."""

MOST_LETTERS = 3000
"""Of words that are excluded: each letter that no two words share costs a rule."""

DEEPEST = 60
"""So many words may each begin with the one before."""


def one_of_texts(words: Sequence[str], rules: Rules) -> Expression:
    """One of these texts, exactly; there must be one.

    Raises:
        TooLarge: The words are more than a grammar should hold.
    """
    unique = list(dict.fromkeys(words))
    if sum(map(len, unique)) > MOST_CHARACTERS:
        raise TooLarge(
            f"the values of an enum have more than {MOST_CHARACTERS} characters; give it fewer values"
        )
    if len(unique) <= FEW:
        return choice(*map(literal, unique))
    return _merged(sorted(unique), rules, DEEPEST)


def _merged(words: list[str], rules: Rules, depth: int) -> Expression:
    """The same for words in order, their common beginning said once."""
    if len(words) == 1 or depth == 0:
        return choice(*map(literal, words))
    begin = _common_beginning(words[0], words[-1])
    rest = [word[len(begin) :] for word in words]
    groups = [list(group) for _, group in groupby(rest, key=lambda word: word[:1])]
    branches = choice(*(_merged(group, rules, depth - 1) for group in groups))
    if not begin:
        return branches
    return sequence(literal(begin), rules.define("words", branches))


def _common_beginning(one: str, other: str) -> str:
    """Of the first and the last of words in order, so of all of them."""
    pairs = enumerate(zip(one, other, strict=False))
    differ = next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))
    return one[:differ]


def excluding(words: Sequence[str], rules: Rules) -> Expression:
    """Any text that is none of these, as JSON writes it between quotes, in one spelling only.

    Raises:
        TooLarge: The words are more than a grammar should hold.
    """
    anything = repeated(rules.define("plain", in_string(ALL, rules)), 0, None)
    said: dict[int, Expression] = {}
    nodes = _tree(words)
    for at in range(len(nodes) - 1, -1, -1):
        node = nodes[at]
        others = in_string(all_but((ord(letter), ord(letter)) for letter in node.after), rules)
        endings = [] if node.ends else [EMPTY]
        endings += [sequence(inner(letter), said[after]) for letter, after in node.after.items()]
        endings.append(sequence(others, anything))
        said[at] = rules.define("unlike", choice(*endings))
    return said[0]


@dataclass(slots=True)
class _Node:
    """A beginning of some words: whether it is one itself, and the nodes that one more letter leads to."""

    ends: bool = False
    after: dict[str, int] = field(default_factory=dict)


def _tree(words: Sequence[str]) -> list[_Node]:
    """The words by their letters, each node after the one that leads to it."""
    nodes = [_Node()]
    for word in words:
        node = nodes[0]
        for letter in word:
            at = node.after.setdefault(letter, len(nodes))
            if at == MOST_LETTERS:
                raise TooLarge(
                    f"the names of its properties have more than {MOST_LETTERS} letters, and others are "
                    "allowed; set additionalProperties to false"
                )
            if at == len(nodes):
                nodes.append(_Node())
            node = nodes[at]
        node.ends = True
    return nodes


_BREAKS = 4
"""Line breaks and spaces that may stand between the thinking and the answer."""


@dataclass(frozen=True, slots=True)
class ThinkingTags:
    """How a model marks its thinking.

    Attributes:
        opening: What it begins with, as `<think>`.
        closing: What it ends with, as `</think>`; not empty.
        opened: Whether the prompt already ends inside the thinking, so that the model has to end it.
    """

    opening: str
    closing: str
    opened: bool = False


def after_thinking(answer: Expression, tags: ThinkingTags, rules: Rules) -> Expression:
    """The answer, with thinking before it: as the model likes, or where `opened` without fail."""
    breaks = repeated(one_of([(0x0A, 0x0A), (0x20, 0x20)]), 0, _BREAKS)
    rest = sequence(_until(tags.closing, rules), breaks)
    if tags.opened:
        return sequence(rest, answer)
    return sequence(optional(rules.define("thinking", sequence(literal(tags.opening), rest))), answer)


def _until(mark: str, rules: Rules) -> Expression:
    """Any text that ends with the first `mark` in it.

    One rule for each beginning of the mark that may have been read (the automaton of Knuth, Morris and
    Pratt), so that there is only one way to read a text.
    """
    names = [rules.reserve(f"thought-{read}") for read in range(len(mark))]
    for read, name in enumerate(names):
        onward: dict[int, list[str]] = {}
        for letter in sorted(set(mark)):
            onward.setdefault(_overlap(mark, mark[:read] + letter), []).append(letter)
        onward.pop(0, None)
        options = [
            sequence(one_of(_text_codes(letters)), *map(reference, names[after : after + 1]))
            for after, letters in onward.items()
        ]
        others = one_of(all_but(_text_codes(letter for letters in onward.values() for letter in letters)))
        rules.fill(name, choice(*options, sequence(others, reference(names[0]))))
    return reference(names[0])


def _text_codes(letters: Iterable[str]) -> Iterator[Span]:
    return ((ord(letter), ord(letter)) for letter in letters)


def _overlap(mark: str, text: str) -> int:
    """Length of the longest beginning of the mark that ends the text."""
    return next(size for size in range(min(len(mark), len(text)), -1, -1) if text.endswith(mark[:size]))
