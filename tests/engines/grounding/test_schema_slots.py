"""Members that are meant for a place."""

from __future__ import annotations

import pytest

from tests.engines.grounding.setting import BOX, NUMBER, PAIR, TEXT, WHOLE, array, members
from vidi.domain.schema import Kind, Property, Schema
from vidi.engines.grounding.schema import Slot, Sought, flat_slot, slot_of

FOUR = Schema(kinds=frozenset({Kind.ARRAY}), items=NUMBER, min_items=4, max_items=4)
TUPLE = Schema(kinds=frozenset({Kind.ARRAY}), prefix_items=(WHOLE, WHOLE, WHOLE, WHOLE))
EDGES = members(left=WHOLE, top=WHOLE, right=WHOLE, bottom=WHOLE)


@pytest.mark.parametrize(
    "name", ["box_2d", "box2d", "boundingBox", "bounding-box", "BBox", "bbox_2d", "face_box"]
)
@pytest.mark.parametrize("schema", [BOX, FOUR, TUPLE])
def test_names_of_boxes(name: str, schema: Schema) -> None:
    assert slot_of(Property(name, schema, True)) == Slot(name, Sought.BOXES)


@pytest.mark.parametrize(
    ("name", "schema", "slot"),
    [
        ("point", PAIR, Slot("point", Sought.POINTS)),
        ("location", FOUR, Slot("location", Sought.BOXES)),
        ("location", PAIR, Slot("location", Sought.POINTS)),
        ("boxes", array(BOX), Slot("boxes", Sought.BOXES, several=True)),
        ("points", array(PAIR), Slot("points", Sought.POINTS, several=True)),
        ("box", EDGES, Slot("box", Sought.BOXES, members=("top", "left", "bottom", "right"))),
        ("center", members(x=WHOLE, y=WHOLE), Slot("center", Sought.POINTS, members=("y", "x"))),
    ],
)
def test_shapes_of_places(name: str, schema: Schema, slot: Slot) -> None:
    assert slot_of(Property(name, schema, True)) == slot


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
    assert slot_of(Property(name, schema, True)) is None


def test_edges_among_other_members() -> None:
    slot = flat_slot(members(label=TEXT, xMin=NUMBER, yMin=NUMBER, xMax=NUMBER, yMax=NUMBER))
    assert slot == Slot("", Sought.BOXES, members=("yMin", "xMin", "yMax", "xMax"))
    assert flat_slot(members(label=TEXT, x=NUMBER, y=NUMBER)) is None
