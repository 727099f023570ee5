"""Where a picture was taken: told by the classifier and by the things in it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from vidi.engines.lite.evidence import Evidence, Thing
from vidi.engines.lite.world import Room

SURE = 0.5
LIKELY = 0.25
"""Summed probability of a place's classes: before the things are asked, and after."""

TELLING = 0.35
"""Score from which a thing tells the place."""

LARGE = 0.12
"""Part of the picture that is "a good part"."""

SURROUNDINGS = 0.6
"""Part of the picture that grass or snow must take to be the place."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A place.

    Attributes:
        id: Its name in the tables.
        sure: Whether the classifier alone would say so.
    """

    id: str
    sure: bool


def scene_of(evidence: Evidence) -> Scene | None:
    """The place that a picture shows, if it can be told."""
    told = scores_of(evidence)
    best = max(told, key=lambda scene: told[scene], default="")
    if best and told[best] >= SURE:
        return Scene(best, sure=True)
    things = evidence.things(TELLING)
    for room in evidence.world.rooms:
        if told.get(room.scene, 0.0) >= room.hint and _fits(room, things):
            return Scene(room.scene, sure=False)
    if best and told[best] >= LIKELY:
        return Scene(best, sure=False)
    return None


def scores_of(evidence: Evidence) -> dict[str, float]:
    """The classifier's probability of each place."""
    scores: dict[str, float] = {}
    for label, probability in evidence.labels:
        scene = evidence.world.scene_of.get(label)
        if scene:
            scores[scene] = scores.get(scene, 0.0) + probability
    return scores


def indoors(evidence: Evidence) -> bool | None:
    """Whether a picture was taken indoors; None where neither place nor things tell."""
    world = evidence.world
    scene = scene_of(evidence)
    if scene and scene.sure:
        return scene.id in world.inside
    weight = 0.0
    for thing in evidence.things(TELLING):
        weight += thing.score * ((thing.label in world.inside_things) - (thing.label in world.outside_things))
    if scene:
        weight = max(-1.0, min(1.0, weight)) + (1.5 if scene.id in world.inside else -1.5)
    return None if abs(weight) < 0.3 else weight > 0


def _fits(room: Room, things: tuple[Thing, ...]) -> bool:
    counts = Counter(thing.label for thing in things)
    if not all(counts[label] for label in room.every):
        return False
    if room.some and not any(counts[label] for label in room.some):
        return False
    wanted = room.every | room.some
    involved = [thing for thing in things if thing.label in wanted]
    if room.large and not any(thing.share > LARGE for thing in involved):
        return False
    return not room.many or len(involved) > 1
