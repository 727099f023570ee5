"""Blurred pictures are told from crisp ones."""

from __future__ import annotations

import pytest
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from vidi.cli.inspect import BLURRED_BELOW, sharpness
from vidi.domain.geometry import Placement
from vidi.domain.prompt import Picture


def _scene() -> Image.Image:
    """Rings and bars: edges in all directions, at all scales, some noise."""
    image = Image.effect_noise((640, 480), 20).convert("RGB")
    draw = ImageDraw.Draw(image)
    for n in range(60):
        x, y, r = (n * 97) % 640, (n * 61) % 480, 4 + n % 23
        draw.ellipse((x - r, y - r, x + r, y + r), fill=((n * 40) % 256, (n * 90) % 256, (n * 150) % 256))
    return image


def _picture(image: Image.Image) -> Picture:
    place = Placement(image.width, image.height, 0, 0, image.width, image.height)
    return Picture(image.width, image.height, image.tobytes(), place, "")


def test_blur_lowers_it_below_the_threshold() -> None:
    blurred = [
        sharpness(_picture(_scene().filter(ImageFilter.GaussianBlur(radius)))) for radius in (0, 1, 2, 4, 8)
    ]
    assert blurred == sorted(blurred, reverse=True)
    assert blurred[0] > 4 * BLURRED_BELOW
    assert blurred[3] < BLURRED_BELOW


def test_size_and_contrast_matter_little() -> None:
    crisp = sharpness(_picture(_scene()))
    large = sharpness(_picture(_scene().resize((1_280, 960), Image.Resampling.NEAREST)))
    faint = sharpness(_picture(ImageChops.multiply(_scene(), Image.new("RGB", (640, 480), (110, 110, 110)))))
    assert large == pytest.approx(crisp, rel=0.3)
    assert faint == pytest.approx(crisp, rel=0.3)


@pytest.mark.parametrize("size", [(640, 480), (1, 1), (2, 900), (900, 1)])
def test_a_picture_without_detail_has_none(size: tuple[int, int]) -> None:
    assert sharpness(_picture(Image.new("RGB", size, "grey"))) == 0
