"""What is known about a picture, found once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.engines.lite.fakes import (
    PARK,
    STREET,
    FakeModels,
    Painted,
    Scene,
    evidence_of,
    picture_of,
    vision_of,
)
from vidi.domain.geometry import Box
from vidi.engines.lite.evidence import Evidence
from vidi.engines.lite.vision.ocr import TextLine


def test_each_part_is_found_when_it_is_asked_for_and_only_once() -> None:
    models = FakeModels()
    picture = models.know(replace(STREET, text=(TextLine("42", 0.9, Box(0, 0, 10, 10)),)))
    vision = vision_of(models, models)
    assert (models.looks, models.classifications, models.readings) == (0, 0, 0)
    for _ in range(2):
        evidence = Evidence(picture, vision)
        assert len(evidence.things(0.5)) == 3
        assert evidence.labels[0][0] == "trolleybus"
        assert evidence.embedding.shape == (2,)
        assert evidence.text is not None
    assert (models.looks, models.classifications, models.readings) == (1, 1, 1)


def test_the_same_file_at_another_size_is_looked_at_again() -> None:
    models = FakeModels()
    vision = vision_of(models)
    small, large = models.know(STREET), models.know(replace(STREET, width=400, height=400))
    for picture in (small, replace(large, digest=small.digest)):
        assert Evidence(picture, vision).detections
    assert models.looks == 2


def test_without_a_reader_text_is_unknown() -> None:
    assert evidence_of(PARK).text is None
    assert evidence_of(PARK, reads=True).text == ()


def test_things_come_with_colour_and_place_the_most_prominent_first() -> None:
    first, *rest = evidence_of(STREET).things(0.3)
    assert (first.label, first.colour, first.cell) == ("bus", "red", "middle centre")
    assert [(each.label, each.colour) for each in rest] == [("car", "blue"), ("car", "blue")]
    assert abs(first.share - 0.2) < 1e-9


def test_things_under_the_floor_are_left_out() -> None:
    assert len(evidence_of(STREET).things(0.75)) == 2


def test_a_picture_of_one_colour_is_flat_and_noise_is_sharp() -> None:
    assert evidence_of(Scene()).detections.flat
    noise = np.random.default_rng(1).integers(0, 255, (300, 300, 3), np.uint8)
    detections = Evidence(picture_of(noise), vision_of(FakeModels())).detections
    assert not detections.flat
    assert detections.sharpness > 1000


def test_one_pixel_is_a_picture() -> None:
    detections = Evidence(picture_of(np.zeros((1, 1, 3), np.uint8)), vision_of(FakeModels())).detections
    assert (detections.things, detections.palette, detections.sharpness) == ((), ("black",), 0.0)


CAT_AND_DOG = (
    Painted("cat", (50, 50, 900, 700), "brown", 0.5),
    Painted("dog", (60, 750, 900, 980), "brown", 0.38),
    Painted("person", (0, 900, 300, 1000), "blue", 0.4),
)


def test_animals_that_the_detector_has_no_class_for_are_the_classifiers() -> None:
    seen = evidence_of(Scene(CAT_AND_DOG, labels=(("lion", 0.7), ("tabby cat", 0.1)))).things(0.3)
    assert sorted(thing.label for thing in seen) == ["lion", "lion", "person"]


@pytest.mark.parametrize("labels", [(("lion", 0.6),), (("fountain", 0.9),), ()])
def test_what_the_classifier_is_not_sure_of_changes_no_name(labels: tuple[tuple[str, float], ...]) -> None:
    seen = evidence_of(Scene(CAT_AND_DOG, labels=labels)).things(0.3)
    assert sorted(thing.label for thing in seen) == ["cat", "dog", "person"]


def test_an_animal_that_is_sure_or_that_both_see_keeps_its_name() -> None:
    sure = (replace(CAT_AND_DOG[0], score=0.8), *CAT_AND_DOG[1:])
    seen = evidence_of(Scene(sure, labels=(("grey fox", 0.35), ("red fox", 0.35), ("beagle", 0.25)))).things(
        0.3
    )
    assert sorted(thing.label for thing in seen) == ["cat", "dog", "person"]
