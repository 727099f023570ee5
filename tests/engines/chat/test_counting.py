"""Counting: every size once, texts as they stand."""

from __future__ import annotations

import json
from collections.abc import Generator
from typing import Any

import pytest

from vidi.domain.errors import Internal, Unavailable
from vidi.domain.prompt import Request, Role, Turn
from vidi.engines.chat.connection import HttpRefusal
from vidi.engines.chat.counting import Size, TokenCounter
from vidi.engines.chat.messages import black_picture

SMALL: Size = (28, 28)
COSTS = {black_picture(*size).uri: cost for size, cost in {SMALL: 6, (56, 56): 18, (112, 28): 11}.items()}


class Process:
    """Counts as llama.cpp does: 10 for the template, one a word, and each picture by its size."""

    def __init__(self, *, reply: bytes | None = None) -> None:
        self.reply = reply
        self.asked: list[Any] = []

    def post(self, path: str, body: bytes) -> Generator[bytes, None, None]:
        assert path == "/v1/chat/completions/input_tokens"
        request = json.loads(body)
        self.asked.append(request)
        parts = [part for message in request["messages"] for part in message["content"]]
        words = sum(len(part["text"].split()) for part in parts if part["type"] == "text")
        pictures = sum(COSTS[part["image_url"]["url"]] for part in parts if part["type"] == "image_url")
        said = json.dumps({"input_tokens": 10 + words + pictures}).encode()
        for byte in self.reply if self.reply is not None else said:
            yield b""
            yield bytes([byte])


def ask(*parts: str | Size) -> Request[Size]:
    return Request(turns=(Turn(Role.USER, parts),))


def test_texts_and_pictures_are_told_apart_and_add_up() -> None:
    counter = TokenCounter(Process().post, SMALL)
    count = counter.count(ask((56, 56), "what differs here", (112, 28), SMALL), {})
    assert (count.image, count.text) == (18 + 11 + 6, 10 + 3)


def test_each_size_is_counted_once_and_then_a_prompt_takes_one_question() -> None:
    process = Process()
    counter = TokenCounter(process.post, SMALL)
    counter.count(ask((56, 56), "x"), {})
    process.asked.clear()
    assert counter.count(ask((56, 56), (56, 56), "x y"), {"enable": True}).total == 10 + 36 + 2
    (request,) = process.asked
    assert request["chat_template_kwargs"] == {"enable": True}
    # No pixel of the caller's goes there.
    assert json.dumps(request).count(black_picture(*SMALL).uri) == 2


def test_without_pictures_one_question_is_enough() -> None:
    process = Process()
    assert TokenCounter(process.post, SMALL).count(ask("a b c"), {}).total == 13
    assert len(process.asked) == 1


def test_lone_surrogates_do_not_break_it() -> None:
    assert TokenCounter(Process().post, SMALL).count(ask("a \ud83d b"), {}).total == 13


@pytest.mark.parametrize("said", [b"{}", b"[]", b'{"input_tokens": "7"}', b"null"])
def test_an_answer_without_a_number_is_unavailable(said: bytes) -> None:
    with pytest.raises(Unavailable, match="does not count"):
        TokenCounter(Process(reply=said).post, SMALL).count(ask("a"), {})


def test_a_refusal_is_told() -> None:
    def refuse(path: str, body: bytes) -> Generator[bytes, None, None]:
        yield b""
        raise HttpRefusal(500, b'{"error":{"message":"bad template"}}')

    with pytest.raises(Internal, match="bad template"):
        TokenCounter(refuse, SMALL).count(ask("a"), {})
