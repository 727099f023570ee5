"""Edited copies are recognised, and what was done to them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.engines.lite.fakes import picture_of
from vidi.engines.lite.vision.alignment import Alignment, align

Pixels = NDArray[np.uint8]


def landscape(seed: int = 0, size: int = 240) -> Pixels:
    """A picture with structure at every scale, unlike that of another seed."""
    random = np.random.default_rng(seed)
    layers = [
        np.asarray(
            Image.fromarray(random.integers(0, 255, (cells, cells, 3), np.uint8)).resize(
                (size, size), Image.Resampling.BICUBIC
            ),
            np.float32,
        )
        for cells in (4, 8, 16, 32)
    ]
    return np.asarray(np.clip(sum(layers) / len(layers), 0, 255), np.uint8)


ORIGINAL = landscape()


def aligned(other: Pixels, one: Pixels = ORIGINAL) -> Alignment | None:
    return align(picture_of(one), picture_of(other))


def resized(pixels: Pixels, width: int, height: int) -> Pixels:
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR))


def test_the_same_file_is_identical() -> None:
    assert aligned(ORIGINAL) == Alignment(identical=True)


def test_another_size_changes_nothing_that_is_told() -> None:
    assert aligned(resized(ORIGINAL, 100, 100)) == Alignment()


def test_other_pictures_are_not_copies() -> None:
    assert [aligned(landscape(seed)) for seed in range(1, 4)] == [None] * 3


def test_a_mirrored_and_a_turned_copy() -> None:
    assert aligned(ORIGINAL[:, ::-1]) == Alignment(turned="mirrored")
    assert aligned(ORIGINAL[::-1, ::-1]) == Alignment(turned="flipped")


@pytest.mark.parametrize(("turns", "turned"), [(1, "turned_left"), (-1, "turned_right")])
def test_a_copy_turned_by_a_quarter_is_told_in_both_frames(turns: int, turned: str) -> None:
    edited = np.rot90(ORIGINAL, turns).copy()
    edited[20:60, 20:60] = (255, 0, 0)
    found = aligned(edited)
    assert found is not None
    assert found.turned == turned
    (change,) = found.changes
    assert change.after.ymax < 300
    assert change.after.xmax < 300
    corner = (change.before.xmin > 700, change.before.ymin > 700)
    assert corner == ((True, False) if turns == 1 else (False, True))


def test_a_copy_of_which_a_third_was_changed_is_a_copy() -> None:
    edited = ORIGINAL.copy()
    edited[:160, :120] = landscape(1)[:160, :120]
    found = aligned(edited)
    assert found is not None
    assert found.lighting == ()
    assert found.changes[0].after.ymax < 700


def test_a_view_from_beside_is_no_copy() -> None:
    assert aligned(ORIGINAL[:, 12:], one=ORIGINAL[:, :-12]) is None


def test_other_colours_on_the_same_shapes_are_no_other_thing() -> None:
    dyed = ORIGINAL.copy()
    dyed[40:120, 40:120] = dyed[40:120, 40:120, ::-1]
    found = aligned(dyed)
    assert found is not None
    assert found.changes
    assert all(change.recoloured for change in found.changes)
    other = ORIGINAL.copy()
    other[40:120, 40:120] = landscape(1)[40:120, 40:120]
    found = aligned(other)
    assert found is not None
    assert not any(change.recoloured for change in found.changes)


@pytest.mark.parametrize(
    ("rows", "columns"),
    [(slice(0, 150), slice(0, 150)), (slice(60, 200), slice(80, 220)), (slice(100, 240), slice(20, 200))],
)
def test_a_crop_is_found_where_it_lies(rows: slice, columns: slice) -> None:
    crop = resized(
        ORIGINAL[rows, columns], 200, 200 * (rows.stop - rows.start) // (columns.stop - columns.start)
    )
    found = aligned(crop)
    assert found is not None
    assert found.crop is not None
    assert found.crop_of_first
    edges = [rows.start, columns.start, rows.stop, columns.stop]
    box = found.crop
    off = np.abs(np.array([box.ymin, box.xmin, box.ymax, box.xmax]) - np.array(edges) / 240 * 1000)
    assert off.max() < 45


def test_the_first_may_be_the_crop() -> None:
    found = aligned(ORIGINAL, one=ORIGINAL[20:160, 40:180])
    assert found is not None
    assert not found.crop_of_first


def test_a_pasted_patch_is_found_where_it_lies() -> None:
    edited = ORIGINAL.copy()
    edited[180:220, 20:60] = (255, 0, 0)
    found = aligned(edited)
    assert found is not None
    (change,) = found.changes
    assert found.lighting == ()
    assert change.before == change.after
    assert abs(change.after.ymin - 750) < 25
    assert abs(change.after.xmax - 250) < 25


def test_a_patch_on_a_mirrored_copy_is_told_in_both_frames() -> None:
    edited = ORIGINAL[:, ::-1].copy()
    edited[180:220, 20:60] = (255, 0, 0)
    found = aligned(edited)
    assert found is not None
    assert found.turned == "mirrored"
    assert found.changes[0].after.xmax < 300
    assert found.changes[0].before.xmin > 700


@pytest.mark.parametrize(
    ("edit", "tone"),
    [
        (lambda pixels: np.clip(pixels.astype(int) + 40, 0, 255), "brighter"),
        (lambda pixels: pixels * 0.6, "darker"),
        (lambda pixels: np.repeat(pixels.mean(axis=-1, keepdims=True), 3, axis=-1), "grey"),
        (lambda pixels: np.clip(pixels * np.array([1.25, 1, 0.75]), 0, 255), "tinted"),
    ],
)
def test_light_and_colour(edit: object, tone: str) -> None:
    assert callable(edit)
    found = aligned(np.asarray(edit(ORIGINAL), np.uint8))
    assert found is not None
    assert tone in found.lighting
    assert found.changes == ()


@pytest.mark.parametrize("shape", [(1, 1), (2, 500), (500, 2)])
def test_pictures_with_nothing_to_compare_are_not_copies(shape: tuple[int, int]) -> None:
    flat = np.full((*shape, 3), 90, np.uint8)
    assert aligned(flat) is None
    assert aligned(np.full((30, 30, 3), 91, np.uint8), one=flat) is None
