"""Which objects a sentence states, and whether they are there."""

import math
from collections.abc import Sequence

import pytest

from bench.vocabulary import Faithfulness, Vocabulary

VOCABULARY = Vocabulary.load()


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("A man rides two horses.", ["person", "horse"]),
        ("Three women, knives and a couch; one more woman.", ["person", "knife", "couch"]),
        ("Puppies and buses on benches", ["dog", "bus", "bench"]),
        ("A hot dog.", ["hot dog"]),
        ("A dog lies on the sofa next to a cell phone.", ["dog", "couch", "cell phone"]),
        ("A roll of toilet paper at the bus stop.", []),
        ("A stop sign and a wine glass.", ["stop sign", "wine glass"]),
        ("Some animals and vehicles.", ["animal", "vehicle"]),
        ("No dog, not a cat and without any horses.", []),
        ("A mountain above a lake.", []),
        ("An orange and a banana.", ["orange", "banana"]),
        ("Two oranges.", ["orange"]),
        ("An orange cat.", ["cat"]),
        ("An orange and white bus.", ["bus"]),
        ("The bus is orange.", ["bus"]),
        ("Orange.", []),
        ("", []),
    ],
)
def test_stated(text: str, names: list[str]) -> None:
    assert [stated.name for stated in VOCABULARY.stated(text)] == names


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("Sofas", "couch"),
        ("TV", "tv"),
        ("dining table", "dining table"),
        ("Lighthouse ", "lighthouse"),
        ("animal", "animal"),
    ],
)
def test_class_of(label: str, name: str) -> None:
    assert VOCABULARY.class_of(label) == name


@pytest.mark.parametrize(
    ("text", "labels", "captions", "expected"),
    [
        ("A dog and a cat.", ["dog"], [], Faithfulness(1, 2)),
        ("A puppy, a dog, dogs.", ["dog"], [], Faithfulness(1, 1)),  # one object, stated thrice
        ("An animal in a vehicle.", ["dog"], [], Faithfulness(1, 2)),
        ("A cat on a sofa.", ["cat"], ["a kitten sleeps on a couch"], Faithfulness(2, 2)),
        ("Food.", [], ["a table full of food"], Faithfulness(1, 1)),
        ("A pizza.", [], ["a table full of food"], Faithfulness(0, 1)),  # a hypernym proves no class
        ("A dog.", [], ["there is no dog"], Faithfulness(0, 1)),
        ("A hill.", ["dog"], [], Faithfulness(0, 0)),
        ("", ["dog"], [], Faithfulness(0, 0)),
    ],
)
def test_faithfulness(
    text: str, labels: Sequence[str], captions: Sequence[str], expected: Faithfulness
) -> None:
    assert VOCABULARY.faithfulness(text, labels, captions) == expected


def test_faithfulness_adds_up_by_objects_not_by_answers() -> None:
    total = Faithfulness(1, 1) + Faithfulness(1, 3)
    assert total == Faithfulness(2, 4)
    assert total.share == 0.5
    assert math.isnan(Faithfulness(0, 0).share)


def test_the_table_knows_the_80_classes_and_every_hypernym_names_classes() -> None:
    single = {stated.name for stated in VOCABULARY.phrases.values() if stated and len(stated.classes) == 1}
    named = {name for stated in VOCABULARY.phrases.values() if stated for name in stated.classes}
    assert len(named) == 80
    assert named <= single
