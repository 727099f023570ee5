"""Masks beside the boxes of any family: how it is asked, and what comes back of its pieces."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image

from tests.engines.grounding.setting import BOX, DIALECTS, TEXT, array, members
from tests.engines.grounding.test_prompt_rewrite_masks import COOKBOOK
from tests.waiting import HANG_SECONDS
from vidi.domain.answer import Finish, Piece, fold
from vidi.domain.geometry import Box, MaskImage, Placement
from vidi.domain.prompt import Output, Picture, Request, Role, TextFormat, Turn
from vidi.domain.schema import Schema
from vidi.engines.grounding.request import grounding_request, read_places
from vidi.engines.grounding.tags import MOST_CORNERS
from vidi.engines.profile import Dialect, Form, Order
from vidi.engines.segmenter import SegmenterThreads
from vidi.engines.validation import AnswerMismatch

QWEN, GEMMA = DIALECTS["qwen3-vl"], DIALECTS["gemma-4"]
RULES = Dialect(Form.JSON, Order.YXYX)
"""As vidi-lite has it: always the API's own form."""

LISTING = array(members(box_2d=BOX, mask=TEXT, label=TEXT))


def shown(width: int, height: int) -> Picture:
    return Picture(
        width, height, bytes(width * height * 3), Placement(width, height, 0, 0, width, height), ""
    )


FIRST, SECOND = shown(100, 100), shown(200, 100)


class Telling:
    """A segmenter whose masks tell what was asked: width of the picture, edges of the box."""

    def mask(self, picture: Picture, box: Box, label: str) -> MaskImage:
        return MaskImage(3, 1, bytes([picture.width, round(box.ymin / 4), len(label)]))

    def close(self) -> None:
        pass


def asking(*parts: str | Picture, schema: Schema | None = None) -> Request[Picture]:
    output = Output(TextFormat.JSON, schema) if schema else Output()
    return Request(turns=(Turn(Role.USER, parts),), output=output)


def answered(asked: Request[Picture], dialect: Dialect | None, pieces: Sequence[Piece]) -> list[Piece]:
    request = grounding_request(asked, dialect)
    assert request is not None
    assert request.wanted.masks

    async def given() -> AsyncIterator[Piece]:
        for piece in pieces:
            yield piece

    async def read() -> list[Piece]:
        with closing(SegmenterThreads(Telling(), 2)) as threads:
            return [each async for each in read_places(given(), request, tuple(asked.images()), threads)]

    return asyncio.run(read())


def pieces(text: str) -> list[Piece]:
    return [*(Piece(each, tokens=1) for each in text), Piece("", finish=Finish.STOP)]


def value(got: Sequence[Piece]) -> Any:
    (answer,) = fold(got)
    return json.loads(answer.text)


def told(mask: str) -> tuple[int, ...]:
    """What a mask tells."""
    encoded = mask.removeprefix("data:image/png;base64,")
    with Image.open(io.BytesIO(base64.b64decode(encoded, validate=True))) as image:
        return tuple(image.tobytes())


def test_a_family_is_asked_for_boxes_in_its_own_words() -> None:
    request = grounding_request(asking(FIRST, COOKBOOK), QWEN)
    assert request is not None
    assert request.summary == "re-asked; boxes, masks"
    (text,) = (part for part in request.native.turns[0].parts if isinstance(part, str))
    assert 'categories: "wooden and glass items"' in text
    assert "mask" not in text
    schema = request.native.output.schema
    assert schema is not None and schema.items is not None
    assert [each.name for each in schema.items.properties] == ["bbox_2d", "label"]


@pytest.mark.parametrize("dialect", [GEMMA, None], ids=["writes the API's form", "tells no form"])
def test_who_writes_the_apis_form_is_asked_for_boxes_too(dialect: Dialect | None) -> None:
    request = grounding_request(asking(FIRST, COOKBOOK, schema=LISTING), dialect)
    assert request is not None
    assert "mask" not in " ".join(request.native.texts())
    schema = request.native.output.schema
    assert schema is not None and schema.items is not None
    assert [each.name for each in schema.items.properties] == ["box_2d", "label"]


