"""How a text wants places written: order, unit and names."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engines.grounding.setting import picture
from vidi.domain.geometry import Placement
from vidi.domain.schema import Kind, Property, Schema
from vidi.engines.grounding.coordinates import Denormalizer, PlaceWording, Unit, place_wording
from vidi.engines.grounding.object_writer import ObjectWriter
from vidi.engines.grounding.schema import PlaceKind, place_field
from vidi.engines.profile import Dialect, Form, Order

NATIVE = Dialect(Form.JSON, Order.YXYX)


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("box_2d with coordinates between 0.0 and 1.0", Unit.PARTS),
        ("bounding boxes, normalized to 0-1", Unit.PARTS),
        ("coordinates in the range [0, 1]", Unit.PARTS),
        ("The box_2d should be [ymin, xmin, ymax, xmax] normalized to 0-1000.", Unit.THOUSANDTHS),
        ("boxes scaled 0 to 1,000", Unit.THOUSANDTHS),
        ("bbox ([x1, y1, x2, y2] in pixels)", Unit.PIXELS),
        ("Give box coordinates as absolute pixels.", Unit.PIXELS),
        ("Detect cups. Return boxes, and a confidence between 0 and 1.", None),
        ("boxes, with a score in the range 0-1", None),
        ("Detect 0 to 10 boxes.", None),
        ("boxes of 0 to 1.5 metres", None),
        ("The image size is given in pixels", None),
        ("Detect every cup.", None),
    ],
)
def test_a_unit_counts_where_it_is_said_of_coordinates(text: str, unit: Unit | None) -> None:
    assert place_wording(text).unit is unit


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('objects with the keys "bbox" ([x1, y1, x2, y2] in pixels) and "name".', ("bbox", "name")),
        ('as [{"rect": [..], "label": ".."}]', ("rect", "label")),
        ("with fields label, box and score", ("label", "box", "score")),
        ("Detect every cup.", ()),
    ],
)
def test_names_of_members_are_read(text: str, names: tuple[str, ...]) -> None:
    assert place_wording(text).names == names


@given(st.text(max_size=300) | st.text(alphabet="keys{}[](),:\"' 01.-xyboxpixelsin", max_size=3000))
def test_any_text_can_be_read(text: str) -> None:
    assert isinstance(place_wording(text), PlaceWording)


def _member(kind: Kind, **limits: float) -> Schema:
    number = Schema(kinds=frozenset({kind}), **limits)  # type: ignore[arg-type]  # numbers, by name
    return Schema(kinds=frozenset({Kind.ARRAY}), items=number, min_items=4, max_items=4)


@pytest.mark.parametrize(
    ("schema", "said", "written"),
    [
        (_member(Kind.NUMBER), Unit.PARTS, Unit.PARTS),
        (_member(Kind.INTEGER), Unit.PARTS, Unit.THOUSANDTHS),
        (_member(Kind.INTEGER), Unit.PIXELS, Unit.PIXELS),
        (_member(Kind.INTEGER, maximum=1000), Unit.PIXELS, Unit.THOUSANDTHS),
        (_member(Kind.NUMBER, maximum=1), Unit.PIXELS, Unit.PARTS),
        (replace(_member(Kind.NUMBER), description="corners in pixels"), None, Unit.PIXELS),
    ],
)
def test_numbers_are_what_the_schema_lets_them_be(schema: Schema, said: Unit | None, written: Unit) -> None:
    field = place_field(Property("bbox", schema, required=True))
    assert field is not None
    assert field.measured(said) is written


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (PlaceWording(), {"box_2d": [100, 200, 300, 400], "label": "cup"}),
        (PlaceWording(x_first=True), {"box_2d": [200, 100, 400, 300], "label": "cup"}),
        (PlaceWording(unit=Unit.PARTS), {"box_2d": [0.1, 0.2, 0.3, 0.4], "label": "cup"}),
        (PlaceWording(True, Unit.PIXELS, ("bbox", "name")), {"bbox": [80, 30, 160, 90], "name": "cup"}),
    ],
)
def test_an_object_is_written_as_the_words_say(said: PlaceWording, expected: object) -> None:
    # Pixels are the caller's, whatever size the model got.
    placed = Placement(400, 300, left=0, top=0, width=200, height=150)
    small = replace(picture(), width=200, height=150, placement=placed)
    writer = ObjectWriter(Denormalizer(NATIVE, (small,)), PlaceKind.BOXES, said=said)
    assert list(writer.plain({"box_2d": [100, 200, 300, 400], "label": "cup"})) == [expected]
