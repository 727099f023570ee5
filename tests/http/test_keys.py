"""Named keys: what each may use, what is counted, and that nothing of one is visible to another."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.testclient import TestClient
from starlette.types import Scope

from tests.conftest import inline, picture
from tests.http.walk import Reply, ask, places, table_of
from vidi.app import create_app, reload_keys
from vidi.domain.answer import Piece, TokenCount
from vidi.domain.errors import InvalidRequest, PermissionDenied, QuotaExceeded, Unavailable
from vidi.engines.echo import CARD
from vidi.generate import Generation
from vidi.http.access import CALLER, Access, Caller
from vidi.http.keys import DayUsage, Key, KeyRing, UsageBook, UsageStore, check_model, open_usage, sha256_hex
from vidi.http.logs import RequestRecord, recorded
from vidi.http.middleware import Gateway
from vidi.http.response import ADDED_HEADERS
from vidi.settings import Settings, SettingsError, server_keys

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
ALICE, BOB, CAROL = "alice-has-a-long-key", "bob-has-a-long-key-too", "carol-set-hers-in-the-environment"
FILES, UPLOAD, INTERACTIONS = "/v1beta/files", "/upload/v1beta/files", "/v1beta/interactions"
CALL = "/v1beta/models/gemini-3-flash-preview"
SPELLINGS = ("{}", "files/{}", "https://h/upload/v1beta/files/{}", "https:/h/v1beta/files/{}")
MODEL = {"model": "echo", "call": "echo:countTokens"}
ABSENT = {"id": "f" * 32, "name": "abcdefghijkl"}


def _header(key: str) -> dict[str, str]:
    return {"x-goog-api-key": key}


def _write(folder: Path, *keys: Mapping[str, object]) -> None:
    (folder / "data").mkdir(exist_ok=True)
    (folder / "data" / "keys.json").write_text(json.dumps({"keys": keys}))


def _named(name: str, secret: str, **limits: object) -> dict[str, object]:
    return {"name": name, "sha256": sha256_hex(secret), **limits}


def _settings(folder: Path, **more: Any) -> Settings:
    chosen = {"model": "echo", "decoders": 1, "data_dir": folder / "data", "cache_dir": folder / "cache"}
    return Settings(**{**chosen, **more})


@asynccontextmanager
async def _app(folder: Path, **more: Any) -> AsyncIterator[Gateway]:
    app = create_app(_settings(folder, **more))
    async with app.lifespan.router.lifespan_context(app):
        yield app


def _client(folder: Path, **more: Any) -> TestClient:
    return TestClient(create_app(_settings(folder, **more)), base_url="http://localhost")


def _error(reply: Any) -> dict[str, Any]:
    error: dict[str, Any] = reply.json()["error"]
    return error


def _question(text: str = "one two three four") -> dict[str, object]:
    return {"contents": [{"parts": [{"text": text}]}]}


async def _upload(app: Gateway, key: str, name: str) -> str:
    note = json.dumps({"file": {"displayName": name}}).encode()
    body = b"--b\r\n\r\n" + note + b"\r\n--b\r\n\r\n" + picture(9, 7) + b"\r\n--b--\r\n"
    headers = {**_header(key), "content-type": "multipart/related; boundary=b"}
    reply = await ask(app, "POST", UPLOAD, "uploadType=multipart", headers, body)
    return str(json.loads(reply.body)["file"]["name"]).removeprefix("files/")


async def _interact(app: Gateway, key: str, text: str) -> str:
    body = json.dumps({"model": "echo", "input": text}).encode()
    return str(json.loads((await ask(app, "POST", INTERACTIONS, headers=_header(key), body=body)).body)["id"])


def _bodies(there: Mapping[str, str]) -> list[bytes]:
    """Requests that name somebody's file and interaction."""
    uris = [spelling.format(there["name"]) for spelling in SPELLINGS]
    found: list[Any] = [{"contents": [{"parts": [{"fileData": {"fileUri": uri}}]}]} for uri in uris]
    found += [{"model": "echo", "input": [{"type": "image", "uri": uri}]} for uri in uris]
    found.append({"model": "echo", "input": "and then?", "previous_interaction_id": there["id"]})
    return [json.dumps(body).encode() for body in found]


def _told(reply: Reply, values: Mapping[str, str]) -> tuple[int, bytes]:
    body = reply.body
    for value in values.values():
        body = body.replace(value.encode(), b"*").replace(value.upper().encode(), b"*")
    return reply.status, body


