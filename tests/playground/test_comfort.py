"""The page with a thumb, with keys alone, with a screen reader; and what can be taken along from it."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from PIL import Image

from tests.http.live import Live
from tests.playground.browser import Browser, Page
from tests.playground.conftest import url_of
from tests.playground.test_overlay import BOXES, STAGED, dictate

PHONE = {"viewport": {"width": 390, "height": 844}, "isMobile": True, "hasTouch": True}
CROWD = [
    {"box_2d": [300, 300, 340, 330], "label": "a small thing", "score": 0.9},
    {"box_2d": [345, 300, 385, 330], "label": "another small thing", "score": 0.8},
    {"box_2d": [300, 335, 340, 365], "label": "a third small thing", "score": 0.7},
    {"box_2d": [0, 0, 30, 30], "label": "in the corner", "score": 0.7},
    {"box_2d": [970, 970, 1000, 1000], "label": "in the other corner", "score": 0.7},
    {"box_2d": [0, 0, 1000, 1000], "label": "everything", "score": 0.6},
]


def staged_on(browser: Browser, server: Live, photo: Path, **options: object) -> Page:
    """A page with a picture whose answer is dictated."""
    page = browser.open(url_of(server), script=STAGED, **options)
    page.drop(photo)
    return page


@pytest.mark.parametrize("kind", ["text", "boxes"])
def test_on_a_phone_the_picture_is_in_sight_after_asking(
    browser: Browser, server: Live, photo: Path, kind: str
) -> None:
    page = staged_on(browser, server, photo, **PHONE)
    page.ask("Detect", kind)
    page.wait("Boolean(globalThis.say)")
    page.look(f"say({json.dumps(json.dumps(BOXES))})")
    page.look("end()")
    page.ended()
    top, bottom, answer = page.look(
        """['#frame', '#frame', '#reply'].map((name, at) => document.querySelector(name)
             .getBoundingClientRect()[['top', 'bottom', 'top'][at]])"""
    )
    assert 0 <= top < bottom <= 844
    assert bottom <= answer < 844
    assert page.look("document.documentElement.scrollWidth <= innerWidth")


def test_no_label_lies_on_a_small_thing(browser: Browser, server: Live, photo: Path) -> None:
    for options in ({}, PHONE):
        page = staged_on(browser, server, photo, **options)
        dictate(page, json.dumps(CROWD))
        covered = page.look(
            """(() => {
              const nodes = [...document.querySelectorAll('.shape')];
              const seen = (node) => getComputedStyle(node).visibility === 'visible';
              const labels = nodes.map((node) => node.querySelector('span')).filter(seen);
              const small = nodes.filter((node) => node.offsetWidth < 100);
              const place = (node) => node.getBoundingClientRect();
              const meet = (one, two) => {
                const [a, b] = [place(one), place(two)];
                return a.left < b.right - 1 && b.left < a.right - 1
                  && a.top < b.bottom - 1 && b.top < a.bottom - 1;
              };
              return [labels.length, small.length,
                labels.filter((label) => small.some((node) => meet(label, node)))
                  .map((each) => each.textContent),
                labels.filter((label) => labels.some((each) => each !== label && meet(label, each)))
                  .length];
            })()"""
        )
        assert covered[0] >= 4, "most labels are seen"
        assert covered[1:] == [5, [], 0]


def test_the_list_and_the_picture_point_at_each_other(browser: Browser, server: Live, photo: Path) -> None:
    page = staged_on(browser, server, photo)
    dictate(page, json.dumps(BOXES))
    pointed = "[...document.querySelectorAll('.pointed')].map((each) => each.tagName)"
    page.call("hover", "#items li:first-child")
    assert page.look(pointed) == ["DIV", "LI"]
    page.call("hover", "#prompt")
    assert page.look(pointed) == []
    page.call("hover", ".shape:first-child")
    assert page.look(pointed) == ["DIV", "LI"]


@pytest.mark.parametrize("answer", ["[]", "[[], []]", "```json\n[]\n```"])
def test_nothing_found_is_said(browser: Browser, server: Live, photo: Path, answer: str) -> None:
    page = staged_on(browser, server, photo)
    dictate(page, answer)
    assert page.text("#nothing") == "Nothing of that was found."
    assert page.call("isVisible", "#nothing")
    assert not page.call("isVisible", "#answer")


def test_each_picture_has_a_threshold_of_its_own(browser: Browser, server: Live, photo: Path) -> None:
    page = staged_on(browser, server, photo)
    page.drop(photo)
    dictate(page, json.dumps([BOXES, BOXES[:2]]))
    page.call("click", "[aria-label='Show photo.jpg']")
    page.slide(0.5)
    assert [shape.title for shape in page.shapes()] == ["dog 0.90"]
    page.call("click", "[aria-label='Show photo-2.jpg']")
    assert len(page.shapes()) == 2
    page.call("click", "[aria-label='Show photo.jpg']")
    assert [shape.title for shape in page.shapes()] == ["dog 0.90"]


def test_the_annotated_picture_and_the_json_are_the_answer(
    browser: Browser, server: Live, photo: Path
) -> None:
    page = staged_on(browser, server, photo)
    dictate(page, json.dumps(BOXES))
    name, content = page.download("#save-answer")
    assert (name, json.loads(content)) == ("photo.json", BOXES)
    name, content = page.download("#save-picture")
    assert name == "photo-found.png"
    drawn, plain = Image.open(io.BytesIO(content)).convert("RGB"), Image.open(photo).convert("RGB")
    assert drawn.size == plain.size == (640, 480)
    # The edges of the first box, [100, 200, 300, 600], are in the colour of its label; its inside is not.
    for at in ((256, 48), (256, 144), (128, 100), (384, 100)):
        assert drawn.getpixel(at) == (0xFF, 0x6B, 0x3D)
    assert drawn.getpixel((250, 100)) == pytest.approx(plain.getpixel((250, 100)), abs=3)
    page.slide(0.95)
    assert not page.call("isVisible", "#save-picture")


def test_the_drop_area_chooses_files(page: Page) -> None:
    assert page.look("document.querySelector('#empty label').control.id") == "files"
    assert page.look("getComputedStyle(document.querySelector('#empty label')).cursor") == "pointer"


@pytest.mark.parametrize("locale", ["en-US", "tr-TR"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation_in_any_state(
    browser: Browser, server: Live, photo: Path, locale: str, scheme: str
) -> None:
    page = staged_on(browser, server, photo, locale=locale, colorScheme=scheme)
    page.call("click", ".away")
    assert page.violations() == [], "empty"
    page.drop(photo)
    page.call("click", "#more summary")
    page.call("check", "[name=as][value=json]")
    page.call("fill", "#schema", "{")
    assert page.violations() == [], "a fault in the schema"
    page.call("fill", "#schema", "")
    dictate(page, json.dumps(CROWD))
    page.call("click", "#raw summary")
    page.call("click", "#code summary")
    assert page.violations() == [], "answered with boxes"
    page.call("fill", "#next", "and?")
    page.look("globalThis.say = null")
    page.call("press", "#next", "Enter")
    page.wait("Boolean(globalThis.say)")
    page.look("say('A dog.'); end()")
    page.ended()
    assert page.violations() == [], "in a conversation"
    page.call("check", "[name=as][value=json]")
    page.call("fill", "#schema", "{")
    page.call("click", "#send")
    assert page.notice()
    assert page.violations() == [], "an error"


@pytest.mark.parametrize("keep", [False, True])
def test_a_key_outlives_a_reload_only_where_asked(browser: Browser, server: Live, keep: bool) -> None:
    page = browser.open(url_of(server), script=WANTS_KEY)
    assert page.notice() == "This server wants a key. Type it at the top of the page."
    assert page.violations() == []
    page.call("fill", "#key", "a-long-secret")
    if keep:
        page.call("check", "#keep")
    page.call("press", "#key", "Enter")
    page.wait("document.querySelector('#model').dataset.loaded")
    assert page.look("sessionStorage.length") == int(keep)
    assert page.look("localStorage.length + document.cookie.length") == 0
    page.call("reload")
    if keep:
        page.wait("Boolean(document.querySelector('#model').dataset.loaded)")
        page.call("uncheck", "#keep")
        assert page.look("sessionStorage.length") == 0
    else:
        assert page.notice() == "This server wants a key. Type it at the top of the page."


WANTS_KEY = """
  const real = fetch;
  const refused = JSON.stringify({ error: { message: 'Method doesn\\'t allow unregistered callers' } });
  globalThis.fetch = async (url, options) => (options.headers['x-goog-api-key'] === 'a-long-secret'
    ? real(url, options) : new Response(refused, { status: 403 }));
"""


@pytest.mark.parametrize("name", ["street", "sign", "shapes"])
def test_a_first_visitor_needs_no_picture(page: Page, name: str) -> None:
    label = {"street": "A street", "sign": "A sign", "shapes": "Shapes"}[name]
    page.call("click", f"#samples button:text-is('{label}')")
    page.wait("document.querySelectorAll('#thumbs li').length === 1")
    assert page.thumbs() == [f"{name}.png"]
    page.ask("what?")
    assert page.answer() == "Echo: 1 image (800x600), text: what?"
