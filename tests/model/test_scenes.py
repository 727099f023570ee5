import io

import numpy as np
import pytest
from PIL import Image

from tests.model.scenes import (
    BANDS,
    COLOURS,
    GRID,
    LARGEST,
    SHAPES,
    SIDE,
    SMALLEST,
    Scene,
    as_sent,
    content,
    draw,
    letterbox,
    per_mille,
    random_scene,
)


def found(square: Image.Image, scene: Scene) -> tuple[int, ...]:
    """The box of all pixels nearer to the paint than to the ground and the bands."""
    pixels = np.asarray(square, float)
    paint, *others = (np.array(c, float) for c in (scene.paint or COLOURS[scene.colour], scene.ground, BANDS))
    far = np.min([np.linalg.norm(pixels - other, axis=-1) for other in others], axis=0)
    rows, columns = np.nonzero(np.linalg.norm(pixels - paint, axis=-1) < far)
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [(64, 64), (333, 333), (1600, 900), (90, 200)])
def test_the_box_is_where_the_pixels_are(shape: str, size: tuple[int, int]) -> None:
    scene = Scene("blue", shape, (24, 28, 40, 44), size)
    box = found(letterbox(draw(scene)), scene)
    # The tip of a triangle fades: it may lack two rows.
    assert np.abs(np.subtract(box, scene.box)).max() <= (2 if shape == "triangle" else 1)


def test_any_scene_agrees_with_its_pixels_after_all_that_is_done_to_it() -> None:
    rng = np.random.default_rng(3)
    for scene in (random_scene(rng) for _ in range(60)):
        square = Image.open(io.BytesIO(as_sent(scene, rng))).convert("RGB")
        assert square.size == (SIDE, SIDE)
        assert np.abs(np.subtract(found(square, scene), scene.box)).max() <= 3, scene


def test_a_random_scene_lies_on_the_grid_and_within_its_picture() -> None:
    rng = np.random.default_rng(4)
    for scene in (random_scene(rng) for _ in range(500)):
        x1, y1, x2, y2 = scene.box
        left, top, right, bottom = content(scene.size)
        assert all(px % GRID == 0 for px in scene.box)
        assert left <= x1 and x2 <= right and top <= y1 and y2 <= bottom
        assert SMALLEST <= x2 - x1 == y2 - y1 <= LARGEST


def test_a_wide_picture_gets_bands_above_and_below() -> None:
    assert content((200, 100)) == (0, 16, 64, 48)
    square = letterbox(Image.new("RGB", (200, 100), "white"))
    assert square.getpixel((0, 15)) == BANDS
    assert square.getpixel((0, 16)) == (255, 255, 255)
    assert square.getpixel((63, 48)) == BANDS


def test_the_box_of_the_picture_counts_from_the_picture() -> None:
    assert Scene("red", "square", (16, 20, 32, 36), (200, 100)).box_2d == (125, 250, 625, 500)
    assert Scene("red", "square", (16, 20, 32, 36)).box_2d == (312.5, 250, 562.5, 500)


def test_thousandths_of_the_square_round_halves_up() -> None:
    assert [per_mille(px) for px in (0, 4, 12, 64)] == [0, 63, 188, 1000]


@pytest.mark.parametrize(
    ("box", "place"),
    [
        ((0, 0, 12, 12), "at the top left"),
        ((24, 24, 40, 40), "in the middle"),
        ((52, 24, 64, 36), "on the right"),
        ((24, 52, 36, 64), "at the bottom"),
    ],
)
def test_a_place_is_the_ninth_that_holds_the_centre(box: tuple[int, int, int, int], place: str) -> None:
    assert Scene("red", "circle", box).place == place
