"""What counts as a request for boxes or points: by schema and by words, in two languages."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engines.grounding.setting import BOX, DIALECTS, PAIR, TEXT, WHOLE, array, asking, members
from vidi.domain.prompt import Output, Request, Role, TextFormat, Turn
from vidi.domain.schema import Kind, Schema
from vidi.engines.grounding.request import WantedPlaces, wanted_places
from vidi.engines.grounding.schema import PlaceKind


def wanted(asked: Request[int]) -> WantedPlaces | None:
    return wanted_places(asked, DIALECTS["qwen3.5"])


BOXES = (
    # The guide, the cookbook, and what people write.
    "Detect the all of the prominent items in the image. "
    "The box_2d should be [ymin, xmin, ymax, xmax] normalized to 0-1000.",
    "Detect the 2d bounding boxes of the cupcakes (with “label” as topping description)",
    "Give the segmentation masks for the wooden and glass items. Output a JSON list where each entry has "
    'the 2D bounding box in the key "box_2d", the mask in the key "mask" and the label in the key "label".',
    "What's the bounding box for the bike in the image?",
    "Return a bounding box for each car as JSON.",
    "Draw a box around each face.",
    "find the dog and give its bbox",
    "Locate the keys: [x_min, y_min, x_max, y_max]",
    "Describe the picture. Then give the bounding boxes of the people.",
    "Resimdeki tüm arabaların sınırlayıcı kutularını bul.",
    "Kedinin kutu koordinatlarını ver.",
    "SINIRLAYICI KUTU ver",
)

POINTS = (
    "Point to no more than 10 items in the image.",
    "Please point to the origamis that look like they were the most complex to make",
    'Where are the switches? Answer as [{"point": [y, x], "label": "..."}].',
    "Give the center points of the wheels as (y, x).",
    "Return the points of the corners",
    "Kedinin burnunu noktayla işaretle, noktaların koordinatlarını ver.",
)

NEITHER = (
    "Caption this image.",
    "What is in this picture?",
    "Count the cars.",
    "How many boxes are on the shelf?",
    "Is there a box under the tree?",
    "How many bounding boxes are drawn here?",
    "What is inside the red bounding box?",
    "What is a bounding box?",
    "Describe the picture; do not return bounding boxes.",
    "Write a caption without any coordinates or boxes.",
    "What is the point of this picture?",
    "What does the arrow point to?",
    "From which point of view was this taken?",
    "List three points of interest.",
    "Detect the 3D bounding boxes of the chairs, no more than 10.",
    "Identify the species of this bird.",
    "Find the text and translate it.",
    "Bu resmi açıkla.",
    "Resimde kaç kutu var?",
    "Sınırlayıcı kutu verme, sadece açıkla.",
    "What is different between these two images?",
)

SYSTEM = "Return bounding boxes as a JSON array with labels. Never return masks or code fencing."


@pytest.mark.parametrize("text", BOXES)
def test_words_ask_for_boxes(text: str) -> None:
    places = wanted(asking(text))
    assert places is not None
    assert places.kind is PlaceKind.BOXES


@pytest.mark.parametrize("text", POINTS)
def test_words_ask_for_points(text: str) -> None:
    places = wanted(asking(text))
    assert places is not None
    assert places.kind is PlaceKind.POINTS


@pytest.mark.parametrize("text", NEITHER)
def test_other_questions_are_left_alone(text: str) -> None:
    assert wanted(asking(text)) is None


def test_the_system_instruction_counts() -> None:
    places = wanted(asking("Show me the positions of the socks", SYSTEM))
    assert places is not None
    assert places.kind is PlaceKind.BOXES


def test_the_last_turn_decides_and_no_turn_before_it() -> None:
    before: Turn[int] = Turn(Role.USER, (1, BOXES[0]))
    answer: Turn[int] = Turn(Role.MODEL, ('[{"box_2d": [1, 2, 3, 4], "label": "cat"}]',))
    then: Turn[int] = Turn(Role.USER, ("What colour is it?",))
    assert wanted(Request((before, answer, then))) is None
    assert wanted(Request((before, answer, Turn(Role.USER, ("Now its bounding box.",))))) is not None
    assert wanted(Request((before, answer))) is None


def test_without_a_picture_there_are_no_places() -> None:
    request: Request[int] = Request((Turn(Role.USER, (BOXES[0],)),))
    assert wanted(request) is None


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        (array(members(box_2d=BOX, label=TEXT)), PlaceKind.BOXES),
        (array(members(boundingBox=BOX)), PlaceKind.BOXES),
        (members(objects=array(members(name=TEXT, bbox=BOX))), PlaceKind.BOXES),
        (members(x1=WHOLE, y1=WHOLE, x2=WHOLE, y2=WHOLE), PlaceKind.BOXES),
        (array(members(point=PAIR)), PlaceKind.POINTS),
        (members(center=members(x=WHOLE, y=WHOLE)), PlaceKind.POINTS),
        (Schema(any_of=(members(box_2d=BOX), Schema(kinds=frozenset({Kind.NULL})))), PlaceKind.BOXES),
    ],
)
def test_a_schema_asks_whatever_the_words_say(schema: Schema, kind: PlaceKind) -> None:
    places = wanted(asking("What do you see?", schema=schema))
    assert places is not None
    assert (places.kind, places.schema) == (kind, schema)


@pytest.mark.parametrize(
    "text", ["Extract every word with its box.", "Give the bounding boxes.", "Words and their locations."]
)
def test_under_an_unknown_name_the_words_say_that_a_list_of_numbers_is_a_box(text: str) -> None:
    schema = array(members(kasten=BOX, text=TEXT))
    found = wanted(asking(text, schema=schema))
    assert found is not None and found.kind is PlaceKind.BOXES
    assert wanted(asking("List the words. Give no bounding boxes.", schema=schema)) is None
    assert wanted(asking("List the words with their numbers.", schema=schema)) is None


@pytest.mark.parametrize(
    "schema",
    [
        array(TEXT),
        members(box=TEXT, point=WHOLE),
        members(data_points=array(members(x=WHOLE, y=WHOLE))),
        members(points=array(members(x=WHOLE, y=WHOLE))),
        members(x=WHOLE, y=WHOLE),
        members(box_3d=BOX),
        members(tags=array(TEXT), scores=array(WHOLE)),
    ],
)
def test_a_schema_without_places_has_nowhere_to_write_them(schema: Schema) -> None:
    assert wanted(asking(BOXES[0], schema=schema)) is None


def test_an_enum_is_no_place() -> None:
    request = replace(asking(BOXES[0]), output=Output(TextFormat.ENUM, TEXT))
    assert wanted(request) is None


@pytest.mark.parametrize(
    ("text", "x_first"),
    [
        ("Bounding boxes as [xmin, ymin, xmax, ymax], please.", True),
        ("Bounding boxes as [x1, y1, x2, y2], please.", True),
        ("Bounding boxes as [ymin, xmin, ymax, xmax], please.", False),
        ("Bounding boxes, please.", False),
    ],
)
def test_an_order_that_is_spelt_out_is_kept_in_mind(text: str, x_first: bool) -> None:
    places = wanted(asking(text))
    assert places is not None
    assert places.said.x_first is x_first


@given(st.text() | st.text(alphabet="boxpint[](){}.,?! \n_2d", max_size=200))
def test_any_text_can_be_read(text: str) -> None:
    wanted(asking(text, text))


def test_a_document_is_no_instruction() -> None:
    assert wanted(asking("bounding box " * 10_000)) is None
