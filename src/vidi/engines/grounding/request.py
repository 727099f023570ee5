"""Places from any model in two calls: how it is asked for them, and how its answer is read back.

`grounding_request` puts a conversation into the family's own terms; `read_places` turns the model's pieces
into pieces with the places that the caller asked for, and makes the masks that are wanted beside boxes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import partial
from typing import Generic

from vidi.domain.answer import Finish, Piece
from vidi.domain.prompt import (
    FunctionPart,
    Image,
    Output,
    Picture,
    Request,
    Role,
    TextFormat,
    Turn,
)
from vidi.domain.schema import JsonValue, Kind, Property, Schema
from vidi.engines.grounding.coordinates import USUAL, Denormalizer, PlaceWording, place_wording
from vidi.engines.grounding.json_stream import DocumentReader, ObjectSource, dumps
from vidi.engines.grounding.masks import MaskWriter, is_mask_name, mask_field, without_masks
from vidi.engines.grounding.object_writer import JsonObject, ObjectWriter
from vidi.engines.grounding.prompt_rewrite import (
    ASKED_ABOVE,
    TARGETS,
    Category,
    RewrittenPrompt,
    boxes_for_masks,
    matches_category,
    may_mean_masks,
    means_boxes,
    means_masks,
    picture_named,
    rewrite,
    sentences,
    without_form,
)
from vidi.engines.grounding.schema import (
    LABEL_FIELD_NAMES,
    GroundingShape,
    PlaceKind,
    native_kind,
    native_listing,
    place_key,
    place_kind_of,
    shape_of,
    surroundings,
)
from vidi.engines.grounding.tags import TagSource
from vidi.engines.profile import Dialect, Form, Order
from vidi.engines.segmenter import SegmenterThreads
from vidi.engines.validation import validate_value

API_DIALECT = Dialect(
    Form.JSON,
    Order.YXYX,
    boxes_prompt="Detect {targets} in the image. "
    "Answer with a JSON list of objects with the keys box_2d and label.",
)
"""How a model is asked for the boxes of masks that tells of no way of its own."""

LOOK_FOR_ALL = "Detect all objects."
"""What rules are asked for where the conversation names nothing to look for."""

LONGEST_TEXT = 50_000
"""Characters of a turn's texts that are read for their words; what is longer is a document."""

_JSON_FORMS = frozenset({Form.JSON, Form.REGIONS, Form.BOX_MARKS})
"""Forms in which places are members of objects, at times at least."""


@dataclass(frozen=True, slots=True)
class WantedPlaces:
    """What a conversation wants to know of places.

    Attributes:
        kind: Boxes, or points.
        schema: The caller's, if places are among its members; None if only words ask for them.
        shape: Its shape.
        said: How the conversation's words want places written.
        masks: Whether each box is to have a mask beside it.
    """

    kind: PlaceKind
    schema: Schema | None = None
    shape: GroundingShape | None = None
    said: PlaceWording = USUAL
    masks: bool = False

    @property
    def usual(self) -> bool:
        """Whether nothing but the API's own way of writing is asked for in words."""
        return self.said.usual and not (self.shape.worded if self.shape else self.said.names)


@dataclass(frozen=True, slots=True)
class GroundingRequest(Generic[Image]):
    """A request for places in a family's own terms, with everything that reading its answer needs.

    Attributes:
        native: What the engine is asked.
        wanted: What the caller asked for.
        dialect: The family's way of writing.
        label: What a place is called that the model gives no name; "" if the conversation does not tell.
        picture: Which of the latest pictures the conversation asks about by its number, from 0; None if none.
        rewritten: Whether `native` is in the family's words; False where these are the API's own.
    """

    native: Request[Image]
    wanted: WantedPlaces
    dialect: Dialect
    label: str = ""
    picture: int | None = None
    rewritten: bool = True

    @property
    def latest(self) -> int:
        """How many pictures the latest turn with pictures has."""
        counts = (sum(1 for _ in turn.images()) for turn in reversed(self.native.turns))
        return next(filter(None, counts), 0)

    @property
    def summary(self) -> str:
        """What is done about the request, in a word or two for the caller."""
        masks = ", masks" if self.wanted.masks else ""
        return f"{'re-asked' if self.rewritten else 'as asked'}; {self.wanted.kind.value}{masks}"


