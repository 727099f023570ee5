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
FAITHFUL = 0.9
"""Least faithfulness that is wanted of captions."""

FIRST: Mapping[str, float] = {"told": 0.25, "others": 0.4, "clear": 0.5, "classified": 0.3}
"""What choosing starts from: found before, with other rules, so that nothing chosen here is inherited."""

CURVES: Mapping[str, tuple[float, ...]] = {
    "told": (0.2, 0.25, 0.3, 0.35),
    "others": (0.3, 0.35, 0.4, 0.45),
    "clear": (0.4, 0.5, 0.6),
    "classified": (0.2, 0.3, 0.4, 0.5),
}
"""The values that are tried of each constant that captions hang on: few, since neighbours differ by noise."""

QUESTION_CURVES: Mapping[str, tuple[tuple[str, ...], tuple[float, ...]]] = {
    "there": (("exists",), (0.2, 0.22, 0.24, 0.26, 0.28, 0.3)),
    "kind_there": (("exists",), (0.05, 0.15, 0.3, 0.6)),
    "numbered": (("how many",), (0.2, 0.25, 0.3, 0.35)),
    "supposed": (("where", "colour", "what"), (0.15, 0.2, 0.25, 0.3)),
    "touched": (("doing",), (0.15, 0.2, 0.25, 0.3)),
    "taken": (("exists", "what"), (0.25, 0.35, 0.5)),
    "classified": (("room",), (0.2, 0.3, 0.4, 0.5)),
}
"""Of each constant that answers hang on: the kinds of questions, and the values that are tried."""

LARGE = 0.01
"""Part of the photograph from which a thing is large enough to be missed."""

THRESHOLDS = (0.2, 0.25, 0.3, 0.32, 0.34, 0.36, 0.4, 0.5)


def folds(photos: Sequence[Photo], seed: int = SEED) -> tuple[tuple[Photo, ...], ...]:
    """The photographs in five parts of like size, always the same for a seed."""
    shuffled = sorted(photos, key=lambda photo: photo.file)
    random.Random(seed).shuffle(shuffled)
    return tuple(tuple(shuffled[at::FOLDS]) for at in range(FOLDS))


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
    """What captions are worth by the value of one constant, the others as they are.

    Attributes:
        name: The constant.
        points: By value, over all photographs.
        now: The constant's value.
    """

    name: str
    points: Mapping[float, Captioned]
    now: float


class Trials:
    """Captions by the constants that they are written with, each table of them tried once."""

    def __init__(self, photos: Sequence[Photo], prompt: str, asks: Asks) -> None:
        """Take the photographs, what is asked about each, and how to ask with other constants."""
        self._photos, self._prompt, self._asks = photos, prompt, asks
        self._vocabulary = Vocabulary.load()
        self._marks: dict[Thresholds, Marks] = {}

    def marks(self, own: Thresholds) -> Marks:
        """What the captions with these constants are worth."""
        if own not in self._marks:
            texts = captions(self._photos, self._prompt, self._asks(own))
            self._marks[own] = marked(texts, self._photos, self._vocabulary)
        return self._marks[own]

    def judged(self, photos: Iterable[Photo], own: Thresholds) -> Captioned:
        """The captions of some of the photographs as one figure."""
        return judged_together(photos, self.marks(own))

    def is_better(self, photos: Iterable[Photo], own: Thresholds, other: Thresholds) -> bool:
        """Whether captions gain more CIDEr-D than one standard error of the differences by photograph."""
        ours, theirs = self.marks(own), self.marks(other)
        gains = [ours[photo.file][0] - theirs[photo.file][0] for photo in photos if photo.captions]
        if len(gains) < 2:
            return False
        return statistics.fmean(gains) > statistics.stdev(gains) / math.sqrt(len(gains))


def curves(trials: Trials, photos: Sequence[Photo], now: Thresholds) -> Iterator[Curve]:
    """The curve of each constant that captions hang on."""
    for name, values in CURVES.items():
        own = float(getattr(now, name))
        points = {
            value: trials.judged(photos, dataclasses.replace(now, **{name: value}))
            for value in sorted({own, *values})
        }
        yield Curve(name, points, own)


MOST_MOVES = 8


def chosen(trials: Trials, photos: Sequence[Photo], now: Thresholds) -> Thresholds:
    """The constants that some photographs speak for, one moved at a time from what was found before.

    A noisy figure has many tops. So one is moved only if captions are better by more than chance would
    have it, and only to where they are faithful by a margin.
    """
    best = dataclasses.replace(now, **FIRST)
    for _ in range(MOST_MOVES):
        moved = _moved(trials, photos, best)
        if moved is None:
            break
        best = moved
    return best


