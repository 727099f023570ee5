"""A family's pieces as the caller's: candidates apart, thoughts untouched, the whole as the schema has it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable

import pytest

from vidi.domain.answer import Finish, Piece, fold
from vidi.domain.geometry import Placement
from vidi.domain.prompt import Output, Picture, Request, Role, TextFormat, Turn
from vidi.domain.schema import Kind, Property, Schema
from vidi.engines.grounding.json_stream import JsonScanner, Token
from vidi.engines.grounding.request import GroundingRequest, grounding_request, read_places
from vidi.engines.profile import Dialect, Form, Order
from vidi.engines.validation import AnswerMismatch

DIALECT = Dialect(Form.JSON, Order.XYXY, box_key="bbox_2d", boxes_prompt="Locate {targets}.")
PICTURE = Picture(100, 100, bytes(30_000), Placement(200, 100, 0, 25, 100, 50), "digest")
"""Twice as wide as high, in the middle of a square: bands above and below."""

NATIVE = '[{"bbox_2d":[0,250,500,750],"label":"cat"}]'
EXPECTED = [{"box_2d": [0, 0, 1000, 500], "label": "cat"}]


def requested(label: Schema | None = None) -> GroundingRequest[Picture]:
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
    asked: Request[Picture] = Request(
        turns=(Turn(Role.USER, (PICTURE, "Detect the cats. Give box_2d.")),), output=output
    )
    made = grounding_request(asked, DIALECT)
    assert made is not None
    return made


def grounded(request: GroundingRequest[Picture], pieces: Iterable[Piece]) -> list[Piece]:
    """What comes back of a model's pieces."""

    async def given() -> AsyncIterator[Piece]:
        for piece in pieces:
            yield piece

    async def read() -> list[Piece]:
        return [piece async for piece in read_places(given(), request, (PICTURE,))]

    return asyncio.run(read())


def pieces(text: str, candidate: int = 0, finish: Finish = Finish.STOP) -> list[Piece]:
    parts = [Piece(character, tokens=1, candidate=candidate) for character in text]
    return [*parts, Piece("", finish=finish, candidate=candidate)]


def test_boxes_come_back_in_the_apis_form_on_the_callers_picture() -> None:
    (answer,) = fold(grounded(requested(), pieces(NATIVE)))
    assert json.loads(answer.text) == EXPECTED
    # What the model wrote is billed, not what it becomes.
    assert answer.tokens == len(NATIVE)


def test_candidates_do_not_mix() -> None:
    both = zip(pieces(NATIVE), pieces(NATIVE, 1), strict=True)
    answers = fold(grounded(requested(), (piece for pair in both for piece in pair)))
    assert [json.loads(answer.text) for answer in answers] == [EXPECTED, EXPECTED]


def test_thoughts_are_passed_on_as_they_are() -> None:
    thought = Piece(NATIVE, tokens=3, thought=True)
    assert grounded(requested(), [thought]) == [thought]


def test_a_cut_answer_is_whole_json() -> None:
    for cut in range(len(NATIVE)):
        (answer,) = fold(grounded(requested(), pieces(NATIVE[:cut], finish=Finish.MAX_TOKENS)))
        assert json.loads(answer.text) in ([], EXPECTED)


def test_what_does_not_have_the_callers_form_in_the_end_is_an_error() -> None:
    dogs = Schema(kinds=frozenset({Kind.STRING}), enum=("dog",))
    with pytest.raises(AnswerMismatch):
        grounded(requested(dogs), pieces(NATIVE))
    (answer,) = fold(grounded(requested(dogs), pieces(NATIVE.replace("cat", "dog"))))
    assert json.loads(answer.text) == [{**EXPECTED[0], "label": "dog"}]


def test_the_answer_is_parsed_once_as_it_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    scanned: list[str] = []
    token = JsonScanner.token

    def counted(scanner: JsonScanner) -> Token | None:
        found = token(scanner)
        scanned.append(found.text if found else "")
        return found

    def refused(*_: object) -> None:
        raise AssertionError("an answer is parsed whole")

    asked = requested(Schema(kinds=frozenset({Kind.STRING})))
    with monkeypatch.context() as patch:
        patch.setattr(JsonScanner, "token", counted)
        patch.setattr(json.JSONDecoder, "decode", refused)
        (answer,) = fold(grounded(asked, pieces(NATIVE)))
    assert json.loads(answer.text) == EXPECTED
    # What stands before and behind the only object is passed over.
    assert "".join(scanned) == NATIVE.strip("[]")
