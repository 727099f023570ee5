"""A language: its words, its patterns and its sentences, read from a file of `vocabulary/`."""

from __future__ import annotations

import json
import re
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from importlib.resources import files
from typing import TypeVar

from vidi.domain.errors import Internal
from vidi.engines.lite.world import Action

LANGUAGE_IDS = ("en", "tr", "es")
"""The files of `vocabulary/`; the first is the one for prompts in no known language."""

SEVERAL = 5
"""From so many on a caption says "several": the detector's counts are rough there."""

Name = TypeVar("Name")


class Patterns(Mapping[Name, tuple[re.Pattern[str], ...]]):
    """Patterns by what they stand for, each compiled when it is first asked for: a prompt needs a fifth."""

    def __init__(self, sources: Mapping[Name, Sequence[str]]) -> None:
        """Take the patterns as they are written."""
        self._sources = sources
        self._compiled: dict[Name, tuple[re.Pattern[str], ...]] = {}

    def __getitem__(self, name: Name) -> tuple[re.Pattern[str], ...]:
        if name not in self._compiled:
            self._compiled[name] = tuple(map(re.compile, self._sources[name]))
        return self._compiled[name]

    def __iter__(self) -> Iterator[Name]:
        return iter(self._sources)

    def __len__(self) -> int:
        return len(self._sources)

    @cached_property
    def any(self) -> re.Pattern[str]:
        """One pattern for all: most names of fields match none of hundreds, and it tells so in one call."""
        every = "|".join(each for patterns in self._sources.values() for each in patterns)
        return re.compile(re.sub(r"\(\?P<\w+>", "(?:", every))


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
    DISH = "dish"
    UNSEEN = "unseen"  # What no picture tells the engine: a mood, the weather.
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
        gender: The gender of the word, in languages that have several; "" for the usual one.
        forms: Other forms of it, as an adjective's, by gender and number: "f", "f_many".
    """

    one: str
    many: str
    also: tuple[str, ...] = ()
    narrower: tuple[str, ...] = ()
    gender: str = ""
    forms: Mapping[str, str] = field(default_factory=dict)

    @property
    def words(self) -> tuple[str, ...]:
        """Every word for it."""
        return (self.one, self.many, *self.also, *self.narrower, *self.forms.values())


@dataclass(frozen=True, slots=True)
class Article:
    """The word before one thing, by the gender of what it is called or by its first letter."""

    default: str
    vowel: str = ""
    vowels: str = ""
    exceptions: tuple[str, ...] = ()
    by_gender: Mapping[str, str] = field(default_factory=dict)

    def before(self, noun: str, gender: str = "") -> str:
        """The noun with its article."""
        if gender in self.by_gender:
            return f"{self.by_gender[gender]} {noun}"
        starts = bool(self.vowel) and noun[:1].lower() in self.vowels and noun not in self.exceptions
        return f"{self.vowel if starts else self.default} {noun}"


@dataclass(frozen=True)
class PlacePhrase:
    """A word for a cell of the picture or for a scene.

    Attributes:
        one: The bare name.
        at: What says that something is there.
        also: Other words for it.
        room: What it is called as a place with things in it.
        gender: As a noun's.
    """

    one: str
    at: str
    also: tuple[str, ...] = ()
    room: str = ""
    gender: str = ""

    @cached_property
    def words(self) -> tuple[str, ...]:
        """Every word for it, without the marks on its letters."""
        return tuple(map(folded, (self.one, *self.also)))


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
    contractions: Mapping[str, str]
    capitals: Mapping[str, str]
    article: Article
    names_kinds: bool
    """Whether the classifier's names, which are English, are words of this language."""
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
    agreements: Mapping[str, str]
    """What words must agree with, by gender and number: "f", "many", "f_many"; "" is not written."""

    def say(self, phrase: str, **slots: str) -> str:
        """A phrase of the file with its slots filled; slots without a filling close up.

        Of a phrase with forms for gender and number, the one that `noun` or `nouns` wants is said.
        """
        try:
            text = self.phrases[self._form_of(phrase, slots)].format(**slots)
        except KeyError as error:
            raise Internal(f"The language {self.id!r} lacks a phrase or slot: {error}.") from error
        text = re.sub(r" +", " ", text).replace(" ,", ",").strip()
        for apart, together in self.contractions.items():
            text = text.replace(apart, together)
        return text

    def _form_of(self, phrase: str, slots: Mapping[str, str]) -> str:
        if not self.agreements:
            return phrase
        nouns = (slots[name] for name in ("noun", "nouns") if f"{{{name}}}" in self.phrases[phrase])
        form = f"{phrase}_{self.agreement(next(nouns, slots.get('noun', '')))}"
        return form if form in self.phrases else phrase

    def agreement(self, words: str) -> str:
        """The gender and number of what a thing is called; "" for the usual ones."""
        parts = words.split()
        cuts = range(len(parts), 0, -1)
        candidates = [" ".join(parts[:cut]) for cut in cuts] + [" ".join(parts[-cut:]) for cut in cuts]
        return next((self.agreements[each] for each in candidates if each in self.agreements), "")

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
        """A text with its first letter large, by the language's own rules."""
        return self.capitals.get(text[:1], text[:1].upper()) + text[1:]

    def noun(self, label: str) -> Noun:
        """The words for a class or a hypernym; an unknown one stands for itself."""
        return self.nouns.get(label) or self.groups.get(label) or Noun(label, f"{label}s")

    def colour(self, colour: str, noun: str = "") -> str:
        """The word for a colour, in the form that a noun wants."""
        word = self.colours.get(colour)
        if word is None:
            return colour
        agreement = self.agreement(noun) if noun else ""
        return word.many if agreement == "many" else word.forms.get(agreement, word.one)

    def one(self, noun: str) -> str:
        """One thing: "a dog"."""
        return self.article.before(noun, self.agreement(noun))

    def number(self, count: int) -> str:
        """A number in words as far as the file goes, else in digits."""
        return self.numbers[count] if count < len(self.numbers) else str(count)

    def counted(self, label: str, count: int, colour: str = "") -> str:
        """So many of a class, exactly: "a dog", "two red cars", "a person in white"."""
        noun = self.noun(label)
        word = noun.one if count == 1 or not self.plural_after_number else noun.many
        phrase = "clothed" if label == "person" else "coloured"
        told = self.colour(colour, "" if label == "person" else word)
        if colour and count == 1 and f"{phrase}_one" in self.phrases:
            return self.say(f"{phrase}_one", colour=told, noun=word)
        if colour:
            word = self.say(phrase, colour=told, noun=word)
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
        known = [folded(each) for each in self.numbers]
        return known.index(folded(word)) if folded(word) in known else None

    def order_of(self, word: str, count: int) -> int | None:
        """The place, from 0, of what is called so in a row of `count`: a number from 1, "first", "last"."""
        if word.isdecimal():
            return int(word) - 1 if int(word) else None
        if word in self.last:
            return count - 1
        return next((at for at, words in enumerate(self.ordinals) if word in words), None)

    def matches(self, patterns: Patterns[Name], name: Name, text: str) -> re.Match[str] | None:
        """The first match of the named patterns."""
        return next(filter(None, (pattern.search(text) for pattern in patterns.get(name, ()))), None)


