"""One finding for each thing."""

from __future__ import annotations

from tests.engines.lite.fakes import WORLD
from vidi.domain.geometry import Box
from vidi.engines.lite.evidence import distinct
from vidi.engines.lite.vision.detector import Detection

HORSES = [Detection("horse", 0.8, Box(0, 100 * at, 80, 100 * at + 80)) for at in range(3)]
COW = Detection("cow", 0.5, Box(0, 500, 40, 540))


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


def test_the_whole_takes_the_place_of_a_single_better_piece() -> None:
    head, cat = Detection("cat", 0.6, Box(0, 20, 40, 60)), Detection("cat", 0.5, Box(0, 0, 100, 100))
    (whole,) = distinct([head, cat], WORLD)
    assert (whole.box, whole.score) == (cat.box, 0.6)


def test_a_box_around_two_of_a_class_does_not_swallow_them() -> None:
    pair = [Detection("cat", 0.6, Box(0, 0, 40, 40)), Detection("cat", 0.6, Box(0, 60, 40, 100))]
    assert len(labels(*pair, Detection("cat", 0.5, Box(0, 0, 100, 100)))) == 3


def test_people_before_people_are_not_pieces() -> None:
    child, parent = (
        Detection("person", 0.8, Box(50, 30, 90, 60)),
        Detection("person", 0.7, Box(0, 0, 100, 100)),
    )
    assert len(labels(child, parent)) == 2


def test_a_doubtful_cow_among_horses_is_a_horse() -> None:
    (cow,) = [each for each in distinct([*HORSES, COW], WORLD) if each.box == COW.box]
    assert (cow.label, cow.also) == ("horse", frozenset())


def test_a_sure_cow_among_horses_stays_one() -> None:
    sure = Detection("cow", 0.65, COW.box)
    assert sorted(labels(*HORSES, sure)) == ["cow", *["horse"] * 3]


def test_a_dog_among_horses_stays_one() -> None:
    dog = Detection("dog", 0.3, COW.box)
    assert sorted(labels(*HORSES, dog)) == ["dog", *["horse"] * 3]


CLOSE_CAT = Detection("cat", 0.5, Box(0, 0, 1000, 900))
EYE = Box(280, 300, 480, 460)


def test_the_eye_of_an_animal_seen_from_near_is_no_ball() -> None:
    assert labels(CLOSE_CAT, Detection("sports ball", 0.3, EYE)) == ["cat"]


def test_a_sure_ball_before_a_cat_stays_one() -> None:
    assert labels(CLOSE_CAT, Detection("sports ball", 0.45, EYE)) == ["cat", "sports ball"]


def test_what_is_not_all_in_the_animal_or_is_large_stays() -> None:
    beside = Detection("sports ball", 0.3, Box(280, 800, 480, 960))
    large = Detection("bowl", 0.3, Box(200, 200, 500, 500))
    assert labels(CLOSE_CAT, beside, large) == ["cat", "sports ball", "bowl"]


def test_what_a_far_animal_or_a_person_holds_stays() -> None:
    small = Detection("frisbee", 0.3, Box(100, 100, 150, 150))
    assert labels(Detection("dog", 0.8, Box(0, 0, 400, 400)), small) == ["dog", "frisbee"]
    assert labels(Detection("person", 0.8, Box(0, 0, 1000, 900)), small) == ["person", "frisbee"]
