"""Schemas as clients send them."""

from __future__ import annotations

from dataclasses import replace

from vidi.domain.schema import Schema
from vidi.engines.validation import readable
from vidi.wire.errors import Scope
from vidi.wire.response_schema import compile_schema


def read(raw: object) -> Schema:
    """A schema from JSON, in either dialect."""
    return compile_schema(raw, "generation_config.response_schema", Scope(), closed=False)


_BOX = {
    "type": "ARRAY",
    "items": {"type": "INTEGER", "minimum": 0, "maximum": 1000},
    "minItems": 4,
    "maxItems": 4,
}

DETECTION = read(
    {
        "type": "ARRAY",
        "items": {
            "type": "OBJECT",
            "properties": {"box_2d": _BOX, "label": {"type": "STRING"}},
            "required": ["box_2d", "label"],
        },
    }
)
NESTED = read(
    {
        "type": "object",
        "properties": {
            "scene": {
                "type": "object",
                "properties": {
                    "indoor": {"type": "boolean"},
                    "light": {"type": "number", "minimum": 0, "maximum": 1},
                    "tags": {"type": "array", "items": {"type": "string", "maxLength": 20}, "maxItems": 3},
                },
                "required": ["indoor"],
            },
            "count": {"type": "integer", "minimum": -3, "maximum": 120},
            "note": {"type": "string"},
        },
        "required": ["scene", "count"],
        "propertyOrdering": ["count", "scene", "note"],
    }
)
ENUM = read({"type": "STRING", "format": "enum", "enum": ["indoor", "outdoor", 'so "so"']})
NULLABLE = read({"type": "STRING", "nullable": True, "maxLength": 8})
TREE = read(
    {
        "$ref": "#/$defs/Node",
        "$defs": {
            "Node": {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "parts": {"type": "array", "items": {"$ref": "#/$defs/Node"}},
                },
                "required": ["name", "parts"],
            }
        },
    }
)
SHAPES = {
    "detection": DETECTION,
    "nested": NESTED,
    "enum": ENUM,
    "nullable": NULLABLE,
    "tree": TREE,
    "scalars": read({"type": ["string", "number", "boolean", "null"], "minimum": -2.5, "maxLength": 4}),
    "numbers": read({"type": "array", "items": {"type": "number", "minimum": -0.75, "maximum": 12.5}}),
    "integers": read({"type": "array", "items": {"type": "integer", "minimum": -123, "maximum": 4567}}),
    "formats": read(
        {"prefixItems": [{"type": "string", "format": name} for name in ("date", "time", "date-time")]}
    ),
    "pattern": read({"type": "string", "pattern": r"^[A-Z]{2,3}-(\d+|x\.?)( |\t)?[^a-z\"]$"}),
    "open": read(
        {"type": "object", "properties": {"ab": {"type": "null"}}, "additionalProperties": {"type": "null"}}
    ),
    "tuple": read(
        {"prefixItems": [{"type": "null"}, {"type": "boolean"}, {"const": 7}], "items": False, "minItems": 1}
    ),
    "union": read(
        {
            "anyOf": [
                {"type": "integer", "maximum": 5},
                {"enum": ["a", True]},
                {"type": "array", "maxItems": 2},
            ]
        }
    ),
    "anything": read(True),
}
"""By what they are about."""


def checkable(schema: Schema) -> Schema:
    """Without what a grammar and a validator see differently.

    Of two patterns that must both match a grammar holds one; of a pattern and lengths it holds the pattern; a
    validator does not look at formats.
    """
    return _checkable(schema, lengths=not _has_readable_pattern(schema))


def _checkable(schema: Schema, *, lengths: bool) -> Schema:
    def inside(each: Schema) -> Schema:
        return _checkable(each, lengths=lengths)

    return replace(
        schema,
        format=None,
        pattern="^[a-z]+$" if readable(schema.pattern) else schema.pattern,
        min_length=schema.min_length if lengths else None,
        max_length=schema.max_length if lengths else None,
        properties=tuple(replace(member, schema=inside(member.schema)) for member in schema.properties),
        items=schema.items and inside(schema.items),
        prefix_items=tuple(map(inside, schema.prefix_items)),
        any_of=tuple(map(inside, schema.any_of)),
    )


def _has_readable_pattern(schema: Schema) -> bool:
    parts = [*(member.schema for member in schema.properties), *schema.prefix_items, *schema.any_of]
    parts += [schema.items] if schema.items else []
    return readable(schema.pattern) or any(map(_has_readable_pattern, parts))
