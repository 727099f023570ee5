"""Finds everyday things in a picture: NanoDet-g over the 80 classes of COCO."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from vidi.byte_budget import give_back
from vidi.domain.geometry import Box
from vidi.domain.prompt import MediaResolution, Picture, level_of
from vidi.engines.lite.vision.onnx import Floats, Network

COCO_CLASSES: tuple[str, ...] = (
    *("person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat"),
    *("traffic light", "fire hydrant", "stop sign", "parking meter", "bench"),
    *("bird", "cat", "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe"),
    *("backpack", "umbrella", "handbag", "tie", "suitcase"),
    *("frisbee", "skis", "snowboard", "sports ball", "kite", "baseball bat", "baseball glove"),
    *("skateboard", "surfboard", "tennis racket"),
    *("bottle", "wine glass", "cup", "fork", "knife", "spoon", "bowl"),
    *("banana", "apple", "sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake"),
    *("chair", "couch", "potted plant", "bed", "dining table", "toilet"),
    *("tv", "laptop", "mouse", "remote", "keyboard", "cell phone"),
    *("microwave", "oven", "toaster", "sink", "refrigerator"),
    *("book", "clock", "vase", "scissors", "teddy bear", "hair drier", "toothbrush"),
)
"""The detector's 80 classes: COCO's names in COCO's order."""

_STRIDES = (8, 16, 32)
_BINS = np.arange(11, dtype=np.float32)
_SAME_THING = 0.5
"""Overlap from which two boxes of one class are one thing."""

_MOST = 1000

Indices = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class RawBoxes:
    """Candidates, as arrays of one length n.

    Attributes:
        labels: Indices into `COCO_CLASSES`, (n,).
        scores: 0..1, (n,).
        corners: x0, y0, x1, y1 in pixels, (n, 4).
    """

    labels: Indices
    scores: Floats
    corners: Floats

    def at(self, index: Indices | npt.NDArray[np.bool_]) -> RawBoxes:
        """The chosen ones, in the order of the index."""
        return RawBoxes(self.labels[index], self.scores[index], self.corners[index])


def join(parts: Sequence[RawBoxes]) -> RawBoxes:
    """Candidates of several runs over the same picture."""
    return RawBoxes(
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.scores for part in parts]),
        np.concatenate([part.corners for part in parts]),
    )


def decode(outputs: Sequence[Floats], floor: float) -> RawBoxes:
    """Read the tensors of one run.

    Args:
        outputs: For strides 8, 16 and 32: (80 class logits + 4 * 11 distance logits, rows, columns).
        floor: Lowest score that is kept, above 0 and below 1.

    Returns:
        Every class of every cell that reaches the floor; boxes in pixels of the model's input.
    """
    return join([_level(output, stride, floor) for output, stride in zip(outputs, _STRIDES, strict=True)])


def _level(output: Floats, stride: int, floor: float) -> RawBoxes:
    classes, distances = output[: len(COCO_CLASSES)], output[len(COCO_CLASSES) :]
    threshold = np.log(floor / (1 - floor))
    # In a flat array: five times as fast as in one with three axes.
    reached = np.flatnonzero(classes.ravel() >= threshold)
    labels, rows, columns = np.unravel_index(reached, classes.shape)
    logits = distances[:, rows, columns].reshape(4, len(_BINS), -1)
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    left, top, right, bottom = np.einsum("b,sbn->sn", _BINS, weights) / weights.sum(axis=1) * stride
    x, y = (columns + 0.5) * stride, (rows + 0.5) * stride
    corners = np.stack([x - left, y - top, x + right, y + bottom], axis=1).astype(np.float32)
    scores = 1 / (1 + np.exp(-classes[labels, rows, columns]))
    return RawBoxes(labels, scores.astype(np.float32), corners)


def suppress(found: RawBoxes) -> RawBoxes:
    """Keep the best of every group of boxes that show the same thing as the same class, best first."""
    found = found.at(np.argsort(-found.scores, kind="stable")[:_MOST])
    kept = np.zeros(len(found.scores), np.bool_)
    for label in np.unique(found.labels):
        members = np.flatnonzero(found.labels == label)
        rivals = overlaps(found.corners[members], found.corners[members]) > _SAME_THING
        waiting = np.ones(len(members), np.bool_)
        for index, member in enumerate(members):
            if waiting[index]:
                kept[member] = True
                waiting &= ~rivals[index]
    return found.at(kept)


def overlaps(boxes: Floats, others: Floats) -> Floats:
    """Intersection over union of each of (n, 4) boxes with each of (m, 4), as (n, m)."""
    shared = _shared_length(boxes, others, 0) * _shared_length(boxes, others, 1)
    union = _area(boxes)[:, None] + _area(others) - shared
    return np.asarray(shared / np.maximum(union, 1e-9), np.float32)


