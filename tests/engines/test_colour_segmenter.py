"""Masks by colour and place, on things whose shape is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from bench.masks import mask_overlap, placed
from tests.conftest import examples
from vidi.domain.geometry import GRID, Box, Placement
from vidi.domain.prompt import Picture
from vidi.engines.colour_segmenter import SIDE, ColourSegmenter

SIZE = (320, 240)
GROUND, THING = (60, 110, 60), (180, 60, 50)
SHAPES = {
    "disc": lambda pen, corners, **fill: pen.ellipse(corners, **fill),
    "sheet": lambda pen, corners, **fill: pen.rectangle(corners, **fill),
    "roof": lambda pen, corners, **fill: pen.polygon(
        [(corners[0], corners[3]), ((corners[0] + corners[2]) / 2, corners[1]), corners[2:]], **fill
    ),
}


def painted(shape: str, corners: tuple[int, int, int, int]) -> tuple[Picture, np.ndarray]:
    """A thing on a ground, both a little uneven, and which pixels are the thing's."""
    truth = Image.new("1", SIZE)
    SHAPES[shape](ImageDraw.Draw(truth), corners, fill=1)
    where = np.asarray(truth, np.bool_)
    chance = np.random.default_rng(1)
    pixels = np.where(where[..., None], THING, GROUND) + chance.normal(0, 8, (*where.shape, 3))
    rgb = np.clip(pixels, 0, 255).astype(np.uint8).tobytes()
    return Picture(*SIZE, rgb, Placement(*SIZE, 0, 0, *SIZE), ""), where


def overlap(picture: Picture, corners: tuple[int, int, int, int], truth: np.ndarray) -> float:
    mask = ColourSegmenter().mask(picture, picture.placement.box(*corners), "")
    return mask_overlap(placed(mask, corners, SIZE), truth)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("corners", [(80, 60, 240, 180), (200, 100, 319, 239), (100, 100, 130, 125)], ids=str)
def test_a_thing_of_its_own_colour_is_found(shape: str, corners: tuple[int, int, int, int]) -> None:
    picture, truth = painted(shape, corners)
    assert overlap(picture, corners, truth) > 0.8


@pytest.mark.parametrize("shape", ["disc", "sheet"])
def test_a_thing_in_the_pictures_corner_is_found(shape: str) -> None:
    # Not a roof: its ground there lies before no edge of the box, and is taken for it.
    picture, truth = painted(shape, (0, 0, 120, 120))
    assert overlap(picture, (0, 0, 120, 120), truth) > 0.8


def test_a_roof_is_no_box() -> None:
    corners = (80, 60, 240, 180)
    picture, truth = painted("roof", corners)
    whole = np.zeros_like(truth)
    whole[60:180, 80:240] = True
    assert overlap(picture, corners, truth) > mask_overlap(whole, truth) + 0.25


def test_bands_around_a_picture_are_no_ground() -> None:
    corners = (0, 60, 160, 180)
    picture, _ = painted("disc", corners)
    canvas = Image.new("RGB", (320, 320), (128, 128, 128))
    canvas.paste(Image.frombytes("RGB", SIZE, picture.rgb), (0, 40))
    letterboxed = Picture(320, 320, canvas.tobytes(), Placement(*SIZE, 0, 40, *SIZE), "")
    box = picture.placement.box(*corners)
    assert ColourSegmenter().mask(letterboxed, box, "") == ColourSegmenter().mask(picture, box, "")


def test_where_nothing_stands_out_the_middle_is_the_thing() -> None:
    grey = Picture(*SIZE, bytes([120]) * (SIZE[0] * SIZE[1] * 3), Placement(*SIZE, 0, 0, *SIZE), "")
    mask = ColourSegmenter().mask(grey, Box(200, 200, 800, 800), "")
    levels = np.frombuffer(mask.grey, np.uint8).reshape(SIDE, SIDE)
    assert levels[SIDE // 2, SIDE // 2] > 127 > levels[0, 0]


def test_a_box_under_two_pixels_is_its_thing() -> None:
    picture, _ = painted("disc", (80, 60, 240, 180))
    mask = ColourSegmenter().mask(picture, Box(500, 500, 501, 501), "")
    assert (mask.width, mask.height, mask.grey) == (1, 1, b"\xff")


@given(st.lists(st.integers(0, GRID), min_size=4, max_size=4), st.integers(1, 64), st.integers(1, 64))
@settings(max_examples=examples(60), deadline=None)
def test_any_box_of_any_picture_has_a_mask(edges: list[int], width: int, height: int) -> None:
    (ymin, ymax), (xmin, xmax) = sorted(edges[:2]), sorted(edges[2:])
    picture = Picture(
        width,
        height,
        bytes(range(256)) * (width * height * 3 // 256 + 1),
        Placement(width, height, 0, 0, width, height),
        "",
    )
    cut = Picture(width, height, picture.rgb[: width * height * 3], picture.placement, "")
    mask = ColourSegmenter().mask(cut, Box(ymin, xmin, max(ymax, ymin + 1), max(xmax, xmin + 1)), "")
    assert len(mask.grey) == mask.width * mask.height
