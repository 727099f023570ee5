"""Numbers within limits: as text, digit by digit."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engines.gbnf.gbnf_reader import Grammar
from vidi.engines.gbnf.expression import Expression, Rules
from vidi.engines.gbnf.numbers import LARGEST, decimals, integers

LIMITS = st.none() | st.integers(-1100, 1100) | st.integers(-(10**16), 10**16)
REALS = st.none() | st.decimals(-1100, 1100, places=3).map(float) | st.floats(-1e16, 1e16)


def _grammar(expression: Expression) -> Grammar:
    return Grammar(Rules().text(expression))


@given(LIMITS, LIMITS, st.lists(st.integers(-1200, 1200) | st.integers(-(10**15), 10**15)), st.integers())
def test_integers(least: int | None, most: int | None, values: list[int], seed: int) -> None:
    low = -LARGEST if least is None else max(least, -LARGEST)
    high = LARGEST if most is None else min(most, LARGEST)
    made = integers(least, most)
    if made is None:
        assert low > high
        return
    grammar = _grammar(made)
    for value in (*values, low, high, low - 1, high + 1):
        assert grammar.matches(str(value)) == (low <= value <= high)
    said = grammar.sample(random.Random(seed))
    assert low <= int(said) <= high
    assert said == str(int(said))


@given(REALS, REALS, st.lists(st.decimals(-1200, 1200, places=4)), st.integers())
def test_decimals(least: float | None, most: float | None, values: list[Decimal], seed: int) -> None:
    low = -1e15 if least is None else least
    high = 1e15 if most is None else most
    made = decimals(least, most)
    if made is None:
        assert low > high or low >= 1e15 or high <= -1e15 or high - low < 1e-9
        return
    grammar = _grammar(made)
    for value in values:
        said = f"{value:f}"
        if not value.is_zero():
            assert grammar.matches(said) == (low <= float(said) <= high)
    for said in (grammar.sample(random.Random(seed + at)) for at in range(5)):
        assert low <= float(said) <= high


@pytest.mark.parametrize("text", ["-0", "00", "01", "1.", ".5", "1e3", "+1", "1" * 16, "0." + "1" * 11])
def test_what_is_never_written(text: str) -> None:
    made = decimals(None, None)
    assert made is not None
    assert not _grammar(made).matches(text)


@pytest.mark.parametrize("text", ["0", "-1", "0.5", "-0.25", "1.0", "9" * 15])
def test_what_is(text: str) -> None:
    made = decimals(None, None)
    assert made is not None
    assert _grammar(made).matches(text)


def test_common_ranges_are_short() -> None:
    thousand, unit = integers(0, 1000), decimals(0.0, 1.0)
    assert thousand is not None
    assert thousand.text == '"0" | "1000" | [1-9] [0-9]{0,2}'
    assert unit is not None
    assert unit.text == '"0" ("." [0-9]{1,10})? | "1" ("." "0"{1,10})?'


def test_a_limit_with_many_digits_is_held_a_little_more_strictly() -> None:
    above = decimals(0.12345678901234, 2.0)
    assert above is not None
    grammar = _grammar(above)
    assert [grammar.matches(f"0.{digits}") for digits in ("1234567890", "1234567891", "12345678901234")] == [
        False,
        True,
        False,
    ]
    assert decimals(1e-12, 2e-12) is None
