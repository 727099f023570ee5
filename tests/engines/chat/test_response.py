"""llama.cpp's events as pieces."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidi.domain.answer import Finish, Piece
from vidi.domain.errors import Internal, InvalidRequest, Unavailable, VidiError
from vidi.engines.chat.connection import Endpoint, HttpRefusal, Post, post
from vidi.engines.chat.response import EventStream, ResponseReader, error_of, merge_pieces, stream_answer


def event(*, tokens: int, finish: str | None = None, **delta: str) -> dict[str, Any]:
    """One event as llama.cpp sends it: `tokens` counts from the answer's beginning."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"choices": [choice], "timings": {"predicted_n": tokens, "cache_n": 4}}


USAGE = {"choices": [], "usage": {"prompt_tokens": 17, "completion_tokens": 3}}
STREAM = [
    event(tokens=1, reasoning_content="hm"),
    event(tokens=2, content="a "),
    event(tokens=4, content="naïve 🐈"),
    event(tokens=4, finish="stop"),
    USAGE,
]


def wire(messages: list[dict[str, Any]]) -> bytes:
    lines = [b"data: " + json.dumps(each, ensure_ascii=False).encode() + b"\n\n" for each in messages]
    return b"".join(lines) + b"data: [DONE]\n\n"


def pieces_of(reply: ResponseReader, messages: list[Any]) -> list[Piece]:
    return [piece for message in messages for piece in reply.take(message)]


@given(st.lists(st.integers(1, 600)))
def test_portions_do_not_matter(cuts: list[int]) -> None:
    data, events, at = wire(STREAM), EventStream(), 0
    got: list[Any] = []
    for cut in cuts:
        got += events.feed(data[at : at + cut])
        at += cut
    got += events.feed(data[at:])
    assert got == STREAM


def test_an_error_in_mid_stream_is_an_event() -> None:
    said = b'{"code":500,"message":"boom"}\n\n'
    for head in (b"error: ", b'data: {"error":'):
        data = head + (said if head == b"error: " else said.strip() + b"}\n\n")
        (message,) = EventStream().feed(data)
        with pytest.raises(Unavailable, match=r"failed over this request: boom\. Please try again"):
            list(ResponseReader().take(message))


def test_tokens_are_counted_once_thoughts_are_told_apart_and_the_prompt_is_known() -> None:
    reply = ResponseReader()
    assert pieces_of(reply, STREAM) == [
        Piece("hm", tokens=1, thought=True),
        Piece("a ", tokens=1),
        Piece("naïve 🐈", tokens=2),
    ]
    assert reply.ending() == (Piece("", finish=Finish.STOP),)
    assert (reply.prompt_tokens, reply.cached_tokens) == (17, 4)


def test_tokens_without_text_are_counted_too() -> None:
    assert pieces_of(ResponseReader(), [event(tokens=2), event(tokens=3, content="x")]) == [
        Piece("", tokens=2),
        Piece("x", tokens=1),
    ]


def test_pieces_that_came_together_are_few_and_thoughts_stay_apart() -> None:
    pieces = [
        Piece("hm", tokens=1, thought=True),
        Piece("...", tokens=2, thought=True),
        Piece("", tokens=1),
        Piece("yes", tokens=1),
    ]
    assert list(merge_pieces(pieces)) == [Piece("hm...", tokens=3, thought=True), Piece("yes", tokens=2)]
    assert list(merge_pieces([])) == []


@pytest.mark.parametrize(
    ("reason", "finish"), [("stop", Finish.STOP), ("length", Finish.MAX_TOKENS), ("new", Finish.OTHER)]
)
def test_finishes_have_the_apis_names(reason: str, finish: Finish) -> None:
    reply = ResponseReader()
    pieces_of(reply, [event(tokens=1, finish=reason)])
    assert reply.ending()[-1].finish is finish


def test_an_answer_without_an_end_is_not_passed_off_as_whole() -> None:
    reply = ResponseReader()
    pieces_of(reply, STREAM[:3])
    with pytest.raises(Unavailable, match="in the middle"):
        reply.ending()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda below: st.lists(below) | st.dictionaries(st.sampled_from(["choices", "delta", "usage"]), below),
)


