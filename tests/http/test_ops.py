"""/health, /ready and /metrics: what they say, and to whom."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from tests.conftest import inline, picture
from tests.engines.remote.fake import Reply, fake
from tests.waiting import until
from vidi.app import create_app
from vidi.engines.echo import Echo
from vidi.http.keys import Key
from vidi.http.stream import Drain
from vidi.settings import BackendSettings, Settings

ASK = "/v1beta/models/echo:generateContent"
PATHS = ("/health", "/ready", "/metrics")
KEY = "a-key-of-mine-that-is-long"


def _client(settings: Settings, host: str, address: str) -> TestClient:
    return TestClient(create_app(settings), base_url=f"http://{host}", client=(address, 5000))


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    """A caller on the server's own machine."""
    with _client(settings, "localhost", "127.0.0.1") as near:
        yield near


def _values(client: TestClient) -> dict[str, float]:
    """Every number by name and labels, as `name{a=b}`."""
    reply = client.get("/metrics")
    assert reply.headers["content-type"].startswith("text/plain")
    found = {}
    for family in text_string_to_metric_families(reply.text):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def test_a_server_that_works_says_so(client: TestClient) -> None:
    assert client.get("/health").json() == {"status": "ok"}
    ready = client.get("/ready")
    assert (ready.status_code, ready.json()) == (200, {"status": "ready", "model": "echo"})


def test_a_store_that_cannot_be_written_is_not_ready(client: TestClient, settings: Settings) -> None:
    shutil.rmtree(settings.data_dir / "parts")
    ready = client.get("/ready")
    assert ready.status_code == 503
    assert ready.json()["reasons"] == ["The server's file storage failed. Try again later."]
    assert str(settings.data_dir) not in ready.text
    assert client.get("/health").status_code == 200
    assert "vidi_store_bytes" not in _values(client)


class Restarted(Echo):
    """An engine that has died twice and is away."""

    restarts = 2

    def problem(self) -> str:
        return "it is away"