def test_without_a_dialect_nothing_but_masks_is_asked_anew() -> None:
    assert grounding_request(asking(FIRST, "Detect the dogs. Give box_2d."), None) is None


def test_rules_are_asked_in_plain_words() -> None:
    request = grounding_request(asking(FIRST, COOKBOOK), RULES)
    assert request is not None
    assert request.summary == "as asked; boxes, masks"
    assert list(request.native.texts()) == [
        "Give the bounding boxes for the wooden and glass items. Use descriptive labels."
    ]
    assert request.native.output == Output(TextFormat.JSON)


def test_rules_that_are_told_a_form_only_look_for_everything() -> None:
    request = grounding_request(asking(FIRST, 'JSON with "box_2d", "mask" and "label".'), RULES)
    assert request is not None
    assert list(request.native.texts()) == ["Detect all objects."]


def test_each_box_has_its_mask_before_its_label() -> None:
    text = '[{"bbox_2d": [100, 200, 300, 400], "label": "cup"}]'
    (found,) = value(answered(asking(FIRST, COOKBOOK), QWEN, pieces(text)))
    assert list(found) == ["box_2d", "mask", "label"]
    assert found["box_2d"] == [200, 100, 400, 300]
    assert told(found["mask"]) == (100, 50, 3)


def test_a_schema_names_the_mask_and_places_it() -> None:
    schema = array(members(name=TEXT, segmentation_mask=TEXT, box=BOX))
    text = '[{"bbox_2d": [100, 200, 300, 400], "label": "cup"}]'
    (found,) = value(answered(asking(FIRST, "Find the cups.", schema=schema), QWEN, pieces(text)))
    assert list(found) == ["name", "segmentation_mask", "box"]
    assert told(found["segmentation_mask"]) == (100, 50, 3)


def test_a_prompt_names_the_members() -> None:
    prompt = 'Segment the cups. Answer like [{"bbox": [0, 0, 1, 1], "mask_png": "...", "name": "cup"}]'
    text = '[{"bbox_2d": [100, 200, 300, 400], "label": "cup"}]'
    for dialect, written in ((QWEN, text), (RULES, text.replace("bbox_2d", "box_2d"))):
        (found,) = value(answered(asking(FIRST, prompt), dialect, pieces(written)))
        assert list(found) == ["bbox", "mask_png", "name"]


def test_objects_come_one_by_one_and_only_the_models_own_tokens_are_counted() -> None:
    first, second = '[{"box_2d": [1, 2, 3, 4], "label": "a"}', ', {"box_2d": [5, 6, 7, 8], "label": "b"}]'
    got = answered(asking(FIRST, COOKBOOK), RULES, [Piece(first, tokens=9), *pieces(second)])
    assert got[0].text.endswith('"label": "a"}')
    assert json.loads(got[0].text + "]")[0]["mask"]
    (answer,) = fold(got)
    assert answer.tokens == 9 + len(second)
    assert [each["label"] for each in json.loads(answer.text)] == ["a", "b"]


def test_a_mask_that_a_model_writes_itself_gives_way() -> None:
    text = '[{"bbox_2d": [100, 200, 300, 400], "label": "cup", "mask": "<seg_1><seg_2>"}]'
    for schema in (None, LISTING):
        (found,) = value(answered(asking(FIRST, COOKBOOK, schema=schema), QWEN, pieces(text)))
        assert told(found["mask"])


def test_thoughts_have_no_masks() -> None:
    thought = Piece('[{"bbox_2d": [100, 200, 300, 400]}]', tokens=4, thought=True)
    got = answered(asking(FIRST, COOKBOOK), QWEN, [thought, *pieces("[]")])
    assert got[0] == thought
    assert value(got[1:]) == []


