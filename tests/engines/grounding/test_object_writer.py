"""Single objects, from the family's to the caller's."""

from __future__ import annotations

import pytest

from tests.engines.grounding.setting import BOX, DIALECTS, PAIR, TEXT, members, picture
from vidi.domain.schema import JsonValue, Kind, Property, Schema
from vidi.engines.grounding.coordinates import Denormalizer
from vidi.engines.grounding.object_writer import JsonObject, ObjectWriter
from vidi.engines.grounding.schema import PlaceKind, shape_of

QWEN = DIALECTS["qwen3.5"]
WRITER = ObjectWriter(Denormalizer(QWEN, (picture(),)), PlaceKind.BOXES)
TRUTH = Schema(kinds=frozenset({Kind.BOOLEAN}))
MAYBE = Schema(any_of=(BOX, Schema(kinds=frozenset({Kind.NULL}))))


def shaped(value: JsonObject, schema: Schema, label: str = "") -> list[JsonValue]:
    shape = shape_of(schema, QWEN)
    assert shape is not None
    writer = ObjectWriter(WRITER.denormalizer, PlaceKind.BOXES, label)
    return list(writer.shaped(value, shape))


def test_an_object_may_say_that_nothing_was_found() -> None:
    assert shaped({"found": False, "bbox_2d": None}, members(found=TRUTH, box_2d=MAYBE)) == [
        {"found": False, "box_2d": None}
    ]
    optional = Schema(
        kinds=frozenset({Kind.OBJECT}),
        properties=(Property("found", TRUTH, True), Property("box_2d", BOX, False)),
    )
    assert shaped({"found": False}, optional) == [{"found": False}]
    assert shaped({"found": False}, members(found=TRUTH, box_2d=BOX)) == []


def test_two_kinds_of_places_in_one_object() -> None:
    schema = members(label=TEXT, box_2d=BOX, point=PAIR)
    value: JsonObject = {"label": "cat", "bbox_2d": [100, 200, 300, 800], "point_2d": [100, 200]}
    assert shaped(value, schema) == [{"label": "cat", "box_2d": [200, 100, 800, 300], "point": [200, 100]}]
    maybe = members(box_2d=MAYBE, point=PAIR)
    assert shaped({"bbox_2d": None, "point_2d": [100, 200]}, maybe) == [{"box_2d": None, "point": [200, 100]}]


@pytest.mark.parametrize("key", ["box_2d", "bbox", "bounding_box", "box"])
def test_another_name_than_the_asked_one_does_no_harm(key: str) -> None:
    value: JsonObject = {key: [100, 200, 300, 800], "label": "cat"}
    assert shaped(value, members(name=TEXT, place_box=BOX)) == [
        {"name": "cat", "place_box": [200, 100, 800, 300]}
    ]


def test_a_place_without_a_name_is_called_what_was_asked_for() -> None:
    value: JsonObject = {"bbox_2d": [100, 200, 300, 800]}
    schema = members(label=TEXT, box_2d=BOX)
    assert shaped(value, schema, "cat") == [{"label": "cat", "box_2d": [200, 100, 800, 300]}]
    assert shaped(value, schema) == [{"label": "", "box_2d": [200, 100, 800, 300]}]


def test_members_that_the_caller_did_not_ask_for_are_left_out() -> None:
    value: JsonObject = {"bbox_2d": [100, 200, 300, 800], "label": "cat", "score": 1}
    assert shaped(value, members(box_2d=BOX, label=TEXT)) == [
        {"box_2d": [200, 100, 800, 300], "label": "cat"}
    ]
    assert list(WRITER.plain(value)) == [{"box_2d": [200, 100, 800, 300], "label": "cat", "score": 1}]
