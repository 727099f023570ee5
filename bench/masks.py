"""How well masks fit: their overlap with the polygons that people drew, in true boxes and in found ones.

The built-in segmenter's weights are fitted here too, and judged on photographs that they were not fitted on.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from bench.dataset import Corners, Photo, Thing
from bench.folds import LARGE, SEED, Found, folds, overlap, spread
from vidi.domain.geometry import Box, MaskImage
from vidi.domain.prompt import Picture
from vidi.engines.colour_segmenter import SIDE, WEIGHTS, features, likely
from vidi.engines.lite.evidence import Thresholds

Flags = NDArray[np.bool_]
Floats = NDArray[np.float32]

PLACES = 300
"""Places of each mask that weights are fitted on."""

STEPS = 10
RIDGE = 1e-4
SHIFTS = tuple(round(step * 0.1, 1) for step in range(9))
"""What is tried to be added to the constant, so that half of 255 cuts where the overlap is best."""


@dataclass(frozen=True, slots=True)
class Case:
    """A box, and what of it belongs to the thing in it.

    Attributes:
        numbers: The segmenter's of each place, as `features` gives them; None for a box under two pixels.
        truth: The thing on the whole photograph, by its polygons.
        inside: The same on the segmenter's grid in the box.
        corners: The box, in pixels.
    """

    photo: Photo
    numbers: Floats | None
    truth: Flags
    inside: Flags
    corners: Corners


def drawn(photo: Photo, thing: Thing) -> Flags:
    """A thing's polygons on its photograph, of shape (height, width)."""
    canvas = Image.new("1", (photo.width, photo.height))
    pen = ImageDraw.Draw(canvas)
    for polygon in thing.polygons:
        pen.polygon(polygon, fill=1)
    return np.asarray(canvas, np.bool_)


def placed(mask: MaskImage, corners: Corners, size: tuple[int, int]) -> Flags:
    """A mask on its photograph, as clients place it: scaled to the box's whole pixels, cut at 127."""
    left, top, right, bottom = (round(edge) for edge in corners)
    flags = np.zeros(size[::-1], np.bool_)
    if left < right and top < bottom:
        grey = Image.frombytes("L", (mask.width, mask.height), mask.grey)
        scaled = grey.resize((right - left, bottom - top), Image.Resampling.BILINEAR)
        flags[top:bottom, left:right] = (np.asarray(scaled) > 127)[: size[1] - top, : size[0] - left]
    return flags


def mask_overlap(one: Flags, other: Flags) -> float:
    """Intersection over union, 0..1."""
    union = int((one | other).sum())
    return int((one & other).sum()) / union if union else 0.0


def cases(pictures: Mapping[str, Picture], boxes: Sequence[tuple[Photo, Thing, Corners]]) -> Iterator[Case]:
    """The boxes with what their segmenter sees in them."""
    for photo, thing, corners in boxes:
        picture = pictures[photo.file]
        # Of a found box some millionth of a pixel may lie outside.
        left, top, right, bottom = corners
        corners = (max(0, left), max(0, top), min(photo.width, right), min(photo.height, bottom))
        box: Box = picture.placement.box(*corners)
        truth = drawn(photo, thing)
        canvas = Image.fromarray(truth.astype(np.uint8) * 255)
        inside = np.asarray(canvas.resize((SIDE, SIDE), Image.Resampling.BOX, box=corners)) > 127
        yield Case(photo, features(picture, box), truth, inside, corners)


def true_boxes(photos: Sequence[Photo]) -> list[tuple[Photo, Thing, Corners]]:
    """The things of 1 % of their photograph and more that have polygons, each with its own box."""
    return [
        (photo, thing, thing.box)
        for photo in photos
        for thing in photo.things
        if thing.polygons and _area(thing.box) >= LARGE * photo.width * photo.height
    ]


