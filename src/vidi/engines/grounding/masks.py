"""Masks: where a caller's schema has room for one, and the mask itself as the API writes it.

A mask is told beside a box and covers it: a grey PNG in a `data:` address, 0 to 255, that a client scales to
the box and cuts at 127. A `Segmenter` makes it of the box that a model gives, or it is the outlines that the
model draws, filled.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import replace

import pybase64
from PIL import Image, ImageDraw

from vidi.domain.geometry import Box, MaskImage, Point
from vidi.domain.prompt import Picture
from vidi.domain.schema import Kind, Property, Schema, snake
from vidi.engines.segmenter import Segmenter

MASK_FIELD_NAMES = re.compile(
    r"(?:(?:segmentation|object|binary|instance|pixel)_?)*masks?(?:_?(?:png|image|data|base_?64|uri|url))*"
    r"|segmentation(?:_?(?:png|image|data|map))?"
)
"""Names of a member that holds a mask, in lower case with `_` between words."""

MOST_MASKS = 5_000
"""Masks of one answer; further objects have "" in their place, which clients pass over."""

MOST_PICTURES = 100
"""Pictures of a request that asks for masks."""

_WORN = re.compile(
    r"\b(?:wear|worn|face|medical|surgical|respirator|takı|yüz)|polygon|vertices", re.IGNORECASE
)
"""What tells that a member called "mask" is no picture of one."""

_TOLD = 2_000
"""Characters of a description that are read."""

_SHORTEST = 200
"""Characters that the smallest mask takes, about; a text that must be shorter holds none."""

_URL = "data:image/png;base64,"


def is_mask_name(name: str) -> bool:
    """Whether a member of that name, beside a box, holds a mask."""
    return MASK_FIELD_NAMES.fullmatch(snake(name)) is not None


def mask_field(schema: Schema) -> str:
    """The name of an object's member for a mask, "" if it has none."""
    return next((each.name for each in schema.properties if _holds_mask(each)), "")


def _holds_mask(member: Property) -> bool:
    if not is_mask_name(member.name):
        return False
    options = [each for each in (member.schema, *member.schema.any_of) if Kind.STRING in each.kinds]
    told = (member.schema.description + " " + "".join(each.description for each in options))[:_TOLD]
    roomy = any(
        each.enum is None and (each.max_length is None or each.max_length >= _SHORTEST) for each in options
    )
    return roomy and _WORN.search(told) is None


def without_masks(native: Schema, place: str) -> Schema:
    """A schema without the masks of objects that have a member called `place`: what a model is held to."""
    names = {each.name for each in native.properties}
    mask = mask_field(native) if place in names else ""
    return replace(
        native,
        properties=tuple(
            replace(each, schema=without_masks(each.schema, place))
            for each in native.properties
            if each.name != mask or not mask
        ),
        items=native.items and without_masks(native.items, place),
        any_of=tuple(without_masks(each, place) for each in native.any_of),
    )


OUTLINES = "<outlines>"
"""The member of a family's object for its outlines: a list of lists of numbers, in the family's order."""

OUTLINE_SIDE = 256
"""Rows and columns of a mask that is made of outlines."""


def filled(outlines: Sequence[Sequence[Point]], box: Box) -> MaskImage:
    """The mask of a box by the outlines of what is in it, together: 255 within one of them, 0 elsewhere."""
    canvas = Image.new("L", (OUTLINE_SIDE, OUTLINE_SIDE))
    pen = ImageDraw.Draw(canvas)
    down, across = (OUTLINE_SIDE / size for size in (box.ymax - box.ymin, box.xmax - box.xmin))
    for outline in outlines:
        corners = [((point.x - box.xmin) * across, (point.y - box.ymin) * down) for point in outline]
        pen.polygon(corners, fill=255)
    return MaskImage(OUTLINE_SIDE, OUTLINE_SIDE, canvas.tobytes())


class MaskWriter:
    """Writes the masks of one answer, MOST_MASKS of them at most. For one thread at a time."""

    def __init__(self, segmenter: Segmenter) -> None:
        """Take who makes the masks."""
        self._segmenter = segmenter
        self._left = MOST_MASKS

    def close(self) -> None:
        """Make no more: the answer is over, or nobody waits for it."""
        self._left = 0

    def text(self, picture: Picture, box: Box, label: str, outlines: Sequence[Sequence[Point]] = ()) -> str:
        """The mask of a box as the API writes it; "" once there have been too many.

        Args:
            picture: What the model saw.
            box: On the caller's image, with an area.
            label: As `Segmenter.mask`.
            outlines: As the model drew them on the caller's image, each of three points or more; () if it did
                not, and the segmenter is asked.
        """
        self._left -= 1
        if self._left < 0:
            return ""
        return as_data_url(filled(outlines, box) if outlines else self._segmenter.mask(picture, box, label))


def as_data_url(mask: MaskImage) -> str:
    """A mask as a PNG in an address."""
    encoded = io.BytesIO()
    Image.frombytes("L", (mask.width, mask.height), mask.grey).save(encoded, "PNG")
    return _URL + pybase64.b64encode_as_string(encoded.getvalue())