@pytest.mark.parametrize(
    "numbers", ["[100, 200, 100, 400]", "[2000, 2000, 3000, 3000]", "[-9, -9, -1, -1]", "[0, 0, 0, 0]"]
)
def test_a_box_without_an_area_in_the_picture_has_no_mask_and_no_place(numbers: str) -> None:
    text = f'[{{"bbox_2d": {numbers}, "label": "cup"}}]'
    assert value(answered(asking(FIRST, COOKBOOK), QWEN, pieces(text))) == []


def test_a_hundred_boxes_have_a_hundred_masks() -> None:
    text = json.dumps([{"bbox_2d": [at, at, at + 100, at + 100], "label": "cup"} for at in range(100)])
    found = value(answered(asking(FIRST, COOKBOOK), QWEN, pieces(text)))
    assert len({told(each["mask"])[1] for each in found}) > 20
    assert len(found) == 100


def test_of_several_pictures_each_list_is_about_its_own() -> None:
    text = '[[{"box_2d": [1, 2, 3, 4], "label": "a"}], [], [{"box_2d": [5, 6, 7, 8], "label": "b"}]]'
    asked = asking(FIRST, FIRST, SECOND, COOKBOOK)
    first, none, last = value(answered(asked, RULES, pieces(text)))
    assert (told(first[0]["mask"])[0], none, told(last[0]["mask"])[0]) == (100, [], 200)
    # Pictures of earlier turns are not listed.
    earlier = replace(asked, turns=(Turn(Role.USER, (SECOND, "hi")), Turn(Role.MODEL, ("hi",)), *asked.turns))
    again = value(answered(earlier, RULES, pieces(text)))
    assert told(again[0][0]["mask"])[0] == 100


@pytest.mark.parametrize(
    ("text", "width"),
    [
        ("Segment the dogs in image 1.", 100),
        ("Segment the dogs in image 2.", 200),
        ("2. resimdeki köpekleri bölütle.", 200),
        ("1. resimdeki köpekleri bölütle.", 100),
        ("Segment the dogs.", 100),
        ("Segment the dogs in image 7.", 100),
    ],
)
def test_one_list_about_a_picture_with_a_number_is_about_that(text: str, width: int) -> None:
    answer = pieces('[{"box_2d": [1, 2, 3, 4], "label": "a"}]')
    (found,) = value(answered(asking(FIRST, SECOND, FIRST, text), RULES, answer))
    assert told(found["mask"])[0] == width


def test_who_hangs_up_has_no_more_masks_made() -> None:
    made: list[str] = []
    going, enough = threading.Event(), threading.Event()

    class Slow(Telling):
        def mask(self, picture: Picture, box: Box, label: str) -> MaskImage:
            made.append(label)
            going.set()
            enough.wait(HANG_SECONDS)
            return super().mask(picture, box, label)

    asked = asking(FIRST, COOKBOOK)
    request = grounding_request(asked, QWEN)
    assert request is not None
    text = json.dumps([{"bbox_2d": [1, 1, 9, 9], "label": str(at)} for at in range(100)])

    async def given() -> AsyncIterator[Piece]:
        yield Piece(text)

    async def read() -> None:
        with closing(SegmenterThreads(Slow(), 1)) as threads:
            answer = read_places(given(), request, (FIRST,), threads)
            first = asyncio.ensure_future(anext(aiter(answer)))
            await asyncio.to_thread(going.wait, HANG_SECONDS)
            first.cancel()
            await asyncio.wait({first})
            enough.set()

    asyncio.run(read())
    assert made == ["0"]


def test_where_there_is_nothing_there_are_no_masks() -> None:
    for text in ("[]", "I see no cups.", '[{"bbox_2d": [1, 2', ""):
        assert value(answered(asking(FIRST, COOKBOOK), QWEN, pieces(text))) == []


def test_an_answer_that_misses_the_schema_is_no_answer() -> None:
    schema = replace(LISTING, min_items=3)
    with pytest.raises(AnswerMismatch):
        answered(asking(FIRST, COOKBOOK, schema=schema), QWEN, pieces("[]"))


