"""Where a picture was taken."""

from __future__ import annotations

import pytest

from tests.engines.lite.fakes import KITCHEN, NOTHING, STREET, Painted, Scene, evidence_of
from vidi.engines.lite.answers.captions import indoors, scene_of

CAR = Painted("car", (100, 100, 200, 200))
BED = Painted("bed", (200, 200, 900, 900))


@pytest.mark.parametrize(
    ("scene", "place"),
    [
        (Scene(labels=(("seashore", 0.4), ("sandbar", 0.2))), "beach"),
        (Scene(labels=(("seashore", 0.1),)), None),
        (Scene(labels=(("seashore", 0.3),)), "beach"),
        (Scene((BED,)), "bedroom"),
        (Scene((Painted("bed", (200, 200, 300, 300)),)), None),
        (Scene((CAR,)), None),
        (Scene((CAR, Painted("car", (500, 500, 600, 600)))), "street"),
        (Scene((BED,), labels=(("seashore", 0.1),)), "bedroom"),
        (Scene((BED,), labels=(("seashore", 0.3),)), "beach"),
        (Scene((Painted("laptop", (200, 200, 900, 900)),), labels=(("desk", 0.1),)), "office"),
        (Scene((Painted("laptop", (200, 200, 900, 900)),)), None),
        (NOTHING, None),
    ],
)
def test_the_classifier_when_sure_else_things(scene: Scene, place: str | None) -> None:
    found = scene_of(evidence_of(scene))
    assert (found.id if found else None) == place


def test_the_side() -> None:
    assert indoors(evidence_of(KITCHEN)) is True
    assert indoors(evidence_of(STREET)) is False
    assert indoors(evidence_of(NOTHING)) is None
    assert indoors(evidence_of(Scene((Painted("tv", (100, 100, 200, 200)),)))) is True


@pytest.mark.parametrize(
    ("background", "label", "place"),
    [("green", "sheep", "field"), ("white", "sheep", None), ("green", "tv", None), ("gray", "boat", "water")],
)
def test_a_ground_needs_its_thing_and_its_pixels(background: str, label: str, place: str | None) -> None:
    scene = scene_of(
        evidence_of(Scene((Painted(label, (300, 300, 500, 500), "white"),), background=background))
    )
    assert (scene and scene.id) == place
