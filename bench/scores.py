"""Scores of boxes and captions, each defined here in full: COCO's mAP, CIDEr-D and BLEU-4.

Small and exact rather than fast: a few thousand photographs take seconds. The scores that judge
single answers (questions, JSON, faithfulness) are in `answers.py` and `vocabulary.py`.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

THRESHOLDS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
"""The overlaps at which COCO asks whether a box is right: .50, .55, ... .95."""

RECALLS = np.linspace(0.0, 1.0, 101)
"""The recalls at which COCO reads the precision off its curve."""

MAX_DETECTIONS = 100
"""Boxes a picture and class that COCO looks at, best first."""

LONGEST = 4
"""The longest word sequence (n-gram) that the caption scores compare."""

SIGMA = 6.0
"""CIDEr-D's tolerance for a difference in length, in words."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Truth:
    """An object that is in a picture.

    Attributes:
        image: Which picture.
        label: Its class.
        box: xmin, ymin, xmax, ymax in any unit that the detections share.
        crowd: One box around a crowd: what falls on it is neither right nor wrong.
    """

    image: str
    label: str
    box: tuple[float, float, float, float]
    crowd: bool = False


@dataclass(frozen=True, slots=True)
class Detection:
    """An object that an answer claims; a higher score is a surer claim."""

    image: str
    label: str
    box: tuple[float, float, float, float]
    score: float


@dataclass(frozen=True, slots=True)
class Precision:
    """COCO's two headline figures, 0..1; NaN where there is nothing to find.

    Attributes:
        mean: mAP, the mean over the ten thresholds and all classes (COCO's "AP").
        at_50: AP50, the same at the overlap .50 alone.
    """

    mean: float
    at_50: float


def average_precision(truths: Iterable[Truth], detections: Iterable[Detection]) -> Precision:
    """COCO's average precision (Lin et al. 2014, "Microsoft COCO", and its published evaluation).

    For each class and threshold the detections of all pictures, best score first, are matched one by
    one to the free object of their picture that they overlap most, if by the threshold at least. The
    precision curve is made monotone, read at 101 recalls and averaged. Sizes are not told apart, a
    class without an object counts nowhere, nor do detections of such a class. A detection that only
    matches a crowd box (by the share of *its own* area inside) is left out of the count.

    Args:
        truths: All objects of all pictures.
        detections: All claims; equal scores keep their order, pictures are taken in order of name.
    """
    wanted: dict[str, dict[str, list[Truth]]] = defaultdict(lambda: defaultdict(list))
    for truth in truths:
        wanted[truth.label][truth.image].append(truth)
    claimed: dict[str, dict[str, list[Detection]]] = defaultdict(lambda: defaultdict(list))
    for detection in detections:
        claimed[detection.label][detection.image].append(detection)
    curves = [
        _class_precision(objects, claimed[label])
        for label, objects in sorted(wanted.items())
        if any(not truth.crowd for truths in objects.values() for truth in truths)
    ]
    if not curves:
        return Precision(math.nan, math.nan)
    table = np.array(curves)
    return Precision(float(table.mean()), float(table[:, 0].mean()))


def _class_precision(
    objects: Mapping[str, Sequence[Truth]], claims: Mapping[str, Sequence[Detection]]
) -> Floats:
    """One class's average precision at each threshold, shape (10,)."""
    scores: list[float] = []
    outcomes: list[NDArray[np.int8]] = []
    for image in sorted(objects.keys() | claims.keys()):
        best = sorted(claims.get(image, ()), key=lambda claim: -claim.score)[:MAX_DETECTIONS]
        scores += [claim.score for claim in best]
        outcomes.append(_matched(objects.get(image, ()), best))
    found = np.concatenate(outcomes, axis=1)[:, np.argsort(-np.array(scores), kind="stable")]
    total = sum(not truth.crowd for truths in objects.values() for truth in truths)
    return np.array([_area_under(row, total) for row in found])


def _matched(objects: Sequence[Truth], claims: Sequence[Detection]) -> NDArray[np.int8]:
    """Each claim's outcome at each threshold, shape (10, claims): 1 right, 0 wrong, -1 not counted."""
    outcome = np.zeros((len(THRESHOLDS), len(claims)), dtype=np.int8)
    overlaps = [[_overlap(claim, truth) for truth in objects] for claim in claims]
    for row, threshold in enumerate(THRESHOLDS):
        free = {index for index, truth in enumerate(objects) if not truth.crowd}
        for column, overlap in enumerate(overlaps):
            # A later object wins a tie, as in the published evaluation.
            best = max(free, key=lambda index: (overlap[index], index), default=None)
            if best is not None and overlap[best] >= threshold:
                free.discard(best)
                outcome[row, column] = 1
            elif any(t.crowd and o >= threshold for t, o in zip(objects, overlap, strict=True)):
                outcome[row, column] = -1
    return outcome


def _overlap(claim: Detection, truth: Truth) -> float:
    """Intersection over union, or over the claim's own area where the truth is a crowd."""
    (left, top, right, bottom), (xmin, ymin, xmax, ymax) = claim.box, truth.box
    width = min(right, xmax) - max(left, xmin)
    height = min(bottom, ymax) - max(top, ymin)
    if width <= 0 or height <= 0:
        return 0.0
    own = (right - left) * (bottom - top)
    union = own if truth.crowd else own + (xmax - xmin) * (ymax - ymin) - width * height
    return width * height / union