@pytest.mark.parametrize(
    "text", ["Point to the cups.", "What is this?", "Never return masks. Detect cups: box_2d"]
)
def test_where_no_masks_are_wanted_none_are_made(text: str) -> None:
    request = grounding_request(asking(FIRST, text), QWEN)
    assert request is None or not request.wanted.masks


FLORENCE, PALIGEMMA = DIALECTS["florence-2"], DIALECTS["paligemma-2"]


def places(*corners: int) -> str:
    return "".join(f"<loc_{each}>" for each in corners)


def test_who_draws_outlines_is_asked_for_them() -> None:
    request = grounding_request(asking(FIRST, "Segment the roof."), FLORENCE)
    assert request is not None
    assert list(request.native.texts()) == ["<REFERRING_EXPRESSION_SEGMENTATION>roof"]
    boxes = grounding_request(asking(FIRST, "Detect the roof. Give box_2d."), FLORENCE)
    assert boxes is not None
    assert list(boxes.native.texts()) == ["<OPEN_VOCABULARY_DETECTION>roof"]


def grey(mask: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(mask.partition(",")[2], validate=True)))


def test_outlines_become_masks_of_the_boxes_that_they_span() -> None:
    # A roof, and a square beside it that belongs to the same thing.
    text = (
        f"<s>{places(100, 600, 300, 200, 500, 600)}<sep>{places(700, 200, 899, 200, 899, 600, 700, 600)}</s>"
    )
    (found,) = value(answered(asking(FIRST, "Segment the roof."), FLORENCE, pieces(text)))
    assert found["box_2d"] == [201, 101, 601, 900]
    assert found["label"] == "roof"
    mask = grey(found["mask"])
    assert mask.size == (256, 256)
    inside = {
        (64, 200): 255,
        (5, 5): 0,
        (64, 10): 255,
        (120, 30): 0,
        (160, 128): 0,
        (220, 10): 255,
        (220, 250): 255,
    }
    assert {at: mask.getpixel(at) for at in inside} == inside


def test_things_with_names_have_outlines_each() -> None:
    text = f"cat{places(0, 0, 500, 0, 250, 500)}dog<poly>{places(500, 500, 900, 500, 700, 900)}</poly>"
    found = value(answered(asking(FIRST, "Segment the animals."), FLORENCE, pieces(text)))
    assert [each["label"] for each in found] == ["cat", "dog"]
    assert all(grey(each["mask"]).size == (256, 256) for each in found)


def test_where_no_outline_came_the_segmenter_is_asked() -> None:
    for text in (f"cat{places(100, 200, 300, 400)}", f"cat{places(100, 200, 300, 400, 5)}"):
        (found,) = value(answered(asking(FIRST, "Segment the cat."), FLORENCE, pieces(text)))
        assert told(found["mask"])[0] == 100
    for text in ("", "cat", places(1), places(1, 2, 3), f"<sep>{places(7, 7)}", "<sep><poly></poly>"):
        assert value(answered(asking(FIRST, "Segment the cat."), FLORENCE, pieces(text))) == []


def test_an_outline_without_an_end_is_cut_off() -> None:
    first = places(100, 100, 300, 100, 300, 300)
    corners = f"{first}{'<sep>' * 100}{places(*[100] * (2 * MOST_CORNERS))}{places(900, 900)}"
    (found,) = value(answered(asking(FIRST, "Segment the cat."), FLORENCE, pieces(corners)))
    assert found["box_2d"] == [101, 101, 301, 301]


def test_tokens_of_a_shape_are_passed_over() -> None:
    shape = "".join(f"<seg{at:03}>" for at in range(16))
    text = (
        f"<loc0205><loc0102><loc0819><loc0307>{shape} cat ; <loc0100><loc0100><loc0200><loc0200>{shape} dog"
    )
    found = value(answered(asking(FIRST, "Segment the animals."), PALIGEMMA, pieces(text)))
    assert [each["label"] for each in found] == ["cat", "dog"]
    assert found[0]["box_2d"] == [200, 100, 800, 300]
    assert all(told(each["mask"]) for each in found)
