"""`vidi serve` before llama.cpp's own server on `shapes`: right all the way, and what a crash does."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from click.testing import CliRunner
from google import genai
from google.genai import types

from tests.engines.remote.fake import HELLO, Asked, Reply, fake
from tests.http.live import Live, live, read_all, request
from tests.model import test_shapes
from tests.model.listener import SHAPES, shapes_listener
from tests.waiting import HANG_SECONDS, until
from vidi.cli.models import models

CLIENTS = 64
STREAM = "/v1beta/models/gemini-3-flash-preview:streamGenerateContent?alt=sse"
BODY = json.dumps({"contents": [{"parts": [{"text": "What color is the shape?"}]}]}).encode()


def settings_file(folder: Path, *urls: str) -> Path:
    """The settings of one backend that serves `shapes`."""
    file = folder / "vidi.toml"
    file.write_text(
        f"[[backend]]\nurl = {json.dumps(urls)}\nprofile = {json.dumps(str(SHAPES / 'shapes.toml'))}\n",
        "utf-8",
    )
    return file


@pytest.fixture(scope="module")
def backend() -> Iterator[str]:
    """Where llama.cpp's own server listens."""
    pytest.importorskip("xllamacpp", reason="needs the extra `llama`")
    with shapes_listener() as (address, _):
        yield address


@pytest.fixture(scope="module")
def gateway(backend: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Vidi before it, which chose the model by itself."""
    folder = tmp_path_factory.mktemp("gateway")
    config = settings_file(folder, backend)
    with live(folder, "--model", "", VIDI_CONFIG=str(config), VIDI_DECODERS="2") as started:
        yield started


@pytest.fixture(scope="module")
def client(gateway: Live) -> Iterator[genai.Client]:
    """The official client before Vidi."""
    options = types.HttpOptions(base_url=f"http://127.0.0.1:{gateway.port}")
    with genai.Client(api_key="any", http_options=options) as made:
        yield made


# What is right on the model's own process is right here.
test_boxes = test_shapes.test_boxes_lie_on_the_shape
test_points = test_shapes.test_points_lie_in_the_shapes_middle
test_captions_and_colours = test_shapes.test_captions_and_colours_are_right
test_two_pictures = test_shapes.test_two_pictures_keep_their_order
test_a_further_question = test_shapes.test_a_further_question_is_about_the_same_picture
test_a_nested_schema = test_shapes.test_a_schema_that_nests_the_list_is_kept_to
test_an_enum = test_shapes.test_an_enum_is_answered_bare
test_json = test_shapes.test_json_without_a_schema_is_bare
test_counts = test_shapes.test_what_is_counted_is_what_is_billed
test_stops = test_shapes.test_a_stop_sequence_ends_the_answer_and_is_not_in_it
test_limits = test_shapes.test_places_that_a_limit_cuts_off_are_whole_json_all_the_same


def test_the_server_says_which_model_answers_and_where(gateway: Live, backend: str) -> None:
    assert f"answers with shapes (at {backend} (llama-server)" in gateway.log.read_text()


def test_models_are_listed_with_where_they_run(
    backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = settings_file(tmp_path, backend)
    monkeypatch.setenv("VIDI_CACHE_DIR", str(tmp_path / "cache"))
    said = CliRunner().invoke(models, ["--config", str(config)]).output
    assert f"shapes at {backend} (llama-server), default" in " ".join(said.split())


def ended_well(answer: bytes) -> bool:
    """Whether a client got a whole answer; fails if it got anything but that or a 503 in Google's shape."""
    head, _, body = answer.partition(b"\r\n\r\n")
    if b'"finishReason"' in body:
        return True
    error = body[body.index(b'{"error"') if b'{"error"' in body else body.index(b"{") :]
    text = error.decode().replace("\r\n", "\n")
    assert '"code": 503' in text or '"code":503' in text, answer
    assert "UNAVAILABLE" in text, answer
    assert head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 503")), head
    return False


def ask(server: Live) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port), timeout=HANG_SECONDS) as link:
        link.sendall(request(STREAM, BODY))
        return read_all(link)


def test_a_backend_that_dies_during_64_streams_ends_each_and_the_next_works_when_it_is_back(
    tmp_path: Path,
) -> None:
    begun = threading.Barrier(CLIENTS + 1)
    die = threading.Event()

    def half(_: Asked) -> Reply:
        def parts() -> Iterator[bytes]:
            yield from HELLO[:2]
            begun.wait(HANG_SECONDS)
            die.wait(HANG_SECONDS)

        return Reply(parts=parts(), hang_up=True)

    with ExitStack() as first:
        backend = first.enter_context(fake(chat=half))
        port = backend.port
        with live(tmp_path, "--model", "", VIDI_BACKEND=backend.url, VIDI_DECODERS="1") as server:
            with ThreadPoolExecutor(CLIENTS) as pool:
                answers = [pool.submit(ask, server) for _ in range(CLIENTS)]
                begun.wait(HANG_SECONDS)
                die.set()
                first.close()
                assert [ended_well(answer.result()) for answer in answers] == [False] * CLIENTS
            assert not ended_well(ask(server))
            with fake(port=port):
                assert ended_well(ask(server))


@pytest.mark.parametrize("kills", [3])
def test_a_real_backend_is_killed_again_and_again(kills: int, tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp", reason="needs the extra `llama`")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with ExitStack() as stack:
        server: Live | None = None
        whole = 0
        for _ in range(kills):
            with shapes_listener(port) as (address, process):
                if server is None:
                    config = settings_file(tmp_path, address)
                    server = stack.enter_context(live(tmp_path, "--model", "", VIDI_CONFIG=str(config)))
                assert ended_well(ask(server))
                with ThreadPoolExecutor(CLIENTS) as pool:
                    answers = [pool.submit(ask, server) for _ in range(CLIENTS)]
                    until(lambda answers=answers: any(answer.done() for answer in answers))  # type: ignore[misc]
                    process.kill()
                    whole += sum(ended_well(answer.result()) for answer in answers)
        assert whole >= kills
