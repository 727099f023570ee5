"""What the tests of this folder share: pictures, dialects, and a reader fed in pieces."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from vidi.domain.geometry import Placement
from vidi.domain.prompt import Output, Picture, Request, Role, TextFormat, Turn
from vidi.domain.schema import JsonValue, Kind, Property, Schema
from vidi.engines.grounding.coordinates import Denormalizer
from vidi.engines.grounding.object_writer import ObjectWriter
from vidi.engines.grounding.request import AnswerReader, reader_for
from vidi.engines.grounding.schema import PlaceKind, shape_of
from vidi.engines.profile import Dialect, Form, Order
from vidi.engines.profile_files import load_profiles

MOLMO = Dialect(Form.POINTS, Order.XYXY, points_prompt="Point to {targets}.")
PADDLE = Dialect(Form.QUAD_TOKENS, Order.XYXY, boxes_prompt="Spotting:")

DIALECTS: Mapping[str, Dialect] = {
    **{profile.family: profile.dialect for profile in load_profiles() if profile.dialect},
    "molmo-2": MOLMO,
    "paddleocr-vl": PADDLE,
}

TEXT = Schema(kinds=frozenset({Kind.STRING}))
WHOLE = Schema(kinds=frozenset({Kind.INTEGER}))
NUMBER = Schema(kinds=frozenset({Kind.NUMBER}))
BOX = Schema(kinds=frozenset({Kind.ARRAY}), items=WHOLE)
PAIR = Schema(kinds=frozenset({Kind.ARRAY}), items=WHOLE, min_items=2, max_items=2)


def members(**properties: Schema) -> Schema:
    """An object of required members."""
    return Schema(
        kinds=frozenset({Kind.OBJECT}),
        properties=tuple(Property(name, schema, required=True) for name, schema in properties.items()),
    )


def array(items: Schema) -> Schema:
    """An array of any length."""
    return Schema(kinds=frozenset({Kind.ARRAY}), items=items)


def picture(width: int = 1000, height: int = 500, placement: Placement | None = None) -> Picture:
    """A picture of which only the sizes matter."""
    return Picture(width, height, b"", placement or Placement(width, height, 0, 0, width, height), "")


def reader(
    dialect: Dialect,
    *,
    schema: Schema | None = None,
    kind: PlaceKind = PlaceKind.BOXES,
    pictures: Sequence[Picture] = (),
    label: str = "",
) -> AnswerReader:
    """A reader of one answer."""
    shape = shape_of(schema, dialect) if schema else None
    writer = ObjectWriter(
        Denormalizer(dialect, pictures or (picture(),)), shape.kind if shape else kind, label
    )
    return reader_for(dialect, writer, shape)


def written(reading: AnswerReader, pieces: Iterable[str]) -> str:
    """All that a reader writes."""
    return "".join([*(reading.push(piece) for piece in pieces), reading.end()])


def read(reading: AnswerReader, text: str, size: int = 7) -> JsonValue:
    """The value that a reader makes of a text that comes in pieces."""
    return parsed(written(reading, [text[at : at + size] for at in range(0, len(text), size)]))


def parsed(text: str) -> JsonValue:
    """A value from JSON, without the constants that are none."""
    value: JsonValue = json.loads(text, parse_constant=_refuse)
    text.encode()
    return value


def _refuse(constant: str) -> JsonValue:
    raise AssertionError(constant)


def asking(text: str, system: str = "", schema: Schema | None = None) -> Request[int]:
    """A request with one picture before its text."""
    output = Output(TextFormat.JSON, schema) if schema else Output()
    return Request((Turn(Role.USER, (1, text)),), system=system, output=output)
