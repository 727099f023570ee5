"""The door: keys, names, other sites, and how errors leave."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from vidi.app import create_app
from vidi.settings import Settings

MODELS = "/v1beta/models"
KEY = "a-long-enough-secret"


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[TestClient]:
    """A client of a server with keys."""
    settings = Settings(
        host="0.0.0.0",
        model="echo",
        api_keys=(KEY, "another-long-secret"),
        data_dir=tmp_path,
        cache_dir=tmp_path,
    )
    with TestClient(create_app(settings), base_url="http://vidi.example") as client:
        yield client


@pytest.mark.parametrize(
    ("headers", "query"),
    [({"x-goog-api-key": KEY}, ""), ({}, f"?key={KEY}"), ({"authorization": f"Bearer {KEY}"}, "")],
)
def test_a_key_is_taken_at_each_of_its_doors(locked: TestClient, headers: dict[str, str], query: str) -> None:
    assert locked.get(MODELS + query, headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("headers", "code", "status", "says"),
    [
        ({}, 403, "PERMISSION_DENIED", "unregistered callers"),
        ({"x-goog-api-key": ""}, 403, "PERMISSION_DENIED", "unregistered callers"),
        ({"x-goog-api-key": "wrong"}, 400, "INVALID_ARGUMENT", "API key not valid"),
        ({"authorization": "Bearer wrong"}, 400, "INVALID_ARGUMENT", "API key not valid"),
        ({"authorization": f"Basic {KEY}"}, 403, "PERMISSION_DENIED", "unregistered callers"),
        ({"x-goog-api-key": KEY, "authorization": f"Bearer {KEY}"}, 400, "INVALID_ARGUMENT", "Multiple"),
    ],
)
@pytest.mark.parametrize(
    "path", [MODELS, "/v1/models", "//v1beta/models", "/v1beta/%6dodels", "/nothing", "/playground/"]
)
def test_without_a_valid_key_nothing_is_shown(
    locked: TestClient, headers: dict[str, str], code: int, status: str, says: str, path: str
) -> None:
    reply = locked.get(path, headers=headers)
    assert reply.status_code == code
    assert reply.json()["error"]["status"] == status
    assert says in reply.json()["error"]["message"]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8484", "LOCALHOST:1", "[::1]:8484"])
def test_an_open_server_answers_under_its_own_names(client: TestClient, host: str) -> None:
    assert client.get(MODELS, headers={"host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", ""])
def test_an_open_server_refuses_foreign_names(client: TestClient, host: str) -> None:
    reply = client.get(MODELS, headers={"host": host})
    assert reply.status_code == 403
    assert reply.json()["error"]["status"] == "PERMISSION_DENIED"


def test_an_allowed_name_opens_the_door(tmp_path: Path) -> None:
    settings = Settings(model="echo", allowed_hosts=("vidi.home",), data_dir=tmp_path, cache_dir=tmp_path)
    with TestClient(create_app(settings), base_url="http://Vidi.Home:8484") as client:
        assert client.get(MODELS).status_code == 200


def test_the_log_holds_no_key(locked: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        locked.get(f"{MODELS}?key={KEY}")
        locked.get(MODELS, headers={"x-goog-api-key": KEY})
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("vidi")]
    assert any("GET /v1beta/models 200" in line for line in ours)
    assert not any(KEY in line for line in ours)
