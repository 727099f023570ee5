"""What was done to the light, the colours and the sharpness of a whole picture."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter

from tests.engines.lite.vision.test_alignment import landscape
from vidi.engines.lite.vision.colours import Grid, lighting, sharpness

IMAGE = Image.fromarray(landscape(size=256))
EVERYWHERE = np.ones((256, 256), bool)


def _grid(image: Image.Image) -> Grid:
    return np.asarray(image.convert("RGB"), np.float32)


def _lighting(one: Image.Image, other: Image.Image) -> tuple[str, ...]:
    return lighting(_grid(one), _grid(other), EVERYWHERE)[0]


@pytest.mark.parametrize(
    ("edited", "there", "back"),
    [
        (ImageEnhance.Contrast(IMAGE).enhance(1.5), "more_contrast", "less_contrast"),
        (ImageEnhance.Color(IMAGE).enhance(1.8), "more_vivid", "paler"),
        (ImageEnhance.Brightness(IMAGE).enhance(1.4), "brighter", "darker"),
        (IMAGE.convert("L"), "grey", "coloured_back"),
    ],
    ids=["contrast", "colour", "light", "grey"],
)
def test_a_change_of_the_whole_is_named_both_ways(edited: Image.Image, there: str, back: str) -> None:
    assert _lighting(IMAGE, edited) == (there,)
    assert _lighting(edited, IMAGE) == (back,)


def test_nothing_is_named_where_nothing_changed() -> None:
    assert lighting(_grid(IMAGE), _grid(IMAGE), EVERYWHERE) == ((), "")
    assert sharpness(_grid(IMAGE), _grid(IMAGE)) == ""


def test_a_dark_picture_is_brighter_by_a_part_of_its_light() -> None:
    dark = ImageEnhance.Brightness(IMAGE).enhance(0.2)
    assert _lighting(dark, ImageEnhance.Brightness(dark).enhance(1.3)) == ("brighter",)


def test_something_bright_in_it_does_not_make_it_brighter() -> None:
    edited = IMAGE.copy()
    edited.paste("white", (0, 0, 100, 256))
    assert "brighter" not in _lighting(IMAGE, edited)


def test_cells_that_show_something_else_do_not_count() -> None:
    edited = IMAGE.copy()
    edited.paste("red", (0, 0, 256, 120))
    same = EVERYWHERE.copy()
    same[:120] = False
    assert lighting(_grid(IMAGE), _grid(edited), same) == ((), "")


def test_a_tint_names_its_colour() -> None:
    warm = np.clip(_grid(IMAGE) + np.array([40, 0, 0], np.float32), 0, 255)
    names, tint = lighting(_grid(IMAGE), warm, EVERYWHERE)
    assert "tinted" in names
    assert tint == "red"


def test_a_blur_is_told_and_contrast_is_none() -> None:
    fine = Image.effect_noise((256, 256), 60).convert("RGB")
    blurred = fine.filter(ImageFilter.GaussianBlur(2))
    assert sharpness(_grid(fine), _grid(blurred)) == "blurred"
    assert sharpness(_grid(blurred), _grid(fine)) == "sharper"
    assert sharpness(_grid(fine), _grid(ImageEnhance.Contrast(fine).enhance(0.45))) == ""


@pytest.mark.parametrize("shade", [0, 90, 255])
def test_plain_pictures_show_no_change_of_light(shade: int) -> None:
    plain = np.full((256, 256, 3), shade, np.float32)
    assert lighting(plain, plain, EVERYWHERE) == ((), "")
    assert sharpness(plain, plain) == ""
