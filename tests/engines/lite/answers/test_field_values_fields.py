"""What fields are for, by their names."""

from __future__ import annotations

import pytest

from tests.engines.lite.fakes import LANGUAGES
from vidi.engines.lite.answers.field_values import meaning_of
from vidi.engines.lite.language.language import FieldRole


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("box_2d", "box"),
        ("boundingBox", "box"),
        ("bbox", "box"),
        ("point", "point"),
        ("ymin", "box_edge"),
        ("x_max", "box_edge"),
        ("confidence", "score"),
        ("is_indoor", "indoors"),
        ("outdoors", "outdoors"),
        ("dominantColors", "colour"),
        ("car_color", "colour"),
        ("keywords", "tags"),
        ("hashtags", "hashtags"),
        ("numberOfPeople", "count"),
        ("total_count", "count"),
        ("visible_text", "text"),
        ("alt_text", "caption"),
        ("short_caption", "caption"),
        ("detailed_description", "description"),
        ("scene_type", "scene"),
        ("location", "scene"),
        ("objects", "things"),
        ("label", "label"),
        ("object_name", "label"),
        ("answer", "answer"),
        ("etiket", "label"),
        ("başlık", "caption"),
        ("flux_capacitor", ""),
        ("", ""),
    ],
)
def test_roles(name: str, role: str) -> None:
    assert meaning_of(name, LANGUAGES).role == (FieldRole(role) if role else None)


@pytest.mark.parametrize(
    ("name", "thing"),
    [
        ("has_dog", "dog"),
        ("dogs", "dog"),
        ("isCarPresent", "car"),
        ("number_of_people", "person"),
        ("car_color", "car"),
        ("animals", "animal"),
        ("wine_glass_count", "wine glass"),
    ],
)
def test_things(name: str, thing: str) -> None:
    entity = meaning_of(name, LANGUAGES).entity
    assert entity is not None
    assert entity.name == thing
