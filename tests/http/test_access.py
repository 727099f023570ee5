"""Every route by every spelling: without a key nothing is shown or done, whatever the URL looks like."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, closing
from ipaddress import ip_network
from itertools import product
from pathlib import Path

import pytest

from tests.conftest import picture
from tests.http.walk import VERBS, Place, Reply, ask, places, table_of
from vidi.app import create_app
from vidi.domain.errors import InvalidRequest, PermissionDenied
from vidi.http.access import Access, AccessPolicy, Caller, Network
from vidi.http.keys import Key, KeyRing, UsageBook
from vidi.http.middleware import Gateway
from vidi.settings import Settings
from vidi.storage.clock import utc_now

KEY, OTHER = "the-first-of-the-keys", "the-other-of-the-keys"
MINE, THEIRS = {"x-goog-api-key": KEY}, {"x-goog-api-key": OTHER}
UPLOAD, FILES = "/upload/v1beta/files", "/v1beta/files"

VALUES = {"model": "echo", "call": "echo:generateContent", "id": "0" * 32, "name": "abcdefghijkl"}

QUERIES = (
    "",
    "upload_id=",
    "upload_id=x",
    "upload_id=&upload_id=x",
    "upload_id=x&upload_id=",
    "upload_id=x&upload_id=x",
    "UPLOAD_ID=x",
    "a=b;upload_id=x",
    "%75pload_id=x",
    "key=",
    "key=&upload_id=",
)
ONE_UPLOAD = {"upload_id=x", "%75pload_id=x"}

NO_KEYS: tuple[dict[str, str], ...] = (
    {},
    {"x-http-method-override": "GET", "x-original-url": "/", "x-rewrite-url": "/", "x-forwarded-uri": "/"},
    {"host": "localhost", "x-forwarded-for": "127.0.0.1", "forwarded": "for=127.0.0.1", "origin": "null"},
    {"x-goog-api-key": "", "authorization": "Bearer "},
    {"authorization": f"Basic {KEY}"},
    {"x-goog-upload-protocol": "raw"},
    {"x-goog-upload-command": "start", "x-goog-upload-protocol": "resumable"},
    {"content-type": "multipart/related; boundary=b", "x-goog-upload-protocol": "multipart"},
)


@asynccontextmanager
async def _locked(folder: Path) -> AsyncIterator[Gateway]:
    """An application with two keys."""
    settings = Settings(
        host="0.0.0.0",
        model="echo",
        api_keys=(KEY, OTHER),
        data_dir=folder / "data",
        cache_dir=folder / "cache",
        decoders=1,
    )
    app = create_app(settings)
    async with app.lifespan.router.lifespan_context(app):
        yield app


def _run(work: Coroutine[object, object, None]) -> None:
    asyncio.run(work)


def _is_capability(place: Place, verb: str, query: str) -> bool:
    return place.access is Access.UPLOAD_URL and verb in place.methods and query in ONE_UPLOAD


def _error(reply: Reply) -> tuple[int, str, str]:
    error = json.loads(reply.body)["error"]
    return reply.status, error["status"], error["message"]


async def _check_unknown(app: Gateway, place: Place, verb: str, query: str, sent: dict[str, str]) -> None:
    reply = await ask(app, verb, place.raw, query, sent)
    shown = verb, place.raw, query, sent, reply
    if place.access is Access.PUBLIC and verb in place.methods:
        assert reply.status == 200, shown
    elif _is_capability(place, verb, query):
        assert reply.status in (400, 404), shown
        assert reply.headers["x-goog-upload-status"] == "final", shown
    else:
        assert _error(reply)[:2] == (403, "PERMISSION_DENIED"), shown
        assert "unregistered callers" in _error(reply)[2], shown


def test_without_a_key_no_spelling_of_any_route_shows_or_does_anything(tmp_path: Path) -> None:
    async def walk() -> None:
        async with _locked(tmp_path) as app:
            walked = list(places(table_of(app), VALUES))
            for place, verb, query in product(walked, VERBS, QUERIES):
                await _check_unknown(app, place, verb, query, {})
            for place, query, sent in product(walked, QUERIES[:5], NO_KEYS):
                await _check_unknown(app, place, "POST", query, sent)

    _run(walk())
    with closing(sqlite3.connect(tmp_path / "data" / "index.sqlite3")) as stored:
        assert not stored.execute("SELECT id FROM files UNION ALL SELECT id FROM sessions").fetchall()


def test_a_wrong_key_is_told_so_at_every_route(tmp_path: Path) -> None:
    async def walk() -> None:
        async with _locked(tmp_path) as app:
            for place in places(table_of(app), VALUES):
                for verb in VERBS:
                    reply = await ask(app, verb, place.raw, headers={"x-goog-api-key": "wrong"})
                    if not (place.access is Access.PUBLIC and verb in place.methods):
                        status, name, message = _error(reply)
                        assert (status, name) == (400, "INVALID_ARGUMENT"), (verb, place.raw, reply)
                        assert message.startswith("API key not valid")

    _run(walk())


def test_with_a_key_each_route_is_reached_and_what_is_none_is_not_found(tmp_path: Path) -> None:
    async def walk() -> None:
        async with _locked(tmp_path) as app:
            for place in places(table_of(app), VALUES):
                for verb in VERBS:
                    reply = await ask(app, verb, place.raw, headers=MINE, body=b"{")
                    if verb in place.methods:
                        assert reply.status in (200, 400, 403, 404), (verb, place.raw, reply)
                        assert b"There is no" not in reply.body or b"interaction" in reply.body
                    elif place.access is not None:
                        assert _error(reply)[:2] == (404, "NOT_FOUND"), (verb, place.raw, reply)

    _run(walk())


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ((("x-goog-api-key", KEY), ("x-goog-api-key", OTHER)), ""),
        ((("x-goog-api-key", KEY), ("x-goog-api-key", "wrong")), ""),
        ((("x-goog-api-key", KEY),), f"key={OTHER}"),
        ((), f"key={KEY}&key=wrong"),
        ((("authorization", f"Bearer {KEY}"), ("authorization", "Bearer wrong")), ""),
    ],
)
def test_of_several_keys_none_is_picked(
    tmp_path: Path, headers: tuple[tuple[str, str], ...], query: str
) -> None:
    async def walk() -> None:
        async with _locked(tmp_path) as app:
            reply = await ask(app, "GET", FILES, query, headers)
            assert "Multiple authentication credentials" in _error(reply)[2]

    _run(walk())


def test_an_uploads_url_opens_that_upload_and_nothing_else(tmp_path: Path) -> None:
    async def walk() -> None:
        async with _locked(tmp_path) as app:
            begun = await ask(app, "POST", UPLOAD, headers={**MINE, "x-goog-upload-command": "start"})
            query = begun.headers["x-goog-upload-url"].partition("?")[2]
            secret = query.partition("upload_id=")[2].partition("&")[0]
            assert len(secret) > 30
            for place in places(table_of(app), VALUES):
                for verb in VERBS:
                    reply = await ask(app, verb, place.raw, query, {"x-goog-upload-command": "query"})
                    if place.access is Access.UPLOAD_URL and verb in place.methods:
                        assert reply.headers["x-goog-upload-status"] == "active", (verb, place.raw)
                    elif not (place.access is Access.PUBLIC and verb in place.methods):
                        assert _error(reply)[:2] == (403, "PERMISSION_DENIED"), (verb, place.raw)
            for twice in (f"upload_id=&{query}", f"{query}&upload_id={secret}", f"{query}&upload_id=x"):
                done = {"x-goog-upload-command": "upload, finalize", "x-goog-upload-offset": "0"}
                assert (await ask(app, "POST", UPLOAD, twice, done, picture(8, 8))).status == 403
                both = await ask(app, "POST", UPLOAD, twice, {**MINE, **done}, picture(8, 8))
                assert "more than once" in _error(both)[2]
            finished = await ask(app, "POST", UPLOAD, query, done, picture(8, 8))
            assert finished.status == 200
            assert FILES.encode() in finished.body
            mine = json.loads((await ask(app, "GET", FILES, headers=MINE)).body)
            assert len(mine["files"]) == 1
            assert json.loads((await ask(app, "GET", FILES, headers=THEIRS)).body) == {}

    _run(walk())


def _scope(client: str, headers: tuple[tuple[str, str], ...]) -> dict[str, object]:
    pairs = [(name.encode(), value.encode()) for name, value in headers]
    return {
        "type": "http",
        "scheme": "http",
        "headers": pairs,
        "query_string": b"",
        "client": (client, 1) if client else None,
    }


def _admit(policy: AccessPolicy, access: Access, client: str, *headers: tuple[str, str]) -> Caller:
    scope = _scope(client, headers)
    return policy.admit(access, scope, policy.address(scope))


def _policy(*keys: Key, proxies: tuple[Network, ...] = ()) -> AccessPolicy:
    """Of a server with these keys, or of an open one."""
    ring = KeyRing(lambda: keys or None, utc_now)
    return AccessPolicy(ring, UsageBook(utc_now), frozenset({"localhost", "vidi.home"}), proxies)


POLICIES = [_policy(), _policy(Key.of_secret("x"))]
HERE = (("host", "localhost:8484"),)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(
    ("client", "headers", "local"),
    [
        ("127.0.0.1", HERE, True),
        ("::1", HERE, True),
        ("192.0.2.1", HERE, False),
        ("127.0.0.1", (("host", "evil.example"),), False),
        ("127.0.0.1", (("host", "localhost"), ("host", "evil.example")), False),
        ("127.0.0.1", (*HERE, ("origin", "https://evil.example")), False),
        ("127.0.0.1", (*HERE, ("origin", "http://localhost"), ("origin", "https://evil.example")), False),
        ("127.0.0.1", (*HERE, ("x-forwarded-for", "127.0.0.1")), False),
        ("127.0.0.1", (*HERE, ("forwarded", "for=192.0.2.1")), False),
        ("", HERE, False),
    ],
)
def test_a_local_route_is_open_to_this_machine_itself(
    policy: AccessPolicy, client: str, headers: tuple[tuple[str, str], ...], local: bool
) -> None:
    if local:
        assert _admit(policy, Access.LOCAL_OR_KEY, client, *headers).owner in ("", None)
    else:
        with pytest.raises((PermissionDenied, InvalidRequest)):
            _admit(policy, Access.LOCAL_OR_KEY, client, *headers)


@pytest.mark.parametrize("access", list(Access))
def test_an_open_server_asks_every_route_for_its_own_name(access: Access) -> None:
    assert _admit(POLICIES[0], access, "127.0.0.1", *HERE) == Caller("")
    for header in (("host", "evil.example"), ("origin", "https://evil.example")):
        with pytest.raises((PermissionDenied, InvalidRequest)):
            _admit(POLICIES[0], access, "127.0.0.1", *HERE, header)
    with pytest.raises(PermissionDenied):
        _admit(POLICIES[0], access, "127.0.0.1", *HERE, ("origin", "http://localhost"), ("origin", "null"))


BEHIND = _policy(proxies=tuple(map(ip_network, ("10.0.0.0/8", "::1/128", "127.0.0.1/32"))))
TOLD = (
    ("host", "localhost:8484"),
    ("x-forwarded-for", "192.0.2.1"),
    ("x-forwarded-host", "vidi.home"),
    ("x-forwarded-proto", "https"),
    ("x-forwarded-prefix", "/ai/"),
)


@pytest.mark.parametrize("proxy", ["10.1.2.3", "::1", "::ffff:10.1.2.3"])
def test_a_trusted_proxy_tells_where_a_request_was_sent(proxy: str) -> None:
    told = BEHIND.address(_scope(proxy, TOLD))
    assert told.base_url == "https://vidi.home/ai"
    assert told.client == "192.0.2.1"


@pytest.mark.parametrize("stranger", ["192.0.2.1", "11.0.0.1", "", "testclient"])
def test_a_stranger_tells_nothing_with_a_proxys_headers(stranger: str) -> None:
    told = BEHIND.address(_scope(stranger, TOLD))
    assert (told.base_url, told.client) == ("http://localhost:8484", "")


def test_what_a_stranger_wrote_before_a_trusted_proxy_did_is_not_read() -> None:
    forged = (
        ("x-forwarded-host", "evil.example, vidi.home"),
        ("x-forwarded-proto", "javascript"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-for", "127.0.0.1, 192.0.2.9"),
        ("x-forwarded-for", "10.0.0.2"),
    )
    told = BEHIND.address(_scope("10.0.0.1", (("host", "localhost"), *forged)))
    assert (told.base_url, told.client) == ("https://vidi.home", "192.0.2.9")


@pytest.mark.parametrize(
    "header",
    [
        ("x-forwarded-proto", "javascript"),
        ("x-forwarded-host", 'evil"><x'),
        ("x-forwarded-host", "user@evil.example"),
        ("x-forwarded-host", "evil.example/path"),
        ("x-forwarded-prefix", "//evil.example"),
        ("x-forwarded-prefix", "/../x"),
        ("x-forwarded-prefix", "ai"),
        ("x-forwarded-prefix", "/a b"),
    ],
)
def test_what_makes_no_sense_is_refused_from_a_trusted_proxy_too(header: tuple[str, str]) -> None:
    with pytest.raises(InvalidRequest):
        BEHIND.address(_scope("10.0.0.1", (("host", "localhost"), header)))


@pytest.mark.parametrize("host", ['a"b', "a/b", "a@b", "a b", "[", "a:b", "a:123456", "ä"])
def test_a_host_that_is_none_is_refused(host: str) -> None:
    with pytest.raises(InvalidRequest):
        POLICIES[1].address(_scope("192.0.2.1", (("host", host),)))


@pytest.mark.parametrize(
    ("client", "headers", "local"),
    [
        ("127.0.0.1", (), True),
        ("127.0.0.1", (("x-forwarded-for", "192.0.2.1"),), False),
        ("127.0.0.1", (("x-forwarded-for", "127.0.0.1, 192.0.2.1"),), False),
        ("127.0.0.1", (("x-real-ip", "127.0.0.1"),), False),
        ("127.0.0.1", (("x-forwarded-for", "127.0.0.1"),), True),
        ("127.0.0.1", (("x-forwarded-for", "127.0.0.1"), ("x-forwarded-host", "vidi.home")), True),
        ("127.0.0.1", (("x-forwarded-for", "127.0.0.1"), ("x-forwarded-host", "evil.example")), False),
        ("10.0.0.1", (), False),
    ],
)
def test_behind_a_proxy_the_client_is_local_and_not_the_proxy(
    client: str, headers: tuple[tuple[str, str], ...], local: bool
) -> None:
    try:
        _admit(BEHIND, Access.LOCAL_OR_KEY, client, ("host", "localhost"), *headers)
    except PermissionDenied:
        assert not local
    else:
        assert local