def _shared_length(boxes: Floats, others: Floats, axis: int) -> Floats:
    """How much of an axis each of n boxes shares with each of m others, as (n, m)."""
    starts = np.maximum(boxes[:, None, axis], others[:, axis])
    ends = np.minimum(boxes[:, None, axis + 2], others[:, axis + 2])
    lengths: Floats = np.maximum(ends - starts, 0)
    return lengths


def _area(boxes: Floats) -> Floats:
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    area: Floats = sides[:, 0] * sides[:, 1]
    return area


_SMALL, _LARGE = 0.08, 0.4
"""Sizes, as the root of the box's area over the picture's long side, between which trust moves over."""

_TRUST_SMALL, _TRUST_LARGE = 0.7, 0.2
"""Share of the close look in what is known about small and about large things."""

_SAME_PLACE = 0.7
_DOUBT = 0.8


def fuse(overview: RawBoxes, close_up: RawBoxes, long_side: float) -> RawBoxes:
    """Combine what two looks at the same picture have found.

    Args:
        overview: From the smaller copy, without duplicates.
        close_up: From the larger copy, without duplicates.
        long_side: The picture's longer side, in the unit of the corners.

    Returns:
        Everything found by either, best first.
    """
    # A small copy shows a large thing whole, a large copy shows small things at all. The shares sum up to
    # one for the same box, so what only one look has seen keeps only that look's share of its score.
    far, near = _pairs(overview, close_up)
    far_share = overview.scores * (1 - _trust(overview, long_side))
    near_share = close_up.scores * _trust(close_up, long_side)
    scores = far_share[far] + near_share[near]
    part = (far_share[far] / scores)[:, None].astype(np.float32)
    corners = close_up.corners[near] + (overview.corners[far] - close_up.corners[near]) * part
    both = RawBoxes(overview.labels[far], scores, corners)
    only_far = np.delete(np.arange(len(far_share)), far)
    only_near = np.delete(np.arange(len(near_share)), near)
    return _ranked(
        join(
            [
                both,
                RawBoxes(overview.labels, far_share, overview.corners).at(only_far),
                RawBoxes(close_up.labels, near_share, close_up.corners).at(only_near),
            ]
        )
    )


def _trust(found: RawBoxes, long_side: float) -> Floats:
    """The close look's share, for things of these sizes."""
    width, height = np.maximum(found.corners[:, 2:] - found.corners[:, :2], 1e-6).T
    largeness = np.log(np.sqrt(width * height) / long_side / _SMALL) / np.log(_LARGE / _SMALL)
    trust: Floats = np.interp(largeness, (0, 1), (_TRUST_SMALL, _TRUST_LARGE)).astype(np.float32)
    return trust


def _pairs(one: RawBoxes, other: RawBoxes) -> tuple[Indices, Indices]:
    """Which of one look show the same thing as which of the other, each in at most one pair."""
    likeness = overlaps(one.corners, other.corners) * (one.labels[:, None] == other.labels)
    firsts, seconds = np.nonzero(likeness >= _SAME_THING)
    # Greedily from the surest pair: an exact assignment costs more and differs only in crowds.
    best_first = np.argsort(-(one.scores[firsts] + other.scores[seconds]), kind="stable")
    pairs: dict[int, int] = {}
    taken: set[int] = set()
    for first, second in zip(firsts[best_first].tolist(), seconds[best_first].tolist(), strict=True):
        if first not in pairs and second not in taken:
            pairs[first] = second
            taken.add(second)
    return np.array(list(pairs), np.intp), np.array(list(pairs.values()), np.intp)


def yield_to_better(found: RawBoxes) -> RawBoxes:
    """Lower the score of what lies where something else was found with a better one.

    A van is seen as a car and as a truck; which of the two names is right is not known, so neither is
    dropped.

    Args:
        found: Without duplicates within a class, best first.
    """
    same_place = overlaps(found.corners, found.corners) >= _SAME_PLACE
    doubted = np.tril(same_place & (found.labels[:, None] != found.labels), -1).any(axis=1)
    scores = np.where(doubted, found.scores * np.float32(_DOUBT), found.scores)
    return _ranked(RawBoxes(found.labels, scores, found.corners))


def _ranked(found: RawBoxes) -> RawBoxes:
    return found.at(np.argsort(-found.scores, kind="stable"))