def _moved(trials: Trials, photos: Sequence[Photo], now: Thresholds) -> Thresholds | None:
    """The best move of one constant; None where none is worth it."""
    moves = [
        dataclasses.replace(now, **{name: value})
        for name, values in CURVES.items()
        for value in values
        if value != getattr(now, name)
    ]
    faithful = [each for each in moves if is_faithful(trials.judged(photos, each))]
    if is_faithful(trials.judged(photos, now)):
        faithful = [each for each in faithful if trials.is_better(photos, each, now)]
    elif not faithful:
        surest = max(moves, key=lambda each: trials.judged(photos, each).faithful.share)
        gains = trials.judged(photos, surest).faithful.share > trials.judged(photos, now).faithful.share
        return surest if gains else None
    return max(faithful, key=lambda each: trials.judged(photos, each).cider_d, default=None)


def is_faithful(captioned: Captioned) -> bool:
    """Whether captions are as faithful as wanted, by a margin of one standard error of that share."""
    stated = captioned.faithful.stated
    margin = math.sqrt(FAITHFUL * (1 - FAITHFUL) / stated) if stated else 0.0
    return captioned.faithful.share >= FAITHFUL + margin


def chosen_elsewhere(
    trials: Trials, photos: Sequence[Photo], now: Thresholds, seed: int = SEED
) -> Iterator[tuple[Thresholds, Captioned]]:
    """For each fold the constants that are chosen on the other four, and its captions with them."""
    for part in folds(photos, seed):
        own = chosen(trials, [photo for photo in photos if photo not in part], now)
        yield own, trials.judged(part, own)


DRAWINGS = 20


def other_drawings(trials: Trials, photos: Sequence[Photo], now: Thresholds) -> str:
    """What the same choosing gives where lot draws the folds otherwise: its mean, and from least to most."""
    parts = [
        [captioned for _, captioned in chosen_elsewhere(trials, photos, now, seed)]
        for seed in range(DRAWINGS)
    ]
    cider = [statistics.fmean(each.cider_d for each in some) for some in parts]
    faithful = [sum((each.faithful for each in some), Faithfulness(0, 0)).share for some in parts]
    return (
        f"{statistics.fmean(cider):.1f} ({min(cider):.1f} to {max(cider):.1f}) / "
        f"{statistics.fmean(faithful):.3f} ({min(faithful):.3f} to {max(faithful):.3f})"
    )


def in_words(own: Thresholds) -> str:
    """The constants that captions hang on."""
    return ", ".join(f"{name} {getattr(own, name):g}" for name in CURVES)


def curve_lines(curve: Curve) -> Iterator[str]:
    """A curve in words."""
    shown = "  ".join(
        f"{'*' if value == curve.now else ''}{value:g}: {each.cider_d:.1f}/{each.faithful.share:.3f}"
        for value, each in curve.points.items()
    )
    yield f"{curve.name:<14} {shown}"


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

    def __add__(self, other: Boxed) -> Boxed:
        return Boxed(self.right + other.right, self.claimed + other.claimed, self.there + other.there)


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
    """Precision, recall and F1 by threshold, of all and of large things, and where it is chosen elsewhere."""
    parts = folds(list(found))
    sizes = (("all", 0.0), ("1 % and more", LARGE))
    by_part = {
        threshold: [
            [boxed({photo: found[photo] for photo in part}, threshold, least) for _, least in sizes]
            for part in parts
        ]
        for threshold in THRESHOLDS
    }
    for threshold, figures in by_part.items():
        line = f"boxes from {threshold:.2f}"
        for at, (name, _) in enumerate(sizes):
            every = sum((each[at] for each in figures), Boxed(0, 0, 0))
            sd = spread(each[at].f1 for each in figures)
            line += f"   {name}: P {every.precision:.3f} R {every.recall:.3f} F1 {every.f1:.3f} ± {sd:.3f}"
        yield line
    crossed = [by_part[_best_elsewhere(by_part, fold)][fold] for fold in range(len(parts))]
    line = "boxes, threshold chosen on other folds"
    for at, (name, _) in enumerate(sizes):
        every = sum((each[at] for each in crossed), Boxed(0, 0, 0))
        line += f"   {name}: P {every.precision:.3f} R {every.recall:.3f} F1 {every.f1:.3f}"
    yield line


def _best_elsewhere(by_part: Mapping[float, Sequence[Sequence[Boxed]]], fold: int) -> float:
    """The threshold with the best F1 on the other folds, of all things and of large ones together."""

    def worth(threshold: float) -> float:
        others = [each for at, each in enumerate(by_part[threshold]) if at != fold]
        return math.fsum(sum(each, Boxed(0, 0, 0)).f1 for each in zip(*others, strict=True))

    return max(by_part, key=worth)


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