async def _look_by_path(app: Gateway, key: str, there: Mapping[str, str], spelling: str) -> None:
    """What is somebody else's must look, in all but its id, like what is not there at all."""
    name, absent = spelling.format(there["name"]), spelling.format(ABSENT["name"])
    pairs = zip(
        places(table_of(app), {**MODEL, **there, "name": name}),
        places(table_of(app), {**MODEL, **ABSENT, "name": absent}),
        strict=True,
    )
    for (present, nothing), verb in product(pairs, ("GET", "HEAD", "DELETE")):
        seen = await ask(app, verb, present.raw, "include_input=true", _header(key))
        empty = await ask(app, verb, nothing.raw, "include_input=true", _header(key))
        if present.access is Access.LOCAL_OR_KEY:
            # The server's own state, which is another each time.
            assert not any(word in seen.body for word in (b"alice", *map(str.encode, there.values())))
        else:
            assert _told(seen, there) == _told(empty, ABSENT), (verb, present.raw)
            assert b"alices" not in seen.body


async def _look_by_body(app: Gateway, key: str, there: Mapping[str, str]) -> None:
    for place in places(table_of(app), {**MODEL, **there}):
        if "POST" not in place.methods or place.access is Access.UPLOAD_URL:
            continue
        elsewhere = place.raw.replace(there["id"], ABSENT["id"]).replace(there["name"], ABSENT["name"])
        for body, nothing in zip(_bodies(there), _bodies(ABSENT), strict=True):
            seen = await ask(app, "POST", place.raw, "", _header(key), body)
            empty = await ask(app, "POST", elsewhere, "", _header(key), nothing)
            assert _told(seen, there) == _told(empty, ABSENT), (place.raw, body)
            assert b"alices" not in seen.body


def test_nothing_of_one_owner_is_visible_to_another_by_any_spelling_of_any_route(tmp_path: Path) -> None:
    _write(tmp_path, _named("alice", ALICE), _named("bob", BOB))

    async def walk() -> None:
        async with _app(tmp_path, api_keys=(CAROL,)) as app:
            name, kept = (
                await _upload(app, ALICE, "alices picture"),
                await _interact(app, ALICE, "alices talk"),
            )
            await _upload(app, ALICE, "alices second")
            page = json.loads((await ask(app, "GET", FILES, "pageSize=1", _header(ALICE))).body)
            for key in (BOB, CAROL):
                for spelling in SPELLINGS:
                    await _look_by_path(app, key, {"name": name, "id": kept}, spelling)
                await _look_by_body(app, key, {"name": name, "id": kept})
                token = f"pageToken={page['nextPageToken']}"
                assert (await ask(app, "GET", FILES, token, _header(key))).status == 400
                assert json.loads((await ask(app, "GET", FILES, headers=_header(key))).body) == {}
            mine = json.loads((await ask(app, "GET", FILES, headers=_header(ALICE))).body)
            assert [file["displayName"] for file in mine["files"]] == ["alices second", "alices picture"]
            path = f"{INTERACTIONS}/{kept}"
            assert b"alices talk" in (await ask(app, "GET", path, "include_input=true", _header(ALICE))).body

    asyncio.run(walk())


def test_what_an_open_server_stored_belongs_to_nobody_once_there_are_keys(tmp_path: Path) -> None:
    async def store() -> tuple[str, str, str]:
        async with _app(tmp_path) as app:
            here = {"host": "localhost"}
            body = {"headers": {**here, "x-goog-upload-command": "start"}}
            begun = await ask(app, "POST", UPLOAD, **body)  # type: ignore[arg-type]  # one of several shapes
            raw = {**here, "x-goog-upload-protocol": "raw"}
            done = await ask(app, "POST", UPLOAD, "", raw, picture(9, 7))
            asked = json.dumps({"model": "echo", "input": "hi"}).encode()
            kept = await ask(app, "POST", INTERACTIONS, "", here, asked)
            url = begun.headers["x-goog-upload-url"]
            return json.loads(done.body)["file"]["name"], json.loads(kept.body)["id"], url.partition("?")[2]

    async def look(name: str, interaction: str, session: str) -> None:
        async with _app(tmp_path, api_keys=(CAROL,)) as app:
            assert json.loads((await ask(app, "GET", FILES, headers=_header(CAROL))).body) == {}
            for verb in ("GET", "DELETE"):
                assert (await ask(app, verb, f"/v1beta/{name}", headers=_header(CAROL))).status == 403
                gone = await ask(app, verb, f"{INTERACTIONS}/{interaction}", headers=_header(CAROL))
                assert gone.status == 404
                assert (await ask(app, verb, f"/v1beta/{name}")).status == 403
                assert (await ask(app, verb, f"/v1beta/https://h/upload/{name}", session)).status == 403
            end = {"x-goog-upload-command": "upload, finalize", "x-goog-upload-offset": "0"}
            assert (await ask(app, "POST", UPLOAD, session, end, b"more")).status == 404

    stored = asyncio.run(store())
    asyncio.run(look(*stored))
    with _client(tmp_path) as client:
        assert client.get(f"/v1beta/{stored[0]}").status_code == 200, "without keys they are there again"


