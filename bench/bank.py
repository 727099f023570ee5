"""A question bank by template: what annotations and captions of a photograph answer for certain.

No photograph is looked at and no answer is written by hand, so that questions about photographs which
nobody may publish can be made where they lie.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.dataset import Photo, Question, Thing
from bench.phrasing import Phrasing, phrasings
from bench.scores import words
from bench.vocabulary import Vocabulary

LEAST_SHARE = 0.003
"""Part of the photograph that a thing takes for a question to be about it."""

PLACED_SHARE = 0.01
"""The same for a question about its place."""

MOST_COUNTED = 6
PRESENT, POPULAR, TOGETHER, COUNTED = 3, 2, 1, 2
"""Questions a photograph: about what is there, what is usual and absent, what goes with it and is absent."""

AGREED = 2
"""Captions that must say the same for it to be asked after."""

CAPTION_COLOURS = {"grey": "gray"} | {
    name: name
    for name in (
        *("black", "white", "gray", "red", "yellow", "green"),
        *("blue", "brown", "pink", "purple", "orange"),
    )
}
"""A caption's words for colours."""

ROOMS = frozenset({"kitchen", "bathroom", "bedroom", "living room"})


@dataclass(frozen=True, slots=True)
class _Asker:
    """Makes the questions about one photograph in one language."""

    photo: Photo
    language: str
    words: Phrasing

    def ask(
        self,
        ask: str,
        kind: str,
        accept: bool | int | str,
        *,
        reject: tuple[str, ...] = (),
        json: bool = False,
    ) -> Question:
        """A question; outside of English its kind ends with the language."""
        told = kind if self.language == "en" else f"{kind}, {self.language}"
        return Question(
            photos=(self.photo.file,),
            ask=ask,
            kind=told,
            accept=(accept,),
            reject=reject,
            json=json,
            language=self.language,
        )


def bank(photos: Sequence[Photo], language: str = "en", *, again: bool = False) -> tuple[Question, ...]:
    """Every question that the templates make, photograph by photograph: the same ones in each language.

    With `again` they are asked in other words.
    """
    vocabulary = Vocabulary.load()
    every = phrasings()
    words = every[language].reworded() if again else every[language]
    strange = every["en"].unknown
    popular = Counter(label for photo in photos for label in sorted(_labels(photo)))
    together: dict[str, Counter[str]] = {}
    for photo in photos:
        for label in sorted(_labels(photo)):
            together.setdefault(label, Counter()).update(sorted(_labels(photo)))
    return tuple(
        question
        for at, photo in enumerate(photos)
        for asker in [_Asker(photo, language, words)]
        for question in (
            *_exists(asker, popular, together, vocabulary),
            *_how_many(asker),
            *_where(asker),
            *_what(asker, vocabulary),
            *_said(asker),
            *_colours(asker, vocabulary),
            *_absent(asker, popular, vocabulary, at, strange[at % len(strange)]),
        )
    )


def _labels(photo: Photo) -> set[str]:
    return {thing.label for thing in photo.things}


def _share(thing: Thing, photo: Photo) -> float:
    left, top, right, bottom = thing.box
    return (right - left) * (bottom - top) / (photo.width * photo.height)


def _largest(photo: Photo, least: float) -> list[str]:
    """Classes with a thing of that size, the largest first."""
    shares: dict[str, float] = {}
    for thing in photo.things:
        shares[thing.label] = max(shares.get(thing.label, 0.0), _share(thing, photo))
    return [label for label in sorted(shares, key=lambda name: -shares[name]) if shares[label] >= least]


def _missing(photo: Photo, candidates: Iterable[str], vocabulary: Vocabulary) -> Iterator[str]:
    """Those candidates that neither annotation nor caption has."""
    said = {name for caption in photo.captions for one in vocabulary.stated(caption) for name in one.classes}
    return (label for label in candidates if label not in _labels(photo) | said)


def _exists(
    asker: _Asker, popular: Counter[str], together: Mapping[str, Counter[str]], vocabulary: Vocabulary
) -> Iterator[Question]:
    photo = asker.photo
    present = _largest(photo, LEAST_SHARE)
    usual = (label for label, _ in popular.most_common())
    absent = [label for label, _ in zip(_missing(photo, usual, vocabulary), range(POPULAR), strict=False)]
    near: Counter[str] = Counter()
    for label in present:
        near.update(together[label])
    kin = [label for label, _ in near.most_common() if label not in absent]
    absent += [label for label, _ in zip(_missing(photo, kin, vocabulary), range(TOGETHER), strict=False)]
    for label in present[:PRESENT]:
        yield asker.ask(asker.words.ask("exists", label), "exists", True)
    for label in absent:
        yield asker.ask(asker.words.ask("exists", label), "exists", False)


