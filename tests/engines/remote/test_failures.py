"""What a caller is told when a backend fails: never its words, never a hang, one retry at most."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.engine_suite import prompt
from tests.engines.lite.fakes import PARK
from tests.engines.remote.fake import (
    HELLO,
    KINDS,
    Reply,
    Route,
    always,
    as_json,
    chat_path,
    chunk,
    engine_on,
    fake,
    once_then,
    sse,
)
from tests.waiting import HANG_SECONDS, until
from vidi.domain.answer import fold
from vidi.domain.errors import Internal, InvalidImage, InvalidRequest, Unavailable, VidiError
from vidi.engines.chat.response import BackendFailure

LEAK = "/srv/models/secret/qwen.safetensors"
TOO_LONG = r"The input token count \(5000\) exceeds the maximum number of tokens allowed \(4096\)\."


def nested(message: str, kind: str = "BadRequestError", code: int = 400, **more: Any) -> Reply:
    return as_json({"error": {"message": message, "type": kind, "code": code, **more}}, code)


def flat(message: str, code: int = 400) -> Reply:
    return as_json({"object": "error", "message": message, "type": "BadRequest", "code": code}, code)


TABLE: list[tuple[str, Reply, type[VidiError], str]] = [
    (
        "llama-server",
        nested("too long", "exceed_context_size_error", n_prompt_tokens=5000, n_ctx=4096),
        InvalidRequest,
        TOO_LONG,
    ),
    (
        "vllm",
        nested(
            "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens in the "
            "messages, Please reduce the length of the messages."
        ),
        InvalidRequest,
        TOO_LONG,
    ),
    (
        "sglang",
        flat("The input (5000 tokens) is longer than the model's context length (4096 tokens)."),
        InvalidRequest,
        TOO_LONG,
    ),
    (
        "ollama",
        as_json({"error": "input length exceeds the context length"}, 400),
        InvalidRequest,
        r"The input token count exceeds the maximum number of tokens allowed \(4096\)\.",
    ),
    ("llama-server", nested(f"Failed to load image or audio file {LEAK}"), InvalidImage, "Unable to process"),
    ("vllm", nested(f"Failed to load image: {LEAK} is truncated"), InvalidImage, "Unable to process"),
    ("vllm", nested(f"Failed to apply Qwen3VLProcessor on data={LEAK}"), InvalidImage, "Unable to process"),
    (
        "vllm",
        nested("At most 8 image(s) may be provided in one prompt."),
        InvalidRequest,
        "at most 8 pictures",
    ),
    ("ollama", as_json({"error": "invalid image input"}, 400), InvalidImage, "Unable to process"),
    ("vllm", as_json({"error": "Unauthorized"}, 401), Internal, "refuses this server"),
    ("vllm", as_json({"detail": LEAK}, 403), Internal, "refuses this server"),
    (
        "vllm",
        nested("The model does not exist", "NotFoundError", 404),
        Unavailable,
        "does not offer this model",
    ),
    ("openai", as_json({"detail": "Not Found"}, 404), Unavailable, "does not offer this model"),
    ("vllm", nested(f"unknown field in {LEAK}"), Internal, "refused this request"),
    ("openai", as_json({"detail": [{"loc": LEAK}]}, 422), Internal, "refused this request"),
    ("vllm", nested("queue is full", "ServiceUnavailable", 503), Unavailable, "busy or still loading"),
    (
        "ollama",
        as_json({"error": "server busy"}, 503),
        Unavailable,
        "busy or still loading",
    ),
    ("sglang", flat("too many requests", 429), Unavailable, "busy or still loading"),
    ("vllm", nested(f"EngineCore died in {LEAK}", "InternalServerError", 500), BackendFailure, "failed over"),
    ("openai", Reply(500, (b"Internal Server Error",)), BackendFailure, "failed over"),
    ("openai", Reply(502, (b"<html>" + LEAK.encode(),)), BackendFailure, "failed over"),
    ("openai", Reply(307, (), (("location", "http://127.0.0.1:1/"),)), Internal, "refuses this server"),
    ("openai", Reply(400, (b"[" * 100_000,)), Internal, "refused this request"),
]


@pytest.mark.parametrize(("kind", "reply", "error", "says"), TABLE)
def test_a_refusal_is_told_in_googles_terms(
    kind: str, reply: Reply, error: type[VidiError], says: str, tmp_path: Path
) -> None:
    with fake(kind, always(reply)) as backend, engine_on(backend, tmp_path) as engine:
        with pytest.raises(error, match=says) as told:
            fold(engine.generate(prompt(PARK.picture, "What is this?")))
        assert LEAK not in told.value.message
        # Only what may pass by itself is tried again, and once.
        assert len(backend.chats()) == (2 if error is BackendFailure else 1)
    assert (told.value.retry_after is not None) == isinstance(told.value, Unavailable)


@pytest.mark.parametrize("kind", KINDS)
def test_one_failure_before_the_first_word_is_not_heard_of(kind: str, tmp_path: Path) -> None:
    with fake(kind) as backend, engine_on(backend, tmp_path) as engine:
        path = chat_path(kind)
        backend.routes[path] = once_then(always(Reply(500, (b"drift",))), backend.routes[path])
        (answer,) = fold(engine.generate(prompt("Hi")))
        assert answer.text == "A red circle."
        first, second = backend.chats()
        assert first.body == second.body


def test_the_refused_key_is_told_to_the_operator(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with fake(chat=always(Reply(401))) as backend, engine_on(backend, tmp_path, key="wrong") as engine:
        with pytest.raises(Internal):
            fold(engine.generate(prompt("Hi")))
        number = backend.chats()[0].headers["x-request-id"]
    assert "refuses the key" in caplog.text
    assert number in caplog.text
    assert "wrong" not in caplog.text


def hanging(*parts: bytes) -> tuple[Route, threading.Event]:
    """Says something, and then nothing until it is let go."""
    go = threading.Event()

    def say() -> Iterator[bytes]:
        yield from parts
        go.wait(HANG_SECONDS)

    return lambda _: Reply(parts=say(), hang_up=True), go


BROKEN: dict[str, Reply] = {
    "hangs up in its head": Reply(hang_up=True),
    "half a reply": Reply(parts=HELLO[:2], hang_up=True),
    "half an event": Reply(parts=(*HELLO[:2], b'data: {"choi'), hang_up=True),
    "half a reply that looks whole": Reply(parts=HELLO[:2]),
    "nothing": Reply(),
    "garbage": Reply(parts=(b"\x00\xff" * 100 + b"\n", b"data: \xff\xfe\n\n")),
    "no object": Reply(parts=(b"data: 7\n\ndata: []\n\n",)),
    "deep": Reply(parts=(b"data: " + b"[" * 100_000 + b"\n\n",)),
    "a page": Reply(parts=(b"<html>hello</html>\n",)),
    "an error": Reply(parts=sse({"error": {"message": LEAK, "code": 500}})),
    "abort": Reply(parts=sse(chunk(content=""), chunk("abort"))),
    "error": Reply(parts=sse(chunk("error"))),
}


@pytest.mark.parametrize("reply", BROKEN.values(), ids=BROKEN)
def test_a_broken_answer_is_asked_for_once_more_while_nothing_was_said(reply: Reply, tmp_path: Path) -> None:
    with fake(chat=always(reply)) as backend, engine_on(backend, tmp_path) as engine:
        pieces = engine.generate(prompt("Hi"))
        said: list[str] = []
        with pytest.raises(Unavailable) as told:
            said.extend(piece.text for piece in pieces)
        assert LEAK not in told.value.message
        assert told.value.retry_after
        assert len(backend.chats()) == (1 if "".join(said) else 2)
        backend.routes["/v1/chat/completions"] = always(Reply(parts=HELLO))
        assert fold(engine.generate(prompt("Hi")))[0].text == "A red circle."


def test_a_line_without_end_is_given_up(tmp_path: Path) -> None:
    def parts() -> Iterator[bytes]:
        while True:
            yield b"x" * 50_000

    with (
        fake(chat=lambda _: Reply(parts=parts())) as backend,
        engine_on(backend, tmp_path) as engine,
        pytest.raises(Unavailable, match="no answer"),
    ):
        fold(engine.generate(prompt("Hi")))


def test_a_refusal_without_end_is_cut(tmp_path: Path) -> None:
    def parts() -> Iterator[bytes]:
        while True:
            yield b"x" * 50_000

    with fake(chat=lambda _: Reply(400, parts())) as backend, engine_on(backend, tmp_path) as engine:
        with pytest.raises(Internal):
            fold(engine.generate(prompt("Hi")))
        assert backend.hung_up.wait(HANG_SECONDS)


def test_who_hangs_up_while_the_server_is_silent_stops_it(tmp_path: Path) -> None:
    for parts in ((), HELLO[:2]):
        chat, go = hanging(*parts)
        with fake(chat=chat) as backend, engine_on(backend, tmp_path) as engine:
            stream = engine.generate(prompt("Hi"))
            for _ in range(3):
                next(stream)
            stream.close()
            go.set()


@pytest.mark.parametrize("words", [0, 2])
def test_a_frozen_server_is_given_up(words: int, tmp_path: Path) -> None:
    chat, go = hanging(*HELLO[:words])
    with fake(chat=chat) as backend, engine_on(backend, tmp_path) as engine:
        backend.routes["/health"] = chat
        with pytest.raises(Unavailable, match="was lost"):
            fold(engine.generate(prompt("Hi")))
        assert "does not answer" in engine.problem()
        go.set()
        backend.routes["/health"] = always(Reply())
        until(lambda: not engine.away())


def test_a_slow_server_is_waited_for(tmp_path: Path) -> None:
    chat, go = hanging(*HELLO)
    with fake(chat=chat) as backend, engine_on(backend, tmp_path) as engine:
        beats = 0
        text = ""
        for piece in engine.generate(prompt("Hi")):
            beats += not piece.text
            text += piece.text
            if beats == 5:
                go.set()
    assert text == "A red circle."


def test_a_server_that_is_loading_is_said_to_be(tmp_path: Path) -> None:
    loading = nested("Loading model", "unavailable_error", 503)
    with fake("llama-server") as backend, engine_on(backend, tmp_path) as engine:
        assert engine.problem() == ""
        backend.routes["/health"] = always(loading)
        until(engine.away)
        assert "503" in engine.problem()
        assert str(backend.port) in engine.problem()


def test_the_log_has_the_servers_words(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    with (
        fake(chat=always(nested(f"bad field {LEAK}"))) as backend,
        engine_on(backend, tmp_path) as engine,
        pytest.raises(Internal),
    ):
        fold(engine.generate(prompt("Hi")))
    assert LEAK in caplog.text
