"""Figures on photographs that a choice was not made on: folds, spreads, curves, boxes by threshold."""

from __future__ import annotations

import dataclasses
import math
import random
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.asking import Ask, Reply
from bench.dataset import Photo, Question, Thing
from bench.scores import cider_d_of_each
from bench.vocabulary import Faithfulness, Vocabulary
from vidi.engines.lite.evidence import Thresholds

SEED = 2026
FOLDS = 5
FAITHFUL = 0.91
"""Least faithfulness where a value is chosen, a little more than the .90 that is wanted elsewhere.

Of the values that reach it the one with the best CIDEr-D is chosen.
"""

CURVES: Mapping[str, tuple[float, ...]] = {
    "place_sure": (0.3, 0.4, 0.5, 0.6, 0.7),
    "place_likely": (0.1, 0.15, 0.25, 0.35, 0.45),
    "telling": (0.25, 0.3, 0.35, 0.4, 0.5),
    "told": (0.2, 0.25, 0.3, 0.35, 0.4),
    "others": (0.3, 0.33, 0.36, 0.39, 0.42, 0.45),
    "agreed": (0.2, 0.4, 0.6, 0.8),
    "counted": (0.4, 0.5, 0.6),
    "leading": (0.3, 0.4, 0.5, 0.6),
    "notable": (0.36, 0.42, 0.5, 0.6),
    "alive": (1.0, 2.0, 3.0, 5.0),
    "minor": (0.1, 0.2, 0.3, 0.5, 0.7),
}
"""The values that are tried of each constant that captions hang on."""

QUESTION_CURVES: Mapping[str, tuple[tuple[str, ...], tuple[float, ...]]] = {
    "there": (("exists",), (0.2, 0.22, 0.24, 0.26, 0.28, 0.3)),
    "kind_there": (("exists",), (0.05, 0.15, 0.3, 0.6)),
    "numbered": (("how many",), (0.2, 0.25, 0.3, 0.35)),
    "supposed": (("where", "colour", "what"), (0.15, 0.2, 0.25, 0.3)),
    "touched": (("doing",), (0.15, 0.2, 0.25, 0.3)),
    "taken": (("exists", "what"), (0.25, 0.35, 0.5)),
    "place_likely": (("room",), (0.1, 0.15, 0.25, 0.35)),
}
"""Of each constant that answers hang on: the kinds of questions, and the values that are tried."""

LARGE = 0.01
"""Part of the photograph from which a thing is large enough to be missed."""

THRESHOLDS = (0.2, 0.25, 0.3, 0.35, 0.4, 0.5)


def folds(photos: Sequence[Photo], count: int = FOLDS) -> tuple[tuple[Photo, ...], ...]:
    """The photographs in so many parts of like size, always the same."""
    shuffled = sorted(photos, key=lambda photo: photo.file)
    random.Random(SEED).shuffle(shuffled)
    return tuple(tuple(shuffled[at::count]) for at in range(count))


def spread(values: Iterable[float]) -> float:
    """The standard deviation over folds, of those that have a value; NaN of less than two."""
    known = [value for value in values if not math.isnan(value)]
    return statistics.stdev(known) if len(known) > 1 else math.nan


@dataclass(frozen=True, slots=True)
class Captioned:
    """The captions of some photographs, judged: CIDEr-D times 100, and what they state that is there."""

    cider_d: float
    faithful: Faithfulness


Marks = Mapping[str, tuple[float, Faithfulness]]
"""By a photograph's file: CIDEr-D of its caption, NaN where nobody captioned it, and what it states."""


def marked(texts: Mapping[str, str], photos: Sequence[Photo], vocabulary: Vocabulary) -> Marks:
    """Judge the caption of each photograph, words weighed by their rarity in those of all."""
    captioned = [photo for photo in photos if photo.captions]
    scores = cider_d_of_each(
        [texts[photo.file] for photo in captioned], [photo.captions for photo in captioned]
    )
    by_file = {photo.file: score for photo, score in zip(captioned, scores, strict=True)}
    return {
        photo.file: (
            by_file.get(photo.file, math.nan),
            vocabulary.faithfulness(
                texts[photo.file], [thing.label for thing in photo.things], photo.captions
            ),
        )
        for photo in photos
    }


def judged_together(photos: Iterable[Photo], marks: Marks) -> Captioned:
    """The captions of some photographs as one figure; CIDEr-D is 0 where none is captioned."""
    own = [marks[photo.file] for photo in photos]
    scores = [score for score, _ in own if not math.isnan(score)]
    faithful = sum((each for _, each in own), Faithfulness(0, 0))
    return Captioned(100 * statistics.fmean(scores) if scores else 0.0, faithful)


