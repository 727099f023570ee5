"""The page as a person uses it, on the echo engine."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.request import urlopen

import pytest
from PIL import Image

from tests.conftest import picture
from tests.http.live import Live
from tests.playground.browser import Browser, Page
from tests.playground.conftest import url_of

DATA = Path(__file__).parents[1] / "images" / "data"
FRAME = "document.querySelector('#picture').getBoundingClientRect()"
FOCUSED = """(() => {
  const at = document.activeElement;
  // A radio button and the file chooser show their ring on the label beside them.
  const shown = at.matches('[type=radio], [type=file]') ? at.nextElementSibling : at;
  const name = at.id || at.className || at.value || at.textContent;
  return [name, getComputedStyle(shown).outlineStyle !== 'none'];
})()"""
ORIENTATION, QUARTER_TURN = 0x0112, 6


def test_a_dropped_picture_is_captioned(page: Page, photo: Path) -> None:
    page.drop(photo)
    page.call("click", "button:text-is('Caption')")
    page.call("click", "#send")
    assert page.answer() == "Echo: 1 image (640x480), text: Caption this image."
    assert re.fullmatch(
        r"echo\s· 263 tokens in\s· \d+ out\s· first after [\d.]+ s\s· all after [\d.]+ s",
        page.text("#stats"),
    )


def test_the_price_is_known_before_sending(page: Page, photo: Path) -> None:
    page.drop(photo)
    page.call("fill", "#prompt", "Caption this image.")
    page.wait("document.querySelector('#count').textContent === '263 tokens'")
    page.call("selectOption", "#model", "gemini-3-flash-preview")
    page.wait("document.querySelector('#count').textContent === '1,037 tokens'")
    page.call("selectOption", "#resolution", "LOW")
    page.wait("!['1,037 tokens', ''].includes(document.querySelector('#count').textContent)")
    page.call("click", "#send")
    page.ended()
    assert f"{page.text('#count')} in" in page.text("#stats")


def test_all_models_can_be_chosen_the_default_first(page: Page, server: Live) -> None:
    with urlopen(f"{url_of(server)}v1beta/models") as reply:
        ids = [model["name"].removeprefix("models/") for model in json.load(reply)["models"]]
    options = "[...document.querySelectorAll('#model option')].map((each) => each.value)"
    assert page.look(options) == [*ids, "gemini-3-flash-preview"]
    assert page.call("inputValue", "#model") == ids[0] == "echo"


def test_several_pictures_go_in_the_order_of_the_strip(page: Page, photo: Path, tmp_path: Path) -> None:
    second = tmp_path / "second.png"
    second.write_bytes(picture(300, 200))
    page.drop(photo, second)
    page.call("press", "[aria-label='Show second.png']", "Alt+ArrowLeft")
    assert page.thumbs() == ["second.png", "photo.jpg"]
    page.ask("both", "json")
    sizes = [(image["width"], image["height"]) for image in json.loads(page.answer())["images"]]
    assert sizes == [(300, 200), (640, 480)]
    page.call("click", "[aria-label='Remove second.png']")
    page.ask("one")
    assert page.answer() == "Echo: 1 image (640x480), text: one"


def test_a_picture_can_be_chosen_and_pasted(page: Page, photo: Path) -> None:
    page.call("setInputFiles", "#files", [str(photo)])
    page.wait("document.querySelectorAll('#thumbs li').length === 1")
    # Firefox takes the files out of a paste that a script makes: there they are put beside the event's own.
    event = {
        "chromium": "new ClipboardEvent('paste', {clipboardData})",
        "firefox": "Object.assign(new Event('paste'), {clipboardData})",
    }[page.browser.name]
    page.look(
        """new Promise((done) => {
          const canvas = document.createElement('canvas');
          canvas.width = canvas.height = 20;
          canvas.toBlob((blob) => {
            const clipboardData = new DataTransfer();
            clipboardData.items.add(new File([blob], 'image.png'));
            done(dispatchEvent(EVENT));
          });
        })""".replace("EVENT", event)
    )
    page.wait("document.querySelectorAll('#thumbs li').length === 2")
    assert page.thumbs() == ["photo.jpg", "image.png"]


def test_two_pictures_of_one_name_get_two(page: Page, photo: Path) -> None:
    page.drop(photo)
    page.drop(photo)
    assert page.thumbs() == ["photo.jpg", "photo-2.jpg"]


def test_the_camera_gives_a_picture(page: Page) -> None:
    page.wait("!document.querySelector('#camera').hidden")
    page.call("click", "#camera")
    page.wait("document.querySelector('video').videoWidth > 0")
    assert page.violations() == []
    page.call("click", "#shutter .primary")
    page.wait("document.querySelectorAll('#thumbs li').length === 1")
    assert page.thumbs() == ["camera.jpg"]
    page.ask("hi")
    assert page.answer().startswith("Echo: 1 image (")


def test_a_turned_photo_is_upright_on_the_stage_and_at_the_server(page: Page, tmp_path: Path) -> None:
    turned = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[ORIENTATION] = QUARTER_TURN
    turned.write_bytes(picture(640, 480, "JPEG", exif=exif))
    page.drop(turned)
    page.ask("hi")
    assert page.answer() == "Echo: 1 image (480x640), text: hi"
    assert page.look(f"{FRAME}.width / {FRAME}.height") == (pytest.approx(480 / 640, rel=0.01))
    # The file's block is at its top left, so at the top right of the upright picture.
    red, _, blue = page.look(
        """(() => {
          const context = document.createElement('canvas').getContext('2d');
          context.canvas.width = 480;
          context.canvas.height = 640;
          context.drawImage(document.querySelector('#picture'), 0, 0);
          return [...context.getImageData(330, 200, 1, 1).data.slice(0, 3)];
        })()"""
    )
    assert red > 200 > 60 > blue


NO_VIEWS = """
  const real = fetch;
  globalThis.fetch = async (url, options) => (String(url).endsWith('/preview')
    ? new Response('{"error": {"message": "Busy."}}', { status: 503 }) : real(url, options));
