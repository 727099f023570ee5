"""Requests for places in the families' own terms."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engines.grounding.setting import (
    BOX,
    DIALECTS,
    TEXT,
    WHOLE,
    array,
    asking,
    members,
    parsed,
    picture,
)
from vidi.domain.answer import Finish, Piece
from vidi.domain.prompt import MediaResolution, Output, Request, Role, Sampling, TextFormat, Turn
from vidi.domain.schema import JsonValue, Kind, Schema
from vidi.engines.grounding.request import GroundingRequest, grounding_request, read_places
from vidi.engines.grounding.schema import PlaceKind
from vidi.engines.profile import Dialect

GUIDE = (
    "Detect the all of the prominent items in the image. "
    "The box_2d should be [ymin, xmin, ymax, xmax] normalized to 0-1000."
)
SYSTEM = """
Return bounding boxes as a JSON array with labels. Never return masks or code fencing. Limit to 25 objects.
If an object is present several times, name each by what makes it unique (colour, size, position, ...).
"""
QWEN = (
    'Locate every instance that belongs to the following categories: "{}". '
    "Report bbox coordinates in JSON format."
)


def answered(made: GroundingRequest[int], text: str) -> JsonValue:
    """The value that comes back of an answer that comes in pieces."""

    async def pieces() -> AsyncIterator[Piece]:
        for at in range(0, len(text), 7):
            yield Piece(text[at : at + 7])
        yield Piece("", finish=Finish.STOP)

    async def read() -> str:
        return "".join([piece.text async for piece in read_places(pieces(), made, (picture(),))])

    return parsed(asyncio.run(read()))


def requested(asked: Request[int], family: str = "qwen3.5") -> GroundingRequest[int]:
    made = grounding_request(asked, DIALECTS[family])
    assert made is not None
    return made


def test_the_guide_s_request_becomes_the_family_s() -> None:
    made = requested(asking(GUIDE))
    assert made.native.turns == (Turn(Role.USER, (1, QWEN.format("every prominent object"))),)
    number = Schema(kinds=frozenset({Kind.INTEGER}), minimum=0, maximum=1000)
    numbers = Schema(kinds=frozenset({Kind.ARRAY}), items=number, min_items=4, max_items=4)
    assert made.native.output == Output(TextFormat.JSON, array(members(bbox_2d=numbers, label=TEXT)))


@pytest.mark.parametrize(
    ("family", "asked"),
    [
        (
            "qwen2.5-vl",
            "Outline the position of each red car and output all the coordinates in JSON format.",
        ),
        (
            "lfm2.5-vl",
            "Detect all red car. Provide result as a valid JSON: "
            '[{"label": str, "bbox": [x1,y1,x2,y2]}, ...]. '
            "Coordinates must be normalized to 0-1.",
        ),
        (
            "internvl3.5",
            "Please provide the bounding box coordinate of the region this sentence describes: "
            "<ref>red car</ref>",
        ),
        ("paligemma-2", "detect red car"),
        ("florence-2", "<OPEN_VOCABULARY_DETECTION>red car"),
        ("deepseek-ocr", "Locate <|ref|>red car<|/ref|> in the image."),
        ("granite-docling", "Convert this page to docling."),
    ],
)
def test_each_family_is_asked_in_its_own_words(family: str, asked: str) -> None:
    made = requested(asking("Give me the bounding box of the red car in JSON."), family)
    assert made.native.turns[-1].parts == (1, asked)
    assert made.label == "red car"


@pytest.mark.parametrize("family", [each for each in DIALECTS if each not in ("molmo-2", "gemma-4")])
def test_no_family_is_told_of_an_order_that_is_not_its_own(family: str) -> None:
    for text in requested(asking(GUIDE, SYSTEM), family).native.texts():
        assert "ymin" not in text
        assert "box_2d" not in text.replace("bbox_2d", "")
        assert "0-1000" not in text


def test_the_system_instruction_keeps_what_is_not_about_the_form() -> None:
    made = requested(asking("Show me the positions of the socks with the face", SYSTEM))
    assert made.native.turns[-1].parts == (1, QWEN.format("socks with the face"))
    assert made.native.system == (
        "Limit to 25 objects.\n"
        "If an object is present several times, name each by what makes it unique "
        "(colour, size, position, ...)."
    )


def test_additions_and_limits_follow_the_native_prompt() -> None:
    made = requested(asking("Find all socks and label them with emojis. At most 3.", SYSTEM))
    assert made.native.turns[-1].parts == (1, QWEN.format("socks") + "\nLabel them with emojis.\nAt most 3.")


def test_a_question_of_another_kind_stays_and_is_pointed_to() -> None:
    made = requested(asking("Which of these are dangerous?", SYSTEM))
    assert made.native.turns[-1].parts == (
        1,
        "Which of these are dangerous?",
        QWEN.format("thing that is asked for above"),
    )


def test_a_picture_alone_is_asked_by_the_system_instruction() -> None:
    asked: Request[int] = Request((Turn(Role.USER, (1,)),), system=SYSTEM)
    assert requested(asked).native.turns[-1].parts == (1, QWEN.format("every prominent object"))


def test_quotation_marks_cannot_leave_the_quotation() -> None:
    made = requested(asking('Find the sign that says "STOP". Return box_2d.'))
    assert QWEN.format("sign that says 'STOP'") in made.native.turns[-1].parts


def test_points_are_asked_for_as_points_or_as_boxes() -> None:
    made = requested(asking("Point to the cats"))
    assert "Report point coordinates in JSON format." in str(made.native.turns[-1].parts[1])
    assert answered(made, '[{"point_2d": [100, 200], "label": "cat"}]') == [
        {"point": [200, 100], "label": "cat"}
    ]
    made = requested(asking("Point to the cats"), "lfm2.5-vl")
    assert str(made.native.turns[-1].parts[1]).startswith("Detect all cats.")
    assert answered(made, '[{"label": "cat", "bbox": [0.1, 0.2, 0.3, 0.8]}]') == [
        {"point": [500, 200], "label": "cat"}
    ]


def test_a_family_of_points_is_not_asked_for_boxes() -> None:
    assert grounding_request(asking(GUIDE), DIALECTS["molmo-2"]) is None
    assert grounding_request(asking("Point to the cats"), DIALECTS["molmo-2"]) is not None


def test_the_api_s_own_form_is_asked_as_it_stands_and_read_all_the_same() -> None:
    for asked in (asking(GUIDE), asking("What?", schema=array(members(box_2d=BOX, label=TEXT)))):
        made = requested(asked, "gemma-4")
        assert made.native is asked
        answer = '```json\n[{"box_2d": [800, 300.2, 200, 100], "label": "cat"}]\n```'
        assert answered(made, answer) == [{"box_2d": [200, 100, 800, 300], "label": "cat"}]


def test_another_name_than_the_api_s_is_asked_for_natively() -> None:
    schema = array(members(label=TEXT, bounding_box=members(xmin=WHOLE, ymin=WHOLE, xmax=WHOLE, ymax=WHOLE)))
    made = requested(asking("Find the cats.", schema=schema), "gemma-4")
    assert "Detect cats in the image" in str(made.native.turns[-1].parts[1])
    assert made.native.output.schema is not None
    answer = '[{"label": "cat", "box_2d": [200, 100, 800, 300]}]'
    assert answered(made, answer) == [
        {"label": "cat", "bounding_box": {"ymin": 200, "xmin": 100, "ymax": 800, "xmax": 300}}
    ]


def test_a_schema_keeps_its_members_and_their_order() -> None:
    schema = members(count=WHOLE, objects=array(members(label=TEXT, box_2d=BOX, colour=TEXT)), scene=TEXT)
    made = requested(asking("Find the cars.", schema=schema))
    native = made.native.output.schema
    assert native is not None
    assert [each.name for each in native.properties] == ["count", "objects", "scene"]
    items = native.properties[1].schema.items
    assert items is not None
    assert [each.name for each in items.properties] == ["label", "bbox_2d", "colour"]


def test_numbers_are_the_family_s_own() -> None:
    schema = array(members(box_2d=BOX))

    def number(family: str) -> Schema | None:
        native = requested(asking("Find the cars.", schema=schema), family).native.output.schema
        assert native is not None
        assert native.items is not None
        return native.items.properties[0].schema.items

    assert number("qwen3.5") == Schema(kinds=frozenset({Kind.INTEGER}), minimum=0, maximum=1000)
    assert number("lfm2.5-vl") == Schema(kinds=frozenset({Kind.NUMBER}), minimum=0, maximum=1)
    assert number("qwen2.5-vl") == Schema(kinds=frozenset({Kind.INTEGER}), minimum=0)


def test_a_family_that_writes_no_json_is_held_to_no_schema() -> None:
    schema = array(members(box_2d=BOX, label=TEXT))
    assert requested(asking("Find the cars.", schema=schema), "internvl3.5").native.output == Output()


def test_what_is_not_about_places_is_left_alone() -> None:
    assert grounding_request(asking("Caption this image."), DIALECTS["qwen3.5"]) is None
    before: Turn[int] = Turn(Role.USER, (1, "Look."))
    asked = replace(
        asking(GUIDE),
        turns=(before, Turn(Role.MODEL, ("Yes.",)), Turn(Role.USER, (2, GUIDE, 3))),
        sampling=Sampling(temperature=0.5),
        resolution=MediaResolution.LOW,
        candidates=2,
    )
    made = requested(asked).native
    assert made.turns[:2] == asked.turns[:2]
    assert list(made.images()) == [1, 2, 3]
    assert (made.sampling, made.resolution, made.candidates) == (asked.sampling, asked.resolution, 2)


def test_an_order_with_x_first_is_given_as_asked() -> None:
    text = "Detect the cats. Return bounding boxes as [xmin, ymin, xmax, ymax]."
    for family, answer in (("qwen3.5", "bbox_2d"), ("gemma-4", "box_2d")):
        made = requested(asking(text), family)
        numbers = [100, 200, 300, 800] if family == "qwen3.5" else [200, 100, 800, 300]
        assert answered(made, f'[{{"{answer}": {numbers}, "label": "cat"}}]') == [
            {"box_2d": [100, 200, 300, 800], "label": "cat"}
        ]


@given(text=st.text(), system=st.text(), dialect=st.sampled_from(list(DIALECTS.values())))
def test_any_request_can_be_requested(text: str, system: str, dialect: Dialect) -> None:
    schema = array(members(box_2d=BOX))
    grounding_request(asking(text, system), dialect)
    made = grounding_request(asking(text, system, schema), dialect)
    assert made is None or (made.wanted.kind is PlaceKind.BOXES and list(made.native.images()) == [1])


@pytest.mark.slow
def test_many_words_take_time_in_proportion() -> None:
    assert requested(asking("Find the " + "very " * 4000 + "old cat. " * 2500 + "box_2d")).native.turns


def test_the_example_of_the_documentation_is_true() -> None:
    page = (Path(__file__).parents[3] / "docs" / "grounding.md").read_text("utf-8")
    asked, native, answer, expected = page.partition("```text\n")[2].partition("\n```")[0].splitlines()
    made = requested(asking(asked.strip('"')))
    assert made.native.turns[-1].parts == (1, native.strip().removeprefix("-> "))
    assert answered(made, answer.strip().removeprefix("<- ")) == json.loads(expected)