def right_boxes(
    found: Mapping[Photo, Sequence[Found]], threshold: float
) -> list[tuple[Photo, Thing, Corners]]:
    """The things that were found, each with the box that overlaps it by half at least and has its name."""
    right = []
    for photo, boxes in found.items():
        free = [thing for thing in photo.things if thing.polygons]
        for label, corners, score in sorted(boxes, key=lambda one: -one[2]):
            named = [thing for thing in free if thing.label == label]
            best = max(named, key=lambda thing: overlap(corners, thing.box), default=None)
            if score >= threshold and best is not None and overlap(corners, best.box) >= 0.5:
                free.remove(best)
                right.append((photo, best, corners))
    return right


def fitted(some: Sequence[Case]) -> Floats:
    """Weights by logistic regression on a sample of places, the constant where overlap is best."""
    chance = random.Random(SEED)
    rows, wanted = [], []
    for case in some:
        if case.numbers is not None:
            chosen = [chance.randrange(SIDE * SIDE) for _ in range(PLACES)]
            rows.append(case.numbers.reshape(SIDE * SIDE, -1)[chosen])
            wanted.append(case.inside.ravel()[chosen])
    inputs = np.concatenate(rows).astype(np.float64)
    inputs = np.concatenate([inputs, np.ones((len(inputs), 1))], axis=1)
    outputs = np.concatenate(wanted)
    weights = np.zeros(inputs.shape[1])
    for _ in range(STEPS):
        guess = 1 / (1 + np.exp(-np.clip(inputs @ weights, -30, 30)))
        slope = inputs.T @ (guess - outputs) / len(outputs) + RIDGE * weights
        bend = (inputs * (guess * (1 - guess))[:, None]).T @ inputs / len(outputs)
        weights -= np.linalg.solve(bend + RIDGE * np.eye(len(weights)), slope)
    moved = [np.append(weights[:-1], weights[-1] + shift).astype(np.float32) for shift in SHIFTS]
    return max(moved, key=lambda own: statistics.fmean(_quick_overlap(case, own) for case in some))


def _quick_overlap(case: Case, weights: Floats) -> float:
    """The overlap on the segmenter's own grid."""
    if case.numbers is None:
        return 0.0
    return mask_overlap(case.numbers @ weights[:-1] + weights[-1] > 0, case.inside)


def overlap_of(case: Case, weights: Floats | None) -> float:
    """The overlap of a mask by some weights with the truth; of the whole box for None."""
    if weights is None or case.numbers is None:
        mask = MaskImage(1, 1, b"\xff")
    else:
        mask = likely(case.numbers, weights)
    return mask_overlap(placed(mask, case.corners, (case.photo.width, case.photo.height)), case.truth)


def mask_lines(
    photos: Sequence[Photo], pictures: Mapping[str, Picture], found: Mapping[Photo, Sequence[Found]]
) -> Iterator[str]:
    """Mean overlap of masks in true boxes and in found ones; nothing where nobody drew polygons."""
    true = list(cases(pictures, true_boxes(photos)))
    if not true:
        return
    parts = folds(photos)
    fits = [fitted([case for case in true if case.photo not in part]) for part in parts]
    right = list(cases(pictures, right_boxes(found, Thresholds().shown)))
    for name, some in (("true boxes of 1 %", true), ("right boxes shown", right)):
        if some:
            yield f"masks in {len(some)} {name}   " + "   ".join(_figures(some, parts, fits))
    yield "weights fitted on all: " + ", ".join(f"{each:.4f}" for each in fitted(true))


def _figures(some: Sequence[Case], parts: Sequence[Sequence[Photo]], fits: Sequence[Floats]) -> Iterator[str]:
    def told(name: str, judge: Callable[[Case, int], float]) -> str:
        by_fold = [[judge(case, at) for case in some if case.photo in part] for at, part in enumerate(parts)]
        every = statistics.fmean(value for values in by_fold for value in values)
        sd = spread(statistics.fmean(values) for values in by_fold if values)
        return f"{name} {every:.3f} ± {sd:.3f}"

    yield told("whole box", lambda case, at: overlap_of(case, None))
    yield told("as shipped", lambda case, at: overlap_of(case, WEIGHTS))
    yield told("fitted on other folds", lambda case, at: overlap_of(case, fits[at]))


def _area(box: Corners) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