_ALONE = 512
_OVERVIEW = 448
_CLOSE_UP = 704
_CLOSER = {MediaResolution.LOW: _ALONE, MediaResolution.ULTRA_HIGH: 1024}
"""Long sides in pixels: of the only run, of the first of two, of the second, and of that by media resolution.

A second look at 1,024 pixels finds no more in photographs than one at 704, and takes twice the time.
"""

_SHARE_OF_FLOOR = 1 / 3
_MULTIPLE = 32
_MEAN = (103.53, 116.28, 123.675)
_SCALE = (1 / 57.375, 1 / 57.12, 1 / 58.395)
"""Per channel, blue first: the model's own."""


@dataclass(frozen=True, slots=True)
class Detection:
    """One thing that was found.

    Attributes:
        label: One of `COCO_CLASSES`.
        score: The model's confidence, 0..1.
        box: Where it lies, on the caller's upright image.
    """

    label: str
    score: float
    box: Box


class Detector:
    """The model, ready to run; may be used from several threads."""

    def __init__(self, model: Path, threads: int) -> None:
        """Load the model.

        Args:
            model: The ONNX file that `weights.ensure` names.
            threads: How many threads one run may keep busy.
        """
        self._network = Network(model, threads)

    def detect(self, picture: Picture, *, floor: float = 0.15) -> tuple[Detection, ...]:
        """Find things, in two looks: one over a small copy for large things, one over a large for small.

        With media resolution LOW there is one look, with ULTRA_HIGH the second is closer.

        Args:
            picture: Any size; it is scaled to the model's.
            floor: Lowest score that is worth reporting, above 0 and below 1.

        Returns:
            Every detection with a score of at least `floor`, best first, one for each thing and class.
        """
        found = self._find(picture, floor)
        give_back()
        found = found.at(found.scores >= floor)
        return tuple(
            Detection(COCO_CLASSES[label], float(score), picture.placement.box(*corners.tolist()))
            for label, score, corners in zip(found.labels, found.scores, found.corners, strict=True)
        )

    def _find(self, picture: Picture, floor: float) -> RawBoxes:
        long_side = max(picture.width, picture.height)
        # Enlarging a small picture further shows nothing more.
        largest = max(_ALONE, 2 * long_side)
        close_up = min(_CLOSER.get(level_of(picture.resolution), _CLOSE_UP), largest)
        if close_up <= _ALONE:
            return yield_to_better(self.look(picture, _ALONE, floor))
        # Two looks share a score, so either may be under the floor when their mean is not.
        floor *= _SHARE_OF_FLOOR
        overview = self.look(picture, _OVERVIEW, floor)
        # Mirrored, it errs elsewhere than the overview does: .01 to .02 of F1 for no time.
        close = self.look(picture, close_up, floor, mirrored=True)
        return yield_to_better(fuse(overview, close, long_side))

    def look(self, picture: Picture, long_side: int, floor: float, *, mirrored: bool = False) -> RawBoxes:
        """One run at one size.

        Args:
            picture: Any size.
            long_side: What it is scaled to, in pixels.
            floor: Lowest score that is kept, above 0 and below 1.
            mirrored: Look at it as in a mirror; the boxes are those of the picture all the same.

        Returns:
            Candidates without duplicates, best first; corners in pixels of the picture.
        """
        factor = long_side / max(picture.width, picture.height)
        width = max(1, round(picture.width * factor))
        height = max(1, round(picture.height * factor))
        outputs = self._network.run(_prepare(picture, width, height, mirrored=mirrored))
        found = suppress(decode([output[0] for output in outputs], floor))
        scale = np.array((picture.width / width, picture.height / height) * 2, np.float32)
        limits = np.array((picture.width, picture.height) * 2, np.float32)
        corners = np.clip(found.corners * scale, 0, limits)
        if mirrored:
            corners[:, [0, 2]] = picture.width - corners[:, [2, 0]]
        return RawBoxes(found.labels, found.scores, corners)


def _prepare(picture: Picture, width: int, height: int, *, mirrored: bool) -> Floats:
    """Scale, normalise, and fill up at the right and bottom to what the model's strides need."""
    image = Image.frombuffer("RGB", (picture.width, picture.height), picture.rgb)
    scaled = np.asarray(image.resize((width, height), Image.Resampling.HAMMING))
    scaled = scaled[:, ::-1] if mirrored else scaled
    rows, columns = (-(-side // _MULTIPLE) * _MULTIPLE for side in (height, width))
    tensor = np.zeros((1, 3, rows, columns), np.float32)
    for plane, channel, mean, scale in zip(tensor[0], (2, 1, 0), _MEAN, _SCALE, strict=True):
        part = plane[:height, :width]
        np.subtract(scaled[:, :, channel], np.float32(mean), out=part)
        part *= np.float32(scale)
    return tensor
