"""One finding for each thing: what the detector sees twice, or under two names, is joined."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from vidi.domain.geometry import Box
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

HERD = 3.0
"""Among confusable animals or vehicles of like size, a class with this many times the score rules."""

HERD_SURE = 0.5
"""From this score on, a thing keeps its class whatever stands around it."""

LIKE_SIZE = 6.0
"""Things whose areas differ by less than this factor are of like size."""


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
    return tuple(_in_its_herd(each, kept, world) for each in kept)


def _same(weaker: Detection, stronger: Distinct, world: World) -> bool:
    overlap = weaker.box.overlap(stronger.box)
    if weaker.label == stronger.label:
        return overlap > SAME_THING or (
            weaker.score < stronger.score and shared(weaker.box, stronger.box) > WITHIN
        )
    if overlap > SAME_PLACE:
        return weaker.label != "person"
    return overlap > SAME_THING and world.confusable(weaker.label, stronger.label)


def _in_its_herd(one: Distinct, all_found: Sequence[Distinct], world: World) -> Distinct:
    """A doubtful thing among many of a class that it is often taken for is one of them."""
    if one.score >= HERD_SURE or not any(one.label in herd for herd in world.herds):
        return one
    scores: defaultdict[str, float] = defaultdict(float)
    for other in all_found:
        if other is not one and world.confusable(one.label, other.label) and _like_size(one.box, other.box):
            scores[other.label] += other.score
    best = max(scores, key=lambda label: scores[label], default=one.label)
    if best == one.label or scores[best] < HERD * (one.score + scores[one.label]):
        return one
    return replace(one, label=best, also=one.also | {one.label})


def _like_size(one: Box, other: Box) -> bool:
    small, large = sorted((one.area(), other.area()))
    return large < LIKE_SIZE * small
