"""Log lines: one a request, with numbers and names of parts, and nothing that a caller could put into it."""

from __future__ import annotations

import json
import logging
import re
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from tests.conftest import inline, picture
from tests.http.live import live, read_all
from vidi.http.keys import Key
from vidi.http.logs import JsonLines, TextLines, escaped, requests_log

ASK = "/v1beta/models/echo:generateContent"
SECRETS = ("a-prompt-of-mine", "a-file-of-mine", "a-key-of-mine-that-is-long")


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Iterator[list[dict[str, object]]]:
    """What the log says of each request, as a program reads it."""
    told: list[dict[str, object]] = []

    class Sink(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.append(json.loads(JsonLines().format(record)))

    sink = Sink()
    requests_log.addHandler(sink)
    with caplog.at_level(logging.INFO, requests_log.name):
        yield told
    requests_log.removeHandler(sink)


def test_a_prompt_has_its_model_tokens_and_stages(client: TestClient, lines: list[dict[str, object]]) -> None:
    body = {"contents": [{"parts": [{"text": SECRETS[0]}, inline(picture(64, 48))]}]}
    reply = client.post(ASK, json=body, headers={"x-request-id": "mine-7"})
    assert reply.headers["x-request-id"] == "mine-7"
    (line,) = lines
    usage = reply.json()["usageMetadata"]
    assert line["request_id"] == "mine-7"
    assert (line["method"], line["route"]) == ("POST", "/v1beta/models/{model}:generateContent")
    assert (line["status"], line["model"]) == (200, "echo")
    assert (line["tokens_in"], line["tokens_out"]) == (
        usage["promptTokenCount"],
        usage["candidatesTokenCount"],
    )
    assert isinstance(line["stages"], dict)
    assert list(line["stages"]) == ["read", "prepare", "first", "answer", "rest"]
    assert not any(secret in json.dumps(lines) for secret in SECRETS)


@pytest.mark.parametrize(
    ("path", "body", "route"),
    [
        (
            "/v1beta/models/echo:streamGenerateContent?alt=sse",
            {},
            "/v1beta/models/{model}:streamGenerateContent",
        ),
        ("/v1beta/interactions", {"model": "echo", "input": "hi"}, "/v1beta/interactions"),
        ("/v1beta/models/echo:countTokens", {}, "/v1beta/models/{model}:countTokens"),
    ],
)
def test_every_way_to_ask_counts_its_tokens(
    path: str, body: dict[str, str], route: str, client: TestClient, lines: list[dict[str, object]]
) -> None:
    client.post(path, json=body or {"contents": [{"parts": [{"text": "hello there"}]}]}).raise_for_status()
    (line,) = lines
    assert (line["route"], line["model"]) == (route, "echo")
    assert line["tokens_in"]
    assert bool(line["tokens_out"]) == ("count" not in path)


def test_what_goes_wrong_is_one_line_too(client: TestClient, lines: list[dict[str, object]]) -> None:
    client.get("/a-key-of-mine-that-is-long/x%0aFORGED%1b[31m")
    client.get("/v1beta/files/a-file-of-mine?key=a-key-of-mine-that-is-long")
    client.post(ASK, content=b"{")
    client.post("/v1beta/models/a-key-of-mine-that-is-long:generateContent", json={})
    assert [line["status"] for line in lines] == [404, 403, 400, 404]
    assert [line["route"] for line in lines][:2] == ["not served", "/v1beta/files/{name:path}"]
    assert not any(secret in json.dumps(lines) for secret in SECRETS)


@pytest.mark.parametrize("wanted", ["", "x" * 129, "two words", "line\tfeed", "<script>", "né"])
def test_an_id_that_a_log_cannot_hold_is_made_anew(wanted: str, client: TestClient) -> None:
    made = client.get("/v1beta/models", headers=[(b"x-request-id", wanted.encode())]).headers["x-request-id"]
    assert re.fullmatch(r"[0-9a-f]{16}", made)


def test_a_refusal_has_an_id_as_well(client: TestClient) -> None:
    assert client.get("/absent", headers={"x-request-id": "a.b-c"}).headers["x-request-id"] == "a.b-c"


@given(st.text(), st.text())
def test_a_line_is_a_line_whatever_is_in_it(message: str, error: str) -> None:
    try:
        raise ValueError(error)
    except ValueError as raised:
        told = (ValueError, raised, None)
    record = logging.LogRecord("vidi", logging.ERROR, "", 0, "%s", (message,), told)
    first, *others = TextLines("%(levelname)s %(message)s").format(record).split("\n")
    assert first.startswith("ERROR ")
    assert all(line.startswith("    ") for line in others)
    assert all(line.isprintable() for line in (first, *others))
    assert "\n" not in JsonLines().format(record)
    assert json.loads(JsonLines().format(record))["level"] == "ERROR"


def test_what_prints_as_itself_is_left_alone() -> None:
    assert escaped("Grüße, 世界") == "Grüße, 世界"
    assert escaped("a\x1b[31m\u202eb\x9b") == "a\\x1b[31m\\u202eb\\x9b"


@pytest.mark.slow
@pytest.mark.parametrize("flags", [("-v",), ("--log-format", "json")], ids=["text", "json"])
def test_a_servers_log_has_a_line_a_request_and_nothing_of_a_callers(
    flags: tuple[str, ...], tmp_path: Path
) -> None:
    key = "a-key-of-mine-that-is-long"
    with live(tmp_path, *flags, key=key, VIDI_API_KEYS=key) as server:
        before = server.log.read_text().count("generateContent")
        assert before == 1
        paths = ("/x%0aFORGED%1b[31m", f"/{key}/%9b", f"/v1beta/models?key={key}", f"/v1beta/models/{key}")
        for path in paths:
            with server.connect() as connection:
                head = f"GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n"
                connection.sendall(
                    f"{head}x-request-id: id{len(path)}\r\nx-goog-api-key: {key}\r\n\r\n".encode()
                )
                read_all(connection)
        said = server.log.read_text()
    ids = [f"id{len(path)}" for path in paths]
    assert all(said.count(each) == 1 for each in ids)
    assert key not in urllib.parse.unquote(said)
    assert Key.of_secret(key).name in said
    assert "\x1b[31m" not in said
    assert "\nFORGED" not in said
    if "json" in flags:
        lines = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
        assert [line["request_id"] for line in lines if str(line.get("request_id")) in ids] == ids
