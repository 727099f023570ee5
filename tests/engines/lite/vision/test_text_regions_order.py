"""The order in which lines are read."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vidi.engines.lite.vision.text_regions import reading_order


def order(*boxes: tuple[float, float, float, float]) -> list[int]:
    return reading_order(np.array(boxes, np.float32).reshape(-1, 4))


def test_lines_go_down_and_rows_go_right() -> None:
    assert order((0, 50, 90, 60), (0, 10, 90, 20), (0, 30, 90, 40)) == [1, 2, 0]
    assert order((60, 12, 90, 22), (0, 10, 40, 20), (0, 30, 40, 40)) == [1, 0, 2]


def test_a_slanted_row_stays_a_row() -> None:
    assert order((0, 10, 20, 20), (30, 13, 50, 23), (60, 16, 80, 26), (0, 32, 20, 42)) == [0, 1, 2, 3]


def test_columns_of_prose_are_read_one_after_the_other_below_their_heading() -> None:
    left = [(0, 30 + 15 * row, 100, 40 + 15 * row) for row in range(3)]
    right = [(130, 30 + 15 * row, 230, 40 + 15 * row) for row in range(3)]
    assert order((20, 5, 210, 20), *right, *left) == [0, 4, 5, 6, 1, 2, 3]


def test_a_table_is_read_row_by_row() -> None:
    names = [(0, 15 * row, 30, 10 + 15 * row) for row in range(3)]
    prices = [(130, 15 * row, 150, 10 + 15 * row) for row in range(3)]
    assert order(*names, *prices) == [0, 3, 1, 4, 2, 5]


def test_nothing_has_no_order() -> None:
    assert order() == []


edges = st.integers(0, 1000)


@given(st.lists(st.tuples(edges, edges, st.integers(1, 300), st.integers(1, 60)), max_size=20))
def test_every_line_is_read_once(lines: list[tuple[int, int, int, int]]) -> None:
    boxes = [(x, y, x + width, y + height) for x, y, width, height in lines]
    assert sorted(order(*boxes)) == list(range(len(lines)))
