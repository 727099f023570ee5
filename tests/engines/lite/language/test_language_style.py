"""How answers are wanted."""

from __future__ import annotations

import pytest

from tests.engines.lite.fakes import ENGLISH, LANGUAGES
from vidi.engines.lite.language.language import AnswerForm, AnswerText, Style, style_of, styled

ALL = tuple(LANGUAGES.by_id.values())
LONG = AnswerText("There are two red dogs with a cat. They are on the left.", brief="2", items=("dog", "cat"))


@pytest.mark.parametrize(
    ("text", "style"),
    [
        ("answer in one word", Style(brief=True, words=1)),
        ("just yes or no", Style(yes_no=True)),
        ("in at most 12 words", Style(words=12)),
        ("in two sentences", Style(sentences=2)),
        ("no more than 10 items", Style(limit=10)),
        ("list three things", Style(limit=3)),
        ("as bullet points", Style(form=AnswerForm.BULLETS)),
        ("comma-separated", Style(form=AnswerForm.COMMAS)),
        ("return json", Style(form=AnswerForm.JSON)),
        ("in lowercase", Style(case="lower")),
        ("en fazla 5 nesne", Style(limit=5)),
    ],
)
def test_wishes_are_read_from_the_prompt_and_from_the_system_instruction(text: str, style: Style) -> None:
    assert style_of("", text, ALL) == style
    assert style_of(text, "", ALL) == style


def test_the_prompts_own_number_comes_first() -> None:
    assert style_of("at most 25 objects", "no more than 3 objects", ALL).limit == 3


@pytest.mark.parametrize(
    ("style", "text"),
    [
        (Style(), LONG.text),
        (Style(brief=True), "2"),
        (Style(number=True), "2"),
        (Style(short=True), "There are two red dogs with a cat."),
        (Style(sentences=1), "There are two red dogs with a cat."),
        (Style(words=7), "There are two red dogs."),
        (Style(words=2), "2"),
        (Style(form=AnswerForm.BULLETS), "- dog\n- cat"),
        (Style(form=AnswerForm.COMMAS), "dog, cat"),
        (Style(case="upper"), LONG.text.upper()),
        (Style(brief=True, case="lower"), "2"),
    ],
)
def test_answers_are_dressed(style: Style, text: str) -> None:
    assert styled(LONG, style, ENGLISH) == text


def test_what_is_not_known_is_not_cut_to_a_word() -> None:
    unknown = AnswerText("I can't tell that.", brief="unknown", known=False)
    assert styled(unknown, Style(brief=True), ENGLISH) == "I can't tell that."


def test_words_are_limited() -> None:
    for most in range(1, 15):
        assert len(styled(AnswerText(LONG.text), Style(words=most), ENGLISH).split()) <= most
