"""Function calls: how a model is told what it may call, and how its calls are read.

A request whose answer must be a call is a request for structured output: of one function the arguments, of
several `{"name": ..., "args": ...}`. So every engine that fills a schema can be made to call, boxes among the
arguments are asked for and read as everywhere, and `forced` and `read_forced` are all that knows of it.
Whether to call at all is up to an engine that can decide it (`ModelCard.calls`): it is told by its template
or by `instruction`, and marks its calls as `marked` writes them.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace

from vidi.domain.answer import Finish, FunctionCall, Piece
from vidi.domain.errors import InvalidRequest
from vidi.domain.prompt import FunctionDeclaration, Image, Output, Request, TextFormat
from vidi.domain.schema import JsonValue, Kind, Property, Schema
from vidi.engines import schemas
from vidi.engines.validation import AnswerMismatch, Attempt, to_json_schema, validate_value

OPENING, CLOSING = "<call>", "</call>"
"""Around a call in the text of a model whose template has no way to write one."""

MOST_CALLS = 8
"""Of one answer: a model that repeats itself comes to an end."""

WHERE = "tools"
"""The field that a refusal names."""


class MalformedCall(AnswerMismatch):
    """A model's call is none of the functions that were declared, or has arguments of another shape."""


def declaration(function: FunctionDeclaration) -> dict[str, JsonValue]:
    """A function as models are told of it."""
    told: dict[str, JsonValue] = {"description": function.description} if function.description else {}
    return {"name": function.name, **told, "parameters": to_json_schema(function.parameters)}


def declared(functions: Iterable[FunctionDeclaration]) -> str:
    """Functions as text, one a line."""
    return "\n".join(json.dumps(declaration(each), ensure_ascii=False) for each in functions)


def marked(call: FunctionCall) -> str:
    """A call as `instruction` asks for it."""
    return f'{OPENING}{{"name":{json.dumps(call.name)},"args":{call.args}}}{CLOSING}'


def instruction(request: Request[Image]) -> str:
    """What a model without a template for functions is told of them; "" if there is nothing to tell.

    Where the answer must be a call, it is told of the very shape that holds it; a request that was put into a
    family's own terms for places has another one, and says all that is needed itself.
    """
    functions = request.functions
    if not functions:
        return ""
    if not request.must_call:
        return (
            "You can call these functions:\n"
            f"{declared(functions)}\n"
            "If you need one, answer with nothing but the call, or the calls one after the other, as\n"
            f'{OPENING}{{"name": "...", "args": {{...}}}}{CLOSING}\n'
            "If you need none, answer as usual."
        )
    schema = request.output.schema
    if schema == functions[0].parameters and len(functions) == 1:
        return f"Answer with the arguments of a call of this function, as JSON:\n{declared(functions)}"
    if schema in (_one_of(functions), _some_of(functions)):
        form = "an array of one or more objects" if schema == _some_of(functions) else "an object"
        return (
            f"Answer by calling one of these functions, as {form} of the form "
            f'{{"name": "...", "args": {{...}}}}:\n{declared(functions)}'
        )
    return ""


def forced(request: Request[Image], *, several: bool) -> Request[Image]:
    """A request whose answer must be a call, as one for structured output; any other as it is.

    Args:
        request: What the caller asks.
        several: Whether the engine may be trusted to say how many calls there are to be. One function is
            called once all the same: it is mostly the shape of an answer.
    """
    if not request.must_call:
        return request
    functions = request.functions
    schema = functions[0].parameters
    if len(functions) > 1:
        schema = _some_of(functions) if several else _one_of(functions)
    return replace(request, output=Output(TextFormat.JSON, schema))


def _one_of(functions: Sequence[FunctionDeclaration]) -> Schema:
    return Schema(any_of=tuple(map(call_schema, functions)))


def _some_of(functions: Sequence[FunctionDeclaration]) -> Schema:
    kinds = frozenset({Kind.ARRAY})
    return Schema(kinds=kinds, items=_one_of(functions), min_items=1, max_items=MOST_CALLS)


def call_schema(function: FunctionDeclaration) -> Schema:
    """The shape of a call of a function."""
    name = Schema(kinds=frozenset({Kind.STRING}), enum=(function.name,))
    members = (Property("name", name, required=True), Property("args", function.parameters, required=True))
    return Schema(kinds=frozenset({Kind.OBJECT}), properties=members)


async def read_forced(
    pieces: AsyncIterator[Piece], functions: Sequence[FunctionDeclaration]
) -> AsyncIterator[Piece]:
    """The answer to a request of `forced`, with its calls in the place of its text; thoughts pass.

    What is no call is no fault of the caller's or the server's: it is the finish MALFORMED_FUNCTION_CALL.

    Raises:
        InvalidRequest: No arguments have the shape that a function declares.
    """
    texts: list[str] = []
    candidate = 0
    try:
        with naming_functions():
            async for piece in pieces:
                if piece.thought:
                    yield piece
                    continue
                texts.append(piece.text)
                candidate = piece.candidate
                if piece.finish is None:
                    yield replace(piece, text="")
                    continue
                whole, texts = "".join(texts), []
                for each in _forced_ending(replace(piece, text=""), whole, functions):
                    yield each
    except AnswerMismatch:
        yield Piece("", finish=Finish.MALFORMED_FUNCTION_CALL, candidate=candidate)