"""


def test_a_heic_of_which_the_server_has_no_view_is_sent(browser: Browser, server: Live) -> None:
    page = browser.open(url_of(server), script=NO_VIEWS)
    page.drop(DATA / "plain.heic")
    assert "cannot show this HEIC file. It is sent all the same" in page.text("#unseen")
    page.ask("hi")
    assert re.fullmatch(r"Echo: 1 image \(\d+x\d+\), text: hi", page.answer())


def test_an_earlier_question_comes_back_whole(page: Page, photo: Path) -> None:
    page.drop(photo)
    page.ask("first")
    page.ended()
    page.call("click", ".away")
    page.ask("second", "json")
    page.ended()
    page.call("click", "#history li:last-child button")
    assert page.prompt() == "first"
    assert page.thumbs() == ["photo.jpg"]
    assert page.call("isChecked", "[name=as][value=text]")
    assert page.text("#answer") == "Echo: 1 image (640x480), text: first"


def test_the_raw_messages_can_be_read(page: Page) -> None:
    page.ask("hi")
    page.ended()
    page.call("click", "#raw summary")
    page.wait("document.querySelector('#raw pre').textContent !== ''")
    messages = [json.loads(line) for line in page.text("#raw pre").splitlines()]
    texts = [message["candidates"][0]["content"]["parts"][0]["text"] for message in messages]
    assert "".join(texts) == "Echo: 0 images, text: hi"


def test_an_answer_can_be_stopped(page: Page) -> None:
    page.ask("echo words=2000 sleep=0.01")
    page.wait("document.querySelector('#answer').textContent.includes('word3')")
    page.call("click", "#stop")
    assert page.notice() == "Stopped."
    assert page.answer().startswith("word1 word2 word3")
    page.ask("again")
    assert page.answer() == "Echo: 0 images, text: again"
    assert page.look("document.querySelector('#notice').hidden")


def test_everything_can_be_reached_and_done_by_keyboard(page: Page, photo: Path) -> None:
    page.drop(photo)
    page.call("focus", "#prompt")
    page.call("type", "#prompt", "by hand")
    page.call("press", "#prompt", "Control+Enter")
    assert page.answer() == "Echo: 1 image (640x480), text: by hand"
    page.call("focus", ".skip")
    reached = []
    for _ in range(30):
        page.call("press", "*:focus", "Tab")
        if page.look("document.activeElement === document.body"):
            break
        name, ringed = page.look(FOCUSED)
        assert ringed, f"nothing shows that {name} has the focus"
        reached.append(name)
    wanted = ["theme", "thumb", "away", "files", "prompt", "Caption", "text", "model", "resolution", "send"]
    assert [name for name in reached if name in wanted] == wanted


def test_every_control_has_a_name(page: Page, photo: Path) -> None:
    page.drop(photo)
    unnamed = page.look(
        """[...document.querySelectorAll('button, input, select, textarea')].filter((each) =>
             !(each.textContent.trim() || each.ariaLabel || each.labels?.length))
             .map((each) => each.outerHTML)"""
    )
    assert unnamed == []


@pytest.mark.parametrize("width", [320, 390, 768, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_any_screen(browser: Browser, server: Live, photo: Path, width: int, scheme: str) -> None:
    page = browser.open(url_of(server), viewport={"width": width, "height": 800}, colorScheme=scheme)
    page.drop(photo)
    page.ask("echo words=80")
    page.ended()
    assert page.look("document.documentElement.scrollWidth <= innerWidth")
    assert page.look("document.querySelector('#theme').ariaPressed") == str(scheme == "dark").lower()
    paper = "getComputedStyle(document.body).backgroundColor"
    before = page.look(paper)
    page.call("click", "#theme")
    assert page.look(paper) != before


def test_the_key_is_kept_nowhere(page: Page) -> None:
    assert page.look("localStorage.length + sessionStorage.length + document.cookie.length") == 0