Asks = Callable[[Thresholds], Callable[[Ask], Reply]]


def captions(photos: Sequence[Photo], prompt: str, ask: Callable[[Ask], Reply]) -> dict[str, str]:
    """What is said to one prompt about each photograph, by its file."""
    return {photo.file: ask(Ask("caption", (photo.file,), prompt)).text for photo in photos}


@dataclass(frozen=True, slots=True)
class Curve:
    """What captions are worth by the value of one constant.

    Attributes:
        name: The constant.
        points: By value, over all photographs.
        crossed: With the value that won on the other folds, for each fold.
        now: The constant's value.
    """

    name: str
    points: Mapping[float, Captioned]
    crossed: tuple[Captioned, ...]
    now: float


def curves(photos: Sequence[Photo], prompt: str, asks: Asks, now: Thresholds) -> Iterator[Curve]:
    """The curve of each constant that captions hang on, the others left as they are."""
    vocabulary = Vocabulary.load()
    parts = folds(photos)
    for name, values in CURVES.items():
        own = float(getattr(now, name))
        marks = {
            value: marked(
                captions(photos, prompt, asks(dataclasses.replace(now, **{name: value}))), photos, vocabulary
            )
            for value in sorted({own, *values})
        }
        crossed = []
        for part in parts:
            rest = [photo for photo in photos if photo not in part]
            best = best_of({value: judged_together(rest, each) for value, each in marks.items()})
            crossed.append(judged_together(part, marks[best]))
        points = {value: judged_together(photos, each) for value, each in marks.items()}
        yield Curve(name, points, tuple(crossed), own)


ROUNDS = 2


