"""A question bank by template: what annotations and captions of a photograph answer for certain.

No photograph is looked at and no answer is written by hand, so that questions about photographs which
nobody may publish can be made where they lie.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from bench.dataset import Photo, Question, Thing
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

COLOURS = {"gray": "gr[ae]y", "grey": "gr[ae]y"} | {
    name: name
    for name in ("black", "white", "red", "yellow", "green", "blue", "brown", "pink", "purple", "orange")
}
PLACES: Mapping[str, tuple[str, str]] = {
    "kitchen": ("What room is this?", "kitchen"),
    "bathroom": ("What room is this?", "bathroom|restroom"),
    "bedroom": ("What room is this?", "bedroom"),
    "living room": ("What room is this?", "living room"),
    "street": ("Where was this photo taken?", "street|road|city"),
    "road": ("Where was this photo taken?", "street|road|city"),
    "beach": ("Where was this photo taken?", "beach|sea|coast|water"),
    "snow": ("Where was this photo taken?", "snow|mountain|ski"),
    "field": ("Where was this photo taken?", "field|grass|meadow"),
    "court": ("Where was this photo taken?", "court"),
    "ocean": ("Where was this photo taken?", "ocean|sea|water|beach|wave"),
    "airport": ("Where was this photo taken?", "airport|runway"),
}
DOING: Mapping[str, str] = {
    "riding": "riding|skateboarding|surfing|skiing|snowboarding",
    "holding": "holding|carrying|using|playing",
    "sitting": "sitting|riding|at a|on a",
    "standing": "standing|on a|holding",
    "eating": "eating|at a table|food",
    "playing": "playing|holding|tennis|baseball|frisbee",
    "skiing": "skiing|ski",
    "surfing": "surf|wave",
    "flying": "flying",
    "walking": "walking",
    "grazing": "grazing|eating|field|grass",
    "laying": "lying|laying|sleeping|on a",
    "lying": "lying|laying|sleeping|on a",
}
UNKNOWN = ("unicorns", "dinosaurs", "submarines", "wheels", "lighthouses", "penguins", "drums", "windmills")
"""Things that the annotations never hold: asked after where no caption names them."""


def bank(photos: Sequence[Photo]) -> tuple[Question, ...]:
    """Every question that the templates make, photograph by photograph."""
    vocabulary = Vocabulary.load()
    popular = Counter(label for photo in photos for label in _labels(photo))
    together: dict[str, Counter[str]] = {}
    for photo in photos:
        for label in _labels(photo):
            together.setdefault(label, Counter()).update(_labels(photo))
    return tuple(
        question
        for at, photo in enumerate(photos)
        for question in (
            *_exists(photo, popular, together, vocabulary),
            *_how_many(photo),
            *_where(photo),
            *_what(photo, vocabulary),
            *_said(photo),
            *_colours(photo, vocabulary),
            *_absent(photo, popular, vocabulary, at),
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
    photo: Photo, popular: Counter[str], together: Mapping[str, Counter[str]], vocabulary: Vocabulary
) -> Iterator[Question]:
    present = _largest(photo, LEAST_SHARE)
    usual = (label for label, _ in popular.most_common())
    absent = [label for label, _ in zip(_missing(photo, usual, vocabulary), range(POPULAR), strict=False)]
    near: Counter[str] = Counter()
    for label in present:
        near.update(together[label])
    kin = [label for label, _ in near.most_common() if label not in absent]
    absent += [label for label, _ in zip(_missing(photo, kin, vocabulary), range(TOGETHER), strict=False)]
    for label in present[:PRESENT]:
        yield _ask(photo, f"Is there {_one(label)} in this picture?", "exists", True)
    for label in absent:
        yield _ask(photo, f"Is there {_one(label)} in this picture?", "exists", False)


def _how_many(photo: Photo) -> Iterator[Question]:
    crowds = {thing.label for thing in photo.things if thing.crowd}
    counts = Counter(thing.label for thing in photo.things)
    asked = [
        label
        for label in _largest(photo, LEAST_SHARE)
        if label not in crowds and counts[label] <= MOST_COUNTED
    ]
    for label in asked[:COUNTED]:
        yield _ask(photo, f"How many {_many(label)} are there?", "how many", counts[label])


def _where(photo: Photo) -> Iterator[Question]:
    counts = Counter(thing.label for thing in photo.things)
    for thing in photo.things:
        if counts[thing.label] == 1 and not thing.crowd and _share(thing, photo) >= PLACED_SHARE:
            left, top, right, bottom = thing.box
            column = min(2, int((left + right) / 2 * 3 / photo.width))
            row = min(2, int((top + bottom) / 2 * 3 / photo.height))
            sides, rows = ("left", "middle|cent(?:er|re)", "right"), ("top|upper", "", "bottom|lower")
            right_word = sides[column] if column != 1 or row == 1 else rows[row]
            wrong = tuple(
                rf"\b{side}\b" for at, side in enumerate(("left", "", "right")) if side and at != column
            )
            yield _ask(photo, f"Where is the {thing.label}?", "where", rf"\b(?:{right_word})\b", reject=wrong)


def _what(photo: Photo, vocabulary: Vocabulary) -> Iterator[Question]:
    large = _largest(photo, PLACED_SHARE)
    for group in ("animal", "vehicle", "food"):
        stated = vocabulary.phrases[(group,)]
        there = [label for label in large if stated and label in stated.classes]
        if there:
            names = "|".join(re.escape(label) for label in there)
            names = names.replace("airplane", "airplane|plane").replace("motorcycle", "motorcycle|motorbike")
            yield _ask(photo, f"What {group} is in this picture?", "what", rf"\b(?:{names})")


def _said(photo: Photo) -> Iterator[Question]:
    """The place, and what people or animals do, where captions agree."""
    tokens = [f" {' '.join(words(caption))} " for caption in photo.captions]
    places = Counter(name for name in PLACES for text in tokens if f" {name} " in text)
    for name, times in places.most_common(1):
        if times >= AGREED:
            yield _ask(photo, PLACES[name][0], "room", rf"\b(?:{PLACES[name][1]})")
    verbs = Counter(name for name in DOING for text in tokens if f" {name} " in text)
    agreed = [name for name, times in verbs.items() if times >= AGREED]
    people = sum(thing.label == "person" for thing in photo.things)
    if agreed and people:
        who = "person" if people == 1 else "people"
        verb = "is" if people == 1 else "are"
        accepted = "|".join(DOING[name] for name in agreed)
        yield _ask(photo, f"What {verb} the {who} doing?", "doing", rf"\b(?:{accepted})")


def _colours(photo: Photo, vocabulary: Vocabulary) -> Iterator[Question]:
    """The colours that captions give a class: that two agree on, or one where there is one such thing."""
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
            accepted = "|".join(colours)
            yield _ask(photo, f"What color is the {label}?", "colour", rf"\b(?:{accepted})\b")


def _colours_before(tokens: Sequence[str], start: int) -> set[str]:
    """The colours right before a word: two of "a black and white cat"."""
    found: set[str] = set()
    for word in reversed(tokens[:start]):
        if word in COLOURS:
            found.add(COLOURS[word])
        elif word != "and" or not found:
            break
    return found


def _absent(photo: Photo, popular: Counter[str], vocabulary: Vocabulary, at: int) -> Iterator[Question]:
    """Boxes of what is not there: two classes that are in other photographs, and one that no class is."""
    labels = sorted(popular)
    turned = [*labels[at % len(labels) :], *labels[: at % len(labels)]]
    names = [label for label, _ in zip(_missing(photo, turned, vocabulary), range(2), strict=False)]
    text = " ".join(photo.captions).lower()
    unknown = UNKNOWN[at % len(UNKNOWN)]
    for name in [*map(_many, names), *([] if unknown[:-1] in text else [unknown])]:
        kind = "absent, no class" if name == unknown else "absent"
        yield _ask(photo, f"Detect the {name}.", kind, r"^\s*\[\s*\]\s*$", json=True)


def _ask(
    photo: Photo,
    ask: str,
    kind: str,
    accept: bool | int | str,
    *,
    reject: tuple[str, ...] = (),
    json: bool = False,
) -> Question:
    return Question(photos=(photo.file,), ask=ask, kind=kind, accept=(accept,), reject=reject, json=json)


def _one(label: str) -> str:
    if label in {"skis", "scissors", "broccoli"}:
        return label
    return f"{'an' if label[0] in 'aeiou' else 'a'} {label}"


def _many(label: str) -> str:
    irregular = {"person": "people", "mouse": "computer mice", "knife": "knives", "sheep": "sheep"}
    irregular |= {label: label for label in ("skis", "scissors", "broccoli")}
    ending = "es" if label.endswith(("s", "x", "ch", "sh")) else "s"
    return irregular.get(label, f"{label}{ending}")
