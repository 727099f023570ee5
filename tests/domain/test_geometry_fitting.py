"""What size a picture gets, and where it lies."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidi.domain.geometry import Fit, canvas, place, target_size

SIDES = st.integers(1, 65_535)
PATCHES = st.sampled_from((14, 28, 32, 48))


class TestTargetSize:
    @given(SIDES, SIDES, st.integers(1, 5_000_000))
    def test_fits_and_is_never_larger(self, width: int, height: int, budget: int) -> None:
        across, down = target_size(width, height, budget)
        assert 1 <= across <= width
        assert 1 <= down <= height
        assert across * down <= budget

    @given(st.integers(100, 10_000), st.integers(100, 10_000))
    def test_keeps_the_ratio(self, width: int, height: int) -> None:
        across, down = target_size(width, height, 512 * 512)
        assert (across + 1) * height > down * width * (1 - 1 / down) - height
        assert abs(across / width - down / height) <= 1 / min(width, height)

    @pytest.mark.parametrize(
        ("size", "budget", "expected"),
        [
            ((640, 480), 640 * 480, (640, 480)),
            ((4000, 3000), 1024 * 768, (1024, 768)),
            ((65_535, 1), 65_535, (65_535, 1)),
            ((65_535, 1), 1_000, (1_000, 1)),
            ((1, 65_535), 1_000, (1, 1_000)),
            ((20_000, 50), 262_144, (10_240, 25)),
            ((5, 5), 1, (1, 1)),
        ],
    )
    def test_strips_keep_their_length(
        self, size: tuple[int, int], budget: int, expected: tuple[int, int]
    ) -> None:
        assert target_size(*size, budget) == expected


class TestWholePatches:
    @given(SIDES, SIDES, PATCHES, st.integers(1, 4096))
    def test_sides_are_multiples_within_the_budget(
        self, width: int, height: int, patch: int, tokens: int
    ) -> None:
        fit = Fit(tokens * patch**2, min_pixels=4 * patch**2, multiple=patch)
        placed = place(width, height, fit)
        across, down = canvas(placed, fit)
        assert across % patch == down % patch == 0
        assert across * down <= fit.max_pixels
        assert (placed.left, placed.top, placed.width, placed.height) == (0, 0, across, down)

    @given(st.integers(100, 8_000), st.integers(100, 8_000), PATCHES)
    def test_what_fits_already_stays(self, width: int, height: int, patch: int) -> None:
        fit = Fit(1024 * patch**2, min_pixels=64 * patch**2, multiple=patch)
        once = canvas(place(width, height, fit), fit)
        assert canvas(place(*once, fit), fit) == once

    @pytest.mark.parametrize(
        ("size", "fit", "expected"),
        [
            ((640, 480), Fit(1 << 20, 1, 32), (640, 480)),
            ((650, 470), Fit(1 << 20, 1, 32), (640, 480)),
            ((10, 10), Fit(1 << 20, 4 * 32 * 32, 32), (64, 64)),
            ((4000, 3000), Fit(256 * 32 * 32, 1, 32), (576, 416)),
            ((20_000, 50), Fit(64 * 32 * 32, 1, 32), (2048, 32)),
        ],
    )
    def test_cases_worked_by_hand(self, size: tuple[int, int], fit: Fit, expected: tuple[int, int]) -> None:
        assert canvas(place(*size, fit), fit) == expected

    @given(SIDES, SIDES, PATCHES)
    def test_turning_the_picture_turns_the_result(self, width: int, height: int, patch: int) -> None:
        fit = Fit(300 * patch**2, 70 * patch**2, patch)
        if width != height:
            across, down = canvas(place(width, height, fit), fit)
            assert canvas(place(height, width, fit), fit) == (down, across)


class TestSquare:
    @given(SIDES, SIDES, st.integers(16, 896))
    def test_the_whole_picture_lies_within_and_in_the_middle(
        self, width: int, height: int, side: int
    ) -> None:
        fit = Fit(1 << 20, square=side)
        placed = place(width, height, fit)
        assert canvas(placed, fit) == (side, side)
        assert max(placed.width, placed.height) == side
        assert 0 <= side - placed.width - 2 * placed.left <= 1
        assert 0 <= side - placed.height - 2 * placed.top <= 1

    def test_a_box_finds_its_way_back(self) -> None:
        placed = place(2000, 1000, Fit(1, square=64))
        assert (placed.left, placed.top, placed.width, placed.height) == (0, 16, 64, 32)
        assert placed.box(0, 16, 32, 32).box_2d() == (0, 0, 500, 500)
