"""One answer over several pictures."""

from __future__ import annotations

import pytest

from tests.engines.lite.fakes import KITCHEN, PARK, STREET, FakeModels, Scene, ask, lite_of, told
from vidi.domain.prompt import Request, Role, Turn


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


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("How many cars are in the second image?", "I see no cars."),
        ("How many cars are in the first picture?", "There are two cars."),
        ("How many cars are in image 1?", "There are two cars."),
        ("Is there a dog in the last photo?", "Yes, there is a brown dog."),
        ("İkinci resimde köpek var mı?", "Evet, kahverengi bir köpek var."),
        ("son resimde kac araba var?", "Hiç araba görmüyorum."),
        ("¿Cuántos coches hay en la primera imagen?", "Hay dos coches."),
        ("¿Hay un perro en la última foto?", "Sí, hay un perro marrón."),
        ("What is in image 5?", "There are only 2 pictures."),
    ],
)
def test_a_question_about_one_of_them_is_about_that_one(question: str, answer: str) -> None:
    assert ask([STREET, PARK], question) == answer


def labelled(*parts: str | Scene) -> str:
    models = FakeModels()
    known = tuple(models.know(each) if isinstance(each, Scene) else each for each in parts)
    return told(lite_of(models), Request(turns=(Turn(Role.USER, known),))).text


def test_labels_before_pictures_name_them() -> None:
    parts = ("Image B:", STREET, "Image A:", PARK)
    assert labelled(*parts, "How many cars are in image A?") == "I see no cars."
    assert labelled(*parts, "How many cars are in image B?") == "There are two cars."
    before = ("Before:", STREET, "After:", PARK)
    assert labelled(*before, "Is there a dog in the after picture?").startswith("Yes")
    assert labelled(*before, "How many cars are there?").startswith("Image 1: There are two cars.")
