"""One finding for each thing: what the detector sees twice, or under two names, is joined."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from vidi.domain.geometry import GRID, Box
from vidi.engines.lite.detector import Detection
from vidi.engines.lite.places import shared
from vidi.engines.lite.world import World

SAME_THING = 0.65
SAME_PLACE = 0.85
"""Overlap from which two boxes of confusable classes, and of any two classes, are one thing."""

WITHIN = 0.75
"""A weaker box that lies in a stronger one of its class by this part is a piece of the same thing."""

NEARLY = 0.75
"""A class whose score is at least this part of the best one's is remembered as possible."""

PART_OF_WHOLE = 0.7
"""A box around a single better one of its class, with this part of its score, is the whole of that piece."""

SMALL_PART = 0.45
"""A piece takes at most this part of the whole."""

HERD = 2.0
"""In a herd, the kind with this many times the weight of another rules; weight is score times length."""

HERD_SURE = 0.6
"""From this score on, a thing keeps its class whatever stands around it."""

LIKE_SIZE = 12.0
"""Things whose areas differ by less than this factor are of like size."""


CLOSE_UP = 0.3
"""Part of the picture from which an animal is seen from so near that its eyes are as large as things."""

FEATURE = 0.05
FEATURE_SURE = 0.4
"""What takes less of such an animal, and lies in it, is a feature of it below this score."""

INSIDE = 0.95
"""Part of a box that lies in another for the first to be inside the second."""


@dataclass(frozen=True, slots=True)
class Distinct:
    """A thing that was found, under its best name.

    Attributes:
        label: Its class.
        score: How sure the detector is, 0..1.
        box: Where it lies.
        also: Classes of nearly the same score.
    """

    label: str
    score: float
    box: Box
    also: frozenset[str] = frozenset()


def distinct(found: Sequence[Detection], world: World) -> tuple[Distinct, ...]:
    """Join what is one thing; best first."""
    kept: list[Distinct] = []
    for each in sorted(found, key=lambda detection: -detection.score):
        at = next((at for at, other in enumerate(kept) if _same(each, other, world)), None)
        if at is None:
            kept.append(Distinct(each.label, each.score, each.box))
        elif each.label != kept[at].label and each.score >= NEARLY * kept[at].score:
            kept[at] = replace(kept[at], also=kept[at].also | {each.label})
    whole = [each for each in _wholes(kept) if not _is_feature(each, kept, world)]
    return tuple(_in_its_herd(each, whole, world) for each in whole)


def _same(weaker: Detection, stronger: Distinct, world: World) -> bool:
    overlap = weaker.box.overlap(stronger.box)
    if weaker.label == stronger.label:
        return overlap > SAME_THING or (
            weaker.score < stronger.score and shared(weaker.box, stronger.box) > WITHIN
        )
    if overlap > SAME_PLACE:
        return weaker.label != "person"
    return overlap > SAME_THING and world.confusable(weaker.label, stronger.label)


def _wholes(found: Sequence[Distinct]) -> list[Distinct]:
    """Put the whole in the place of a piece that was found with a better score, as a head for a cat."""
    whole = list(found)
    for outer in found:
        pieces = [
            each
            for each in whole
            if each.label == outer.label != "person"
            and each.score > outer.score
            and shared(each.box, outer.box) > WITHIN
            and each.box.area() < SMALL_PART * outer.box.area()
        ]
        if len(pieces) == 1 and outer.score >= PART_OF_WHOLE * pieces[0].score:
            whole[whole.index(outer)] = replace(outer, score=pieces[0].score)
            whole.remove(pieces[0])
    return whole


def _is_feature(one: Distinct, all_found: Sequence[Distinct], world: World) -> bool:
    """Whether a doubtful small thing is an eye or a nose of an animal that fills the picture."""
    return one.score < FEATURE_SURE and any(
        animal.label in world.groups["animal"]
        and animal.score > one.score
        and animal.box.area() >= CLOSE_UP * GRID * GRID
        and one.box.area() < FEATURE * animal.box.area()
        and shared(one.box, animal.box) >= INSIDE
        for animal in all_found
    )


def _in_its_herd(one: Distinct, all_found: Sequence[Distinct], world: World) -> Distinct:
    """A doubtful animal of a herd is of the kind that rules the herd."""
    herd = next((kinds for kinds in world.herds if one.label in kinds), frozenset())
    if one.score >= HERD_SURE or not herd:
        return one
    weights: defaultdict[str, float] = defaultdict(float)
    for other in all_found:
        if other.label in herd and _like_size(one.box, other.box):
            weights[other.label] += other.score * math.sqrt(other.box.area())
    best = max(weights, key=lambda label: weights[label])
    if best == one.label or weights[best] < HERD * weights[one.label]:
        return one
    return replace(one, label=best)


def _like_size(one: Box, other: Box) -> bool:
    small, large = sorted((one.area(), other.area()))
    return large < LIKE_SIZE * small
