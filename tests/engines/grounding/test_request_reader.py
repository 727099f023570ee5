"""Answers of every family, as they come: read into the API's own form."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.engines.grounding.setting import (
    BOX,
    DIALECTS,
    NUMBER,
    PAIR,
    TEXT,
    WHOLE,
    array,
    members,
    parsed,
    picture,
    read,
    reader,
    written,
)
from vidi.domain.geometry import Placement
from vidi.domain.prompt import Picture
from vidi.domain.schema import JsonValue, Kind, Schema
from vidi.engines.grounding.schema import PlaceKind, shape_of
from vidi.engines.profile import Dialect, Form, Order

CAT: dict[str, JsonValue] = {"box_2d": [200, 100, 800, 300], "label": "cat"}
DOG: dict[str, JsonValue] = {"box_2d": [0, 500, 1000, 1000], "label": "dog"}

# The picture of these answers has 1000 x 500 pixels.
ANSWERS: Sequence[tuple[str, str, JsonValue]] = (
    (
        "gemma-4",
        '```json\n[\n  {"box_2d": [200, 100, 800, 300], "label": "cat"},\n'
        '  {"box_2d": [0, 500, 1000, 1000], "label": "dog"}\n]\n```',
        [CAT, DOG],
    ),
    (
        "qwen3.5",
        '```json\n[\n\t{"bbox_2d": [100, 200, 300, 800], "label": "cat"},\n'
        '\t{"bbox_2d": [500, 0, 1000, 1000], "label": "dog", "sub_label": "poodle"}\n]\n```',
        [CAT, {**DOG, "sub_label": "poodle"}],
    ),
    ("qwen3-vl", '{"bbox_2d": [100, 200, 300, 800], "label": "cat"}', [CAT]),
    ("qwen3.6", '[{"bbox_2d": [100, 200, 300, 800], "label": "cat"}]', [CAT]),
    ("qwen3.8", '[{"bbox_2d": [100, 200, 300, 800], "label": "cat"}]', [CAT]),
    (
        "qwen2.5-vl",
        '```json\n[{"bbox_2d": [100, 100, 300, 400], "label": "cat"}, '
        '{"bbox_2d": [500, 0, 1000, 500], "label": "dog"}]\n```',
        [CAT, DOG],
    ),
    (
        "lfm2.5-vl",
        '[{"label": "cat", "bbox": [0.1, 0.2, 0.3, 0.8]}, {"label": "dog", "bbox": [0.5, 0.00, 1, 1.0]}]',
        [CAT, DOG],
    ),
    ("kimi-vl", '[{"bbox_2d": [0.1, 0.2, 0.3, 0.8], "label": "cat"}]', [CAT]),
    ("minicpm-v-4", "<ref>cat</ref><box>100 200 300 800</box>", [CAT]),
    (
        "internvl3.5",
        "<ref>cat</ref><box>[[100, 200, 300, 800]]</box>\n<ref>dog</ref><box>[[0.5, 0, 1, 1]]</box>",
        [CAT, DOG],
    ),
    (
        "glm-4v",
        "The cat lies here: <|begin_of_box|>[[100,200,300,800]]<|end_of_box|>",
        [{"box_2d": [200, 100, 800, 300], "label": "what was asked"}],
    ),
    (
        "glm-4v",
        '<|begin_of_box|>[{"label": "cat", "bbox_2d": [100, 200, 300, 800]}, '
        '{"label": "dog", "bbox_2d": [500,0,1000,1000]}]<|end_of_box|>',
        [CAT, DOG],
    ),
    (
        "deepseek-ocr",
        "<|ref|>cat<|/ref|><|det|>[[100, 200, 300, 799]]<|/det|>\n<|ref|>dog<|/ref|>"
        "<|det|>[[0, 0, 999, 500], [500, 0, 999, 999]]<|/det|>",
        [
            CAT,
            {"box_2d": [0, 0, 501, 1000], "label": "dog"},
            {"box_2d": [0, 501, 1000, 1000], "label": "dog"},
        ],
    ),
    (
        "paligemma-2",
        "<loc0205><loc0102><loc0819><loc0307> cat ; <loc0000><loc0512><loc1023><loc1023> dog",
        [CAT, {"box_2d": [0, 500, 999, 999], "label": "dog"}],
    ),
    (
        "florence-2",
        "cat<loc_99><loc_199><loc_299><loc_799>dog<loc_500><loc_0><loc_999><loc_999><loc_1><loc_1><loc_5><loc_5>",
        [
            {"box_2d": [200, 100, 800, 300], "label": "cat"},
            {"box_2d": [1, 501, 1000, 1000], "label": "dog"},
            {"box_2d": [2, 2, 6, 6], "label": "dog"},
        ],
    ),
    (
        "granite-docling",
        "<doctag><section_header_level_1><loc_50><loc_100><loc_150><loc_400>A cat</section_header_level_1>\n"
        "<picture><loc_250><loc_0><loc_500><loc_500></picture></doctag>",
        [
            {"box_2d": [200, 100, 800, 300], "label": "section_header_level_1", "text": "A cat"},
            {"box_2d": [0, 500, 1000, 1000], "label": "picture"},
        ],
    ),
    (
        "paddleocr-vl",
        "cat<|LOC_100|><|LOC_200|><|LOC_300|><|LOC_210|><|LOC_300|><|LOC_800|><|LOC_105|><|LOC_790|>\n",
        [CAT],
    ),
    (
        "moondream2",
        '{"objects": [{"x_min": 0.1, "y_min": 0.2, "x_max": 0.3, "y_max": 0.8}]}',
        [{"box_2d": [200, 100, 800, 300], "label": "what was asked"}],
    ),
)

POINTS: Sequence[tuple[str, str, JsonValue]] = (
    ("gemma-4", '[{"point": [200, 100], "label": "cat"}]', [{"point": [200, 100], "label": "cat"}]),
    ("qwen3.5", '[{"point_2d": [100, 200], "label": "cat"}]', [{"point": [200, 100], "label": "cat"}]),
    ("qwen2.5-vl", '[{"point_2d": [100, 100], "label": "cat"}]', [{"point": [200, 100], "label": "cat"}]),
    ("kimi-vl", '[{"point_2d": [0.1, 0.2], "label": "cat"}]', [{"point": [200, 100], "label": "cat"}]),
    ("moondream2", '{"points": [{"x": 0.1, "y": 0.2}]}', [{"point": [200, 100], "label": "what was asked"}]),
    (
        "molmo-2",
        '<points coords="1 1 100 200 2 500 0100">cats</points>',
        [{"point": [200, 100], "label": "cats"}, {"point": [100, 500], "label": "cats"}],
    ),
    (
        "lfm2.5-vl",
        '[{"label": "cat", "bbox": [0.1, 0.2, 0.3, 0.8]}]',
        [{"point": [500, 200], "label": "cat"}],
    ),
)


@pytest.mark.parametrize(("family", "answer", "expected"), ANSWERS)
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_boxes_of_every_family(family: str, answer: str, expected: JsonValue, size: int) -> None:
    assert read(reader(DIALECTS[family], label="what was asked"), answer, size) == expected


@pytest.mark.parametrize(("family", "answer", "expected"), POINTS)
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_points_of_every_family_that_knows_them(
    family: str, answer: str, expected: JsonValue, size: int
) -> None:
    reading = reader(DIALECTS[family], kind=PlaceKind.POINTS, label="what was asked")
    assert read(reading, answer, size) == expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("", []),
        ("There is no cat in this picture.", []),
        ("I cannot help with that. [1, 2, 3, 4] is a list.", []),
        ("[]", []),
        ('Here it is:\n[{"bbox_2d": [100, 200, 300, 800], "label": "cat"}]\nAnything else?', [CAT]),
        ('[{"bbox_2d": [300, 800, 100, 200], "label": "cat"}]', [CAT]),
        ('[{"bbox_2d": [100.4, 199.6, 300.0, 800], "label": "cat"}]', [CAT]),
        ('[{"bbox_2d": ["100", "200", "300", "800"], "label": "cat"}]', [CAT]),
        ('[{"bbox_2d": "100, 200, 300, 800", "label": "cat"}]', [CAT]),
        ('[{"bbox_2d": [[100, 200, 300, 800]], "label": "cat"}]', [CAT]),
        ('[{"bbox_2d": [[100, 200], [300, 800]], "label": "cat"}]', []),
        ('[{"bbox_2d": {"x1": 100, "y1": 200, "x2": 300, "y2": 800}, "label": "cat"}]', [CAT]),
        ('[[{"bbox_2d": [100, 200, 300, 800], "label": "cat"}]]', [CAT]),
        ('{"objects": [{"bbox_2d": [100, 200, 300, 800], "label": "cat"}]}', [CAT]),
        (
            '{"bbox_2d": [100, 200, 300, 800], "label": "cat"}\n'
            '{"bbox_2d": [500, 0, 1000, 1000], "label": "dog"}',
            [CAT, DOG],
        ),
        ("[{'bbox_2d': [100, 200, 300, 800], 'label': 'cat'},]", [CAT]),
        ('[{"bbox_2d": [100, 200, 300, 800,], "label": "cat",}]', [CAT]),
        ("```json\n[[100, 200, 300, 800]]\n```", [{"box_2d": [200, 100, 800, 300]}]),
        ('[{"bbox_2d": [100, 200, 300, 800], "label": "cat"}, {"bbox_2d": [500, 0, 10', [CAT]),
        (
            '[{"bbox_2d": [100, 200, 300, 800], "label": "cat"}, '
            '{"bbox_2d": [500, 0, 1000, 1000], "label": "do',
            [CAT],
        ),
        ('[{"bbox_2d": [500, 0, 1700, 99999], "label": "dog"}]', [DOG]),
        ('[{"bbox_2d": [500, -20, 1000, 1000], "label": "dog"}]', [DOG]),
        (
            '[{"bbox_2d": [100, 200, 100, 800], "label": "line"}, {"bbox_2d": [1, 2, 3], "label": "three"}]',
            [],
        ),
        ('[{"bbox_2d": [1e999, NaN, 3, 4], "label": "far"}]', []),
        ('[{"bbox_2d": null, "label": "cat"}, {"bbox_2d": "here", "label": "cat"}]', []),
        (
            '[{"bbox_2d": [100, 200, 300, 800], "label": "a \\"cat\\" {} \\\\"}]',
            [{**CAT, "label": 'a "cat" {} \\'}],
        ),
        ('[{"bbox_2d": [100, 200, 300, 800], "label": "\\ud83d"}]', [{**CAT, "label": "\ud83d"}]),
        (
            '[{"label": "cat", "bbox_2d": [100, 200, 300, 800], "score": 0.5, "at": {"a": [1]}}]',
            [{**CAT, "score": 0.5, "at": {"a": [1]}}],
        ),
        ('[{"label": {"en": "cat"}, "bbox_2d": [100, 200, 300, 800]}]', [{**CAT, "label": {"en": "cat"}}]),
    ],
)
def test_what_a_model_may_make_of_json(answer: str, expected: JsonValue) -> None:
    assert read(reader(DIALECTS["qwen3.5"]), answer, 1) == expected


def test_several_boxes_of_one_label_are_several_objects() -> None:
    answer = '[{"bbox_2d": [[100, 200, 300, 800], [500, 0, 1000, 1000]], "label": "cat"}]'
    assert read(reader(DIALECTS["qwen3.5"]), answer) == [CAT, {**DOG, "label": "cat"}]


def test_fractions_are_read_as_such_only_where_the_family_writes_them() -> None:
    tags = "<box>[[0.1, 0.2, 0.3, 0.8]]</box>"
    assert read(reader(DIALECTS["internvl3.5"]), tags) == [{"box_2d": [200, 100, 800, 300]}]
    assert read(reader(DIALECTS["minicpm-v-4"]), tags) == []


def test_an_object_is_told_as_soon_as_it_is_complete() -> None:
    reading = reader(DIALECTS["qwen3.5"])
    assert reading.push('```json\n[{"bbox_2d": [100, 200, 300, 800], "label": "cat"') == ""
    assert reading.push('}, {"bbox') == f"[{json.dumps(CAT)}"
    assert reading.push('_2d": [500, 0, 1000, 1000], "label": "dog"}') == f", {json.dumps(DOG)}"
    assert reading.push("]\n```") == ""
    assert reading.end() == "]"


def test_a_place_lies_on_the_last_picture_unless_it_says_otherwise() -> None:
    half = Placement(100, 100, 0, 0, 50, 100)
    pictures = (picture(100, 100, half), picture(100, 100))

    def box(member: str) -> JsonValue:
        answer = f'[{{"bbox_2d": [100, 200, 300, 800]{member}}}]'
        value = read(reader(DIALECTS["qwen3.5"], pictures=pictures), answer)
        assert isinstance(value, list)
        assert isinstance(value[0], dict)
        return value[0]["box_2d"]

    assert box("") == box(', "image": 2') == box(', "image_index": 1') == [200, 100, 800, 300]
    assert box(', "image": 1') == box(', "image_index": 0') == box(', "image_id": 0') == [200, 200, 800, 600]
    assert box(', "image": 9') == box(', "image": "one"') == box(', "image": true') == [200, 100, 800, 300]


def test_points_on_two_pictures() -> None:
    pictures = (picture(100, 100, Placement(100, 100, 0, 0, 50, 100)), picture(100, 100))
    reading = reader(DIALECTS["molmo-2"], kind=PlaceKind.POINTS, pictures=pictures)
    assert read(reading, '<points coords="1 1 100 200;2 1 100 200"/>') == [
        {"point": [200, 200], "image": 1},
        {"point": [200, 100], "image": 2},
    ]


SHAPES: Mapping[str, tuple[Schema, str, JsonValue]] = {
    "another name, another order": (
        array(members(name=TEXT, bounding_box=BOX)),
        '[{"name": "cat", "bbox_2d": [100, 200, 300, 800]}]',
        [{"name": "cat", "bounding_box": [200, 100, 800, 300]}],
    ),
    "edges with names": (
        array(members(label=TEXT, box=members(xmin=WHOLE, ymin=WHOLE, xmax=WHOLE, ymax=WHOLE))),
        '[{"label": "cat", "bbox_2d": [100, 200, 300, 800]}]',
        [{"label": "cat", "box": {"ymin": 200, "xmin": 100, "ymax": 800, "xmax": 300}}],
    ),
    "a corner and a size": (
        array(members(label=TEXT, bbox=members(x=WHOLE, y=WHOLE, width=WHOLE, height=WHOLE))),
        '[{"label": "cat", "bbox_2d": [100, 200, 300, 800]}]',
        [{"label": "cat", "bbox": {"y": 200, "x": 100, "height": 600, "width": 200}}],
    ),
    "edges among the members": (
        array(members(label=TEXT, yMin=WHOLE, xMin=WHOLE, yMax=WHOLE, xMax=WHOLE)),
        '[{"label": "cat", "bbox_2d": [100, 200, 300, 800]}]',
        [{"label": "cat", "yMin": 200, "xMin": 100, "yMax": 800, "xMax": 300}],
    ),
    "parts of one": (
        array(members(box_2d=array(Schema(kinds=NUMBER.kinds, minimum=0, maximum=1)))),
        '[{"bbox_2d": [100, 200, 300, 800]}]',
        [{"box_2d": [0.2, 0.1, 0.8, 0.3]}],
    ),
    "x first in so many words": (
        array(members(box=Schema(kinds=BOX.kinds, items=WHOLE, description="[xmin, ymin, xmax, ymax]"))),
        '[{"bbox_2d": [100, 200, 300, 800]}]',
        [{"box": [100, 200, 300, 800]}],
    ),
    "a point": (
        array(members(point=PAIR, label=TEXT)),
        '[{"point_2d": [100, 200], "label": "cat"}]',
        [{"point": [200, 100], "label": "cat"}],
    ),
    "below other members": (
        members(caption=TEXT, objects=array(members(label=TEXT, box_2d=BOX)), count=WHOLE),
        '```json\n{"caption": "A cat.", "objects": [{"label": "cat", "bbox_2d": [100, 200, 300, 800]}, '
        '{"label": "line", "bbox_2d": [1, 1, 1, 5]}], "count": 2}\n```',
        {"caption": "A cat.", "objects": [{"label": "cat", "box_2d": [200, 100, 800, 300]}], "count": 2},
    ),
    "one object": (
        members(label=TEXT, box_2d=BOX),
        '{"label": "cat", "bbox_2d": [100, 200, 300, 800]}',
        {"label": "cat", "box_2d": [200, 100, 800, 300]},
    ),
    "a list of boxes": (
        members(boxes=array(BOX)),
        '{"boxes": [[100, 200, 300, 800], [5, 5, 5, 5], [500, 0, 1000, 1000]]}',
        {"boxes": [[200, 100, 800, 300], [0, 500, 1000, 1000]]},
    ),
    "places in places": (
        array(members(label=TEXT, box_2d=BOX, parts=array(members(box_2d=BOX)))),
        '[{"label": "cat", "bbox_2d": [100, 200, 300, 800], "parts": [{"bbox_2d": [1, 2, 3, 4]}, '
        '{"bbox_2d": [1, 2, 1, 4]}]}]',
        [{"label": "cat", "box_2d": [200, 100, 800, 300], "parts": [{"box_2d": [2, 1, 4, 3]}]}],
    ),
    "a member that may be null": (
        members(label=TEXT, box_2d=Schema(any_of=(BOX, Schema(kinds=frozenset({Kind.NULL}))))),
        '{"label": "cat", "bbox_2d": [100, 200, 300, 800]}',
        {"label": "cat", "box_2d": [200, 100, 800, 300]},
    ),
}


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("size", [1, 5, 1000])
def test_the_caller_s_own_shape_is_written(name: str, size: int) -> None:
    schema, answer, expected = SHAPES[name]
    assert read(reader(DIALECTS["qwen3.5"], schema=schema), answer, size) == expected


def test_a_document_streams_unit_by_unit() -> None:
    schema = SHAPES["below other members"][0]
    reading = reader(DIALECTS["qwen3.5"], schema=schema)
    assert reading.push('{"caption": "A cat.", "obj') == '{"caption": "A cat."'
    assert reading.push('ects": [{"label": "cat", "bbox_2d": [100, 200, 300, 800]') == ', "objects": ['
    assert reading.push("}") == '{"label": "cat", "box_2d": [200, 100, 800, 300]}'
    assert reading.push(', {"label": "dog", "bbox_2d": [5') == ""
    assert reading.end() == "]}"


@pytest.mark.parametrize(
    ("schema", "empty"),
    [
        (array(members(box_2d=BOX)), []),
        (members(objects=array(members(box_2d=BOX)), note=TEXT), {"objects": []}),
        (members(box_2d=BOX), {}),
    ],
)
@pytest.mark.parametrize("family", DIALECTS)
def test_no_answer_is_the_schema_s_empty_form(schema: Schema, empty: JsonValue, family: str) -> None:
    for answer in ("", "I see no such thing."):
        assert read(reader(DIALECTS[family], schema=schema), answer) == empty


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (array(members(box_2d=BOX, name=TEXT)), [{"box_2d": [200, 100, 800, 300], "name": "cat"}]),
        (
            members(found=array(members(label=TEXT, bounding_box=BOX))),
            {"found": [{"label": "cat", "bounding_box": [200, 100, 800, 300]}]},
        ),
        (members(label=TEXT, box_2d=BOX), {"label": "cat", "box_2d": [200, 100, 800, 300]}),
    ],
)
def test_a_schema_is_put_back_on_where_the_family_writes_no_json(schema: Schema, expected: JsonValue) -> None:
    answer = "<ref>cat</ref><box>[[100, 200, 300, 800]]</box>"
    assert read(reader(DIALECTS["internvl3.5"], schema=schema), answer) == expected


def test_each_of_several_objects_has_a_wrapper_of_its_own() -> None:
    answer = "<ref>cat</ref><box>[[100, 200, 300, 800], [500, 0, 1000, 1000]]</box>"
    schema = members(all=array(members(found=members(box_2d=BOX))))
    assert read(reader(DIALECTS["internvl3.5"], schema=schema), answer) == {
        "all": [{"found": {"box_2d": [200, 100, 800, 300]}}, {"found": {"box_2d": [0, 500, 1000, 1000]}}]
    }


# Round trips: boxes written as a family would, cut anywhere, on any picture.


@dataclass(frozen=True)
class Scene:
    """A box on the caller's image, and the picture that the model got."""

    picture: Picture
    box: tuple[float, float, float, float]


