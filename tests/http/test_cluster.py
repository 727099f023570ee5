"""A gateway of several, as a process of its own: what goes on when what they share is away."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import httpx2
import pytest

from bench.backing import Program, new_database
from tests.http.live import Live, live
from tests.waiting import HANG_SECONDS, until
from vidi.files.metadata import new_id

pytestmark = pytest.mark.slow


@pytest.fixture
def variables(postgres: Program, s3: Program) -> dict[str, str]:
    return {
        "VIDI_DATABASE_URL": new_database(postgres).replace("vidi@", "vidi:hush-database@"),
        "VIDI_BLOB_URL": f"s3://vidi/{new_id()}",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{s3.port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "hush-bucket",
        "AWS_REGION": "us-east-1",
    }


def start(server: Live) -> httpx2.Response:
    headers = {"X-Goog-Upload-Protocol": "resumable", "X-Goog-Upload-Command": "start"}
    url = f"http://127.0.0.1:{server.port}/upload/v1beta/files"
    return httpx2.post(url, headers=headers, content=b"{}", timeout=HANG_SECONDS)


def send(url: str, data: bytes) -> httpx2.Response:
    headers = {"X-Goog-Upload-Command": "upload, finalize", "X-Goog-Upload-Offset": "0"}
    return httpx2.post(url, headers=headers, content=data, timeout=HANG_SECONDS)


def test_inline_prompts_go_on_while_the_database_is_away(
    postgres: Program, variables: dict[str, str], tmp_path: Path
) -> None:
    with live(tmp_path, **variables) as server:
        url = start(server).headers["x-goog-upload-url"]
        postgres.stop(signal.SIGQUIT)
        try:
            assert server.works()
            refused = start(server)
            assert refused.status_code == 503
            assert int(refused.headers["retry-after"]) > 0
            assert refused.json()["error"]["status"] == "UNAVAILABLE"
            ready = httpx2.get(f"http://127.0.0.1:{server.port}/ready", timeout=HANG_SECONDS)
            assert ready.status_code == 200
            assert "storage" in ready.json()["reasons"][0]
        finally:
            postgres.start()
        until(lambda: send(url, b"bytes").status_code == 200)
        assert send(url, b"bytes").json()["file"]["sizeBytes"] == "5"
        said = server.log.read_text()
    assert "hush" not in said


def test_a_file_of_one_gateway_is_everywhere(variables: dict[str, str], tmp_path: Path) -> None:
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
    with live(folders[0], **variables) as first, live(folders[1], **variables) as second:
        begun = start(first)
        assert begun.headers["x-goog-upload-chunk-granularity"] == "8388608"
        url = begun.headers["x-goog-upload-url"].replace(str(first.port), str(second.port))
        name = send(url, b"some text").json()["file"]["name"]
        for server in (first, second):
            base = f"http://127.0.0.1:{server.port}/v1beta"
            assert httpx2.get(f"{base}/{name}", timeout=HANG_SECONDS).json()["sizeBytes"] == "9"
        body = {"model": "echo", "input": "hello"}
        made = httpx2.post(
            f"http://127.0.0.1:{first.port}/v1beta/interactions", json=body, timeout=HANG_SECONDS
        ).json()
        found = httpx2.get(
            f"http://127.0.0.1:{second.port}/v1beta/interactions/{made['id']}", timeout=HANG_SECONDS
        ).json()
    assert json.dumps(found["steps"]) == json.dumps(made["steps"])
