"""Answers that are gathered."""

from __future__ import annotations

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from vidi.domain.answer import Finish, FunctionCall, Piece, PieceBuffer, fold

PIECES = st.lists(
    st.builds(
        Piece,
        text=st.text(max_size=3),
        tokens=st.integers(0, 3),
        thought=st.booleans(),
        finish=st.sampled_from([None, None, None, Finish.STOP]),
        candidate=st.integers(0, 1),
        call=st.sampled_from([None, None, FunctionCall("look", "{}")]),
    ),
    max_size=12,
)


def _gathered(pieces: list[Piece]) -> PieceBuffer:
    buffer = PieceBuffer()
    for piece in pieces:
        buffer.add(piece)
    return buffer


@given(PIECES)
def test_what_is_gathered_is_the_same_answer(pieces: list[Piece]) -> None:
    assert fold(_gathered(pieces)) == fold(pieces)


def test_a_long_answer_in_words_takes_the_memory_of_its_text() -> None:
    words = 50_000
    tracemalloc.start()
    buffer = PieceBuffer()
    for at in range(words):
        buffer.add(Piece(f"w{at} ", tokens=1))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    (whole,) = buffer
    assert whole.tokens == words
    assert held < 8 * len(whole.text)
