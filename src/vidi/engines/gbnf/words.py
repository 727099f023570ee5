"""A list of texts, and everything that is not in a list of texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby

from vidi.engines.gbnf.characters import ALL, all_but, in_string, inner
from vidi.engines.gbnf.expression import EMPTY, Expression, choice, literal, repeated, sequence
from vidi.engines.gbnf.rules import MOST_CHARACTERS, Rules, TooLarge

FEW = 16
"""So many words stand side by side; more are merged by their beginnings, since llama.cpp follows every
alternative that fits so far (1,000 of them cost 180 ms a token with a vocabulary of 150,000)."""

MOST_LETTERS = 3000
"""Of words that are excluded: each letter that no two words share costs a rule."""

DEEPEST = 60
"""So many words may each begin with the one before."""


def any_of(words: Sequence[str], rules: Rules) -> Expression:
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


def none_of(words: Sequence[str], rules: Rules) -> Expression:
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
