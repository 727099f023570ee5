"""Whatever goes wrong, the page says so in a sentence and keeps the form."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import picture
from tests.http.live import Live, live
from tests.playground.browser import Browser, Page
from tests.playground.conftest import url_of

KEY = "a-long-secret"


def test_a_file_that_is_no_picture(page: Page, photo: Path, tmp_path: Path) -> None:
    page.drop(photo)
    page.call("fill", "#prompt", "what is it?")
    for name, content in (("notes.jpg", b"hello"), ("empty.png", b""), ("paper.pdf", b"%PDF-1.7")):
        file = tmp_path / name
        file.write_bytes(content)
        page.drop(file)
        assert page.notice() == (
            f"“{name}” is not a picture that Vidi reads. "
            "Choose a PNG, JPEG, WEBP, HEIC, GIF, BMP, TIFF or AVIF file."
        )
    assert (page.thumbs(), page.prompt()) == (["photo.jpg"], "what is it?")


def test_a_picture_that_is_damaged(page: Page, photo: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(picture(640, 480, "JPEG")[:300])
    page.drop(photo, broken)
    assert "cannot show this JPEG file" in page.text("#unseen")
    page.ask("what is it?")
    said = page.notice()
    assert said.startswith("“broken.jpg” cannot be used")
    assert "contents[" not in said
    assert (page.thumbs(), page.prompt()) == (["photo.jpg", "broken.jpg"], "what is it?")


def test_a_picture_of_a_hundred_megapixels(page: Page, tmp_path: Path) -> None:
    large = tmp_path / "large.png"
    Image.new("1", (12_000, 9_000)).save(large)
    page.drop(large)
    assert page.text("#unseen") == "108 megapixels: too large to show here."
    said = page.notice()  # Counting tokens finds out before anything is asked.
    assert said.startswith("“large.png” is 12,000 x 9,000 pixels, 108.0 megapixels; the limit is")
    assert page.thumbs() == ["large.png"]


def test_an_empty_form(page: Page) -> None:
    page.call("click", "#send")
    assert page.notice() == "Add a picture or write a question first."


def test_the_model_breaks_in_the_middle(page: Page) -> None:
    page.ask("echo fail=midway")
    assert page.notice() == "The echo was asked to fail."
    assert page.answer() == "Echo: 0 images, "
    page.ask("again")
    assert page.answer() == "Echo: 0 images, text: again"


def test_the_server_is_lost_in_mid_stream_and_comes_back(
    browser: Browser, photo: Path, tmp_path: Path
) -> None:
    with live(tmp_path) as server:
        page = browser.open(url_of(server))
        page.drop(photo)
        page.ask("echo words=5000 sleep=0.01")
        page.wait("document.querySelector('#answer').textContent.includes('word5')")
        server.process.kill()
        assert page.notice().startswith("The connection to the server broke before the answer was complete.")
    assert page.answer().startswith("word1 word2 word3 word4 word5")
    page.call("click", "#send")
    page.wait("document.querySelector('#notice').textContent.startsWith('The server does not answer.')")
    assert (page.thumbs(), page.prompt()) == (["photo.jpg"], "echo words=5000 sleep=0.01")
    with live(tmp_path, "--port", str(server.port)):
        page.ask("back again")
        assert page.answer() == "Echo: 1 image (640x480), text: back again"
        assert page.look("document.querySelector('#notice').hidden")


def test_a_wrong_key(browser: Browser, photo: Path, tmp_path: Path) -> None:
    with live(tmp_path, key=KEY, VIDI_API_KEYS=KEY) as server:
        page = browser.open(url_of(server))
        assert page.notice() == "This server wants a key. Type it at the top of the page."
        page.drop(photo)
        page.call("fill", "#key", "wrong")
        page.ask("is it you?")
        page.wait(
            "document.querySelector('#notice').textContent.startsWith('The server does not know this key.')"
        )
        assert (page.thumbs(), page.prompt()) == (["photo.jpg"], "is it you?")
        page.call("fill", "#key", KEY)
        page.call("press", "#key", "Enter")
        page.wait("document.querySelector('#model').dataset.loaded")
        page.call("click", "#send")
        assert page.answer() == "Echo: 1 image (640x480), text: is it you?"
        assert page.look("document.querySelector('#notice').hidden")
        assert page.look("localStorage.length + sessionStorage.length + document.cookie.length") == 0
        assert not any(KEY in url for url in page.asked())


ENDS = """
  const real = fetch;
  globalThis.fetch = async (url, options) => (String(url).includes('stream')
    ? new Response(`data: {"candidates": [{"content": {"parts": [%s]}, "finishReason": "%s"}]}\\n\\n`)
    : real(url, options));
"""


@pytest.mark.parametrize(
    ("parts", "reason", "says"),
    [
        ("", "STOP", "The model ended without a text (reason: STOP)."),
        ('{"text": ""}', "OTHER", "The model ended without a text (reason: OTHER)."),
        (
            '{"text": "thinking", "thought": true}',
            "MAX_TOKENS",
            "The model ended without a text (reason: MAX",
        ),
        (
            '{"text": "Half a"}',
            "MAX_TOKENS",
            "The answer stops here: the model has written as much as it may.",
        ),
    ],
)
def test_an_answer_without_its_text(
    browser: Browser, server: Live, parts: str, reason: str, says: str
) -> None:
    page = browser.open(url_of(server), script=ENDS % (parts, reason))
    page.ask("what?")
    assert page.notice().startswith(says)
    assert page.prompt() == "what?"