def _how_many(asker: _Asker) -> Iterator[Question]:
    photo = asker.photo
    crowds = {thing.label for thing in photo.things if thing.crowd}
    counts = Counter(thing.label for thing in photo.things)
    asked = [
        label
        for label in _largest(photo, LEAST_SHARE)
        if label not in crowds and counts[label] <= MOST_COUNTED
    ]
    for label in asked[:COUNTED]:
        yield asker.ask(asker.words.ask("how_many", label), "how many", counts[label])


def _where(asker: _Asker) -> Iterator[Question]:
    photo, words = asker.photo, asker.words
    counts = Counter(thing.label for thing in photo.things)
    for thing in photo.things:
        if counts[thing.label] == 1 and not thing.crowd and _share(thing, photo) >= PLACED_SHARE:
            left, top, right, bottom = thing.box
            column = min(2, int((left + right) / 2 * 3 / photo.width))
            row = min(2, int((top + bottom) / 2 * 3 / photo.height))
            sides, rows = words.where.columns, words.where.rows
            right_word = sides[column] if column != 1 or row == 1 else rows[row]
            wrong = tuple(rf"\b(?:{sides[at]})\b" for at in (0, 2) if at != column)
            yield asker.ask(words.ask("where", thing.label), "where", rf"\b(?:{right_word})\b", reject=wrong)


def _what(asker: _Asker, vocabulary: Vocabulary) -> Iterator[Question]:
    large = _largest(asker.photo, PLACED_SHARE)
    for group in ("animal", "vehicle", "food"):
        stated = vocabulary.phrases[(group,)]
        there = [label for label in large if stated and label in stated.classes]
        if there:
            names = "|".join(asker.words.names(label) for label in there)
            yield asker.ask(asker.words.asks[group], "what", rf"\b(?:{names})")


def _said(asker: _Asker) -> Iterator[Question]:
    """The place, and what people or animals do, where captions agree."""
    photo, asked = asker.photo, asker.words
    tokens = [f" {' '.join(words(caption))} " for caption in photo.captions]
    places = Counter(name for name in asked.places for text in tokens if f" {name} " in text)
    for name, times in places.most_common(1):
        if times >= AGREED:
            ask = asked.asks["room" if name in ROOMS else "taken"]
            yield asker.ask(ask, "room", rf"\b(?:{asked.places[name]})")
    verbs = Counter(name for name in asked.doing for text in tokens if f" {name} " in text)
    agreed = [name for name, times in verbs.items() if times >= AGREED]
    people = sum(thing.label == "person" for thing in photo.things)
    if agreed and people:
        accepted = "|".join(asked.doing[name] for name in agreed)
        ask = asked.asks["person_doing" if people == 1 else "people_doing"]
        yield asker.ask(ask, "doing", rf"\b(?:{accepted})")


def _colours(asker: _Asker, vocabulary: Vocabulary) -> Iterator[Question]:
    """The colours that captions give a class: that two agree on, or one where there is one such thing."""
    photo, asked = asker.photo, asker.words
    told: dict[str, Counter[str]] = {}
    for caption in photo.captions:
        tokens = words(caption)
        for start, stated in vocabulary.mentions(tokens):
            if len(stated.classes) == 1:
                told.setdefault(stated.name, Counter()).update(_colours_before(tokens, start))
    counts = Counter(thing.label for thing in photo.things)
    for label, colours in told.items():
        sure = max(colours.values(), default=0) >= AGREED or (colours and counts[label] == 1)
        if label != "person" and label in counts and sure:
            accepted = "|".join(asked.colours[name] for name in colours)
            yield asker.ask(asked.ask("colour", label), "colour", rf"\b(?:{accepted})\b")


def _colours_before(tokens: Sequence[str], start: int) -> set[str]:
    """The colours right before a word: two of "a black and white cat"."""
    found: set[str] = set()
    for word in reversed(tokens[:start]):
        if word in CAPTION_COLOURS:
            found.add(CAPTION_COLOURS[word])
        elif word != "and" or not found:
            break
    return found


def _absent(
    asker: _Asker, popular: Counter[str], vocabulary: Vocabulary, at: int, strange: str
) -> Iterator[Question]:
    """Boxes of what is not there: two classes that are in other photographs, and one that no class is."""
    photo = asker.photo
    labels = sorted(popular)
    turned = [*labels[at % len(labels) :], *labels[: at % len(labels)]]
    names = [label for label, _ in zip(_missing(photo, turned, vocabulary), range(2), strict=False)]
    text = " ".join(photo.captions).lower()
    none = r"^\s*\[\s*\]\s*$"
    for name in names:
        yield asker.ask(asker.words.ask("detect", name), "absent", none, json=True)
    if strange[:-1] not in text:
        yield asker.ask(asker.words.detect_unknown(at), "absent, no class", none, json=True)
