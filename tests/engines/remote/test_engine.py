"""Prompts to every kind of server, and what comes back: text, thoughts, tokens, form."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.contract.engine_suite import OPTIONS, SHAPE, prompt
from tests.engines.lite.fakes import PARK
from tests.engines.remote.fake import (
    HELLO,
    KINDS,
    NDJSON,
    Asked,
    FakeBackend,
    Reply,
    always,
    as_json,
    chat_path,
    chunk,
    engine_on,
    fake,
    once_then,
    sse,
)
from tests.waiting import HANG_SECONDS
from vidi.domain.answer import Finish, FunctionCall, Piece, fold
from vidi.domain.prompt import (
    FunctionDeclaration,
    ImageFormat,
    ImageHeader,
    MediaResolution,
    Output,
    PromptHeaders,
    Request,
    Role,
    Sampling,
    TextFormat,
    Turn,
)
from vidi.domain.schema import Kind, Property, Schema
from vidi.engines.validation import AnswerMismatch

GRAMMARS = ("llama-server", "vllm", "sglang")
BOXES = '[{"label": "dog", "box_2d": [1, 2, 3, 4]}]'


def said(kind: str, *texts: str, finish: str = "stop", tokens: int | None = None) -> Reply:
    """An answer in a kind's own form."""
    count = len(texts) if tokens is None else tokens
    if kind == "ollama":
        lines: list[Any] = [{"message": {"content": text}, "done": False} for text in texts]
        lines.append({"message": {}, "done": True, "done_reason": finish, "eval_count": count})
        return Reply(parts=[json.dumps(line).encode() + b"\n" for line in lines])
    usage = {"choices": [], "usage": {"completion_tokens": count}}
    return Reply(parts=sse(*(chunk(content=text) for text in texts), chunk(finish), usage))


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_comes_whole_with_its_tokens(kind: str, tmp_path: Path) -> None:
    with fake(kind) as backend, engine_on(backend, tmp_path) as engine:
        assert engine.card.samples
        (answer,) = fold(engine.generate(prompt(PARK.picture, "What is this?")))
    assert (answer.text, answer.tokens, answer.finish) == ("A red circle.", 5, Finish.STOP)


@pytest.mark.parametrize("size", [1, 2, 3, 7])
@pytest.mark.parametrize("kind", ["vllm", "ollama"])
def test_characters_may_be_cut_anywhere(kind: str, size: int, tmp_path: Path) -> None:
    whole = b"".join(said(kind, "naïve ", "🐈‍⬛ ", "模型").parts)
    cut = [whole[at : at + size] for at in range(0, len(whole), size)]
    with fake(kind, always(Reply(parts=cut))) as backend, engine_on(backend, tmp_path) as engine:
        (answer,) = fold(engine.generate(prompt("Hi")))
    assert answer.text == "naïve 🐈‍⬛ 模型"


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_thoughts_are_told_apart_under_either_name(name: str, tmp_path: Path) -> None:
    parts = sse(chunk(**{name: "Hm. "}), chunk(**{name: "Yes."}), chunk(content="Yes."), chunk("stop"))
    with fake(chat=always(Reply(parts=parts))) as backend, engine_on(backend, tmp_path) as engine:
        (answer,) = fold(engine.generate(prompt("Hi")))
    assert (answer.text, answer.thoughts) == ("Yes.", "Hm. Yes.")


def test_ollamas_thoughts_too(tmp_path: Path) -> None:
    lines = (b'{"message":{"content":"","thinking":"Hm."},"done":false}\n', *NDJSON)
    with fake("ollama", always(Reply(parts=lines))) as backend, engine_on(backend, tmp_path) as engine:
        (answer,) = fold(engine.generate(prompt("Hi")))
    assert (answer.text, answer.thoughts) == ("A red circle.", "Hm.")


@pytest.mark.parametrize(
    "parts",
    [
        HELLO[:-1],
        (b": ping\n\n", *HELLO[:2], b": ping\n\n: ping\n\n", *HELLO[2:]),
        tuple(part.replace(b"\n\n", b"\r\n\r\n") for part in HELLO),
        tuple(part.replace(b"data: ", b"data:") for part in HELLO),
        (b"event: message\nid: 1\nretry: 5\n" + HELLO[0], *HELLO[1:]),
        sse(
            *(json.loads(part[6:]) for part in HELLO[:3]), chunk("stop", {"completion_tokens": 5}), done=False
        ),
    ],
    ids=["no DONE", "pings", "CRLF", "no blank", "other fields", "usage with the finish"],
)
def test_streams_may_be_written_in_other_ways(parts: tuple[bytes, ...], tmp_path: Path) -> None:
    with fake(chat=always(Reply(parts=parts))) as backend, engine_on(backend, tmp_path) as engine:
        (answer,) = fold(engine.generate(prompt("Hi")))
    assert (answer.text, answer.tokens, answer.finish) == ("A red circle.", 5, Finish.STOP)