def may_want_places(asked: Request[Image], dialect: Dialect | None) -> bool:
    """Whether `grounding_request` has to be called, which takes up to milliseconds.

    A model without a dialect is asked for the boxes of masks and for no other places.
    """
    if next(asked.images(), None) is None:
        return False
    return (
        dialect is not None
        or asked.output.schema is not None
        or any(map(may_mean_masks, _instructions(asked)))
    )


def grounding_request(asked: Request[Image], dialect: Dialect | None) -> GroundingRequest[Image] | None:
    """How to ask a family for the places that a conversation wants.

    None if it wants none, or wants boxes of a family that only knows points: it is then asked as it stands. A
    family that writes the API's own form is not asked anew either, but its answer is read all the same, so
    that fences, prose, reversed corners and fractions do not reach the caller. No family is asked for masks,
    but for boxes; one without a dialect in the API's own words.
    """
    wanted = wanted_places(asked, dialect or API_DIALECT)
    if wanted is None or (dialect is None and not wanted.masks):
        return None
    dialect = dialect or API_DIALECT
    if wanted.masks:
        asked = _with_boxes_for_masks(asked)
    if dialect.deaf and wanted.masks:
        native = _in_plain_words(asked)
        output = _output(dialect, wanted) if wanted.shape else Output(TextFormat.JSON)
        named = picture_named(_instructions(native))
        picture = named - 1 if named else None
        return GroundingRequest(
            replace(native, output=output), wanted, dialect, picture=picture, rewritten=False
        )
    if dialect.deaf:
        # Its answer is read anew only where that changes something.
        native = replace(asked, output=_output(dialect, wanted))
        return None if wanted.usual else GroundingRequest(native, wanted, dialect, rewritten=False)
    boxes = native_kind(dialect, wanted.kind) is PlaceKind.BOXES
    prompt = (wanted.masks and dialect.masks_prompt) or dialect.boxes_prompt
    prompt = prompt if boxes else dialect.points_prompt
    if not prompt:
        return None
    as_it_stands = dialect.native and wanted.usual and not wanted.masks
    if as_it_stands and (wanted.shape is None or wanted.shape.native_already):
        return GroundingRequest(asked, wanted, dialect, rewritten=False)
    native, label = _rewritten(asked, dialect, prompt)
    return GroundingRequest(replace(native, output=_output(dialect, wanted)), wanted, dialect, label)


async def read_places(
    pieces: AsyncIterator[Piece],
    request: GroundingRequest[Image],
    pictures: Sequence[Picture],
    segmenter: SegmenterThreads | None = None,
) -> AsyncIterator[Piece]:
    """The model's pieces with the caller's places in them; thoughts and calls are passed on as they are.

    Args:
        pieces: The answer as the model gives it.
        request: By which it was asked.
        pictures: The prompt's pictures, as the engine gets them and in its order; at least one.
        segmenter: Makes the masks that are wanted; None leaves them out.

    Raises:
        AnswerMismatch: The answer is over, and is not what the caller's schema asks for.
    """
    masking = segmenter if request.wanted.masks else None
    with ExitStack() as opened:
        masks = opened.enter_context(closing(MaskWriter(masking.segmenter))) if masking else None
        readers = _Readers(request, tuple(pictures), masks)
        called: set[int] = set()
        async for piece in pieces:
            if piece.thought or piece.call:
                called |= {piece.candidate} if piece.call else set()
                yield piece
            elif piece.candidate in called:
                # Beside a call there is no answer yet, not even an empty list.
                yield replace(piece, text="")
            else:
                read = partial(readers.read, piece)
                yield replace(piece, text=await masking.run(read) if masking else read())


