"""Values for schemas, made from a source of chance, and as a grammar wants them written."""

from __future__ import annotations

import json
import random

from vidi.domain.schema import JsonValue, Kind, Schema
from vidi.engines.gbnf.numbers import FRACTION_DIGITS
from vidi.engines.schemas import MOST_ELEMENTS

_TEXTS = ("", "a", "abc", "é中😀", 'say "hi"\\', "tab\tand\nline", "\x7f\u2028")
_NAMES = ("zzz", "labels", "lab", "count", "é", 'q"', "")


def guess(schema: Schema, chance: random.Random, depth: int = 3) -> JsonValue:
    """A value that often satisfies the schema; whether it does must be checked."""
    if schema.any_of and chance.random() < 0.9:
        return guess(chance.choice(schema.any_of), chance, depth)
    if schema.enum:
        return chance.choice(schema.enum)
    kinds = sorted(schema.kinds or set(Kind), key=lambda kind: kind.value)
    kind = chance.choice(kinds)
    if depth <= 0 and kind in (Kind.ARRAY, Kind.OBJECT) and not schema.kinds:
        kind = Kind.NULL
    if kind is Kind.ARRAY:
        return _array(schema, chance, depth)
    if kind is Kind.OBJECT:
        return _object(schema, chance, depth)
    return _scalar(schema, kind, chance)


def _array(schema: Schema, chance: random.Random, depth: int) -> JsonValue:
    least = min(schema.min_items or 0, MOST_ELEMENTS)
    most = least + 3 if schema.max_items is None else max(least, schema.max_items)
    count = chance.randint(least, most)
    shapes = [*schema.prefix_items, *[schema.items or Schema()] * count][:count]
    return [guess(shape, chance, depth - 1) for shape in shapes]


def _object(schema: Schema, chance: random.Random, depth: int) -> JsonValue:
    members = [each for each in schema.properties if each.required or chance.random() < 0.6]
    value = {each.name: guess(each.schema, chance, depth - 1) for each in members}
    if schema.additional is not None or (not schema.properties and not schema.kinds):
        for name in chance.sample(_NAMES, chance.randint(0, 2)):
            value.setdefault(name, guess(schema.additional or Schema(), chance, depth - 1))
    return value


def _scalar(schema: Schema, kind: Kind, chance: random.Random) -> JsonValue:
    low = -1000 if schema.minimum is None else schema.minimum
    high = max(low, low + 1000 if schema.maximum is None else schema.maximum)
    if kind is Kind.INTEGER:
        return round(chance.uniform(low, high))
    if kind is Kind.NUMBER:
        near = round(chance.uniform(low, high), chance.randint(0, 6))
        limits = [limit for limit in (schema.minimum, schema.maximum) if limit is not None]
        short = [
            limit for limit in limits if "e" not in repr(limit) and round(limit, FRACTION_DIGITS) == limit
        ]
        return chance.choice([near, *short])
    if kind is Kind.STRING:
        text = chance.choice(_TEXTS) + "x" * chance.choice([0, 0, schema.min_length or 0])
        return text if schema.max_length is None else text[: schema.max_length]
    return None if kind is Kind.NULL else chance.random() < 0.5


def written(value: JsonValue, schema: Schema) -> str:
    """Without white space, named members in their order and then the others."""
    return json.dumps(_ordered(value, schema), ensure_ascii=False, separators=(",", ":"))


def _ordered(value: JsonValue, schema: Schema) -> JsonValue:
    if isinstance(value, list):
        shapes = [*schema.prefix_items, *[schema.items or Schema()] * len(value)]
        return [_ordered(each, shape) for each, shape in zip(value, shapes, strict=False)]
    if isinstance(value, dict):
        shapes_of = {each.name: each.schema for each in schema.properties}
        names = [name for name in shapes_of if name in value]
        names += [name for name in value if name not in shapes_of]
        rest = schema.additional or Schema()
        return {name: _ordered(value[name], shapes_of.get(name, rest)) for name in names}
    return value
