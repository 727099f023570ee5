"""Response schemas of both dialects become one shape."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidi.domain.errors import InvalidRequest
from vidi.domain.schema import Kind, Property, Schema
from vidi.wire.errors import Scope
from vidi.wire.response_schema import MAX_DEPTH, MAX_NODES, compile_schema

STRING = Schema(kinds=frozenset({Kind.STRING}))
NULL = Schema(kinds=frozenset({Kind.NULL}))
FIELD = "generation_config.response_schema"


def _open(raw: object) -> Schema:
    return compile_schema(raw, FIELD, Scope(), closed=False)


def _closed(raw: object) -> Schema:
    return compile_schema(raw, FIELD, Scope(), closed=True)


def _refused(raw: object, *, closed: bool = True) -> str:
    with pytest.raises(InvalidRequest) as caught:
        compile_schema(raw, FIELD, Scope(), closed=closed)
    assert caught.value.where.startswith(FIELD)
    return caught.value.message


def test_the_two_dialects_agree() -> None:
    openapi = {
        "type": "OBJECT",
        "properties": {
            "name": {"type": "STRING", "nullable": True, "max_length": "9"},
            "sizes": {"type": "ARRAY", "items": {"type": "INTEGER"}, "min_items": "1"},
        },
        "required": ["sizes"],
    }
    json_schema = {
        "type": "object",
        "properties": {
            "name": {"type": ["string", "null"], "maxLength": 9},
            "sizes": {"type": "array", "items": {"type": "integer"}, "minItems": 1},
        },
        "required": ["sizes"],
        "additionalProperties": False,
        "unevaluatedProperties": False,
    }
    assert _closed(openapi) == _open(json_schema)


def test_properties_keep_their_order_unless_told_otherwise() -> None:
    raw = {"type": "object", "properties": {"b": {"type": "string"}, "a": {"type": "string"}, "c": True}}
    assert [each.name for each in _closed(raw).properties] == ["b", "a", "c"]
    ordered = _closed({**raw, "propertyOrdering": ["a", "missing", "c"]})
    assert [each.name for each in ordered.properties] == ["a", "c", "b"]


def test_unions_become_any_of() -> None:
    raw = {"anyOf": [{"type": "string"}], "oneOf": [{"type": "null"}], "description": "either"}
    assert _open(raw) == Schema(any_of=(STRING, NULL), description="either")
    assert _closed({"anyOf": [{"type": "STRING"}], "nullable": True}).nullable


def test_one_schema_of_all_of_is_merged() -> None:
    raw = {"allOf": [{"$ref": "#/$defs/Name"}], "description": "who", "$defs": {"Name": {"type": "string"}}}
    assert _open(raw) == Schema(kinds=STRING.kinds, description="who")
    assert "Merge the schemas" in _refused({"allOf": [{}, {}]}, closed=False)


def test_additional_properties() -> None:
    assert _open({"type": "object"}).additional == Schema()
    assert _open({"type": "object", "properties": {}}).additional is None
    assert _open({"type": "object", "additionalProperties": False}).additional is None
    assert _open({"type": "object", "additionalProperties": {"type": "string"}}).additional == STRING
    assert _open({"properties": {}, "additionalProperties": True}).additional == Schema()


def test_tuples() -> None:
    raw = {"prefixItems": [{"type": "string"}, {"type": "null"}], "items": False}
    assert _open(raw) == Schema(kinds=frozenset({Kind.ARRAY}), prefix_items=(STRING, NULL), max_items=2)
    assert _open({"type": "array", "items": True}) == Schema(kinds=frozenset({Kind.ARRAY}))


def test_exclusive_limits_of_whole_numbers() -> None:
    limits = _open({"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 10})
    assert (limits.minimum, limits.maximum) == (1, 9)
    optional = _open({"type": ["integer", "null"], "exclusiveMinimum": 0})
    assert optional.minimum == 1


def test_references_are_replaced_and_may_have_company() -> None:
    for key, path in (("$defs", "#/$defs/A~1b%20c"), ("definitions", "#/definitions/A~1b%20c")):
        raw = {"items": {"$ref": path, "title": "Mine"}, key: {"A/b c": {"type": "string", "title": "Its"}}}
        assert _open(raw).items == Schema(kinds=STRING.kinds, title="Mine")
    assert _closed({"ref": "#/defs/A", "defs": {"A": {"type": "STRING"}}}) == STRING
    assert "leads nowhere" in _refused({"$ref": "#/$defs/A"})


def _levels(schema: Schema | None, name: str) -> int:
    """How many times a property of this name can be stepped into."""
    levels = 0
    while schema is not None:
        inner = next((each.schema for each in schema.properties if each.name == name), None)
        schema = inner.items or inner if inner is not None else None
        levels += schema is not None
    return levels


def test_recursion_ends_where_it_can() -> None:
    optional = {
        "type": "object",
        "properties": {"v": {"type": "string"}, "next": {"$ref": "#"}},
        "required": ["v"],
    }
    assert 1 <= _levels(_open(optional), "next") <= 10
    tree = {
        "type": "object",
        "properties": {"kids": {"type": "array", "items": {"$ref": "#"}}},
        "required": ["kids"],
    }
    deepest = _open(tree)
    while deepest.properties and deepest.properties[0].schema.items:
        deepest = deepest.properties[0].schema.items
    assert deepest.properties == (
        Property("kids", Schema(kinds=frozenset({Kind.ARRAY}), max_items=0), required=True),
    )
    union = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"$ref": "#"}, "minItems": 1}]}
    assert _open(union).any_of[0] == STRING


def test_recursion_without_an_end_is_refused() -> None:
    endless = {"type": "object", "properties": {"next": {"$ref": "#"}}, "required": ["next"]}
    for raw in (
        endless,
        {"$ref": "#"},
        {"anyOf": [{"$ref": "#"}]},
        {"type": "array", "items": endless, "minItems": 1},
    ):
        assert "refers to itself without an end" in _refused(raw)


def test_a_bushy_recursion_is_unrolled_less_often() -> None:
    names = "abcdefgh"
    bush = {"type": "object", "properties": {name: {"$ref": "#"} for name in names}}
    assert 1 <= _levels(_open(bush), "a") < 4


@pytest.mark.slow
def test_size_and_depth_are_bounded() -> None:
    wide = {"properties": {str(at): {"type": "string"} for at in range(MAX_NODES)}}
    assert f"more than {MAX_NODES} nodes" in _refused(wide)
    deep: dict[str, object] = {"type": "string"}
    for _ in range(MAX_DEPTH):
        deep = {"items": deep}
    assert f"more than {MAX_DEPTH} levels deep" in _refused(deep)
    everyone = {
        f"N{at}": {"properties": {f"p{to}": {"$ref": f"#/$defs/N{to}"} for to in range(20)}}
        for at in range(20)
    }
    assert "nodes" in _refused({"$ref": "#/$defs/N0", "$defs": everyone})


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        ({"properties": {"a": {"items": {"minItems": 3, "maxItems": "2"}}}}, "properties[a].items.min_items"),
        ({"anyOf": [{}, {"minimum": 2, "maximum": 1.5}]}, "any_of[1].minimum"),
        ({"items": {"minLength": 2, "maxLength": 1}}, "items.min_length"),
        ({"properties": {"a": {"enum": []}}}, "properties[a].enum"),
        ({"properties": {}, "required": ["a"]}, "required[0]"),
        ({"type": "array", "minItems": -1}, "min_items"),
    ],
)
def test_contradictions_name_their_place(raw: object, place: str) -> None:
    assert _refused(raw).startswith(f"* GenerateContentRequest.{FIELD}.{place}: ")


def test_unknown_keywords_are_refused_in_one_dialect_only() -> None:
    raw = {"properties": {"a": {}, "b": {"type": "STRING", "patternProperties": {}, "if": {}}}}
    message = _refused(raw)
    assert message.count("\n") == 1
    assert (
        f"Unknown name \"patternProperties\" at '{FIELD}.properties[1].value': Cannot find field." in message
    )
    assert _open(raw).properties[1].schema == STRING


KEYWORDS = ["type", "properties", "items", "anyOf", "allOf", "enum", "required", "$ref", "$defs", "minItems"]
KEYWORDS += [
    "maxItems",
    "minimum",
    "nullable",
    "pattern",
    "prefixItems",
    "additionalProperties",
    "const",
    "a",
]
ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.floats()
    | st.sampled_from(["STRING", "object", "#", "a"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYWORDS), inner, max_size=5),
    max_leaves=25,
)


@given(ANY_JSON, st.booleans())
def test_anything_gives_a_schema_or_a_refusal(raw: object, closed: bool) -> None:
    try:
        schema = compile_schema(raw, FIELD, Scope(), closed=closed)
    except InvalidRequest as refusal:
        assert FIELD in refusal.message
        return
    assert isinstance(schema, Schema)
    assert raw is True or isinstance(raw, dict)
    json.dumps(schema.enum)
