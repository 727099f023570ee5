"""Requests taken apart: what is looked for, what is added to it, and what goes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidi.engines.grounding.prompt_rewrite import Reworded, reword


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Detect the dogs and the ball in the image.", Reworded("", "dogs and the ball", "")),
        ("Detect the all of the prominent items in the image.", Reworded("", "", "", anything=True)),
        ("Find everything.", Reworded("", "", "", anything=True)),
        ("Return a bounding box for each car in this photo as JSON.", Reworded("", "car", "")),
        ("Show me the positions of the socks with the face", Reworded("", "socks with the face", "")),
        ("What's the bounding box for the bike in the image?", Reworded("", "bike", "")),
        ("Where is the dog? Give box_2d.", Reworded("", "dog", "")),
        ("Please detect every can and return its bounding box.", Reworded("", "can", "")),
        ("Find: car, bus, person. Use box_2d.", Reworded("", "car, bus, person", "")),
        ("Please give me bounding boxes for: cat, dog", Reworded("", "cat, dog", "")),
        ("Locate the stop sign in this picture (box_2d).", Reworded("", "stop sign", "")),
        ("I need the coordinates of the box around the license plate", Reworded("", "license plate", "")),
        ("Bana köpeklerin sınırlayıcı kutularını ver", Reworded("", "köpeklerin", "")),
        ("Bu fotoğraftaki kuşları bul ve sınırlayıcı kutularını döndür", Reworded("", "kuşları", "")),
        ("Detect the cats. Detect the dogs.", Reworded("", "cats, dogs", "")),
        (
            "This is my shelf. Find the cans. Ignore tins.",
            Reworded("This is my shelf.", "cans", "Ignore tins."),
        ),
        ("Point to no more than 10 items in the image.", Reworded("", "", "No more than 10.", anything=True)),
        ("Find all socks and label them with emojis", Reworded("", "socks", "Label them with emojis.")),
        ("Detect all stains with their type.", Reworded("", "stains", "With their type.")),
        ("Detect the people wearing masks.", Reworded("", "people wearing masks", "")),
        ("Rate each from 0 to 100.", Reworded("Rate each from 0 to 100.", "", "")),
        ("Which of these are dangerous?", Reworded("Which of these are dangerous?", "", "")),
        ("Limit to 25 objects.", Reworded("Limit to 25 objects.", "", "")),
        ("The box_2d should be [ymin, xmin, ymax, xmax] normalized to 0-1000.", Reworded("", "", "")),
        ("Return bounding boxes as a JSON array with labels.", Reworded("", "", "")),
        ("Never return masks or code fencing.", Reworded("", "", "")),
        ('Answer so:\n[{"point": [y, x],\n  "label": "the item"}, ...]', Reworded("Answer so:", "", "")),
        ("Resimdeki tüm arabaların sınırlayıcı kutularını bul.", Reworded("", "arabaların", "")),
        ("Resimdeki tüm belirgin nesneleri algıla.", Reworded("", "", "", anything=True)),
        ("Resimdeki kedileri algıla. En fazla 3 tane.", Reworded("", "kedileri", "En fazla 3 tane.")),
        ("", Reworded("", "", "")),
    ],
)
def test_a_request_is_taken_apart(text: str, expected: Reworded) -> None:
    assert reword(text) == expected


@given(st.text() | st.text(alphabet="detect find the [](){}.,?! \n\"'", max_size=300))
def test_any_text_can_be_taken_apart(text: str) -> None:
    reword(text)
