"""What a schema forces out of a picture that does not tell it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.engines.lite.fakes import NOTHING, PARK, Painted, Scene, ask
from vidi.domain.prompt import Output, TextFormat
from vidi.domain.schema import JsonValue, Kind, Property, Scalar, Schema
from vidi.engines.validation import validate


def filled(scene: Scene, name: str, schema: Schema, prompt: str = "Describe this.") -> JsonValue:
    """What one required member of an object gets."""
    shape = Schema(kinds=frozenset({Kind.OBJECT}), properties=(Property(name, schema, True),))
    text = ask(scene, prompt, output=Output(TextFormat.JSON, shape))
    validate(text, shape)
    value: JsonValue = json.loads(text)[name]
    return value


def of(*kinds: Kind) -> Schema:
    return Schema(kinds=frozenset(kinds))


def among(*values: Scalar) -> Schema:
    return Schema(enum=values)


def scale(kind: Kind, least: float, top: float) -> Schema:
    return Schema(kinds=frozenset({kind}), minimum=least, maximum=top)


@pytest.mark.parametrize(
    "name", ["safe_for_work", "is_safe", "nsfw", "contains_violence", "is_appropriate", "is_the_door_open"]
)
def test_a_truth_that_no_picture_tells_is_null_and_false_where_it_must_be_something(name: str) -> None:
    assert filled(PARK, name, of(Kind.BOOLEAN, Kind.NULL)) is None
    assert filled(PARK, name, of(Kind.BOOLEAN)) is False


@pytest.mark.parametrize(
    ("name", "schema", "value"),
    [
        ("rating", scale(Kind.INTEGER, 1, 5), 3),
        ("aesthetic_score", scale(Kind.NUMBER, 0, 10), 5),
        ("image_quality", scale(Kind.NUMBER, -1, 1), 0),
        ("stars", among(1, 2, 3, 4, 5), 3),
        ("kalite", scale(Kind.INTEGER, 1, 5), 3),
        ("calidad", scale(Kind.INTEGER, 1, 5), 3),
        ("temperature", scale(Kind.INTEGER, 1, 5), 1),
        ("rating", of(Kind.INTEGER), 0),
        ("rating", Schema(kinds=frozenset({Kind.INTEGER, Kind.NULL}), minimum=1, maximum=5), None),
        ("stars", among(1, 2, 3, None), None),
    ],
)
def test_a_rating_is_the_middle_of_its_scale(name: str, schema: Schema, value: float | None) -> None:
    assert filled(PARK, name, schema) == value


@pytest.mark.parametrize(
    ("name", "options", "value"),
    [
        ("safety", ("safe", "unsafe"), "unsafe"),
        ("safety", ("safe", "unsafe", "needs review"), "needs review"),
        ("is_the_door_open", ("yes", "no"), "no"),
        ("is_the_door_open", ("YES", "NO", "N/A"), "N/A"),
        ("mood", ("happy", "sad", "neutral"), "neutral"),
        ("severity", ("low", "medium", "high"), "medium"),
        ("ruh_hali", ("mutlu", "nötr", "üzgün"), "nötr"),
        ("gravedad", ("alta", "media", "baja"), "media"),
        ("mood", ("happy", "sad"), "happy"),
        ("mood", ("happy", "neutral", None), None),
    ],
)
def test_of_options_that_no_picture_tells_the_one_that_claims_least(
    name: str, options: tuple[str | None, ...], value: str | None
) -> None:
    prompt = (
        "Bu resmi anlat." if "ü" in str(options) else "Describe la imagen." if "media" in options else "?"
    )
    assert filled(NOTHING, name, among(*options), prompt) == value


def test_options_may_be_in_another_language_than_the_prompt() -> None:
    assert filled(NOTHING, "mood", among("happy", "sad", "unknown"), "Bu resmi anlat.") == "unknown"
    assert filled(NOTHING, "is_the_door_open", among("yes", "no"), "Describe la imagen.") == "no"


def test_clothes_are_not_known_and_their_colours_are_those_of_a_part_of_the_body() -> None:
    shirt = Painted("book", (200, 400, 550, 600), "red", score=0.16)
    person = Scene(things=(shirt, Painted("person", (200, 400, 900, 600), "blue")))
    for name in ("clothing", "outfit", "clothes"):
        assert filled(person, name, of(Kind.STRING)) == "unknown"
        assert filled(person, name, of(Kind.STRING, Kind.NULL)) is None
    assert filled(person, "shirt_color", of(Kind.STRING)) == "red"
    assert filled(person, "pants_color", of(Kind.STRING)) == "blue"
    assert filled(NOTHING, "pants_color", of(Kind.STRING, Kind.NULL)) is None


def test_the_coat_of_a_dog_is_no_garment() -> None:
    shape = of(Kind.ARRAY)
    each = Schema(
        kinds=frozenset({Kind.OBJECT}),
        properties=(Property("label", of(Kind.STRING), True), Property("coat_color", of(Kind.STRING), True)),
    )
    value = filled(PARK, "animals", replace(shape, items=each), "List the animals.")
    assert value == [{"label": "dog", "coat_color": "brown"}]


@pytest.mark.parametrize(
    ("scene", "value"),
    [
        (
            Scene(
                things=(
                    Painted("bowl", (100, 100, 900, 900), score=0.9),
                    Painted("pizza", (300, 300, 600, 600)),
                )
            ),
            "pizza",
        ),
        (Scene(labels=(("cheeseburger", 0.5),)), "cheeseburger"),
        (Scene(things=(Painted("bowl", (100, 100, 900, 900)),)), None),
    ],
)
@pytest.mark.parametrize(
    "name", ["dish_name", "dish", "name_of_the_dish", "meal_name", "yemek_adı", "nombre_del_plato"]
)
def test_a_dish_is_food_and_no_crockery(scene: Scene, name: str, value: str | None) -> None:
    assert filled(scene, name, of(Kind.STRING, Kind.NULL)) == value
