"""What goes with a reply beside its body, and who may know the names of headers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.testclient import TestClient

import vidi
from vidi.domain.errors import Unavailable
from vidi.http.access import AccessPolicy
from vidi.http.keys import KeyRing, UsageBook, no_keys
from vidi.http.middleware import Gateway
from vidi.http.response import add_header, encode_errors_with, json_response
from vidi.http.routes import GET, RouteEntry, RouteTable
from vidi.http.stream import Drain
from vidi.storage.clock import utc_now

SOURCE = Path(vidi.__file__).parent


async def _answer(request: Request) -> Response:
    add_header(request, "x-told", "yes")
    return json_response(b"{}")


async def _fail(request: Request) -> Response:
    add_header(request, "x-told", "yes")
    raise Unavailable("Not now.")


async def _fail_in_its_own_words(request: Request) -> Response:
    encode_errors_with(request, lambda error: error.message.encode())
    raise Unavailable("Not now.")


@pytest.fixture
def small() -> TestClient:
    """A client of three endpoints behind the middleware."""
    endpoints = {"/answer": _answer, "/fail": _fail, "/own": _fail_in_its_own_words}
    policy = AccessPolicy(KeyRing(no_keys, utc_now), UsageBook(utc_now), frozenset({"localhost"}))
    table = RouteTable(RouteEntry(GET, path, endpoint) for path, endpoint in endpoints.items())
    app = Gateway(Starlette(), policy, table.resolve, Drain(0))
    return TestClient(app, base_url="http://localhost")


@pytest.mark.parametrize(("path", "status"), [("/answer", 200), ("/fail", 503)])
def test_an_added_header_goes_with_an_answer_and_with_an_error(
    small: TestClient, path: str, status: int
) -> None:
    reply = small.get(path)
    assert (reply.status_code, reply.headers["x-told"]) == (status, "yes")
    assert reply.headers["content-type"] == "application/json; charset=UTF-8"


def test_errors_are_written_as_the_endpoint_says(small: TestClient) -> None:
    assert small.get("/own").content == b"Not now."
    assert small.get("/fail").json()["error"]["message"] == "Not now."


@pytest.mark.parametrize("folder", ["domain", "files", "interactions", "storage"])
def test_layers_that_know_no_http_name_no_header(folder: str) -> None:
    header = re.compile(r"x-goog|content-(?:type|length|encoding)|x-forwarded", re.IGNORECASE)
    for path in (SOURCE / folder).rglob("*.py"):
        assert not header.search(path.read_text(encoding="utf-8")), path
