"""Whether a request asks for places: read from its schema, and from the words of its last turn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from vidi.domain.prompt import Ask, Image, Role, TextFormat
from vidi.domain.schema import Schema
from vidi.engines.dialect import Dialect, Form, Order
from vidi.engines.grounding.sentences import sentences
from vidi.engines.grounding.shape import shape_of
from vidi.engines.grounding.slots import Sought, says_x_first
from vidi.engines.grounding.wording import Means, says

LONGEST_TEXT = 50_000
"""Characters of a text that is read for its words; a longer one is a document, not an instruction."""

_NEUTRAL = Dialect(Form.JSON, Order.YXYX)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a request wants to know of places.

    Attributes:
        sought: Boxes, or points.
        schema: The caller's schema, if places are among its members; None if only words ask for them.
        x_first: Whether the request spells out an order with x before y.
    """

    sought: Sought
    schema: Schema | None = None
    x_first: bool = False


def wants_places(ask: Ask[Image]) -> Wish | None:
    """What places a request asks for; None if it asks for none.

    The schema decides if it has a member for a box or a point, else the words of the last user turn and of
    the system instruction; earlier turns do not count. A request without a picture asks for nothing.
    """
    if ask.output.format is TextFormat.ENUM or next(ask.images(), None) is None:
        return None
    texts = [text for text in instructions(ask) if len(text) <= LONGEST_TEXT]
    x_first = any(map(says_x_first, texts))
    schema = ask.output.schema
    shape = shape_of(schema, _NEUTRAL) if schema else None
    if shape:
        return Wish(shape.sought, schema, x_first)
    if schema:
        # A schema without a place for places: whatever the words say, there is nowhere to write them.
        return None
    sought = _in_words(texts)
    return Wish(sought, None, x_first) if sought else None


def instructions(ask: Ask[Image]) -> Iterator[str]:
    """The texts that count: of the last turn, if it is the user's, then the system instruction."""
    if ask.turns and ask.turns[-1].role is Role.USER:
        for part in ask.turns[-1].parts:
            if isinstance(part, str):
                yield part
    yield ask.system


def _in_words(texts: list[str]) -> Sought | None:
    """What the texts ask for; the first that asks decides, and boxes before points."""
    for text in texts:
        spoken = [each.text for each in sentences(text)]
        asking = [each for each in spoken if not says(Means.NEITHER, each)]
        if any(says(Means.BOXES, each) for each in asking):
            return Sought.BOXES
        if any(says(Means.POINTS, each) for each in asking):
            return Sought.POINTS
    return None