def test_requests_a_minute_are_refused_in_googles_shape(tmp_path: Path) -> None:
    _write(tmp_path, _named("slow", ALICE, requests_per_minute=2), _named("free", BOB))
    with _client(tmp_path) as client:
        for _ in range(2):
            assert client.get(FILES, headers=_header(ALICE)).status_code == 200
        refused = client.get(FILES, headers=_header(ALICE))
        assert refused.status_code == 429
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        error = _error(refused)
        assert error["status"] == "RESOURCE_EXHAUSTED"
        details = {each["@type"].rpartition(".")[2]: each for each in error["details"]}
        violation = details["QuotaFailure"]["violations"][0]
        assert (violation["quotaId"], violation["quotaValue"]) == ("RequestsPerMinutePerKey", "2")
        assert details["RetryInfo"]["retryDelay"].endswith("s")
        assert client.get(FILES, headers=_header(BOB)).status_code == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (f"{CALL}:generateContent", _question()),
        (f"{CALL}:streamGenerateContent?alt=sse", _question()),
        (f"{CALL}:streamGenerateContent", _question()),
        (INTERACTIONS, {"model": "echo", "input": "one two three four"}),
        (INTERACTIONS, {"model": "echo", "input": "one two three four", "stream": True}),
    ],
)
def test_tokens_a_day_are_those_of_the_answers_and_outlive_a_restart(
    tmp_path: Path, path: str, body: dict[str, object]
) -> None:
    _write(tmp_path, _named("lab", ALICE, tokens_per_day=5))
    with _client(tmp_path) as client:
        assert client.post(path, json=body, headers=_header(ALICE)).status_code == 200
        counted = client.post(f"{CALL}:countTokens", json=_question(), headers=_header(ALICE))
        assert counted.status_code == 200, "counting costs nothing"
    with closing(UsageStore(tmp_path / "data" / "usage.sqlite3")) as store:
        (((_, name), used),) = store.since("2000-01-01").items()
    assert name == "lab"
    assert used.requests == 2
    with _client(tmp_path) as client:
        refused = client.post(path, json=body, headers=_header(ALICE))
        assert refused.status_code == 429, refused.text
        assert int(refused.headers["retry-after"]) <= 86_400
        assert client.get(FILES, headers=_header(ALICE)).status_code == 200, "files can still be deleted"
    free = tmp_path / "free"
    free.mkdir()
    with _client(free, api_keys=(BOB,)) as client:
        usage = client.post(f"{CALL}:generateContent", json=_question(), headers=_header(BOB)).json()
        told = usage["usageMetadata"]
    assert used.prompt_tokens == told["promptTokenCount"]
    assert used.output_tokens == told["candidatesTokenCount"]


def test_a_keys_stored_bytes_are_its_own_limit(tmp_path: Path) -> None:
    _write(tmp_path, _named("small", ALICE, stored_bytes=1000), _named("large", BOB))
    raw = {"x-goog-upload-protocol": "raw", "content-type": "text/plain"}
    with _client(tmp_path) as client:
        for key, status in ((ALICE, 200), (ALICE, 429), (BOB, 200), (BOB, 200)):
            reply = client.post(UPLOAD, content=b"x" * 600, headers={**raw, **_header(key)})
            assert reply.status_code == status, reply.text
        assert client.get(FILES, headers=_header(ALICE)).json()["files"][0]["sizeBytes"] == "600"


