"""Which objects a sentence states, and whether they are in the picture (faithfulness)."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.scores import words

TABLE = Path(__file__).with_name("vocabulary.toml")

_NEGATIONS = frozenset({"no", "not", "without", "n't", "neither", "nor"})
_ARTICLES = frozenset({"a", "an", "any", "the", "one", "single", "ripe", "fresh"})
_COLOURS = frozenset(
    ("black", "white", "gray", "grey", "red", "yellow", "green", "blue", "brown", "pink", "purple")
)
_AFTER_A_NOUN = frozenset(
    (
        "a",
        "an",
        "and",
        "the",
        "on",
        "in",
        "at",
        "of",
        "next",
        "beside",
        "near",
        "with",
        "is",
        "to",
        "or",
        "but",
    )
)


@dataclass(frozen=True, slots=True)
class Stated:
    """An object that a sentence states.

    Attributes:
        name: The class ("dog"), or the hypernym ("animal").
        classes: The classes that make the statement true; one, unless it is a hypernym.
    """

    name: str
    classes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Faithfulness:
    """How many of the objects that answers state are there."""

    true: int
    stated: int

    @property
    def share(self) -> float:
        """True of stated, 0..1; NaN where nothing was stated."""
        return self.true / self.stated if self.stated else float("nan")

    def __add__(self, other: Faithfulness) -> Faithfulness:
        return Faithfulness(self.true + other.true, self.stated + other.stated)


Phrase = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The table of words: each phrase with what it states, None for a phrase that states nothing."""

    phrases: Mapping[Phrase, Stated | None]
    longest: int

    @classmethod
    def load(cls, path: Path = TABLE) -> Vocabulary:
        """Read a table like `vocabulary.toml`."""
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        classes: dict[str, list[str]] = table["classes"]
        hypernyms: dict[str, list[str]] = table["hypernyms"]
        phrases: dict[Phrase, Stated | None] = {}
        for name, synonyms in classes.items():
            stated = Stated(name, frozenset({name}))
            phrases.update(dict.fromkeys(_with_plurals([name, *synonyms]), stated))
        for name, members in hypernyms.items():
            phrases.update(dict.fromkeys(_with_plurals([name]), Stated(name, frozenset(members))))
        phrases.update(dict.fromkeys(_with_plurals(table["phrases"]["nothing"])))
        return cls(phrases, max(map(len, phrases)))

    def stated(self, text: str) -> tuple[Stated, ...]:
        """The different objects that a text states, in order of first mention.

        The longest phrase wins ("hot dog" is no dog). "No dog", "not a dog", "without dogs" state no
        dog. Words outside the table (mountain, lamp) are not judged. English only.
        """
        found: dict[Stated, None] = {}
        tokens = words(text)
        for start, phrase in self._mentions(tokens):
            stated = self.phrases[phrase]
            if stated and not _negated(tokens, start) and not _is_colour(tokens, start):
                found[stated] = None
        return tuple(found)

    def mentions(self, tokens: Sequence[str]) -> Iterator[tuple[int, Stated]]:
        """Where in some words an object is stated, and which."""
        for start, phrase in self._mentions(tokens):
            stated = self.phrases[phrase]
            if stated and not _negated(tokens, start):
                yield start, stated

    def class_of(self, label: str) -> str:
        """The class that a label names ("Sofas" is "couch"); the label in lower case if none."""
        stated = self.phrases.get(words(label))
        return stated.name if stated and len(stated.classes) == 1 else label.strip().lower()

    def faithfulness(self, text: str, labels: Iterable[str], captions: Iterable[str]) -> Faithfulness:
        """The share of the objects stated in a text that are in the picture.

        One minus CHAIRi (Rohrbach et al. 2018, "Object Hallucination in Image Captioning"), but each
        object counts once an answer and hypernyms count: as there, an object is in the picture if the
        annotation has a box of it or a human caption states it.
        """
        human = {stated for caption in captions for stated in self.stated(caption)}
        there = {self.class_of(label) for label in labels}
        there |= {stated.name for stated in human}
        stated = self.stated(text)
        true = sum(one.name in there or bool(one.classes & there) for one in stated)
        return Faithfulness(true, len(stated))

    def _mentions(self, tokens: Sequence[str]) -> Iterator[tuple[int, Phrase]]:
        start = 0
        while start < len(tokens):
            spans = (tuple(tokens[start : start + size]) for size in range(self.longest, 0, -1))
            phrase = next((span for span in spans if span in self.phrases), None)
            if phrase is not None:
                yield start, phrase
            start += len(phrase) if phrase else 1


def _with_plurals(phrases: Iterable[str]) -> Iterator[Phrase]:
    for phrase in phrases:
        *first, last = words(phrase)
        yield (*first, last)
        yield (*first, _plural(last))


def _plural(word: str) -> str:
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return f"{word[:-1]}ies"
    return f"{word}es" if word.endswith(("s", "x", "z", "ch", "sh")) else f"{word}s"


def _negated(tokens: Sequence[str], start: int) -> bool:
    before = [token for token in tokens[max(0, start - 2) : start] if token not in _ARTICLES]
    return bool(before) and before[-1] in _NEGATIONS


def _is_colour(tokens: Sequence[str], start: int) -> bool:
    """Whether "orange" is the colour: no article before it, or a noun or another colour after it."""
    if tokens[start] != "orange":
        return False
    after = [*tokens[start + 1 : start + 3], "", ""]
    noun_follows = after[0] not in _AFTER_A_NOUN and after[0] != ""
    colour_follows = after[0] == "and" and after[1] in _COLOURS
    return tokens[max(0, start - 1)] not in _ARTICLES or noun_follows or colour_follows