def test_an_answer_ends_with_done_though_the_connection_stays(tmp_path: Path) -> None:
    over = threading.Event()

    def parts() -> Iterator[bytes]:
        yield from HELLO
        over.wait(HANG_SECONDS)

    with fake(chat=lambda _: Reply(parts=parts())) as backend, engine_on(backend, tmp_path) as engine:
        (answer,) = fold(engine.generate(prompt("Hi")))
        over.set()
    assert answer.text == "A red circle."


def test_without_usage_every_event_counts_as_a_token(tmp_path: Path) -> None:
    parts = sse(chunk(content="a"), chunk(content="b"), chunk("stop"))
    with fake("openai", always(Reply(parts=parts))) as backend, engine_on(backend, tmp_path) as engine:
        (answer,) = fold(engine.generate(prompt("Hi")))
    assert answer.tokens == 2


def test_usage_with_each_event_is_counted_once(tmp_path: Path) -> None:
    parts = sse(
        chunk(usage={"completion_tokens": 3}, content="a"),
        chunk(usage={"completion_tokens": 4}, content="b"),
        chunk("stop", {"completion_tokens": 4}),
        {"choices": [], "usage": {"completion_tokens": 4}},
    )
    with fake(chat=always(Reply(parts=parts))) as backend, engine_on(backend, tmp_path) as engine:
        pieces = [piece for piece in engine.generate(prompt("Hi")) if piece.text]
    assert sum(piece.tokens for piece in pieces) == 4


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_keeps_its_form_whoever_gives_it(kind: str, tmp_path: Path) -> None:
    with fake(kind, always(said(kind, BOXES))) as backend, engine_on(backend, tmp_path) as engine:
        (answer,) = fold(engine.generate(prompt("Hi", output=Output(TextFormat.JSON, SHAPE))))
        assert json.loads(answer.text) == json.loads(BOXES)
        (asked,) = backend.chats()
    body = json.dumps(asked.body)
    assert ("root ::=" in body) == (kind in GRAMMARS)
    assert ('"additionalProperties": false' in body) == (kind not in GRAMMARS)


LOOK = FunctionDeclaration(
    "look",
    "Looks.",
    Schema(
        frozenset({Kind.OBJECT}),
        properties=(Property("n", Schema(kinds=frozenset({Kind.INTEGER})), required=True),),
    ),
)
CALL, BAD_CALL = (f'<call>{{"name":"look","args":{{"n":{n}}}}}</call>' for n in ("2", '"two"'))


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_that_may_call_is_told_how_and_its_calls_are_checked(kind: str, tmp_path: Path) -> None:
    request = replace(prompt("Hi"), functions=(LOOK,))
    chat = once_then(always(said(kind, BAD_CALL)), always(said(kind, CALL[:9], CALL[9:])))
    with fake(kind, chat) as backend, engine_on(backend, tmp_path) as engine:
        (answer,) = fold(engine.generate(request))
        assert (answer.text, answer.calls) == ("", (FunctionCall("look", '{"n": 2}'),))
        assert answer.finish is Finish.STOP
        first, _ = backend.chats()
        body = json.dumps(first.body)
        assert '\\"description\\": \\"Looks.\\"' in body
        assert ("root ::=" in body) == (kind in GRAMMARS)
        backend.routes[chat_path(kind)] = always(said(kind, "No ", "need."))
        (answer,) = fold(engine.generate(request))
        assert (answer.text, answer.calls) == ("No need.", ())
        backend.routes[chat_path(kind)] = always(said(kind, BAD_CALL))
        (answer,) = fold(engine.generate(request))
        assert (answer.text, answer.finish) == ("", Finish.MALFORMED_FUNCTION_CALL)


def test_calls_that_nobody_asked_for_are_nothing(tmp_path: Path) -> None:
    unasked = {"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"name": "rm"}}]}}]}
    reply = Reply(parts=sse(unasked, chunk(content="Hi"), chunk("tool_calls")))
    with fake(chat=always(reply)) as backend, engine_on(backend, tmp_path) as engine:
        (answer,) = fold(engine.generate(prompt("Hi")))
    assert (answer.text, answer.calls, answer.finish) == ("Hi", (), Finish.STOP)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - set(GRAMMARS)))