def folded(text: str) -> str:
    """A text without the marks on its letters, as many type it: "kopegi" for "köpeği"; as long as before."""
    return text.translate(_PLAIN_LETTERS)


_PLAIN_LETTERS = {
    code: unicodedata.normalize("NFD", chr(code))[0]
    for code in range(0xC0, 0x250)
    if unicodedata.decomposition(chr(code))
} | {ord("ı"): "i"}


LONGEST_READ = 1000
"""Characters of a prompt that are read, from its beginning and from its end. Some patterns take time that is
quadratic in it, in which no other thread runs: 30 ms here."""


def lowered(text: str, longest: int = LONGEST_READ) -> str:
    """A text in lower case, without blank ends, with plain quotation marks; `longest` of each end of it."""
    return re.sub(r"[ \t]+", " ", both_ends(text, longest).translate(_PLAIN_MARKS)).lower().strip()


_PLAIN_MARKS = str.maketrans("İ’‘“”", "i''\"\"")


def both_ends(text: str, longest: int) -> str:
    """A text, or the beginning and the end of a longer one."""
    return text if len(text) <= 2 * longest else f"{text[:longest]}\n{text[-longest:]}"


def read_languages() -> Mapping[str, Language]:
    """Every language, by id."""
    return {name: _load(name) for name in LANGUAGE_IDS}


