"""What is written, on what, and what has changed in it."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from tests.engines.lite.fakes import (
    BUS,
    LANGUAGES,
    NOTHING,
    STREET,
    FakeModels,
    Scene,
    ask,
    evidence_of,
    lite_of,
    picture_of,
    told,
)
from vidi.domain.geometry import Box
from vidi.domain.prompt import Output, Prompt, Request, Role, TextFormat, Turn
from vidi.domain.schema import Kind, Property, Schema
from vidi.engines.lite.answers.lists import text_on, wants_text
from vidi.engines.lite.vision.ocr import TextLine

NUMBER = TextLine("17 Centre", 0.9, Box(320, 400, 380, 600))
SHOP = TextLine("BAKERY", 0.95, Box(50, 100, 120, 400))
WRITTEN = replace(STREET, text=(SHOP, NUMBER))


def test_what_is_written_on_a_thing_is_read_from_it() -> None:
    assert ask(WRITTEN, "What does the bus say?", reads=True) == "17 Centre"
    assert ask(WRITTEN, "What number is on the bus?", reads=True) == "17 Centre"
    assert ask(WRITTEN, "Read the text.", reads=True) == "BAKERY\n17 Centre"


def test_a_thing_without_text_is_said_to_have_none() -> None:
    bare = replace(WRITTEN, text=(SHOP,))
    assert ask(bare, "What does the bus say?", reads=True) == (
        "I can make out no text on the bus. The picture reads: BAKERY."
    )
    assert ask(STREET, "What does the bus say?", reads=True) == "I can make out no text on the bus."


def test_a_sign_that_the_detector_does_not_know_has_all_text() -> None:
    assert ask(replace(NOTHING, text=(SHOP,)), "What does the sign say?", reads=True) == "BAKERY"


@pytest.mark.parametrize(
    "prompt", ["Detect the text.", "Detect all text in the image.", "Draw bounding boxes around the text."]
)
def test_text_is_boxed_in_reading_order(prompt: str) -> None:
    assert json.loads(ask(WRITTEN, prompt, reads=True)) == [
        {"box_2d": [50, 100, 120, 400], "label": "BAKERY"},
        {"box_2d": [320, 400, 380, 600], "label": "17 Centre"},
    ]
    assert json.loads(ask(STREET, prompt, reads=True)) == []
    assert json.loads(ask(WRITTEN, prompt, reads=False)) == []


def test_a_limit_holds_for_text() -> None:
    prompt = "Detect the text, no more than 1 box."
    assert [each["label"] for each in json.loads(ask(WRITTEN, prompt, reads=True))] == ["BAKERY"]


@pytest.mark.parametrize(
    ("prompt", "wanted"),
    [
        ("yazıları tespit et", True),
        ("Detect all of the prominent items. Return only JSON, no extra text.", False),
        ('Give the box_2d and the text label in the key "label".', False),
        ("Detect the text on the bus", False),
        ("Describe all the text", False),
    ],
)
def test_boxes_of_text_are_not_confused_with_other_wishes(prompt: str, wanted: bool) -> None:
    language = LANGUAGES.by_id["tr" if "ı" in prompt else "en"]
    assert wants_text(LANGUAGES.parse_text(prompt.lower(), language)) is wanted


STRING = Schema(kinds=frozenset({Kind.STRING}))
PLACE = Schema(
    kinds=frozenset({Kind.ARRAY}), items=Schema(kinds=frozenset({Kind.INTEGER})), min_items=4, max_items=4
)


def filled(scene: Scene, prompt: str, *properties: Property) -> object:
    item = Schema(kinds=frozenset({Kind.OBJECT}), properties=properties)
    schema = Schema(kinds=frozenset({Kind.ARRAY}), items=item)
    return json.loads(ask(scene, prompt, output=Output(TextFormat.JSON, schema), reads=True))


def test_a_schema_of_texts_and_places_gets_the_lines() -> None:
    members = (Property("text", STRING, required=True), Property("box_2d", PLACE, required=True))
    assert filled(WRITTEN, "OCR this image.", *members) == [
        {"text": "BAKERY", "box_2d": [50, 100, 120, 400]},
        {"text": "17 Centre", "box_2d": [320, 400, 380, 600]},
    ]


def test_a_schema_of_things_gets_the_text_on_each() -> None:
    members = (
        Property("label", STRING, required=True),
        Property("text", STRING, required=True),
        Property("box_2d", PLACE, required=True),
    )
    values = filled(WRITTEN, "Detect the bus.", *members)
    assert values == [{"label": "bus", "text": "17 Centre", "box_2d": [300, 300, 700, 800]}]


def test_text_on_a_box() -> None:
    assert text_on(Box(*BUS.box), evidence_of(WRITTEN, reads=True)) == "17 Centre"
    assert text_on(Box(*BUS.box), evidence_of(WRITTEN)) == ""


def changed(old: str, new: str, prompt: str = "What has changed?") -> str:
    """What is said of two noisy pictures that differ in a patch on which there is text."""
    models, noise = FakeModels(), np.random.default_rng(0).integers(60, 200, (30, 30, 3), np.uint8)
    before = noise.repeat(10, axis=0).repeat(10, axis=1)
    after = before.copy()
    after[40:70, 30:150] = 255 - after[40:70, 30:150]
    pictures = []
    for pixels, text in ((before, old), (after, new)):
        picture = picture_of(pixels)
        line = TextLine(text, 0.9, Box(140, 110, 230, 490))
        models.scenes[picture.digest] = Scene(text=(line,) if text else ())
        pictures.append(picture)
    asked: Prompt = Request(turns=(Turn(Role.USER, (*pictures, prompt)),))
    return told(lite_of(models, reads=True), asked).text


def test_changed_text_is_told() -> None:
    assert 'changed from "OPEN" to "SHUT"' in changed("OPEN", "SHUT")
    assert 'changed from "OPEN" to "SHUT"' in changed("OPEN", "SHUT", "Which text changed?")
    assert '"SHUT" was added' in changed("", "SHUT")
    assert '"OPEN" was removed' in changed("OPEN", "")
    assert "omething has changed" in changed("SAME", "SAME")
    assert '"OPEN" iken "SHUT"' in changed("OPEN", "SHUT", "Ne değişti?")


SIGNS = replace(
    STREET,
    text=(
        TextLine("GRAND TOTAL", 0.9, Box(100, 100, 150, 540)),
        TextLine("totals", 0.9, Box(800, 0, 840, 60)),
    ),
)


@pytest.mark.parametrize(
    ("prompt", "boxes"),
    [
        ("Detect the word TOTAL", [([100, 340, 150, 540], "TOTAL")]),
        ('"total" kelimesini tespit et', [([100, 340, 150, 540], "TOTAL")]),
        ("Detecta la palabra total", [([100, 340, 150, 540], "TOTAL")]),
        ("Detect the word tota", [([100, 340, 150, 500], "TOTA"), ([800, 0, 840, 40], "tota")]),
        ("Detect the word EXIT", []),
        ("Detect the word EXIT and the bus", [([300, 300, 700, 800], "bus")]),
        ("Detect the word EXIT on the bus", []),
    ],
)
def test_a_word_that_is_named_is_boxed(prompt: str, boxes: list[tuple[list[int], str]]) -> None:
    assert json.loads(ask(SIGNS, prompt, reads=True)) == [
        {"box_2d": box, "label": label} for box, label in boxes
    ]


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Where is the word TOTAL?", '"TOTAL" is written at the top.'),
        ("Is the word total in the image?", 'Yes, "TOTAL" is written at the top.'),
        ("Where is the word EXIT?", 'I can not read "exit" in this picture.'),
        ("How many times does the word total appear?", '"TOTAL" is written at the top.'),
        ("TOTAL kelimesi nerede?", 'Üstte "TOTAL" yazıyor.'),
        ("¿Dónde está la palabra total?", '"TOTAL" está escrito arriba.'),
    ],
)
def test_a_word_that_is_named_is_placed(question: str, answer: str) -> None:
    assert ask(SIGNS, question, reads=True) == answer
