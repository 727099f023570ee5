"""Numbers measured on pictures."""

from __future__ import annotations

import math

import pytest

from tests.engines.grounding.setting import picture
from vidi.domain.geometry import Box, Placement, Point
from vidi.engines.grounding.coordinates import Denormalizer
from vidi.engines.profile import Dialect, Form, Order


def denormalizer(**options: float) -> Denormalizer:
    return Denormalizer(Dialect(Form.JSON, Order.XYXY, scale=options.get("scale", 1000)), (picture(),))


def test_a_letterbox_is_taken_off() -> None:
    # 200 x 100 in a square of 1000: 250 rows of padding above and below.
    square = picture(1000, 1000, Placement(200, 100, 0, 250, 1000, 500))
    inside = Denormalizer(Dialect(Form.JSON, Order.XYXY), (square,))
    assert inside.box([0, 250, 1000, 750]) == Box(0, 0, 1000, 1000)
    assert inside.box([0, 0, 500, 500]) == Box(0, 0, 500, 500)
    assert inside.box([0, 0, 1000, 250]) is None
    assert inside.point([500, 500]) == Point(500, 500)


def test_pixels_are_of_the_picture_that_the_model_got() -> None:
    assert denormalizer(scale=0).box([0, 0, 500, 250]) == Box(0, 0, 500, 500)
    assert denormalizer(scale=0).point([1000, 500]) == Point(1000, 1000)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_no_place(number: float) -> None:
    assert denormalizer().box([number, 0, 10, 10]) is None
    assert denormalizer().point([number, 0]) is None


def test_numbers_beyond_all_pictures_are_cut() -> None:
    assert denormalizer(scale=1).box([-1e300, -1e300, 1e300, 1e300]) == Box(0, 0, 1000, 1000)
    assert denormalizer().box([0, 0, 1]) is None
    assert denormalizer().point([1, 2, 3]) is None


def test_half_a_unit_is_rounded_up_on_every_picture() -> None:
    for width in (1, 3, 7, 999, 1000, 8000):
        measured = Denormalizer(Dialect(Form.JSON, Order.XYXY), (picture(width, width),))
        assert measured.box([100.5, 100.5, 300.5, 300.5]) == Box(101, 101, 301, 301)