def test_a_key_may_be_kept_to_some_models(tmp_path: Path) -> None:
    _write(tmp_path, _named("other", ALICE, models=["gemma-4-e2b"]), _named("echo", BOB, models=["echo"]))
    with _client(tmp_path) as client:
        body = {"model": "echo", "input": "hi"}
        for reply in (
            client.post("/v1beta/models/echo:generateContent", json=_question(), headers=_header(ALICE)),
            client.post(f"{CALL}:countTokens", json=_question(), headers=_header(ALICE)),
            client.get("/v1beta/models/echo", headers=_header(ALICE)),
        ):
            assert reply.status_code == 403
            assert "It may ask: gemma-4-e2b." in _error(reply)["message"]
        assert client.post(INTERACTIONS, json=body, headers=_header(ALICE)).status_code == 403
        assert client.get("/v1beta/models", headers=_header(ALICE)).json() == {"models": []}
        assert (
            client.post(f"{CALL}:generateContent", json=_question(), headers=_header(BOB)).status_code == 200
        )
        listed = client.get("/v1beta/models", headers=_header(BOB)).json()["models"]
        assert [model["name"] for model in listed] == ["models/echo"]


def test_an_expired_key_opens_nothing_and_its_uploads_end(tmp_path: Path) -> None:
    soon = datetime.now(UTC) + timedelta(days=1)
    _write(tmp_path, _named("guest", ALICE, expires=soon.isoformat()))
    start = {**_header(ALICE), "x-goog-upload-command": "start"}
    with _client(tmp_path) as client:
        url = client.post(UPLOAD, headers=start).headers["x-goog-upload-url"]
        assert client.post(url, headers={"x-goog-upload-command": "query"}).status_code == 200
    _write(tmp_path, _named("guest", ALICE, expires=(soon - timedelta(days=2)).isoformat()))
    with _client(tmp_path) as client:
        refused = client.get(FILES, headers=_header(ALICE))
        assert (refused.status_code, _error(refused)["message"][:16]) == (400, "API key expired.")
        ended = client.post(url, headers={"x-goog-upload-command": "query"})
        assert (ended.status_code, ended.headers["x-goog-upload-status"]) == (404, "final")


def test_a_file_of_keys_locks_the_server_even_if_it_is_empty(tmp_path: Path) -> None:
    _write(tmp_path)
    with _client(tmp_path) as client:
        assert client.get(FILES).status_code == 403
    assert _settings(tmp_path, host="0.0.0.0").locked


