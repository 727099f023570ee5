"""How a request for places is put to a family, and how its answer is read back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Generic, Protocol

from vidi.domain.answer import Finish, Piece
from vidi.domain.prompt import Image, Output, Picture, Request, Role, TextFormat, Turn
from vidi.domain.schema import Schema
from vidi.engines.grounding.coordinates import Denormalizer
from vidi.engines.grounding.json_document import DocumentReader
from vidi.engines.grounding.json_objects import ObjectSource
from vidi.engines.grounding.object_writer import JsonObject, ObjectWriter
from vidi.engines.grounding.prompt_rewrite import (
    ASKED_ABOVE,
    TARGETS,
    Category,
    RewrittenPrompt,
    matches_category,
    rewrite,
    sentences,
)
from vidi.engines.grounding.schema import (
    GroundingShape,
    PlaceKind,
    native_listing,
    says_x_first,
    shape_of,
    spoken,
    surroundings,
)
from vidi.engines.grounding.tags import MarkSource
from vidi.engines.profile import Dialect, Form, Order
from vidi.engines.validation import validate

LONGEST_TEXT = 50_000
"""Characters of a text that is read for its words; a longer one is a document, not an instruction."""

_NEUTRAL = Dialect(Form.JSON, Order.YXYX)


@dataclass(frozen=True, slots=True)
class GroundingRequest:
    """What a request wants to know of places.

    Attributes:
        sought: Boxes, or points.
        schema: The caller's schema, if places are among its members; None if only words ask for them.
        x_first: Whether the request spells out an order with x before y.
    """

    sought: PlaceKind
    schema: Schema | None = None
    x_first: bool = False


def grounding_request(ask: Request[Image]) -> GroundingRequest | None:
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
        return GroundingRequest(shape.sought, schema, x_first)
    if schema:
        # A schema without a place for places: whatever the words say, there is nowhere to write them.
        return None
    sought = _in_words(texts)
    return GroundingRequest(sought, None, x_first) if sought else None


def instructions(ask: Request[Image]) -> Iterator[str]:
    """The texts that count: of the last turn, if it is the user's, then the system instruction."""
    if ask.turns and ask.turns[-1].role is Role.USER:
        for part in ask.turns[-1].parts:
            if isinstance(part, str):
                yield part
    yield ask.system


def _in_words(texts: list[str]) -> PlaceKind | None:
    """What the texts ask for; the first that asks decides, and boxes before points."""
    for text in texts:
        spoken = [each.text for each in sentences(text)]
        asking = [each for each in spoken if not matches_category(Category.NEITHER, each)]
        if any(matches_category(Category.BOXES, each) for each in asking):
            return PlaceKind.BOXES
        if any(matches_category(Category.POINTS, each) for each in asking):
            return PlaceKind.POINTS
    return None


JSON_FORMS = frozenset({Form.JSON, Form.REGIONS, Form.BOX_MARKS})
"""Forms in which places are members of objects, at times at least."""


class AnswerReader(Protocol):
    """Reads one candidate's answer. The texts of all `push` and of `end` together are one JSON value."""

    def push(self, text: str) -> str:
        """Take a stretch of the answer in the family's form; gives what can be told of it, or ""."""
        ...

    def end(self) -> str:
        """The answer is over, or was cut off: the rest, so that the JSON is whole."""
        ...


class ObjectStream(Protocol):
    """Finds objects in an answer."""

    def push(self, text: str) -> Iterable[JsonObject]:
        """Take a stretch; gives the objects that it completes."""
        ...

    def end(self) -> Iterable[JsonObject]:
        """The answer is over; gives the last objects."""
        ...


class ListAnswerReader:
    """Writes an array of objects, each as soon as it is complete."""

    def __init__(
        self, source: ObjectStream, write: Callable[[JsonObject], Iterator[str]], shape: GroundingShape | None
    ) -> None:
        """Take where objects come from, how one is written, and the caller's shape around them."""
        self._source = source
        self._write = write
        self._around = surroundings(shape)
        self._written = 0

    def push(self, text: str) -> str:
        """As `AnswerReader.push`."""
        return self._told(self._source.push(text))

    def end(self) -> str:
        """As `AnswerReader.end`."""
        told = self._told(self._source.end())
        return told + (self._around.after if self._written else self._around.empty)

    def _told(self, found: Iterable[JsonObject]) -> str:
        return "".join(self._each(found))

    def _each(self, found: Iterable[JsonObject]) -> Iterator[str]:
        for value in found:
            for text in self._write(value):
                if self._written and not self._around.many:
                    return
                yield (", " if self._written else self._around.before) + text
                self._written += 1


