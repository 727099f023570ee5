"""A conversation of four turns about one picture, in the browser, with models that see."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import platformdirs
import pytest

from tests.http.live import Live, live
from tests.model.pulling import SHAPES, pull
from tests.model.scenes import Scene, draw
from tests.playground.browser import Browser, Page
from tests.playground.conftest import url_of
from tests.playground.test_conversation import further

SCENE = Scene("orange", "square", (32, 12, 64, 44), (289, 190), (255, 255, 255), (231, 122, 3))


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """`vidi serve --model shapes`."""
    pytest.importorskip("xllamacpp", reason="needs the extra `llama`")
    folder = tmp_path_factory.mktemp("shapes")
    assert "shapes is ready" in pull(folder, SHAPES)
    with live(folder, "--model", "shapes") as running:
        yield running


@pytest.fixture(scope="module")
def lite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """`vidi serve --model vidi-lite`."""
    cache = os.environ.get("VIDI_CACHE_DIR") or str(platformdirs.user_cache_path("vidi"))
    with live(tmp_path_factory.mktemp("lite"), "--model", "vidi-lite", VIDI_CACHE_DIR=cache) as running:
        yield running


def places(page: Page) -> list[list[int]]:
    """The boxes of the answer that is shown."""
    return [each["box_2d"] for each in json.loads(page.text("#answer"))]


def thread(page: Page) -> list[str]:
    """The earlier turns' answers, as they are shown."""
    said: list[str] = page.look(
        "[...document.querySelectorAll('#thread li > p:last-child')].map((each) => each.textContent)"
    )
    return said


def test_four_turns_on_shapes(browser: Browser, shapes: Live, tmp_path: Path) -> None:
    scene = tmp_path / "scene.png"
    draw(SCENE).save(scene)
    page = browser.open(url_of(shapes))
    page.drop(scene)
    page.ask("Caption this image.")
    assert page.answer() == "An orange square on the right."
    assert further(page, "What color is the shape?") == "orange"
    page.call("check", "[name=as][value=boxes]")
    further(page, "Detect all of the prominent items in the image.")
    (found,) = places(page)
    assert np.abs(np.subtract(found, SCENE.box_2d)).max() <= 40
    page.call("check", "[name=as][value=text]")
    assert further(page, "Caption this image.") == "An orange square on the right."
    assert thread(page) == ["An orange square on the right.", "orange", "orange square"]
    assert not page.complaints()


@pytest.mark.weights
@pytest.mark.usefixtures("real_weights")
@pytest.mark.parametrize(
    ("locale", "questions", "label"),
    [
        ("en-US", ("Caption this image.", "Is there a cat?", "How many cats are there?", "the cat"), "cat"),
        ("tr-TR", ("Bu resmi kısaca anlat.", "Kedi var mı?", "Kaç kedi var?", "Kediyi bul"), "kedi"),
    ],
)
def test_four_turns_on_lite(
    browser: Browser, lite: Live, cat_photo: Path, locale: str, questions: tuple[str, ...], label: str
) -> None:
    page = browser.open(url_of(lite), locale=locale)
    page.drop(cat_photo)
    page.ask(questions[0])
    answers = [page.answer(), *(further(page, question) for question in questions[1:3])]
    assert all(answers)
    page.call("check", "[name=as][value=boxes]")
    further(page, questions[3])
    assert [shape.title.rsplit(" ", 1)[0] for shape in page.shapes()] == [label]
    assert thread(page) == answers
    assert not page.complaints()
