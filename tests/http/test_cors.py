"""Which web pages a browser lets call: preflights, and what goes with answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from vidi.app import create_app
from vidi.settings import Settings

MODELS = "/v1beta/models"
UPLOAD = "/upload/v1beta/files"
KEY = "a-key-of-sixteen-letters"
SITE = "https://site.example"

LOCAL = (
    "http://localhost:5173",
    "http://127.0.0.1:3000",
    "http://[::1]:8080",
    "https://localhost",
    "http://LOCALHOST",
)
FOREIGN = (
    SITE, "null", "http://localhost.site.example", "http://127.0.0.1.site.example", "http://localhost@site.example",
    "http://192.168.1.5", "http://[", "file://", "localhost", "",
)  # fmt: skip


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[TestClient]:
    """A client of a server with keys."""
    settings = Settings(host="0.0.0.0", model="echo", api_keys=(KEY,), data_dir=tmp_path, cache_dir=tmp_path)
    with TestClient(create_app(settings), base_url="http://vidi.example") as client:
        yield client


def _preflight(origin: str, **more: str) -> dict[str, str]:
    return {"origin": origin, "access-control-request-method": "POST", **more}


@pytest.mark.parametrize("origin", LOCAL)
def test_an_open_server_grants_pages_of_this_machine(client: TestClient, origin: str) -> None:
    names = "content-type,user-agent,x-goog-api-client,x-goog-api-key,x-something-new"
    asked = _preflight(origin, **{"access-control-request-headers": names})
    preflight = client.options(UPLOAD, headers=asked)
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == origin
    assert preflight.headers["access-control-allow-headers"] == names
    assert "DELETE" in preflight.headers["access-control-allow-methods"]
    assert "Origin" in preflight.headers["vary"]
    answer = client.get(MODELS, headers={"origin": origin})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == origin
    assert "x-goog-upload-url" in answer.headers["access-control-expose-headers"]
    assert "Origin" in answer.headers["vary"]


@pytest.mark.parametrize("origin", FOREIGN)
def test_an_open_server_grants_other_pages_nothing(client: TestClient, origin: str) -> None:
    for reply in (
        client.options(MODELS, headers=_preflight(origin)),
        client.get(MODELS, headers={"origin": origin}),
        client.post(f"{MODELS}/echo:generateContent", headers={"origin": origin}, json={}),
    ):
        assert reply.status_code == 403
        assert not [name for name in reply.headers if name.startswith("access-control")]
        assert "Origin" in reply.headers["vary"]


def test_errors_can_be_read_by_a_page_that_may_call(client: TestClient) -> None:
    reply = client.get(f"{MODELS}/unknown", headers={"origin": LOCAL[0]})
    assert reply.status_code == 404
    assert reply.headers["access-control-allow-origin"] == LOCAL[0]


def test_a_page_of_a_public_site_that_is_let_in_may_ask_a_private_address(client: TestClient) -> None:
    asked = _preflight(LOCAL[0], **{"access-control-request-private-network": "true"})
    assert client.options(MODELS, headers=asked).headers["access-control-allow-private-network"] == "true"
    assert (
        "access-control-allow-private-network"
        not in client.options(MODELS, headers=_preflight(LOCAL[0])).headers
    )


def test_with_keys_any_page_may_call_but_must_show_one(locked: TestClient) -> None:
    preflight = locked.options(MODELS, headers=_preflight(SITE))
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == SITE
    assert "x-goog-api-key" in preflight.headers["access-control-allow-headers"]
    refused = locked.get(MODELS, headers={"origin": SITE})
    assert refused.status_code == 403
    assert refused.headers["access-control-allow-origin"] == SITE
    shown = locked.get(MODELS, headers={"origin": SITE, "x-goog-api-key": KEY})
    assert shown.status_code == 200


def test_header_names_that_are_none_are_not_echoed(locked: TestClient) -> None:
    asked = _preflight(SITE, **{"access-control-request-headers": 'a"b' + "x" * 3000})
    assert "x-goog-api-key" in locked.options(MODELS, headers=asked).headers["access-control-allow-headers"]


def test_options_that_are_no_preflight_get_an_answer_of_the_api(
    client: TestClient, locked: TestClient
) -> None:
    assert client.options(MODELS).status_code == 404
    assert locked.options(MODELS).status_code == 403
