"""Overlaps of masks with polygons, and weights that are fitted on other photographs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from bench.dataset import Photo, Thing, load_photos
from bench.masks import (
    cases,
    drawn,
    fitted,
    mask_lines,
    mask_overlap,
    overlap_of,
    placed,
    right_boxes,
    true_boxes,
)
from vidi.domain.geometry import MaskImage, Placement
from vidi.domain.prompt import Picture
from vidi.engines.colour_segmenter import WEIGHTS

DIAMOND = (50.0, 10.0, 90.0, 50.0, 50.0, 90.0, 10.0, 50.0)
PHOTOS = tuple(
    Photo(f"{at}.jpg", 100, 100, (), (Thing("kite", (10, 10, 90, 90), False, (DIAMOND,)),))
    for at in range(10)
)


def seen() -> dict[str, Picture]:
    """A red diamond on green, in another light on each photograph."""
    pictures = {}
    for at, photo in enumerate(PHOTOS):
        image = Image.new("RGB", (100, 100), (10, 90 + 10 * at, 40))
        ImageDraw.Draw(image).polygon(DIAMOND, fill=(200 - 5 * at, 40, 30))
        pictures[photo.file] = Picture(100, 100, image.tobytes(), Placement(100, 100, 0, 0, 100, 100), "")
    return pictures


def test_a_polygon_is_drawn_as_what_it_holds() -> None:
    truth = drawn(PHOTOS[0], PHOTOS[0].things[0])
    assert truth.shape == (100, 100)
    assert truth[50, 50] and not truth[12, 12]
    assert truth.sum() == pytest.approx(3200, rel=0.05)


def test_a_mask_is_placed_as_clients_place_it() -> None:
    flags = placed(MaskImage(2, 1, bytes([255, 0])), (10.4, 20.0, 30.0, 40.0), (50, 60))
    assert flags.shape == (60, 50)
    assert flags[20:40, 10:20].all()
    assert flags.sum() == 200
    assert not placed(MaskImage(1, 1, b"\xff"), (10.0, 20.0, 10.2, 40.0), (50, 60)).any()


def test_overlap_of_masks() -> None:
    one, other = np.zeros((2, 2), np.bool_), np.ones((2, 2), np.bool_)
    assert mask_overlap(one, one) == 0
    assert mask_overlap(other, other) == 1
    one[0] = True
    assert mask_overlap(one, other) == 0.5


def test_right_boxes_have_the_name_and_overlap() -> None:
    photo = PHOTOS[0]
    found = (
        ("kite", (12.0, 12.0, 90.0, 90.0), 0.6),
        ("kite", (10.0, 10.0, 90.0, 90.0), 0.5),
        ("dog", (10.0, 10.0, 90.0, 90.0), 0.9),
        ("kite", (80.0, 80.0, 99.0, 99.0), 0.9),
    )
    (right,) = right_boxes({photo: found}, 0.3)
    assert right == (photo, photo.things[0], (12.0, 12.0, 90.0, 90.0))
    assert right_boxes({photo: found}, 0.7) == []


def test_weights_that_are_fitted_are_better_than_the_whole_box() -> None:
    some = list(cases(seen(), true_boxes(PHOTOS)))
    assert len(some) == 10
    weights = fitted(some[:8])
    assert weights.shape == WEIGHTS.shape
    for case in some[8:]:
        assert overlap_of(case, weights) > 0.9
        assert overlap_of(case, WEIGHTS) > 0.8
        assert overlap_of(case, None) == pytest.approx(0.5, abs=0.02)


def test_the_lines_tell_both_kinds_of_boxes() -> None:
    found = dict.fromkeys(PHOTOS, (("kite", (10.0, 10.0, 90.0, 90.0), 0.6),))
    true, right, weights = mask_lines(PHOTOS, seen(), found)
    for line in (true, right):
        assert line.startswith("masks in 10 ")
        assert line.count("±") == 3
    assert weights.count(",") == len(WEIGHTS) - 1
    bare = tuple(Photo(photo.file, 100, 100, (), ()) for photo in PHOTOS)
    assert list(mask_lines(bare, seen(), {})) == []


def test_polygons_are_read_and_bitmaps_of_crowds_are_not(tmp_path: Path) -> None:
    thing = {"image_id": 1, "category_id": 1, "bbox": [0, 0, 9, 9]}
    file = tmp_path / "instances.json"
    annotations = [
        {**thing, "segmentation": [[0, 0, 9, 0, 9, 9], [1, 1]]},
        {**thing, "iscrowd": 1, "segmentation": {"size": [9, 9], "counts": [81]}},
        thing,
    ]
    file.write_text(
        json.dumps(
            {
                "images": [{"id": 1, "file_name": "a.jpg", "width": 9, "height": 9}],
                "annotations": annotations,
                "categories": [{"id": 1, "name": "kite"}],
            }
        )
    )
    (photo,) = load_photos(file)
    assert [each.polygons for each in photo.things] == [((0, 0, 9, 0, 9, 9),), (), ()]
