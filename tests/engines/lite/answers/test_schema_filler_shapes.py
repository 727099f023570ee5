"""Shapes that prompts describe in words."""

from __future__ import annotations

import json

import pytest

from tests.engines.lite.fakes import LANGUAGES, PARK, STREET, ask, ask_json
from vidi.domain.schema import Kind
from vidi.engines.lite.answers.schema_filler import MOST_NAMES, shape_in


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Return a JSON object with keys 'caption' and 'tags'.", ["caption", "tags"]),
        (
            "Return JSON with the fields caption, carCount and is_outdoor.",
            ["caption", "carCount", "is_outdoor"],
        ),
        ('Answer as {"caption": "...", "mood": ""}', ["caption", "mood"]),
        ("Which keys are on the keyboard?", None),
        ("Return JSON.", None),
        ("{}", None),
        ("keys " + ", ".join(f"k{at}" for at in range(MOST_NAMES + 1)), None),
    ],
)
def test_names_are_read(text: str, names: list[str] | None) -> None:
    shape = shape_in(text, LANGUAGES)
    found = [each.name for each in shape.properties] if shape and Kind.OBJECT in shape.kinds else None
    if names is None:
        assert found is None or set(found).isdisjoint({"caption"})
    else:
        assert found == names


def test_a_list_of_objects_is_one() -> None:
    shape = shape_in('Return [{"label": "...", "box_2d": [0, 0, 0, 0]}]', LANGUAGES)
    assert shape is not None
    assert shape.kinds == {Kind.ARRAY}
    assert shape.items is not None
    assert [each.name for each in shape.items.properties] == ["label", "box_2d"]


def test_the_shape_is_filled() -> None:
    prompt = "Return JSON with keys caption, objects, has_dog, carCount and mood."
    assert json.loads(ask_json(STREET, prompt)) == {
        "caption": "A bus with two cars on a street.",
        "objects": ["bus", "car"],
        "has_dog": False,
        "carCount": 2,
        "mood": None,
    }


def test_the_system_instruction_may_describe_it() -> None:
    text = ask(PARK, "Analyze this image.", system='Respond with JSON: {"label": "...", "score": 0.5}')
    assert json.loads(text) == {"label": "person", "score": 0.9}


def test_hostile_text_is_read_quickly() -> None:
    for text in ("{" * 5000, "keys " * 5000, '{"a": ' * 3000, "keys: " + "a, " * 5000):
        shape_in(text, LANGUAGES)