def _multiple(side: int, of: int) -> int:
    return max(of, round(side / of) * of)


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    width, height = draw(st.integers(1, 8000)), draw(st.integers(1, 8000))
    kind = draw(st.sampled_from(["same", "multiple", "letterbox"]))
    if kind == "same":
        made = picture(width, height)
    elif kind == "multiple":
        of = draw(st.sampled_from([28, 32, 48]))
        across, down = _multiple(min(width, 2000), of), _multiple(min(height, 2000), of)
        made = picture(across, down, Placement(width, height, 0, 0, across, down))
    else:
        side = draw(st.sampled_from([378, 448, 768, 896, 1024]))
        across_f, down_f = side * width / max(width, height), side * height / max(width, height)
        placement = Placement(width, height, (side - across_f) / 2, (side - down_f) / 2, across_f, down_f)
        made = picture(side, side, placement)
    corners = st.floats(0, 1000)
    y0, y1 = sorted((draw(corners), draw(corners)))
    x0, x1 = sorted((draw(corners), draw(corners)))
    assume(y1 - y0 >= 3 and x1 - x0 >= 3)
    return Scene(made, (y0, x0, y1, x1))


def _number(value: float, side: int, dialect: Dialect) -> float:
    """A column or a row of the picture as the family writes it."""
    if dialect.scale == 0:
        return round(value)
    if dialect.scale == 1:
        return round(value / side, 4)
    if dialect.centred:
        return min(dialect.scale - 1, math.floor(value / side * dialect.scale))
    return round(value / side * dialect.scale)


