"""The guide's arithmetic, over the whole table of the contract."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidi.domain.prompt import ImageFormat, ImageHeader, MediaResolution
from vidi.images.tokens import budget_tokens, image_tokens, tile_tokens

LOW, MEDIUM, HIGH, ULTRA = (
    MediaResolution.LOW,
    MediaResolution.MEDIUM,
    MediaResolution.HIGH,
    MediaResolution.ULTRA_HIGH,
)
TABLE = [
    (100, 100, 258, 256, 529, 1089, 2209),
    (384, 384, 258, 256, 529, 1089, 2209),
    (385, 384, 1032, 256, 529, 1089, 2209),
    (500, 300, 1548, 252, 540, 1075, 2196),
    (512, 512, 1032, 256, 529, 1089, 2209),
    (640, 480, 1032, 266, 540, 1064, 2160),
    (768, 768, 1032, 256, 529, 1089, 2209),
    (960, 540, 1548, 264, 527, 1100, 2205),
    (1000, 400, 2064, 260, 518, 1092, 2146),
    (1024, 1024, 1032, 256, 529, 1089, 2209),
    (1280, 720, 1548, 264, 527, 1100, 2205),
    (1920, 1080, 1548, 264, 527, 1100, 2205),
    (1080, 1920, 1548, 264, 527, 1100, 2205),
    (2000, 500, 3612, 264, 517, 1056, 2162),
    (2048, 2048, 1032, 256, 529, 1089, 2209),
    (3000, 2000, 1548, 260, 532, 1080, 2166),
    (3024, 4032, 1032, 266, 540, 1064, 2160),
    (3840, 2160, 1548, 264, 527, 1100, 2205),
    (4000, 300, 10320, 244, 516, 1098, 2064),
]


@pytest.mark.parametrize(("width", "height", "tiles", "low", "medium", "high", "ultra"), TABLE)
def test_the_table(width: int, height: int, tiles: int, low: int, medium: int, high: int, ultra: int) -> None:
    assert tile_tokens(width, height) == tiles
    budgets = [budget_tokens(width, height, level) for level in (LOW, MEDIUM, HIGH, ULTRA)]
    assert budgets == [low, medium, high, ultra]


@pytest.mark.parametrize(
    ("width", "height", "tiles"),
    [
        (300, 300, 1),
        (1, 1, 1),
        (384, 1, 1),
        (385, 1, 2),
        (2000, 2, 8),
        (65_535, 1, 256),
        (1_000, 47, 4),
        (1_000, 48, 64),
    ],
)
def test_strips_do_not_explode(width: int, height: int, tiles: int) -> None:
    assert tile_tokens(width, height) == tile_tokens(height, width) == tiles * 258


@pytest.mark.parametrize(
    ("width", "height", "tokens"),
    [(352, 240, 1080), (65_535, 1, 1120), (1_200, 1, 1120), (1_120, 1, 1120), (1_000, 1, 1058)],
)
def test_budgets_of_extreme_ratios(width: int, height: int, tokens: int) -> None:
    assert budget_tokens(width, height, HIGH) == budget_tokens(height, width, HIGH) == tokens


@given(st.integers(1, 100_000), st.integers(1, 100_000), st.sampled_from([LOW, MEDIUM, HIGH, ULTRA]))
def test_budgets_are_never_exceeded_nor_zero(width: int, height: int, level: MediaResolution) -> None:
    most = {LOW: 280, MEDIUM: 560, HIGH: 1120, ULTRA: 2240}[level]
    assert 1 <= budget_tokens(width, height, level) <= most


@given(st.integers(72, 20_000), st.integers(72, 20_000))
def test_tiles_follow_the_formula(width: int, height: int) -> None:
    unit = math.floor(min(width, height) / 1.5)
    expected = 1 if max(width, height) <= 384 else math.ceil(width / unit) * math.ceil(height / unit)
    assert tile_tokens(width, height) == expected * 258


def test_a_header_costs_tiles_until_a_resolution_is_given() -> None:
    header = ImageHeader(ImageFormat.JPEG, 960, 540)
    assert image_tokens(header) == 1548
    assert image_tokens(ImageHeader(ImageFormat.JPEG, 960, 540, resolution=LOW)) == 264
    assert budget_tokens(960, 540, MediaResolution.UNSPECIFIED) == 1100


@pytest.mark.parametrize("tokens", [1, 70, 300, 5000])
def test_a_budget_of_tokens_is_charged_exactly(tokens: int) -> None:
    assert image_tokens(ImageHeader(ImageFormat.PNG, 4000, 300, resolution=tokens)) == tokens
