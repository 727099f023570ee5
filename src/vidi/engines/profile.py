"""What Vidi knows about a family of open models: where its files are, how to feed it, how it writes places.

One TOML file a family in `profiles/`; a user adds a family with a file of their own and no code
(docs/models/profiles.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from vidi.domain.schema import JsonValue


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
        masks_prompt: The same for outlines, of which masks are made; "" if it draws none: its boxes are then
            made into masks.
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
    masks_prompt: str = ""
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

    @property
    def deaf(self) -> bool:
        """Whether it always writes the API's own form and can be asked for nothing else, as rules do."""
        return self.native and not self.boxes_prompt and not self.points_prompt


@dataclass(frozen=True, slots=True)
class Licence:
    """What the weights may be used for.

    Attributes:
        name: The SPDX identifier, or the licence's own name.
        url: Where it can be read.
        limits: What it forbids or asks for, in a sentence; "" for a permissive one.
    """

    name: str
    url: str
    limits: str = ""


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """One file of weights.

    Attributes:
        name: Its path in the repository, or beside the profile where `Model.repository` is "".
        sha256: Digest in hex; "" where only the hub tells it.
        size: In bytes; 0 if unknown.
    """

    name: str
    sha256: str = ""
    size: int = 0


@dataclass(frozen=True, slots=True)
class Model:
    """One member of a family.

    Attributes:
        id: What users ask for, as `gemma-4-e2b`.
        display_name: For people.
        repository: `owner/name` on the hub; "" means that the files lie beside the profile.
        revision: Branch, tag or commit on the hub.
        text: The language model (GGUF).
        vision: The vision encoder and projector (GGUF, "mmproj").
        memory: Bytes of memory that it needs to run, context included; 0 if unknown.
        context: Longest prompt and answer together, in tokens, of one request.
        slots: How many requests it answers at the same time.
        rank: The pulled model of the highest rank is the default; below 0 is never one.
        licence: The member's own licence where it differs from the family's.
        parameters: Of the language model, in billions; 0 if unknown.
        active: How many of them work for each token, in billions; 0 for all.
    """

    id: str
    display_name: str
    repository: str
    text: WeightsFile
    vision: WeightsFile
    revision: str = "main"
    memory: int = 0
    context: int = 8192
    slots: int = 2
    rank: int = 10
    licence: Licence | None = None
    parameters: float = 0.0
    active: float = 0.0

    @property
    def is_estimated(self) -> bool:
        """Whether the size of one of the files is not known, so that `download` is a guess."""
        return not (self.text.size and self.vision.size)

    @property
    def download(self) -> int:
        """Bytes of both files; 0 if nobody can tell.

        A text file of unknown size is its parameters in the bits that its name tells; a vision encoder of
        unknown size is one of the usual 400 million parameters, or a smaller one beside a small model. Of 20
        downloads whose size is published the guess is within a sixth.
        """
        if not self.is_estimated:
            return self.text.size + self.vision.size
        if not self.parameters:
            return 0
        bits = next((bits for mark, bits in _BITS if mark in self.text.name.upper()), 16.0)
        text = self.text.size or round(self.parameters * 1e9 * bits / 8)
        return text + (self.vision.size or (1_000_000_000 if self.parameters > 1 else 250_000_000))


_BITS = (("Q8_0", 8.5), ("Q6_K", 6.6), ("Q5_K", 5.7), ("Q4_0", 4.6), ("Q4_K", 4.85), ("Q3_K", 3.9))
"""How many bits a parameter takes, mixtures of precisions included."""


class Thinks(Enum):
    """Whether a family thinks before it answers."""

    NEVER = "never"
    SWITCHED = "switched"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True)
class Template:
    """What the family's chat template wants to know.

    Attributes:
        options: Arguments of the template that are always given.
        thinks: Whether it thinks.
        switch: Name of the template's argument that turns thinking on (true) and off (false).
        think_open, think_close: The marks around thoughts, as "<think>" and "</think>".
        opened: Whether the template has written `think_open` itself when thinking is on.
    """

    options: Mapping[str, JsonValue] = field(default_factory=dict)
    thinks: Thinks = Thinks.NEVER
    switch: str = "enable_thinking"
    think_open: str = "<think>"
    think_close: str = "</think>"
    opened: bool = False


@dataclass(frozen=True, slots=True)
class TokenBudgets:
    """Most image tokens of one picture at each media resolution."""

    low: int
    medium: int
    high: int
    ultra_high: int


@dataclass(frozen=True, slots=True)
class Pictures:
    """How the family takes pictures.

    Attributes:
        token_side: Pixels a side that one image token stands for, where the picture's size is free.
        square: Side of the one fixed square that it takes, in pixels; 0 where the size is free.
        min_tokens: Fewest image tokens; a smaller picture is scaled up to it.
        budgets: Most image tokens at each media resolution.
    """

    token_side: int
    square: int
    min_tokens: int
    budgets: TokenBudgets


@dataclass(frozen=True, slots=True)
class Profile:
    """One family.

    Attributes:
        family: Identifier, as `qwen3.5`.
        display_name: For people.
        good_at, bad_at: A sentence each, for people who choose.
        licence: Of all members that have none of their own.
        template: For the chat template.
        pictures: How it takes pictures.
        dialect: How it writes places; None if it was never trained to.
        models: The members.
        unserved: Why no engine here runs it; "" if one does.
        purpose: What it is for, in a few words; "" if only `good_at` says.
    """

    family: str
    display_name: str
    good_at: str
    bad_at: str
    licence: Licence
    template: Template
    pictures: Pictures
    dialect: Dialect | None
    models: tuple[Model, ...]
    unserved: str = ""
    purpose: str = ""
