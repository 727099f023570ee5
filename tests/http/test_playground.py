"""The page's files: who may read them, under which policy, and how much there is to load."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from starlette.testclient import TestClient

from tests.conftest import inline, picture
from tests.images import drawn
from vidi.app import create_app
from vidi.http import playground
from vidi.settings import Settings

KEY = "a-long-enough-secret"
PATHS = sorted(playground.load().assets)
FIRST_PAINT = 150_000
"""Most bytes of what is loaded before a person does anything, unpacked."""


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[TestClient]:
    """A client of a server with a key."""
    settings = Settings(
        host="0.0.0.0", model="echo", api_keys=(KEY,), data_dir=tmp_path, cache_dir=tmp_path, decoders=1
    )
    with TestClient(create_app(settings), base_url="http://vidi.example") as client:
        yield client


def test_the_page_is_at_the_root(client: TestClient) -> None:
    page = client.get("/")
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "<h1>" in page.text


def test_every_file_that_a_file_names_is_there(client: TestClient) -> None:
    named = set(re.findall(r'(?:src|href)="(playground/[^"]+)"', client.get("/").text))
    for path in PATHS:
        named |= {f"playground/{name}" for name in re.findall(r"'\./([\w.]+)'", client.get(path).text)}
    assert {f"/{path}" for path in named} | {"/"} == set(PATHS)


@pytest.mark.parametrize("path", PATHS)
def test_the_policy_lets_nothing_in_from_elsewhere_and_nothing_inline(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    directives = dict(each.split(" ", 1) for each in headers["content-security-policy"].split("; "))
    assert directives["default-src"] == directives["base-uri"] == directives["form-action"] == "'none'"
    assert directives["frame-ancestors"] == "'none'"
    assert {directives[name] for name in ("script-src", "style-src", "connect-src")} == {"'self'"}
    assert directives["img-src"] == "blob: data:"
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert "microphone=()" in headers["permissions-policy"]


@pytest.mark.parametrize("path", PATHS)
def test_the_files_name_no_other_site(client: TestClient, path: str) -> None:
    addresses = set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+[^\s'\")]*", client.get(path).text))
    assert addresses <= {"http://www.w3.org/2000/svg"}, "the name of SVG is no address"


def test_nothing_in_the_page_is_inline(client: TestClient) -> None:
    page = client.get("/").text
    assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=", page)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_a_file_that_is_known_is_not_sent_again(client: TestClient, path: str, encoding: str) -> None:
    first = client.get(path, headers={"accept-encoding": encoding})
    assert first.headers["cache-control"] == "no-cache"
    assert first.headers["vary"] == "accept-encoding, Origin"
    known = {"accept-encoding": encoding, "if-none-match": f'"other", W/{first.headers["etag"]}'}
    again = client.get(path, headers=known)
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert again.headers["content-security-policy"] == playground.POLICY
    assert client.get(path, headers={**known, "if-none-match": '"other"'}).status_code == 200


@pytest.mark.parametrize("path", PATHS)
def test_packed_and_plain_are_the_same_file_under_two_tags(client: TestClient, path: str) -> None:
    plain = client.get(path, headers={"accept-encoding": "identity"})
    packed = client.get(path, headers={"accept-encoding": "gzip, br"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.content == plain.content
    assert packed.headers["etag"] != plain.headers["etag"]


def test_head_tells_the_size_without_the_file(client: TestClient) -> None:
    reply = client.head("/", headers={"accept-encoding": "identity"})
    assert reply.content == b""
    assert int(reply.headers["content-length"]) == len(client.get("/").content)


def first_files() -> set[str]:
    """The page, what it names, and what that imports at once; not what is imported when it is needed."""
    assets = playground.load().assets
    wanted, first = ["/"], set[str]()
    while wanted:
        path = wanted.pop()
        if path in first:
            continue
        first.add(path)
        text = assets[path].plain.decode()
        wanted += [f"/{name}" for name in re.findall(r'(?:src|href)="(playground/[^"]+)"', text)]
        wanted += [f"/playground/{name}" for name in re.findall(r"from '\./([\w.]+)'", text)]
    return first


def test_what_is_loaded_first_is_small() -> None:
    assets = [asset for path, asset in playground.load().assets.items() if path in first_files()]
    assert sum(len(asset.plain) for asset in assets) < FIRST_PAINT
    assert sum(len(asset.packed) for asset in assets) < FIRST_PAINT // 3


def test_what_is_loaded_first_is_asked_for_at_once(client: TestClient) -> None:
    named = set(re.findall(r'(?:src|href)="(/?playground/[^"]+)"', client.get("/").text))
    assert {f"/{name}" for name in named} | {"/"} == first_files()
    later = {f"/playground/{name}.js" for name in ("batch", "camera", "save", "versus")}
    assert set(PATHS) - first_files() == later


@pytest.mark.parametrize("path", PATHS)
def test_a_server_with_keys_shows_the_page_without_one(locked: TestClient, path: str) -> None:
    assert locked.get(path).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/playground",
        "/playground/",
        "/playground/nothing.js",
        "/playground/app.js/",
        "/playground/%2e%2e/v1beta/models",
        "/playground/..%2f..%2fv1beta%2fmodels",
        "/playground/__init__.py",
        "/index.html",
        "/v1beta/models",
        "/v1beta/files",
    ],
)
def test_a_server_with_keys_shows_nothing_else_without_one(locked: TestClient, path: str) -> None:
    reply = locked.get(path)
    assert reply.status_code == 403
    assert reply.json()["error"]["status"] == "PERMISSION_DENIED"


def test_the_page_only_answers_get(client: TestClient) -> None:
    assert client.post("/", content=b"x").status_code == 404
    assert client.get("/playground/nothing.js").status_code == 404


def test_an_open_server_shows_the_page_only_under_its_own_name(client: TestClient) -> None:
    assert client.get("/", headers={"host": "evil.example"}).status_code == 403


PREVIEW = playground.PREVIEW_PATH


def preview(client: TestClient, content: bytes) -> Image.Image:
    """The picture that comes back."""
    reply = client.post(PREVIEW, content=content)
    assert reply.status_code == 200, reply.text
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["x-content-type-options"] == "nosniff"
    image = Image.open(io.BytesIO(reply.content))
    assert Image.MIME[image.format or ""] == reply.headers["content-type"]
    return image


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF"])
def test_what_the_api_does_not_take_comes_back_as_the_same_png(client: TestClient, kind: str) -> None:
    image = preview(client, drawn.encoded(drawn.drawing(), kind))
    assert (image.format, image.mode) == ("PNG", "RGB")
    assert image.tobytes() == drawn.drawing().tobytes()


def test_an_avif_comes_back_upright(client: TestClient) -> None:
    image = preview(client, drawn.turned("AVIF", 6, quality=95))
    assert (image.format, image.size) == ("PNG", drawn.SIZE)
    assert image.getpixel((5, 5)) == pytest.approx(drawn.RED, abs=40)


def test_a_heic_comes_back_as_an_upright_jpeg(client: TestClient) -> None:
    image = preview(client, drawn.heic("turned-6"))
    assert (image.format, image.size) == ("JPEG", drawn.SIZE[::-1])


@pytest.mark.parametrize(
    ("kind", "most"), [("JPEG", playground.PREVIEW_PIXELS), ("TIFF", playground.CONVERTED_PIXELS)]
)
def test_a_large_picture_comes_back_smaller_in_its_proportions(
    client: TestClient, kind: str, most: int
) -> None:
    image = preview(client, picture(6_000, 3_000, kind))
    assert 0.98 * most < image.width * image.height <= most
    assert image.width / image.height == pytest.approx(2, abs=0.002)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "holds no bytes"),
        (b"hello", "begin like no picture"),
        (b"%PDF-1.7", "is a PDF"),
        (drawn.encoded(drawn.drawing(), "TIFF")[:200], "cut short"),
        (drawn.encoded(drawn.drawing(), "GIF")[:60], "broken or cut short"),
        (b"GIF89a" + b"\xff" * 4 + bytes(20), "megapixels; the limit is"),
    ],
)
def test_what_cannot_be_viewed_is_refused_in_the_shape_of_the_api(
    client: TestClient, content: bytes, says: str
) -> None:
    reply = client.post(PREVIEW, content=content)
    assert reply.status_code == 400
    error = reply.json()["error"]
    assert (error["code"], error["status"]) == (400, "INVALID_ARGUMENT")
    assert says in error["message"]


def test_a_view_needs_a_key_where_keys_are_used(locked: TestClient) -> None:
    content = drawn.encoded(drawn.drawing(), "GIF")
    assert locked.post(PREVIEW, content=content).status_code == 403
    assert locked.post(PREVIEW, content=content, headers={"x-goog-api-key": "wrong"}).status_code == 400
    assert locked.post(PREVIEW, content=content, headers={"x-goog-api-key": KEY}).status_code == 200
    assert locked.get(PREVIEW).status_code == 403


def test_a_view_of_too_long_a_body_is_refused_before_it_is_read(tmp_path: Path) -> None:
    settings = Settings(
        model="echo", data_dir=tmp_path, cache_dir=tmp_path, decoders=1, max_request_bytes=1_000
    )
    with TestClient(create_app(settings), base_url="http://127.0.0.1") as client:
        assert client.post(PREVIEW, content=bytes(1_001)).status_code == 400


def test_the_api_itself_still_refuses_what_is_converted(client: TestClient) -> None:
    reply = client.post(
        "/v1beta/models/echo:generateContent", json={"contents": [{"parts": [inline(picture(9, 9, "GIF"))]}]}
    )
    assert reply.status_code == 400
    assert "is a GIF. Supported: PNG" in reply.json()["error"]["message"]
