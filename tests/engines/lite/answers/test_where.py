"""Where things are and what they do."""

from __future__ import annotations

import pytest

from tests.engines.lite.fakes import PARK, STREET, Painted, Scene, ask

RACKET = Scene(
    (
        Painted("person", (200, 400, 900, 600), "blue"),
        Painted("tennis racket", (250, 570, 400, 660), score=0.6),
    ),
)
SHEEP = Scene(tuple(Painted("sheep", (y, x, y + 90, x + 90)) for y in (50, 450, 850) for x in (50, 450, 850)))


@pytest.mark.parametrize(
    ("scene", "question", "answer"),
    [
        (STREET, "Where is the bus?", "The bus is in the middle."),
        (STREET, "Where are the cars?", "The cars are one on the left and one on the right."),
        (
            STREET,
            "Where is the zebra?",
            "I don't see any zebras in this picture. I see a red bus and two cars.",
        ),
        (SHEEP, "Where are the sheep?", "The sheep are spread over the picture, most of them in the middle."),
        (PARK, "What is the person holding?", "The person is holding a frisbee."),
        (RACKET, "What is the man doing?", "The person is holding a tennis racket."),
        (RACKET, "Which sport is this?", "This looks like tennis."),
        (STREET, "What is on the left?", "On the left I see a blue car."),
        (STREET, "What is in the top left?", "I can't make out anything in the top left."),
    ],
)
def test_answers(scene: Scene, question: str, answer: str) -> None:
    told = ask(scene, question)
    if "spread" in answer:
        assert told.startswith("The sheep are spread over the picture")
    else:
        assert told == answer


def test_the_one_that_stands_out_is_meant_where_one_is_asked_after() -> None:
    dogs = Scene((Painted("dog", (100, 600, 400, 900)), Painted("dog", (500, 50, 560, 110), score=0.4)))
    assert ask(dogs, "Where is the dog?") == "The dog is in the top right."
    assert ask(dogs, "Where are the dogs?") == "The dogs are one in the top right and one on the left."


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Is this a tennis match?", "Yes, this looks like tennis."),
        ("Are they playing football?", "No, this looks like tennis."),
        ("Is there a tennis racket?", "Yes, there is a tennis racket."),
    ],
)
def test_a_named_sport_is_held_against_the_gear(question: str, answer: str) -> None:
    assert ask(RACKET, question) == answer


def test_a_sport_without_gear_is_not_guessed() -> None:
    assert ask(STREET, "Is this a football match?").startswith("I can't tell")


def test_what_touches_a_thing_is_near_it() -> None:
    desk = Scene(
        (Painted("laptop", (400, 300, 700, 600), "gray"), Painted("mouse", (600, 610, 680, 660), "black"))
    )
    assert ask(desk, "What is next to the laptop?") == "I see a computer mouse there."


TABLE = Scene(
    (
        Painted("dining table", (400, 0, 1000, 1000), "brown", 0.8),
        Painted("cup", (500, 400, 600, 500), "white", 0.7),
        Painted("chair", (300, 100, 700, 300), "red", 0.7),
        Painted("person", (100, 600, 800, 900), "white", 0.8),
    )
)


def test_what_is_on_a_table_is_not_who_sits_at_it() -> None:
    assert ask(TABLE, "What is on the table?") == "I see a cup there."


def test_depth_is_not_seen() -> None:
    assert ask(TABLE, "What is behind the chair?").startswith("I can't tell what is behind; close by I see")


def test_clothes_have_their_colour() -> None:
    assert ask(TABLE, "What is the person wearing?") == "The person is wearing white."
    assert ask(TABLE, "How many people are wearing white?") == "There is a person in white."
    assert ask(TABLE, "How many people are wearing blue?") == "I see no people."


def test_who_is_not_told() -> None:
    assert ask(TABLE, "Who is in the picture?") == "I see a person, but I can't tell who."
    assert ask(STREET, "Who is this?") == "I don't see any people in this picture."


def test_what_someone_does_with_nothing_is_not_guessed() -> None:
    alone = Scene((Painted("person", (200, 300, 900, 800)),))
    assert ask(alone, "What is the person doing?") == "I can't tell what the person is doing."


def test_turkish() -> None:
    assert ask(STREET, "Otobüs nerede?") == "Otobüs ortada."


def test_where_says_what_a_thing_stands_on_first() -> None:
    table = Painted("dining table", (400, 100, 900, 900), "brown")
    cup = Painted("cup", (350, 450, 500, 550), "white")
    assert ask(Scene((table, cup)), "Where is the cup?") == "The cup is on the table, in the middle."
    assert ask(Scene((table, cup)), "Bardak nerede?").startswith("Bardak masa üzerinde, ")


def test_what_someone_touches_counts_from_a_lower_score() -> None:
    skier = Painted("person", (100, 300, 800, 600), "blue")
    skis = Painted("skis", (750, 250, 850, 650), "black", score=0.22)
    assert ask(Scene((skier, skis)), "What is the person doing?") == "The person may be skiing."


def test_a_whole_person_is_on_their_feet_and_herds_graze_on_grass() -> None:
    whole = Painted("person", (200, 400, 900, 600))
    cut = Painted("person", (200, 400, 1000, 600))
    assert ask(Scene((whole,)), "What is she doing?") == "The person is standing or walking."
    assert ask(Scene((cut,)), "What is she doing?").startswith("I can't tell")
    cow = Painted("cow", (500, 300, 800, 700), "brown")
    field = Scene((cow,), background="green")
    assert ask(field, "What is the cow doing?") == "The cow is standing or grazing in a field."
    assert ask(Scene((cow,)), "What is the cow doing?").startswith("I can't tell")


def test_what_stands_on_the_table_is_not_held_and_what_reaches_the_head_is_eaten() -> None:
    person = Painted("person", (100, 300, 700, 700), "blue")
    table = Painted("dining table", (500, 100, 950, 900), "brown")
    glass = Painted("wine glass", (450, 450, 600, 520), "white")
    assert ask(Scene((person, table, glass)), "What is the man doing?") == "The person is at a table."
    assert ask(Scene((person, glass)), "What is he doing?") == "The person is holding a wine glass."
    banana = Painted("banana", (250, 450, 450, 550), "yellow")
    assert ask(Scene((person, banana)), "What is he doing?") == "The person is eating a banana."


def test_the_subject_is_who_stands_before_the_verb() -> None:
    rider = Painted("person", (100, 400, 600, 600), "blue")
    bike = Painted("motorcycle", (400, 300, 800, 700), "black")
    assert ask(Scene((rider, bike)), "What is she doing on the motorcycle?") == (
        "The person is riding a motorcycle."
    )
    assert ask(Scene((rider, bike)), "What does the woman ride?") == "The person is riding a motorcycle."


def test_what_is_heavy_stands_on_the_ground() -> None:
    car = Painted("car", (500, 300, 800, 700), "blue")
    truck = Painted("truck", (520, 200, 900, 800), "red")
    assert ask(Scene((car, truck)), "Where is the car?") == "The car is in the middle."


def test_what_a_question_presupposes_is_looked_for_harder() -> None:
    faint = Scene((Painted("bicycle", (700, 0, 900, 200), score=0.16),))
    assert ask(faint, "Where is the bicycle?") == "The bicycle is in the bottom left."
    assert ask(faint, "Is there a bicycle?").startswith("No")
