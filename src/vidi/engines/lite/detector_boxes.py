"""From NanoDet's output tensors to boxes, and from many boxes to one for each thing.

Source: Li et al., "Generalized Focal Loss" (2020): the distance from a cell's centre to each side of
the box is the expected value of a distribution over 11 bins, counted in strides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vidi.engines.lite.labels import COCO_CLASSES

_STRIDES = (8, 16, 32)
_BINS = np.arange(11, dtype=np.float32)
_SAME_THING = 0.6
_MOST = 1000

Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Found:
    """Candidates, as arrays of one length n.

    Attributes:
        labels: Indices into `COCO_CLASSES`, (n,).
        scores: 0..1, (n,).
        corners: x0, y0, x1, y1 in pixels, (n, 4).
    """

    labels: Indices
    scores: Floats
    corners: Floats

    def at(self, index: Indices | npt.NDArray[np.bool_]) -> Found:
        """The chosen ones, in the order of the index."""
        return Found(self.labels[index], self.scores[index], self.corners[index])


def join(parts: Sequence[Found]) -> Found:
    """Candidates of several runs over the same picture."""
    return Found(
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.scores for part in parts]),
        np.concatenate([part.corners for part in parts]),
    )


def decode(outputs: Sequence[Floats], floor: float) -> Found:
    """Read the tensors of one run.

    Args:
        outputs: For strides 8, 16 and 32: (80 class logits + 4 * 11 distance logits, rows, columns).
        floor: Lowest score that is kept, above 0 and below 1.

    Returns:
        Every class of every cell that reaches the floor; boxes in pixels of the model's input.
    """
    return join([_level(output, stride, floor) for output, stride in zip(outputs, _STRIDES, strict=True)])


def _level(output: Floats, stride: int, floor: float) -> Found:
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
    return Found(labels, scores.astype(np.float32), corners)


def suppress(found: Found) -> Found:
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
