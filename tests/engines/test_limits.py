"""Output limits: what passes, what it costs, why it ends."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidi.domain.answer import Finish, fold
from vidi.domain.errors import InvalidRequest
from vidi.domain.prompt import (
    ImageFormat,
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
from vidi.domain.schema import Kind, Schema
from vidi.engines.base import Engine, ModelCard
from vidi.engines.limits import TextEngine, bounded, estimate_tokens, tokens_in


def expected(text: str, room: int, stops: tuple[str, ...]) -> tuple[str, Finish]:
    """The rule of `bounded`, said in one line each."""
    fitting = text[:room]
    found = [(fitting.find(stop) + len(stop), fitting.find(stop)) for stop in stops if stop in fitting]
    if found:
        return fitting[: min(found)[1]], Finish.STOP
    return fitting, Finish.MAX_TOKENS if len(text) > room else Finish.STOP


@given(
    texts=st.lists(st.text("ab ", max_size=5), max_size=12),
    stops=st.lists(st.text("ab ", min_size=1, max_size=4), max_size=5).map(tuple),
    tokens=st.none() | st.integers(1, 10),
)
def test_the_pieces_are_what_the_rule_says_however_the_text_is_cut(
    texts: list[str], stops: tuple[str, ...], tokens: int | None
) -> None:
    sampling = Sampling(max_output_tokens=tokens, stop_sequences=stops)
    pieces = list(bounded(texts, sampling, limit=8))
    text, finish = expected("".join(texts), min(8, tokens or 8) * 4, stops)
    (answer,) = fold(pieces)
    assert (answer.text, answer.finish, answer.tokens) == (text, finish, tokens_in(text))
    assert [piece.finish for piece in pieces[:-1]] == [None] * (len(pieces) - 1)


def test_a_stop_sequence_that_straddles_texts_is_not_let_through_in_part() -> None:
    pieces = list(bounded(["one E", "N", "D two"], Sampling(stop_sequences=("END",)), limit=100))
    assert [(piece.text, piece.finish) for piece in pieces] == [("one ", Finish.STOP)]


def test_a_beginning_of_a_stop_sequence_that_comes_to_nothing_is_let_through() -> None:
    pieces = list(bounded(["one E", "N", "d two"], Sampling(stop_sequences=("END",)), limit=100))
    assert "".join(piece.text for piece in pieces) == "one ENd two"


@pytest.mark.parametrize("texts", [["a ", "b"], ["a b"]])
def test_of_two_stop_sequences_the_one_that_is_complete_first_counts(texts: list[str]) -> None:
    (answer,) = fold(bounded(texts, Sampling(stop_sequences=(" ", "a b")), limit=100))
    assert answer.text == "a"


def test_an_empty_stop_sequence_stops_nothing() -> None:
    (answer,) = fold(bounded(["one"], Sampling(stop_sequences=("",)), limit=100))
    assert answer.text == "one"


def test_an_answer_of_exactly_the_limit_ends_by_itself() -> None:
    (answer,) = fold(bounded(["abcd", "efgh"], Sampling(max_output_tokens=2), limit=100))
    assert (answer.text, answer.finish) == ("abcdefgh", Finish.STOP)


@pytest.mark.parametrize("ends", ["closed", "stopped", "cut"])
def test_the_source_is_closed_whatever_ends_the_stream(ends: str) -> None:
    closed: list[bool] = []

    def source() -> Generator[str, None, None]:
        try:
            while True:
                yield "word "
        finally:
            closed.append(True)

    stops = ("d w",) if ends == "stopped" else ()
    stream = bounded(source(), Sampling(stop_sequences=stops, max_output_tokens=3), limit=100)
    if ends == "closed":
        next(stream)
        stream.close()
    else:
        list(stream)
    assert closed == [True]


def test_a_prompt_costs_four_characters_a_token_and_a_fixed_price_a_picture() -> None:
    header = ImageHeader(ImageFormat.PNG, 4000, 3000)
    headers: PromptHeaders = Request(turns=(Turn(Role.USER, (header, "12345", header)),), system="123")
    cost = estimate_tokens(headers)
    assert (cost.text, cost.image, cost.total) == (3, 516, 519)


CARD = ModelCard(id="spell", display_name="Spell", description="Spells.", output_token_limit=2)


HELLO: Prompt = Request(turns=(Turn(Role.USER, ("hello",)),))


def test_a_text_engine_says_what_its_function_says_within_the_limits() -> None:
    engine: Engine = TextEngine(CARD, lambda prompt: ["".join(prompt.texts()), " world", " and more"])
    (cut,) = fold(engine.generate(HELLO))
    assert (cut.text, cut.finish, cut.tokens) == ("hello wo", Finish.MAX_TOKENS, 2)
    (stopped,) = fold(engine.generate(replace(HELLO, sampling=Sampling(stop_sequences=("lo",)))))
    assert (stopped.text, stopped.finish) == ("hel", Finish.STOP)
    headers: PromptHeaders = Request(turns=(Turn(Role.USER, ("hello",)),))
    assert engine.count_tokens(headers) == estimate_tokens(headers)


@pytest.mark.parametrize("output", [Output(TextFormat.JSON), Output(schema=Schema(frozenset({Kind.STRING})))])
def test_a_text_engine_refuses_what_is_no_plain_text(output: Output) -> None:
    with pytest.raises(InvalidRequest, match="spell answers in plain text only"):
        list(TextEngine(CARD, lambda prompt: ["{"]).generate(replace(HELLO, output=output)))


def test_a_closed_stream_of_a_text_engine_closes_its_function() -> None:
    ended = []

    def answer(prompt: Prompt) -> Generator[str, None, None]:
        try:
            while True:
                yield "a"
        finally:
            ended.append(True)

    stream = TextEngine(CARD, answer).generate(HELLO)
    next(stream)
    stream.close()
    assert ended == [True]
