"""How answers are wanted."""

from __future__ import annotations

import pytest

from tests.engines.lite.fakes import ENGLISH, LANGUAGES
from vidi.engines.lite.language.language import AnswerForm, AnswerStyle, AnswerText, style_of, styled

ALL = tuple(LANGUAGES.by_id.values())
LONG = AnswerText("There are two red dogs with a cat. They are on the left.", brief="2", items=("dog", "cat"))


@pytest.mark.parametrize(
    ("text", "style"),
    [
        ("answer in one word", AnswerStyle(brief=True, words=1)),
        ("just yes or no", AnswerStyle(yes_no=True)),
        ("in at most 12 words", AnswerStyle(words=12)),
        ("in two sentences", AnswerStyle(sentences=2)),
        ("no more than 10 items", AnswerStyle(limit=10)),
        ("list three things", AnswerStyle(limit=3)),
        ("as bullet points", AnswerStyle(form=AnswerForm.BULLETS)),
        ("comma-separated", AnswerStyle(form=AnswerForm.COMMAS)),
        ("return json", AnswerStyle(form=AnswerForm.JSON)),
        ("in lowercase", AnswerStyle(case="lower")),
        ("en fazla 5 nesne", AnswerStyle(limit=5)),
    ],
)
def test_a_style_is_read_from_the_prompt_and_from_the_system_instruction(
    text: str, style: AnswerStyle
) -> None:
    assert style_of("", text, ALL) == style
    assert style_of(text, "", ALL) == style


def test_the_prompts_own_number_comes_first() -> None:
    assert style_of("at most 25 objects", "no more than 3 objects", ALL).limit == 3


@pytest.mark.parametrize(
    ("style", "text"),
    [
        (AnswerStyle(), LONG.text),
        (AnswerStyle(brief=True), "2"),
        (AnswerStyle(number=True), "2"),
        (AnswerStyle(short=True), "There are two red dogs with a cat."),
        (AnswerStyle(sentences=1), "There are two red dogs with a cat."),
        (AnswerStyle(words=7), "There are two red dogs."),
        (AnswerStyle(words=2), "2"),
        (AnswerStyle(form=AnswerForm.BULLETS), "- dog\n- cat"),
        (AnswerStyle(form=AnswerForm.COMMAS), "dog, cat"),
        (AnswerStyle(case="upper"), LONG.text.upper()),
        (AnswerStyle(brief=True, case="lower"), "2"),
    ],
)
def test_answers_are_dressed(style: AnswerStyle, text: str) -> None:
    assert styled(LONG, style, ENGLISH) == text


def test_what_is_not_known_is_not_cut_to_a_word() -> None:
    unknown = AnswerText("I can't tell that.", brief="unknown", known=False)
    assert styled(unknown, AnswerStyle(brief=True), ENGLISH) == "I can't tell that."


def test_words_are_limited() -> None:
    for most in range(1, 15):
        assert len(styled(AnswerText(LONG.text), AnswerStyle(words=most), ENGLISH).split()) <= most