class _Readers:
    """A reader for each candidate."""

    def __init__(
        self, request: GroundingRequest[Image], pictures: Sequence[Picture], masks: MaskWriter | None
    ) -> None:
        self._dialect, self._wanted = request.dialect, request.wanted
        self._writer = ObjectWriter(
            Denormalizer(request.dialect, pictures),
            request.wanted.kind,
            request.label,
            request.wanted.said,
            masks=masks,
            earlier=len(pictures) - request.latest,
            named=request.picture,
        )
        self._by_candidate: dict[int, AnswerReader] = {}

    def read(self, piece: Piece) -> str:
        """What a piece becomes. Raises AnswerMismatch as `read_places`."""
        if piece.candidate not in self._by_candidate:
            self._by_candidate[piece.candidate] = reader_for(self._dialect, self._writer, self._wanted.shape)
        reader = self._by_candidate[piece.candidate]
        text = reader.push(piece.text) + (reader.end() if piece.finish else "")
        if self._wanted.schema is not None and piece.finish is Finish.STOP:
            validate_value(reader.value, self._wanted.schema)
        return text


def wanted_places(asked: Request[Image], dialect: Dialect) -> WantedPlaces | None:
    """What places a conversation asks for; None if it asks for none.

    The schema decides if it has a member for a box or a point, else the words of the last user turn and of
    the system instruction; earlier turns do not count. A conversation without a picture asks for nothing.
    """
    if asked.output.format is TextFormat.ENUM or next(asked.images(), None) is None:
        return None
    instructions = tuple(_instructions(asked))
    texts = [text for text, read in zip(instructions, _are_read(instructions), strict=True) if read]
    said = USUAL
    for text in texts:
        said = said.over(place_wording(text))
    schema = asked.output.schema
    if schema is None:
        kind = _kind_in_words(texts)
        masks = kind is not PlaceKind.POINTS and any(map(means_masks, texts))
        kind = PlaceKind.BOXES if masks else kind
        said = replace(said, names=_telling(said.names, kind)) if kind else said
        return WantedPlaces(kind, said=said, masks=masks) if kind else None
    # Under a schema without a place for places, whatever the words say, there is nowhere to write them.
    shape = shape_of(schema, dialect)
    if shape is None and any(map(means_boxes, texts)):
        shape = shape_of(schema, dialect, asked=True)
    return WantedPlaces(shape.kind, schema, shape, said, _has_masks(shape)) if shape else None


def _telling(names: tuple[str, ...], kind: PlaceKind) -> tuple[str, ...]:
    """Names of an object's members, if they are a place's, its label's and its mask's and no others."""
    places = [name for name in names if place_kind_of(name) is kind]
    others = [name for name in names if name not in places and not is_mask_name(name)]
    plain = len(places) == 1 and len(others) <= 1 and all(name in LABEL_FIELD_NAMES for name in others)
    return names if plain else ()


def _instructions(asked: Request[Image]) -> Iterator[str]:
    """The texts that count: of the last turn, if it is the user's, then the system instruction."""
    if asked.turns and asked.turns[-1].role is Role.USER:
        yield from (part for part in asked.turns[-1].parts if isinstance(part, str))
    yield asked.system


def _are_read(texts: Iterable[str]) -> Iterator[bool]:
    """Whether each of some texts is read, up to LONGEST_TEXT characters of them together."""
    left = LONGEST_TEXT
    for text in texts:
        read = len(text) <= left
        left -= len(text) if read else 0
        yield read


def _kind_in_words(texts: list[str]) -> PlaceKind | None:
    """What the texts ask for; the first that asks decides, and boxes before points."""
    for text in texts:
        asking = [each.text for each in sentences(text) if not matches_category(Category.NEITHER, each.text)]
        if any(matches_category(Category.BOXES, each) for each in asking):
            return PlaceKind.BOXES
        if any(matches_category(Category.POINTS, each) for each in asking):
            return PlaceKind.POINTS
    return None


