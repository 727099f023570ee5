"""What is different between pictures, in words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.engines.lite.fakes import (
    ENGLISH,
    LANGUAGES,
    PARK,
    STREET,
    FakeModels,
    Painted,
    Scene,
    ask,
    picture_of,
    vision_of,
)
from tests.engines.lite.vision.test_alignment import landscape
from vidi.domain.geometry import Box
from vidi.engines.lite.answers.compare import compare
from vidi.engines.lite.evidence import Evidence
from vidi.engines.lite.language.intents import Intent
from vidi.engines.lite.vision.ocr import TextLine

DIFFERENT = "What is different between these two images?"
CUP = Painted("cup", (750, 80, 920, 250), "red", 0.8)


def compared(
    *pictures: tuple[NDArray[np.uint8], Scene], question: str = DIFFERENT, reads: bool = False
) -> str:
    models = FakeModels()
    vision = vision_of(models, models if reads else None)
    evidences = []
    for pixels, scene in pictures:
        picture = picture_of(pixels, repr(scene))
        models.scenes[picture.digest] = scene
        evidences.append(Evidence(picture, vision))
    intent: Intent = LANGUAGES.parse_text(question.lower(), ENGLISH)
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


def dyed(part: slice = slice(40, 120)) -> NDArray[np.uint8]:
    """Red and blue swapped in a part."""
    pixels = landscape().copy()
    pixels[part, part] = pixels[part, part, ::-1]
    return pixels


def test_other_colours_are_not_taken_for_another_thing() -> None:
    motorcycle = Painted("motorcycle", (170, 170, 500, 500), "blue", 0.9)
    text = compared((landscape(), Scene()), (dyed(), Scene((motorcycle,))))
    assert "motorcycle added" not in text
    assert "changed" in text


def test_letters_are_looked_for_where_a_thing_is_doubtful() -> None:
    line = TextLine("SALE TODAY", 0.9, Box(*CUP.box))
    text = compared(
        (landscape(), Scene()),
        (patched((255, 0, 0)), Scene((replace(CUP, score=0.3),), text=(line,))),
        reads=True,
    )
    assert text.endswith('The text "SALE TODAY" was added in the bottom left.')
    text = compared((landscape(), Scene()), (patched((255, 0, 0)), Scene((CUP,), text=(line,))), reads=True)
    assert text.endswith("The second has a cup added in the bottom left.")


@pytest.mark.parametrize(
    ("part", "place"),
    [
        (np.s_[:, 110:], "the part on the right"),
        (np.s_[20:220, 20:220], "the middle part"),
        (np.s_[80:, 6:230], "the part at the bottom"),
    ],
)
def test_a_crop_is_told_by_what_was_cut(part: tuple[slice, slice], place: str) -> None:
    assert compared((landscape(), Scene()), (landscape()[part], Scene())).endswith(f"it shows {place}.")


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
        "These are different pictures. The first shows a bus with two cars on a street. "
        "The second shows a person holding a frisbee next to a dog."
    )
    assert ask([STREET, other], "Are these the same scene?").startswith("No. These are different pictures.")


def test_like_pictures_show_much_the_same_scene() -> None:
    text = compared((landscape(), STREET), (landscape(1), STREET))
    assert text.startswith("These two pictures show much the same scene.")
    assert text.endswith("Both show buses and cars.")


def test_more_than_two_are_told_one_by_one() -> None:
    text = ask([STREET, STREET, PARK], DIFFERENT)
    assert text.startswith("Number 1 shows a bus with two cars on a street. Number 2 shows")
    assert "Number 3 shows a person" in text


def test_a_picture_of_nothing_shows_nothing() -> None:
    text = ask([Scene(background="gray"), STREET], DIFFERENT)
    assert "The first shows nothing that I can make out." in text


def test_one_picture_cannot_be_compared() -> None:
    assert ask(STREET, DIFFERENT) == "There is only one picture to look at."


def test_turkish() -> None:
    assert ask([STREET, replace(PARK, embedding=(0.0, 1.0))], "Bu iki resim arasındaki fark ne?").startswith(
        "Bunlar farklı resimler. Birincisi: sokakta bir otobüs ve iki araba."
    )
