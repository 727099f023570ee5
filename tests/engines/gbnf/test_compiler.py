"""What a grammar allows satisfies its schema, and what satisfies the schema is allowed."""

from __future__ import annotations

import random
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engines.gbnf.gbnf_reader import Grammar
from tests.engines.gbnf.values import guess, written
from tests.engines.schemas import schemas
from vidi.domain.schema import Schema
from vidi.engines.blank import Unfillable
from vidi.engines.gbnf import compile_schema
from vidi.engines.grammar import readable, satisfies, validate

SEEDS = st.integers(0, 2**32)


def checkable(schema: Schema) -> Schema:
    """Without what a grammar and a validator see differently.

    Of two patterns that must both match a grammar holds one; a validator does not look at formats.
    """

    def inside(each: Schema) -> Schema:
        return replace(
            each,
            format=None,
            pattern="^[a-z]+$" if readable(each.pattern) else each.pattern,
            properties=tuple(replace(member, schema=inside(member.schema)) for member in each.properties),
            items=each.items and inside(each.items),
            prefix_items=tuple(map(inside, each.prefix_items)),
            any_of=tuple(map(inside, each.any_of)),
        )

    return inside(schema)


@settings(max_examples=100, deadline=None)
@given(schemas().map(checkable), SEEDS)
def test_every_text_of_a_grammar_satisfies_the_schema(schema: Schema, seed: int) -> None:
    chance = random.Random(seed)
    try:
        grammar = Grammar(compile_schema(schema))
    except Unfillable:
        for _ in range(4):
            assert not satisfies(guess(schema, chance), schema)
        return
    for _ in range(5):
        validate(grammar.sample(chance), schema)


@settings(max_examples=100, deadline=None)
@given(schemas().map(checkable), SEEDS)
def test_every_value_of_a_schema_is_a_text_of_the_grammar(schema: Schema, seed: int) -> None:
    chance = random.Random(seed)
    values = [guess(schema, chance) for _ in range(4)]
    fitting = [value for value in values if satisfies(value, schema)]
    if fitting:
        grammar = Grammar(compile_schema(schema))
        for value in fitting:
            assert grammar.matches(written(value, schema))
