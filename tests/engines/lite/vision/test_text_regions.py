"""From marked pixels to rectangles."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from vidi.engines.lite.vision.onnx import Floats
from vidi.engines.lite.vision.text_regions import regions


def marked(*boxes: tuple[int, int, int, int], size: tuple[int, int] = (100, 200)) -> Floats:
    """A map with boxes (x0, y0, x1, y1) of full probability."""
    probability = np.zeros(size, np.float32)
    for x0, y0, x1, y1 in boxes:
        probability[y0:y1, x0:x1] = 1
    return probability


def test_a_core_is_grown_on_all_sides() -> None:
    (region,) = regions(marked((50, 40, 110, 60)))
    growth = 60 * 20 * 1.6 / (2 * (60 + 20))
    assert (region.x, region.y, region.angle) == pytest.approx((80, 50, 0))
    assert (region.width, region.height) == pytest.approx((60 + 2 * growth, 20 + 2 * growth))
    assert region.corners(region.growth).tolist() == [[50, 40], [110, 40], [110, 60], [50, 60]]


@pytest.mark.parametrize("degrees", [-40, -10, 3, 25])
def test_a_tilted_core_gets_a_tilted_rectangle(degrees: int) -> None:
    image = Image.fromarray((marked((40, 90, 160, 110), size=(200, 200)) * 255).astype(np.uint8))
    turned = np.asarray(image.rotate(-degrees, Image.Resampling.BILINEAR), np.float32) / np.float32(255)
    (region,) = regions(turned)
    assert math.degrees(region.angle) == pytest.approx(degrees, abs=1.5)
    assert region.width - 2 * region.growth == pytest.approx(120, abs=4)
    assert region.height - 2 * region.growth == pytest.approx(20, abs=4)


def test_cores_that_touch_by_a_corner_are_one_and_others_are_not() -> None:
    assert len(regions(marked((10, 10, 30, 20), (30, 20, 50, 30)))) == 1
    assert len(regions(marked((10, 10, 30, 20), (31, 10, 50, 20)))) == 2
    assert len(regions(marked((10, 10, 30, 20), (10, 21, 30, 30)))) == 2


def test_a_core_may_wind() -> None:
    """Arms that meet only at the bottom belong together."""
    found = regions(marked((10, 10, 40, 80), (50, 10, 80, 80), (10, 80, 80, 90)))
    assert len(found) == 1


def test_small_and_unsure_cores_are_left_out() -> None:
    assert regions(marked((10, 10, 12, 40))) == []
    assert regions(marked((10, 10, 60, 30)) * np.float32(0.4)) == []
    assert regions(marked()) == []


@given(st.integers(0, 2**32 - 1), st.floats(0.05, 0.95))
def test_every_marked_pixel_of_a_kept_core_lies_in_a_rectangle(seed: int, density: float) -> None:
    probability = (np.random.default_rng(seed).random((24, 32)) < density).astype(np.float32)
    for region in regions(probability):
        assert -math.pi / 4 <= region.angle <= math.pi / 4
        assert region.width > 0
        assert region.height > 0
        corners = region.corners()
        assert np.allclose(corners.mean(axis=0), (region.x, region.y), atol=1e-3)