def _area_under(outcomes: NDArray[np.int8], total: int) -> float:
    """The mean of the monotone precision curve at the 101 recalls; 0 beyond the last recall reached."""
    counted = outcomes[outcomes >= 0]
    right = np.cumsum(counted)
    recall = right / total
    precision = right / np.arange(1, len(counted) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(recall, RECALLS, side="left")
    return float(np.append(envelope, 0.0)[at].mean())


_WORD = re.compile(r"n't\b|'(?:s|m|d|re|ve|ll)\b|\w+?(?=n't\b)|\w+(?:(?:[-/]|[.,](?=\d))\w+)*")


def words(text: str) -> tuple[str, ...]:
    """The words of a sentence, close to what the COCO caption evaluation gets from the PTB tokenizer.

    Lower case; punctuation is dropped; "t-shirt" is one word, "man's" two ("man", "'s"), "isn't" two
    ("is", "n't").
    """
    return tuple(_WORD.findall(text.lower().replace("’", "'")))


def ngrams(sentence: Sequence[str], length: int) -> Counter[tuple[str, ...]]:
    """How often each run of `length` words occurs in a sentence."""
    return Counter(tuple(sentence[at : at + length]) for at in range(len(sentence) - length + 1))


def bleu4(answers: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """BLEU-4 of a whole corpus, 0..1 (Papineni et al. 2002, "BLEU").

    The geometric mean of the clipped precisions of 1- to 4-grams, counted over the corpus, times
    exp(1 - r/c) where the answers (c words) are shorter than the references (r: for each answer the
    reference length closest to it, the shorter on a tie). No smoothing: 0 if no 4-gram matches.

    Args:
        answers: One caption a picture.
        references: The human captions of each picture, at least one.

    Raises:
        ValueError: Not as many lists of references as answers, or an empty one.
    """
    _check_paired(answers, references)
    matched, possible = [0] * LONGEST, [0] * LONGEST
    answer_words = reference_words = 0
    for answer, humans in zip(answers, references, strict=True):
        sentence, human_words = words(answer), [words(human) for human in humans]
        answer_words += len(sentence)
        reference_words += min((abs(len(h) - len(sentence)), len(h)) for h in human_words)[1]
        for length in range(1, LONGEST + 1):
            seen = ngrams(sentence, length)
            most: Counter[tuple[str, ...]] = Counter()
            for human in human_words:
                most |= ngrams(human, length)
            matched[length - 1] += (seen & most).total()
            possible[length - 1] += seen.total()
    if not all(matched):
        return 0.0
    precision = math.fsum(math.log(m / p) for m, p in zip(matched, possible, strict=True)) / LONGEST
    return math.exp(precision + min(0.0, 1 - reference_words / answer_words))


Weights = dict[tuple[str, ...], float]


def cider_d(
    answers: Sequence[str],
    references: Sequence[Sequence[str]],
    corpus: Sequence[Sequence[str]] | None = None,
) -> float:
    """CIDEr-D of a corpus: the mean of `cider_d_of_each`; 0 without answers."""
    scores = cider_d_of_each(answers, references, corpus)
    return math.fsum(scores) / len(scores) if scores else 0.0


def cider_d_of_each(
    answers: Sequence[str],
    references: Sequence[Sequence[str]],
    corpus: Sequence[Sequence[str]] | None = None,
) -> list[float]:
    """CIDEr-D of each picture's answer, 0..10 (Vedantam, Zitnick, Parikh 2015, "CIDEr", equations 2 and 3).

    Per n = 1..4, a sentence is a vector of its n-grams' counts times log(pictures / pictures whose
    references hold the n-gram). An answer is compared with each reference by the cosine, its counts
    clipped to the reference's, times exp(-(difference in words)^2 / (2 * 6^2)); the mean over
    references and n, times 10. Words are not stemmed, as in the COCO evaluation. Papers print 100 times
    the mean over pictures of this figure. It depends on the corpus: with one picture it is always 0.

    Args:
        answers: One caption a picture.
        references: The human captions of each picture, at least one.
        corpus: The human captions by whose pictures words are weighed, where these are a part of more; by
            default the references.

    Raises:
        ValueError: Not as many lists of references as answers, or an empty one.
    """
    _check_paired(answers, references)
    split = [[words(human) for human in humans] for humans in references]
    whole = split if corpus is None else [[words(human) for human in humans] for humans in corpus]
    pictures: Counter[tuple[str, ...]] = Counter()
    for humans in whole:
        pictures.update({g for h in humans for n in range(1, LONGEST + 1) for g in ngrams(h, n)})

    def weigh(sentence: Sequence[str], length: int) -> Weights:
        return {
            gram: count * math.log(len(whole) / max(1, pictures[gram]))
            for gram, count in ngrams(sentence, length).items()
        }

    def score(answer: Sequence[str], human: Sequence[str]) -> float:
        penalty = math.exp(-((len(answer) - len(human)) ** 2) / (2 * SIGMA**2))
        alike = (_clipped_cosine(weigh(answer, n), weigh(human, n)) for n in range(1, LONGEST + 1))
        return 10.0 * penalty * math.fsum(alike) / LONGEST

    return [
        math.fsum(score(words(answer), human) for human in humans) / len(humans)
        for answer, humans in zip(answers, split, strict=True)
    ]


def _clipped_cosine(answer: Weights, human: Weights) -> float:
    product = math.fsum(
        min(weight, human[gram]) * human[gram] for gram, weight in answer.items() if gram in human
    )
    norm = math.hypot(*answer.values()) * math.hypot(*human.values())
    return product / norm if norm else 0.0


def _check_paired(answers: Sequence[str], references: Sequence[Sequence[str]]) -> None:
    if len(answers) != len(references):
        raise ValueError(f"{len(answers)} answers for {len(references)} lists of references")
    if not all(references):
        raise ValueError("every answer needs at least one reference")
