"""Masks lie on the pixels that the answer says, on the page and in the picture that is saved."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import pytest
from PIL import Image

from tests.http.live import Live
from tests.playground.browser import Browser, Page
from tests.playground.conftest import url_of
from tests.playground.test_languages import SENT
from tests.playground.test_overlay import STAGED, dictate

FIRST_COLOUR = (0xFF, 0x6B, 0x3D)


def mask(size: tuple[int, int], high: tuple[int, int, int, int], low: int = 100) -> str:
    """A mask as the API writes it: a grey PNG, over 127 in the rectangle `high`, `low` elsewhere."""
    image = Image.new("L", size, low)
    image.paste(200, high)
    file = io.BytesIO()
    image.save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


# Its left half belongs to the thing: x 64..320 of 640, y 96..384 of 480; the mask has a size of its own.
HALF = {"box_2d": [200, 100, 800, 900], "mask": mask((64, 64), (0, 0, 32, 64)), "label": "dog", "score": 0.9}


@pytest.fixture
def staged(browser: Browser, server: Live, photo: Path) -> Page:
    """A page with a picture whose answer is dictated."""
    page = browser.open(url_of(server), script=STAGED)
    page.drop(photo)
    return page


def alphas(page: Page) -> list[list[int]]:
    """How opaque each mask is at an eighth and at seven eighths of its width, halfway down."""
    found: list[list[int]] = page.look(
        """[...document.querySelectorAll('.mask')].map((each) => [1, 7].map((part) =>
             each.getContext('2d').getImageData(
               Math.floor(each.width * part / 8), Math.floor(each.height / 2), 1, 1).data[3]))"""
    )
    return found


def test_masks_are_asked_for_with_boxes_and_labels(browser: Browser, server: Live, photo: Path) -> None:
    page = browser.open(url_of(server), script=SENT)
    page.drop(photo)
    page.ask("the dog", "masks")
    page.ended()
    schema = json.loads(page.look("globalThis.sent"))["generationConfig"]["responseJsonSchema"]
    assert schema["items"]["required"] == ["box_2d", "mask", "label"]
    assert schema["items"]["properties"]["mask"] == {"type": "string"}


def test_a_mask_is_cut_in_the_middle_of_its_greys(staged: Page) -> None:
    dictate(staged, json.dumps([HALF, {**HALF, "label": "cat", "mask": mask((9, 9), (0, 0, 9, 9), 0)}]))
    staged.wait("document.querySelectorAll('.mask').length === 2")
    assert sorted(alphas(staged)) == [[255, 0], [255, 255]]


def test_a_mask_covers_its_box_at_any_size(staged: Page) -> None:
    dictate(staged, json.dumps([HALF]))
    staged.wait("document.querySelectorAll('.mask').length === 1")
    for width in (390, 1900):
        staged.call("setViewportSize", {"width": width, "height": 700})
        differences = staged.look(
            """(() => {
              const [box, canvas] = ['.shape', '.mask'].map((each) =>
                document.querySelector(each).getBoundingClientRect());
              return ['left', 'top', 'right', 'bottom'].map((side) => Math.abs(box[side] - canvas[side]));
            })()"""
        )
        assert max(differences) < 1


@pytest.mark.parametrize(
    "wrong",
    [
        "data:image/png;base64,AAAA",
        "data:image/svg+xml;base64,PHN2Zy8+",
        "https://example.com/mask.png",
        "data:image/png;base64,<svg>",
        7,
    ],
)
def test_what_is_no_mask_leaves_the_box(staged: Page, wrong: object) -> None:
    dictate(staged, json.dumps([{**HALF, "mask": wrong}]))
    assert [shape.title for shape in staged.shapes()] == ["dog 0.90"]
    assert staged.look("document.querySelectorAll('.mask').length") == 0
    assert not staged.complaints()


def test_a_mask_of_too_many_pixels_is_not_unpacked(staged: Page) -> None:
    image = Image.new("1", (20_000, 20_000))
    file = io.BytesIO()
    image.save(file, "PNG")
    huge = "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
    dictate(staged, json.dumps([{**HALF, "mask": huge}, HALF]))
    staged.wait("document.querySelectorAll('.mask').length === 1")
    assert len(staged.shapes()) == 2


@pytest.mark.parametrize("opacity", [0, 40, 100])
def test_the_saved_picture_has_the_masks_as_opaque_as_the_page(
    staged: Page, photo: Path, opacity: int
) -> None:
    dictate(staged, json.dumps([HALF]))
    staged.wait("document.querySelectorAll('.mask').length === 1")
    staged.call("fill", "#veil", str(opacity))
    shown = staged.look("getComputedStyle(document.querySelector('.mask')).opacity")
    assert float(shown) == pytest.approx(opacity / 100)
    _, content = staged.download("#save-picture")
    drawn, plain = (Image.open(source).convert("RGB") for source in (io.BytesIO(content), photo))
    for x in (80, 200, 310):
        under = plain.getpixel((x, 240))
        assert isinstance(under, tuple)
        wanted = [
            round(below + (over - below) * opacity / 100)
            for below, over in zip(under, FIRST_COLOUR, strict=True)
        ]
        assert drawn.getpixel((x, 240)) == pytest.approx(wanted, abs=4)
    for x in (330, 450, 560):
        assert drawn.getpixel((x, 240)) == pytest.approx(plain.getpixel((x, 240)), abs=4)


def test_the_slider_is_only_there_for_masks(staged: Page) -> None:
    dictate(staged, json.dumps([{key: value for key, value in HALF.items() if key != "mask"}]))
    assert not staged.call("isVisible", "#veil")
    staged.look("globalThis.say = null")
    dictate(staged, json.dumps([HALF]))
    assert staged.call("isVisible", "#veil")


def test_a_further_question_does_not_carry_the_pixels_of_masks(
    browser: Browser, server: Live, photo: Path
) -> None:
    page = browser.open(
        url_of(server),
        script=STAGED
        + SENT.replace("const real = fetch;", "const staged = fetch;").replace("real(", "staged("),
    )
    page.drop(photo)
    dictate(page, json.dumps([HALF]))
    page.look("globalThis.say = null")
    page.call("fill", "#next", "and?")
    page.call("press", "#next", "Enter")
    page.wait("Boolean(globalThis.say)")
    said = json.loads(page.look("globalThis.sent"))["contents"][1]["parts"][0]["text"]
    assert json.loads(said) == [{**HALF, "mask": "data:image/png;base64,"}]
    page.look("say('A dog.'); end()")
    page.ended()


def test_no_mask_lies_over_a_label(staged: Page) -> None:
    wide = {**HALF, "box_2d": [400, 0, 1000, 1000], "label": "table", "mask": mask((9, 9), (0, 0, 9, 9))}
    over = {**HALF, "box_2d": [100, 0, 700, 400], "label": "person", "mask": mask((9, 9), (0, 0, 9, 9))}
    dictate(staged, json.dumps([wide, over]))
    staged.wait("document.querySelectorAll('.mask').length === 2")
    above = staged.look(
        """(() => {
          const sheet = new CSSStyleSheet();
          sheet.replaceSync(`.shape { pointer-events: none; }
            .mask, .shape span { pointer-events: auto !important; }`);
          document.adoptedStyleSheets = [sheet];
          return [...document.querySelectorAll('.shape span')].map((label) => {
            const { left, top, width, height } = label.getBoundingClientRect();
            return document.elementFromPoint(left + width / 2, top + height / 2).closest('span') === label;
          });
        })()"""
    )
    assert above == [True, True]


def test_a_mask_goes_with_its_box(staged: Page) -> None:
    dictate(staged, json.dumps([HALF, {**HALF, "label": "cat", "score": 0.1}]))
    staged.wait("document.querySelectorAll('.mask').length === 2")
    staged.slide(0.5)
    assert staged.look("document.querySelectorAll('.mask:not([hidden])').length") == 1
    staged.slide(0)
    assert staged.look("document.querySelectorAll('.mask:not([hidden])').length") == 2
    staged.call("hover", ".chip")
    opacities = (
        "[...document.querySelectorAll('.mask')].map((each) => Number(getComputedStyle(each).opacity))"
    )
    assert sorted(staged.look(opacities)) == pytest.approx([0.09, 0.5])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_against_masks(browser: Browser, server: Live, photo: Path, scheme: str) -> None:
    page = browser.open(url_of(server), script=STAGED, colorScheme=scheme)
    page.drop(photo)
    dictate(page, json.dumps([HALF]))
    page.wait("document.querySelectorAll('.mask').length === 1")
    assert page.violations() == []
