"""Boxes and points lie where the answer says, while it is still being written."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import numpy as np
import platformdirs
import pytest
from PIL import Image

from tests.conftest import picture
from tests.http.live import Live, live
from tests.playground.browser import Browser, Page
from tests.playground.conftest import url_of

HALF_A_PIXEL = 1.5
"""In thousandths of a picture that is a few hundred pixels wide on the screen."""

LABEL = 20
"""How far a label reaches from its box in a saved picture of a few hundred pixels."""

BOXES = [
    {"box_2d": [100, 200, 300, 600], "label": "dog", "score": 0.9},
    {"box_2d": [0, 0, 1000, 1000], "label": "room", "score": 0.4},
    {"box_2d": [990, 700, 400, 650], "label": 'a "{[dog', "score": 0.1},
]

# The page's fetch, with an answer that the test writes: `say` sends a piece of text, `end` ends the answer.
STAGED = """
  const real = fetch;
  globalThis.fetch = async (url, options) => {
    if (!String(url).includes('stream')) return real(url, options);
    const encoder = new TextEncoder();
    return new Response(new ReadableStream({ start(sink) {
      const send = (candidate) => sink.enqueue(encoder.encode(
        `data: ${JSON.stringify({ candidates: [candidate] })}\\n\\n`));
      globalThis.say = (text) => send({ content: { parts: [{ text }] } });
      globalThis.end = () => { send({ finishReason: 'STOP' }); sink.close(); };
    } }));
  };
