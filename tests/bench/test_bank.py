"""Questions made from annotations and captions."""

import pytest

from bench.bank import bank
from bench.dataset import Photo, Question, Thing
from bench.phrasing import phrasings
from vidi.engines.lite.vision.detector import COCO_CLASSES

DOG = Photo(
    "a.jpg",
    900,
    900,
    ("a black dog on a street", "a man holding a black dog in the street", "a man holding a leash"),
    (Thing("dog", (0, 0, 290, 290), False), Thing("person", (300, 300, 800, 800), False)),
)
CARS = Photo(
    "b.jpg",
    900,
    900,
    ("cars",),
    (
        *(Thing("car", (at, 300, at + 80, 500), False) for at in (0, 300, 600)),
        Thing("bus", (0, 0, 2, 2), False),
    ),
)
CROWD = Photo("c.jpg", 900, 900, ("people",), (Thing("person", (0, 0, 900, 900), True),))


def of(kind: str, file: str) -> dict[str, Question]:
    return {
        each.ask: each for each in bank((DOG, CARS, CROWD)) if (each.kind, each.photos[0]) == (kind, file)
    }


def test_what_is_there_and_what_is_not() -> None:
    asked = of("exists", "a.jpg")
    assert asked["Is there a dog in this picture?"].accept == (True,)
    assert asked["Is there a car in this picture?"].accept == (False,)
    assert "Is there a bus in this picture?" not in of("exists", "b.jpg"), "too small to be asked after"


def test_what_a_caption_names_is_not_absent() -> None:
    leash = Photo("d.jpg", 9, 9, ("a car and a dog",), ())
    asked = {each.ask for each in bank((DOG, CARS, leash)) if each.photos == ("d.jpg",)}
    assert not {ask for ask in asked if "dog" in ask or "car" in ask}


def test_counts_leave_crowds_out() -> None:
    assert of("how many", "b.jpg")["How many cars are there?"].accept == (3,)
    assert of("how many", "c.jpg") == {}


def test_places_by_thirds() -> None:
    (dog,) = [each for ask, each in of("where", "a.jpg").items() if "dog" in ask]
    assert dog.accept == (r"\b(?:left)\b",)
    assert dog.reject == (r"\b(?:right)\b",)


def test_what_two_captions_say() -> None:
    assert of("colour", "a.jpg")["What color is the dog?"].accept == (r"\b(?:black)\b",)
    assert "street" in str(of("room", "a.jpg")["Where was this photo taken?"].accept[0])
    assert "holding" in str(of("doing", "a.jpg")["What is the person doing?"].accept[0])
    assert of("colour", "b.jpg") == of("doing", "b.jpg") == {}


def test_a_colour_that_one_caption_says_of_the_only_such_thing() -> None:
    told = ("a black and white cat by two red chairs",)
    things = (Thing("cat", (0, 0, 90, 90), False), *(Thing("chair", (at, 0, 9, 9), False) for at in (0, 1)))
    asked = [each for each in bank((Photo("e.jpg", 99, 99, told, things),)) if each.kind == "colour"]
    assert [each.ask for each in asked] == ["What color is the cat?"]
    assert set(str(asked[0].accept[0])[5:-3].split("|")) == {"black", "white"}


def test_boxes_of_what_is_not_there() -> None:
    absent, unknown = of("absent", "a.jpg"), of("absent, no class", "a.jpg")
    assert "Detect the dogs." not in absent
    assert list(unknown) == [f"Detect the {phrasings()['en'].unknown[0]}."]
    assert all(each.json_wanted for each in absent.values())


@pytest.mark.parametrize("language", list(phrasings()))
def test_every_language_asks_the_same(language: str) -> None:
    words = phrasings()[language]
    english = bank((DOG, CARS, CROWD))
    asked = bank((DOG, CARS, CROWD), language)
    assert [each.photos for each in asked] == [each.photos for each in english]
    assert [each.kind.split(", tr")[0].split(", es")[0] for each in asked] == [each.kind for each in english]
    assert {each.language for each in asked} == {language}
    assert set(words.nouns) == set(COCO_CLASSES)
    assert len(words.unknown) == len(phrasings()["en"].unknown)


def test_turkish_endings_follow_the_vowels() -> None:
    words = phrasings()["tr"]
    assert words.ask("detect", "dog") == "köpekleri tespit et."
    assert words.ask("detect", "horse") == "atları tespit et."
    assert words.ask("detect", "handbag") == "el çantalarını tespit et."
    assert words.ask("detect", "tennis racket") == "tenis raketlerini tespit et."


def test_spanish_words_agree() -> None:
    words = phrasings()["es"]
    assert words.ask("how_many", "chair") == "¿Cuántas sillas hay?"
    assert words.ask("where", "scissors") == "¿Dónde están las tijeras?"
