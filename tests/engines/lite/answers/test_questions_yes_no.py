"""Yes or no."""

from __future__ import annotations

import pytest

from tests.engines.lite.fakes import KITCHEN, PARK, STREET, Painted, Scene, ask

TABLE = Painted("dining table", (500, 100, 900, 900), "brown", 0.8)
CUP_ON_TABLE = Painted("cup", (480, 450, 560, 520), "white", 0.7)
CUP_FAR = Painted("cup", (50, 900, 120, 960), "white", 0.7)


@pytest.mark.parametrize(
    ("scene", "question", "answer"),
    [
        (STREET, "Is there a bus?", "Yes, there is a red bus."),
        (STREET, "Is there a dog?", "No, I don't see any dogs."),
        (STREET, "Are there any vehicles?", "Yes, there is a red bus and two cars."),
        (STREET, "Is there a red bus?", "Yes, there is a red bus."),
        (STREET, "Is there a green bus?", "No, I see a bus, but none that looks green."),
        (STREET, "Is the bus red?", "Yes, the bus is red."),
        (STREET, "Is the bus green?", "No, the bus is red."),
        (STREET, "Is the bus on the left?", "No, the bus is in the middle."),
        (STREET, "Are there more than three cars?", "No, I see two cars."),
        (STREET, "Are there at least two cars?", "Yes, I see two cars."),
        (
            STREET,
            "Is the bus driving fast?",
            "I can't tell that from this picture. I see a red bus and two cars.",
        ),
        (STREET, "Is anybody waiting for the bus?", "No, I don't see any people."),
        (KITCHEN, "Is this a kitchen?", "Yes, this looks like a kitchen."),
        (KITCHEN, "Is this a bathroom?", "No, this looks like a kitchen."),
        (
            Scene((TABLE, CUP_ON_TABLE)),
            "Is there a cup on the table?",
            "Yes, I see a table and a cup together.",
        ),
        (Scene((TABLE, CUP_FAR)), "Is there a cup on the table?", "No, I see a table and a cup, but apart."),
        (
            Scene((CUP_FAR,)),
            "Is there a cup on the table?",
            "I can't tell: I see a cup, but I don't see any tables.",
        ),
        (STREET, "Do you see unicorns or buses here?", "Yes, there is a red bus."),
        (STREET, "Do you see dogs or cats here?", "No, I don't see any dogs. No, I don't see any cats."),
        (STREET, "Are there buses, and is there a bus?", "Yes, there is a red bus."),
        (STREET, "Is every car blue?", "Yes, the car is blue."),
        (
            Scene((TABLE, CUP_ON_TABLE)),
            "Is the cup under the table?",
            "I can't tell what is under; close by I see a table and a cup.",
        ),
        (
            Scene((TABLE, CUP_ON_TABLE, CUP_FAR)),
            "Is every cup on the table?",
            "I can't tell that of every one; I see a table and a cup.",
        ),
    ],
)
def test_answers(scene: Scene, question: str, answer: str) -> None:
    assert ask(scene, question) == answer


def test_what_cannot_be_seen_is_admitted() -> None:
    assert ask(PARK, "Is the person wearing a hat?").startswith("I can't tell")
    assert ask(PARK, "Is there a unicorn?").startswith("I can't tell")


@pytest.mark.parametrize("question", ["Is the person wearing glasses?", "Does the man wear dark glasses?"])
def test_glasses_that_are_worn_are_no_glasses_to_drink_from(question: str) -> None:
    glass = Painted("cup", (400, 400, 500, 500), "white", 0.7)
    person = Painted("person", (100, 300, 900, 700), "blue", 0.8)
    assert ask(Scene((person, glass)), question).startswith("I can't tell")
    assert ask(Scene((person, glass)), "Are there glasses on the table?").startswith("I can't tell: I see")


def test_a_narrower_word_is_not_confirmed() -> None:
    assert ask(PARK, "Is there a woman?") == "Yes, there is a person. It may or may not be a woman."


def test_the_classifier_speaks_for_what_the_detector_does_not_know() -> None:
    assert (
        ask(Scene(labels=(("castle", 0.5),)), "Is there a castle?")
        == "Yes, it looks as if there is a castle."
    )
    assert ask(Scene(labels=(("tench", 0.5),)), "Is there a castle?").startswith("I can't tell")


def test_the_classifier_does_not_overrule_the_detector_among_look_alikes() -> None:
    scene = Scene((Painted("cat", (100, 100, 900, 900), "white", 0.6),), labels=(("Samoyed", 0.5),))
    assert ask(scene, "Is there a dog?") == "No, I don't see any dogs."


def test_several_things_at_once() -> None:
    assert ask(PARK, "Is there a dog and a frisbee?").startswith("Yes, there is a brown dog.")


def test_turkish() -> None:
    assert ask(STREET, "Bu resimde otobüs var mı?") == "Evet, kırmızı bir otobüs var."
    assert ask(STREET, "Köpek var mı?") == "Hayır, köpek görmüyorum."
    assert ask(STREET, "Otobüs yeşil mi?") == "Hayır, otobüs kırmızı."


@pytest.mark.parametrize(
    "question",
    [
        "Is there a unicorn on the bus?",
        "Is there a bus with a unicorn?",
        "Is there a bus and a unicorn?",
        "Is the bus carrying a surfer's wax?",
        "Is there a bus stop?",
        "Does the bus have a periscope?",
        "Is there a school bus?",
    ],
)
def test_no_yes_and_no_no_where_a_part_is_not_known(question: str) -> None:
    answer = ask(STREET, question)
    assert answer.startswith("I can't tell about"), answer
    assert "I see" in answer


def test_what_is_surely_missing_is_denied_whatever_else_is_asked() -> None:
    assert ask(STREET, "Is there a dog with a monocle?") == "No, I don't see any dogs."
    assert ask(STREET, "Is there a dog and a bus?") == "No, I don't see any dogs."


def test_a_breed_is_not_confirmed_by_its_kind() -> None:
    assert ask(PARK, "Is there a golden retriever?").startswith("Yes")
    assert ask(PARK, "Is there a Siberian husky?").startswith("I can't tell about")
    assert ask(STREET, "Is there a golden retriever?") == "No, I don't see any golden retrievers."


def test_a_no_is_no_firm_one_where_something_looks_a_little_like_it() -> None:
    hint = Scene(things=(Painted("dog", (100, 100, 300, 300), score=0.2),))
    assert ask(hint, "Is there a dog?") == "No, not clearly: something looks a little like a dog."
    assert ask(hint, "Is there a cat?") == "No, I don't see any cats."


LIONS = Scene((Painted("cat", (50, 50, 900, 700), "brown", 0.5),), labels=(("lion", 0.7),))


@pytest.mark.parametrize(
    ("scene", "question", "answer"),
    [
        (LIONS, "Is there a lion?", "Yes, there is a lion."),
        (LIONS, "How many lions are there?", "There is one lion."),
        (LIONS, "Aslan var mı?", "Evet, bir aslan var."),
        (LIONS, "¿Hay un león?", "Sí, hay un león."),
        (LIONS, "Is there a cat?", "No, I don't see any cats."),
        (PARK, "Is there a lion?", 'I can\'t tell about "lion"'),
        (PARK, "How many lions are there?", 'I can\'t tell about "lions"'),
    ],
)
def test_wild_animals_are_found_and_never_denied(scene: Scene, question: str, answer: str) -> None:
    assert ask(scene, question).startswith(answer)
