"""Folds, choices on other folds, and boxes by threshold."""

import math
from collections.abc import Callable

import pytest

from bench.asking import Ask, Reply
from bench.dataset import Photo, Question, Thing
from bench.folds import (
    CURVES,
    FIRST,
    Boxed,
    Captioned,
    Trials,
    boxed,
    boxes_by_threshold,
    chosen,
    chosen_elsewhere,
    curves,
    folds,
    is_faithful,
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
    assert folds(PHOTOS, seed=1) != parts


def test_the_spread_leaves_out_what_has_no_value() -> None:
    assert spread((1.0, math.nan, 3.0)) == pytest.approx(math.sqrt(2))
    assert math.isnan(spread((1.0,)))


def test_captions_are_faithful_by_a_margin() -> None:
    assert is_faithful(Captioned(60, Faithfulness(92, 100))) is False
    assert is_faithful(Captioned(60, Faithfulness(94, 100))) is True
    assert is_faithful(Captioned(60, Faithfulness(920, 1000))) is True, "of more it is known better"
    assert is_faithful(Captioned(60, Faithfulness(0, 0))) is False


def _dogs_where(holds: Callable[[Thresholds, int], bool]) -> Callable[[Thresholds], Callable[[Ask], Reply]]:
    """Says the true caption of a photograph where that holds for its number, else that there is a dog."""

    def asks(own: Thresholds) -> Callable[[Ask], Reply]:
        def ask(one: Ask) -> Reply:
            number = int(one.photos[0].removesuffix(".jpg"))
            return Reply(one, f"a dog {number}" if holds(own, number) else "a dog", 1.0)

        return ask

    return asks


def test_the_curve_of_a_constant_that_captions_hang_on() -> None:
    trials = Trials(PHOTOS, "?", _dogs_where(lambda own, _: own.told >= 0.35))
    told = next(curve for curve in curves(trials, PHOTOS, Thresholds()) if curve.name == "told")
    assert set(told.points) == {*CURVES["told"], Thresholds().told}
    assert told.points[0.35].cider_d > told.points[0.25].cider_d


def test_a_constant_is_moved_where_captions_gain_more_than_chance() -> None:
    everywhere = Trials(PHOTOS, "?", _dogs_where(lambda own, _: own.told == 0.3))
    assert chosen(everywhere, PHOTOS, Thresholds()).told == 0.3
    # One photograph of twenty is no more than its own standard error.
    once = Trials(PHOTOS, "?", _dogs_where(lambda own, number: own.told == 0.3 and number == 7))
    assert chosen(once, PHOTOS, Thresholds()).told == FIRST["told"]


def test_choosing_starts_from_what_was_found_before_and_not_from_what_is_shipped() -> None:
    flat = Trials(PHOTOS, "?", _dogs_where(lambda _own, _number: False))
    own = chosen(flat, PHOTOS, Thresholds(told=0.1, others=0.1, clear=0.1, classified=0.1))
    assert {name: getattr(own, name) for name in CURVES} == FIRST


def test_a_constant_is_moved_to_where_captions_are_faithful() -> None:
    def asks(own: Thresholds) -> Callable[[Ask], Reply]:
        return lambda ask: Reply(ask, "a dog" if own.others >= 0.45 else "a dog and a cat", 1.0)

    assert chosen(Trials(PHOTOS, "?", asks), PHOTOS, Thresholds()).others == 0.45


def test_constants_are_judged_on_the_fold_that_they_were_not_chosen_on() -> None:
    left_out = {photo.file for photo in folds(PHOTOS)[0]}

    def only_there(own: Thresholds, number: int) -> bool:
        return own.clear == 0.4 and f"{number}.jpg" in left_out

    trials = Trials(PHOTOS, "?", _dogs_where(only_there))
    judged = list(chosen_elsewhere(trials, PHOTOS, Thresholds()))
    assert [own.clear for own, _ in judged] == [FIRST["clear"], 0.4, 0.4, 0.4, 0.4]
    without = trials.judged(folds(PHOTOS)[0], Thresholds())
    assert judged[0][1] == without, "what only that fold gains by is not known to those who choose"


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
    assert boxed(found, 0.3) + high == Boxed(2, 5, 2)


def test_the_threshold_of_boxes_is_judged_where_it_was_not_chosen() -> None:
    first = folds(PHOTOS)[0]
    box = (0.0, 0.0, 50.0, 50.0)
    sure, wrong, unsure = ("dog", box, 0.9), ("cat", box, 0.33), ("dog", box, 0.33)
    found = {photo: [unsure] if photo in first else [sure, wrong] for photo in PHOTOS}
    *_, line = boxes_by_threshold(found)
    # That the first fold would gain from .33 is not known to those who choose for it.
    assert "all: P 1.000 R 0.800" in line


def test_the_curve_of_a_constant_that_answers_hang_on() -> None:
    questions = [
        Question(photos=(f"{number}.jpg",), ask="?", kind="exists", accept=(True,)) for number in range(10)
    ]
    lines = list(question_curves(questions, lambda _, own: own.there <= 0.22, Thresholds()))
    there = next(line for line in lines if line.startswith("there"))
    assert "0.22: 1.000  0.24: 0.000  *0.26: 0.000" in there
    assert there.endswith("on other folds 1.000 of 10")
    assert not any(line.startswith("numbered") for line in lines), "none asks how many"
