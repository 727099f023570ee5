"""The Files API through HTTP: the upload protocol as clients drive it, and files in prompts."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

from tests.conftest import inline, picture
from vidi.app import create_app
from vidi.settings import Settings

UPLOAD = "/upload/v1beta/files"
FILES = "/v1beta/files"
CALL = "/v1beta/models/gemini-3-flash-preview"


def _start(client: TestClient, body: Any = b"", *, path: str = UPLOAD, **headers: str) -> httpx2.Response:
    sent = {"x-goog-upload-protocol": "resumable", "x-goog-upload-command": "start"}
    sent |= {f"x-goog-upload-{name.replace('_', '-')}": value for name, value in headers.items()}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.post(path, content=content, headers={**sent, "content-type": "application/json"})


def _send(
    client: TestClient, url: str, command: str, data: bytes = b"", offset: int | str = 0, **headers: str
) -> httpx2.Response:
    told = {"x-goog-upload-command": command, "x-goog-upload-offset": str(offset)}
    return client.post(url, content=data, headers={**told, "content-type": "application/json", **headers})


def _upload(client: TestClient, data: bytes, body: Any = b"", **headers: str) -> dict[str, Any]:
    begun = _start(client, body, **headers)
    done = _send(client, begun.headers["x-goog-upload-url"], "upload, finalize", data)
    assert done.status_code == 200, done.text
    assert done.headers["x-goog-upload-status"] == "final"
    file: dict[str, Any] = done.json()["file"]
    return file


def _prompt(uri: str, mime_type: str = "image/png") -> dict[str, Any]:
    part = {"fileData": {"fileUri": uri, "mimeType": mime_type}}
    return {"contents": [{"parts": [part, {"text": "Caption this image."}]}]}


def _refused(reply: httpx2.Response, status: int, *, upload: bool = True) -> str:
    assert reply.status_code == status, reply.text
    error = reply.json()["error"]
    assert error["code"] == status
    if upload:
        assert reply.headers["x-goog-upload-status"] in ("active", "final", "cancelled")
    return str(error["message"])


def test_one_upload_as_the_guide_does_it(client: TestClient) -> None:
    data = picture(640, 480)
    begun = _start(
        client,
        b"{'file': {'display_name': 'IMAGE'}}",
        header_content_length=str(len(data)),
        header_content_type="image/png",
    )
    assert begun.status_code == 200
    assert begun.content == b""
    assert begun.headers["x-goog-upload-status"] == "active"
    assert int(begun.headers["x-goog-upload-chunk-granularity"]) > 0
    url = begun.headers["x-goog-upload-url"]
    assert url.startswith("http://localhost/upload/v1beta/files?upload_id=")
    done = _send(client, url, "upload, finalize", data)
    file = done.json()["file"]
    assert file["displayName"] == "IMAGE"
    assert file["mimeType"] == "image/png"
    assert file["sizeBytes"] == str(len(data))
    assert base64.b64decode(file["sha256Hash"]).decode() == hashlib.sha256(data).hexdigest()
    assert file["uri"] == f"http://localhost/v1beta/{file['name']}"
    assert file["state"] == "ACTIVE"
    assert file["source"] == "UPLOADED"
    assert file["createTime"].endswith("Z")
    assert client.get(f"/v1beta/{file['name']}").json() == file
    asked = client.post(f"{CALL}:generateContent", json=_prompt(file["uri"])).json()
    assert "640x480" in asked["candidates"][0]["content"]["parts"][0]["text"]
    assert client.delete(f"/v1beta/{file['name']}").json() == {}
    gone = client.get(f"/v1beta/{file['name']}")
    assert "You do not have permission to access the File" in _refused(gone, 403, upload=False)
    used = client.post(f"{CALL}:generateContent", json=_prompt(file["uri"]))
    assert "You do not have permission" in _refused(used, 403, upload=False)
    assert (
        used.json()["error"]["details"][0]["fieldViolations"][0]["field"] == "contents[0].parts[0].file_data"
    )


@pytest.mark.parametrize(
    "path",
    [
        UPLOAD,
        "/upload/v1/files",
        "/upload/v1alpha/files",
        "/resumable/upload/v1beta/files",
        "/v1beta/upload/v1beta/files",
    ],
)
@pytest.mark.parametrize("chunk", [1, 1000, 262_144])
@pytest.mark.slow
def test_any_chunk_size_on_any_path(client: TestClient, path: str, chunk: int) -> None:
    data = picture(8, 6) if chunk == 1 else bytes(range(256)) * (200 if chunk == 1000 else 2000)
    begun = _start(client, {"file": {"mimeType": "text/plain"}}, path=path)
    url = begun.headers["x-goog-upload-url"]
    for at in range(0, len(data), chunk):
        step = _send(client, url, "upload", data[at : at + chunk], at)
        assert step.headers["x-goog-upload-status"] == "active"
        assert step.headers["x-goog-upload-size-received"] == str(min(at + chunk, len(data)))
        assert step.content == b""
    done = _send(client, url, "FINALIZE")
    assert done.json()["file"]["sizeBytes"] == str(len(data))


def test_a_repeated_chunk_is_harmless_and_a_gap_is_told_how_far_it_is(client: TestClient) -> None:
    url = _start(client).headers["x-goog-upload-url"]
    for _ in range(3):
        assert _send(client, url, "upload", b"first").headers["x-goog-upload-size-received"] == "5"
    gap = _send(client, url, "upload", b"third", 10)
    assert "5 bytes are received" in _refused(gap, 400)
    assert gap.headers["x-goog-upload-status"] == "active"
    assert gap.headers["x-goog-upload-size-received"] == "5"
    final = [_send(client, url, "upload, finalize", b"second", 5) for _ in range(2)]
    assert final[0].json() == final[1].json()
    assert client.get(FILES).json()["files"] == [final[0].json()["file"]]


def test_query_and_cancel(client: TestClient) -> None:
    url = _start(client).headers["x-goog-upload-url"]
    _send(client, url, "upload", b"12345")
    asked = _send(client, url, "query")
    assert (asked.headers["x-goog-upload-status"], asked.headers["x-goog-upload-size-received"]) == (
        "active",
        "5",
    )
    assert _send(client, url, "cancel").headers["x-goog-upload-status"] == "cancelled"
    after = _send(client, url, "upload", b"6", 5)
    _refused(after, 400)
    assert after.headers["x-goog-upload-status"] == "cancelled"
    assert client.get(FILES).json() == {}


def test_a_compressed_chunk_and_one_without_a_length(client: TestClient) -> None:
    data = bytes(range(256)) * 4000
    url = _start(client).headers["x-goog-upload-url"]
    half = len(data) // 2
    packed = gzip.compress(data[:half])
    assert _send(client, url, "upload", packed, **{"content-encoding": "gzip"}).status_code == 200

    def pieces() -> Iterator[bytes]:
        for at in range(half, len(data), 7777):
            yield data[at : at + 7777]

    headers = {"x-goog-upload-command": "upload, finalize", "x-goog-upload-offset": str(half)}
    done = client.put(url, content=pieces(), headers=headers).json()["file"]
    assert base64.b64decode(done["sha256Hash"]).decode() == hashlib.sha256(data).hexdigest()


def test_a_whole_upload_in_one_request(client: TestClient) -> None:
    data = picture(50, 40)
    raw = client.post(
        UPLOAD, content=data, headers={"x-goog-upload-protocol": "raw", "content-type": "image/png"}
    ).json()["file"]
    assert (raw["mimeType"], raw["sizeBytes"]) == ("image/png", str(len(data)))
    for content in (data, b"", b"--b\r\n" * 50):
        body = (
            b'--b\r\ncontent-type: application/json\r\n\r\n{"file": {"displayName": "two parts"}}\r\n'
            b"--b\r\nContent-Type: text/plain\r\n\r\n"
            + content.replace(b"--b\r\n", b"--B\r\n")
            + b"\r\n--b--\r\n"
        )
        sent = client.post(
            f"{UPLOAD}?uploadType=multipart",
            content=body,
            headers={"content-type": "multipart/related; boundary=b"},
        )
        file = sent.json()["file"]
        assert file["displayName"] == "two parts"
        assert file["sizeBytes"] == str(len(content))


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/related", b"--b--"),
        (f"multipart/related; boundary={'b' * 257}", b"--" + b"b" * 257 + b"\r\n\r\n{}\r\n"),
        ("multipart/related; boundary*=utf-8''%ff", b"--b--"),
        ('multipart/related; boundary="', b"--b--"),
        ("multipart/related; boundary=b", b"no boundary here"),
        ("multipart/related; boundary=b", b"--b\r\n\r\n{}\r\n--b\r\n\r\nhalf a fi"),
        ("multipart/related; boundary=b", b"--b\r\n\r\n{}\r\n--b--\r\n"),
        ("multipart/related; boundary=b", b"--b\r\n\r\n{}\r\n--b\r\n\r\nx\r\n--b\r\n\r\ny\r\n--b--\r\n"),
        (
            "multipart/related; boundary=b",
            b"--b\r\n\r\n" + b" " * 1_100_000 + b"\r\n--b\r\n\r\nx\r\n--b--\r\n",
        ),
        ("multipart/related; boundary=b", b"--b\r\n\r\nnot json\r\n--b\r\n\r\nx\r\n--b--\r\n"),
    ],
)
def test_a_broken_multipart_leaves_nothing(client: TestClient, content_type: str, body: bytes) -> None:
    headers = {"x-goog-upload-protocol": "multipart", "content-type": content_type}
    _refused(client.post(UPLOAD, content=body, headers=headers), 400)
    assert client.get(FILES).json() == {}


@pytest.mark.parametrize(
    ("body", "headers", "says"),
    [
        ({"file": {"name": "files/-dash"}}, {}, "name"),
        ({"file": {"name": "files/" + "a" * 41}}, {}, "name"),
        ({"file": {"name": "files/../../etc"}}, {}, "name"),
        ({"file": {"displayName": "d" * 513}}, {}, "display name"),
        ({"file": {"mimeType": "bad/mime_type"}}, {}, "Unsupported MIME"),
        ({"file": {"sizeBytes": "-5"}}, {}, "length"),
        ({"file": {"sizeBytes": str(3 << 30)}}, {}, "2147483648"),
        ({"file": {"colour": "red"}}, {}, "colour"),
        ([], {}, "Root element"),
        (b"{'file': ", {}, "JSON"),
        ({}, {"header_content_length": "-1"}, "Content-Length"),
        ({}, {"header_content_length": "9" * 30}, "Content-Length"),
        ({}, {"header_content_length": "ten"}, "Content-Length"),
        ({}, {"command": "upload"}, "start"),
        ({}, {"protocol": "smoke-signals"}, "Protocol"),
    ],
)
def test_a_bad_start_is_refused(client: TestClient, body: Any, headers: dict[str, str], says: str) -> None:
    reply = _start(client, body, **headers)
    assert reply.status_code in (400, 429)
    assert says in reply.json()["error"]["message"]
    assert reply.headers["x-goog-upload-status"] == "final"


@pytest.mark.parametrize(
    ("command", "data", "offset", "says"),
    [
        ("upload", b"x" * 20, 0, "More bytes"),
        ("upload", b"x", -1, "Offset"),
        ("upload", b"x", "ten", "Offset"),
        ("upload", b"x", 7, "0 bytes are received"),
        ("upload, finalize", b"x", 0, "not complete"),
        ("finalize", b"", 0, "not complete"),
        ("start", b"", 0, "has begun"),
        ("", b"", 0, "Command"),
        ("finalize, upload", b"", 0, "Command"),
        ("upload, cancel", b"", 0, "Command"),
        ("explode", b"", 0, "Command"),
    ],
)
def test_a_bad_step_is_refused_and_the_upload_goes_on(
    client: TestClient, command: str, data: bytes, offset: int | str, says: str
) -> None:
    url = _start(client, header_content_length="10").headers["x-goog-upload-url"]
    refused = _send(client, url, command, data, offset)
    assert says in _refused(refused, 400)
    assert refused.headers["x-goog-upload-status"] == "active"
    received = int(refused.headers["x-goog-upload-size-received"])
    done = _send(client, url, "upload, finalize", b"x" * (10 - received), received)
    assert done.json()["file"]["sizeBytes"] == "10"


@pytest.mark.parametrize(
    ("command", "offset", "header"),
    [("upload", 7, "X-Goog-Upload-Offset"), ("upload, finalize", 0, "X-Goog-Upload-Command")],
)
def test_a_refused_step_names_the_header(client: TestClient, command: str, offset: int, header: str) -> None:
    url = _start(client, header_content_length="10").headers["x-goog-upload-url"]
    error = _send(client, url, command, b"x", offset).json()["error"]
    assert error["details"][0]["fieldViolations"][0]["field"] == header


def test_an_unknown_upload_is_over(client: TestClient) -> None:
    reply = _send(client, f"{UPLOAD}?upload_id=nobodys", "upload", b"x")
    _refused(reply, 404)
    assert reply.headers["x-goog-upload-status"] == "final"


def test_a_name_is_kept_and_not_given_twice(client: TestClient) -> None:
    file = _upload(client, b"one", {"file": {"name": "files/my-cat-1", "mimeType": "text/plain"}})
    assert file["name"] == "files/my-cat-1"
    assert "taken" in _refused(_start(client, {"file": {"name": "my-cat-1"}}), 400)


@pytest.mark.parametrize(
    "spelling",
    [
        "{uri}", "files/{id}", "{id}", "files/files/{id}", "https://generativelanguage.googleapis.com/v1beta/files/{id}",
        "https://elsewhere.example/prefix/v1/files/{id}", "files/{uri}", "{uri}?key=abc",
    ],
)  # fmt: skip
def test_a_file_is_found_under_every_spelling(client: TestClient, spelling: str) -> None:
    file = _upload(client, picture(30, 20))
    text = spelling.format(uri=file["uri"], id=file["name"].removeprefix("files/"))
    assert client.post(f"{CALL}:generateContent", json=_prompt(text)).status_code == 200
    if "?" not in text:
        assert client.get(f"{FILES}/{text}").json()["name"] == file["name"]


@pytest.mark.parametrize("uri", ["gs://bucket/cat.png", "file:///etc/passwd", "../x", "x" * 5000])
def test_other_uris_are_refused(client: TestClient, uri: str) -> None:
    reply = client.post(f"{CALL}:generateContent", json=_prompt(uri))
    assert "Unsupported file URI type" in _refused(reply, 400, upload=False)


@pytest.mark.parametrize(
    "name", ["..%2f..%2fetc%2fpasswd", "%00", "a/../b", "A", "-a-", "a" * 41, "ä", "%ff"]
)
def test_path_tricks_find_nothing(client: TestClient, name: str) -> None:
    for method in ("GET", "DELETE"):
        assert client.request(method, f"{FILES}/{name}").status_code in (400, 403, 404)


def test_uploaded_and_inline_pictures_mix_in_any_order(client: TestClient) -> None:
    file = _upload(client, picture(30, 20))
    stored = {"file_data": {"file_uri": file["uri"], "mime_type": "image/png"}}
    parts = [inline(picture(10, 11)), {"text": "and"}, stored, inline(picture(12, 13)), stored, {"text": "?"}]
    body = {"contents": [{"parts": parts}]}
    text = client.post(f"{CALL}:generateContent", json=body).json()["candidates"][0]["content"]["parts"][0][
        "text"
    ]
    assert "4 images (10x11, 2 of 30x20, 12x13)" in text
    counted = client.post(f"{CALL}:countTokens", json=body).json()["totalTokens"]
    assert counted == 4 * 258 + 2


def test_a_file_that_is_no_picture_is_told_at_once_or_when_used(client: TestClient) -> None:
    broken = _upload(client, picture(30, 20)[:60], header_content_type="image/png")
    assert broken["state"] == "FAILED"
    assert "Unable to process input image" in broken["error"]["message"]
    used = client.post(f"{CALL}:generateContent", json=_prompt(broken["uri"]))
    assert used.json()["error"]["status"] == "FAILED_PRECONDITION"
    document = _upload(client, b"%PDF-1.7 ...", header_content_type="application/pdf")
    assert (document["state"], document["mimeType"]) == ("ACTIVE", "application/pdf")
    refused = _refused(
        client.post(f"{CALL}:generateContent", json=_prompt(document["uri"])), 400, upload=False
    )
    assert "PDF" in refused


def test_the_bytes_tell_the_type_of_a_picture(client: TestClient) -> None:
    assert (
        _upload(client, picture(30, 20, "WEBP"), header_content_type="image/png")["mimeType"] == "image/webp"
    )
    assert _upload(client, picture(30, 20, "JPEG"))["mimeType"] == "image/jpeg"


def test_a_listing_is_walked_page_by_page(client: TestClient) -> None:
    names = [_upload(client, b"%d" % index, header_content_type="text/plain")["name"] for index in range(25)]
    seen: list[str] = []
    token = ""
    while True:
        page = client.get(FILES, params={"pageToken": token, "pageSize": "7"}).json()
        seen += [file["name"] for file in page["files"]]
        token = page.get("nextPageToken", "")
        if not token:
            break
    assert seen == names[::-1]
    assert len(client.get(FILES).json()["files"]) == 10
    for wrong in ("pageToken=junk", "pageSize=-1", "pageSize=many"):
        _refused(client.get(f"{FILES}?{wrong}"), 400, upload=False)


@pytest.mark.parametrize(
    ("proxy", "url"), [("10.0.0.1", "https://vidi.example/ai"), ("9.0.0.1", "http://localhost")]
)
def test_a_trusted_proxys_names_are_used_in_urls(settings: Settings, proxy: str, url: str) -> None:
    behind = settings.model_copy(
        update={"trusted_proxies": (ip_network("10.0.0.0/8"),), "allowed_hosts": ("vidi.example",)}
    )
    headers = {
        "x-goog-upload-command": "start",
        "x-forwarded-proto": "https",
        "x-forwarded-host": "vidi.example",
        "x-forwarded-prefix": "/ai/",
    }
    app = create_app(behind)
    with TestClient(app, base_url="http://localhost", client=(proxy, 1)) as client:
        told = client.post(UPLOAD, headers=headers).headers["x-goog-upload-url"]
    assert told.startswith(f"{url}/upload/v1beta/files?upload_id=")


@pytest.fixture
def keyed(tmp_path: Path) -> Iterator[TestClient]:
    """A client of a server with two keys."""
    settings = Settings(model="echo", api_keys=("one", "two"), data_dir=tmp_path / "d", cache_dir=tmp_path)
    with TestClient(create_app(settings), base_url="http://localhost") as started:
        yield started


def test_the_upload_url_needs_no_key_and_files_are_their_owners(keyed: TestClient) -> None:
    assert _start(keyed).status_code == 403
    begun = keyed.post(UPLOAD, headers={"x-goog-upload-command": "start", "x-goog-api-key": "one"})
    done = _send(keyed, begun.headers["x-goog-upload-url"], "upload, finalize", picture(30, 20))
    file = done.json()["file"]
    mine, other = {"x-goog-api-key": "one"}, {"x-goog-api-key": "two"}
    assert keyed.get(FILES, headers=mine).json()["files"] == [file]
    assert keyed.get(FILES, headers=other).json() == {}
    foreign = keyed.get(f"/v1beta/{file['name']}", headers=other)
    absent = keyed.get("/v1beta/files/doesnotexist", headers=other)
    assert _refused(foreign, 403, upload=False).replace(file["name"].removeprefix("files/"), "X") == _refused(
        absent, 403, upload=False
    ).replace("doesnotexist", "X")
    assert keyed.delete(f"/v1beta/{file['name']}", headers=other).status_code == 403
    assert keyed.post(f"{CALL}:generateContent", json=_prompt(file["uri"]), headers=other).status_code == 403
    assert keyed.post(f"{CALL}:generateContent", json=_prompt(file["uri"]), headers=mine).status_code == 200


def test_a_full_store_is_said_with_429(tmp_path: Path) -> None:
    settings = Settings(model="echo", max_storage_bytes=1000, data_dir=tmp_path / "d", cache_dir=tmp_path)
    with TestClient(create_app(settings), base_url="http://localhost") as client:
        _upload(client, b"x" * 600, header_content_length="600")
        full = _start(client, header_content_length="600")
        assert full.status_code == 429
        assert full.json()["error"]["status"] == "RESOURCE_EXHAUSTED"
        assert full.headers["retry-after"] == "60"
        kinds = [each["@type"].rpartition(".")[2] for each in full.json()["error"]["details"]]
        assert kinds == ["ErrorInfo", "LocalizedMessage", "QuotaFailure", "RetryInfo"]


def test_a_file_that_is_larger_than_any_may_be_is_a_wrong_request(tmp_path: Path) -> None:
    settings = Settings(model="echo", max_file_bytes=1000, data_dir=tmp_path / "d", cache_dir=tmp_path)
    with TestClient(create_app(settings), base_url="http://localhost") as client:
        declared = _start(client, header_content_length="1001")
        grown = _send(client, _start(client).headers["x-goog-upload-url"], "upload", b"x" * 1001)
        raw = client.post(UPLOAD, content=b"x" * 1001, headers={"x-goog-upload-protocol": "raw"})
        for reply in (declared, grown, raw):
            assert "at most 1000 bytes" in _refused(reply, 400)
            assert "retry-after" not in reply.headers


def test_two_servers_do_not_share_a_directory(settings: Settings, client: TestClient) -> None:
    with pytest.raises(Exception, match="directory"):
        create_app(settings)


def test_a_refusal_at_the_door_carries_the_uploads_status(client: TestClient, keyed: TestClient) -> None:
    for reply in (
        client.post(UPLOAD, headers={"host": "evil.example"}),
        client.patch(UPLOAD),
        keyed.post(UPLOAD),
    ):
        assert reply.status_code in (403, 404)
        assert reply.headers["x-goog-upload-status"] == "final"
