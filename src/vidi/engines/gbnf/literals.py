"""Sets of characters and fixed texts: as JSON writes them, one of many, none of many, and up to a mark.

A character is written as itself wherever JSON allows that; `"`, `\\` and the control characters are escaped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, takewhile

from vidi.engines.gbnf.expression import (
    EMPTY,
    MOST_CHARACTERS,
    Binding,
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
_CONTROL = Expression(r'"\\" [bfnrt] | "\\u00" [01] [0-9A-Fa-f]', Binding.CHOICE)
_CODE = Expression(
    # No surrogate, or two of them, which are one character.
    "[0-9A-CEFa-cef] [0-9A-Fa-f]{3} | [Dd] [0-7] [0-9A-Fa-f]{2}"
    r' | [Dd] [89ABab] [0-9A-Fa-f]{2} "\\u" [Dd] [C-Fc-f] [0-9A-Fa-f]{2}',
    Binding.CHOICE,
)


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
    taken = spans(ranges)
    starts = [0, *(high + 1 for _, high in taken)]
    ends = [*(low - 1 for low, _ in taken), ALL[-1][1]]
    return common(ALL, zip(starts, ends, strict=True))


def common(one: Iterable[Span], other: Iterable[Span]) -> tuple[Span, ...]:
    """What is in both."""
    theirs = tuple(other)
    pairs = ((max(a, c), min(b, d)) for a, b in one for c, d in theirs)
    return spans(pair for pair in pairs if pair[0] <= pair[1])


def span_of(letter: str) -> Span:
    """One character as a set."""
    return (ord(letter), ord(letter))


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
    parts += [inner(mark) for mark in '"\\' if common(allowed, [span_of(mark)])]
    controls = common(allowed, [_CONTROLS])
    if controls == (_CONTROLS,):
        parts.append(rules.define("control", _CONTROL))
    else:
        parts += [inner(chr(code)) for low, high in controls for code in range(low, high + 1)]
    return choice(*parts)


def any_character(rules: Rules) -> Expression:
    """One character in any of JSON's spellings: as itself or escaped; a pair of surrogates is one."""
    code = rules.define("code", _CODE)
    short = one_of(map(span_of, '"\\/bfnrt'))
    escape = rules.define("escape", choice(short, sequence(literal("u"), code)))
    return rules.define("char", choice(one_of(_BARE), sequence(literal("\\"), escape)))


FEW = 16
"""So many texts stand side by side; more are merged by their beginnings, since llama.cpp follows every
alternative that fits so far (1,000 of them cost 180 ms a token with a vocabulary of 150,000)."""

DEEPEST = 60
"""So many texts may each begin with the one before."""

COMPARED = 60
"""An excluded text of so many letters or more excludes all that begins with these."""

MOST_LETTERS = 3000
"""Of texts that are excluded: each letter that no two texts share costs a rule."""


def one_of_texts(texts: Sequence[str], rules: Rules) -> Expression:
    """One of these texts, exactly; there must be one.

    Raises:
        TooLarge: The texts are more than a grammar should hold.
    """
    unique = list(dict.fromkeys(texts))
    if sum(map(len, unique)) > MOST_CHARACTERS:
        raise TooLarge(
            f"the values of an enum have more than {MOST_CHARACTERS} characters; give it fewer values"
        )
    if len(unique) <= FEW:
        return choice(*map(literal, unique))
    return _merged(sorted(unique), rules, DEEPEST)


def _merged(texts: list[str], rules: Rules, depth: int) -> Expression:
    """The same for texts in order, their common beginning said once."""
    if len(texts) == 1 or depth == 0:
        return choice(*map(literal, texts))
    # What the first and the last in order share, all of them do.
    shared = takewhile(lambda pair: pair[0] == pair[1], zip(texts[0], texts[-1], strict=False))
    begin = "".join(letter for letter, _ in shared)
    rest = [text[len(begin) :] for text in texts]
    groups = [list(group) for _, group in groupby(rest, key=lambda text: text[:1])]
    branches = choice(*(_merged(group, rules, depth - 1) for group in groups))
    if not begin:
        return branches
    return sequence(literal(begin), rules.define("words", branches))


def excluding(texts: Collection[str], rules: Rules) -> Expression:
    """Any text that is none of these, as JSON writes it between quotes, in one spelling only.

    Raises:
        TooLarge: The texts are more than a grammar should hold.
    """
    short = {text for text in texts if len(text) < COMPARED}
    after: dict[str, set[str]] = {}
    for text in texts:
        for at, letter in enumerate(text[:COMPARED]):
            after.setdefault(text[:at], set()).add(letter)
    if len(after) > MOST_LETTERS:
        raise TooLarge(
            f"the names of its properties have more than {MOST_LETTERS} letters, and others are allowed; "
            "set additionalProperties to false"
        )
    anything = repeated(rules.define("plain", in_string(ALL, rules)), 0, None)
    # A rule for each beginning of an excluded text, longer ones first: a text has come as far as this,
    # and either goes on like such a text, or differs in the next letter and may then be anything.
    made: dict[str, Expression] = {}
    for begin in sorted({"", *after, *short}, reverse=True):
        letters = sorted(after.get(begin, ()))
        endings = [] if begin in short else [EMPTY]
        endings += [sequence(inner(each), made[begin + each]) for each in letters if begin + each in made]
        others = in_string(all_but(map(span_of, letters)), rules)
        made[begin] = rules.define("unlike", choice(*endings, sequence(others, anything)))
    return made[""]


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
    breaks = repeated(one_of(map(span_of, "\n ")), 0, _BREAKS)
    rest = sequence(_until(tags.closing, rules), breaks)
    if tags.opened:
        return sequence(rest, answer)
    return sequence(optional(rules.define("thinking", sequence(literal(tags.opening), rest))), answer)


def _until(tag: str, rules: Rules) -> Expression:
    """Any text that ends with the first `tag` in it.

    One rule for each beginning of the tag that may have been read (the automaton of Knuth, Morris and
    Pratt), so that there is only one way to read a text.
    """
    names = [rules.reserve(f"thought-{read}") for read in range(len(tag))]
    for read, name in enumerate(names):
        onward: dict[int, list[Span]] = {}
        for letter in sorted(set(tag)):
            onward.setdefault(_overlap(tag, tag[:read] + letter), []).append(span_of(letter))
        onward.pop(0, None)
        options = [
            sequence(one_of(letters), *map(reference, names[after : after + 1]))
            for after, letters in onward.items()
        ]
        others = one_of(all_but(letter for letters in onward.values() for letter in letters))
        rules.fill(name, choice(*options, sequence(others, reference(names[0]))))
    return reference(names[0])


def _overlap(tag: str, text: str) -> int:
    """Length of the longest beginning of the tag that ends the text."""
    return next(size for size in range(min(len(tag), len(text)), -1, -1) if text.endswith(tag[:size]))