def language_of(text: str, languages: Mapping[str, Language], usual: Language) -> Language:
    """The language with most of its telling words and letters in a text; `usual` if none has the most."""
    words = re.findall(r"[^\W\d_]+", folded(text.lower()))
    scores = {
        each.id: sum(word in each.telling for word in words) + sum(letter in each.letters for letter in text)
        for each in languages.values()
    }
    best = max(scores.values(), default=0)
    if best == 0 or scores[usual.id] == best:
        return usual
    return languages[max(scores, key=lambda name: scores[name])]


def _load(name: str) -> Language:
    tables = tomllib.loads((files("vidi.engines.lite") / "vocabulary" / f"{name}.toml").read_text("utf-8"))
    # What is matched with prompts is read without the marks on letters; what is said keeps them.
    matched = json.loads(folded(json.dumps(tables, ensure_ascii=False)))
    about, read = tables["language"], matched["language"]
    article = about["article"]
    return Language(
        id=about["id"],
        names=tuple(read["names"]),
        letters=about["letters"],
        dangling=frozenset(about["dangling"]),
        suffix=read["suffix"],
        plural_ending=re.compile(read["plural_ending"]),
        plurals=frozenset(read["plurals"]),
        plural_after_number=about["plural_after_number"],
        conjunction=about["conjunction"],
        article=Article(
            default=article["default"],
            vowel=article.get("vowel", ""),
            vowels=article.get("vowels", ""),
            exceptions=tuple(article.get("exceptions", ())),
            by_gender=article.get("by_gender", {}),
        ),
        contractions=about.get("contractions", {}),
        capitals=about.get("capitals", {}),
        names_kinds=about["names_kinds"],
        numbers=tuple(about["numbers"]),
        ordinals=tuple(tuple(words) for words in read["ordinals"]),
        last=frozenset(read["last"]),
        telling=frozenset(read["telling"]),
        nouns=_nouns(tables["nouns"]),
        groups=_nouns(tables["groups"]),
        colours=_nouns(tables["colours"]),
        cells=_places(tables["cells"]),
        scenes=_places(tables["scenes"]),
        intents=Patterns({IntentKind(name): each for name, each in matched["intents"].items()}),
        style=Patterns(matched["style"]),
        pronouns=Patterns(matched["pronouns"]),
        relations={Action(name): words for name, words in tables["relations"].items()},
        phrases=tables["say"],
        themes={name: tuple(words) for name, words in matched["themes"].items()},
        fields=Patterns({FieldRole(name): each for name, each in matched["fields"].items()}),
        sports=tables["sports"],
        sport_words=dict(zip(matched["sport_words"], tables["sport_words"].values(), strict=True)),
        surfaces=Patterns(matched["surfaces"]),
        garments=Patterns(matched["garments"]),
        comparisons={name: tuple(words) for name, words in matched["comparisons"].items()},
        others={name: tuple(words) for name, words in matched["others"].items()},
        phrase={name: tuple(words) for name, words in matched["phrase"].items()},
        agreements=_agreements(tables),
    )


def _agreements(tables: Mapping[str, Words]) -> dict[str, str]:
    """The gender and number of every word for a thing or a place, in languages that have genders."""
    named = [*tables["nouns"].values(), *tables["groups"].values(), *tables["scenes"].values()]
    if not any("gender" in words for words in named):
        return {}
    found: dict[str, str] = {}
    for words in named:
        gender = str(words.get("gender", ""))
        found.setdefault(str(words["one"]), gender)
        found.setdefault(str(words.get("many", words["one"])), f"{gender}_many".strip("_"))
        found.setdefault(str(words.get("room", words["one"])), gender)
    return found


Words = Mapping[str, Mapping[str, str | list[str]]]


def _nouns(table: Words) -> dict[str, Noun]:
    return {
        label: Noun(
            one=str(words["one"]),
            many=str(words.get("many", words["one"])),
            also=tuple(words.get("also", ())),
            narrower=tuple(words.get("narrower", ())),
            gender=str(words.get("gender", "")),
            forms={name: str(words[name]) for name in ("f", "f_many") if name in words},
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
            gender=str(words.get("gender", "")),
        )
        for label, words in table.items()
    }
