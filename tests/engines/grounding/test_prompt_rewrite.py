"""Requests taken apart: what is looked for, what is added to it, and what goes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidi.engines.grounding.prompt_rewrite import RewrittenPrompt, rewrite


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Detect the dogs and the ball in the image.", RewrittenPrompt("", "dogs and the ball", "")),
        ("Detect the all of the prominent items in the image.", RewrittenPrompt("", "", "", anything=True)),
        ("Find everything.", RewrittenPrompt("", "", "", anything=True)),
        ("Return a bounding box for each car in this photo as JSON.", RewrittenPrompt("", "car", "")),
        ("Show me the positions of the socks with the face", RewrittenPrompt("", "socks with the face", "")),
        ("What's the bounding box for the bike in the image?", RewrittenPrompt("", "bike", "")),
        ("Where is the dog? Give box_2d.", RewrittenPrompt("", "dog", "")),
        ("Please detect every can and return its bounding box.", RewrittenPrompt("", "can", "")),
        ("Find: car, bus, person. Use box_2d.", RewrittenPrompt("", "car, bus, person", "")),
        ("Please give me bounding boxes for: cat, dog", RewrittenPrompt("", "cat, dog", "")),
        ("Locate the stop sign in this picture (box_2d).", RewrittenPrompt("", "stop sign", "")),
        (
            "I need the coordinates of the box around the license plate",
            RewrittenPrompt("", "license plate", ""),
        ),
        ("Bana köpeklerin sınırlayıcı kutularını ver", RewrittenPrompt("", "köpeklerin", "")),
        ("Bu fotoğraftaki kuşları bul ve sınırlayıcı kutularını döndür", RewrittenPrompt("", "kuşları", "")),
        ("Detect the cats. Detect the dogs.", RewrittenPrompt("", "cats, dogs", "")),
        (
            "This is my shelf. Find the cans. Ignore tins.",
            RewrittenPrompt("This is my shelf.", "cans", "Ignore tins."),
        ),
        (
            "Point to no more than 10 items in the image.",
            RewrittenPrompt("", "", "No more than 10.", anything=True),
        ),
        (
            "Find all socks and label them with emojis",
            RewrittenPrompt("", "socks", "Label them with emojis."),
        ),
        ("Detect all stains with their type.", RewrittenPrompt("", "stains", "With their type.")),
        ("Detect the people wearing masks.", RewrittenPrompt("", "people wearing masks", "")),
        ("Rate each from 0 to 100.", RewrittenPrompt("Rate each from 0 to 100.", "", "")),
        ("Which of these are dangerous?", RewrittenPrompt("Which of these are dangerous?", "", "")),
        ("Limit to 25 objects.", RewrittenPrompt("Limit to 25 objects.", "", "")),
        ("The box_2d should be [ymin, xmin, ymax, xmax] normalized to 0-1000.", RewrittenPrompt("", "", "")),
        ("Return bounding boxes as a JSON array with labels.", RewrittenPrompt("", "", "")),
        ("Never return masks or code fencing.", RewrittenPrompt("", "", "")),
        (
            'Answer so:\n[{"point": [y, x],\n  "label": "the item"}, ...]',
            RewrittenPrompt("Answer so:", "", ""),
        ),
        ("Resimdeki tüm arabaların sınırlayıcı kutularını bul.", RewrittenPrompt("", "arabaların", "")),
        ("Resimdeki tüm belirgin nesneleri algıla.", RewrittenPrompt("", "", "", anything=True)),
        ("Resimdeki kedileri algıla. En fazla 3 tane.", RewrittenPrompt("", "kedileri", "En fazla 3 tane.")),
        ("", RewrittenPrompt("", "", "")),
    ],
)
def test_a_request_is_taken_apart(text: str, expected: RewrittenPrompt) -> None:
    assert rewrite(text) == expected


@given(st.text() | st.text(alphabet="detect find the [](){}.,?! \n\"'", max_size=300))
def test_any_text_can_be_taken_apart(text: str) -> None:
    rewrite(text)