def _numbers(scene: Scene, dialect: Dialect) -> list[float]:
    placement, made = scene.picture.placement, scene.picture
    y0, x0, y1, x1 = scene.box
    xs = [placement.left + x / 1000 * placement.width for x in (x0, x1)]
    ys = [placement.top + y / 1000 * placement.height for y in (y0, y1)]
    across = [_number(x, made.width, dialect) for x in xs]
    down = [_number(y, made.height, dialect) for y in ys]
    corners = (
        zip(across, down, strict=True) if dialect.order is Order.XYXY else zip(down, across, strict=True)
    )
    return [number for corner in corners for number in corner]


def _quad(numbers: list[float]) -> str:
    x0, y0, x1, y1 = (int(number) for number in numbers)
    return "".join(f"<|LOC_{number}|>" for number in (x0, y0, x1, y0, x1, y1, x0, y1))


WRITERS: Mapping[Form, Callable[[Dialect, list[float]], str]] = {
    Form.JSON: lambda dialect, numbers: json.dumps([{dialect.box_key: numbers, dialect.label_key: "cat"}]),
    Form.BOX_TAGS: lambda _, numbers: f"<ref>cat</ref><box>{numbers}</box>",
    Form.BOX_MARKS: lambda _, numbers: f"<|begin_of_box|>{numbers}<|end_of_box|>",
    Form.DET_MARKS: lambda _, numbers: f"<|ref|>cat<|/ref|><|det|>[{numbers}]<|/det|>",
    Form.QUAD_TOKENS: lambda _, numbers: "cat" + _quad(numbers),
    Form.REGIONS: lambda _, numbers: json.dumps(
        {"objects": [dict(zip(("x_min", "y_min", "x_max", "y_max"), numbers, strict=True))]}
    ),
}


