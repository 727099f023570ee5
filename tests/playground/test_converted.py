"""Pictures that few browsers show, or that the API does not take, with the server's help."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import picture
from tests.http.live import Live, live
from tests.images import drawn
from tests.playground.browser import Browser, Page
from tests.playground.conftest import url_of
from tests.playground.test_languages import SENT

KEY = "a-long-secret"


def lies_on_the_stage(page: Page, width: int, height: int) -> bool:
    """Whether a picture of this size is shown there."""
    size: list[int] = page.look(
        """(() => {
          const image = document.querySelector('#picture');
          return image.hidden || !image.complete ? [] : [image.naturalWidth, image.naturalHeight];
        })()"""
    )
    return size == [width, height]


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF", "AVIF"])
def test_what_the_api_does_not_take_is_sent_as_a_png(
    browser: Browser, server: Live, tmp_path: Path, kind: str
) -> None:
    page = browser.open(url_of(server), script=SENT)
    file = tmp_path / f"scan.old.{kind.lower()}"
    file.write_bytes(picture(320, 200, kind))
    page.drop(file)
    assert page.thumbs() == ["scan.old.png"]
    page.ask("what?")
    assert page.answer() == "Echo: 1 image (320x200), text: what?"
    part = json.loads(page.look("globalThis.sent"))["contents"][0]["parts"][0]["inlineData"]
    assert part["mimeType"] == "image/png"
    assert part["data"].startswith("iVBORw0KGgo")
    assert lies_on_the_stage(page, 320, 200)


def test_a_heic_is_sent_as_it_is_and_shown_by_the_servers_view(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "phone.heic"
    file.write_bytes(drawn.heic("turned-6"))
    page.drop(file)
    width, height = drawn.SIZE[::-1]
    page.wait("document.querySelector('#picture').complete")
    assert lies_on_the_stage(page, width, height)
    assert not page.call("isVisible", "#unseen")
    page.ask("what?")
    assert page.answer() == f"Echo: 1 image ({width}x{height}), text: what?"
    assert page.thumbs() == ["phone.heic"]
    assert len([url for url in page.asked() if url.endswith("/playground/preview")]) == 1


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        (
            "half.tiff",
            drawn.encoded(drawn.drawing(), "TIFF")[:200],
            "“half.tiff” cannot be used: its data are broken or cut short",
        ),
        ("huge.gif", b"GIF89a" + b"\xff" * 4 + bytes(20), "“huge.gif” is 65,535 x 65,535 pixels"),
    ],
)
def test_what_cannot_be_converted_is_named(
    page: Page, photo: Path, tmp_path: Path, name: str, content: bytes, says: str
) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    page.drop(photo, file)
    assert page.notice().startswith(says)
    assert page.thumbs() == ["photo.jpg"]


def test_a_conversion_asks_for_the_key(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "a.gif"
    file.write_bytes(picture(32, 20, "GIF"))
    with live(tmp_path, key=KEY, VIDI_API_KEYS=KEY) as server:
        page = browser.open(url_of(server))
        page.drop(file)
        assert page.notice() == "This server wants a key. Type it at the top of the page."
        page.call("fill", "#key", KEY)
        page.call("press", "#key", "Enter")
        page.wait("Boolean(document.querySelector('#model').dataset.loaded)")
        page.drop(file)
        page.wait("document.querySelectorAll('#thumbs li').length === 1")
        assert page.thumbs() == ["a.png"]
