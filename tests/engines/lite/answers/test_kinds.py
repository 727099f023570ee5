"""Place, kind, size, choice: about the picture as a whole."""

from __future__ import annotations

import pytest

from tests.engines.lite.fakes import KITCHEN, NOTHING, PARK, STREET, Painted, Scene, ask

FRUIT = Scene((Painted("apple", (100, 100, 300, 300)), Painted("banana", (100, 600, 300, 800), "yellow")))
BEACH = Scene(labels=(("seashore", 0.5), ("sandbar", 0.2)))


@pytest.mark.parametrize(
    ("scene", "question", "answer"),
    [
        (KITCHEN, "Which room is this?", "This looks like a kitchen."),
        (BEACH, "Where was this taken?", "This looks like a beach."),
        (STREET, "Was this taken outdoors?", "Yes, this looks like it was taken outdoors."),
        (KITCHEN, "Was this taken outdoors?", "No, this looks like it was taken indoors."),
        (STREET, "Is this indoors or outdoors?", "Outdoors."),
        (PARK, "What kind of dog is this?", "It looks like a golden retriever."),
        (PARK, "What breed is the dog?", "It looks like a golden retriever."),
        (FRUIT, "What kind of fruit do you see?", "I see a banana and an apple."),
        (FRUIT, "Which fruits are there?", "I see a banana and an apple."),
        (
            FRUIT,
            "What animals are there?",
            "I don't see any animals in this picture. I see a banana and an apple.",
        ),
        (
            FRUIT,
            "What kind of flower is this?",
            'I can\'t tell about "flower": that is not among the things that I can look for. '
            "I see a banana and an apple.",
        ),
        (FRUIT, "What colors do you see?", "The main color is white."),
        (STREET, "What is the resolution of the image?", "The image is 200 by 200 pixels."),
        (STREET, "Classify this image as: kitchen, street, beach", "Street."),
        (FRUIT, "Is this an apple or a dog?", "Apple."),
        (
            STREET,
            "What is the weather like?",
            "I can't tell that from this picture. I see a red bus and two cars.",
        ),
        (NOTHING, "Which room is this?", "I can't tell that from this picture."),
    ],
)
def test_answers(scene: Scene, question: str, answer: str) -> None:
    told = ask(scene, question)
    assert sorted(told.rstrip(".").split()) == sorted(answer.rstrip(".").split()), told


def test_a_named_place_in_turkish() -> None:
    assert ask(KITCHEN, "Bu bir mutfak mı?") == "Evet, burası bir mutfak gibi görünüyor."
    assert ask(KITCHEN, "Bu bir banyo mu?") == "Hayır, burası bir mutfak gibi görünüyor."


def test_a_kind_that_the_classifier_does_not_know_is_not_guessed() -> None:
    plain = Scene((Painted("dog", (100, 100, 900, 900), "brown"),), labels=(("tench", 0.3),))
    assert ask(plain, "What breed is the dog?") == "I can't tell the exact kind; I see a brown dog."


def test_sharpness_is_told() -> None:
    assert ask(NOTHING, "Is the image blurry?") == "The image looks blurry."


def test_no_option_fits() -> None:
    assert ask(NOTHING, "Classify as: cat, dog").startswith("I can't tell")