def _native(dialect: Dialect, numbers: list[float]) -> str:
    if dialect.form is not Form.LOC_TOKENS:
        return WRITERS[dialect.form](dialect, numbers)
    if dialect.order is Order.YXYX:
        return "".join(f"<loc{int(number):04d}>" for number in numbers) + " cat"
    return "cat" + "".join(f"<loc_{int(number)}>" for number in numbers)


def _steps(scene: Scene, dialect: Dialect) -> tuple[float, float]:
    """How far apart two neighbouring numbers of the family lie on the caller's image: down and across."""
    made, placement = scene.picture, scene.picture.placement
    parts = 10_000 if dialect.scale == 1 else dialect.scale
    down = made.height / parts if parts else 1
    across = made.width / parts if parts else 1
    return down / placement.height * 1000, across / placement.width * 1000


@pytest.mark.parametrize("family", [each for each in DIALECTS if each != "molmo-2"])
@given(scene=scenes(), cuts=st.lists(st.integers(0, 120), max_size=8))
def test_a_box_comes_back_where_it_was(family: str, scene: Scene, cuts: list[int]) -> None:
    dialect = DIALECTS[family]
    numbers = _numbers(scene, dialect)
    text = _native(dialect, numbers)
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    pieces = [text[start:end] for start, end in pairwise(places)]
    value = parsed(written(reader(dialect, pictures=[scene.picture]), pieces))
    assert isinstance(value, list)
    down, across = _steps(scene, dialect)
    if not value:
        # The family's own numbers are too coarse for this box on this picture.
        assert max(down, across) > 1
        return
    (found,) = value
    assert isinstance(found, dict)
    box = found["box_2d"]
    assert isinstance(box, list)
    # Half a step of the family's numbers, half a unit of ours; a bin that is the last has a whole step.
    edge = 1.0 if dialect.centred else 0.5
    for number, true, step in zip(box, scene.box, (down, across, down, across), strict=True):
        assert isinstance(number, int)
        assert abs(number - true) <= edge * step + 0.5 + 1e-6
        if dialect.scale >= 1000 and not dialect.centred and step <= 1:
            assert abs(number - true) <= 1 + 1e-6


