import json

import pytest

from vidi.domain.answer import Finish, Piece
from vidi.domain.errors import Internal, Unavailable
from vidi.engines.llama.reply import Events, Reply, joined


def event(predicted: int, finish: str | None = None, **delta: str) -> bytes:
    message = {
        "choices": [{"finish_reason": finish, "index": 0, "delta": delta}],
        "timings": {"cache_n": 3, "predicted_n": predicted},
    }
    return b"data: " + json.dumps(message).encode() + b"\n\n"


def test_tokens_that_came_together_are_one_piece_with_all_their_tokens() -> None:
    said = event(1, content="a ") + event(3, content="red ") + event(4, content="dog")
    events, reply = Events(), Reply()
    together = (piece for message in events.feed(said) for piece in reply.take(message))
    assert list(joined(together)) == [Piece("a red dog", tokens=4)]


def test_portions_may_end_anywhere_and_each_gives_what_is_whole() -> None:
    said = event(1, content="ş") + event(2, "stop", content="!") + b"data: [DONE]\n\n"
    events, reply = Events(), Reply()
    pieces: list[Piece] = []
    for at in range(len(said)):
        messages = events.feed(said[at : at + 1])
        pieces.extend(joined(piece for message in messages for piece in reply.take(message)))
    assert pieces == [Piece("ş", tokens=1), Piece("!", tokens=1)]
    assert reply.last() == Piece("", finish=Finish.STOP)
    assert reply.cached_tokens == 3


def test_a_thought_and_what_was_said_stay_apart() -> None:
    pieces = [
        Piece("hm", tokens=1, thought=True),
        Piece("...", tokens=2, thought=True),
        Piece("", tokens=1),
        Piece("yes", tokens=1),
    ]
    assert list(joined(pieces)) == [Piece("hm...", tokens=3, thought=True), Piece("yes", tokens=2)]
    assert list(joined([])) == []


def test_an_error_in_mid_answer_is_raised() -> None:
    events, reply = Events(), Reply()
    (message,) = events.feed(b'error: {"message": "out of luck", "code": 500}\n\n')
    with pytest.raises(Internal, match="out of luck"):
        list(reply.take(message))


def test_an_answer_without_an_end_is_none() -> None:
    with pytest.raises(Unavailable):
        Reply().last()