def reader_for(dialect: Dialect, writer: ObjectWriter, shape: GroundingShape | None) -> AnswerReader:
    """The reader of one candidate.

    Args:
        dialect: How the family writes.
        writer: Writes the caller's objects.
        shape: The caller's schema; None where there is none, and the API's own array is written.
    """
    if shape is not None and dialect.form is Form.JSON and not _plain_listing(shape):
        return DocumentReader(shape, writer)
    unit = shape.first_unit() if shape else None

    def wanted(value: JsonObject) -> bool:
        own = unit is not None and any(name in value for name in unit.slots)
        return own or writer.has_place(value)

    def write(value: JsonObject) -> Iterator[str]:
        return writer.shaped(value, unit) if unit else writer.plain(value)

    source: ObjectStream = (
        ObjectSource(dialect, wanted) if dialect.form in JSON_FORMS else MarkSource(dialect)
    )
    return ListAnswerReader(source, write, shape)


def _plain_listing(shape: GroundingShape) -> bool:
    """Whether the answer is an array of objects with nothing but their own places in them."""
    return shape.items is not None and shape.items.unit and not shape.items.members


@dataclass(frozen=True, slots=True)
class GroundingPlan(Generic[Image]):
    """A request for places in a family's own terms.

    Attributes:
        ask: What the engine is asked instead.
        wish: What the caller asked for.
        dialect: The family's way of writing.
        label: What a place is called that the model gives no name; "" if the request does not tell.
        reworded: Whether `ask` is in the family's words; False where these are the API's own.
    """

    ask: Request[Image]
    wish: GroundingRequest
    dialect: Dialect
    label: str = ""
    reworded: bool = True

    @property
    def done(self) -> str:
        """What is done about the request, in a word or two for the caller."""
        return f"{'re-asked' if self.reworded else 'as asked'}; {self.wish.sought.value}"

    def reader(self, pictures: Sequence[Picture]) -> AnswerReader:
        """What reads one candidate's answer; every candidate needs one of its own.

        Args:
            pictures: The prompt's pictures, as the engine gets them and in its order; at least one.
        """
        schema = self.wish.schema
        shape = shape_of(schema, self.dialect) if schema else None
        writer = ObjectWriter(
            Denormalizer(self.dialect, tuple(pictures)), self.wish.sought, self.label, self.wish.x_first
        )
        return reader_for(self.dialect, writer, shape)


def plan(ask: Request[Image], dialect: Dialect) -> GroundingPlan[Image] | None:
    """How to ask a family for the places that a request wants.

    None if the request wants none, or wants boxes of a family that only knows points: it is then asked as it
    stands. A family that writes the API's own form is not asked anew either, but its answer is read all the
    same, so that fences, prose, reversed corners and fractions do not reach the caller.
    """
    wish = grounding_request(ask)
    if wish is None:
        return None
    prompt = dialect.boxes_prompt
    if spoken(dialect, wish.sought) is PlaceKind.POINTS:
        prompt = dialect.points_prompt
    if not prompt:
        return None
    shape = shape_of(wish.schema, dialect) if wish.schema else None
    if dialect.native and not wish.x_first and (shape is None or shape.native_already):
        return GroundingPlan(ask, wish, dialect, reworded=False)
    reworded, label = _reworded(ask, dialect, prompt)
    return GroundingPlan(
        replace(reworded, output=_output(dialect, wish, shape)),
        wish,
        dialect,
        label,
    )


def _output(dialect: Dialect, wish: GroundingRequest, shape: GroundingShape | None) -> Output:
    """The native schema where the family writes JSON; no schema where it does not."""
    if dialect.form is not Form.JSON:
        return Output(TextFormat.PLAIN)
    return Output(TextFormat.JSON, shape.native if shape else native_listing(dialect, wish.sought))


def _reworded(ask: Request[Image], dialect: Dialect, prompt: str) -> tuple[Request[Image], str]:
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


def _taken(text: str) -> RewrittenPrompt:
    return rewrite(text) if len(text) <= LONGEST_TEXT else RewrittenPrompt(text, "", "")


def _parts(
    parts: Sequence[str | Image], texts: dict[int, RewrittenPrompt], seeking: int | None, native: str
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


class PieceReader:
    """Reads the pieces of one answer in their order."""

    def __init__(self, plan: GroundingPlan[Image], pictures: Sequence[Picture]) -> None:
        """Take the plan by which it was asked, and the pictures as the engine gets them."""
        self._schema = plan.wish.schema
        self._begin = plan.reader
        self._pictures = pictures
        self._readers: dict[int, AnswerReader] = {}
        self._said: dict[int, list[str]] = {}

    def take(self, piece: Piece) -> Piece:
        """The same piece with the caller's text; thoughts are passed on as they are.

        Raises:
            AnswerMismatch: The answer is over, and is not what the caller's schema asks for.
        """
        if piece.thought:
            return piece
        reader = self._readers.get(piece.candidate)
        if reader is None:
            reader = self._readers[piece.candidate] = self._begin(self._pictures)
        said = self._said.setdefault(piece.candidate, [])
        said.append(reader.push(piece.text) + (reader.end() if piece.finish else ""))
        if self._schema is not None and piece.finish is Finish.STOP:
            validate("".join(said), self._schema)
        return replace(piece, text=said[-1])