# Nonsense.

FRAGMENTS = st.sampled_from(
    [
        *(
            '{"bbox_2d": [1, 2, 300, 400], "label": "a"}',
            '"box_2d": [',
            "[[1,2,3,4]]",
            '{"label": "',
            "}",
            "]",
        ),
        *(
            "{",
            "[",
            '"',
            "\\",
            "\n",
            ",",
            ":",
            "```json\n",
            "```",
            "null",
            "1e999",
            "NaN",
            "-",
            "\ud800",
            "İ",
        ),
        *(
            "<box>",
            "</box>",
            "<ref>",
            "</ref>",
            "<|det|>",
            "<|/det|>",
            "<loc0001>",
            "<loc_1>",
            "<|LOC_9|>",
            "<",
        ),
        *(
            ">",
            "<title>",
            "</title>",
            '<points coords="1 1 2 3">',
            '"objects": [',
            '"caption": "',
            "1 2 3 4",
            ";",
        ),
    ]
)
NAMES = st.sampled_from(["box_2d", "bbox_2d", "point", "boxes", "x_min", "label", "caption", "objects", ""])
LEAVES = st.sampled_from(
    [BOX, BOX, PAIR, TEXT, WHOLE, Schema(), Schema(any_of=(BOX, Schema(kinds=frozenset({Kind.NULL}))))]
)
PLACED = st.recursive(
    st.dictionaries(NAMES, LEAVES, min_size=1, max_size=4).map(lambda each: members(**each)),
    lambda inner: (
        inner.map(array)
        | st.dictionaries(NAMES, inner | LEAVES, max_size=3).map(lambda each: members(**each))
        | st.lists(inner | LEAVES, max_size=2).map(lambda each: Schema(any_of=tuple(each)))
    ),
    max_leaves=4,
)
NONSENSE = st.lists(FRAGMENTS | st.text(max_size=5), max_size=40)


