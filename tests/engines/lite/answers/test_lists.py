"""Boxes and points in the guide's form."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.engines.lite.fakes import NOTHING, PARK, STREET, FakeModels, Painted, Scene, ask, ask_json, lite_of
from vidi.domain.prompt import Prompt, Request, Role, Turn

GUIDE = (
    "Detect the all of the prominent items in the image. "
    "The box_2d should be [ymin, xmin, ymax, xmax] normalized to 0-1000."
)
SPATIAL_SYSTEM = (
    "Return bounding boxes as a JSON array with labels. Never return masks or code fencing. Limit to 25 "
    "objects. If an object is present multiple times, name them according to their unique characteristic."
)


def boxes(text: str) -> list[Any]:
    value = json.loads(text)
    assert isinstance(value, list)
    return value


def test_the_guides_prompt_gives_a_bare_array_most_prominent_first() -> None:
    expected = [
        {"box_2d": [300, 300, 700, 800], "label": "bus"},
        {"box_2d": [600, 20, 700, 150], "label": "car"},
        {"box_2d": [600, 850, 700, 980], "label": "car"},
    ]
    assert boxes(ask(STREET, GUIDE)) == expected
    assert boxes(ask_json(STREET, GUIDE)) == expected
    assert boxes(ask(STREET, "Detect everything.", system=SPATIAL_SYSTEM)) == expected


def test_it_streams_object_by_object_in_plain_integers() -> None:
    models = FakeModels()
    prompt: Prompt = Request(turns=(Turn(Role.USER, (models.know(STREET), GUIDE)),))
    pieces = [piece.text for piece in lite_of(models).generate(prompt)]
    assert pieces[0] == '[{"box_2d": [300, 300, 700, 800], "label": "bus"}'
    assert len(pieces) == 4
    assert "." not in "".join(pieces)


@pytest.mark.parametrize(
    ("prompt", "labels"),
    [
        ("Detect the cars", ["car", "car"]),
        ("Detect all vehicles", ["bus", "car", "car"]),
        ("Detect no more than 2 items, with box_2d", ["bus", "car"]),
        ("Detect the zebras", []),
        ("Get all buses.", ["bus"]),
        ("Show me where every vehicle is.", ["bus", "car", "car"]),
        ("Detect everything except the cars", ["bus"]),
        ("Detect the vehicles but not the bus", ["car", "car"]),
        ("Detect the bus. Do not detect the bus.", []),
        ("Detect the cars, the cars, a car and cars", ["car", "car"]),
        ("Detect the vehicles on the left", ["car"]),
        ("Detect the vehicles at the top", []),
        ("Detect the bus on the left", ["bus"]),
        ("Detect what is in the middle of the café", ["bus"]),
        ("Detect the unicorns and castles", []),
        ("Find the unicorns. Answer with box_2d", []),
        ("Bu görseldeki en belirgin nesneleri algıla", ["otobüs", "araba", "araba"]),
        ("Arabaları bul, box_2d ver", ["araba", "araba"]),
        ("Ejderhaları bul, box_2d ver", []),
        (
            "Arabaları bul Answer with a JSON list. The box_2d should be [ymin, xmin].",
            ["car", "car"],
        ),
    ],
)
def test_named_classes_and_limits_are_obeyed(prompt: str, labels: list[str]) -> None:
    assert [each["label"] for each in boxes(ask(STREET, prompt))] == labels


def test_a_breed_is_matched_to_the_box_of_its_family() -> None:
    assert [each["label"] for each in boxes(ask(PARK, "Detect the golden retriever"))] == ["golden retriever"]
    assert [each["label"] for each in boxes(ask(PARK, "Detect the beagle"))] == ["dog"]


def test_of_two_that_are_named_each_comes_before_twins() -> None:
    twins = Scene(
        (
            Painted("laptop", (100, 100, 600, 600), "gray", 0.8),
            Painted("laptop", (0, 650, 300, 990), "gray", 0.3),
            Painted("mouse", (700, 700, 760, 760), "black", 0.6),
        )
    )
    found = boxes(ask(twins, "Detect the laptop and the mouse, no more than 2"))
    assert [each["label"] for each in found] == ["laptop", "computer mouse"]


def test_far_weaker_twins_of_a_named_thing_are_left_out() -> None:
    twins = Scene(
        (Painted("dog", (100, 100, 600, 600), score=0.8), Painted("dog", (700, 700, 800, 800), score=0.22))
    )
    assert len(boxes(ask(twins, "Detect the dogs"))) == 1


def test_points() -> None:
    answer = ask(
        PARK, 'Point to the dog. The answer should follow the JSON format: [{"point": [y, x], "label": ...}]'
    )
    assert boxes(answer) == [{"point": [650, 650], "label": "dog"}]


def test_labels_follow_the_language() -> None:
    assert boxes(ask(PARK, "Köpeği algıla"))[0]["label"] == "köpek"


def test_several_pictures_give_a_list_each() -> None:
    first, second = boxes(ask([STREET, PARK], GUIDE))
    assert [first[0]["label"], second[0]["label"]] == ["bus", "person"]


def test_nothing_is_an_empty_array() -> None:
    assert ask(NOTHING, GUIDE) == "[]"


def test_boxes_stay_on_the_grid() -> None:
    over = replace(STREET, things=(Painted("car", (-20, -3, 1040, 1001)),))
    assert boxes(ask(over, GUIDE))[0]["box_2d"] == [0, 0, 1000, 1000]


def test_doubtful_things_are_boxed_only_when_named() -> None:
    scene = Scene((Painted("dog", (100, 100, 300, 300), score=0.22),))
    assert boxes(ask(scene, GUIDE)) == []
    assert len(boxes(ask(scene, "Detect the dog"))) == 1


@pytest.mark.parametrize(
    "prompt",
    [
        "Detect the unicorns.",
        "Detect the wheels of the bus.",
        "Locate all lighthouses in this image.",
        "Detect the bus stop.",
        "Give me bounding boxes of the steering wheels and the mirrors.",
        "Detect the beach.",
    ],
)
def test_nothing_is_boxed_for_what_is_not_known(prompt: str) -> None:
    assert ask_json(STREET, prompt) == "[]"
    assert ask_json(STREET, f"{prompt} Return JSON with box_2d and label.") == "[]"


def test_without_json_it_is_said_what_cannot_be_looked_for() -> None:
    assert ask(STREET, "Detect the unicorns.").startswith('I can\'t tell about "unicorns"')
    assert ask(STREET, "Detect the unicorns. Return JSON.") == "[]"


@pytest.mark.parametrize(
    ("prompt", "labels"),
    [
        ("Detect all objects in this image.", ["bus", "car", "car"]),
        ("Detect objects and return bounding boxes as JSON.", ["bus", "car", "car"]),
        ("Detect everything you see and give me 2d bounding boxes.", ["bus", "car", "car"]),
        ("Please detect the cars and the unicorns.", ["car", "car"]),
        ("Locate every group of cars.", ["car", "car"]),
        ("Detect the cars found in this image.", ["car", "car"]),
        ("Detect the red bus parked on the street.", ["bus"]),
        ("Find the 2d bounding boxes of the items in the picture.", ["bus", "car", "car"]),
        ("Detect the cars, with no more than 20 items. Output a json list.", ["car", "car"]),
    ],
)
def test_what_is_known_is_boxed(prompt: str, labels: list[str]) -> None:
    assert [each["label"] for each in boxes(ask_json(STREET, prompt))] == labels


def test_what_is_doubtful_is_boxed_only_where_it_is_named() -> None:
    doubtful = Scene(things=(Painted("cat", (100, 100, 400, 400), score=0.32),))
    assert boxes(ask_json(doubtful, "Detect all items.")) == []
    assert boxes(ask_json(doubtful, GUIDE)) == []
    assert len(boxes(ask_json(doubtful, "Detect the cats."))) == 1


def test_a_hundred_classes_are_all_looked_for() -> None:
    names = [
        *(f"{first}{last}" for first in "bcdfgklmnp" for last in ("onk", "arf", "ilp", "ump", "eck")),
        "bus",
    ]
    assert [each["label"] for each in boxes(ask(STREET, f"Detect: {', '.join(names)} and the cars."))] == [
        *("bus", "car", "car")
    ]
    known = (
        "person, dog, cat, horse, cow, sheep, bird, bear, cup, fork, knife, spoon, bowl, chair, couch, bed, "
    )
    assert len(boxes(ask(STREET, f"Detect {known * 6} cars and the bus"))) == 3