def _has_masks(shape: GroundingShape) -> bool:
    """Whether an object with a box has a member for a mask, at this node or below it."""
    boxed = any(each.is_box for each in shape.place_fields.values())
    return (boxed and mask_field(shape.schema) != "") or any(map(_has_masks, shape.below))


def _api_listing(names: Sequence[str]) -> Schema:
    """The API's own array of boxes with their masks and labels, under the names that a text tells."""
    box = next((each for each in names if place_kind_of(each) is PlaceKind.BOXES), "box_2d")
    mask = next(filter(is_mask_name, names), "mask")
    label = next((each for each in names if each in LABEL_FIELD_NAMES), "label")
    number, text = Schema(frozenset({Kind.INTEGER})), Schema(frozenset({Kind.STRING}))
    corners = Schema(frozenset({Kind.ARRAY}), items=number, min_items=4, max_items=4)
    members = (Property(box, corners, True), Property(mask, text, True), Property(label, text, False))
    return Schema(frozenset({Kind.ARRAY}), items=Schema(frozenset({Kind.OBJECT}), properties=members))


def _output(dialect: Dialect, wanted: WantedPlaces) -> Output:
    """The native schema where the family writes JSON; no schema where it does not."""
    if dialect.form is not Form.JSON:
        return Output(TextFormat.PLAIN)
    native = wanted.shape.native if wanted.shape else native_listing(dialect, wanted.kind)
    if wanted.masks:
        native = without_masks(native, place_key(dialect, wanted.kind))
    return Output(TextFormat.JSON, native)


def _with_boxes_for_masks(asked: Request[Image]) -> Request[Image]:
    """The request with boxes in the place of masks, in its last turn and its system instruction."""
    return _in_other_words(asked, boxes_for_masks)


def _in_plain_words(asked: Request[Image]) -> Request[Image]:
    """The request without what it says of the answer's form; rules look for what is named in it.

    Where nothing else is left, and no schema asks, everything is looked for.
    """
    plain = _in_other_words(asked, without_form)
    told = any(text.strip() for text in _instructions(plain))
    if told or asked.output.schema:
        return plain
    turn = plain.turns[-1]
    return replace(plain, turns=(*plain.turns[:-1], replace(turn, parts=(*turn.parts, LOOK_FOR_ALL))))


def _in_other_words(asked: Request[Image], change: Callable[[str], str]) -> Request[Image]:
    """The request with the texts that count changed; those that are too long to be read stay."""

    def changed(text: str) -> str:
        return change(text) if len(text) <= LONGEST_TEXT else text

    *earlier, last = asked.turns
    parts = tuple(changed(part) if isinstance(part, str) else part for part in last.parts)
    kept = tuple(part for part in parts if part != "")
    turn = replace(last, parts=kept) if last.role is Role.USER else last
    return replace(asked, turns=(*earlier, turn), system=changed(asked.system))


def _rewritten(asked: Request[Image], dialect: Dialect, prompt: str) -> tuple[Request[Image], str]:
    """The request with the native prompt in the place of what names the targets, and what they are called."""
    last = len(asked.turns) - 1
    users = asked.turns[last].role is Role.USER
    parts = asked.turns[last].parts if users else ()
    own = {index: part for index, part in enumerate(parts) if isinstance(part, str)}
    texts = {
        index: rewrite(part) if read else RewrittenPrompt(part, "", "")
        for (index, part), read in zip(own.items(), _are_read(own.values()), strict=True)
    }
    system = _rewrite(asked.system)
    seeking = next((index for index, text in texts.items() if text.targets or text.anything), None)
    targets = ", ".join(text.targets for text in texts.values() if text.targets)
    if seeking is None:
        targets = system.targets
    # The prompt quotes them: a quotation mark of their own would end the quotation.
    targets = targets.replace('"', "'")
    other_words = seeking is None and any(text.before or text.after for text in texts.values())
    # A question of another kind stays as it is; the native prompt behind it then points back to it.
    unnamed = ASKED_ABOVE if other_words and not system.anything else dialect.everything
    native = prompt.replace(TARGETS, targets or unnamed)
    turn = Turn(Role.USER, tuple(_parts(parts, texts, seeking, native)))
    turns = (*asked.turns[:last], *([] if users else [asked.turns[last]]), turn)
    return replace(asked, turns=turns, system=_joined(system.before, system.after)), targets