@pytest.mark.parametrize("family", DIALECTS)
@pytest.mark.parametrize("kind", PlaceKind)
@given(pieces=NONSENSE)
def test_nonsense_becomes_json(family: str, kind: PlaceKind, pieces: list[str]) -> None:
    value = parsed(written(reader(DIALECTS[family], kind=kind), pieces))
    assert isinstance(value, list)


@pytest.mark.parametrize("family", ["qwen3.5", "internvl3.5", "florence-2", "molmo-2", "lfm2.5-vl"])
@given(pieces=NONSENSE, schema=PLACED | st.sampled_from([each[0] for each in SHAPES.values()]))
def test_nonsense_becomes_json_under_any_schema(family: str, pieces: list[str], schema: Schema) -> None:
    dialect = DIALECTS[family]
    if shape_of(schema, dialect) is not None:
        parsed(written(reader(dialect, schema=schema), pieces))


@pytest.mark.parametrize(
    "answer",
    [
        "{" * 100_000,
        "[" * 100_000,
        '{"a":' * 50_000,
        '{"bbox_2d": [' + "1," * 200_000,
        '{"label": "' + "a" * 400_000,
        "<" * 100_000,
        "<box>" + "1 " * 200_000,
        '<points coords="' + "1 " * 100_000,
        "{}" * 100_000,
        '{"bbox_2d": ' + "[" * 50_000 + "]" * 50_000 + "}",
        '{"bbox_2d": ' + "9" * 10_000 + "}",
        '"' * 100_000,
        "\\" * 100_000,
    ],
)
@pytest.mark.parametrize("family", ["qwen3.5", "internvl3.5", "florence-2", "glm-4v", "molmo-2"])
@pytest.mark.slow
def test_monstrous_answers_are_survived(family: str, answer: str) -> None:
    assert read(reader(DIALECTS[family]), answer, 64) == []
    document = members(objects=array(members(box_2d=BOX)), note=TEXT)
    parsed(written(reader(DIALECTS[family], schema=document), [answer]))