"""


@pytest.fixture
def staged(browser: Browser, server: Live, photo: Path) -> Page:
    """A page with a picture whose answer is dictated."""
    page = browser.open(url_of(server), script=STAGED)
    page.drop(photo)
    return page


def dictate(page: Page, *pieces: str) -> None:
    """Ask, and let these pieces be the whole answer."""
    page.ask("Detect", "boxes")
    page.wait("Boolean(globalThis.say)")
    for piece in pieces:
        page.look(f"say({json.dumps(piece)})")
    page.look("end()")
    page.ended()


def assert_on(page: Page, wanted: list[list[int]]) -> None:
    """The shapes lie in these places, in this order."""
    places = [shape.place for shape in page.shapes()]
    assert len(places) == len(wanted)
    for place, place_wanted in zip(places, wanted, strict=True):
        assert place == pytest.approx(place_wanted, abs=HALF_A_PIXEL)


def test_boxes_lie_on_the_picture_at_any_size(staged: Page) -> None:
    dictate(staged, json.dumps(BOXES))
    wanted = [[100, 200, 300, 600], [0, 0, 1000, 1000], [400, 650, 990, 700]]
    assert_on(staged, wanted)
    for width in (390, 900, 1900):
        staged.call("setViewportSize", {"width": width, "height": 700})
        assert_on(staged, wanted)
    assert [shape.title for shape in staged.shapes()] == ["dog 0.90", "room 0.40", 'a "{[dog 0.10']


def test_points_lie_on_the_picture(staged: Page) -> None:
    dictate(staged, json.dumps([{"point": [250, 750], "label": "eye"}]))
    assert_on(staged, [[250, 750, 250, 750]])


def test_a_box_is_drawn_as_soon_as_its_object_is_complete(staged: Page) -> None:
    staged.ask("Detect", "boxes")
    staged.wait("Boolean(globalThis.say)")
    text = json.dumps(BOXES)
    complete = 0
    for index, letter in enumerate(text):
        complete += letter == "}"
        if letter in "{},":  # Enough places to stop and look.
            staged.look(f"say({json.dumps(text[: index + 1][staged_so_far(text, index) :])})")
            staged.wait(f"document.querySelectorAll('.shape').length === {complete}")
    staged.look("end()")


def staged_so_far(text: str, index: int) -> int:
    """Where the piece that ends at `index` begins."""
    return max(text.rfind(mark, 0, index) for mark in "{},") + 1


def test_fences_and_prose_around_the_json_do_not_matter(staged: Page) -> None:
    dictate(staged, "Here (it's [not] {hard}):\n```json\n", json.dumps(BOXES), "\n```\nDone.")
    assert len(staged.shapes()) == 3


def test_what_is_no_place_is_not_drawn(staged: Page) -> None:
    dictate(staged, '[{"box_2d": [1, 2, 3]}, {"box_2d": ["a", 1, 2, 3]}, {"box_2d": null}, {"label": "x"}]')
    assert staged.shapes() == []
    assert staged.answer().startswith("[{")


def test_each_picture_has_its_own_list(staged: Page, tmp_path: Path) -> None:
    second = tmp_path / "second.png"
    second.write_bytes(picture(200, 300))
    staged.drop(second)
    dictate(staged, json.dumps([BOXES[:2], [{"point": [10, 20], "label": "nose"}]]))
    assert [shape.title for shape in staged.shapes()] == ["nose"]
    staged.call("click", "[aria-label='Show photo.jpg']")
    assert [shape.title for shape in staged.shapes()] == ["dog 0.90", "room 0.40"]
    staged.call("click", "[aria-label='Remove photo.jpg']")
    assert [shape.title for shape in staged.shapes()] == ["nose"]


def test_the_history_tells_what_was_found(staged: Page) -> None:
    dictate(staged, json.dumps([BOXES[0], BOXES[1], BOXES[0]]))
    assert staged.text("#history li button > span > span:last-child") == "dog, room"


def test_the_threshold_hides_low_scores(staged: Page) -> None:
    dictate(staged, json.dumps(BOXES))
    assert staged.text("#threshold-label") == "Score at least 0.00, as the model gives it: 3 of 3"
    staged.slide(0.4)
    assert [shape.title for shape in staged.shapes()] == ["dog 0.90", "room 0.40"]
    staged.slide(0.41)
    assert [shape.title for shape in staged.shapes()] == ["dog 0.90"]
    assert staged.text("#threshold-label") == "Score at least 0.41, as the model gives it: 1 of 3"
    assert staged.look("[...document.querySelectorAll('.chip .number')].map((each) => each.textContent)") == [
        "1",
        "0",
        "0",
    ]


def test_without_scores_the_threshold_goes_by_the_order_and_says_so(staged: Page) -> None:
    dictate(staged, json.dumps([{**box, "score": None} for box in BOXES]))
    assert staged.text("#threshold-label") == "This answer has no scores. The first 3 of 3, in its own order"
    staged.slide(1)
    assert [shape.title for shape in staged.shapes()] == ["dog"]


def test_the_legend_highlights_and_holds(staged: Page) -> None:
    dictate(staged, json.dumps([*BOXES[:2], BOXES[0]]))
    lit = "[...document.querySelectorAll('.lit')].map((each) => each.textContent)"
    staged.call("hover", ".chip")
    assert staged.look(lit) == ["dog 0.90", "dog 0.90"]
    staged.call("hover", "h1")
    assert staged.look(lit) == []
    staged.call("focus", ".chip:last-child")
    assert staged.look(lit) == ["room 0.40"]
    staged.call("press", ".chip:last-child", "Enter")
    staged.call("focus", "#prompt")
    assert staged.look(lit) == ["room 0.40"]


def test_the_arrow_keys_read_the_boxes_out(staged: Page) -> None:
    dictate(staged, json.dumps(BOXES))
    staged.call("press", "#layer", "ArrowRight")
    assert staged.text("#readout") == "dog 0.90: box_2d [100, 200, 300, 600]"
    staged.call("press", "#layer", "ArrowRight")
    assert staged.text("#readout") == "room 0.40: box_2d [0, 0, 1000, 1000]"
    staged.call("press", "#layer", "Escape")
    assert staged.text("#readout") == ""


def test_a_small_box_can_be_pointed_at_under_a_large_one(staged: Page) -> None:
    dictate(staged, json.dumps([BOXES[0], BOXES[1]]))
    staged.call("hover", ".shape:first-child")
    assert staged.text("#readout").startswith("dog")


@pytest.mark.weights
def test_detected_boxes_are_drawn_where_the_api_says(
    browser: Browser, cat_photo: Path, tmp_path: Path
) -> None:
    cache = os.environ.get("VIDI_CACHE_DIR") or str(platformdirs.user_cache_path("vidi"))
    with live(tmp_path, "--model", "vidi-lite", VIDI_CACHE_DIR=cache) as server:
        page = browser.open(url_of(server))
        page.drop(cat_photo)
        page.call("click", "button:text-is('Detect')")
        page.call("click", "#send")
        page.ended()
        answer = json.loads(page.text("#answer"))
        _, saved = page.download("#save-picture")
    assert "cat" in {found["label"] for found in answer}
    assert_on(page, [found["box_2d"] for found in answer])
    assert all(0 <= found["score"] <= 1 for found in answer)
    assert_drawn(saved, cat_photo, [found["box_2d"] for found in answer])


def assert_drawn(saved: bytes, photo: Path, boxes: list[list[int]]) -> None:
    """The saved picture is the photo with the edges of these boxes, their labels, and nothing else."""
    drawn, plain = (np.asarray(Image.open(each).convert("RGB")) for each in (io.BytesIO(saved), photo))
    assert drawn.shape == plain.shape
    changed = (drawn != plain).any(axis=2)
    free = np.ones_like(changed)
    height, width = changed.shape
    for box in boxes:
        top, left, bottom, right = (
            round(place * side / 1000) for place, side in zip(box, (height, width) * 2, strict=True)
        )
        assert changed[top:bottom, max(left - 1, 0) : left + 1].all()
        assert changed[top:bottom, right - 1 : right + 1].all()
        assert changed[bottom - 1 : bottom + 1, left:right].all()
        free[max(top - LABEL, 0) : bottom + LABEL, max(left - 4, 0) : right + 4] = False
    assert free.any()
    assert not changed[free].any()
