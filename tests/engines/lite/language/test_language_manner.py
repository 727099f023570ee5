"""How answers are wanted."""

from __future__ import annotations

import pytest

from tests.engines.lite.fakes import ENGLISH, TONGUES
from vidi.engines.lite.language.language import Manner, Said, dressed, manner_of

LANGUAGES = tuple(TONGUES.languages.values())
LONG = Said("There are two red dogs with a cat. They are on the left.", brief="2", items=("dog", "cat"))


@pytest.mark.parametrize(
    ("text", "manner"),
    [
        ("answer in one word", Manner(brief=True, words=1)),
        ("just yes or no", Manner(yes_no=True)),
        ("in at most 12 words", Manner(words=12)),
        ("in two sentences", Manner(sentences=2)),
        ("no more than 10 items", Manner(limit=10)),
        ("list three things", Manner(limit=3)),
        ("as bullet points", Manner(form="bullets")),
        ("comma-separated", Manner(form="commas")),
        ("return json", Manner(form="json")),
        ("in lowercase", Manner(case="lower")),
        ("en fazla 5 nesne", Manner(limit=5)),
    ],
)
def test_wishes_are_read_from_the_prompt_and_from_the_system_instruction(text: str, manner: Manner) -> None:
    assert manner_of("", text, LANGUAGES) == manner
    assert manner_of(text, "", LANGUAGES) == manner


def test_the_prompts_own_number_comes_first() -> None:
    assert manner_of("at most 25 objects", "no more than 3 objects", LANGUAGES).limit == 3


@pytest.mark.parametrize(
    ("manner", "text"),
    [
        (Manner(), LONG.text),
        (Manner(brief=True), "2"),
        (Manner(number=True), "2"),
        (Manner(short=True), "There are two red dogs with a cat."),
        (Manner(sentences=1), "There are two red dogs with a cat."),
        (Manner(words=7), "There are two red dogs."),
        (Manner(words=2), "2"),
        (Manner(form="bullets"), "- dog\n- cat"),
        (Manner(form="commas"), "dog, cat"),
        (Manner(case="upper"), LONG.text.upper()),
        (Manner(brief=True, case="lower"), "2"),
    ],
)
def test_answers_are_dressed(manner: Manner, text: str) -> None:
    assert dressed(LONG, manner, ENGLISH) == text


def test_what_is_not_known_is_not_cut_to_a_word() -> None:
    unknown = Said("I can't tell that.", brief="unknown", known=False)
    assert dressed(unknown, Manner(brief=True), ENGLISH) == "I can't tell that."


def test_words_are_limited() -> None:
    for most in range(1, 15):
        assert len(dressed(Said(LONG.text), Manner(words=most), ENGLISH).split()) <= most