@contextmanager
def naming_functions() -> Iterator[None]:
    """Lets a refusal of a schema say that it is a function's."""
    try:
        yield
    except InvalidRequest as error:
        if error.where != schemas.WHERE:
            raise
        words = error.message.replace("The response schema", "The schema of a function's arguments")
        raise InvalidRequest(words, where=WHERE) from error


def _forced_ending(last: Piece, text: str, functions: Sequence[FunctionDeclaration]) -> tuple[Piece, ...]:
    if last.finish is not Finish.STOP:
        return (last,)
    try:
        return ending(last, _calls_of(_read(text), functions))
    except AnswerMismatch:
        return (replace(last, finish=Finish.MALFORMED_FUNCTION_CALL),)


def ending(last: Piece, calls: Sequence[FunctionCall]) -> tuple[Piece, ...]:
    """The pieces of calls, of which the last one ends the answer as `last` does."""
    if not calls:
        return (last,)
    first = (Piece("", candidate=last.candidate, call=call) for call in calls[:-1])
    return (*first, replace(last, call=calls[-1]))


def _read(text: str) -> JsonValue:
    try:
        value: JsonValue = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MalformedCall(f"The model's call is not JSON: {error}") from error
    return value


def _calls_of(value: JsonValue, functions: Sequence[FunctionDeclaration]) -> tuple[FunctionCall, ...]:
    if len(functions) == 1:
        return (_checked(functions[0].name, value, functions),)
    return tuple(_call_of(each, functions) for each in (value if isinstance(value, list) else [value]))


def _call_of(value: JsonValue, functions: Sequence[FunctionDeclaration]) -> FunctionCall:
    if not isinstance(value, dict):
        raise MalformedCall("The model's call is no object.")
    return _checked(value.get("name"), value.get("args"), functions)


def _checked(name: JsonValue, args: JsonValue, functions: Sequence[FunctionDeclaration]) -> FunctionCall:
    function = next((each for each in functions if each.name == name), None)
    if function is None:
        raise MalformedCall("The model calls a function that is not declared.")
    try:
        validate_value(args, function.parameters)
    except AnswerMismatch as error:
        raise MalformedCall(error.message) from error
    return FunctionCall(function.name, json.dumps(args, ensure_ascii=False))


def read_marked(
    pieces: Iterable[Piece], functions: Sequence[FunctionDeclaration]
) -> Generator[Piece, None, None]:
    """An answer in which calls are marked, or that comes with calls already, which are checked.

    Text streams as it comes. What begins with a mark is kept until the end, while empty pieces keep its
    reader patient.

    Raises:
        MalformedCall: A call is none of the functions', or its arguments have another shape.
    """
    held = ""
    calling: bool | None = None
    for piece in pieces:
        if piece.thought:
            yield piece
            continue
        if piece.call:
            yield replace(piece, call=_checked(piece.call.name, _read(piece.call.args), functions))
            continue
        held += piece.text
        if calling is None:
            calling = _begins(held, ended=piece.finish is not None)
        if not calling and (calling is False or piece.finish):
            yield replace(piece, text=held)
            held = ""
        elif piece.finish is None:
            yield replace(piece, text="")
        else:
            calls = _marked_calls(held, functions) if piece.finish is Finish.STOP else ()
            yield from ending(replace(piece, text=""), calls)


def sound_calls(attempts: Sequence[Attempt]) -> Generator[Piece, None, None]:
    """The answer of the first attempt whose calls, if it calls, are sound.

    What was said cannot be unsaid: an answer that goes wrong after text, or at the last attempt, ends with
    the finish MALFORMED_FUNCTION_CALL.
    """
    for left in range(len(attempts) - 1, -1, -1):
        said = False
        try:
            with closing(attempts[-1 - left]()) as pieces:
                for piece in pieces:
                    said = said or bool(piece.text or piece.call)
                    yield piece
            return
        except MalformedCall:
            if said or not left:
                yield Piece("", finish=Finish.MALFORMED_FUNCTION_CALL)
                return


def _begins(text: str, *, ended: bool) -> bool | None:
    """Whether a text begins with a call; None if it is too early to tell."""
    text = text.lstrip()
    if text.startswith(OPENING):
        return True
    return None if not ended and OPENING.startswith(text) else False


def _marked_calls(text: str, functions: Sequence[FunctionDeclaration]) -> tuple[FunctionCall, ...]:
    calls: list[FunctionCall] = []
    decoder = json.JSONDecoder()
    rest = text.strip()
    while rest.startswith(OPENING) and len(calls) < MOST_CALLS:
        try:
            value, end = decoder.raw_decode(rest, len(OPENING))
        except (ValueError, RecursionError) as error:
            raise MalformedCall(f"The model's call is not JSON: {error}") from error
        calls.append(_call_of(value, functions))
        rest = rest[end:].lstrip().removeprefix(CLOSING).lstrip()
    return tuple(calls)
