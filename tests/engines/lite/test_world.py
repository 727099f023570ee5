"""Where boxes lie."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidi.domain.geometry import Box
from vidi.engines.lite.world import CELLS, at_feet, beside, cell_of, held, mounted, resting_on, shared


@pytest.mark.parametrize(
    ("box", "cell"),
    [
        (Box(0, 0, 100, 100), "top left"),
        (Box(0, 450, 100, 550), "top centre"),
        (Box(400, 900, 600, 1000), "middle right"),
        (Box(0, 0, 1000, 1000), "middle centre"),
        (Box(900, 900, 1000, 1000), "bottom right"),
    ],
)
def test_the_cell_is_that_of_the_middle(box: Box, cell: str) -> None:
    assert cell_of(box) == cell


@given(st.tuples(*[st.floats(-50, 1050)] * 4))
def test_every_box_has_a_cell(edges: tuple[float, float, float, float]) -> None:
    assert cell_of(Box(*edges)) in CELLS


def test_a_cat_is_on_the_couch_that_carries_it() -> None:
    couch = Box(400, 100, 900, 900)
    assert resting_on(Box(300, 300, 600, 500), couch)
    assert not resting_on(Box(0, 300, 300, 500), couch)
    assert not resting_on(couch, Box(300, 300, 600, 500))


def test_a_rider_is_over_what_is_ridden() -> None:
    horse = Box(400, 300, 900, 800)
    assert mounted(Box(150, 450, 650, 600), horse)
    assert not mounted(Box(150, 850, 950, 980), horse)


def test_a_board_is_at_the_feet_a_racket_is_held() -> None:
    person = Box(200, 400, 800, 550)
    assert at_feet(person, Box(780, 380, 830, 580))
    assert not at_feet(person, Box(250, 380, 300, 580))
    assert held(person, Box(300, 540, 400, 600))
    assert not held(person, Box(300, 800, 400, 900))


def test_beside_is_level_and_near() -> None:
    assert beside(Box(0, 0, 100, 100), Box(0, 120, 100, 220))
    assert not beside(Box(0, 0, 100, 100), Box(0, 500, 100, 600))
    assert not beside(Box(0, 0, 100, 100), Box(300, 120, 400, 220))


def test_an_empty_box_shares_nothing() -> None:
    assert shared(Box(5, 5, 5, 5), Box(0, 0, 10, 10)) == 0
