"""How many, what colour, which stands out."""

from __future__ import annotations

import pytest

from tests.engines.lite.fakes import NOTHING, PARK, STREET, Painted, Scene, ask

CROWD = Scene(tuple(Painted("person", (100, at, 200, at + 60), score=0.5) for at in range(0, 700, 70)))
TABLE = Painted("dining table", (500, 100, 900, 900), "brown", 0.8)
SITTING = [Painted("person", (300, at, 700, at + 150), "red") for at in (150, 400, 650)]
APART = Painted("person", (0, 950, 100, 1000), "blue")


@pytest.mark.parametrize(
    ("scene", "question", "answer"),
    [
        (STREET, "How many cars are there?", "There are two cars."),
        (STREET, "How many buses are there?", "There is a bus."),
        (STREET, "How many dogs are there?", "I see no dogs."),
        (STREET, "How many vehicles can you count?", "There are three vehicles."),
        (STREET, "How many blue cars are there?", "There are two blue cars."),
        (STREET, "How many red cars are there?", "I see no cars."),
        (STREET, "How many objects are there?", "I see one bus and two cars."),
        (CROWD, "How many people are there?", "There are about ten people."),
        (Scene((TABLE, *SITTING, APART)), "How many people are at the table?", "There are three people."),
        (STREET, "What color is the bus?", "The bus is red."),
        (STREET, "What color are the cars?", "The cars are blue."),
        (STREET, "What are the main colors of this image?", "The main colors are gray and red."),
        (
            STREET,
            "What color is the dog?",
            "I don't see any dogs in this picture. I see a red bus and two cars.",
        ),
        (STREET, "What is the main object?", "The most prominent thing is a bus."),
        (STREET, "What is the smallest thing?", "The smallest thing that I see is a car."),
    ],
)
def test_answers(scene: Scene, question: str, answer: str) -> None:
    told = ask(scene, question)
    assert told.replace("one bus", "a bus") == answer.replace("one bus", "a bus")


def test_the_colour_of_something_unknown_is_not_guessed() -> None:
    answer = ask(STREET, "What color is the tablecloth?")
    assert answer.startswith("I can't tell the color of that. The main colors are")


def test_clothes_have_the_colour_of_their_part_of_a_person() -> None:
    top = Painted("person", (100, 400, 900, 600), "white")
    legs = Painted("umbrella", (500, 400, 900, 600), "blue", 0.01)
    scene = Scene((legs, top))
    assert ask(scene, "What color is her shirt?") == "What is worn there looks white."
    assert ask(scene, "What color are the woman's jeans?") == "What is worn there looks blue."
    assert ask(STREET, "What color is his coat?").startswith("I don't see any people")
    assert ask(scene, "What color is the dog's coat?").startswith("I can't tell")


def test_surfaces_have_the_colour_that_lies_there_outside_things() -> None:
    scene = Scene(
        (Painted("bus", (300, 300, 700, 800), "red"), Painted("cat", (760, 0, 1000, 1000), "green", 0.01)),
        background="blue",
    )
    assert ask(scene, "What color is the sky?") == "It looks mostly blue there."
    assert ask(scene, "What color is the ground?") == "It looks mostly green there."
    assert ask(scene, "What colour are the walls?") == "It looks mostly blue there."


def test_who_says_the_car_sees_a_car_where_the_detector_sees_a_truck() -> None:
    truck = Scene((Painted("truck", (300, 300, 700, 800), "blue", 0.5),))
    assert ask(truck, "What color is the car?") == "The car is blue."
    assert ask(truck, "Is there a car?") == "No, I don't see any cars."


def test_who_says_the_dog_does_not_make_a_cat_one() -> None:
    cat = Scene((Painted("cat", (300, 300, 700, 800), "black", 0.8),))
    assert ask(cat, "What color is the dog?").startswith("I don't see any dogs")


def test_the_one_on_the_side_that_is_named() -> None:
    two = Scene((Painted("car", (400, 50, 500, 200), "blue"), Painted("car", (400, 800, 500, 950), "green")))
    assert ask(two, "What color is the car on the left?") == "The car is blue."
    assert ask(two, "What color is the car on the right?") == "The car is green."
    assert ask(two, "What color are the cars?") == "The cars are blue and green."


def test_a_colour_that_nothing_has() -> None:
    assert ask(STREET, "Where is the green bus?").startswith("I see a bus, but none that looks green.")


def test_some_of_many_are_not_counted_apart() -> None:
    text = ask(PARK, "How many people are smiling?")
    assert text == "There is one person. I can't tell which of them fit the rest of your question."


def test_nothing_to_count() -> None:
    assert ask(NOTHING, "How many things are there?").startswith("I can't tell")
    assert ask(PARK, "How many quarks are there?").startswith("I can't tell")


def test_turkish() -> None:
    assert ask(STREET, "Resimde kaç araba var?") == "İki araba var."
    assert ask(STREET, "Otobüs ne renk?") == "Otobüs kırmızı."
    assert ask(STREET, "Kaç köpek var?") == "Hiç köpek görmüyorum."


def test_what_is_not_known_is_not_counted_as_what_is_known() -> None:
    assert ask(STREET, "How many unicorns are on the bus?").startswith("I can't tell about")
    doubtful = "There are two cars. I can't tell which of them fit the rest of your question."
    assert ask(STREET, "How many cars have a spoiler?") == doubtful
    assert ask(PARK, "What color is the handle of the frisbee?").startswith("I can't tell the color of that.")


def test_a_named_class_is_counted_from_a_lower_score_than_it_is_shown() -> None:
    doubtful = Scene(
        things=(Painted("cat", (0, 0, 300, 300)), Painted("cat", (600, 600, 900, 900), score=0.26))
    )
    assert ask(doubtful, "How many cats are there?") == "There are two cats."
    assert ask(doubtful, "What is in this picture?") == "A cat."
