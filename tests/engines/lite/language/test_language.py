"""The language files: complete, alike, and well formed."""

from __future__ import annotations

import re
import string

import pytest

from tests.engines.lite.fakes import ENGLISH, LANGUAGES, TURKISH, WORLD
from vidi.domain.errors import Internal
from vidi.engines.lite.language.language import Language, folded, language_of
from vidi.engines.lite.vision.colours import COLOURS
from vidi.engines.lite.vision.detector import COCO_CLASSES
from vidi.engines.lite.world import CELLS

BOTH = pytest.mark.parametrize("language", LANGUAGES.by_id.values(), ids=lambda language: language.id)


@BOTH
def test_every_id_has_its_words(language: Language) -> None:
    assert set(language.nouns) == set(COCO_CLASSES) | WORLD.wild
    assert set(language.groups) >= set(WORLD.groups) - {"ball", "plant"}
    assert set(language.colours) == set(COLOURS)
    assert set(language.cells) == set(CELLS)
    assert set(language.relations) == {rule.says for rule in WORLD.relations}
    assert set(language.themes) == set(WORLD.themes)
    scenes = {*WORLD.scene_of.values(), *(room.scene for room in WORLD.rooms), *WORLD.inside, *WORLD.outside}
    assert set(language.scenes) >= scenes - {"park", "skate_park"}


@BOTH
def test_its_phrases_have_the_slots_of_the_usual_language(language: Language) -> None:
    def slots(phrase: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(phrase) if name}

    optional = {"coloured_one", "clothed_one"}
    forms = {name for name in language.phrases if re.sub("(_f)?(_many)?$", "", name) in ENGLISH.phrases}
    agreeing = forms - set(ENGLISH.phrases) if language.agreements else set()
    assert set(language.phrases) - optional - agreeing == set(ENGLISH.phrases) - optional
    for name, phrase in language.phrases.items():
        if name not in optional | agreeing | {"any", "count_none", "several"}:
            assert slots(phrase) <= slots(ENGLISH.phrases[name]) | {"noun", "subject"}, name


@BOTH
def test_it_knows_the_intents_and_styles_of_the_usual_language(language: Language) -> None:
    assert set(language.intents) == set(ENGLISH.intents)
    assert set(language.style) == set(ENGLISH.style)
    assert set(language.pronouns) - {"anchor_after"} == set(ENGLISH.pronouns)


@BOTH
@pytest.mark.slow
def test_its_patterns_are_quick_on_hostile_text(language: Language) -> None:
    for text in ("what is " * 500, "a" * 4000, "is the " * 600 + "?", "[" * 4000, " or " * 1000):
        for intent in language.intents:
            language.matches(language.intents, intent, text)
        for table in (language.style, language.pronouns):
            for name in table:
                language.matches(table, name, text)


def test_numbers_and_articles() -> None:
    assert ENGLISH.counted("dog", 1) == "a dog"
    assert ENGLISH.counted("umbrella", 1) == "an umbrella"
    assert ENGLISH.counted("bus", 2, "orange") == "two orange buses"
    assert ENGLISH.counted("car", 40) == "40 cars"
    assert TURKISH.counted("dog", 3) == "üç köpek"
    assert TURKISH.counted("bus", 1, "white") == "beyaz bir otobüs"


def test_rough_numbers() -> None:
    assert ENGLISH.roughly("person", 4) == "a group of people"
    assert ENGLISH.roughly("car", 5) == "several cars"
    assert ENGLISH.roughly("car", 4) == "four cars"


def test_rows_of_things() -> None:
    assert [ENGLISH.listed(["a", "b", "c"][:size]) for size in range(4)] == ["", "a", "a and b", "a, b and c"]


def test_sentences_begin_large_and_end_with_a_stop() -> None:
    assert ENGLISH.as_sentence("a dog") == "A dog."
    assert ENGLISH.as_sentence("really?") == "Really?"
    assert ENGLISH.as_sentence("") == ""
    assert TURKISH.as_sentence("iki köpek") == "İki köpek."


def test_spanish_words_agree_and_run_together() -> None:
    spanish = LANGUAGES.by_id["es"]
    assert spanish.counted("chair", 1, "red") == "una silla roja"
    assert spanish.counted("car", 2, "black") == "dos coches negros"
    assert spanish.roughly("chair", 7) == "varias sillas"
    assert spanish.say("the", noun="sillas") == "las sillas"
    assert spanish.sentence("is_with", subject="el perro", things="el gato") == (
        "El perro está cerca del gato."
    )
    assert spanish.sentence("colour_is", noun="mesa", colour=spanish.colour("white", "mesa")) == (
        "La mesa es blanca."
    )


def test_folding_keeps_the_length() -> None:
    assert folded("köpeği ığüşöç ¿dónde está?") == "kopegi igusoc ¿donde esta?"
    assert len(folded("ßœﬁ")) == 3


def test_a_missing_phrase_is_our_own_fault() -> None:
    with pytest.raises(Internal, match="phrase"):
        ENGLISH.say("no such phrase")


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("What is in this picture?", "en"),
        ("Bu resimde ne var?", "tr"),
        ("Resimde kaç köpek var?", "tr"),
        ("¿Cuántos perros hay en la foto?", "es"),
        ("cuantos perros hay", "es"),
        ("kac tane kopek var", "tr"),
        ("Qu'est-ce que c'est ?", "en"),
        ("Wie viele Pferde gibt es?", "en"),
        ("", "en"),
    ],
)
def test_the_language_of_a_text_is_told_by_its_words(text: str, language: str) -> None:
    assert language_of(text, LANGUAGES.by_id, ENGLISH).id == language


def test_every_pattern_is_lower_case() -> None:
    for language in LANGUAGES.by_id.values():
        tables = (language.intents, language.style, language.pronouns)
        for pattern in (each for table in tables for patterns in table.values() for each in patterns):
            plain = re.sub(r"\\.|\(\?P<\w+>", "", pattern.pattern)
            assert plain == plain.lower(), pattern.pattern
