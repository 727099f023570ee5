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
from vidi.domain.schema import Kind, Property, Schema
from vidi.engines.intersection import BRANCH_BUDGET, Intersection, TooManyBranches
from vidi.engines.schemas import Unfillable, alternatives
from vidi.engines.validation import satisfies

MANY = Schema(any_of=tuple(Schema(minimum=float(at)) for at in range(200)))
MULTIPLIED = Schema(items=MANY, any_of=(Schema(items=MANY),))


@settings(max_examples=examples(60))
@given(schemas().map(checkable), st.integers(0, 2**32))
def test_a_value_satisfies_a_schema_if_it_satisfies_one_of_its_branches(schema: Schema, seed: int) -> None:
    branches = list(Intersection().branches(schema))
    assert all(not branch.any_of for branch in branches)
    chance = random.Random(seed)
    for value in (guess(chance.choice([schema, *branches]), chance) for _ in range(6)):
        assert satisfies(value, schema) == any(satisfies(value, branch) for branch in branches)


def test_alternatives_that_multiply_are_refused() -> None:
    with pytest.raises(TooManyBranches, match="anyOf"):
        list(Intersection().branches(MULTIPLIED))
    with pytest.raises(Unfillable, match="anyOf"):
        list(alternatives(MULTIPLIED))
    assert BRANCH_BUDGET < 200 * 200


def test_an_integer_is_a_number() -> None:
    both = Schema(
        kinds=frozenset({Kind.NUMBER}), any_of=(Schema(kinds=frozenset({Kind.INTEGER, Kind.STRING})),)
    )
    assert [branch.kinds for branch in Intersection().branches(both)] == [{Kind.INTEGER}]


def test_alternatives_that_share_no_type_are_left_out() -> None:
    text, things = (Schema(kinds=frozenset({kind})) for kind in (Kind.STRING, Kind.ARRAY))
    both = Schema(kinds=frozenset({Kind.STRING, Kind.NULL}), any_of=(things, text))
    assert [branch.kinds for branch in alternatives(both)] == [{Kind.STRING}]


def test_members_of_both_are_kept_with_the_words_about_them() -> None:
    left = Schema(properties=(Property("a", Schema(minimum=1), True),), additional=Schema())
    right = Schema(properties=(Property("a", Schema(maximum=9), False),), additional=Schema(), title="right")
    (branch,) = alternatives(
        Schema(properties=left.properties, additional=Schema(), any_of=(right,), description="how many")
    )
    assert (branch.title, branch.description) == ("right", "how many")
    (member,) = branch.properties
    assert (member.schema.minimum, member.schema.maximum, member.required) == (1, 9, True)


def test_a_member_that_the_other_forbids_leaves_anything_but_an_object() -> None:
    closed = Schema(properties=(Property("a", Schema(), False),))
    demands = Schema(properties=(Property("b", Schema(), True),), additional=Schema())
    (branch,) = alternatives(Schema(properties=closed.properties, any_of=(demands,)))
    assert branch.kinds == frozenset(Kind) - {Kind.OBJECT}
