"""Schemas filled from evidence: always valid, never made up."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings

from tests.conftest import examples
from tests.engines.lite.fakes import (
    KITCHEN,
    LANGUAGES,
    NOTHING,
    PARK,
    STREET,
    Painted,
    Scene,
    ask,
    evidence_of,
)
from tests.engines.schemas import schemas
from vidi.domain.errors import InvalidRequest
from vidi.domain.geometry import Box
from vidi.domain.prompt import Output, TextFormat
from vidi.domain.schema import JsonValue, Kind, Property, Schema
from vidi.engines.lite.answers.schema_filler import fill
from vidi.engines.lite.vision.ocr import TextLine
from vidi.engines.schemas import Unfillable
from vidi.engines.validation import validate


def of(*kinds: Kind) -> Schema:
    return Schema(kinds=frozenset(kinds))


TEXT, NUMBER, WHOLE, TRUTH = of(Kind.STRING), of(Kind.NUMBER), of(Kind.INTEGER), of(Kind.BOOLEAN)
MAYBE_TEXT = of(Kind.STRING, Kind.NULL)


def array(items: Schema, least: int | None = None, most: int | None = None) -> Schema:
    return Schema(kinds=frozenset({Kind.ARRAY}), items=items, min_items=least, max_items=most)


def members(**schemas_by_name: Schema) -> Schema:
    return Schema(
        kinds=frozenset({Kind.OBJECT}),
        properties=tuple(Property(name, schema, True) for name, schema in schemas_by_name.items()),
    )


def options(*words: str) -> Schema:
    return Schema(kinds=frozenset({Kind.STRING}), enum=words)


BOX = array(WHOLE, 4, 4)


def filled(scene: Scene, schema: Schema, prompt: str = "Describe this.", *, reads: bool = False) -> JsonValue:
    text = ask(scene, prompt, output=Output(TextFormat.JSON, schema), reads=reads)
    validate(text, schema)
    value: JsonValue = json.loads(text)
    return value


@settings(max_examples=examples(150), suppress_health_check=[HealthCheck.too_slow])
@given(schemas())
def test_any_schema_is_filled_validly_or_refused(schema: Schema) -> None:
    intent = LANGUAGES.parse_text("what is in this picture?", LANGUAGES.usual)
    try:
        value = fill(schema, intent, [PARK_EVIDENCE], LANGUAGES)
    except Unfillable as refusal:
        assert "$" in refusal.message
        return
    validate(json.dumps(value), schema)


PARK_EVIDENCE = evidence_of(PARK)


def test_boxes_with_labels() -> None:
    schema = array(members(box_2d=BOX, label=TEXT))
    assert filled(STREET, schema, "Detect the cars") == [
        {"box_2d": [600, 20, 700, 150], "label": "car"},
        {"box_2d": [600, 850, 700, 980], "label": "car"},
    ]


def test_the_order_of_members_is_the_schemas() -> None:
    value = filled(STREET, array(members(label=TEXT, box_2d=BOX)), "Detect the bus")
    assert isinstance(value, list)
    assert isinstance(value[0], dict)
    assert list(value[0]) == ["label", "box_2d"]


def test_boxes_as_edges_and_as_fractions() -> None:
    edges = members(label=TEXT, bounding_box=members(xmin=WHOLE, ymin=WHOLE, xmax=WHOLE, ymax=WHOLE))
    assert filled(STREET, array(edges), "Detect the bus") == [
        {"label": "bus", "bounding_box": {"xmin": 300, "ymin": 300, "xmax": 800, "ymax": 700}}
    ]
    unit = array(replace(NUMBER, maximum=1.0), 4, 4)
    assert filled(STREET, array(members(box_2d=unit)), "Detect the bus") == [{"box_2d": [0.3, 0.3, 0.7, 0.8]}]


@pytest.mark.parametrize("schema", [array(WHOLE), BOX])
@pytest.mark.parametrize(
    "name",
    [
        *("box_2d", "box2d", "box", "box_coordinates", "bbox", "bbox_2d", "bbox2d", "bbox2D"),
        *("bounding_box", "boundingBox", "bounding_box_2d", "boundingBox2D", "boundingbox"),
        *("bounding_rect", "bounding_rectangle", "object_bbox", "bus_box", "text_box"),
    ],
)
def test_boxes_under_every_name(name: str, schema: Schema) -> None:
    value = filled(STREET, array(members(**{name: schema})), "Detect the bus")
    assert value == [{name: [300, 300, 700, 800]}]


@pytest.mark.parametrize("schema", [array(WHOLE), array(WHOLE, 2, 2)])
@pytest.mark.parametrize(
    "name", ["point", "point_2d", "point2d", "keypoint", "point_coordinates", "bus_point"]
)
def test_points_under_every_name(name: str, schema: Schema) -> None:
    assert filled(STREET, array(members(**{name: schema})), "Point to the bus") == [{name: [500, 550]}]


@pytest.mark.parametrize("name", ["position", "location", "region", "rect", "coordinates", "coords"])
def test_vague_names_are_boxes_by_their_shape(name: str) -> None:
    assert filled(STREET, array(members(**{name: BOX})), "Detect the bus") == [{name: [300, 300, 700, 800]}]


@pytest.mark.parametrize(
    ("names", "numbers"),
    [
        (("ymin", "xmin", "ymax", "xmax"), (300, 300, 700, 800)),
        (("y_min", "x_min", "y_max", "x_max"), (300, 300, 700, 800)),
        (("y1", "x1", "y2", "x2"), (300, 300, 700, 800)),
        (("y0", "x0", "y1", "x1"), (300, 300, 700, 800)),
        (("top", "left", "bottom", "right"), (300, 300, 700, 800)),
        (("y", "x", "height", "width"), (300, 300, 400, 500)),
        (("y", "x", "h", "w"), (300, 300, 400, 500)),
        (("top", "left", "height", "width"), (300, 300, 400, 500)),
    ],
)
def test_edges_under_every_name(names: tuple[str, ...], numbers: tuple[int, ...]) -> None:
    edges = members(**dict.fromkeys(names, WHOLE))
    value = dict(zip(names, numbers, strict=True))
    assert filled(STREET, array(edges), "Detect the bus") == [value]
    assert filled(STREET, array(members(bbox_2d=edges)), "Detect the bus") == [{"bbox_2d": value}]


def test_points_as_members_and_in_lists() -> None:
    pair = members(x=WHOLE, y=WHOLE)
    assert filled(STREET, array(members(point=pair)), "Point to the bus") == [{"point": {"x": 550, "y": 500}}]
    assert filled(STREET, members(points=array(array(WHOLE))), "Point to the bus") == {"points": [[500, 550]]}


def test_a_place_is_that_of_the_thing_its_name_speaks_of() -> None:
    schema = members(dog_bbox=array(WHOLE), cat_bbox=array(WHOLE))
    assert filled(PARK, schema) == {"dog_bbox": [500, 550, 800, 750], "cat_bbox": []}


def test_a_described_shape_may_name_a_place() -> None:
    text = ask(STREET, "Return JSON with keys label, bbox2d.")
    assert json.loads(text) == {"label": "bus", "bbox2d": [300, 300, 700, 800]}


def test_points_and_scores() -> None:
    schema = array(members(point=array(WHOLE, 2, 2), label=TEXT, confidence=NUMBER))
    assert filled(PARK, schema, "Point to the dog") == [
        {"point": [650, 650], "label": "dog", "confidence": 0.8}
    ]


def test_a_picture_in_fields() -> None:
    schema = members(
        caption=TEXT,
        place=options("indoors", "outdoors", "unknown"),
        has_people=TRUTH,
        car_count=WHOLE,
        bus_color=TEXT,
        main_colour=MAYBE_TEXT,
        tags=array(TEXT, most=2),
        license_plate=MAYBE_TEXT,
        width=WHOLE,
    )
    assert filled(STREET, schema) == {
        "caption": "A bus with two cars on a street.",
        "place": "outdoors",
        "has_people": False,
        "car_count": 2,
        "bus_color": "red",
        "main_colour": "red",
        "tags": ["bus", "car"],
        "license_plate": None,
        "width": 200,
    }


def test_one_element_a_class_where_things_are_counted() -> None:
    schema = members(items=array(members(label=TEXT, count=WHOLE)))
    assert filled(STREET, schema) == {"items": [{"label": "bus", "count": 1}, {"label": "car", "count": 2}]}


def test_lists_of_named_things() -> None:
    schema = members(animals=array(TEXT), vehicles=array(TEXT), objects=array(TEXT))
    assert filled(PARK, schema) == {
        "animals": ["dog"],
        "vehicles": [],
        "objects": ["person", "dog", "frisbee"],
    }


def test_an_object_for_one_thing() -> None:
    schema = members(dog=members(color=TEXT, position=TEXT), zebra=of(Kind.NULL, Kind.OBJECT))
    assert filled(PARK, schema) == {"dog": {"color": "brown", "position": "middle"}, "zebra": None}


@pytest.mark.parametrize(
    ("prompt", "schema", "value"),
    [
        ("How many cars are there?", WHOLE, 2),
        ("How many cars are there?", members(answer=WHOLE), {"answer": 2}),
        ("Is there a dog?", TRUTH, False),
        ("Is there a bus?", members(answer=TRUTH), {"answer": True}),
        ("Is there a bus?", options("yes", "no"), "yes"),
        ("What color is the bus?", options("blue", "red", "green"), "red"),
        ("What color is the bus?", members(answer=TEXT), {"answer": "The bus is red."}),
        ("Caption this image.", TEXT, "A bus with two cars on a street."),
        ("What is it?", options("bus", "cat"), "bus"),
    ],
)
def test_the_prompts_question_is_answered_in_shape(prompt: str, schema: Schema, value: JsonValue) -> None:
    assert filled(STREET, schema, prompt) == value


def test_a_description_may_be_the_question() -> None:
    schema = members(q1=replace(TEXT, description="What color is the bus?"))
    assert filled(STREET, schema) == {"q1": "red"}


def test_what_is_not_known_says_nothing() -> None:
    schema = members(
        text=MAYBE_TEXT, price=of(Kind.NUMBER, Kind.NULL), owner=TEXT, taken=replace(TEXT, format="date")
    )
    assert filled(STREET, schema) == {"text": None, "price": None, "owner": "", "taken": "0001-01-01"}
    optional = Schema(kinds=frozenset({Kind.OBJECT}), properties=(Property("owner", TEXT, False),))
    assert filled(STREET, optional) == {}


def test_text_is_read_where_there_is_a_reader() -> None:
    sign = replace(STREET, text=(TextLine("STOP", 0.9, Box(0, 0, 10, 10)),))
    assert filled(sign, members(text=TEXT), reads=True) == {"text": "STOP"}


def test_limits_on_lists_and_texts_hold() -> None:
    assert filled(STREET, array(TEXT, most=1), "List the objects") == ["bus"]
    assert filled(STREET, replace(TEXT, max_length=9), "Caption this.") == "A bus"
    assert filled(STREET, replace(TEXT, min_length=60), "Caption this.") == (
        "A bus with two cars on a street.".ljust(60)
    )


def test_more_things_than_are_seen_are_not_made_up() -> None:
    with pytest.raises(InvalidRequest, match="minItems is 5, but 3"):
        filled(STREET, array(members(label=TEXT, box_2d=BOX), least=5), "Detect all items")


@pytest.mark.parametrize("words", [(), ("a" * 3,)])
def test_an_enum_of_nothing_is_refused(words: tuple[str, ...]) -> None:
    schema = Schema(kinds=frozenset({Kind.INTEGER}), enum=words)
    with pytest.raises(InvalidRequest, match="enum"):
        filled(STREET, schema)


def test_enum_answers_are_bare() -> None:
    output = Output(TextFormat.ENUM, options("KITCHEN", "STREET", "OTHER"))
    assert ask(STREET, "What is this?", output=output) == "STREET"
    assert ask(NOTHING, "What is this?", output=output) == "OTHER"


def test_lists_of_options_hold_those_that_fit() -> None:
    schema = array(options("dog", "cat", "person", "car"))
    assert filled(PARK, schema, "Which of these are there?") == ["person", "dog"]


def test_alternatives_take_what_is_known() -> None:
    either = Schema(any_of=(of(Kind.NULL), TEXT))
    assert filled(STREET, members(caption=either, owner=either)) == {
        "caption": "A bus with two cars on a street.",
        "owner": None,
    }


def test_one_element_a_picture() -> None:
    schema = array(members(caption=TEXT))
    text = ask([STREET, KITCHEN], "Describe each image.", output=Output(TextFormat.JSON, schema))
    assert [each["caption"][:5] for each in json.loads(text)] == ["A bus", "A kit"]


def test_without_a_picture_nothing_is_claimed() -> None:
    text = ask([], "Detect the dogs", output=Output(TextFormat.JSON, array(members(label=TEXT, box_2d=BOX))))
    assert text == "[]"


def test_a_picture_with_nothing_known_still_fills_the_shape() -> None:
    schema = members(caption=TEXT, objects=array(members(label=TEXT, box_2d=BOX)), count=WHOLE, has_dog=TRUTH)
    value = filled(NOTHING, schema)
    assert isinstance(value, dict)
    assert (value["objects"], value["count"], value["has_dog"]) == ([], 0, False)


def test_confident_things_only() -> None:
    doubtful = Scene((Painted("dog", (100, 100, 300, 300), score=0.2),))
    assert filled(doubtful, array(members(label=TEXT)), "List objects") == []


def test_fields_that_people_ask_for() -> None:
    schema = members(
        scene=TEXT,
        setting=TEXT,
        mood=TEXT,
        weather=MAYBE_TEXT,
        what_is_happening=TEXT,
        title=TEXT,
        main_subject=TEXT,
        largest_object=TEXT,
        product_category=TEXT,
        observations=array(TEXT),
        conclusion=TEXT,
    )
    assert filled(STREET, schema) == {
        "scene": "street",
        "setting": "street",
        "mood": "unknown",
        "weather": None,
        "what_is_happening": "A bus with two cars on a street.",
        "title": "A bus with two cars on a street.",
        "main_subject": "bus",
        "largest_object": "bus",
        "product_category": "vehicle",
        "observations": [
            "A bus with two cars on a street.",
            "There is a red bus in the middle.",
            "There are two cars: one on the left and one on the right.",
            "This looks like it was taken outdoors.",
            "The main colors are gray and red.",
        ],
        "conclusion": "A bus with two cars on a street.",
    }


def test_a_truth_needs_evidence_for_all_that_its_name_says() -> None:
    names = ("has_dog", "is_dog_asleep", "has_black_dog", "has_brown_dog", "has_cat", "is_cat_asleep")
    value = filled(PARK, members(**dict.fromkeys(names, of(Kind.BOOLEAN, Kind.NULL))))
    assert value == dict(zip(names, (True, None, False, True, False, False), strict=True))


def test_has_text_reads() -> None:
    schema = members(has_text=TRUTH, contains_text=TRUTH)
    sign = replace(STREET, text=(TextLine("STOP", 0.9, Box(0, 0, 10, 10)),))
    assert filled(sign, schema, reads=True) == {"has_text": True, "contains_text": True}
    assert filled(STREET, schema, reads=True) == {"has_text": False, "contains_text": False}


def test_of_the_one_thing_that_is_named_nothing_is_told_by_another() -> None:
    schema = members(color=MAYBE_TEXT, label=MAYBE_TEXT)
    assert filled(STREET, schema, "Describe the dog.") == {"color": None, "label": None}
    assert filled(PARK, schema, "Describe the dog.") == {"color": "brown", "label": "dog"}


def two(schema: Schema, prompt: str, *scenes: Scene) -> JsonValue:
    value: JsonValue = json.loads(ask(scenes, prompt, output=Output(TextFormat.JSON, schema)))
    return value


def test_one_entry_a_picture_wherever_the_list_stands() -> None:
    inner = array(members(image=WHOLE, caption=TEXT, has_dog=TRUTH))
    rows = [
        {"image": 1, "caption": "A bus with two cars on a street.", "has_dog": False},
        {"image": 2, "caption": "A person with a dog and a frisbee.", "has_dog": True},
    ]
    told = two(members(images=inner), "Describe each image.", STREET, PARK)
    assert isinstance(told, dict)
    images = told["images"]
    assert isinstance(images, list)
    assert [row["image"] for row in images if isinstance(row, dict)] == [1, 2]
    assert [row["has_dog"] for row in images if isinstance(row, dict)] == [False, True]
    assert two(inner, "Describe each image.", STREET, PARK) == images
    assert rows[0] == images[0]
    assert two(array(TRUTH), "Is there a dog in each image?", STREET, PARK) == [False, True]
    assert two(array(WHOLE), "How many cars are in each image?", STREET, PARK, NOTHING) == [2, 0, 0]
    captions = two(array(TEXT), "Caption these images.", STREET, PARK, NOTHING)
    assert isinstance(captions, list)
    assert len(captions) == 3


def test_boxes_of_all_pictures_where_each_says_which() -> None:
    schema = array(members(image_number=WHOLE, label=TEXT, box_2d=BOX))
    told = two(schema, "Detect the cars and dogs", STREET, PARK)
    assert isinstance(told, list)
    named = [(each["image_number"], each["label"]) for each in told if isinstance(each, dict)]
    assert named == [(1, "car"), (1, "car"), (2, "dog")]


def test_a_member_named_for_a_picture_is_about_it() -> None:
    each = members(caption=TEXT, dog_count=WHOLE)
    told = two(members(first_image=each, image_2=each), "Describe them.", STREET, PARK)
    assert isinstance(told, dict)
    assert [value["dog_count"] for value in told.values() if isinstance(value, dict)] == [0, 1]


def test_differences_and_what_is_common() -> None:
    schema = members(same_place=TRUTH, differences=array(TEXT), similarities=array(TEXT))
    value = two(schema, "Compare the two.", STREET, replace(STREET, embedding=(0.0, 1.0), background="green"))
    assert isinstance(value, dict)
    assert value["similarities"] == ["buses", "cars"]


def test_relations() -> None:
    schema = array(members(subject=TEXT, relation=TEXT, object=TEXT))
    held = Scene(
        (Painted("person", (100, 300, 900, 600)), Painted("frisbee", (300, 560, 380, 660), "blue")),
    )
    assert filled(held, schema, "Which relations are there?") == [
        {"subject": "person", "relation": "holding", "object": "frisbee"}
    ]


@pytest.mark.parametrize(
    ("prompt", "letter"),
    [
        ("Which vehicle is it?\nA) cat\nB) bus\nC) dog", "B"),
        ("How many cars are there? A. 1 B. 2 C. 3", "B"),
        ("Is there a dog? A) Yes B) No", "B"),
        ("What color is the bus? A: blue, B: green, C: red", "C"),
        ("What is shown?\nA) a beach\nB) a kitchen\nC) a street", "C"),
        ("How many cars are there? A) one B) two C) three", "B"),
    ],
)
def test_letters_stand_for_options(prompt: str, letter: str) -> None:
    assert filled(STREET, members(answer=options("A", "B", "C")), prompt) == {"answer": letter}
    assert ask(STREET, prompt).startswith(f"{letter}. ")
    assert ask(STREET, f"{prompt}\nAnswer with the letter.") == letter


def test_members_named_for_pictures_and_sides() -> None:
    flat = members(image_1_caption=TEXT, second_image_dog_count=WHOLE)
    assert two(flat, "Describe them.", STREET, PARK) == {
        "image_1_caption": "A bus with two cars on a street.",
        "second_image_dog_count": 1,
    }
    sides = members(left_object=MAYBE_TEXT, center_object=MAYBE_TEXT, top_object=MAYBE_TEXT)
    assert filled(STREET, sides) == {"left_object": "car", "center_object": "bus", "top_object": None}


def test_fields_in_turkish_and_spanish() -> None:
    schema = members(aciklama=TEXT, nesneler=array(TEXT), araba_sayisi=WHOLE, kopek_var_mi=TRUTH, renk=TEXT)
    assert filled(STREET, schema, "Bu resmi incele") == {
        "aciklama": ask(STREET, "Bu resmi açıkla"),
        "nesneler": ["otobüs", "araba"],
        "araba_sayisi": 2,
        "kopek_var_mi": False,
        "renk": "kırmızı",
    }
    schema = members(titulo=TEXT, objetos=array(TEXT), numero_de_coches=WHOLE, hay_perro=TRUTH, lugar=TEXT)
    assert filled(STREET, schema, "Analiza esta imagen") == {
        "titulo": "Un autobús con dos coches en una calle.",
        "objetos": ["autobús", "coche"],
        "numero_de_coches": 2,
        "hay_perro": False,
        "lugar": "calle",
    }