@pytest.mark.parametrize("text", [BOXES, f"```json\n{BOXES}\n```", f"\n```\n{BOXES}```\n"])
def test_a_server_without_a_grammar_is_asked_once_more(kind: str, text: str, tmp_path: Path) -> None:
    chat = once_then(always(said(kind, "Sure! ", BOXES)), always(said(kind, text)))
    with fake(kind, chat) as backend, engine_on(backend, tmp_path) as engine:
        (answer,) = fold(engine.generate(prompt("Hi", output=Output(TextFormat.JSON, SHAPE))))
        assert answer.text == BOXES
        assert len(backend.chats()) == 2
        backend.routes[chat_path(kind)] = always(said(kind, "I would rather not."))
        with pytest.raises(AnswerMismatch):
            fold(engine.generate(prompt("Hi", output=Output(TextFormat.JSON, SHAPE))))
        with pytest.raises(AnswerMismatch):
            fold(engine.generate(prompt("Hi", output=Output(TextFormat.JSON))))


@pytest.mark.parametrize(("text", "told"), [('"bus"', "bus"), ("bus", "bus"), (" bus\n", "bus")])
def test_an_enums_value_is_bare(text: str, told: str, tmp_path: Path) -> None:
    with fake("lmstudio", always(said("lmstudio", text))) as backend, engine_on(backend, tmp_path) as engine:
        (answer,) = fold(engine.generate(prompt("Hi", output=Output(TextFormat.ENUM, OPTIONS))))
    assert answer.text == told


def test_a_limit_or_a_stop_may_cut_a_form(tmp_path: Path) -> None:
    cut = always(said("openai", '[{"lab', finish="length"))
    with fake("openai", cut) as backend, engine_on(backend, tmp_path) as engine:
        (answer,) = fold(engine.generate(prompt("Hi", output=Output(TextFormat.JSON, SHAPE))))
        assert (answer.text, answer.finish) == ('[{"lab', Finish.MAX_TOKENS)
        backend.routes["/v1/chat/completions"] = always(said("openai", '[{"lab'))
        asked = prompt("Hi", output=Output(TextFormat.JSON, SHAPE), sampling=Sampling(stop_sequences=("el",)))
        (answer,) = fold(engine.generate(asked))
        assert (answer.text, answer.finish) == ('[{"lab', Finish.STOP)


COUNTED = {"vllm": 7, "llama-server": 7}


@pytest.mark.parametrize("kind", KINDS)
def test_prompts_are_counted_before_they_are_asked(kind: str, tmp_path: Path) -> None:
    header = ImageHeader(ImageFormat.PNG, 640, 480)

    def request(*parts: str | ImageHeader) -> PromptHeaders:
        return Request(turns=(Turn(Role.USER, parts),))

    with fake(kind) as backend, engine_on(backend, tmp_path) as engine:
        text = engine.count_tokens(request("What is in this picture?"))
        assert text.text == COUNTED.get(kind, 6 + 8)
        if kind not in COUNTED:
            assert engine.count_tokens(request(header, "What?")).image == 3
        asked = len(backend.asked)
        engine.count_tokens(request("What is in this picture?"))
        engine.count_tokens(request(header, "What?"))
        many = len(backend.asked)
        engine.count_tokens(request(header, "What?"))
        # The same question about another picture of that size is known already.
        assert len(backend.asked) == many
        assert backend.chats() == []
        assert asked >= 1


def test_a_count_that_does_not_come_is_a_guess_where_an_answer_has_to_be_made(tmp_path: Path) -> None:
    headers: PromptHeaders = Request(turns=(Turn(Role.USER, (ImageHeader(ImageFormat.PNG, 640, 480),)),))
    with fake("openai") as backend, engine_on(backend, tmp_path) as engine:
        backend.routes["/v1/chat/completions"] = always(as_json({"usage": None}))
        assert engine.count_tokens(headers).image == 640 * 480 // 784


@pytest.mark.parametrize(("asked", "sent"), [(None, 2048), (10, 10), (65_536, 2048), (0, 1)])
def test_the_answers_limit_is_one_that_the_server_takes(asked: int | None, sent: int, tmp_path: Path) -> None:
    with fake() as backend, engine_on(backend, tmp_path) as engine:
        fold(engine.generate(prompt("Hi", sampling=Sampling(max_output_tokens=asked))))
        assert backend.chats()[0].body["max_tokens"] == sent


