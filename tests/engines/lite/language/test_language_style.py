"""How answers are wanted."""

from __future__ import annotations

import pytest

from tests.engines.lite.fakes import ENGLISH, LANGUAGES
from vidi.engines.lite.language.style import AnswerForm, AnswerStyle, AnswerText, style_of, styled

ALL = tuple(LANGUAGES.by_id.values())
LONG = AnswerText("There are two red dogs with a cat. They are on the left.", brief="2", items=("dog", "cat"))


@pytest.mark.parametrize(
    ("text", "style"),
    [
        ("answer in one word", AnswerStyle(words=1)),
        ("answer with a single word", AnswerStyle(words=1)),
        ("single word only", AnswerStyle(words=1)),
        ("a one-word answer", AnswerStyle(words=1)),
        ("tek kelimeyle cevap ver", AnswerStyle(words=1)),
        ("label each, one word per label", AnswerStyle()),
        ("give one-word tags", AnswerStyle()),
        ("is there one word on the sign", AnswerStyle()),
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
    assert style_of("in one word", "in 20 words", ALL).words == 20
    assert style_of("in 20 words", "in one word", ALL).words == 1


@pytest.mark.parametrize(
    ("style", "text"),
    [
        (AnswerStyle(), LONG.text),
        (AnswerStyle(words=1), "2"),
        (AnswerStyle(number=True), "2"),
        (AnswerStyle(short=True), "There are two red dogs with a cat."),
        (AnswerStyle(sentences=1), "There are two red dogs with a cat."),
        (AnswerStyle(words=7), "There are two red dogs."),
        (AnswerStyle(words=2), "2"),
        (AnswerStyle(form=AnswerForm.BULLETS), "- dog\n- cat"),
        (AnswerStyle(form=AnswerForm.COMMAS), "dog, cat"),
        (AnswerStyle(case="upper"), LONG.text.upper()),
        (AnswerStyle(words=1, case="lower"), "2"),
    ],
)
def test_answers_are_dressed(style: AnswerStyle, text: str) -> None:
    assert styled(LONG, style, ENGLISH) == text


@pytest.mark.parametrize("most", range(1, 10))
def test_what_is_not_known_is_said_whole_or_in_a_word(most: int) -> None:
    unknown = AnswerText("I can't tell that. I see a brown cat.", known=False)
    told = "unknown" if most < 4 else "I can't tell that." if most < 9 else unknown.text
    assert styled(unknown, AnswerStyle(words=most), ENGLISH) == told


def test_one_word_is_the_last_of_a_name_and_the_first_of_several() -> None:
    word = AnswerStyle(words=1)
    assert styled(AnswerText("It is a fire hydrant.", brief="fire hydrant"), word, ENGLISH) == "hydrant"
    colours = AnswerText("Brown.", brief="brown and red", items=("brown", "red"))
    assert styled(colours, word, ENGLISH) == "brown"
    assert styled(AnswerText("Dogs.", items=("fire hydrant", "dog")), word, ENGLISH) == "hydrant"


def test_words_are_limited() -> None:
    for most in range(1, 15):
        assert len(styled(AnswerText(LONG.text), AnswerStyle(words=most), ENGLISH).split()) <= most
