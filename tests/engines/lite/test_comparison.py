"""What is different between pictures, in words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tests.engines.lite.fakes import (
    ENGLISH,
    PARK,
    STREET,
    TONGUES,
    FakeModels,
    Painted,
    Scene,
    ask,
    picture_of,
    senses_of,
)
from tests.engines.lite.test_alignment import landscape
from vidi.engines.lite.comparison import compare
from vidi.engines.lite.evidence import Evidence
from vidi.engines.lite.intents import Intent

DIFFERENT = "What is different between these two images?"
CUP = Painted("cup", (750, 80, 920, 250), "red", 0.8)


def compared(*pictures: tuple[NDArray[np.uint8], Scene], question: str = DIFFERENT) -> str:
    models = FakeModels()
    senses = senses_of(models)
    evidences = []
    for pixels, scene in pictures:
        picture = picture_of(pixels, repr(scene))
        models.scenes[picture.digest] = scene
        evidences.append(Evidence(picture, senses))
    intent: Intent = TONGUES.read(question.lower(), ENGLISH)
    return compare(intent, evidences).text


def patched(colour: tuple[int, int, int]) -> NDArray[np.uint8]:
    pixels = landscape().copy()
    pixels[180:220, 20:60] = colour
    return pixels


def test_a_thing_that_was_added_is_named() -> None:
    text = compared((landscape(), Scene()), (patched((255, 0, 0)), Scene((CUP,))))
    assert text == "These are the same photo, but edited. The second has a cup added in the bottom left."


def test_a_thing_that_was_removed_is_named() -> None:
    text = compared((patched((255, 0, 0)), Scene((CUP,))), (landscape(), Scene()))
    assert text.endswith("The second lacks a cup in the bottom left.")


def test_a_thing_that_was_recoloured_is_named() -> None:
    red, blue = patched((220, 10, 10)), patched((10, 10, 220))
    text = compared((red, Scene((CUP,))), (blue, Scene((CUP,))))
    assert text.endswith("The cup in the bottom left changed from red to blue.")


def test_a_change_without_a_known_thing_is_only_placed() -> None:
    text = compared((landscape(), Scene()), (patched((255, 0, 0)), Scene()))
    assert text.endswith("Something has changed in the bottom left.")


def test_a_mirrored_copy_and_a_crop() -> None:
    assert "mirrored left to right" in compared((landscape(), Scene()), (landscape()[:, ::-1], Scene()))
    assert "a crop of the first: it shows the part in the top left" in compared(
        (landscape(), Scene()), (landscape()[:140, :140], Scene())
    )


def test_the_same_twice() -> None:
    assert compared((landscape(), Scene()), (landscape(), Scene())).startswith("I see no difference")
    same = compared((landscape(), Scene()), (landscape(), Scene()), question="Are these the same photo?")
    assert same.startswith("Yes.")


def test_different_pictures_are_told_apart_by_what_they_show() -> None:
    other = replace(PARK, embedding=(0.0, 1.0))
    assert ask([STREET, other], DIFFERENT) == (
        "These are different pictures. The first shows a red bus with two cars on a street. "
        "The second shows a person holding a frisbee next to a brown dog."
    )
    assert ask([STREET, other], "Are these the same scene?").startswith("No. These are different pictures.")


def test_like_pictures_show_much_the_same_scene() -> None:
    text = compared((landscape(), STREET), (landscape(1), STREET))
    assert text.startswith("These two pictures show much the same scene.")
    assert text.endswith("Both show buses and cars.")


def test_more_than_two_are_told_one_by_one() -> None:
    text = ask([STREET, STREET, PARK], DIFFERENT)
    assert text.startswith("Number 1 shows a red bus with two cars on a street. Number 2 shows")
    assert "Number 3 shows a person" in text


def test_a_picture_of_nothing_shows_nothing() -> None:
    text = ask([Scene(background="gray"), STREET], DIFFERENT)
    assert "The first shows nothing that I can make out." in text


def test_one_picture_cannot_be_compared() -> None:
    assert ask(STREET, DIFFERENT) == "There is only one picture to look at."


def test_turkish() -> None:
    assert ask([STREET, replace(PARK, embedding=(0.0, 1.0))], "Bu iki resim arasındaki fark ne?").startswith(
        "Bunlar farklı resimler. Birincisi: sokakta kırmızı bir otobüs ve iki araba."
    )
