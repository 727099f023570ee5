"""Open models that may call functions: as llama.cpp reads them, else under our grammar."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.model.pulling import publish_random
from vidi.domain.answer import Answer, Finish, FunctionCall, fold
from vidi.domain.errors import InvalidRequest, VidiError
from vidi.domain.prompt import (
    FunctionDeclaration,
    FunctionResponse,
    ImageHeader,
    Output,
    Prompt,
    PromptHeaders,
    Request,
    Role,
    Sampling,
    TextFormat,
    Turn,
)
from vidi.domain.schema import Kind, Property, Schema
from vidi.engines.base import ModelCard
from vidi.engines.calls import marked
from vidi.engines.chat.connection import HttpRefusal
from vidi.engines.llama.engine import Llama, open_engine
from vidi.engines.llama.supervisor import Supervisor
from vidi.engines.profile import Template
from vidi.engines.validation import satisfies

pytest.importorskip("xllamacpp", reason="needs the extra `llama`")
random_gguf = pytest.importorskip("tests.model.random_gguf", reason="needs the package gguf")
test_engine = pytest.importorskip("tests.engines.llama.test_engine", reason="needs the extra `llama`")

COUNT = Schema(kinds=frozenset({Kind.INTEGER}), minimum=2)
LOOK = FunctionDeclaration(
    "look", "Looks.", Schema(frozenset({Kind.OBJECT}), properties=(Property("n", COUNT, required=True),))
)
IMPOSSIBLE = FunctionDeclaration(
    "look",
    "",
    Schema(
        frozenset({Kind.OBJECT}),
        properties=(Property("n", Schema(kinds=frozenset({Kind.INTEGER}), minimum=2, maximum=1), True),),
    ),
)
CHAT = "/v1/chat/completions"


def asked(*functions: FunctionDeclaration, **more: Any) -> Prompt:
    return Request(turns=(Turn(Role.USER, ("hi",)),), functions=functions or (LOOK,), **more)


class Scripted(Supervisor):
    """A process that says what it is told to, and notes what it was asked."""

    def __init__(self, *answers: list[dict[str, Any]] | HttpRefusal, shows: bool = True) -> None:
        self.answers = list(answers)
        self.shows = shows
        self.asked: list[Any] = []

    def post(self, path: str, body: bytes) -> Generator[bytes, None, None]:
        request = json.loads(body)
        if path != CHAT:
            yield json.dumps(request["tools"] if self.shows else []).encode()
            return
        self.asked.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, HttpRefusal):
            raise answer
        for delta in answer:
            yield b"data: " + json.dumps({"choices": [{"delta": delta}]}).encode() + b"\n\n"
        reason = "tool_calls" if any("tool_calls" in delta for delta in answer) else "stop"
        last = {"choices": [{"delta": {}, "finish_reason": reason}]}
        yield b"data: " + json.dumps(last).encode() + b"\n\n"


def answer_of(process: Scripted, prompt: Prompt) -> Answer:
    engine = Llama(ModelCard("m", "M", "A model."), Template(), process)
    (answer,) = fold(engine.generate(prompt))
    return answer


def fragments(*calls: tuple[str, str]) -> list[dict[str, Any]]:
    """Calls as llama.cpp streams them: the name, then the arguments in two halves."""
    deltas: list[dict[str, Any]] = []
    for at, (name, args) in enumerate(calls):
        half = len(args) // 2
        head = {"index": at, "id": f"x{at}", "type": "function", "function": {"name": name, "arguments": ""}}
        deltas.append({"tool_calls": [head]})
        halves = (args[:half], args[half:])
        deltas += [{"tool_calls": [{"index": at, "function": {"arguments": part}}]} for part in halves]
    return deltas


GOOD, BAD = ("look", '{"n": 2}'), ("look", '{"n": 1}')
REFUSAL = HttpRefusal(400, b'{"error":{"code":400,"message":"no"}}')
UNREADABLE = HttpRefusal(
    500, b'{"error":{"code":500,"type":"server_error","message":"output that does not match the expected"}}'
)
UNDER_GRAMMAR: list[dict[str, Any]] = [{"content": marked(FunctionCall("look", '{"n":3}'))}]


def test_a_template_with_a_place_for_functions_is_given_them() -> None:
    process = Scripted([{"content": "Let me see. "}, *fragments(GOOD, ("look", '{"n": 5}'))])
    answer = answer_of(process, asked())
    assert answer.text == "Let me see. "
    assert answer.calls == (FunctionCall("look", '{"n": 2}'), FunctionCall("look", '{"n": 5}'))
    assert answer.finish is Finish.STOP
    (request,) = process.asked
    assert [tool["function"]["name"] for tool in request["tools"]] == ["look"]
    assert "grammar" not in request
    assert request["messages"] == [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]


def test_a_template_without_one_is_told_in_words_and_held_by_our_grammar() -> None:
    process = Scripted(UNDER_GRAMMAR, shows=False)
    assert answer_of(process, asked()).calls == (FunctionCall("look", '{"n": 3}'),)
    (request,) = process.asked
    assert "tools" not in request
    assert "<call>" in request["grammar"]
    assert "look" in request["messages"][0]["content"]


@pytest.mark.parametrize("more", [{"output": Output(TextFormat.JSON)}])
def test_an_answer_that_must_be_json_needs_our_grammar_too(more: dict[str, Any]) -> None:
    process = Scripted([{"content": "[1]"}])
    assert answer_of(process, asked(**more)).text == "[1]"
    assert "grammar" in process.asked[0]


@pytest.mark.parametrize(
    "first",
    [
        fragments(BAD),
        fragments(("gaze", "{}")),
        HttpRefusal(400, b'{"error":{"code":400,"message":"no"}}'),
        UNREADABLE,
    ],
    ids=["arguments", "name", "refusal", "unreadable"],
)
def test_what_llama_cpp_makes_a_mess_of_is_asked_for_once_more_under_our_grammar(first: Any) -> None:
    process = Scripted(first, UNDER_GRAMMAR)
    answer = answer_of(process, asked())
    assert (answer.calls, answer.finish) == ((FunctionCall("look", '{"n": 3}'),), Finish.STOP)
    assert ["grammar" in request for request in process.asked] == [False, True]


def test_a_second_bad_call_or_one_after_text_is_told_by_the_finish() -> None:
    bad = [{"content": marked(FunctionCall("look", '{"n":1}'))}]
    answer = answer_of(Scripted(fragments(BAD), bad), asked())
    assert (answer.calls, answer.finish) == ((), Finish.MALFORMED_FUNCTION_CALL)
    answer = answer_of(Scripted([{"content": "So: "}, *fragments(BAD)]), asked())
    assert (answer.text, answer.calls, answer.finish) == ("So: ", (), Finish.MALFORMED_FUNCTION_CALL)


def test_a_server_that_takes_no_request_is_an_error_all_the_same() -> None:
    with pytest.raises(VidiError, match="refused this request"):
        answer_of(Scripted(REFUSAL, REFUSAL), asked())


def test_a_function_that_cannot_be_called_is_refused_by_name() -> None:
    with pytest.raises(InvalidRequest, match="schema of a function's arguments") as caught:
        answer_of(Scripted(), asked(IMPOSSIBLE))
    assert caught.value.where == "tools"


@pytest.fixture(scope="module", params=["plain", "tools"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Llama]:
    """llama.cpp with random weights, under a template without and with a place for functions."""
    cache: Path = tmp_path_factory.mktemp("cache")

    def spoil(text: Path, _vision: Path) -> None:
        if request.param == "tools":
            random_gguf.write_text_model(text, template=random_gguf.WITH_TOOLS)

    publish_random(cache, "random", context=2048, spoil=spoil)
    with closing(open_engine(test_engine.context(cache, "random"))) as opened:
        yield opened


def test_llama_cpp_answers_in_text_or_calls_whatever_the_template(engine: Llama) -> None:
    for seed in range(4):
        prompt = asked(sampling=Sampling(seed=seed, max_output_tokens=60))
        (answer,) = fold(engine.generate(prompt))
        assert answer.finish in (Finish.STOP, Finish.MAX_TOKENS, Finish.MALFORMED_FUNCTION_CALL)
        assert all(satisfies(json.loads(call.args), LOOK.parameters) for call in answer.calls)


def test_functions_and_what_they_gave_are_counted(engine: Llama) -> None:
    before: Turn[ImageHeader] = Turn(Role.USER, ("hi",))
    call: Turn[ImageHeader] = Turn(Role.MODEL, (FunctionCall("look", '{"n": 2}', "c0"),))
    given: Turn[ImageHeader] = Turn(Role.USER, (FunctionResponse("look", '{"seen": true}', "c0"),))
    bare = engine.count_tokens(Request(turns=(before,))).total
    declared = engine.count_tokens(Request(turns=(before,), functions=(LOOK,))).total
    whole: PromptHeaders = Request(turns=(before, call, given), functions=(LOOK,))
    assert bare + 50 < declared < engine.count_tokens(whole).total
    short: Prompt = replace(whole, sampling=Sampling(max_output_tokens=3)).with_images(())
    (answer,) = fold(engine.generate(short))
    assert answer.tokens <= 3
