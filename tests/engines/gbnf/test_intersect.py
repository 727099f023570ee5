"""What satisfies two schemas at once, and the alternatives of one."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import examples
from tests.engines.gbnf.shapes import checkable
from tests.engines.gbnf.values import guess
from tests.engines.schemas import schemas
from vidi.domain.schema import Kind, Schema
from vidi.engines.gbnf.expression import TooLarge
from vidi.engines.gbnf.intersect import MOST_MEETINGS, Intersection
from vidi.engines.validation import satisfies


@settings(max_examples=examples(60))
@given(schemas().map(checkable), st.integers(0, 2**32))
def test_a_value_satisfies_a_schema_if_it_satisfies_one_of_its_branches(schema: Schema, seed: int) -> None:
    branches = Intersection().branches(schema)
    assert all(not branch.any_of and branch.kinds for branch in branches)
    chance = random.Random(seed)
    for value in (guess(chance.choice([schema, *branches]), chance) for _ in range(6)):
        assert satisfies(value, schema) == any(satisfies(value, branch) for branch in branches)


@pytest.mark.slow
def test_alternatives_that_multiply_are_refused() -> None:
    many = Schema(any_of=tuple(Schema(minimum=float(at)) for at in range(200)))
    with pytest.raises(TooLarge, match="anyOf"):
        Intersection().branches(Schema(items=many, any_of=(Schema(items=many),)))
    assert MOST_MEETINGS < 200 * 200


def test_an_integer_is_a_number() -> None:
    both = Schema(
        kinds=frozenset({Kind.NUMBER}), any_of=(Schema(kinds=frozenset({Kind.INTEGER, Kind.STRING})),)
    )
    assert Intersection().branches(both)[0].kinds == {Kind.INTEGER}
