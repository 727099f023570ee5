"""Keywords of one node of a response schema."""

from __future__ import annotations

import pytest

from vidi.domain.errors import InvalidRequest
from vidi.domain.schema import Kind, Scalar
from vidi.wire.errors import Scope
from vidi.wire.response_schema import SchemaNode, SchemaPath

PLACE = SchemaPath(Scope(), "schema", "schema")


def _node(**keywords: object) -> SchemaNode:
    return SchemaNode.read(keywords, PLACE, closed=True)


def test_names_in_both_spellings_and_nulls() -> None:
    node = _node(min_items="2", maxItems=3, title=None, const=None)
    assert node.keywords == {"minItems": "2", "maxItems": 3, "const": None}
    assert (node.count("minItems"), node.count("maxItems"), node.count("minLength")) == (2, 3, None)


@pytest.mark.parametrize(
    ("given", "kinds"),
    [
        ("STRING", {Kind.STRING}),
        ("integer", {Kind.INTEGER}),
        (["string", "null"], {Kind.STRING, Kind.NULL}),
        (5, {Kind.ARRAY}),
        ("TYPE_UNSPECIFIED", set()),
    ],
)
def test_types(given: object, kinds: set[Kind]) -> None:
    assert _node(type=given).kinds() == kinds


def test_types_are_told_by_what_they_would_hold() -> None:
    assert _node(properties={}).kinds() == {Kind.OBJECT}
    assert _node(items={}).kinds() == {Kind.ARRAY}
    assert _node(items={}, nullable=True).kinds() == {Kind.ARRAY, Kind.NULL}
    assert _node(nullable=True).kinds() == frozenset()


@pytest.mark.parametrize(
    ("keywords", "values"),
    [
        ({}, None),
        ({"type": "STRING", "enum": ["b", "a"]}, ("b", "a")),
        ({"type": "INTEGER", "enum": ["101", "201"]}, (101, 201)),
        ({"type": "NUMBER", "enum": ["0.5", "1"]}, (0.5, 1)),
        ({"type": "STRING", "enum": ["a"], "nullable": True}, ("a", None)),
        ({"type": "integer", "enum": [1, "x", 2.5, True, None]}, (1,)),
        ({"enum": [1, "x", None]}, (1, "x", None)),
        ({"const": None}, (None,)),
        ({"const": "a", "enum": ["b"]}, ("a",)),
        ({"enum": "alone"}, ("alone",)),
    ],
)
def test_enums(keywords: dict[str, object], values: tuple[Scalar, ...] | None) -> None:
    node = SchemaNode.read(keywords, PLACE, closed=True)
    assert node.enum(node.kinds()) == values


@pytest.mark.parametrize(
    ("keywords", "problem"),
    [
        ({"type": "INTEGER", "enum": ["x"]}, "none of the values has the type"),
        ({"enum": [[]]}, "Invalid value at 'schema.enum[0]'"),
        ({"type": {}}, "Invalid value at 'schema.type'"),
        ({"nullable": "yes", "type": "STRING"}, "Invalid value at 'schema.nullable' (TYPE_BOOL)"),
    ],
)
def test_wrong_types_and_values(keywords: dict[str, object], problem: str) -> None:
    node = SchemaNode.read(keywords, PLACE, closed=True)
    with pytest.raises(InvalidRequest) as caught:
        node.enum(node.kinds())
    assert problem in caught.value.message


@pytest.mark.parametrize(
    ("keywords", "problem"),
    [
        ({"minItems": 1.5}, "Invalid value at 'schema.min_items' (TYPE_INT64), 1.5"),
        ({"maximum": "much"}, "Invalid value at 'schema.maximum' (TYPE_DOUBLE), \"much\""),
        ({"minLength": 3, "maxLength": 2}, "schema.min_length: must not be greater than max_length."),
    ],
)
def test_wrong_limits(keywords: dict[str, object], problem: str) -> None:
    node = SchemaNode.read(keywords, PLACE, closed=True)
    with pytest.raises(InvalidRequest) as caught:
        node.check_limits()
        node.count("minItems")
    assert problem in caught.value.message


def test_texts_maps_and_lists_say_their_type() -> None:
    with pytest.raises(InvalidRequest, match="TYPE_STRING"):
        _node(title=1).text("title")
    with pytest.raises(InvalidRequest, match="Schema"):
        _node(properties=[1]).mapped("properties")
    assert _node(required="a").listed("required") == ["a"]
