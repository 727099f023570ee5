"""What prompts want."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engines.lite.fakes import LANGUAGES
from vidi.domain.prompt import Prompt, Request, Role, Turn
from vidi.engines.lite.language.intents import (
    LONGEST_READ_BEFORE,
    MOST_ENTITIES,
    TURNS_READ_BEFORE,
    Intent,
    Languages,
)
from vidi.engines.lite.language.language import LONGEST_READ, Language, lowered

GUIDE_DETECTION = (
    "Detect the all of the prominent items in the image. "
    "The box_2d should be [ymin, xmin, ymax, xmax] normalized to 0-1000."
)


def parse(*texts: str, system: str = "") -> Intent:
    """The intent of a conversation in which user and model take turns."""
    roles = (Role.MODEL if at % 2 else Role.USER for at in range(len(texts)))
    prompt: Prompt = Request(
        turns=tuple(Turn(role, (text,)) for role, text in zip(roles, texts, strict=True)), system=system
    )
    return LANGUAGES.parse(prompt)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Caption this image.", "caption"),
        ("What is in this picture?", "caption"),
        ("What is this image?", "caption"),
        ("", "caption"),
        ("Describe this image in detail.", "describe"),
        ("Write alt text for this image", "alt"),
        ("List the objects in the image.", "list_first"),
        ("What do you see?", "list"),
        (GUIDE_DETECTION, "detect"),
        ("Detect the dogs", "detect"),
        ('Point to no more than 10 items. Answer as [{"point": [y, x], "label": ...}]', "point"),
        ("How many cars are there?", "count"),
        ("Is there a dog?", "exists"),
        ("Do you see a bus?", "exists"),
        ("Is the bus red?", "state"),
        ("What color is the bus?", "colour"),
        ("Where is the dog?", "where_first"),
        ("On which side is the dog?", "where"),
        ("What is the man doing?", "activity"),
        ("What is the person holding?", "activity"),
        ("What is on the table?", "near"),
        ("Which room is this?", "scene"),
        ("Where was this photo taken?", "scene"),
        ("Is this indoors or outdoors?", "choose"),
        ("Was it taken outdoors?", "side"),
        ("What does the sign say?", "read"),
        ("Read the text", "read"),
        ("Classify the image as: cat, dog, or bird", "choose"),
        ("What is different between these two images?", "compare"),
        ("Are these the same photo?", "same"),
        ("Give me 5 tags", "tags"),
        ("Suggest hashtags", "hashtags"),
        ("What kind of animal is this?", "kind"),
        ("Which animals are there?", "kind"),
        ("What is the main subject?", "extreme"),
        ("What is the resolution of the image?", "size"),
        ("Write a poem about it", "creative"),
        ("dogs?", "exists"),
        ("Can you please describe what you see?", "describe"),
        ("Could you count the dogs?", "count"),
        ("Can you see a dog?", "exists"),
        ("What's happening in this photo?", "caption"),
        ("Who is in the picture?", "who"),
        ("Identify the objects and their colors", "list_first"),
        ("qwertz uiop", "unknown"),
        ("¿cuántos gatos hay?", "count"),
        ("combien de chats y a-t-il ?", "unknown"),
        ("où est le train ?", "unknown"),
        ("Bu resmi açıkla.", "describe"),
        ("Resimde kaç köpek var?", "count"),
        ("Otobüs ne renk?", "colour"),
        ("Köpek var mı?", "exists"),
        ("Nesneleri algıla", "detect"),
        ("İki resim arasındaki fark ne?", "compare"),
    ],
)
def test_kinds_of_intent(text: str, kind: str) -> None:
    assert parse(text).kind.value == kind


def test_options_are_read() -> None:
    assert parse("Classify this picture as: beach, street or kitchen.").options == (
        "beach",
        "street",
        "kitchen",
    )
    assert parse("Is this a cat or a dog?").options == ("cat", "dog")


def test_a_pronoun_is_what_was_asked_after_before() -> None:
    intent = parse("Is there a bus?", "Yes, there is a bus.", "And what colour is it?")
    assert (intent.kind.value, [each.name for each in intent.entities]) == ("colour", ["bus"])


def test_a_pronoun_may_be_what_was_answered() -> None:
    intent = parse("What is the main subject?", "The most prominent thing is a dog.", "Where is it?")
    assert [each.name for each in intent.entities] == ["dog"]


def test_what_about_asks_the_same_of_another_thing() -> None:
    intent = parse("How many cars are there?", "Two.", "And trucks?")
    assert (intent.kind.value, [each.name for each in intent.entities]) == ("count", ["truck"])
    again = parse(
        "How many cars are there?", "Two.", "What about buses?", "One.", "And what colour are they?"
    )
    assert (again.kind.value, [each.name for each in again.entities]) == ("colour", ["bus"])


def test_without_words_the_system_instruction_is_the_question() -> None:
    prompt: Prompt = Request(turns=(Turn(Role.USER, ("",)),), system="Give keywords for the image.")
    assert LANGUAGES.parse(prompt).kind.value == "tags"


@pytest.mark.parametrize(
    ("text", "system", "language"),
    [
        ("Caption this image in Turkish.", "", "tr"),
        ("Caption this image.", "Always answer in Turkish.", "tr"),
        ("Caption this image.", "Türkçe yanıt ver.", "tr"),
        ("Bu resimde ne var?", "Answer in English", "en"),
        ("Bu resimde ne var?", "", "tr"),
    ],
)
def test_the_answer_is_in_the_language_of_the_question_or_the_one_named(
    text: str, system: str, language: str
) -> None:
    assert parse(text, system=system).language.id == language


def test_a_follow_up_stays_in_its_language() -> None:
    assert parse("Bu resimde otobüs var mı?", "Evet.", "ok?").language.id == "tr"


@given(st.text(max_size=200))
def test_any_text_is_understood_somehow(text: str) -> None:
    assert parse(text).kind


def test_a_very_long_prompt_is_read_at_both_ends() -> None:
    text = lowered("How many dogs? " + "x" * 1_000_000 + " end")
    assert len(text) <= 2 * LONGEST_READ + 1
    assert (text[:8], text[-3:]) == ("how many", "end")


@pytest.mark.parametrize("turns", [9, 201])
def test_each_earlier_turn_is_read_once_and_few_of_them(monkeypatch: pytest.MonkeyPatch, turns: int) -> None:
    texts: list[str] = []
    read = Languages.parse_text

    def parse_text(languages: Languages, text: str, language: Language, *, told: bool = True) -> Intent:
        texts.append(text)
        return read(languages, text, language, told=told)

    monkeypatch.setattr(Languages, "parse_text", parse_text)
    parse(*["hello there " * 500] * turns)
    assert len(texts) == 1 + min(turns - 1, TURNS_READ_BEFORE) // 2
    assert sum(map(len, texts)) < 3 * LONGEST_READ + TURNS_READ_BEFORE * LONGEST_READ_BEFORE


def test_few_of_very_many_things_are_looked_for() -> None:
    assert len(parse("dog and " * 5000).entities) == MOST_ENTITIES
