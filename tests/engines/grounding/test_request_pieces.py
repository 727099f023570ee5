"""A family's pieces as the caller's: candidates apart, thoughts untouched, the whole as the schema has it."""

from __future__ import annotations

import json

import pytest

from vidi.domain.answer import Finish, Piece, fold
from vidi.domain.geometry import Placement
from vidi.domain.prompt import Output, Picture, Request, Role, TextFormat, Turn
from vidi.domain.schema import Kind, Property, Schema
from vidi.engines.grounding.request import PieceReader, grounding_request
from vidi.engines.profile import Dialect, Form, Order
from vidi.engines.validation import AnswerMismatch

DIALECT = Dialect(Form.JSON, Order.XYXY, box_key="bbox_2d", boxes_prompt="Locate {targets}.")
PICTURE = Picture(100, 100, bytes(30_000), Placement(200, 100, 0, 25, 100, 50), "digest")
"""Twice as wide as high, in the middle of a square: bands above and below."""

SAID = '[{"bbox_2d":[0,250,500,750],"label":"cat"}]'
TOLD = [{"box_2d": [0, 0, 1000, 500], "label": "cat"}]


def reader(label: Schema | None = None) -> PieceReader:
    number = Schema(kinds=frozenset({Kind.INTEGER}))
    box = Schema(kinds=frozenset({Kind.ARRAY}), items=number, min_items=4, max_items=4)
    item = Schema(
        kinds=frozenset({Kind.OBJECT}),
        properties=(
            Property("box_2d", box, required=True),
            Property("label", label or Schema(kinds=frozenset({Kind.STRING})), required=True),
        ),
    )
    listing = Schema(kinds=frozenset({Kind.ARRAY}), items=item)
    output = Output(TextFormat.JSON, listing if label else None)
    ask: Request[Picture] = Request(
        turns=(Turn(Role.USER, (PICTURE, "Detect the cats. Give box_2d.")),), output=output
    )
    made = grounding_request(ask, DIALECT)
    assert made is not None
    return PieceReader(made, (PICTURE,))


def pieces(text: str, candidate: int = 0, finish: Finish = Finish.STOP) -> list[Piece]:
    said = [Piece(character, tokens=1, candidate=candidate) for character in text]
    return [*said, Piece("", finish=finish, candidate=candidate)]


def test_boxes_come_back_in_the_apis_form_on_the_callers_picture() -> None:
    taking = reader()
    (answer,) = fold(taking.take(piece) for piece in pieces(SAID))
    assert json.loads(answer.text) == TOLD
    # What was said is billed, not what is told.
    assert answer.tokens == len(SAID)


def test_candidates_do_not_mix() -> None:
    taking = reader()
    both = zip(pieces(SAID), pieces(SAID, 1), strict=True)
    answers = fold(taking.take(piece) for pair in both for piece in pair)
    assert [json.loads(answer.text) for answer in answers] == [TOLD, TOLD]


def test_thoughts_are_passed_on_as_they_are() -> None:
    thought = Piece(SAID, tokens=3, thought=True)
    assert reader().take(thought) == thought


def test_a_cut_answer_is_whole_json() -> None:
    taking = reader()
    for cut in range(len(SAID)):
        taking = reader()
        (answer,) = fold(taking.take(piece) for piece in pieces(SAID[:cut], finish=Finish.MAX_TOKENS))
        assert json.loads(answer.text) in ([], TOLD)


def test_what_does_not_have_the_callers_form_in_the_end_is_an_error() -> None:
    dogs = Schema(kinds=frozenset({Kind.STRING}), enum=("dog",))
    taking = reader(dogs)
    with pytest.raises(AnswerMismatch):
        for piece in pieces(SAID):
            taking.take(piece)
    taking = reader(dogs)
    (answer,) = fold(taking.take(piece) for piece in pieces(SAID.replace("cat", "dog")))
    assert json.loads(answer.text) == [{**TOLD[0], "label": "dog"}]
