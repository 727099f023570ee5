"""Where a schema has room for a mask, and how one is written."""

from __future__ import annotations

import base64
import io
from dataclasses import replace

import pytest
from PIL import Image

from tests.engines.grounding.setting import BOX, TEXT, array, members, picture
from vidi.domain.geometry import Box, MaskImage, Point
from vidi.domain.prompt import Picture
from vidi.domain.schema import Kind, Schema
from vidi.engines.grounding import masks
from vidi.engines.grounding.masks import (
    MaskWriter,
    as_data_url,
    filled,
    is_mask_name,
    mask_field,
    without_masks,
)

NULL_OR_TEXT = Schema(any_of=(TEXT, Schema(kinds=frozenset({Kind.NULL}))))


@pytest.mark.parametrize(
    "name",
    [
        "mask",
        "masks",
        "segmentation_mask",
        "segmentationMask",
        "mask_png",
        "maskBase64",
        "segmentation",
        "Mask",
    ],
)
def test_names_of_masks(name: str) -> None:
    assert is_mask_name(name)


@pytest.mark.parametrize("name", ["masked", "face_mask", "mask_type", "wears_mask", "segment", "label", ""])
def test_names_of_other_things(name: str) -> None:
    assert not is_mask_name(name)


@pytest.mark.parametrize(
    ("schema", "there"),
    [
        (TEXT, True),
        (NULL_OR_TEXT, True),
        (replace(TEXT, description="Base64 PNG of the segmentation mask."), True),
        (replace(TEXT, max_length=100_000), True),
        (replace(TEXT, max_length=20), False),
        (replace(TEXT, enum=("surgical", "cloth")), False),
        (replace(TEXT, description="Which mask the person wears."), False),
        (replace(TEXT, description="A polygon around it."), False),
        (Schema(kinds=frozenset({Kind.BOOLEAN})), False),
        (array(array(TEXT)), False),
    ],
)
def test_a_member_for_a_mask(schema: Schema, there: bool) -> None:
    assert mask_field(members(box_2d=BOX, mask=schema, label=TEXT)) == ("mask" if there else "")


def test_no_model_is_held_to_a_mask_beside_its_place() -> None:
    thing = members(bbox_2d=BOX, mask=TEXT, label=TEXT)
    worn = members(name=TEXT, mask=TEXT)
    bare = members(bbox_2d=BOX, label=TEXT)
    schema = members(things=array(thing), worn=worn, other=Schema(any_of=(thing, TEXT)))
    expected = members(things=array(bare), worn=worn, other=Schema(any_of=(bare, TEXT)))
    assert without_masks(schema, "bbox_2d") == expected
    assert without_masks(array(TEXT), "bbox_2d") == array(TEXT)


def test_a_mask_is_a_grey_png_in_an_address() -> None:
    address = as_data_url(MaskImage(3, 2, bytes([0, 127, 128, 255, 1, 2])))
    kind, _, encoded = address.partition(",")
    assert kind == "data:image/png;base64"
    with Image.open(io.BytesIO(base64.b64decode(encoded, validate=True))) as image:
        assert (image.format, image.mode, image.size) == ("PNG", "L", (3, 2))
        assert image.tobytes() == bytes([0, 127, 128, 255, 1, 2])


def test_an_outline_is_filled_within_its_box() -> None:
    square = [Point(0, 0), Point(0, 500), Point(500, 500), Point(500, 0)]
    mask = filled([square], Box(0, 0, 1000, 1000))
    assert mask.grey.count(255) == pytest.approx(mask.width * mask.height / 4, rel=0.02)
    assert set(mask.grey) == {0, 255}
    assert set(filled([square], Box(600, 600, 1000, 1000)).grey) == {0}


class Counting:
    """A segmenter that counts."""

    def __init__(self) -> None:
        self.labels: list[str] = []

    def mask(self, picture: Picture, box: Box, label: str) -> MaskImage:
        self.labels.append(label)
        return MaskImage(1, 1, b"\xff")

    def close(self) -> None:
        pass


def test_an_answer_has_so_many_masks_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masks, "MOST_MASKS", 2)
    segmenter = Counting()
    writer = MaskWriter(segmenter)
    texts = [writer.text(picture(), Box(0, 0, 10, 10), f"thing {at}") for at in range(4)]
    assert [bool(text) for text in texts] == [True, True, False, False]
    assert segmenter.labels == ["thing 0", "thing 1"]
