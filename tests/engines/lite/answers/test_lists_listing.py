"""Lists of things, tags and hashtags."""

from __future__ import annotations

import ast

from tests.engines.lite.fakes import NOTHING, PARK, STREET, Painted, Scene, ask, ask_json

TAG_AND_CAPTION = (
    "You are an expert in tagging and captioning images. Return a list of 5 keywords and a caption as a "
    'Python list of strings, for example ["red", "car", "A red car."]. Do not explain.'
)


def test_things_are_listed() -> None:
    assert ask(STREET, "List the objects in this image.") == "I see a red bus and two cars."
    assert ask(STREET, "List the objects as bullet points.") == "- bus\n- car"
    assert ask(STREET, "List the objects, comma-separated.") == "bus, car"
    assert ask_json(STREET, "List the objects in this image.") == '["bus", "car"]'


def test_things_of_a_colour_are_listed() -> None:
    assert ask(STREET, "Which objects are blue?") == "I see two blue cars."
    assert ask(STREET, "Which objects are pink?") == "I see nothing pink."
    assert ask(STREET, "List all objects and their colors") == "I see a red bus and two blue cars."


def test_a_limit_holds() -> None:
    assert ask_json(STREET, "List at most one object.") == '["bus"]'


def test_tags_name_things_kinds_place_and_colours() -> None:
    assert ask(PARK, "Tag this image").split(", ")[:4] == ["person", "dog", "frisbee", "golden retriever"]
    assert ask(STREET, "Give me 3 tags") == "bus, car, trolleybus"


def test_a_kind_that_the_detector_contradicts_is_no_tag() -> None:
    cat = Scene((Painted("cat", (100, 100, 900, 900), "white", 0.6),), labels=(("Samoyed", 0.5),))
    assert "samoyed" not in ask(cat, "Tag this image")


def test_hashtags() -> None:
    assert ask(STREET, "Suggest three hashtags") == "#bus #car #trolleybus"


def test_tag_and_caption_from_the_system_instruction_alone() -> None:
    words = ast.literal_eval(ask(STREET, "", system=TAG_AND_CAPTION))
    assert words[:2] == ["bus", "car"]
    assert words[-1] == "A bus with two cars on a street."
    assert len(words) == 6


def test_nothing_to_list() -> None:
    assert ask(NOTHING, "List the objects").startswith("This picture is all white")
    assert ask(NOTHING, "Tag this image") == ""
