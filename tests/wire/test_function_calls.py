"""Functions in a request: declared, chosen, called, and what they gave."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest

from vidi.domain.answer import FunctionCall
from vidi.domain.errors import InvalidRequest
from vidi.domain.prompt import (
    Conversation,
    FileReference,
    FunctionDeclaration,
    FunctionResponse,
    ImageSource,
    Role,
    Turn,
)
from vidi.domain.schema import Kind, Property, Schema
from vidi.wire.decode import RequestLimits, decode_count, decode_generate
from vidi.wire.function_calls import MAX_FUNCTIONS
from vidi.wire.interaction_decode import PastInteraction, decode_interaction, with_history

LIMITS = RequestLimits(model="echo", max_images=3)
HI = {"role": "user", "parts": [{"text": "hi"}]}
PNG = base64.b64encode(b"\x89PNG").decode()
NUMBER = Schema(kinds=frozenset({Kind.INTEGER}))
N = Schema(kinds=frozenset({Kind.OBJECT}), properties=(Property("n", NUMBER, required=True),))
NOTHING = Schema(kinds=frozenset({Kind.OBJECT}))
GOOGLES = {"type": "OBJECT", "properties": {"n": {"type": "INTEGER"}}, "required": ["n"]}
EMPTY = {"type": "OBJECT", "properties": {}}
JSONS = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "unknown": 1}


def ask(*declarations: Any, config: Any = None, contents: Any = None, **more: Any) -> dict[str, Any]:
    return {
        "contents": contents or [HI],
        "tools": [{"functionDeclarations": list(declarations)}],
        **({"toolConfig": {"functionCallingConfig": config}} if config else {}),
        **more,
    }


def read(request: dict[str, Any]) -> Conversation:
    return decode_generate(json.dumps(request).encode(), LIMITS)


def refused(request: dict[str, Any]) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        read(request)
    return caught.value


def named(*names: str) -> list[dict[str, Any]]:
    return [{"name": name} for name in names]


@pytest.mark.parametrize(
    "declaration",
    [
        {"name": "look", "description": "Looks.", "parameters": GOOGLES},
        {
            "name": "look",
            "description": "Looks.",
            "parametersJsonSchema": JSONS,
            "response": {"type": "OBJECT"},
        },
        {"name": "look", "description": "Looks.", "parameters_json_schema": JSONS, "behavior": "BLOCKING"},
    ],
)
def test_both_dialects_declare_alike(declaration: dict[str, Any]) -> None:
    conversation = read(ask(declaration))
    assert conversation.functions == (FunctionDeclaration("look", "Looks.", N),)
    assert not conversation.must_call


@pytest.mark.parametrize(
    "none", [{}, {"parameters": None}, {"parameters": {"type": "OBJECT", "properties": {}}}]
)
def test_a_function_without_parameters_takes_none(none: dict[str, Any]) -> None:
    (function,) = read(ask({"name": "wait", **none})).functions
    assert function.parameters == NOTHING


def test_arguments_are_an_object_whatever_else_the_schema_allows() -> None:
    shapes = (
        {"properties": {"n": {"type": "INTEGER"}}, "required": ["n"]},
        {"type": "OBJECT", "nullable": True, "properties": {"n": {"type": "INTEGER"}}, "required": ["n"]},
    )
    for shape in shapes:
        (function,) = read(ask({"name": "look", "parameters": shape})).functions
        assert function.parameters == N


@pytest.mark.parametrize(
    ("config", "names", "must_call"),
    [
        (None, "ab", False),
        ({}, "ab", False),
        ({"mode": "MODE_UNSPECIFIED"}, "ab", False),
        ({"mode": "AUTO"}, "ab", False),
        ({"mode": "VALIDATED"}, "ab", False),
        ({"mode": "validated", "allowedFunctionNames": ["b"]}, "b", False),
        ({"mode": "ANY"}, "ab", True),
        ({"mode": "any", "allowed_function_names": ["b", "a"]}, "ab", True),
        ({"mode": 2, "allowedFunctionNames": "b"}, "b", True),
        ({"mode": "NONE"}, "", False),
    ],
)
def test_the_mode_and_the_allowed_names_choose(config: Any, names: str, must_call: bool) -> None:
    conversation = read(ask(*named("a", "b"), config=config))
    assert "".join(each.name for each in conversation.functions) == names
    assert conversation.must_call is must_call


@pytest.mark.parametrize(
    "more",
    [
        {"tools": []},
        {"tools": None},
        {"tools": [{}]},
        {"tools": [{"functionDeclarations": []}]},
        {"tools": [{"googleSearch": None}]},
        {"toolConfig": {"functionCallingConfig": {"mode": "NONE"}}},
        {
            "toolConfig": {
                "functionCallingConfig": {"mode": "AUTO"},
                "retrievalConfig": {"languageCode": "en"},
            }
        },
        {"toolConfig": {"includeServerSideToolInvocations": True}},
        {
            "tools": [{"functionDeclarations": [{"name": "f"}]}],
            "toolConfig": {"functionCallingConfig": {"mode": 3}},
        },
    ],
)
def test_nothing_to_call_is_no_tool(more: dict[str, Any]) -> None:
    conversation = read({"contents": [HI], **more})
    assert (conversation.functions, conversation.must_call) == ((), False)


def test_declarations_are_counted_in_both_forms_of_a_count() -> None:
    whole = json.dumps({"generateContentRequest": ask({"name": "look", "parameters": GOOGLES})}).encode()
    assert decode_count(whole, LIMITS).functions == (FunctionDeclaration("look", "", N),)


TEXT = {"type": "STRING"}
AT = "tools[0].function_declarations"
CONFIG = "tool_config.function_calling_config"
BAD = {
    "no name": (ask({}), f"{AT}[0].name"),
    "a name with a blank": (ask({"name": "look at"}), f"{AT}[0].name"),
    "a name that begins with a digit": (ask({"name": "1look"}), f"{AT}[0].name"),
    "a name of other letters": (ask({"name": "schauen_ä"}), f"{AT}[0].name"),
    "a name of 65 letters": (ask({"name": "x" * 65}), f"{AT}[0].name"),
    "a name with a line break": (ask({"name": "look\n"}), f"{AT}[0].name"),
    "the same name twice": (ask(*named("a", "b", "a")), f"{AT}[2].name"),
    "a thousand functions": (ask(*named(*(f"f{at}" for at in range(1000)))), "tools"),
    "both dialects": (
        ask({"name": "f", "parameters": GOOGLES, "parametersJsonSchema": JSONS}),
        f"{AT}[0].parameters_json_schema",
    ),
    "a shape that is no object": (
        ask({"name": "f", "parameters": {"type": "STRING"}}),
        f"{AT}[0].parameters",
    ),
    "a shape that is no schema": (
        ask({"name": "f", "parametersJsonSchema": 5}),
        f"{AT}[0].parameters_json_schema",
    ),
    "an unknown keyword of Google's": (
        ask({"name": "f", "parameters": {"type": "OBJECT", "shape": 1}}),
        f"{AT}[0].parameters",
    ),
    "a shape that never ends": (
        ask({"name": "f", "parametersJsonSchema": {"properties": {"a": {"$ref": "#"}}, "required": ["a"]}}),
        f"{AT}[0].parameters_json_schema",
    ),
    "an unknown allowed name": (
        ask(*named("a"), config={"mode": "ANY", "allowedFunctionNames": ["a", "b"]}),
        f"{CONFIG}.allowed_function_names[1]",
    ),
    "allowed names where all are": (
        ask(*named("a"), config={"mode": "AUTO", "allowedFunctionNames": ["a"]}),
        f"{CONFIG}.allowed_function_names",
    ),
    "a call of nothing": (
        {"contents": [HI], "toolConfig": {"functionCallingConfig": {"mode": "ANY"}}},
        CONFIG,
    ),
    "an unknown mode": (ask(*named("a"), config={"mode": "MUST"}), f"{CONFIG}.mode"),
    "a search": ({"contents": [HI], "tools": [{"googleSearch": {}}]}, "tools[0].google_search"),
    "code": ({"contents": [HI], "tools": [{"codeExecution": {}}]}, "tools[0].code_execution"),
    "pages": ({"contents": [HI], "tools": [{"url_context": {}}]}, "tools[0].url_context"),
    "a search beside a function": (
        {"contents": [HI], "tools": [{"functionDeclarations": named("a")}, {"googleSearch": {}}]},
        "tools[1].google_search",
    ),
    "a tool that nobody knows": ({"contents": [HI], "tools": [{"hammer": {}}]}, "tools[0]"),
    "a call in the user's turn": (
        {"contents": [{"parts": [{"functionCall": {"name": "f"}}]}]},
        "contents[0].parts[0].function_call",
    ),
    "a call without a name": (
        {"contents": [HI, {"role": "model", "parts": [{"functionCall": {"args": {}}}]}]},
        "contents[1].parts[0].function_call.name",
    ),
    "arguments that are no object": (
        {"contents": [HI, {"role": "model", "parts": [{"functionCall": {"name": "f", "args": [1]}}]}]},
        "contents[1].parts[0].function_call",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_with_functions_names_its_field(case: str) -> None:
    request, field = BAD[case]
    assert refused(request).where == field
    assert field.split(".")[-1] in refused(request).message


def test_as_many_functions_as_google_takes_are_read() -> None:
    assert len(read(ask(*named(*(f"f{at}" for at in range(MAX_FUNCTIONS))))).functions) == MAX_FUNCTIONS


def test_a_recursive_schema_is_unrolled() -> None:
    tree = {"type": "object", "properties": {"kids": {"type": "array", "items": {"$ref": "#"}}}}
    (function,) = read(ask({"name": "f", "parametersJsonSchema": tree})).functions
    depth, shape = 0, function.parameters
    while shape.properties:
        depth, shape = depth + 1, shape.properties[0].schema.items or Schema()
    assert depth == 5


def test_many_large_schemas_cost_no_more_than_one_and_the_first_that_is_too_much_is_named() -> None:
    tree = {"$defs": {"n": {"properties": {f"p{at}": {"$ref": "#/$defs/n"} for at in range(4)}}}}
    shape = {"type": "object", "properties": {"root": {"$ref": "#/$defs/n"}}, **tree}
    error = refused(ask(*({"name": f"f{at}", "parametersJsonSchema": shape} for at in range(500))))
    found = re.match(r"tools\[0\]\.function_declarations\[(\d+)\]\.parameters_json_schema", error.where)
    assert found
    assert 10 < int(found[1]) < 200
    assert "too large together" in error.message


# --- calls and responses in the conversation


def called(*parts: dict[str, Any], role: str = "user", call_id: str | None = "c1") -> dict[str, Any]:
    call = {"name": "look", "args": {"n": 1}, **({"id": call_id} if call_id else {})}
    model = {"role": "model", "parts": [{"functionCall": call, "thoughtSignature": "c2lnbmVk"}]}
    return {"contents": [HI, model, {"role": role, "parts": list(parts)}]}


def response(**more: Any) -> dict[str, Any]:
    return {"functionResponse": {"name": "look", "response": {"seen": True}, **more}}


WHERE = "contents[2].parts[0].function_response"


@pytest.mark.parametrize("role", ["user", "function", ""])
def test_a_call_and_what_it_gave_are_parts_of_turns(role: str) -> None:
    pictures = [
        {"inlineData": {"mimeType": "image/png", "data": PNG, "displayName": "a.png"}},
        {"fileData": {"mimeType": "image/png", "fileUri": "files/abc"}},
    ]
    conversation = read(called(response(id="c1", parts=pictures, willContinue=False), role=role))
    assert conversation.turns == (
        Turn(Role.USER, ("hi",)),
        Turn(Role.MODEL, (FunctionCall("look", '{"n": 1}', "c1"),)),
        Turn(
            Role.USER,
            (
                FunctionResponse("look", '{"seen": true}', "c1", WHERE),
                ImageSource(b"\x89PNG", f"{WHERE}.parts[0].inline_data"),
                FileReference("files/abc", f"{WHERE}.parts[1].file_data"),
            ),
        ),
    )
    assert len(list(conversation.images())) == 2
    assert list(conversation.texts()) == ["hi", 'look{"n": 1}', 'look{"seen": true}']


@pytest.mark.parametrize(
    ("part", "call_id"),
    [
        (response(), "c1"),  # older clients send no id
        (response(), None),
        (response(id="made-up"), None),  # nor do they send back the one that they got
    ],
)
def test_a_response_belongs_to_its_call_by_id_or_by_name(part: dict[str, Any], call_id: str | None) -> None:
    last = read(called(part, call_id=call_id)).turns[-1].parts[0]
    assert isinstance(last, FunctionResponse)
    assert last.name == "look"


@pytest.mark.parametrize(
    "request_of",
    [
        called(response(id="c2")),
        called(response(name="gaze")),
        called(response(id="c1", name="gaze")),
        {"contents": [HI, {"role": "model", "parts": [{"text": "ok"}]}, {"parts": [response()]}]},
        {"contents": [{"parts": [response()]}]},
    ],
)
def test_a_response_to_a_call_that_was_never_made_names_its_part(request_of: dict[str, Any]) -> None:
    error = refused(request_of)
    assert error.where.endswith(".parts[0].function_response")
    assert error.where in error.message
    assert "never made" in error.message


@pytest.mark.parametrize(
    ("part", "field"),
    [
        (response(name=""), "name"),
        (response(parts=[{}]), "parts[0]"),
        (
            response(parts=[{"inlineData": {"mimeType": "image/gif", "data": PNG}}]),
            "parts[0].inline_data.mime_type",
        ),
        (
            response(parts=[{"inlineData": {"mimeType": "image/png", "data": "?"}}]),
            "parts[0].inline_data.data",
        ),
        (response(parts=[{"fileData": {"mimeType": "image/png"}}]), "parts[0]"),
        (response(parts=[{"fileData": {"fileUri": "files/a"}}] * 4), None),
    ],
)
def test_what_is_wrong_with_a_response_names_its_field(part: dict[str, Any], field: str | None) -> None:
    error = refused(called(part))
    assert error.where == (f"{WHERE}.{field}" if field else "contents")


def test_a_response_in_a_turn_of_the_models_is_refused() -> None:
    assert refused(called(response(id="c1"), role="model")).where == WHERE


# --- the Interactions API

TOOL = {"type": "function", "name": "look", "description": "Looks.", "parameters": JSONS}


def interact(input_: Any, **more: Any) -> Conversation:
    body = {"model": "echo", "input": input_, "tools": [TOOL], **more}
    return decode_interaction(json.dumps(body).encode(), 3).conversation


@pytest.mark.parametrize(
    ("choice", "names", "must_call"),
    [
        (None, 1, False),
        ("auto", 1, False),
        ("any", 1, True),
        ("none", 0, False),
        ("validated", 1, False),
        ({"allowed_tools": {"mode": "any", "tools": ["look"]}}, 1, True),
        ({"allowed_tools": {"tools": ["look"]}}, 1, False),
    ],
)
def test_an_interaction_declares_and_chooses(choice: Any, names: int, must_call: bool) -> None:
    conversation = interact("hi", generation_config={"tool_choice": choice})
    assert conversation.functions == (FunctionDeclaration("look", "Looks.", N),) * names
    assert conversation.must_call is must_call


CALL = {"type": "function_call", "id": "c1", "name": "look", "arguments": {"n": 1}}
USER = {"type": "user_input", "content": "hi"}


def result(value: Any, **more: Any) -> dict[str, Any]:
    return {"type": "function_result", "call_id": "c1", "result": value, **more}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (result("done"), '{"result":"done"}'),
        (result({"seen": True}, name="look"), '{"result":{"seen":true}}'),
        (result("no", is_error=True), '{"error":"no"}'),
        (result([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]), '{"result":"a\\nb"}'),
    ],
)
def test_a_result_is_told_with_the_name_of_its_call(given: dict[str, Any], told: str) -> None:
    turns = interact([USER, CALL, given]).turns
    assert turns[1] == Turn(Role.MODEL, (FunctionCall("look", '{"n": 1}', "c1"),))
    assert turns[2] == Turn(Role.USER, (FunctionResponse("look", told, "c1", "input[2]"),))


def test_a_result_may_hold_pictures() -> None:
    picture = {"type": "image", "data": PNG, "mime_type": "image/png"}
    last = interact([USER, CALL, result([{"type": "text", "text": "a"}, picture])]).turns[-1]
    assert list(last.images()) == [ImageSource(b"\x89PNG", "input[2].result[1]")]


def test_a_result_may_answer_the_interaction_before() -> None:
    new = decode_interaction(
        json.dumps({"model": "echo", "input": [result("done")], "previous_interaction_id": "i1"}).encode(), 3
    )
    answer = {"steps": [{"type": "model_output", "content": [{"type": "text", "text": "So:"}]}, CALL]}
    past = PastInteraction("i1", b'"hi"', json.dumps(answer).encode())
    whole = with_history(new.conversation, [past], 3)
    assert whole.turns == (
        Turn(Role.USER, ("hi",)),
        Turn(Role.MODEL, ("So:", FunctionCall("look", '{"n": 1}', "c1"))),
        Turn(Role.USER, (FunctionResponse("look", '{"result":"done"}', "c1", "input[0]"),)),
    )
    with pytest.raises(InvalidRequest, match="never made") as caught:
        with_history(new.conversation, [PastInteraction("i1", b'"hi"', b'{"steps": []}')], 3)
    assert caught.value.where == "input[0]"


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"input": [USER, result("x")]}, "input[1]"),
        ({"input": [USER, CALL, {"type": "function_result", "result": "x"}]}, "input[2].call_id"),
        ({"input": [USER, {"type": "function_call", "id": "c1"}]}, "input[1]"),
        ({"input": [USER, CALL, result([{"type": "text", "text": ""}])]}, "input[2].result[0].text"),
        ({"tools": [{"type": "google_search"}]}, "tools[0]"),
        ({"tools": [{"name": "look"}]}, "tools[0]"),
        ({"tools": [TOOL, TOOL]}, "tools[1].name"),
        ({"tools": [{**TOOL, "parameters": {"type": "array"}}]}, "tools[0].parameters"),
        (
            {"generation_config": {"tool_choice": {"allowed_tools": {"mode": "any", "tools": ["gaze"]}}}},
            "generation_config.tool_choice.allowed_tools.tools[0]",
        ),
        ({"generation_config": {"tool_choice": "must"}}, "generation_config.tool_choice.allowed_tools.mode"),
    ],
)
def test_what_is_wrong_with_an_interactions_functions_names_its_field(
    more: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        interact(input_=more.pop("input", "hi"), **more)
    assert caught.value.where == field
