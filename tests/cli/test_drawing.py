"""What a detection answer is read as, masks and all."""

from __future__ import annotations

import json

import pytest

from vidi.cli.drawing import FoundBox, mask_image, parse_boxes
from vidi.cli.options import ClientError
from vidi.domain.geometry import MaskImage
from vidi.engines.grounding.masks import as_data_url

MASK = as_data_url(MaskImage(3, 2, bytes([0, 50, 127, 128, 200, 255])))


def test_a_mask_is_kept_and_shown_to_programs() -> None:
    (found,) = parse_boxes(json.dumps([{"box_2d": [1, 2, 3, 4], "mask": MASK, "label": "cat"}]))
    assert found == FoundBox("cat", (1, 2, 3, 4), MASK)
    assert found.as_json() == {"label": "cat", "box_2d": (1, 2, 3, 4), "mask": MASK}
    assert mask_image(found.mask) == MaskImage(3, 2, bytes([0, 50, 127, 128, 200, 255]))


@pytest.mark.parametrize("more", [{}, {"mask": ""}, {"mask": None}, {"mask": [1]}])
def test_a_box_without_a_mask_has_none(more: dict[str, object]) -> None:
    (found,) = parse_boxes(json.dumps([{"box_2d": [1, 2, 3, 4], "label": "cat", **more}]))
    assert found.as_json() == {"label": "cat", "box_2d": (1, 2, 3, 4)}
    assert mask_image(found.mask) is None


@pytest.mark.parametrize(
    "address",
    [
        "data:image/png;base64,",
        "data:image/png;base64,????",
        "data:image/png;base64,aGVsbG8=",
        "<start_of_mask><seg_35><seg_3>",
        MASK[:-40],
        "data:image/jpeg;base64," + MASK.partition(",")[2],
    ],
)
def test_what_is_no_png_is_refused(address: str) -> None:
    with pytest.raises(ClientError, match="no PNG"):
        mask_image(address)


def test_a_huge_mask_is_refused_before_it_is_unpacked() -> None:
    huge = as_data_url(MaskImage(3000, 2000, bytes(6_000_000)))
    with pytest.raises(ClientError, match="3000 x 2000"):
        mask_image(huge)
