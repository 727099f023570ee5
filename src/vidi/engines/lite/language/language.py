"""A language: its words, its patterns and its sentences, read from a file of `vocabulary/`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from importlib.resources import files
from typing import TypeVar

from vidi.domain.errors import Internal
from vidi.engines.lite.world import Action

LANGUAGE_IDS = ("en", "tr")
"""The files of `vocabulary/`; the first is the one for prompts in no known language."""

SEVERAL = 5
"""From so many on a caption says "several": the detector's counts are rough there."""

Name = TypeVar("Name")

Patterns = Mapping[Name, tuple[re.Pattern[str], ...]]
"""Patterns by what they stand for."""


class IntentKind(Enum):
    """What a prompt wants: the names of the languages' [intents]."""

    POINT = "point"
    DETECT = "detect"
    SAME = "same"
    COMPARE = "compare"
    READ = "read"
    HASHTAGS = "hashtags"
    TAGS = "tags"
    CREATIVE = "creative"
    COUNT = "count"
    WHERE_FIRST = "where_first"
    CHOOSE = "choose"
    ALT = "alt"
    SIZE = "size"
    WHO = "who"
    LIST_FIRST = "list_first"
    COLOUR = "colour"
    ACTIVITY = "activity"
    NEAR = "near"
    WHERE_PART = "where_part"
    DAYLIGHT = "daylight"
    SIDE = "side"
    SCENE = "scene"
    WHERE = "where"
    EXTREME = "extreme"
    EXISTS = "exists"
    STATE = "state"
    KIND = "kind"
    LIST = "list"
    DESCRIBE = "describe"
    CAPTION = "caption"
    GREETING = "greeting"
    UNKNOWN = "unknown"
    """What no pattern knows."""


class FieldRole(Enum):
    """What a field of a schema is for: the names of the languages' [fields]."""

    BOX = "box"
    POINT = "point"
    BOX_EDGE = "box_edge"
    SCORE = "score"
    INDEX = "index"
    IMAGE_NUMBER = "image_number"
    INDOORS = "indoors"
    OUTDOORS = "outdoors"
    BLURRY = "blurry"
    IMAGE_WIDTH = "image_width"
    IMAGE_HEIGHT = "image_height"
    HASHTAGS = "hashtags"
    TAGS = "tags"
    COLOUR = "colour"
    COUNT = "count"
    HAS_TEXT = "has_text"
    TEXT = "text"
    SAME = "same"
    DIFFERENCES = "differences"
    SIMILARITIES = "similarities"
    RELATION = "relation"
    OTHER_THING = "other_thing"
    CAPTION = "caption"
    DESCRIPTION = "description"
    ROOM = "room"
    SCENE = "scene"
    POSITION = "position"
    SIZE = "size"
    ACTIVITY = "activity"
    SPORT = "sport"
    THINGS = "things"
    FOREMOST = "foremost"
    BREED = "breed"
    FAMILY = "family"
    UNSEEN = "unseen"
    """What no picture tells the engine: a mood, the weather."""
    LABEL = "label"
    ANSWER = "answer"


@dataclass(frozen=True, slots=True)
class Noun:
    """A word for a thing.

    Attributes:
        one: One of it.
        many: Several of it.
        also: Other words for it.
        narrower: Words that say more than can be seen, as "woman" for a person.
    """

    one: str
    many: str
    also: tuple[str, ...] = ()
    narrower: tuple[str, ...] = ()

    @property
    def words(self) -> tuple[str, ...]:
        """Every word for it."""
        return (self.one, self.many, *self.also, *self.narrower)


@dataclass(frozen=True, slots=True)
class Article:
    """The word before one thing."""

    default: str
    vowel: str = ""
    vowels: str = ""
    exceptions: tuple[str, ...] = ()

    def before(self, noun: str) -> str:
        """The noun with its article."""
        starts = bool(self.vowel) and noun[:1].lower() in self.vowels and noun not in self.exceptions
        return f"{self.vowel if starts else self.default} {noun}"


@dataclass(frozen=True, slots=True)
class PlacePhrase:
    """A word for a cell of the picture or for a scene.

    Attributes:
        one: The bare name.
        at: What says that something is there.
        also: Other words for it.
        room: What it is called as a place with things in it.
    """

    one: str
    at: str
    also: tuple[str, ...] = ()
    room: str = ""


