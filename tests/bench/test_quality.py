"""A whole run against a made-up model, without a server."""

import json
import math
from collections.abc import Callable

import pytest

from bench.asking import Ask, Reply
from bench.dataset import Photo, Question, Thing
from bench.quality import Item, Scene, photo_asks, run
from bench.report import Report, Times, as_json, report, table

PHOTOS = (
    Photo("a.jpg", 400, 200, ("a black dog on a chair",), (Thing("dog", (100, 50, 300, 150), False),)),
    Photo("b.jpg", 100, 100, ("two cats in a kitchen",), (Thing("cat", (0, 0, 50, 50), False),)),
)
QUESTIONS = (
    Question(photos=("a.jpg",), ask="Is there a dog?", kind="yes/no", accept=(True,)),
    Question(photos=("a.jpg", "b.jpg"), ask="How many dogs?", kind="count", accept=(1,)),
    Question(photos=("b.jpg",), ask="Name?", kind="not to be seen", cant_tell=True),
)
CATS = Item(label="cat", count=2)
SCENE = Scene(caption="x", place="indoors", has_people=False, main_colour=None, items=[CATS])
WRONG_CAT = '{"box_2d": [500, 500, 900, 900], "label": "cat"}'
RIGHT_CAT = '{"box_2d": [0, 0, 500, 500], "label": "cat"}'
GOOD = {
    ("caption", "a.jpg"): "A black dog on a chair.",
    ("caption", "b.jpg"): "Two cats in a kitchen.",
    ("list", "a.jpg"): "A dog.",
    ("list", "b.jpg"): "Cats and a horse.",
    ("detect", "a.jpg"): '[{"box_2d": [250, 250, 750, 750], "label": "puppy"}]',
    ("detect", "b.jpg"): f"[{WRONG_CAT}, {RIGHT_CAT}]",
}
ANSWERS = {"Is there a dog?": "Yes.", "How many dogs?": "I can't tell.", "Name?": "I can't tell that."}


def good(ask: Ask) -> Reply:
    if ask.kind == "structured":
        return Reply(ask, SCENE.model_dump_json(), 4.0)
    return Reply(ask, GOOD.get((ask.kind, ask.photos[0])) or ANSWERS[ask.prompt], 2.0)


def result(ask: Callable[[Ask], Reply]) -> Report:
    replies, answers = run(PHOTOS, QUESTIONS, ask)
    return report("made-up", PHOTOS, replies, answers)


def test_the_figures_of_a_good_model() -> None:
    figures = result(good)
    # dog 1; the wrong cat is named first, so the right one comes at precision 1/2: mean 3/4.
    assert figures.mean_ap == pytest.approx(0.75)
    assert figures.ap50 == pytest.approx(0.75)
    assert figures.bleu4 == pytest.approx(100)
    assert figures.cider_d == pytest.approx(1000)
    # dog, chair (a caption has it) + cat + dog + cat are there, the horse is not.
    assert (figures.faithfulness.count, figures.faithfulness.of) == (5, 6)
    assert (figures.json_validity.count, figures.json_validity.of) == (4, 4)
    assert (figures.accuracy.count, figures.accuracy.of) == (1, 2)
    assert (figures.cant_tell.count, figures.admitted.count, figures.admitted.of) == (1, 1, 1)
    assert sorted(figures.kinds) == ["count", "yes/no"]
    assert figures.milliseconds["structured"] == Times(median=4.0, p95=4.0)
    assert figures.errors == 0


def test_a_score_in_the_answer_outranks_its_order() -> None:
    (cats,) = [ask for ask in photo_asks(PHOTOS[1:]) if ask.kind == "detect"]

    def scored(ask: Ask) -> Reply:
        unsure = WRONG_CAT.replace("}", ', "score": 0.1}')
        sure = RIGHT_CAT.replace("}", ', "score": 0.9}')
        return Reply(ask, f"[{unsure}, {sure}]", 1.0) if ask == cats else good(ask)

    assert result(scored).mean_ap == pytest.approx(1.0)


def test_a_model_that_only_fails() -> None:
    figures = result(lambda ask: Reply(ask, "", 1.0, "503 UNAVAILABLE"))
    assert (figures.mean_ap, figures.cider_d, figures.bleu4) == (0.0, 0.0, 0.0)
    assert math.isnan(figures.faithfulness.value)
    assert (figures.json_validity.value, figures.accuracy.value) == (0.0, 0.0)
    assert figures.errors == 11


def test_json_must_have_the_shape_asked_for() -> None:
    def shapeless(ask: Ask) -> Reply:
        return Reply(ask, '{"caption": "x"}', 1.0) if ask.kind == "structured" else good(ask)

    assert result(shapeless).json_validity.count == 2


def test_a_question_that_wants_json_needs_json() -> None:
    question = Question(photos=("a.jpg",), ask="Find the dog.", kind="detect", accept=("dog",), json=True)
    _, answers = run((), (question,), lambda ask: Reply(ask, '[{"label": "dog"}]', 1.0))
    assert answers[0].verdict.right
    _, answers = run((), (question,), lambda ask: Reply(ask, "the dog", 1.0))
    assert not answers[0].verdict.right


def test_the_table_and_the_json_hold_the_figures() -> None:
    figures = result(good)
    assert "mAP" in table(figures)
    assert "0.750" in table(figures)
    assert json.loads(as_json(figures))["accuracy"] == {"count": 1, "of": 2}
    nothing = report("made-up", (), (), ())
    assert json.loads(as_json(nothing))["mean_ap"] is None
    assert "nan" in table(nothing)
