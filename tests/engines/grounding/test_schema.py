"""Schemas in a family's own terms, and what stands around objects with places."""

from __future__ import annotations

import pytest
from hypothesis import given

from tests.engines.grounding.setting import BOX, DIALECTS, PAIR, TEXT, array, members, parsed
from tests.engines.schemas import schemas
from vidi.domain.schema import Kind, Schema
from vidi.engines.grounding.schema import PlaceKind, native_listing, shape_of, surroundings

QWEN = DIALECTS["qwen3.5"]
NULL = Schema(kinds=frozenset({Kind.NULL}))


def names(schema: Schema | None) -> list[str]:
    assert schema is not None
    return [each.name for each in schema.properties]


def test_two_places_of_one_kind_keep_apart() -> None:
    shape = shape_of(members(head_box=BOX, body_box=BOX, point=PAIR), QWEN)
    assert shape is not None
    assert names(shape.native) == ["bbox_2d", "body_box", "point_2d"]


def test_a_name_that_is_taken_is_not_taken_again() -> None:
    shape = shape_of(members(box=BOX, bbox_2d=TEXT), QWEN)
    assert shape is not None
    assert names(shape.native) == ["box", "bbox_2d"]


def test_what_may_be_null_may_stay_so() -> None:
    maybe = Schema(any_of=(BOX, NULL))
    shape = shape_of(members(box_2d=maybe), QWEN)
    assert shape is not None
    assert shape.native.properties[0].schema.nullable


def test_a_label_is_asked_for_under_the_family_s_own_name() -> None:
    shape = shape_of(members(confidence=TEXT, name=TEXT, box=BOX), QWEN)
    assert shape is not None
    assert names(shape.native) == ["confidence", "label", "bbox_2d"]
    taken = shape_of(members(label=TEXT, name=TEXT, box=BOX), QWEN)
    assert taken is not None
    assert names(taken.native) == ["label", "name", "bbox_2d"]


def test_a_schema_without_places_has_no_shape() -> None:
    assert shape_of(members(label=TEXT), QWEN) is None


def test_the_family_s_own_listing() -> None:
    assert names(native_listing(QWEN, PlaceKind.BOXES).items) == ["bbox_2d", "label"]
    assert names(native_listing(DIALECTS["lfm2.5-vl"], PlaceKind.BOXES).items) == ["label", "bbox"]
    assert names(native_listing(QWEN, PlaceKind.POINTS).items) == ["point_2d", "label"]
    assert names(native_listing(DIALECTS["lfm2.5-vl"], PlaceKind.POINTS).items) == ["label", "bbox"]


@pytest.mark.parametrize(
    ("schema", "before", "after", "empty", "many"),
    [
        (array(members(box_2d=BOX)), "[", "]", "[]", True),
        (members(objects=array(members(box_2d=BOX))), '{"objects": [', "]}", '{"objects": []}', True),
        (members(box_2d=BOX), "", "", "{}", False),
        (members(found=members(box_2d=BOX)), '{"found": ', "}", "{}", False),
        (array(members(parts=array(members(box_2d=BOX)))), '[{"parts": [', "]}]", "[]", True),
    ],
)
def test_surroundings(schema: Schema, before: str, after: str, empty: str, many: bool) -> None:
    around = surroundings(shape_of(schema, QWEN))
    assert (around.before, around.after, around.empty, around.many) == (before, after, empty, many)


def test_the_api_s_own_names_are_native_already() -> None:
    gemma = DIALECTS["gemma-4"]
    for schema, native in (
        (array(members(label=TEXT, box_2d=BOX)), True),
        (array(members(point=PAIR)), True),
        (array(members(bbox=BOX)), False),
    ):
        shape = shape_of(schema, gemma)
        assert shape is not None
        assert shape.native_already is native


@given(schemas())
def test_any_schema_can_be_read(schema: Schema) -> None:
    shape = shape_of(schema, QWEN)
    if shape is not None:
        assert shape.first_with_places() is not None
        around = surroundings(shape)
        assert parsed(around.empty) == around.value([])
        assert parsed(f"{around.before}{{}}{around.after}") == around.value([{}])
