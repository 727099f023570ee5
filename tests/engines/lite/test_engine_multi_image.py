"""One answer over several pictures."""

from __future__ import annotations

import pytest

from tests.engines.lite.fakes import KITCHEN, PARK, STREET, Scene, ask


@pytest.mark.parametrize(
    ("scenes", "question", "answer"),
    [
        ([STREET, PARK], "Which of these pictures has a dog in it?", "The second."),
        ([STREET, PARK], "In which picture are there more cars?", "The first."),
        ([STREET, STREET], "Which picture has more cars?", "Both show as many."),
        ([STREET, PARK, STREET], "Which image has a dog?", "The second."),
        ([STREET, PARK, STREET], "Which image has a bus?", "The first and number 3."),
        ([STREET, STREET], "Is there a bus in both pictures?", "Yes, both."),
        ([STREET, PARK], "Is there a bus in both pictures?", "No, only the first."),
        ([PARK, STREET], "Is there a bus in both pictures?", "No, only the second."),
        ([STREET, PARK], "Is there a zebra in both pictures?", "No, none of them."),
        ([STREET, PARK, STREET], "Is there a bus in all of the pictures?", "No, only number 1 and 3."),
        ([KITCHEN, KITCHEN], "Do both pictures show a kitchen?", "Yes, both."),
        (
            [STREET, PARK],
            "How many cars are there?",
            "Image 1: There are two cars.\nImage 2: I see no cars.",
        ),
    ],
)
def test_answers(scenes: list[Scene], question: str, answer: str) -> None:
    assert ask(scenes, question) == answer
