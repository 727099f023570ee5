"""Which things a text speaks of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from vidi.engines.lite.evidence import Thing
from vidi.engines.lite.labels import IMAGENET_CLASSES
from vidi.engines.lite.language import Language
from vidi.engines.lite.world import World


@dataclass(frozen=True, slots=True)
class Mention:
    """A thing that a text names.

    Attributes:
        name: Detector class, hypernym or classifier class that was named.
        word: The word that the text used.
        labels: Detector classes that are meant; empty if the detector knows none.
        kinds: Classifier classes that are meant.
        narrow: Whether the word says more than can be seen, as "woman" for a person.
        colour: The colour named with it, or "".
        start: Where it stands in the text.
        anchor: Whether it only says where: "on the table".
        single: Whether one thing is spoken of: "the dog".
    """

    name: str
    word: str
    labels: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()
    narrow: bool = False
    colour: str = ""
    start: int = 0
    anchor: bool = False
    single: bool = False

    @property
    def group(self) -> bool:
        """Whether several classes are meant."""
        return len(self.labels) > 1

    def means(self, thing: Thing) -> bool:
        """Whether a thing is of the kind and colour that is meant."""
        return self.names(thing) != "" and self.colour in ("", thing.colour)

    def names(self, thing: Thing) -> str:
        """The class by which a thing is meant: its own, or one that it may be as well; "" if it is not."""
        if thing.label in self.labels:
            return thing.label
        return min(thing.also & self.labels, default="")


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Every word of a language for things, in one pattern."""

    language: Language
    pattern: re.Pattern[str]
    meanings: dict[str, Mention]
    colours: dict[str, str]

    def mentions(self, text: str) -> tuple[Mention, ...]:
        """The things that a text names, in its order, longest words first where they overlap."""
        lowered = text.lower()
        return tuple(self._found(lowered))

    def colour_in(self, text: str) -> str:
        """The first colour that a text names, or ""."""
        words = re.findall(r"[^\W\d_]+", text.lower())
        return next((self.colours[word] for word in words if word in self.colours), "")

    def _found(self, text: str) -> Iterator[Mention]:
        matches = list(self.pattern.finditer(text))
        for match, following in zip(matches, [*matches[1:], None], strict=False):
            word = match["word"]
            adjective = following is not None and following.start() <= match.end() + 1
            if word in self.colours and adjective:
                continue
            meaning = self.meanings[word]
            if not self._is_thing(meaning, text, match):
                continue
            yield Mention(
                name=meaning.name,
                word=match[0],
                labels=meaning.labels,
                kinds=meaning.kinds,
                narrow=meaning.narrow,
                colour=self._colour_of(text, match),
                start=match.start(),
                anchor=self._is_anchor(text, match.start()),
                single=self._is_single(meaning, word, match[0][len(word) :]),
            )

    def _is_thing(self, meaning: Mention, text: str, match: re.Match[str]) -> bool:
        """Whether a word is a noun here: the classifier's "safe", "switch" or "ram" may be none."""
        language = self.language
        if meaning.labels or len(match["word"].split()) > 1:
            return True
        return language.matches(language.pronouns, "determined", text[: match.start()]) is not None

    def _colour_of(self, text: str, match: re.Match[str]) -> str:
        """The colour that is named before a noun, or of the clothes that are named after it."""
        before = re.search(r"([^\W\d_]+)\W*$", text[: match.start()])
        if before and before[1] in self.colours:
            return self.colours[before[1]]
        after = self.language.matches(self.language.pronouns, "dressed", text[match.end() :])
        return self.colours.get(after["colour"], "") if after else ""

    def _is_anchor(self, text: str, start: int) -> bool:
        """Whether the word there only says where: by what stands before it, or by its ending."""
        language = self.language
        before = language.matches(language.pronouns, "anchor", text[:start])
        return bool(before or language.matches(language.pronouns, "anchor_after", text[start : start + 40]))

    def _is_single(self, meaning: Mention, word: str, ending: str) -> bool:
        """Whether a word, with what follows it, stands for one thing."""
        language = self.language
        noun = language.nouns.get(meaning.name)
        plural = noun is not None and word == noun.many.lower()
        several = plural or word in language.plurals or language.plural_ending.match(ending)
        return not meaning.group and not several


def build_lexicon(language: Language, world: World) -> Lexicon:
    """Gather a language's words for the detector's classes, the hypernyms and the classifier's classes."""
    meanings: dict[str, Mention] = {}
    for name in IMAGENET_CLASSES:
        family = world.family.get(name)
        labels = frozenset({family} if family else ())
        meanings[name.lower()] = Mention(name, name.lower(), labels, frozenset({name}))
    for group, noun in language.groups.items():
        for word in noun.words:
            meanings[word.lower()] = Mention(group, word.lower(), world.groups[group])
    for label, noun in language.nouns.items():
        kinds = frozenset(kind for kind, family in world.family.items() if family == label)
        for word in noun.words:
            narrow = word in noun.narrower
            meanings[word.lower()] = Mention(label, word.lower(), frozenset({label}), kinds, narrow)
    words = sorted(meanings, key=len, reverse=True)
    pattern = re.compile(rf"\b(?P<word>{'|'.join(map(re.escape, words))}){language.suffix}\b")
    colours = {word: name for name, noun in language.colours.items() for word in noun.words}
    return Lexicon(language, pattern, meanings, colours)
