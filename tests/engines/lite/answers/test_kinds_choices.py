"""Choosing among options, and the least wrong one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.engines.lite.fakes import (
    KITCHEN,
    LANGUAGES,
    NOTHING,
    PARK,
    STREET,
    Painted,
    Scene,
    ask,
    evidence_of,
)
from vidi.domain.geometry import Box
from vidi.engines.lite.answers.kinds import best_option, plain
from vidi.engines.lite.vision.ocr import TextLine

LEXICON = LANGUAGES.lexicons["en"]


@pytest.mark.parametrize(
    ("scene", "options", "best"),
    [
        (STREET, ("KITCHEN", "CITY_STREET", "BEACH", "street"), "street"),
        (STREET, ("cat", "bus", "car"), "bus"),
        (STREET, ("food", "vehicle"), "vehicle"),
        (PARK, ("animal", "dog"), "dog"),
        (PARK, ("Labrador retriever", "golden retriever"), "golden retriever"),
        (KITCHEN, ("outdoor", "indoor"), "indoor"),
        (KITCHEN, ("nature", "interior"), "interior"),
        (STREET, ("sports", "transportation"), "transportation"),
        (STREET, ("blue", "red"), "red"),
    ],
)
def test_what_the_evidence_supports_wins(scene: Scene, options: tuple[str, ...], best: str) -> None:
    assert best_option(options, evidence_of(scene), LEXICON) == (best, True)


def test_equal_options_give_the_earlier() -> None:
    assert best_option(("bus", "BUS"), evidence_of(STREET), LEXICON)[0] == "bus"


@pytest.mark.parametrize(
    ("options", "least_wrong"),
    [
        (("cat", "other", "dog"), "other"),
        (("cat", "dog", "NONE_OF_THE_ABOVE"), "NONE_OF_THE_ABOVE"),
        (("cat", "dog"), "cat"),
        (("cat", "tench"), "tench"),
    ],
)
def test_where_nothing_is_supported_the_least_wrong_is_taken(
    options: tuple[str, ...], least_wrong: str
) -> None:
    scene = replace(NOTHING, labels=(("tench", 0.05),))
    assert best_option(options, evidence_of(scene), LEXICON) == (least_wrong, False)


def test_text_in_the_picture_supports_an_option() -> None:
    sign = replace(NOTHING, text=(TextLine("Exit here", 0.9, Box(0, 0, 10, 10)),))
    assert best_option(("entrance", "exit"), evidence_of(sign, reads=True), LEXICON) == ("exit", True)


def test_options_are_read_as_words() -> None:
    assert [plain(each) for each in ("STREET_SCENE", "streetScene", " Street-scene! ")] == [
        "street scene"
    ] * 3


BUS_AND_PEOPLE = Scene(
    (
        Painted("bus", (100, 550, 800, 950), "blue", 0.8),
        *(Painted("person", (500, left, 900, left + 100), "black", 0.7) for left in (20, 160, 300)),
    )
)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Is the bus red or blue?", "Blue."),
        ("Is the bus blue or red?", "Blue."),
        ("Is the bus red or green?", "The bus is blue."),
        ("Is the bus on the left or on the right?", "The bus is on the right."),
        ("Are there more people or buses?", "People."),
        (
            "Is the bus moving or parked?",
            "I can't tell that from this picture. I see a blue bus and three people.",
        ),
        ("Is this a bus or a truck?", "Bus."),
        ("Otobüs mavi mi kırmızı mı?", "Mavi."),
        ("Otobüs solda mı sağda mı?", "Sağda."),
        ("¿El autobús es rojo o azul?", "Azul."),
    ],
)
def test_what_a_thing_has_of_two_is_told_and_never_made_up(question: str, answer: str) -> None:
    assert ask(BUS_AND_PEOPLE, question) == answer


def test_a_state_is_not_chosen_for_the_thing_that_has_it() -> None:
    told = ask(BUS_AND_PEOPLE, "Is the bus moving or parked?")
    assert told == "I can't tell that from this picture. I see a blue bus and three people."


PAGE = Scene(
    (Painted("book", (0, 0, 1000, 500), "gray", 0.01),),
    labels=(("pill bottle", 0.3),),
    text=tuple(
        TextLine(text, 0.9, Box(top, 100, top + 50, 900))
        for top, text in (
            (100, "Dear reader,"),
            (200, "this page has several lines,"),
            (300, "and no thing."),
        )
    ),
)


@pytest.mark.parametrize("question", ["What is this?", "Caption this image."])
def test_a_page_of_text_is_told_by_how_it_begins(question: str) -> None:
    assert ask(PAGE, question, reads=True) == 'A page of text that begins with "Dear reader,".'
    sure = replace(PAGE, labels=(("pill bottle", 0.8),))
    assert "pill bottle" in ask(sure, question, reads=True)


def test_what_is_in_a_thing_lies_in_it() -> None:
    cup = (Painted("cup", (300, 300, 600, 600)), Painted("dining table", (500, 0, 1000, 1000)))
    assert ask(Scene(cup), "What is in the cup?") == "I can't make out anything else there."
    spoon = Painted("spoon", (320, 350, 500, 450), "gray")
    assert "spoon" in ask(Scene((*cup, spoon)), "What is in the cup?")
