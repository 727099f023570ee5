"""Scalars of protobuf's JSON."""

from __future__ import annotations

import math
from enum import IntEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from vidi.wire.fields import Bool, Float, Int32, Listed, Text, integer, member, number


class Level(IntEnum):
    """A little enum."""

    NONE_SET = 0
    LOW = 1


class Box(BaseModel):
    """One field of each kind."""

    count: Int32 | None = None
    share: Float | None = None
    open: Bool | None = None
    name: Text | None = None
    names: Listed[Text] | None = None


@pytest.mark.parametrize("value", [40, 40.0, "40", "40.0", "4e1"])
def test_integers_in_every_spelling(value: object) -> None:
    assert Box.model_validate({"count": value}).count == 40


@pytest.mark.parametrize("value", [0.5, "0.5", "5e-1"])
def test_floats_in_every_spelling(value: object) -> None:
    assert Box.model_validate({"share": value}).share == 0.5


@pytest.mark.parametrize(
    ("field", "value", "kind"),
    [
        ("count", 1.5, "TYPE_INT32"),
        ("count", 2**31, "TYPE_INT32"),
        ("count", -(2**31) - 1, "TYPE_INT32"),
        ("count", True, "TYPE_INT32"),
        ("count", "", "TYPE_INT32"),
        ("count", " 1", "TYPE_INT32"),
        ("count", "1_0", "TYPE_INT32"),
        ("count", "9" * 5_000, "TYPE_INT32"),
        ("count", math.inf, "TYPE_INT32"),
        ("share", "NaN", "TYPE_FLOAT"),
        ("share", "Infinity", "TYPE_FLOAT"),
        ("share", 10**400, "TYPE_FLOAT"),
        ("share", 1e39, "TYPE_FLOAT"),
        ("share", [], "TYPE_FLOAT"),
        ("open", 1, "TYPE_BOOL"),
        ("open", "yes", "TYPE_BOOL"),
        ("name", 5, "TYPE_STRING"),
        ("names", [5], "TYPE_STRING"),
    ],
)
def test_wrong_values_name_their_type(field: str, value: object, kind: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Box.model_validate({field: value})
    assert [each["msg"] for each in caught.value.errors()] == [kind]


def test_a_lone_value_is_a_list_of_one() -> None:
    assert Box.model_validate({"names": "a"}).names == ["a"]
    assert Box.model_validate({"names": ["a", "b"]}).names == ["a", "b"]
    assert Box.model_validate({"names": None}).names is None


def test_booleans_may_be_strings() -> None:
    assert Box.model_validate({"open": "true"}).open is True
    assert Box.model_validate({"open": "false"}).open is False


@pytest.mark.parametrize("value", ["LOW", "low", "Low", 1, 1.0, "1"])
def test_enums_by_name_and_number(value: object) -> None:
    assert member(Level, value) is Level.LOW


def test_dashes_stand_for_underscores_in_enums() -> None:
    assert member(Level, "none-set") is Level.NONE_SET


@pytest.mark.parametrize("value", ["high", 2, -1, 0.5, True, None, [], {}, ""])
def test_unknown_enum_values_are_none(value: object) -> None:
    assert member(Level, value) is None


@given(st.integers())
def test_integers_read_as_they_are(value: int) -> None:
    fits = -(2**63) <= value < 2**63
    assert integer(value) == (value if fits else None)
    assert integer(str(value)) == (value if fits else None)


@given(st.text() | st.floats() | st.booleans() | st.none())
def test_number_never_raises(value: object) -> None:
    read = number(value)
    assert read is None or math.isfinite(read)
