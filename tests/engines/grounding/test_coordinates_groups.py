"""Groups of numbers in JSON values."""

from __future__ import annotations

import pytest

from vidi.domain.schema import JsonValue
from vidi.engines.grounding.coordinates import groups_in
from vidi.engines.profile import Order


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([1, 2, 3, 4], [(1, 2, 3, 4)]),
        ([1, 2], [(1, 2)]),
        ([1, 2, 3], []),
        ([1, 2, 3, 4, 5, 6, 7, 8], [(1, 2, 3, 4), (5, 6, 7, 8)]),
        ([[1, 2, 3, 4], [5, 6]], [(1, 2, 3, 4), (5, 6)]),
        (["1", " 2.5 ", "3", "4"], [(1, 2.5, 3, 4)]),
        ("(1, 2), (3, 4)", [(1, 2, 3, 4)]),
        ({"x1": 1, "y1": 2, "x2": 3, "y2": 4}, [(1, 2, 3, 4)]),
        ({"left": 1, "top": 2, "width": 3, "height": 4}, [(1, 2, 4, 6)]),
        ({"x": 1, "y": 2}, [(1, 2)]),
        ({"x": True, "y": 2}, []),
        ([True, 2, 3, 4], []),
        ([10**400, 2, 3, 4], []),
        (None, []),
        ("nothing", []),
        ([[[[[[[[1, 2, 3, 4]]]]]]]], []),
    ],
)
def test_groups(value: JsonValue, expected: list[tuple[float, ...]]) -> None:
    assert list(groups_in(value, Order.XYXY)) == expected


def test_names_are_put_into_the_family_s_order() -> None:
    edges: JsonValue = {"xmin": 1, "ymin": 2, "xmax": 3, "ymax": 4}
    assert list(groups_in(edges, Order.YXYX)) == [(2, 1, 4, 3)]