@dataclass(frozen=True, slots=True)
class Language:
    """One language's file, ready to use; mappings are keyed by the ids that all languages share."""

    id: str
    names: tuple[str, ...]
    letters: str
    dangling: frozenset[str]
    suffix: str
    plural_ending: re.Pattern[str]
    plurals: frozenset[str]
    plural_after_number: bool
    conjunction: str
    article: Article
    numbers: tuple[str, ...]
    ordinals: tuple[tuple[str, ...], ...]
    last: frozenset[str]
    telling: frozenset[str]
    nouns: Mapping[str, Noun]
    groups: Mapping[str, Noun]
    colours: Mapping[str, Noun]
    cells: Mapping[str, PlacePhrase]
    scenes: Mapping[str, PlacePhrase]
    intents: Patterns[IntentKind]
    style: Patterns[str]
    pronouns: Patterns[str]
    relations: Mapping[Action, str]
    phrases: Mapping[str, str]
    themes: Mapping[str, tuple[str, ...]]
    others: Mapping[str, tuple[str, ...]]
    fields: Patterns[FieldRole]
    sports: Mapping[str, str]
    sport_words: Mapping[str, str]
    surfaces: Patterns[str]
    garments: Patterns[str]
    comparisons: Mapping[str, tuple[str, ...]]
    phrase: Mapping[str, tuple[str, ...]]

    def say(self, phrase: str, **slots: str) -> str:
        """A phrase of the file with its slots filled; slots without a filling close up."""
        try:
            text = self.phrases[phrase].format(**slots)
        except KeyError as error:
            raise Internal(f"The language {self.id!r} lacks a phrase or slot: {error}.") from error
        return re.sub(r" +", " ", text).replace(" ,", ",").strip()

    def sentence(self, phrase: str, **slots: str) -> str:
        """A phrase as a sentence: with a capital letter and a full stop."""
        return self.as_sentence(self.say(phrase, **slots))

    def as_sentence(self, text: str) -> str:
        """A text with a capital letter and a full stop."""
        text = text.strip()
        if not text:
            return ""
        return self.capital(text) + ("" if text[-1] in ".!?" else ".")

    def capital(self, text: str) -> str:
        """A text with its first letter large; Turkish has an i of its own."""
        first = "İ" if self.id == "tr" and text[:1] == "i" else text[:1].upper()
        return first + text[1:]

    def noun(self, label: str) -> Noun:
        """The words for a class or a hypernym; an unknown one stands for itself."""
        return self.nouns.get(label) or self.groups.get(label) or Noun(label, f"{label}s")

    def colour(self, colour: str) -> str:
        """The word for a colour."""
        return self.colours[colour].one if colour in self.colours else colour

    def one(self, noun: str) -> str:
        """One thing: "a dog"."""
        return self.article.before(noun)

    def number(self, count: int) -> str:
        """A number in words as far as the file goes, else in digits."""
        return self.numbers[count] if count < len(self.numbers) else str(count)

    def counted(self, label: str, count: int, colour: str = "") -> str:
        """So many of a class, exactly: "a dog", "two red cars", "a person in white"."""
        noun = self.noun(label)
        word = noun.one if count == 1 or not self.plural_after_number else noun.many
        phrase = "clothed" if label == "person" else "coloured"
        if colour and count == 1 and f"{phrase}_one" in self.phrases:
            return self.say(f"{phrase}_one", colour=self.colour(colour), noun=word)
        if colour:
            word = self.say(phrase, colour=self.colour(colour), noun=word)
        return self.one(word) if count == 1 else f"{self.number(count)} {word}"

    def roughly(self, label: str, count: int, colour: str = "") -> str:
        """So many of a class as a caption says it: "several cars", "a group of people"."""
        if label == "person" and count >= SEVERAL - 1:
            return self.phrases["group_of_people"]
        if count >= SEVERAL:
            noun = self.noun(label)
            word = noun.many if self.plural_after_number else noun.one
            return self.say("several", nouns=word)
        return self.counted(label, count, colour)

    def listed(self, items: Sequence[str]) -> str:
        """Things in a row: "a dog, a cat and two birds"."""
        if len(items) < 2:
            return "".join(items)
        return ", ".join(items[:-1]) + self.conjunction + items[-1]

    def number_of(self, word: str) -> int | None:
        """The number that a word or digits say, if any."""
        if word.isdecimal():
            return int(word)
        return self.numbers.index(word) if word in self.numbers else None

    def order_of(self, word: str, count: int) -> int | None:
        """The place, from 0, of what is called so in a row of `count`: a number from 1, "first", "last"."""
        if word.isdecimal():
            return int(word) - 1 if int(word) else None
        if word in self.last:
            return count - 1
        return next((at for at, words in enumerate(self.ordinals) if word in words), None)

    def matches(self, patterns: Patterns[Name], name: Name, text: str) -> re.Match[str] | None:
        """The first match of the named patterns."""
        for pattern in patterns.get(name, ()):
            match = pattern.search(text)
            if match:
                return match
        return None


