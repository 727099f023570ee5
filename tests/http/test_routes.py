"""The route table, and every way in which clients spell its paths."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.conftest import inline, picture
from tests.http.walk import table_of
from vidi.app import create_app
from vidi.http.routes import canonical
from vidi.settings import Settings

CALL = "/v1beta/models/gemini-3-flash:generateContent"


def test_no_path_and_verb_stand_there_twice(settings: Settings) -> None:
    table = table_of(create_app(settings))
    served = [(entry.path, method) for entry in table.entries for method in entry.methods]
    assert len(served) == len(set(served)), "the second would never be reached"
    assert all(canonical(entry.path) == entry.path for entry in table.entries)


@pytest.mark.parametrize(
    "path",
    [
        CALL,
        CALL.replace("v1beta", "v1"),
        CALL.replace("v1beta", "v1alpha"),
        CALL.replace("v1beta", "v1beta/v1"),
        CALL.replace("v1beta", "v1/v1beta"),
        CALL.removeprefix("/v1beta"),
        f"/{CALL}",
        f"{CALL}/",
        CALL.replace("v1beta/", "v1beta1/publishers/google/"),
        CALL.replace("v1beta/", "v1/publishers/google/"),
        CALL.replace("v1beta/", "publishers/google/"),
        CALL.replace("v1beta/", "v1beta/v1beta1/publishers/google/"),
        CALL.replace("v1beta/", "v1beta1/projects/my-project/locations/us-central1/publishers/google/"),
        CALL.replace("v1beta/", "v1/projects/p/locations/global/publishers/google/"),
    ],
)
def test_every_spelling_of_a_call_is_answered_and_counted_alike(client: TestClient, path: str) -> None:
    body = {"contents": [{"role": "user", "parts": [inline(picture(64, 48)), {"text": "Caption this."}]}]}
    answer = client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    assert "Echo: 1 image (64x48)" in answer.text
    streamed = client.post(path.replace(":generate", ":streamGenerate") + "?alt=sse", json=body)
    assert streamed.text.startswith("data: {")
    counted = client.post(path.replace(":generateContent", ":countTokens"), json=body).json()
    assert counted["totalTokens"] == answer.json()["usageMetadata"]["promptTokenCount"]


@pytest.mark.parametrize(
    ("path", "instead"),
    [
        ("/models", "/v1beta/models"),
        ("/v1/models/", "/v1beta/models"),
        ("/v1beta1/publishers/google/models/gemini-x", "/v1beta/models/gemini-x"),
        ("/v1alpha/interactions/abc/cancel", "/v1beta/interactions/abc/cancel"),
        ("/v1/files:register", "/v1beta/files:register"),
        ("/v1beta/files/https://host/v1beta/files/abc", "/v1beta/files/https://host/v1beta/files/abc"),
        ("/v1/upload/v1beta/files", "/upload/v1beta/files"),
        ("/resumable/upload/v1/files", "/upload/v1beta/files"),
        ("/upload/files", "/upload/v1beta/files"),
    ],
)
def test_a_known_spelling_becomes_the_tables(path: str, instead: str) -> None:
    assert canonical(path) == instead


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v2/models",
        "/v1beta/v1beta/v1beta/models",
        "/upload/v2/files",
        "/v1/publishers/anthropic/models/claude",
        "/v1/publishers/google/files/abc",
        "/v1/projects/p/publishers/google/models/x",
        "/v1beta//models",
        "/modelsx",
        "/V1/models",
        "/playground/page.js",
    ],
)
def test_any_other_path_stays_what_it_is(path: str) -> None:
    assert canonical(path) == path


@pytest.mark.parametrize("path", ["/v2/models", "/api/models", "/v1beta/nothing"])
def test_an_unknown_path_is_told_which_base_url_is_wanted(client: TestClient, path: str) -> None:
    error = client.get(path).json()["error"]
    assert (error["code"], error["status"]) == (404, "NOT_FOUND")
    assert error["message"].startswith(f"There is no GET {path} here.")
    assert "http://localhost/v1beta/models" in error["message"]


UNSERVED: list[tuple[str, str, Any]] = [
    ("GET", "/v1beta/cachedContents", "Cached contents are"),
    ("POST", "/v1beta/cachedContents", "Cached contents are"),
    ("PATCH", "/v1/cachedContents/abc", "Cached contents are"),
    ("GET", "/v1beta/batches", "Batches are"),
    ("POST", f"{CALL.partition(':')[0]}:batchGenerateContent", "batchGenerateContent is"),
    ("GET", "/v1beta/tunedModels", "Tuned models are"),
    ("POST", "/v1beta/tunedModels/x:generateContent", "Tuned models are"),
    ("GET", "/v1beta/operations/abc", "Operations are"),
    ("GET", "/v1beta/models/x/operations/abc", "Operations are"),
    ("GET", "/v1beta/fileSearchStores", "File search is"),
    ("GET", "/v1beta1/projects/p/locations/l/cachedContents", "Cached contents are"),
    ("POST", "/v1beta/models/gemini-embedding-001:batchEmbedContents", "batchEmbedContents is"),
    ("POST", "/v1beta/models/gemini-3-flash:embedContent", "embedContent is"),
    ("POST", "/v1beta/openai/chat/completions", "OpenAI's API is"),
    ("POST", "/v1/chat/completions", "OpenAI's API is"),
]


@pytest.mark.parametrize(("method", "path", "says"), UNSERVED)
def test_what_google_serves_and_vidi_does_not_is_said_in_so_many_words(
    client: TestClient, method: str, path: str, says: str
) -> None:
    error = client.request(method, path, json={}).json()["error"]
    assert (error["code"], error["status"]) == (404, "NOT_FOUND")
    assert error["message"].startswith(f"{says} not served by Vidi.")
    assert "docs/compatibility.md" in error["message"]


def test_files_of_cloud_storage_are_refused_with_what_to_do(client: TestClient) -> None:
    error = client.post("/v1beta/files:register", json={"uris": ["gs://b/a.png"]}).json()["error"]
    assert error["code"] == 400
    assert "gs://" in error["message"] and "/upload/v1beta/files" in error["message"]


@pytest.mark.parametrize(
    "path", ["/v1/models", "/models", "/v1beta/v1/models/", "/v1beta1/publishers/google/models"]
)
def test_models_are_the_same_in_every_spelling(client: TestClient, path: str) -> None:
    listed = client.get("/v1beta/models").json()
    assert client.get(path).json() == listed
    assert client.get(f"{path.rstrip('/')}/gemini-x").json() == client.get("/v1beta/models/gemini-x").json()
