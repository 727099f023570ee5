"""Members that are meant for a place."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.engines.grounding.setting import BOX, NUMBER, PAIR, TEXT, WHOLE, array, members
from vidi.domain.schema import Kind, Property, Schema
from vidi.engines.grounding.schema import (
    PlaceField,
    PlaceKind,
    flat_place_field,
    place_field,
    place_kind_of,
    places_in,
)

FOUR = Schema(kinds=frozenset({Kind.ARRAY}), items=NUMBER, min_items=4, max_items=4)
TUPLE = Schema(kinds=frozenset({Kind.ARRAY}), prefix_items=(WHOLE, WHOLE, WHOLE, WHOLE))
EDGES = members(left=WHOLE, top=WHOLE, right=WHOLE, bottom=WHOLE)


@pytest.mark.parametrize(
    "name", ["box_2d", "box2d", "boundingBox", "bounding-box", "BBox", "bbox_2d", "face_box"]
)
@pytest.mark.parametrize("schema", [BOX, FOUR, TUPLE])
def test_names_of_boxes(name: str, schema: Schema) -> None:
    assert place_field(Property(name, schema, True)) == PlaceField(name, PlaceKind.BOXES)


@pytest.mark.parametrize(
    ("name", "schema", "expected"),
    [
        ("point", PAIR, PlaceField("point", PlaceKind.POINTS)),
        ("location", FOUR, PlaceField("location", PlaceKind.BOXES)),
        ("location", PAIR, PlaceField("location", PlaceKind.POINTS)),
        ("boxes", array(BOX), PlaceField("boxes", PlaceKind.BOXES, several=True)),
        ("points", array(PAIR), PlaceField("points", PlaceKind.POINTS, several=True)),
        ("box", EDGES, PlaceField("box", PlaceKind.BOXES, members=("top", "left", "bottom", "right"))),
        ("center", members(x=WHOLE, y=WHOLE), PlaceField("center", PlaceKind.POINTS, members=("y", "x"))),
    ],
)
def test_shapes_of_places(name: str, schema: Schema, expected: PlaceField) -> None:
    assert place_field(Property(name, schema, True)) == expected


@pytest.mark.parametrize(
    ("name", "schema"),
    [
        ("box_2d", TEXT),
        ("box", array(TEXT)),
        ("location", array(WHOLE)),
        ("location", TEXT),
        ("label", FOUR),
        ("box_3d", FOUR),
        ("point", Schema(kinds=frozenset({Kind.ARRAY}), items=WHOLE, min_items=3, max_items=3)),
        ("box", members(x=WHOLE, y=WHOLE)),
        ("x" * 10_000, FOUR),
    ],
)
def test_what_is_meant_for_something_else(name: str, schema: Schema) -> None:
    assert place_field(Property(name, schema, True)) is None


@pytest.mark.parametrize(
    ("described", "kind"),
    [
        ("Bounding box of the thing", PlaceKind.BOXES),
        ("the box of it", PlaceKind.BOXES),
        ("[ymin, xmin, ymax, xmax]", PlaceKind.BOXES),
        ("as (x1, y1, x2, y2)", PlaceKind.BOXES),
        ("The center point", PlaceKind.POINTS),
        ("How many are in each box", None),
        ("3D bounding box", None),
        ("Points that a judge would give", PlaceKind.POINTS),
        ("", None),
    ],
)
def test_a_description_tells_a_place_under_any_name(described: str, kind: PlaceKind | None) -> None:
    one = Property("whereabouts", replace(BOX, description=described), True)
    assert place_field(one) == (PlaceField(one.name, kind, x_first="(x1" in described) if kind else None)
    nullable = Schema(any_of=(BOX, Schema(kinds=frozenset({Kind.NULL}))), description=described)
    found = place_field(Property("whereabouts", nullable, True))
    assert (found.kind if found else None) is kind
    text = Property("whereabouts", replace(TEXT, description=described), True)
    assert place_field(text) is None


def test_four_edges_alone_are_a_box_under_any_name() -> None:
    found = place_field(Property("extent", EDGES, True))
    assert found == PlaceField("extent", PlaceKind.BOXES, members=("top", "left", "bottom", "right"))
    more = members(left=WHOLE, top=WHOLE, right=WHOLE, bottom=WHOLE, title=TEXT)
    assert place_field(Property("extent", more, True)) is None


def test_the_only_list_of_numbers_is_the_box_that_is_asked_for() -> None:
    unnamed = members(kasten=BOX, label=TEXT)
    assert places_in(unnamed) == {}
    assert places_in(unnamed, asked=True) == {"kasten": PlaceField("kasten", PlaceKind.BOXES)}
    for other in (
        members(a=BOX, b=BOX),
        members(scores=BOX),
        members(confidence=BOX),
        members(rgb=BOX),
        members(box_3d=BOX),
        members(kasten=PAIR),
        members(kasten=array(TEXT)),
    ):
        assert places_in(other, asked=True) == {}
    assert list(places_in(members(bounds=BOX), asked=True)) == ["bounds"]
    assert list(places_in(members(kasten=BOX, box_2d=BOX), asked=True)) == ["box_2d"]


def test_edges_among_other_members() -> None:
    found = flat_place_field(members(label=TEXT, xMin=NUMBER, yMin=NUMBER, xMax=NUMBER, yMax=NUMBER))
    assert found == PlaceField("", PlaceKind.BOXES, members=("yMin", "xMin", "yMax", "xMax"))
    assert flat_place_field(members(label=TEXT, x=NUMBER, y=NUMBER)) is None


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *(
            (name, PlaceKind.BOXES)
            for name in ("box_2d", "bbox_2d", "box2d", "bbox2d", "bbox", "box", "boundingBox", "boxes")
        ),
        *((name, PlaceKind.BOXES) for name in ("box_coordinates", "face_bbox", "bounding-boxes 2d")),
        *((name, PlaceKind.POINTS) for name in ("point", "point_2d", "keypoints", "point_coordinates")),
        *((name, None) for name in ("location", "coordinates", "box_3d", "label", "mask", "", "boxer")),
    ],
)
def test_place_kind_by_the_name_alone(name: str, kind: PlaceKind | None) -> None:
    assert place_kind_of(name) is kind
