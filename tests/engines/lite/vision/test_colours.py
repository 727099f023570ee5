"""Names for colours."""

from __future__ import annotations

import numpy as np
import pytest

from tests.engines.lite.fakes import PAINTS, Painted, Scene, picture_of
from vidi.domain.geometry import Box
from vidi.engines.lite.vision.colours import UPPER_BODY, Illumination, colour_of, illumination_of, palette

WHOLE = Box(0, 0, 1000, 1000)


@pytest.mark.parametrize("name", sorted(PAINTS))
def test_plain_colours_have_their_names(name: str) -> None:
    picture = Scene((Painted("car", (200, 200, 800, 800), name),)).picture
    assert colour_of(picture, Box(200, 200, 800, 800), under=illumination_of(picture)) == name


def test_white_in_a_dim_picture_is_white() -> None:
    pixels = np.full((20, 20, 3), 140, np.uint8)
    pixels[:5] = 30
    dim = picture_of(pixels)
    assert colour_of(dim, WHOLE, under=illumination_of(dim)) == "white"


def test_a_picture_of_plain_grey_is_grey() -> None:
    plain = picture_of(np.full((20, 20, 3), 128, np.uint8))
    assert palette(plain, under=illumination_of(plain)) == ("gray",)


@pytest.mark.parametrize(
    ("lamp", "name"), [((255, 232, 185), "white"), ((190, 215, 255), "white"), ((255, 120, 60), "orange")]
)
def test_half_of_the_tint_of_the_light_is_taken_away(lamp: tuple[int, int, int], name: str) -> None:
    pixels = np.zeros((40, 40, 3), np.uint8)
    pixels[:] = np.array(lamp) * 0.75
    pixels[:10] = lamp
    pixels[30:] = 20
    picture = picture_of(pixels)
    assert colour_of(picture, Box(300, 100, 700, 900), under=illumination_of(picture)) == name


def test_a_picture_in_one_colour_keeps_it() -> None:
    picture = picture_of(np.full((20, 20, 3), PAINTS["blue"], np.uint8))
    assert illumination_of(picture) == Illumination()


def test_shadows_do_not_make_a_thing_black() -> None:
    pixels = np.zeros((100, 100, 3), np.uint8)
    pixels[:, ::3] = PAINTS["blue"]
    assert colour_of(picture_of(pixels), WHOLE, under=Illumination()) == "blue"


def test_the_skin_of_a_person_in_black_is_not_the_colour_of_the_clothes() -> None:
    pixels = np.full((100, 100, 3), PAINTS["black"], np.uint8)
    pixels[:20] = PAINTS["brown"]
    assert colour_of(picture_of(pixels), WHOLE, under=Illumination(), worn=UPPER_BODY) == "black"


def test_a_box_outside_the_picture_has_no_colour() -> None:
    picture = Scene().picture
    assert colour_of(picture, Box(2000, 2000, 3000, 3000), under=Illumination()) == ""


def test_the_palette_lists_what_takes_room_most_first() -> None:
    scene = Scene((Painted("car", (0, 0, 1000, 300), "blue"), Painted("car", (0, 950, 50, 1000), "red")))
    assert palette(scene.picture, under=Illumination()) == ("white", "blue")


@pytest.mark.parametrize(("width", "height"), [(1, 1), (5000, 3), (3, 5000)])
def test_any_shape_is_named(width: int, height: int) -> None:
    picture = picture_of(np.full((height, width, 3), PAINTS["red"], np.uint8))
    assert colour_of(picture, WHOLE, under=illumination_of(picture)) == "red"