def test_a_model_that_is_away_is_not_ready(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vidi.engines.echo.Echo", Restarted)
    with _client(settings, "localhost", "127.0.0.1") as client:
        ready = client.get("/ready")
        assert (ready.status_code, ready.json()["reasons"]) == (503, ["it is away"])
        assert _values(client)["vidi_model_restarts_total{model=echo}"] == 2


def test_prompts_are_counted_by_route_model_and_status(client: TestClient) -> None:
    body = {"contents": [{"parts": [{"text": "hello"}, inline(picture(64, 48))]}]}
    usage = client.post(ASK, json=body).json()["usageMetadata"]
    client.post(ASK, content=b"{")
    client.get("/no/such/path")
    values = _values(client)
    route = "route=/v1beta/models/{model}:generateContent"
    assert values[f"vidi_requests_total{{model=echo,{route},status=200}}"] == 1
    assert values[f"vidi_requests_total{{model=echo,{route},status=400}}"] == 1
    assert values["vidi_requests_total{model=,route=,status=404}"] == 1
    assert values["vidi_tokens_total{direction=in,model=echo}"] == usage["promptTokenCount"]
    assert values["vidi_tokens_total{direction=out,model=echo}"] == usage["candidatesTokenCount"]
    assert values["vidi_first_token_seconds_count{model=echo}"] == 1
    first, last = (values[f"vidi_{name}_token_seconds_sum{{model=echo}}"] for name in ("first", "last"))
    assert 0 < first <= last
    assert values["vidi_prompts_running{model=echo}"] == values["vidi_prompts_waiting{model=echo}"] == 0
    assert values["vidi_prompts_refused_total{model=echo}"] == 0
    assert values["vidi_pictures_decoded_total"] == 1
    assert values["vidi_picture_decode_seconds_total"] > 0
    assert values["process_resident_memory_bytes"] > 0


def test_the_store_is_counted(client: TestClient) -> None:
    start = {"protocol": "resumable", "command": "start", "header-content-length": "1000"}
    headers = {f"x-goog-upload-{name}": value for name, value in start.items()}
    client.post("/upload/v1beta/files", headers=headers, json={})
    whole = picture(64, 48)
    client.post("/upload/v1beta/files", content=whole, headers={"x-goog-upload-protocol": "raw"})
    values = _values(client)
    assert values["vidi_upload_sessions"] == 1
    assert values["vidi_store_bytes"] == 1000 + len(whole)


def test_nothing_of_a_caller_becomes_a_label(client: TestClient) -> None:
    """So that no caller can make the server keep a number for each of its whims."""
    before = set(_values(client))
    for number in range(20):
        client.get(f"/v1beta/files/whim{number}")
        client.post(f"/v1beta/models/whim{number}:generateContent", json={})
        client.get(f"/whim{number}")
    assert not any("whim" in name for name in _values(client))
    assert len(set(_values(client)) - before) < 10


@pytest.fixture
def locked(settings: Settings) -> Settings:
    return settings.model_copy(update={"api_keys": (KEY,), "host": "0.0.0.0"})


@pytest.mark.parametrize("path", PATHS)
def test_with_keys_they_are_for_this_machine_or_for_a_key(path: str, locked: Settings) -> None:
    with _client(locked, "vidi.example", "198.51.100.7") as far:
        assert far.get(path).status_code == 403
        assert far.get(path, headers={"x-goog-api-key": KEY}).status_code == 200
        assert far.get(path, headers={"x-forwarded-for": "127.0.0.1", "host": "localhost"}).status_code == 403
    with _client(locked, "localhost", "127.0.0.1") as near:
        assert near.get(path).status_code == 200


@pytest.mark.parametrize("path", PATHS)
def test_they_can_be_opened_to_all(path: str, locked: Settings) -> None:
    opened = locked.model_copy(update={"open_monitoring": True})
    with _client(opened, "vidi.example", "198.51.100.7") as far:
        assert far.get(path).status_code == 200
        assert far.get("/v1beta/models").status_code == 403


def test_a_server_that_ends_is_not_ready(settings: Settings) -> None:
    drain = Drain(1.0)
    with TestClient(
        create_app(settings, drain=drain), base_url="http://localhost", client=("127.0.0.1", 5000)
    ) as client:
        drain.begin()
        assert client.get("/ready").json()["reasons"] == ["The server is shutting down."]
        assert client.get("/health").status_code == 200


def test_keys_are_counted_by_their_names(locked: Settings) -> None:
    name = Key.of_secret(KEY).name
    with _client(locked, "localhost", "127.0.0.1") as near:
        asked = near.post(
            ASK, json={"contents": [{"parts": [{"text": "hi"}]}]}, headers={"x-goog-api-key": KEY}
        ).json()["usageMetadata"]
        values = _values(near)
    assert values[f"vidi_key_requests_today{{key={name}}}"] == 1
    assert values[f"vidi_key_tokens_today{{direction=in,key={name}}}"] == asked["promptTokenCount"]
    assert values[f"vidi_key_tokens_today{{direction=out,key={name}}}"] == asked["candidatesTokenCount"]
    assert not any(KEY in each for each in values)


def test_a_backend_that_was_away_at_the_start_is_found_without_a_request(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    backends = (BackendSettings(url=(f"http://127.0.0.1:{port}",)),)
    waiting = settings.model_copy(update={"model": "", "backend": backends})
    with _client(waiting, "localhost", "127.0.0.1") as client:
        away = client.get("/ready")
        assert (away.status_code, away.json()["reasons"]) == (503, ["backend is not loaded."])
        with fake(port=port) as backend:
            until(lambda: client.get("/ready").status_code == 200)
            backend.routes["/health"] = lambda asked: Reply(503)
            until(lambda: client.get("/ready").status_code == 503)
            assert f"127.0.0.1:{port} answers 503" in client.get("/ready").json()["reasons"][0]