def _rewrite(text: str) -> RewrittenPrompt:
    return rewrite(text) if len(text) <= LONGEST_TEXT else RewrittenPrompt(text, "", "")


def _parts(
    parts: Sequence[str | Image | FunctionPart],
    texts: dict[int, RewrittenPrompt],
    seeking: int | None,
    native: str,
) -> Iterator[str | Image | FunctionPart]:
    """The turn's parts; the native prompt stands where what is looked for was named, else at the end."""
    for index, part in enumerate(parts):
        if not isinstance(part, str):
            yield part
            continue
        text = _joined(texts[index].before, native if index == seeking else "", texts[index].after)
        if text:
            yield text
    if seeking is None:
        yield native


def _joined(*texts: str) -> str:
    return "\n".join(text for text in texts if text)


class ListAnswerReader:
    """Reads one candidate's answer into a list of the caller's objects, each as soon as it is complete."""

    def __init__(self, dialect: Dialect, writer: ObjectWriter, shape: GroundingShape | None) -> None:
        """As `reader_for`."""
        self._writer = writer
        self._object = shape.first_with_places() if shape else None
        self._around = surroundings(shape)
        in_json = dialect.form in _JSON_FORMS
        outlined = writer.masks is not None and dialect.masks_prompt != ""
        self._source = (
            ObjectSource(dialect, self._is_meant) if in_json else TagSource(dialect, outlined=outlined)
        )
        self._written: list[JsonValue] = []

    @property
    def value(self) -> JsonValue:
        """As `DocumentReader.value`."""
        return self._around.value(self._written)

    def push(self, text: str) -> str:
        """As `DocumentReader.push`."""
        return "".join(self._texts(self._source.push(text)))

    def end(self) -> str:
        """As `DocumentReader.end`."""
        rest = "".join(self._texts(self._source.end()))
        return rest + (self._around.after if self._written else self._around.empty)

    def _is_meant(self, found: JsonObject) -> bool:
        own = self._object is not None and any(name in found for name in self._object.place_fields)
        return own or self._writer.has_place(found)

    def _texts(self, found: Iterable[JsonObject]) -> Iterator[str]:
        for each in found:
            shaped = self._writer.shaped(each, self._object) if self._object else self._writer.plain(each)
            for value in shaped:
                if self._written and not self._around.many:
                    return
                text = dumps(value)
                if text:
                    yield (self._around.between if self._written else self._around.before) + text
                    self._written.append(value)


AnswerReader = DocumentReader | ListAnswerReader


def reader_for(dialect: Dialect, writer: ObjectWriter, shape: GroundingShape | None) -> AnswerReader:
    """The reader of one candidate.

    Args:
        dialect: How the family writes.
        writer: Writes the caller's objects.
        shape: The caller's schema; None where there is none, and the API's own array is written.
    """
    if writer.masks and dialect.deaf:
        # Of several pictures it gives a list for each, and the mask has to lie on the right one.
        shape = shape or shape_of(_api_listing(writer.said.names), dialect)
        assert shape
        return DocumentReader(shape, writer)
    if shape is None or dialect.form is not Form.JSON:
        return ListAnswerReader(dialect, writer, shape)
    # An array of objects with nothing but their own places in them: read as a list, it may lie in any text.
    plain_list = shape.items is not None and shape.items.has_places and not shape.items.members
    return ListAnswerReader(dialect, writer, shape) if plain_list else DocumentReader(shape, writer)
