"""Which things a text speaks of."""

from __future__ import annotations

import pytest

from tests.engines.lite.fakes import LANGUAGES
from vidi.domain.prompt import Prompt, Request, Role, Turn
from vidi.engines.lite.language.intents import Entity

EN, TR = LANGUAGES.lexicons["en"], LANGUAGES.lexicons["tr"]


def names(entities: tuple[Entity, ...]) -> list[str]:
    return [each.name for each in entities]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Is there a dog or a cat?", ["dog", "cat"]),
        ("How many buses and potted plants?", ["bus", "potted plant"]),
        ("hot dogs", ["hot dog"]),
        ("the people on the sofa", ["person", "couch"]),
        ("detect the animals", ["animal"]),
        ("the golden retriever", ["golden retriever"]),
        ("nothing known", []),
        ("a category of bedrooms", []),
    ],
)
def test_english_words(text: str, found: list[str]) -> None:
    assert names(EN.entities(text)) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Resimde kaç köpek var?", ["dog"]),
        ("köpeği bul", ["dog"]),
        ("otobüsün rengi", ["bus"]),
        ("masada kaç kişi oturuyor", ["dining table", "person"]),
        ("arabaları ve kedileri algıla", ["car", "cat"]),
    ],
)
def test_turkish_words_with_their_endings(text: str, found: list[str]) -> None:
    assert names(TR.entities(text)) == found


def test_a_breed_means_its_family() -> None:
    (entity,) = EN.entities("golden retriever")
    assert entity.labels == {"dog"}


def test_a_hypernym_means_several_classes() -> None:
    (entity,) = EN.entities("fruits")
    assert entity.group
    assert {"apple", "banana", "orange"} == set(entity.labels)


def test_a_word_that_says_more_than_can_be_seen_is_marked() -> None:
    assert [each.narrow for each in EN.entities("a woman and a person")] == [True, False]


def test_colours_go_with_the_next_noun() -> None:
    red, orange = EN.entities("the red car and the orange bus")
    assert [(red.name, red.colour), (orange.name, orange.colour)] == [("car", "red"), ("bus", "orange")]
    assert names(EN.entities("an orange")) == ["orange"]


@pytest.mark.parametrize(
    ("text", "single"),
    [
        ("the dog", True),
        ("the dogs", False),
        ("the dog's collar", True),
        ("the men", False),
        ("the bus", True),
        ("the buses", False),
        ("animal", False),
    ],
)
def test_one_or_several_are_spoken_of(text: str, single: bool) -> None:
    assert EN.entities(text)[0].single == single


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("is it safe to eat", []),
        ("is there a safe", ["safe"]),
        ("detect the castle", ["castle"]),
    ],
)
def test_a_rare_word_is_a_thing_only_where_a_noun_may_stand(text: str, found: list[str]) -> None:
    assert names(EN.entities(text)) == found


def test_turkish_plurals() -> None:
    assert [each.single for each in TR.entities("köpek köpeği köpekler köpekleri")] == [
        True,
        True,
        False,
        False,
    ]


def test_what_only_says_where_is_an_anchor() -> None:
    assert [each.anchor for each in EN.entities("is there a cat on the table")] == [False, True]
    assert [each.anchor for each in TR.entities("masada kaç kişi var")] == [True, False]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Detect the kedi", ["cat"]),
        ("Detecta el dog", ["dog"]),
        ("kedi detect et", ["cat"]),
        ("Bu resimde how many horses var?", ["horse"]),
        ("kopekleri tespit et", ["dog"]),
        ("¿dónde está el oso de peluche?", ["teddy bear"]),
        ("tek boynuzlu atları tespit et", ["tek boynuzlu at"]),
        ("Detect the sea horse", ["sea horse"]),
    ],
)
def test_words_of_several_languages_and_without_their_marks(text: str, found: list[str]) -> None:
    prompt: Prompt = Request(turns=(Turn(Role.USER, (text,)),))
    assert names(LANGUAGES.parse(prompt).entities) == found
