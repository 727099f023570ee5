"""One finding for each thing."""

from __future__ import annotations

from tests.engines.lite.fakes import WORLD
from vidi.domain.geometry import Box
from vidi.engines.lite.evidence import distinct
from vidi.engines.lite.vision.detector import Detection


def labels(*found: Detection) -> list[str]:
    return [each.label for each in distinct(found, WORLD)]


def test_of_two_confusable_names_for_one_thing_the_better_stays_and_the_other_is_remembered() -> None:
    (one,) = distinct(
        [Detection("car", 0.5, Box(0, 0, 100, 95)), Detection("truck", 0.6, Box(0, 0, 100, 100))], WORLD
    )
    assert (one.label, set(one.also)) == ("truck", {"car"})


def test_a_far_weaker_name_is_not_remembered() -> None:
    (one,) = distinct(
        [Detection("car", 0.2, Box(0, 0, 100, 95)), Detection("truck", 0.9, Box(0, 0, 100, 100))], WORLD
    )
    assert one.also == frozenset()


def test_things_that_only_overlap_are_two() -> None:
    assert labels(
        Detection("cat", 0.9, Box(0, 0, 100, 100)), Detection("cat", 0.8, Box(0, 50, 100, 150))
    ) == [
        "cat",
        "cat",
    ]


def test_a_piece_of_a_thing_is_that_thing() -> None:
    assert labels(Detection("cat", 0.9, Box(0, 0, 100, 100)), Detection("cat", 0.5, Box(0, 0, 40, 40))) == [
        "cat"
    ]


def test_a_person_on_a_bed_is_not_swallowed_by_it() -> None:
    box = Box(0, 0, 100, 100)
    assert labels(Detection("bed", 0.9, box), Detection("person", 0.5, box)) == ["bed", "person"]


def test_a_box_around_two_of_a_class_does_not_swallow_them() -> None:
    pair = [Detection("cat", 0.6, Box(0, 0, 40, 40)), Detection("cat", 0.6, Box(0, 60, 40, 100))]
    assert len(labels(*pair, Detection("cat", 0.5, Box(0, 0, 100, 100)))) == 3


def test_people_before_people_are_not_pieces() -> None:
    child, parent = (
        Detection("person", 0.8, Box(50, 30, 90, 60)),
        Detection("person", 0.7, Box(0, 0, 100, 100)),
    )
    assert len(labels(child, parent)) == 2
