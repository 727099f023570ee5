"""Function calls without a model: what is asked of it, and what is read of its answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable

import pytest

from vidi.domain.answer import Finish, FunctionCall, Piece
from vidi.domain.errors import InvalidRequest
from vidi.domain.prompt import FunctionDeclaration, Output, Request, Role, TextFormat, Turn
from vidi.domain.schema import Kind, Property, Schema
from vidi.engines.calls import (
    MOST_CALLS,
    MalformedCall,
    declared,
    forced,
    instruction,
    marked,
    read_forced,
    read_marked,
)
from vidi.engines.schemas import minimal_value, refuse
from vidi.engines.validation import AnswerMismatch, satisfies

COUNT = Schema(kinds=frozenset({Kind.INTEGER}), minimum=2, description="How many.")
LOOK = FunctionDeclaration(
    "look", "Looks.", Schema(frozenset({Kind.OBJECT}), properties=(Property("n", COUNT, required=True),))
)
WAIT = FunctionDeclaration("wait", "", Schema(frozenset({Kind.OBJECT})))
BOTH = (LOOK, WAIT)

Asked = Request[object]


def ask(*functions: FunctionDeclaration, must_call: bool = False) -> Asked:
    return Request(turns=(Turn(Role.USER, ("hi",)),), functions=functions, must_call=must_call)


def said(*texts: str, finish: Finish = Finish.STOP) -> list[Piece]:
    return [*(Piece(text, tokens=1) for text in texts), Piece("", finish=finish)]


def read(pieces: Iterable[Piece], *functions: FunctionDeclaration) -> list[Piece]:
    async def gather() -> list[Piece]:
        async def later() -> AsyncIterator[Piece]:
            for piece in pieces:
                yield piece

        return [piece async for piece in read_forced(later(), functions)]

    return asyncio.run(gather())


def calls(pieces: Iterable[Piece]) -> list[tuple[str, object]]:
    return [(piece.call.name, json.loads(piece.call.args)) for piece in pieces if piece.call]


def test_a_request_that_may_call_is_left_alone() -> None:
    assert forced(ask(*BOTH), several=True) == ask(*BOTH)
    assert forced(ask(), several=True) == ask()


@pytest.mark.parametrize("several", [False, True])
def test_one_function_is_asked_for_by_its_own_shape(several: bool) -> None:
    asked = forced(ask(LOOK, must_call=True), several=several)
    assert asked.output == Output(TextFormat.JSON, LOOK.parameters)
    assert "the arguments of a call" in instruction(asked)


@pytest.mark.parametrize("several", [False, True])
def test_of_several_functions_the_least_that_satisfies_the_shape_is_a_call(several: bool) -> None:
    asked = forced(ask(*BOTH, must_call=True), several=several)
    schema = asked.output.schema
    assert schema is not None
    value = minimal_value(schema)
    least = {"name": "look", "args": {"n": 2}}
    assert value == ([least] if several else least)
    assert calls(read(said(json.dumps(value)), *BOTH)) == [("look", {"n": 2})]
    assert ("an array" if several else "an object") in instruction(asked)
    assert not satisfies({"name": "look", "args": {"n": 1}}, schema)
    assert not satisfies({"name": "gaze", "args": {"n": 2}}, schema)


def test_the_model_is_told_of_each_function_and_of_no_shape_that_it_is_not_held_to() -> None:
    told = instruction(ask(*BOTH))
    assert [json.loads(line) for line in told.splitlines()[1:3]] == [
        {
            "name": "look",
            "description": "Looks.",
            "parameters": {
                "type": "object",
                "properties": {"n": {"description": "How many.", "type": "integer", "minimum": 2}},
                "required": ["n"],
                "additionalProperties": False,
            },
        },
        {"name": "wait", "parameters": {"type": "object", "additionalProperties": False}},
    ]
    assert declared(BOTH) in told
    assert instruction(ask()) == ""
    # Put into a family's own terms, the request has another schema, and words of its own.
    assert instruction(ask(LOOK, must_call=True)) == ""


def test_a_forced_answer_becomes_calls_of_which_the_last_one_ends_it() -> None:
    answer = [{"name": "look", "args": {"n": 3}}, {"name": "wait", "args": {}}]
    pieces = read([Piece("hm", thought=True), *said(*json.dumps(answer))], *BOTH)
    assert pieces[0] == Piece("hm", thought=True)
    assert "".join(piece.text for piece in pieces[1:]) == ""
    assert sum(piece.tokens for piece in pieces) == len(json.dumps(answer))
    assert calls(pieces) == [("look", {"n": 3}), ("wait", {})]
    assert [piece.finish for piece in pieces if piece.finish] == [Finish.STOP]
    assert pieces[-1].call


@pytest.mark.parametrize(
    "text",
    ["", "no", "[", '{"n":1}', '{"n":2,"more":1}', "[" * 100_000, "null"],
    ids=lambda text: text[:9] or "nothing",
)
def test_what_is_no_call_is_told_by_the_finish(text: str) -> None:
    pieces = read(said(text), LOOK)
    assert calls(pieces) == []
    assert pieces[-1].finish is Finish.MALFORMED_FUNCTION_CALL


def test_an_answer_that_is_cut_has_no_call_and_keeps_its_finish() -> None:
    pieces = read(said('{"n":2}', finish=Finish.MAX_TOKENS), LOOK)
    assert calls(pieces) == []
    assert pieces[-1].finish is Finish.MAX_TOKENS


def test_each_candidate_calls_and_a_bad_one_does_not_end_the_others() -> None:
    other = [Piece('{"n":5}', candidate=1), Piece("", candidate=1, finish=Finish.STOP)]
    pieces = read([*said("no"), *other], LOOK)
    assert [(piece.candidate, piece.finish) for piece in pieces if piece.finish] == [
        (0, Finish.MALFORMED_FUNCTION_CALL),
        (1, Finish.STOP),
    ]
    assert calls(pieces) == [("look", {"n": 5})]


def test_an_engine_that_gives_up_ends_with_that_finish_and_a_schema_that_cannot_be_names_the_tools() -> None:
    def broken(error: Exception) -> Iterable[Piece]:
        yield Piece("x")
        raise error

    assert read(broken(AnswerMismatch("no")), LOOK)[-1].finish is Finish.MALFORMED_FUNCTION_CALL
    with pytest.raises(InvalidRequest, match=r"^The schema of a function's arguments cannot") as caught:
        read(broken(refuse("$.n", "no number")), LOOK)
    assert caught.value.where == "tools"


def test_text_streams_as_it_comes_once_it_is_known_to_be_none_of_the_calls() -> None:
    pieces = list(read_marked(said(" ", "<", "ca", "t", " is"), BOTH))
    assert [piece.text for piece in pieces] == ["", "", "", " <cat", " is", ""]
    assert pieces[-1].finish is Finish.STOP
    assert [piece.text for piece in read_marked(said("<ca"), BOTH)] == ["", "<ca"]


def test_marked_calls_are_read_whatever_their_pieces() -> None:
    text = marked(FunctionCall("look", '{"n":2}')) + "\n" + marked(FunctionCall("wait", "{}"))
    for size in (1, 3, 7, 1000):
        parts = [text[at : at + size] for at in range(0, len(text), size)]
        pieces = list(read_marked(said(*parts), BOTH))
        assert calls(pieces) == [("look", {"n": 2}), ("wait", {})]
        assert "".join(piece.text for piece in pieces) == ""
        assert sum(piece.tokens for piece in pieces) == len(parts)
        assert pieces[-1].finish is Finish.STOP


def test_a_model_that_repeats_itself_calls_so_often_and_not_more() -> None:
    pieces = list(read_marked(said(marked(FunctionCall("wait", "{}")) * 50), BOTH))
    assert len(calls(pieces)) == MOST_CALLS


@pytest.mark.parametrize(
    "text",
    [
        '<call>{"name":"look","args":{"n":1}}</call>',
        '<call>{"name":"gaze","args":{}}</call>',
        '<call>{"name":["look"],"args":{}}</call>',
        "<call>[1]</call>",
        "<call>look</call>",
        '<call>{"name":"wait"}</call>',
    ],
)
def test_a_marked_call_of_another_shape_is_refused(text: str) -> None:
    with pytest.raises(MalformedCall):
        list(read_marked(said(text), BOTH))


def test_calls_that_come_as_such_are_checked_too() -> None:
    good = [Piece("Let me see."), Piece("", finish=Finish.STOP, call=FunctionCall("look", '{ "n": 2 }'))]
    pieces = list(read_marked(good, BOTH))
    assert (pieces[0].text, calls(pieces)) == ("Let me see.", [("look", {"n": 2})])
    for call in (FunctionCall("look", "{}"), FunctionCall("gaze", "{}"), FunctionCall("look", "{")):
        with pytest.raises(MalformedCall):
            list(read_marked([Piece("", finish=Finish.STOP, call=call)], BOTH))