@given(JSON)
def test_any_other_message_says_nothing_and_breaks_nothing(message: Any) -> None:
    assert all(isinstance(piece, Piece) for piece in ResponseReader().take(message))


@pytest.mark.parametrize(
    ("error", "kind", "told"),
    [
        (
            {"type": "exceed_context_size_error", "n_prompt_tokens": 900, "n_ctx": 512},
            InvalidRequest,
            "takes 900 tokens.*at most 512",
        ),
        ({"type": "unavailable_error"}, Unavailable, "still loading"),
        ({"message": "no such thing"}, Internal, "no such thing"),
    ],
)
def test_refusals_say_what_to_do(error: object, kind: type[VidiError], told: str) -> None:
    with pytest.raises(kind, match=told):
        raise error_of(HttpRefusal(400, json.dumps({"error": error}).encode()))


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"error": 3}', b"\xff"])
@pytest.mark.parametrize(("status", "kind"), [(400, Internal), (500, Unavailable)])
def test_a_refusal_that_says_nothing_is_one_all_the_same(
    body: bytes, status: int, kind: type[VidiError]
) -> None:
    assert isinstance(error_of(HttpRefusal(status, body)), kind)


BROKEN = {"code": 500, "message": "Unexpected empty grammar stack", "type": "server_error"}
FAILS = (500, json.dumps({"error": BROKEN}).encode())
FAILS_IN_THE_STREAM = (200, wire([{"error": BROKEN}]))
FAILS_MIDWAY = (200, wire([*STREAM[:2], {"error": BROKEN}]))
ANSWERS = (200, wire(STREAM))


class Backend:
    """A chat server that answers each request as it is told to; `asked` has what it was sent."""

    def __init__(self, *answers: tuple[int, bytes]) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, bytes]] = []

    def do_post(self, handler: BaseHTTPRequestHandler) -> None:
        self.asked.append((handler.path, handler.rfile.read(int(handler.headers["Content-Length"]))))
        status, body = self.answers.pop(0)
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def answer(self) -> list[Piece]:
        """The pieces that a caller gets."""
        names = {"do_POST": lambda handler: self.do_post(handler), "log_message": lambda *said: None}
        handler = type("Handler", (BaseHTTPRequestHandler,), names)
        with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            try:
                pieces = list(stream_answer(self._way(server.server_port), b"{}"))
            finally:
                server.shutdown()
                thread.join()
        return [piece for piece in pieces if piece != Piece("")]

    @staticmethod
    def _way(port: int) -> Post:
        return lambda path, body: post(Endpoint("127.0.0.1", port, "key"), path, body)


@pytest.mark.parametrize("failure", [FAILS, FAILS_IN_THE_STREAM])
def test_a_backend_that_fails_before_it_says_anything_is_asked_once_more(failure: tuple[int, bytes]) -> None:
    backend = Backend(failure, ANSWERS)
    assert "".join(piece.text for piece in backend.answer()) == "hma naïve 🐈"
    assert backend.asked == [("/v1/chat/completions", b"{}")] * 2


@pytest.mark.parametrize("failure", [FAILS, FAILS_IN_THE_STREAM])
def test_a_backend_that_fails_twice_is_unavailable_for_a_moment(failure: tuple[int, bytes]) -> None:
    backend = Backend(failure, failure, ANSWERS)
    with pytest.raises(Unavailable, match=r"Unexpected empty grammar stack.*try again") as caught:
        backend.answer()
    assert caught.value.retry_after == 1.0
    assert len(backend.asked) == 2


def test_a_backend_that_fails_in_the_middle_is_not_asked_again() -> None:
    backend = Backend(FAILS_MIDWAY, ANSWERS)
    with pytest.raises(Unavailable, match="try again"):
        backend.answer()
    assert len(backend.asked) == 1


def test_a_request_that_is_refused_is_not_repeated() -> None:
    backend = Backend((400, b'{"error": {"code": 400, "message": "no such thing"}}'), ANSWERS)
    with pytest.raises(Internal, match="no such thing"):
        backend.answer()
    assert len(backend.asked) == 1
