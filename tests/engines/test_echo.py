"""The echo: what it says, and how it can be steered."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from vidi.domain.answer import Answer, Finish, FunctionCall, fold
from vidi.domain.errors import InvalidRequest, Unavailable
from vidi.domain.geometry import Placement
from vidi.domain.prompt import (
    FunctionDeclaration,
    FunctionResponse,
    Output,
    Picture,
    Prompt,
    Request,
    Role,
    Sampling,
    TextFormat,
    Turn,
)
from vidi.domain.schema import Kind, Property, Schema
from vidi.engines.base import EngineContext
from vidi.engines.echo import Echo, open_engine
from vidi.engines.validation import validate

PLAIN, FREE = Output(), Sampling()
PICTURE = Picture(2, 1, bytes(6), Placement(640, 480, 0, 0, 2, 1), digest="d")


@pytest.fixture
def echo(tmp_path: Path) -> Echo:
    return open_engine(EngineContext(tmp_path, threads=1, progress=lambda step, done, total: None))


def prompt(*parts: str | Picture, output: Output = PLAIN, sampling: Sampling = FREE) -> Prompt:
    return Request(turns=(Turn(Role.USER, parts),), output=output, sampling=sampling)


def answer(echo: Echo, asked: Prompt) -> Answer:
    (whole,) = fold(echo.generate(asked))
    return whole


def test_it_says_what_it_got(echo: Echo) -> None:
    assert answer(echo, prompt(PICTURE, "Caption this image.")).text == (
        "Echo: 1 image (640x480), text: Caption this image."
    )


def test_it_counts_pictures_of_one_size_together(echo: Echo) -> None:
    assert "3 images (3 of 640x480)" in answer(echo, prompt(*[PICTURE] * 3)).text
    assert answer(echo, prompt("hi")).text == "Echo: 0 images, text: hi"


def test_it_streams_word_by_word(echo: Echo) -> None:
    pieces = [piece.text for piece in echo.generate(prompt("a  b\nc"))]
    assert pieces == ["Echo: ", "0 ", "images, ", "text: ", "a ", " b\n", "c"]


def test_it_gives_the_same_facts_as_json(echo: Echo) -> None:
    told = answer(echo, prompt(PICTURE, "ä", output=Output(TextFormat.JSON)))
    assert json.loads(told.text) == {"images": [{"width": 640, "height": 480}], "text": "ä"}


def test_it_fills_a_schema(echo: Echo) -> None:
    schema = Schema(kinds=frozenset({Kind.ARRAY}), items=Schema(kinds=frozenset({Kind.INTEGER})), min_items=2)
    told = answer(echo, prompt("x", output=Output(TextFormat.JSON, schema)))
    validate(told.text, schema)


def test_an_enum_is_answered_bare(echo: Echo) -> None:
    schema = Schema(kinds=frozenset({Kind.STRING}), enum=("dog", "cat"))
    assert answer(echo, prompt("x", output=Output(TextFormat.ENUM, schema))).text == "dog"


def test_a_contradictory_schema_is_refused(echo: Echo) -> None:
    with pytest.raises(InvalidRequest):
        answer(echo, prompt("x", output=Output(TextFormat.JSON, Schema(enum=()))))


@pytest.mark.parametrize("order", ["echo words=50", "repeat 50 words"])
def test_it_can_be_made_to_go_on(echo: Echo, order: str) -> None:
    words = answer(echo, prompt(order)).text.split()
    assert (len(words), words[0], words[-1]) == (50, "word1", "word50")


def test_it_can_be_made_slow(echo: Echo, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("vidi.engines.echo.time.sleep", slept.append)
    answer(echo, prompt("echo words=3 sleep=0.02"))
    assert slept == [0.02] * 3


def test_it_can_be_made_to_fail_midway(echo: Echo) -> None:
    stream = echo.generate(prompt("echo words=10 fail=midway"))
    heard: list[str] = []
    with pytest.raises(Unavailable):
        heard.extend(piece.text for piece in stream)
    assert len(heard) <= 3


def test_limits_hold(echo: Echo) -> None:
    cut = answer(echo, prompt("echo words=10", sampling=Sampling(max_output_tokens=2)))
    assert (cut.text, cut.finish, cut.tokens) == ("word1 wo", Finish.MAX_TOKENS, 2)
    stopped = answer(echo, prompt("echo words=10", sampling=Sampling(stop_sequences=("word3",))))
    assert (stopped.text, stopped.finish) == ("word1 word2 ", Finish.STOP)


LOOK = FunctionDeclaration(
    "look",
    "",
    Schema(
        frozenset({Kind.OBJECT}),
        properties=(Property("at", Schema(kinds=frozenset({Kind.INTEGER}), minimum=2), required=True),),
    ),
)


@pytest.mark.parametrize(
    ("text", "args"),
    [
        ('call=look {"at": 3}', ['{"at": 3}']),
        ("call=look", ['{"at": 2}']),
        ('call=look {"at": 1}', ['{"at": 2}']),
        ("call=look {", ['{"at": 2}']),
        ('call=look {"at": 3} call=look {"at": 4}', ['{"at": 3}', '{"at": 4}']),
        ('call=gaze {"at": 3}', []),
        ("look", []),
    ],
)
def test_it_calls_what_it_is_told_to(echo: Echo, text: str, args: list[str]) -> None:
    told = answer(echo, replace(prompt(text), functions=(LOOK,)))
    assert told.calls == tuple(FunctionCall("look", each) for each in args)
    assert told.finish is Finish.STOP
    assert bool(told.text) is not bool(args)
    assert told.tokens > 0


def test_it_calls_nothing_that_is_not_declared_and_nothing_over_the_limit(echo: Echo) -> None:
    assert answer(echo, prompt("call=look")).calls == ()
    short = replace(prompt("call=look", sampling=Sampling(max_output_tokens=1)), functions=(LOOK,))
    assert (answer(echo, short).calls, answer(echo, short).finish) == ((), Finish.MAX_TOKENS)


def test_it_says_what_a_function_gave(echo: Echo) -> None:
    turns: tuple[Turn[Picture], ...] = (
        Turn(Role.USER, ("call=look",)),
        Turn(Role.MODEL, (FunctionCall("look", "{}"),)),
        Turn(Role.USER, (FunctionResponse("look", '{"seen": 1}'), PICTURE)),
    )
    asked: Prompt = Request(turns=turns, functions=(LOOK,))
    assert answer(echo, asked).text == 'Echo: 1 image (640x480), text: look gave {"seen": 1}'


def test_a_function_that_cannot_be_called_is_refused(echo: Echo) -> None:
    bad = replace(LOOK, parameters=replace(LOOK.parameters, properties=(Property("at", IMPOSSIBLE, True),)))
    with pytest.raises(InvalidRequest, match="schema of a function's arguments"):
        answer(echo, replace(prompt("call=look"), functions=(bad,)))


IMPOSSIBLE = Schema(kinds=frozenset({Kind.INTEGER}), minimum=2, maximum=1)