def read_languages() -> Mapping[str, Language]:
    """Every language, by id."""
    return {name: _load(name) for name in LANGUAGE_IDS}


def language_of(text: str, languages: Mapping[str, Language], usual: Language) -> Language:
    """The language with most of its telling words and letters in a text; `usual` if none has the most."""
    words = re.findall(r"[^\W\d_]+", text.lower())
    scores = {
        each.id: sum(word in each.telling for word in words) + sum(letter in each.letters for letter in text)
        for each in languages.values()
    }
    best = max(scores.values(), default=0)
    if best == 0 or scores[usual.id] == best:
        return usual
    return languages[max(scores, key=lambda name: scores[name])]


@dataclass(frozen=True, slots=True)
class PictureMention:
    """Where a text names one of several pictures.

    Attributes:
        at: The picture's number, from 0.
        start, stop: Where the words stand.
        language: The language that they are of.
    """

    at: int
    start: int
    stop: int
    language: Language


def picture_mentions(text: str, languages: Iterable[Language], count: int) -> Iterator[PictureMention]:
    """Where a text in lower case names pictures of `count` by number or order: "image 2", "the last one"."""
    for language in languages:
        for pattern in (*language.pronouns["numbered"], *language.pronouns["nth"]):
            for match in pattern.finditer(text):
                at = language.order_of(match[pattern.groupindex.get("n") or "nth"], count)
                if at is not None:
                    yield PictureMention(at, *match.span(), language)


def _load(name: str) -> Language:
    text = files("vidi.engines.lite").joinpath("vocabulary", f"{name}.toml").read_text("utf-8")
    tables = tomllib.loads(text)
    about = tables["language"]
    article = about["article"]
    return Language(
        id=about["id"],
        names=tuple(about["names"]),
        letters=about["letters"],
        dangling=frozenset(about["dangling"]),
        suffix=about["suffix"],
        plural_ending=re.compile(about["plural_ending"]),
        plurals=frozenset(about["plurals"]),
        plural_after_number=about["plural_after_number"],
        conjunction=about["conjunction"],
        article=Article(
            default=article["default"],
            vowel=article.get("vowel", ""),
            vowels=article.get("vowels", ""),
            exceptions=tuple(article.get("exceptions", ())),
        ),
        numbers=tuple(about["numbers"]),
        ordinals=tuple(tuple(words) for words in about["ordinals"]),
        last=frozenset(about["last"]),
        telling=frozenset(about["telling"]),
        nouns=_nouns(tables["nouns"]),
        groups=_nouns(tables["groups"]),
        colours=_nouns(tables["colours"]),
        cells=_places(tables["cells"]),
        scenes=_places(tables["scenes"]),
        intents={IntentKind(name): each for name, each in _patterns(tables["intents"]).items()},
        style=_patterns(tables["style"]),
        pronouns=_patterns(tables["pronouns"]),
        relations={Action(name): words for name, words in tables["relations"].items()},
        phrases=tables["say"],
        themes={name: tuple(words) for name, words in tables["themes"].items()},
        fields={FieldRole(name): each for name, each in _patterns(tables["fields"]).items()},
        sports=tables["sports"],
        sport_words=tables["sport_words"],
        surfaces=_patterns(tables["surfaces"]),
        garments=_patterns(tables.get("garments", {})),
        comparisons={name: tuple(words) for name, words in tables["comparisons"].items()},
        others={name: tuple(words) for name, words in tables["others"].items()},
        phrase={name: tuple(words) for name, words in tables["phrase"].items()},
    )


Words = Mapping[str, Mapping[str, str | list[str]]]


def _nouns(table: Words) -> dict[str, Noun]:
    return {
        label: Noun(
            one=str(words["one"]),
            many=str(words.get("many", words["one"])),
            also=tuple(words.get("also", ())),
            narrower=tuple(words.get("narrower", ())),
        )
        for label, words in table.items()
    }


def _places(table: Words) -> dict[str, PlacePhrase]:
    return {
        label: PlacePhrase(
            one=str(words["one"]),
            at=str(words["at"]),
            also=tuple(words.get("also", ())),
            room=str(words.get("room", words["one"])),
        )
        for label, words in table.items()
    }


def _patterns(table: Mapping[str, Iterable[str]]) -> dict[str, tuple[re.Pattern[str], ...]]:
    return {name: tuple(re.compile(each) for each in patterns) for name, patterns in table.items()}