def test_a_file_of_keys_that_is_missing_opens_nothing(tmp_path: Path) -> None:
    """A secret that is mounted late, or under another name, is no reason to let everybody in."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "keys.json").symlink_to(tmp_path / "absent")
    with _client(tmp_path) as client:
        assert client.get(FILES).status_code == 403
    assert _settings(tmp_path / "other", keys_file=tmp_path / "absent").locked
    with _client(tmp_path / "other", keys_file=tmp_path / "absent") as client:
        assert client.get(FILES).status_code == 403


def test_keys_are_read_again_and_a_locked_server_never_opens(tmp_path: Path) -> None:
    settings = _settings(tmp_path)
    ring = KeyRing(lambda: server_keys(settings), lambda: NOON)
    assert not ring.locked
    _write(tmp_path, _named("alice", ALICE))
    reload_keys(ring)
    assert ring.find(ALICE).owner == "name:alice"
    assert ring.is_owner("name:alice")
    assert not ring.is_owner("")
    (tmp_path / "data" / "keys.json").write_text("{ half a fi")
    with pytest.raises(SettingsError, match=r"keys\.json"):
        ring.reload()
    reload_keys(ring)
    assert ring.find(ALICE).name == "alice", "what cannot be read changes nothing"
    (tmp_path / "data" / "keys.json").unlink()
    reload_keys(ring)
    with pytest.raises(InvalidRequest, match="not valid"):
        ring.find(ALICE)
    assert not ring.is_owner("")


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ([{"name": "a"}], "sha256"),
        ([{"name": "a b", "sha256": "0" * 64}], "letters"),
        ([{"name": "a", "sha256": "0" * 63}], "sha256"),
        ([{"name": "a", "sha256": "0" * 64}, {"name": "a", "sha256": "1" * 64}], "more than one key a"),
        ([{"name": "a", "sha256": "0" * 64}, {"name": "b", "sha256": "0" * 64}], "more than one"),
        ([{"name": "a", "sha256": "0" * 64, "tokens": 5}], "tokens"),
        ([{"name": "a", "sha256": "0" * 64, "expires": "2027-01-01T00:00:00"}], "expires"),
    ],
)
def test_a_wrong_file_of_keys_is_told(tmp_path: Path, keys: list[dict[str, object]], says: str) -> None:
    _write(tmp_path, *keys)
    with pytest.raises(SettingsError, match=says):
        server_keys(_settings(tmp_path))


class _Time:
    """A clock and a stopwatch to turn."""

    def __init__(self) -> None:
        self.now = NOON
        self.seconds = 0.0

    def turn(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.seconds += seconds


def _book(time: _Time, store: UsageStore | None = None) -> UsageBook:
    return UsageBook(lambda: time.now, store, lambda: time.seconds)


def test_no_minute_has_more_requests_than_the_limit_wherever_it_begins() -> None:
    time = _Time()
    book = _book(time)
    key = Key("k", "k", "0", requests_per_minute=3)
    let_in: list[float] = []
    for _ in range(400):
        try:
            book.admit(key)
            let_in.append(time.seconds)
        except QuotaExceeded as refused:
            assert refused.retry_after is not None
            time.turn(refused.retry_after - 0.01)
            with pytest.raises(QuotaExceeded):
                book.admit(key)
            time.turn(0.01)
        time.turn(0.7)
    assert len(let_in) > 100
    assert all(after - before >= 60 - 1e-6 for before, after in zip(let_in, let_in[3:], strict=False))
    assert book.today()["k"].requests <= len(let_in)


def test_tokens_come_back_at_midnight() -> None:
    time = _Time()
    book = _book(time)
    key = Key("k", "k", "0", tokens_per_day=10)

    def spend(tokens: int) -> None:
        asyncio.run(_answer(book, key, _pieces(tokens)))

    book.check_tokens(key)
    spend(9)
    book.check_tokens(key)
    spend(9)
    with pytest.raises(QuotaExceeded) as refused:
        book.check_tokens(key)
    assert refused.value.retry_after == 12 * 3600
    book.check_tokens(None)
    book.check_tokens(Key("other", "o", "1", tokens_per_day=1))
    time.turn(12 * 3600)
    book.check_tokens(key)
    assert book.today() == {}


async def _pieces(tokens: int, then: Callable[[], None] = lambda: None) -> AsyncIterator[Piece]:
    for _ in range(tokens):
        yield Piece("x", 1)
    then()


class _Made(AbstractAsyncContextManager[Generation]):
    """An answer of these pieces."""

    def __init__(self, pieces: AsyncIterator[Piece], prompt: int) -> None:
        self._pieces = pieces
        self._cost = TokenCount(text=prompt)

    async def __aenter__(self) -> Generation:
        return Generation(CARD, self._cost, self._pieces)

    async def __aexit__(self, *_: object) -> None:
        pass


async def _answer(
    book: UsageBook, key: Key | None, pieces: AsyncIterator[Piece], *, prompt: int = 0, most: int = 99
) -> None:
    """Read an answer, or so many pieces of it, for a key."""
    scope: Scope = {"type": "http", "method": "POST", "headers": []}
    scope["state"] = {CALLER: Caller(key=key), ADDED_HEADERS: {}}
    RequestRecord.of(scope, "")
    async with (
        recorded(Request(scope), book, _Made(pieces, prompt)) as generation,
        aclosing(generation.pieces) as closed,  # type: ignore[type-var]  # a generator, as all are
    ):
        async for _ in closed:
            most -= 1
            if not most:
                break


def test_a_stream_that_is_cut_costs_what_was_made_and_a_refused_one_nothing() -> None:
    book = _book(_Time())
    key = Key("k", "k", "0")

    async def cut() -> None:
        await _answer(book, key, _pieces(50), most=1, prompt=100)

    async def break_off() -> None:
        await _answer(book, key, _pieces(3, _fail), prompt=100)

    async def refuse() -> None:
        await _answer(book, key, _pieces(0, _fail), prompt=100)

    asyncio.run(cut())
    assert book.today()["k"] == DayUsage(0, 100, 1)
    with pytest.raises(Unavailable):
        asyncio.run(break_off())
    assert book.today()["k"] == DayUsage(0, 200, 4)
    with pytest.raises(Unavailable):
        asyncio.run(refuse())
    assert book.today()["k"] == DayUsage(0, 200, 4)
    asyncio.run(_answer(book, None, _pieces(3)))
    assert list(book.today()) == ["k"]


def _fail() -> None:
    raise Unavailable("The engine died.")


def test_usage_is_kept_by_the_day_and_forgotten_after_a_year(tmp_path: Path) -> None:
    time = _Time()
    key = Key("k", "k", "0")
    for _ in range(2):
        with open_usage(tmp_path, lambda: time.now) as book:
            book.admit(key)
            book.save()
            book.admit(key)
        time.turn(1)
    time.turn(24 * 3600)
    with open_usage(tmp_path, lambda: time.now) as book:
        assert book.today() == {}
        book.admit(key)
    with closing(UsageStore(tmp_path / "usage.sqlite3")) as store:
        days = [(day, used.requests) for (day, _), used in store.since("").items()]
    assert days == [("2026-11-29", 4), ("2026-11-30", 1)]
    time.turn(400 * 24 * 3600)
    with open_usage(tmp_path, lambda: time.now) as book:
        book.admit(key)
    with closing(UsageStore(tmp_path / "usage.sqlite3")) as store:
        assert [day for day, _ in store.since("")] == ["2026-11-30", "2028-01-04"]


def test_usage_that_could_not_be_saved_is_saved_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(UsageStore(tmp_path / "usage.sqlite3")) as store:
        book = _book(_Time(), store)
        book.admit(Key("k", "k", "0"))
        with monkeypatch.context() as patch:
            patch.setattr(store, "put", _break_disk)
            with pytest.raises(Unavailable):
                book.save()
        book.save()
        assert store.since("")["2026-11-29", "k"].requests == 1


def _break_disk(*_: object) -> None:
    raise OSError


def test_a_broken_file_of_usage_is_told(tmp_path: Path) -> None:
    (tmp_path / "usage.sqlite3").write_bytes(b"no database" * 1000)
    with pytest.raises(Unavailable, match=r"usage\.sqlite3"), open_usage(tmp_path, lambda: NOON):
        pass


def test_only_the_owner_may_read_the_usage(tmp_path: Path) -> None:
    with open_usage(tmp_path, lambda: NOON):
        modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    assert "usage.sqlite3" in modes
    assert set(modes.values()) == {0o600}, modes


def test_the_folder_holds_no_key(tmp_path: Path) -> None:
    _write(tmp_path, _named("alice", ALICE))
    with _client(tmp_path, api_keys=(CAROL,)) as client:
        for key in (ALICE, CAROL):
            body = {"contents": [{"parts": [inline(picture(9, 7)), {"text": "hi"}]}]}
            asked = client.post(f"{CALL}:generateContent", json=body, headers=_header(key))
            assert asked.status_code == 200
            assert key not in asked.text
    held = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert not [key for key in (ALICE, CAROL) if key.encode() in held]
    with closing(sqlite3.connect(tmp_path / "data" / "usage.sqlite3")) as stored:
        names = {name for (name,) in stored.execute("SELECT key FROM usage")}
    assert names == {"alice", f"key-{sha256_hex(CAROL)[:8]}"}


def test_a_model_is_allowed_by_the_name_that_is_asked_or_that_answers() -> None:
    key = Key("k", "k", "0", models=("gemini-3-flash-preview", "echo"))
    check_model(key, "gemini-3-flash-preview", "lite")
    check_model(key, "gemini-2.5-pro", "echo")
    check_model(None, "x", "y")
    with pytest.raises(PermissionDenied):
        check_model(key, "gemini-2.5-pro", "lite")


@pytest.mark.parametrize(
    ("open_monitoring", "client", "key", "shown"),
    [
        (False, "127.0.0.1", "", {"alice", "bob"}),
        (True, "127.0.0.1", "", {"alice", "bob"}),
        (True, "192.0.2.1", "", set()),
        (True, "192.0.2.1", BOB, set()),
        (False, "192.0.2.1", BOB, {"bob"}),
    ],
)
def test_the_metrics_show_a_keys_usage_to_that_key_and_to_this_machine(
    tmp_path: Path, open_monitoring: bool, client: str, key: str, shown: set[str]
) -> None:
    _write(tmp_path, _named("alice", ALICE), _named("bob", BOB))

    async def look() -> None:
        async with _app(tmp_path, open_monitoring=open_monitoring) as app:
            for each in (ALICE, BOB):
                await ask(app, "GET", FILES, headers=_header(each))
            headers = {"host": "localhost", **(_header(key) if key else {})}
            seen = await ask(app, "GET", "/metrics", headers=headers, client=client)
            assert seen.status == 200
            told = re.findall(r'vidi_key_requests_today{key="(\w+)"} [12]', seen.body.decode())
            assert set(told) == shown

    asyncio.run(look())


def test_the_page_on_keys_names_tests_that_there_are() -> None:
    root = Path(__file__).parents[2]
    named = re.findall(r"`(tests/\S+\.py)::(\w+)`", (root / "docs" / "keys.md").read_text("utf-8"))
    assert len(named) >= 14
    for file, test in named:
        assert f"def {test}(" in (root / file).read_text("utf-8"), (file, test)
