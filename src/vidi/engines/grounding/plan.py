"""How a request for places is put to a family, and how its answer is read back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Generic

from vidi.domain.prompt import Ask, Image, Output, Picture, Role, TextFormat, Turn
from vidi.engines.dialect import Dialect, Form
from vidi.engines.grounding.reader import Reader, reader_for
from vidi.engines.grounding.rewording import ASKED_ABOVE, TARGETS, Reworded, reword
from vidi.engines.grounding.ruler import Ruler
from vidi.engines.grounding.shape import Shape, native_listing, shape_of, spoken
from vidi.engines.grounding.slots import Sought
from vidi.engines.grounding.units import UnitWriter
from vidi.engines.grounding.wish import LONGEST_TEXT, Wish, wants_places


@dataclass(frozen=True, slots=True)
class Plan(Generic[Image]):
    """A request for places in a family's own terms.

    Attributes:
        ask: What the engine is asked instead.
        wish: What the caller asked for.
        dialect: The family's way of writing.
        label: What a place is called that the model gives no name; "" if the request does not tell.
        reworded: Whether `ask` is in the family's words; False where these are the API's own.
    """

    ask: Ask[Image]
    wish: Wish
    dialect: Dialect
    label: str = ""
    reworded: bool = True

    @property
    def done(self) -> str:
        """What is done about the request, in a word or two for the caller."""
        return f"{'re-asked' if self.reworded else 'as asked'}; {self.wish.sought.value}"

    def reader(self, pictures: Sequence[Picture]) -> Reader:
        """What reads one candidate's answer; every candidate needs one of its own.

        Args:
            pictures: The prompt's pictures, as the engine gets them and in its order; at least one.
        """
        schema = self.wish.schema
        shape = shape_of(schema, self.dialect) if schema else None
        writer = UnitWriter(
            Ruler(self.dialect, tuple(pictures)), self.wish.sought, self.label, self.wish.x_first
        )
        return reader_for(self.dialect, writer, shape)


def plan(ask: Ask[Image], dialect: Dialect) -> Plan[Image] | None:
    """How to ask a family for the places that a request wants.

    None if the request wants none, or wants boxes of a family that only knows points: it is then asked as it
    stands. A family that writes the API's own form is not asked anew either, but its answer is read all the
    same, so that fences, prose, reversed corners and fractions do not reach the caller.
    """
    wish = wants_places(ask)
    if wish is None:
        return None
    prompt = dialect.boxes_prompt
    if spoken(dialect, wish.sought) is Sought.POINTS:
        prompt = dialect.points_prompt
    if not prompt:
        return None
    shape = shape_of(wish.schema, dialect) if wish.schema else None
    if dialect.native and not wish.x_first and (shape is None or shape.native_already):
        return Plan(ask, wish, dialect, reworded=False)
    reworded, label = _reworded(ask, dialect, prompt)
    return Plan(
        replace(reworded, output=_output(dialect, wish, shape)),
        wish,
        dialect,
        label,
    )


def _output(dialect: Dialect, wish: Wish, shape: Shape | None) -> Output:
    """The native schema where the family writes JSON; no schema where it does not."""
    if dialect.form is not Form.JSON:
        return Output(TextFormat.PLAIN)
    return Output(TextFormat.JSON, shape.native if shape else native_listing(dialect, wish.sought))


def _reworded(ask: Ask[Image], dialect: Dialect, prompt: str) -> tuple[Ask[Image], str]:
    """The request with the native prompt in the place of what names the targets, and what they are called."""
    last = len(ask.turns) - 1
    spoken_last = ask.turns[last].role is Role.USER
    parts = ask.turns[last].parts if spoken_last else ()
    texts = {index: _taken(part) for index, part in enumerate(parts) if isinstance(part, str)}
    system = _taken(ask.system)
    seeking = next((index for index, text in texts.items() if text.targets or text.anything), None)
    kept = seeking is None and any(text.before or text.after for text in texts.values())
    named = ", ".join(text.targets for text in texts.values() if text.targets)
    if seeking is None:
        named = system.targets
    named = named.replace('"', "'")
    general = dialect.everything if seeking is not None or system.anything or not kept else ASKED_ABOVE
    native = prompt.replace(TARGETS, named or general)
    turns = list(ask.turns)
    turn = Turn(Role.USER, tuple(_parts(parts, texts, seeking, native)))
    turns[last:] = [turn] if spoken_last else [ask.turns[last], turn]
    reworded = replace(ask, turns=tuple(turns), system=_joined(system.before, system.after))
    return reworded, named


def _taken(text: str) -> Reworded:
    return reword(text) if len(text) <= LONGEST_TEXT else Reworded(text, "", "")


def _parts(
    parts: Sequence[str | Image], texts: dict[int, Reworded], seeking: int | None, native: str
) -> Iterator[str | Image]:
    """The turn's parts; the native prompt stands where what is looked for was named, else at the end."""
    for index, part in enumerate(parts):
        if not isinstance(part, str):
            yield part
            continue
        text = texts[index]
        told = _joined(text.before, native if index == seeking else "", text.after)
        if told:
            yield told
    if seeking is None:
        yield native


def _joined(*texts: str) -> str:
    return "\n".join(text for text in texts if text)
