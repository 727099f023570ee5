"""Captions and descriptions state what the evidence holds, and no more."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.engines.lite.fakes import (
    ENGLISH,
    KITCHEN,
    NOTHING,
    PARK,
    STREET,
    TURKISH,
    FakeModels,
    Painted,
    Scene,
    evidence_of,
    picture_of,
    vision_of,
)
from vidi.engines.lite.answers.captions import caption, describe
from vidi.engines.lite.evidence import Evidence


def told(*things: Painted, labels: tuple[tuple[str, float], ...] = ()) -> str:
    return caption(evidence_of(Scene(things, labels)), ENGLISH).text


def test_the_place_and_the_things_that_stand_out() -> None:
    assert caption(evidence_of(STREET), ENGLISH).text == "A bus with two cars on a street."


def test_a_room_comes_first_where_furniture_stands_out() -> None:
    assert caption(evidence_of(KITCHEN), ENGLISH).text == "A kitchen with a refrigerator, an oven and a sink."


def test_what_someone_does_with_what_they_hold() -> None:
    assert caption(evidence_of(PARK), ENGLISH).text.startswith("A person holding a frisbee next to a dog")


@pytest.mark.parametrize(
    ("things", "text"),
    [
        (
            (
                Painted("person", (100, 400, 700, 550)),
                Painted("skateboard", (680, 400, 730, 560), score=0.6),
            ),
            "A person riding a skateboard.",
        ),
        (
            (Painted("person", (150, 450, 650, 600)), Painted("horse", (400, 300, 900, 800), "brown", 0.8)),
            "A person riding a horse.",
        ),
        (
            (
                Painted("cat", (300, 300, 600, 500), "black"),
                Painted("couch", (400, 100, 900, 900), "brown", 0.5),
            ),
            "A cat on a couch.",
        ),
        (
            (
                Painted("dining table", (100, 0, 1000, 1000), "brown", 0.6),
                Painted("pizza", (300, 200, 800, 700), "red", 0.7),
            ),
            "A pizza on a table.",
        ),
        (tuple(Painted("sheep", (100, at, 200, at + 80)) for at in range(0, 700, 100)), "Several sheep."),
        ((Painted("stop sign", (100, 100, 400, 400), "gray"),), "A stop sign."),
    ],
)
def test_relations_and_numbers(things: tuple[Painted, ...], text: str) -> None:
    assert told(*things) == text


def test_doubtful_things_are_not_stated() -> None:
    sure = Painted("dog", (300, 300, 700, 700), "brown")
    assert told(sure, Painted("cat", (0, 0, 300, 300), score=0.3)) == "A dog."


def test_doubtful_things_that_the_classifier_sees_too_are_stated() -> None:
    doubtful = Painted("airplane", (300, 100, 600, 900), "white", 0.28)
    car = Painted("car", (700, 100, 800, 200), "blue", 0.6)
    assert told(doubtful, car, labels=(("airliner", 0.7),)) == "An airplane with a car."
    assert told(doubtful, car) == "A car."


def test_crowds_and_things_in_one_place_are_described() -> None:
    people = tuple(Painted("person", (100, at, 300, at + 90)) for at in range(0, 500, 100))
    cups = (Painted("cup", (800, 800, 850, 850)), Painted("cup", (900, 900, 950, 950)))
    text = describe(evidence_of(Scene((*people, *cups))), ENGLISH).text
    assert "There is a group of people." in text
    assert "There are two cups in the bottom right." in text


def test_a_doubtful_thing_alone_is_a_maybe() -> None:
    giraffe = Painted("giraffe", (0, 0, 1000, 900), score=0.3)
    assert told(giraffe) == "This may be a giraffe."
    assert told(giraffe, labels=(("wool", 0.3),)) == "This may be a giraffe."
    assert told(replace(giraffe, score=0.6)) == "A giraffe."


def test_a_doubtful_thing_alone_that_the_classifier_sees_too_is_none() -> None:
    cat = Painted("cat", (0, 0, 1000, 900), "brown", score=0.4)
    assert told(cat, labels=(("tabby cat", 0.5),)) == "A cat."


def drawn(kind: str) -> Evidence:
    """A picture without things: soft texture, noise, or a smooth ramp; the classifier is fairly sure."""
    random = np.random.default_rng(0)
    pixels = {
        "texture": np.kron(random.integers(60, 180, (10, 10, 3), np.uint8), np.ones((8, 8, 1), np.uint8)),
        "noise": random.integers(0, 255, (80, 80, 3), np.uint8),
        "ramp": np.repeat(np.tile(np.arange(80, dtype=np.uint8)[:, None, None], (1, 80, 1)), 3, axis=2),
    }[kind]
    models = FakeModels()
    picture = picture_of(pixels, kind)
    models.scenes[picture.digest] = Scene(labels=(("lighthouse", 0.3),))
    return Evidence(picture, vision_of(models))


def test_without_things_the_classifier_speaks_with_care() -> None:
    assert caption(drawn("texture"), ENGLISH).text == "This may be a lighthouse."
    textured = drawn("texture")
    models = FakeModels()
    models.scenes[textured.picture.digest] = Scene(labels=(("lighthouse", 0.6),))
    sure = Evidence(textured.picture, vision_of(models))
    assert caption(sure, ENGLISH).text == "This looks like a lighthouse."


@pytest.mark.parametrize("kind", ["noise", "ramp"])
def test_noise_and_ramps_are_no_things_whatever_the_classifier_says(kind: str) -> None:
    answer = caption(drawn(kind), ENGLISH)
    assert answer.text.startswith("I can't make out any object")
    assert not answer.known


def test_one_colour_is_said_to_be_that() -> None:
    assert (
        caption(evidence_of(NOTHING), ENGLISH).text
        == "This picture is all white; there is nothing to see in it."
    )


def test_a_description_says_where_and_in_what_colours() -> None:
    text = describe(evidence_of(STREET), ENGLISH).text
    assert text == (
        "A bus with two cars on a street. There is a red bus in the middle. There are two cars: one on "
        "the left and one on the right. This looks like it was taken outdoors. The main "
        "colors are gray and red."
    )


def test_the_same_in_turkish() -> None:
    assert caption(evidence_of(STREET), TURKISH).text == "Sokakta bir otobüs ve iki araba."
    assert "kırmızı bir otobüs var" in describe(evidence_of(STREET), TURKISH).text
