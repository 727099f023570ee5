"""From prompts to answers: which pictures, which form, in which stretches."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.engines.lite.fakes import KITCHEN, NOTHING, PARK, STREET, FakeModels, ask, ask_json, lite_of, told
from vidi.domain.geometry import Box
from vidi.domain.prompt import Output, Picture, Prompt, Request, Role, TextFormat, Turn
from vidi.engines.lite.vision.ocr import TextLine

Turns = tuple[Turn[Picture], ...]

SIGN = replace(
    STREET, text=(TextLine("MAIN ST", 0.9, Box(0, 0, 10, 10)), TextLine("No 5", 0.8, Box(20, 0, 30, 10)))
)


def test_without_a_picture_it_says_so() -> None:
    assert ask([], "Caption this image.").startswith("I see no picture")
    assert ask([], "Hello").startswith("Hello.")
    assert json.loads(ask_json([], "Caption this image."))["answer"].startswith("I see no picture")


def test_several_pictures_are_answered_one_by_one() -> None:
    assert ask([STREET, KITCHEN], "Caption these images.") == (
        "Image 1: A bus with two cars on a street.\n"
        "Image 2: A kitchen with a refrigerator, an oven and a sink."
    )


def test_a_follow_up_is_about_the_picture_before_and_costs_no_look() -> None:
    models = FakeModels()
    lite = lite_of(models)
    first = Turn(Role.USER, (models.know(STREET), "Is there a bus?"))
    assert told(lite, Request(turns=(first,))).text == "Yes, there is a red bus."
    looks = models.looks
    turns: Turns = (first, Turn(Role.MODEL, ("Yes.",)), Turn(Role.USER, ("And where is it?",)))
    assert told(lite, Request(turns=turns)).text == "The bus is in the middle."
    assert models.looks == looks == 1


def test_the_latest_pictures_are_meant() -> None:
    models = FakeModels()
    turns: Turns = (
        Turn(Role.USER, (models.know(STREET), "Caption this image.")),
        Turn(Role.MODEL, ("A bus.",)),
        Turn(Role.USER, (models.know(PARK), "And this one?")),
    )
    assert "frisbee" in told(lite_of(models), Request(turns=turns)).text


def test_to_compare_all_pictures_of_the_conversation_are_meant() -> None:
    models = FakeModels()
    turns: Turns = (
        Turn(Role.USER, (models.know(STREET), "Caption this image.")),
        Turn(Role.MODEL, ("A bus.",)),
        Turn(Role.USER, (models.know(replace(PARK, embedding=(0.0, 1.0))), "What is different?")),
    )
    assert told(lite_of(models), Request(turns=turns)).text.startswith("These are different pictures.")


def test_pictures_are_looked_at_when_their_turn_comes() -> None:
    models = FakeModels()
    pictures = [models.know(replace(STREET, width=200 + at)) for at in range(5)]
    prompt: Prompt = Request(turns=(Turn(Role.USER, (*pictures, "Caption these.")),))
    stream = lite_of(models).generate(prompt)
    next(stream)
    stream.close()
    assert models.looks == 1


@pytest.mark.parametrize(
    ("prompt", "value"),
    [
        ("Caption this image.", {"caption": "A bus with two cars on a street."}),
        ("How many cars are there?", {"count": 2}),
        ("List the objects.", ["bus", "car"]),
        ("What color is the bus?", {"answer": "The bus is red."}),
        ("Detect the bus", [{"box_2d": [300, 300, 700, 800], "label": "bus"}]),
    ],
)
def test_json_without_a_schema_takes_its_shape_from_the_prompt(prompt: str, value: object) -> None:
    assert json.loads(ask_json(STREET, prompt)) == value
    assert json.loads(ask(STREET, prompt, system="Answer in JSON.")) == value


def test_json_about_several_pictures_is_a_list() -> None:
    values = json.loads(ask_json([STREET, PARK], "How many cars are there?"))
    assert values == [{"count": 2}, {"count": 0}]


def test_text_is_read_out_where_there_is_a_reader() -> None:
    assert ask(SIGN, "Read the text", reads=True) == "MAIN ST\nNo 5"
    assert ask(STREET, "Read the text", reads=True) == "I see no text in this picture."


def test_without_a_reader_it_says_that_it_cannot_read() -> None:
    assert ask(SIGN, "What does the sign say?") == (
        "I can't read text here: the models for it are not installed "
        "(`pip install --no-deps rapidocr==3.10.0` adds them). I see a red bus and two cars."
    )


def test_what_it_cannot_do_it_says() -> None:
    assert ask(STREET, "Write a poem about this picture.").startswith(
        "I can't write that; I can only say what I see."
    )
    assert ask(STREET, "Wie ist das Wetter?").startswith(
        "I can't tell that from this picture. I see a red bus"
    )
    assert ask(NOTHING, "Who painted it?") == "I can't tell that from this picture."


def test_the_style_is_followed() -> None:
    assert ask(STREET, "What color is the bus? Answer in one word.") == "red"
    assert ask(STREET, "Is there a bus?", system="Answer with just yes or no.") == "yes"
    assert ask(STREET, "Caption this image in at most 3 words.") == "A bus."
    assert ask(STREET, "Describe this image in one sentence.") == "A bus with two cars on a street."
    assert len(ask(STREET, "Caption this image.", system="Answer in great detail.")) > 80
    assert ask(STREET, "Caption this image.", system="Respond in Turkish").startswith("Sokakta")


def test_an_enum_without_a_text_value_is_still_answered() -> None:
    assert ask(STREET, "Caption", output=Output(TextFormat.ENUM)) == "A bus with two cars on a street."
