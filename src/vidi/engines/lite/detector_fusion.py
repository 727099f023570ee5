"""Makes one opinion of two looks at a picture, and of two names for one thing.

A network knows things of some sizes better than of others. Run over a small copy of a picture it is
surer of large things, run over a large copy it finds small ones. Where both looks show a thing, box
and score are their weighted means (Solovyev et al., "Weighted boxes fusion", 2019), with weights that
depend on the thing's size; what only one look shows keeps that look's share of its score.
"""

from __future__ import annotations

import numpy as np

from vidi.engines.lite.detector_boxes import Floats, Found, Indices, join, overlaps

_SAME_THING = 0.6
_SMALL, _LARGE = 0.08, 0.4
"""Sizes, as the root of the box's area over the picture's long side, between which trust moves over."""

_TRUST_SMALL, _TRUST_LARGE = 0.7, 0.2
"""Share of the close look in what is known about small and about large things."""

_SAME_PLACE = 0.7
_DOUBT = 0.8


def fuse(overview: Found, close_up: Found, long_side: float) -> Found:
    """Combine what two looks at the same picture have found.

    Args:
        overview: From the smaller copy, without duplicates.
        close_up: From the larger copy, without duplicates.
        long_side: The picture's longer side, in the unit of the corners.

    Returns:
        Everything found by either, best first.
    """
    far, near = _pairs(overview, close_up)
    far_share = overview.scores * (1 - _trust(overview, long_side))
    near_share = close_up.scores * _trust(close_up, long_side)
    scores = far_share[far] + near_share[near]
    part = (far_share[far] / scores)[:, None].astype(np.float32)
    corners = close_up.corners[near] + (overview.corners[far] - close_up.corners[near]) * part
    both = Found(overview.labels[far], scores, corners)
    only_far = np.delete(np.arange(len(far_share)), far)
    only_near = np.delete(np.arange(len(near_share)), near)
    return _ranked(
        join(
            [
                both,
                Found(overview.labels, far_share, overview.corners).at(only_far),
                Found(close_up.labels, near_share, close_up.corners).at(only_near),
            ]
        )
    )


def _trust(found: Found, long_side: float) -> Floats:
    """The close look's share, for things of these sizes."""
    width, height = np.maximum(found.corners[:, 2:] - found.corners[:, :2], 1e-6).T
    largeness = np.log(np.sqrt(width * height) / long_side / _SMALL) / np.log(_LARGE / _SMALL)
    trust: Floats = np.interp(largeness, (0, 1), (_TRUST_SMALL, _TRUST_LARGE)).astype(np.float32)
    return trust


def _pairs(one: Found, other: Found) -> tuple[Indices, Indices]:
    """Which of one look show the same thing as which of the other, each in at most one pair."""
    likeness = overlaps(one.corners, other.corners) * (one.labels[:, None] == other.labels)
    firsts, seconds = np.nonzero(likeness >= _SAME_THING)
    best_first = np.argsort(-(one.scores[firsts] + other.scores[seconds]), kind="stable")
    pairs: dict[int, int] = {}
    taken: set[int] = set()
    for first, second in zip(firsts[best_first].tolist(), seconds[best_first].tolist(), strict=True):
        if first not in pairs and second not in taken:
            pairs[first] = second
            taken.add(second)
    return np.array(list(pairs), np.intp), np.array(list(pairs.values()), np.intp)


def yield_to_better(found: Found) -> Found:
    """Lower the score of what lies where something else was found with a better one.

    A van is seen as a car and as a truck; which of the two names is right is not known, so neither is
    dropped.

    Args:
        found: Without duplicates within a class, best first.
    """
    same_place = overlaps(found.corners, found.corners) >= _SAME_PLACE
    doubted = np.tril(same_place & (found.labels[:, None] != found.labels), -1).any(axis=1)
    scores = np.where(doubted, found.scores * np.float32(_DOUBT), found.scores)
    return _ranked(Found(found.labels, scores, found.corners))


def _ranked(found: Found) -> Found:
    return found.at(np.argsort(-found.scores, kind="stable"))