def test_a_long_prompt_leaves_less_room_and_is_counted_for_it(tmp_path: Path) -> None:
    with (
        fake(routes={"/tokenize": always(as_json({"count": 4000}))}) as backend,
        engine_on(backend, tmp_path) as engine,
    ):
        fold(engine.generate(prompt("word " * 1000)))
        assert backend.chats()[0].body["max_tokens"] == 96


def test_pictures_are_fitted_so_that_the_server_leaves_them_alone(tmp_path: Path) -> None:
    with fake() as backend, engine_on(backend, tmp_path) as engine:
        pixels = engine.card.pixels
    for resolution in MediaResolution:
        fit = pixels.fit(resolution, 1)
        assert (fit.multiple, fit.min_pixels) == (32, 8 * 32 * 32)
        assert fit.max_pixels % (32 * 32) == 0


def test_a_picture_has_a_name_to_cache_it_by_and_a_header_to_find_it(tmp_path: Path) -> None:
    def keys(asked: Asked) -> tuple[str, str]:
        (part,) = (each for each in asked.body["messages"][0]["content"] if each["type"] == "image_url")
        return part.get("uuid") or part["image_url"]["content_hash"], asked.headers["x-session-id"]

    for kind in ("vllm", "sglang"):
        with fake(kind) as backend, engine_on(backend, tmp_path) as engine:
            fold(engine.generate(prompt(PARK.picture, "What is this?")))
            fold(engine.generate(prompt(PARK.picture, "And now?")))
            first, second = backend.chats()
            assert keys(first) == keys(second)
            assert PARK.picture.digest not in json.dumps(first.body) + first.headers["x-session-id"]
            fold(engine.generate(prompt("No picture")))
            assert "x-session-id" not in backend.chats()[-1].headers


def test_the_affinity_header_is_the_operators(tmp_path: Path) -> None:
    for header in ("x-user-id", ""):
        with fake() as backend, engine_on(backend, tmp_path, affinity_header=header) as engine:
            fold(engine.generate(prompt(PARK.picture, "What is this?")))
            (asked,) = backend.chats()
            assert ("x-user-id" in asked.headers) == bool(header)
            assert "x-session-id" not in asked.headers


def endless(make: Callable[[], bytes]) -> Callable[[Asked], Reply]:
    def parts() -> Iterator[bytes]:
        while True:
            yield make()

    return lambda _: Reply(parts=parts())


def test_an_answer_without_end_is_ended(tmp_path: Path) -> None:
    token = sse(chunk(content="x"), done=False)[0]
    with fake(chat=endless(lambda: token)) as backend, engine_on(backend, tmp_path) as engine:
        (answer,) = fold(engine.generate(prompt("Hi", sampling=Sampling(max_output_tokens=10))))
        assert answer.finish is Finish.MAX_TOKENS
        assert 10 <= answer.tokens < 10_000
        assert backend.hung_up.wait(HANG_SECONDS)


def test_one_token_without_end_is_ended_too(tmp_path: Path) -> None:
    token = sse(chunk(content="x" * 10_000, usage={"completion_tokens": 1}), done=False)[0]
    with fake(chat=endless(lambda: token)) as backend, engine_on(backend, tmp_path) as engine:
        (answer,) = fold(engine.generate(prompt("Hi", sampling=Sampling(max_output_tokens=10))))
        assert answer.finish is Finish.MAX_TOKENS
        assert backend.hung_up.wait(HANG_SECONDS)


@pytest.mark.parametrize("noise", [b": ping\n\n", sse(chunk(), done=False)[0], b"\n"])
def test_who_hangs_up_stops_the_server_whatever_it_says(noise: bytes, tmp_path: Path) -> None:
    with fake(chat=endless(lambda: noise)) as backend, engine_on(backend, tmp_path) as engine:
        stream = engine.generate(prompt("Hi"))
        assert next(stream) == Piece("")
        stream.close()
        assert backend.hung_up.wait(HANG_SECONDS)


def test_connections_are_kept(tmp_path: Path) -> None:
    connections: set[str] = set()

    def chat(asked: Asked) -> Reply:
        connections.add(threading.current_thread().name)  # one a connection
        return Reply(parts=HELLO)

    with fake(chat=chat) as backend, engine_on(backend, tmp_path) as engine:
        assert isinstance(backend, FakeBackend)
        for _ in range(5):
            fold(engine.generate(prompt("Hi")))
    assert len(connections) <= 2  # a check of its health may have one of them
