"""Answers that must have a form: streamed, kept back, asked for again, refused."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

import pytest

from vidi.domain.answer import Finish, Piece, fold
from vidi.domain.prompt import Output, TextFormat
from vidi.domain.schema import Kind, Property, Schema
from vidi.engines.validation import AnswerMismatch, validated

NUMBER = Output(TextFormat.JSON, Schema(kinds=frozenset({Kind.INTEGER})))
CODE = Schema(kinds=frozenset({Kind.STRING}), pattern="^[A-Z]{3}$")
PATTERN = Output(TextFormat.JSON, CODE)
LONG = Output(TextFormat.JSON, replace(CODE, pattern="^[A-Z]+$", max_length=3))
DEEP = Output(
    TextFormat.JSON,
    Schema(
        kinds=frozenset({Kind.ARRAY}),
        items=Schema(kinds=frozenset({Kind.OBJECT}), properties=(Property("code", CODE, required=True),)),
    ),
)


class Engine:
    """Gives one answer after another, a character at a time."""

    def __init__(self, *answers: str, finish: Finish = Finish.STOP) -> None:
        self.answers = list(answers)
        self.finish = finish
        self.closed = 0

    def answer(self) -> Generator[Piece, None, None]:
        try:
            yield Piece("hm", tokens=1, thought=True)
            for character in self.answers.pop(0):
                yield Piece(character, tokens=1)
            yield Piece("", finish=self.finish)
        finally:
            self.closed += 1


def test_without_a_form_anything_passes() -> None:
    (answer,) = fold(validated(Engine("no {json").answer, Output()))
    assert answer.text == "no {json"


def test_what_a_grammar_holds_streams_as_it_is_made() -> None:
    pieces = validated(Engine("123").answer, NUMBER)
    assert [next(pieces).text for _ in range(3)] == ["hm", "1", "2"]


def test_its_last_piece_comes_only_if_the_whole_has_the_form() -> None:
    pieces = validated(Engine("1x").answer, NUMBER)
    assert [next(pieces).finish for _ in range(3)] == [None] * 3
    with pytest.raises(AnswerMismatch):
        next(pieces)


@pytest.mark.parametrize(
    ("output", "good", "bad"),
    [
        (PATTERN, '"ABC"', '"abc"'),
        (LONG, '"ABC"', '"ABCD"'),
        (DEEP, '[{"code":"ABC"}]', '[{"code":"x"}]'),
    ],
)
def test_what_only_the_end_shows_is_kept_back_and_asked_for_once_more(
    output: Output, good: str, bad: str
) -> None:
    engine = Engine(bad, good)
    pieces = list(validated(engine.answer, output))
    (answer,) = fold(pieces)
    assert (answer.text, answer.finish) == (good, Finish.STOP)
    # Nothing of the first answer, nor its tokens; empty pieces while the reader waits.
    assert (answer.tokens, answer.thought_tokens) == (len(good), 1)
    assert Piece("") in pieces[: len(bad)]
    assert engine.closed == 2


def test_twice_wrong_is_an_error() -> None:
    engine = Engine('"a"', '"b"', '"ABC"')
    with pytest.raises(AnswerMismatch):
        list(validated(engine.answer, PATTERN))
    assert engine.answers == ['"ABC"']


def test_an_engine_without_grammars_is_always_kept_back() -> None:
    engine = Engine("x", "12")
    (answer,) = fold(validated(engine.answer, NUMBER, hold_back=True))
    assert answer.text == "12"


@pytest.mark.parametrize("output", [NUMBER, PATTERN])
def test_what_a_limit_cut_short_is_passed_on_as_such(output: Output) -> None:
    (answer,) = fold(validated(Engine('"AB', finish=Finish.MAX_TOKENS).answer, output))
    assert (answer.text, answer.finish) == ('"AB', Finish.MAX_TOKENS)


@pytest.mark.parametrize("output", [Output(), NUMBER, PATTERN])
def test_closing_it_closes_the_engines_answer(output: Output) -> None:
    engine = Engine("123")
    pieces = validated(engine.answer, output)
    next(pieces)
    pieces.close()
    assert engine.closed == 1
