"""The shape that a structured answer must have, in one dialect.

`responseSchema` (OpenAPI subset) and `responseJsonSchema` (JSON Schema) both become a `Schema`;
references are unrolled and unions kept in `any_of` before it is built.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

Scalar = str | float | int | bool | None
"""A JSON value without members."""

JsonValue = str | int | float | bool | None | list["JsonValue"] | dict[str, "JsonValue"]
"""Any JSON value, as `json.loads` gives it."""


class Kind(Enum):
    """JSON's types under JSON Schema's names."""

    STRING = "string"
    NUMBER = "number"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    ARRAY = "array"
    OBJECT = "object"
    NULL = "null"


@dataclass(frozen=True, slots=True)
class Property:
    """One named member of an object."""

    name: str
    schema: Schema
    required: bool


@dataclass(frozen=True, slots=True)
class Schema:
    """One node of the shape; an absent limit is None.

    Attributes:
        kinds: Allowed types; empty means any.
        enum: Allowed values, in the caller's order; None means any value of the type.
        properties: Members of an object, in the order in which they must be written.
        items: Shape of every array element after `prefix_items`; None means any.
        prefix_items: Shapes of the first array elements, one each.
        any_of: Alternatives, of which one must hold.
        additional: Shape of members that `properties` does not name; None means that there are none.
        minimum, maximum: Inclusive limits of a number.
        min_items, max_items, min_length, max_length: Limits on array elements and characters.
    """

    kinds: frozenset[Kind] = frozenset()
    enum: tuple[Scalar, ...] | None = None
    properties: tuple[Property, ...] = ()
    items: Schema | None = None
    prefix_items: tuple[Schema, ...] = ()
    any_of: tuple[Schema, ...] = ()
    additional: Schema | None = None
    minimum: float | None = None
    maximum: float | None = None
    min_items: int | None = None
    max_items: int | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    format: str | None = None
    title: str = ""
    description: str = ""

    def element(self, index: int) -> Schema:
        """The shape of an array's element."""
        if index < len(self.prefix_items):
            return self.prefix_items[index]
        return self.items or Schema()

    @property
    def nullable(self) -> bool:
        """Whether null is a valid value."""
        return Kind.NULL in self.kinds or any(option.nullable for option in self.any_of)


def snake(name: str) -> str:
    """`boundingBox2D` and `bounding-box 2d` as bounding_box_2d."""
    short = name[:100]
    split = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[0-9])(?=[A-Z][a-z])", "_", short)
    return re.sub(r"[^0-9a-z]+", "_", split.lower()).strip("_")
