"""Texts cut into sentences and lines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidi.engines.grounding.prompt_rewrite import joined, sentences


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("0.5 is no end, nor is v1.2.", ["0.5 is no end, nor is v1.2."]),
        ("A line\nAnother line", ["A line", "Another line"]),
        ("A line that was\n   wrapped by hand. Next", ["A line that was wrapped by hand.", "Next"]),
        ("paragraph\n\nparagraph", ["paragraph", "paragraph"]),
        ("Names (colour, size, etc..). Next", ["Names (colour, size, etc..).", "Next"]),
        (
            'As [{"point": [y, x],\n "Label": "a. B"}, ...]. Next',
            ['As [{"point": [y, x], "Label": "a. B"}, ...].', "Next"],
        ),
        ("An open [ bracket. Next", ["An open [ bracket.", "Next"]),
        ('She says "Stop." Then', ['She says "Stop."', "Then"]),
        ("  \n ", []),
    ],
)
def test_a_text_is_cut(text: str, expected: list[str]) -> None:
    assert [each.text for each in sentences(text)] == expected


def test_sentences_become_a_text_again() -> None:
    assert joined(sentences("One.  Two.\nThree")) == "One. Two.\nThree"


@given(st.text())
def test_no_word_is_lost(text: str) -> None:
    kept = "".join(each.text for each in sentences(text))
    assert kept.split() == [] if not text.split() else True
    assert "".join(kept.split()) == "".join(text.replace("İ", "i").split())
