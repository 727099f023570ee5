"""How a model family writes places, as data: the order and scale of its numbers and the marks around them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Form(Enum):
    """The surface in which a family writes boxes and points; docs/grounding.md shows one of each."""

    JSON = "json"
    """`[{"bbox_2d": [1, 2, 3, 4], "label": "cat"}]`"""
    BOX_TAGS = "box-tags"
    """`<ref>cat</ref><box>1 2 3 4</box>`, `<box>[[1, 2, 3, 4]]</box>` and the like"""
    BOX_MARKS = "box-marks"
    """`<|begin_of_box|>[1, 2, 3, 4]<|end_of_box|>`"""
    LOC_TOKENS = "loc-tokens"
    """`<loc0001><loc0002><loc0003><loc0004> cat`, or the label first and `<loc_1>`"""
    DET_MARKS = "det-marks"
    """`<|ref|>cat<|/ref|><|det|>[[1, 2, 3, 4]]<|/det|>`"""
    QUAD_TOKENS = "quad-tokens"
    """`text<|LOC_1|><|LOC_2|>...`: the four corners of a line of text, clockwise"""
    POINTS = "points"
    """`<points coords="1 1 450 320">cat</points>`: a picture's number, then number, x, y of each point"""
    REGIONS = "regions"
    """`{"objects": [{"x_min": .1, "y_min": .2, "x_max": .3, "y_max": .4}]}`"""


class Order(Enum):
    """The order of a box's four numbers; points follow it. The profile tells it, never a key's name."""

    YXYX = "yxyx"
    XYXY = "xyxy"


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one family is asked for places and how it writes them.

    Attributes:
        form: The surface.
        order: Which axis comes first.
        scale: What the far edge of the picture is written as: 1000, 1, 1024, 999, 500; 0 means that numbers
            are pixels of the picture as the model got it.
        centred: Whether a number stands for the middle of its bin, so that half a unit is added.
        fractions: Whether the family is known to write 0..1 at times, although `scale` is larger.
        box_key, point_key, label_key: Names of the members where `form` is JSON.
        label_first: Whether the family writes the label before the numbers where `form` is JSON.
        boxes_prompt: How boxes are asked for natively; `{targets}` stands for what is looked for.
        points_prompt: The same for points; "" if the family was not trained on points.
        everything: What `{targets}` becomes where a request names nothing.
        image_tokens: Least image tokens with which places are right; 0 if any number will do.
        source: Where this was read: an address or a paper, for the docs.
    """

    form: Form
    order: Order
    scale: float = 1000
    centred: bool = False
    fractions: bool = False
    box_key: str = "box_2d"
    point_key: str = "point"
    label_key: str = "label"
    label_first: bool = False
    boxes_prompt: str = ""
    points_prompt: str = ""
    everything: str = "every prominent object"
    image_tokens: int = 0
    source: str = ""

    @property
    def native(self) -> bool:
        """Whether this is the API's own form already, so that nothing has to be asked or written anew."""
        return (
            self.form is Form.JSON
            and self.order is Order.YXYX
            and self.scale == 1000
            and (self.box_key, self.point_key) == ("box_2d", "point")
        )