def chosen_together(
    photos: Sequence[Photo], prompt: str, asks: Asks, now: Thresholds
) -> tuple[Captioned, ...]:
    """The captions of each fold with all constants chosen on the other four: two rounds, one after the other.

    They start in the middle of their values, so that nothing that was chosen on all photographs is inherited.
    """
    vocabulary = Vocabulary.load()
    marks: dict[Thresholds, Marks] = {}

    def judged(some: Sequence[Photo], own: Thresholds) -> Captioned:
        if own not in marks:
            marks[own] = marked(captions(photos, prompt, asks(own)), photos, vocabulary)
        return judged_together(some, marks[own])

    found = []
    for part in folds(photos):
        rest = [photo for photo in photos if photo not in part]
        best = dataclasses.replace(now, **{name: values[len(values) // 2] for name, values in CURVES.items()})
        for name, values in list(CURVES.items()) * ROUNDS:
            points = {each: judged(rest, dataclasses.replace(best, **{name: each})) for each in values}
            best = dataclasses.replace(best, **{name: best_of(points)})
        found.append(judged(part, best))
    return tuple(found)


def best_of(points: Mapping[float, Captioned]) -> float:
    """The value with the best captions among the faithful ones; the most faithful where none is."""
    faithful = {value: each for value, each in points.items() if each.faithful.share >= FAITHFUL}
    if faithful:
        return max(faithful, key=lambda value: faithful[value].cider_d)
    return max(points, key=lambda value: points[value].faithful.share)


def curve_lines(curve: Curve) -> Iterator[str]:
    """A curve in words."""
    shown = "  ".join(
        f"{'*' if value == curve.now else ''}{value:g}: {each.cider_d:.1f}/{each.faithful.share:.3f}"
        for value, each in curve.points.items()
    )
    yield f"{curve.name:<14} {shown}   on other folds {in_short(curve.crossed)}"


def question_curves(
    questions: Sequence[Question], is_right: Callable[[Question, Thresholds], bool], now: Thresholds
) -> Iterator[str]:
    """The curve of each constant that answers hang on, in words, the others left as they are.

    Args:
        questions: Those that may be asked; of a kind in another language the name ends with the language.
        is_right: Asks one over these thresholds and judges the answer.
        now: The engine's own.
    """
    files = sorted({question.photos[0] for question in questions})
    parts = folds([Photo(file, 1, 1, (), ()) for file in files])
    fold_of = {photo.file: at for at, part in enumerate(parts) for photo in part}
    for name, (kinds, values) in QUESTION_CURVES.items():
        own = float(getattr(now, name))
        asked = [question for question in questions if question.kind in kinds]
        right = {
            value: [is_right(question, dataclasses.replace(now, **{name: value})) for question in asked]
            for value in sorted({own, *values})
        }
        if not asked:
            continue
        at = [fold_of[question.photos[0]] for question in asked]
        crossed = 0
        for fold in range(len(parts)):
            elsewhere = {
                value: sum(each for each, own_fold in zip(verdicts, at, strict=True) if own_fold != fold)
                for value, verdicts in right.items()
            }
            best = max(elsewhere, key=lambda value: elsewhere[value])
            crossed += sum(each for each, own_fold in zip(right[best], at, strict=True) if own_fold == fold)
        shown = "  ".join(
            f"{'*' if value == own else ''}{value:g}: {sum(verdicts) / len(asked):.3f}"
            for value, verdicts in right.items()
        )
        yield f"{name:<14} {shown}   on other folds {crossed / len(asked):.3f} of {len(asked)}"


def in_short(crossed: Sequence[Captioned]) -> str:
    """CIDEr-D and faithfulness of all folds together."""
    mean = statistics.fmean(each.cider_d for each in crossed)
    faithful = sum((each.faithful for each in crossed), Faithfulness(0, 0))
    return f"{mean:.1f}/{faithful.share:.3f}"


@dataclass(frozen=True, slots=True)
class Boxed:
    """Boxes that are right, that are wrong, and things that were to be found."""

    right: int
    claimed: int
    there: int

    @property
    def precision(self) -> float:
        """Right of claimed; NaN where nothing was claimed."""
        return self.right / self.claimed if self.claimed else math.nan

    @property
    def recall(self) -> float:
        """Right of what is there; NaN where nothing is."""
        return self.right / self.there if self.there else math.nan

    @property
    def f1(self) -> float:
        """Their harmonic mean; NaN where there is nothing to find or claim."""
        total = self.claimed + self.there
        return 2 * self.right / total if total else math.nan


Found = tuple[str, tuple[float, float, float, float], float]


def boxed(found: Mapping[Photo, Sequence[Found]], threshold: float, least: float = 0.0) -> Boxed:
    """Precision and recall of boxes at overlap .5.

    A box that matches nothing and lies by half in a crowd of its class, or that is right about or too small
    for things under `least`, counts neither way.

    Args:
        found: What was found in each photograph.
        threshold: Lowest score of a box that counts.
        least: Part of the photograph under which things, and boxes, are left out.
    """
    right = claimed = there = 0
    for photo, boxes in found.items():
        size = photo.width * photo.height * least
        free = [thing for thing in photo.things if not thing.crowd]
        crowds = [thing for thing in photo.things if thing.crowd]
        there += sum(_area(thing.box) >= size for thing in free)
        for label, corners, score in sorted(boxes, key=lambda one: -one[2]):
            if score < threshold:
                continue
            best = max(_of(label, free), key=lambda thing: overlap(corners, thing.box), default=None)
            if best is not None and overlap(corners, best.box) >= 0.5:
                free.remove(best)
                counts = _area(best.box) >= size
                right += counts
                claimed += counts
            elif _area(corners) >= size and not any(
                _common(corners, crowd.box) >= 0.5 * _area(corners) for crowd in _of(label, crowds)
            ):
                claimed += 1
    return Boxed(right, claimed, there)


def boxes_by_threshold(found: Mapping[Photo, Sequence[Found]]) -> Iterator[str]:
    """Precision, recall and F1 by threshold, of all things and of large ones."""
    parts = folds(list(found))
    for threshold in THRESHOLDS:
        line = f"boxes from {threshold:.2f}"
        for name, least in (("all", 0.0), ("1 % and more", LARGE)):
            every = boxed(found, threshold, least)
            sd = spread(boxed({photo: found[photo] for photo in part}, threshold, least).f1 for part in parts)
            line += f"   {name}: P {every.precision:.3f} R {every.recall:.3f} F1 {every.f1:.3f} ± {sd:.3f}"
        yield line


def _of(label: str, things: Sequence[Thing]) -> list[Thing]:
    return [thing for thing in things if thing.label == label]


Corners = tuple[float, float, float, float]


def _area(box: Corners) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def _common(one: Corners, other: Corners) -> float:
    return _area((max(one[0], other[0]), max(one[1], other[1]), min(one[2], other[2]), min(one[3], other[3])))


def overlap(one: Corners, other: Corners) -> float:
    """Intersection over union of two boxes, 0..1."""
    common = _common(one, other)
    return common / (_area(one) + _area(other) - common) if common else 0.0
