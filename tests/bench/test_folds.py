"""Folds, choices on other folds, and boxes by threshold."""

import math
from collections.abc import Callable

import pytest

from bench.asking import Ask, Reply
from bench.dataset import Photo, Question, Thing
from bench.folds import (
    CURVES,
    Captioned,
    best_of,
    boxed,
    chosen_together,
    curves,
    folds,
    question_curves,
    spread,
)
from bench.vocabulary import Faithfulness
from vidi.engines.lite.evidence import Thresholds

PHOTOS = tuple(
    Photo(f"{at}.jpg", 100, 100, (f"a dog {at}", "a dog"), (Thing("dog", (0, 0, 50, 50), False),))
    for at in range(20)
)


def test_folds_share_nothing_and_are_always_the_same() -> None:
    parts = folds(PHOTOS)
    assert [len(part) for part in parts] == [4] * 5
    assert sorted(photo.file for part in parts for photo in part) == sorted(photo.file for photo in PHOTOS)
    assert folds(tuple(reversed(PHOTOS))) == parts


def test_the_spread_leaves_out_what_has_no_value() -> None:
    assert spread((1.0, math.nan, 3.0)) == pytest.approx(math.sqrt(2))
    assert math.isnan(spread((1.0,)))


def test_the_best_value_is_a_faithful_one() -> None:
    points = {
        0.1: Captioned(90, Faithfulness(8, 10)),
        0.2: Captioned(70, Faithfulness(92, 100)),
        0.3: Captioned(60, Faithfulness(10, 10)),
    }
    assert best_of(points) == 0.2
    assert best_of({0.1: points[0.1], 0.4: Captioned(99, Faithfulness(1, 10))}) == 0.1


def test_a_curve_is_judged_with_the_value_that_won_elsewhere() -> None:
    def asks(own: Thresholds) -> Callable[[Ask], Reply]:
        text = "a dog" if own.told >= 0.4 else "a cat"
        return lambda ask: Reply(ask, text, 1.0)

    told = next(curve for curve in curves(PHOTOS, "?", asks, Thresholds()) if curve.name == "told")
    assert set(told.points) == {*CURVES["told"], Thresholds().told}
    assert told.points[0.4].faithful.share == 1
    assert told.points[0.25].faithful.share == 0
    assert len(told.crossed) == 5
    assert all(each.faithful.share == 1 for each in told.crossed)


def test_boxes_by_threshold() -> None:
    (photo, *_) = PHOTOS
    crowd = Photo("c.jpg", 100, 100, (), (Thing("dog", (50, 50, 100, 100), True),))
    right = ("dog", (0.0, 0.0, 50.0, 45.0), 0.9)
    wrong = ("cat", (0.0, 0.0, 50.0, 50.0), 0.4)
    found = {photo: [right, right, wrong], crowd: [("dog", (60.0, 60.0, 70.0, 70.0), 0.9)]}
    low, high = boxed(found, 0.3), boxed(found, 0.5)
    assert (low.right, low.claimed, low.there) == (1, 3, 1)
    assert (high.precision, high.recall) == (0.5, 1.0)
    assert boxed(found, 0.5, least=0.5).claimed == 0


def test_constants_chosen_together_are_judged_on_the_fold_left_out() -> None:
    def asks(own: Thresholds) -> Callable[[Ask], Reply]:
        # Faithful only where two constants have the right values, one of them not the middle one.
        right = own.told >= 0.4 and own.leading >= 0.4
        return lambda ask: Reply(ask, "a dog" if right else "a cat", 1.0)

    crossed = chosen_together(PHOTOS, "?", asks, Thresholds())
    assert len(crossed) == 5
    assert all(each.faithful.share == 1 for each in crossed)


def test_the_curve_of_a_constant_that_answers_hang_on() -> None:
    questions = [
        Question(photos=(f"{number}.jpg",), ask="?", kind="exists", accept=(True,)) for number in range(10)
    ]
    lines = list(question_curves(questions, lambda _, own: own.there <= 0.22, Thresholds()))
    there = next(line for line in lines if line.startswith("there"))
    assert "0.22: 1.000  0.24: 0.000  *0.26: 0.000" in there
    assert there.endswith("on other folds 1.000 of 10")
    assert not any(line.startswith("numbered") for line in lines), "none asks how many"
