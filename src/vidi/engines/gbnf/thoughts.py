"""Thinking before the answer: any text up to the mark that ends it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from vidi.engines.gbnf.characters import all_but
from vidi.engines.gbnf.expression import (
    Expression,
    Span,
    choice,
    literal,
    one_of,
    optional,
    reference,
    repeated,
    sequence,
)
from vidi.engines.gbnf.rules import Rules

_BREAKS = 4
"""Line breaks and spaces that may stand between the thinking and the answer."""


@dataclass(frozen=True, slots=True)
class ThoughtTags:
    """How a model marks its thinking.

    Attributes:
        opening: What it begins with, as `<think>`.
        closing: What it ends with, as `</think>`; not empty.
        opened: Whether the prompt already ends inside the thinking, so that the model has to end it.
    """

    opening: str
    closing: str
    opened: bool = False


def after_thinking(answer: Expression, tags: ThoughtTags, rules: Rules) -> Expression:
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
            sequence(one_of(_codes(letters)), *map(reference, names[after : after + 1]))
            for after, letters in onward.items()
        ]
        others = one_of(all_but(_codes(letter for letters in onward.values() for letter in letters)))
        rules.fill(name, choice(*options, sequence(others, reference(names[0]))))
    return reference(names[0])


def _codes(letters: Iterable[str]) -> Iterator[Span]:
    return ((ord(letter), ord(letter)) for letter in letters)


def _overlap(mark: str, text: str) -> int:
    """Length of the longest beginning of the mark that ends the text."""
    return next(size for size in range(min(len(mark), len(text)), -1, -1) if text.endswith(mark[:size]))
