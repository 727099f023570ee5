"""llama.cpp dies, hangs and is abandoned: that costs the requests it was at, and nothing else."""

from __future__ import annotations

import json
import logging
import re
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path

import httpx2
import psutil
import pytest

from tests.http.live import Live, live
from tests.http.refusal import refusal
from tests.model.pulling import pull, write_random
from tests.model.random_gguf import Sizes, write_text_model, write_vision_tower
from tests.waiting import HANG_SECONDS, until
from vidi.domain.errors import Unavailable
from vidi.engines.chat.connection import Endpoint, post
from vidi.engines.llama.supervisor import Launch, Pace, Supervisor

pytest.importorskip("xllamacpp", reason="needs the extra `llama`")

"""Seconds within which everything here must have happened; a broken one takes for ever."""

NUMBERS = {
    "responseMimeType": "application/json",
    "responseSchema": {"type": "ARRAY", "items": {"type": "INTEGER"}, "minItems": 6000},
}
"""The form of an answer that only ends where the limit does: random weights cannot say so many numbers."""

SLOW = Sizes(width=256, blocks=6, hidden=1024, context=16_384)
"""Takes long over an answer: its 8,192 tokens come at a few hundred a second."""


def asked(*, tokens: int) -> dict[str, object]:
    """A request for numbers; without a seed, so that no answer is given again from memory."""
    return {
        "contents": [{"parts": [{"text": "Numbers, please."}]}],
        "generationConfig": {**NUMBERS, "maxOutputTokens": tokens},
    }


def workers(process: psutil.Process) -> list[psutil.Process]:
    """The processes of models below a server."""
    found = []
    for child in process.children(recursive=True):
        try:
            if "vidi.engines.llama.process" in child.cmdline():
                found.append(child)
        except psutil.NoSuchProcess:
            continue
    return found


@pytest.fixture(scope="module")
def slow_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose cache holds `slow`, with four slots, and `single`, with one."""
    folder = tmp_path_factory.mktemp("slow")
    for model, slots in (("slow", 4), ("single", 1)):
        pull(folder, write_random(folder / model, model, context=16_384, slots=slots, sizes=SLOW))
    return folder


@pytest.fixture(scope="module")
def slow_server(slow_folder: Path) -> Iterator[Live]:
    """A server on them."""
    with live(slow_folder, "--model", "slow", VIDI_QUEUE="32", VIDI_DECODERS="1") as started:
        yield started


def http(server: Live) -> httpx2.Client:
    """A client of a server."""
    return httpx2.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=HANG_SECONDS, trust_env=False)


def ending(server: Live, begun: Callable[[], object]) -> str:
    """Stream an answer to its end and say in a word how that was; anything unheard of fails."""
    with (
        http(server) as client,
        client.stream(
            "POST",
            "/v1beta/models/slow:streamGenerateContent?alt=sse",
            json=asked(tokens=150),
        ) as reply,
    ):
        if reply.status_code != 200:
            reply.read()
            assert refusal(reply).code == 503
            return "refused"
        lines = []
        for line in reply.iter_lines():
            if line:
                lines.append(line)
                begun()
    assert all(line.startswith("data: ") for line in lines[:-1])
    if not lines[-1].startswith("data: "):
        error = json.loads(lines[-1])["error"]
        assert (error["code"], error["status"]) == (503, "UNAVAILABLE")
        return "broken off"
    (candidate,) = json.loads(lines[-1].removeprefix("data: "))["candidates"]
    assert candidate["finishReason"] == "MAX_TOKENS"
    return "whole"


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGSEGV])
def test_a_crash_costs_running_answers_only_and_nobody_waits_for_ever(
    slow_server: Live, blow: signal.Signals
) -> None:
    begun = threading.Semaphore(0)
    (before,) = workers(slow_server.process)
    with ThreadPoolExecutor(20) as clients:
        answers = [clients.submit(ending, slow_server, begun.release) for _ in range(20)]
        for _ in range(20):
            assert begun.acquire(timeout=HANG_SECONDS)
        before.send_signal(blow)
        endings = [answer.result(HANG_SECONDS) for answer in answers]
    # Four were being made when it died, each told in words; those that waited had their turn afterwards.
    assert "broken off" in endings
    assert endings.count("whole") >= 10
    (after,) = workers(slow_server.process)
    assert after.pid != before.pid
    assert slow_server.works()
    assert ending(slow_server, lambda: None) == "whole"


def test_a_process_that_dies_again_and_again_is_started_ever_later(slow_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "own"
    shutil.copytree(slow_folder / "cache", folder / "cache")
    with live(folder, "--model", "single", VIDI_DECODERS="1") as server:
        for _ in range(4):
            until(lambda: workers(server.process))
            assert ending_whole(server)
            (worker,) = workers(server.process)
            worker.kill()
            worker.wait(HANG_SECONDS)
        until(lambda: len(_pauses(server)) == 4)
        assert _pauses(server) == [0.1, 0.2, 0.4, 0.8]
        assert "single died" in server.log.read_text()
        assert ending_whole(server)


def _pauses(server: Live) -> list[float]:
    return [float(told) for told in re.findall(r"starting it again in ([\d.]+) s", server.log.read_text())]


def ending_whole(server: Live) -> bool:
    """Whether a short question is answered, possibly once the process is there again."""
    with http(server) as client:
        reply = client.post("/v1beta/models/single:generateContent", json=asked(tokens=3))
    return reply.status_code == 200


@pytest.mark.parametrize(
    ("end", "tokens"), [(signal.SIGINT, 3), (signal.SIGTERM, 8000), (signal.SIGKILL, 8000)]
)
def test_no_process_is_left_when_the_server_ends(
    slow_folder: Path, tmp_path: Path, end: signal.Signals, tokens: int
) -> None:
    folder = tmp_path / "own"
    shutil.copytree(slow_folder / "cache", folder / "cache")
    with live(folder, "--model", "single", VIDI_DECODERS="1") as server, ThreadPoolExecutor(1) as clients:
        # The long answers are in their middle by then, and nothing may wait for them.
        busy = clients.submit(_give_up, server, tokens)
        until(lambda: workers(server.process))
        children = server.process.children(recursive=True)
        server.process.send_signal(end)
        _, alive = psutil.wait_procs([server.process, *children], HANG_SECONDS)
        assert not alive
        busy.result(HANG_SECONDS)


def _give_up(server: Live, tokens: int) -> None:
    with http(server) as client:
        try:
            client.post("/v1beta/models/single:generateContent", json=asked(tokens=tokens))
        except httpx2.TransportError:
            return


def test_a_client_that_hangs_up_frees_its_slot(slow_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "own"
    shutil.copytree(slow_folder / "cache", folder / "cache")
    path = "/v1beta/models/single:streamGenerateContent?alt=sse"
    with live(folder, "--model", "single", VIDI_QUEUE="0", VIDI_DECODERS="1") as server:
        for _ in range(3):
            with http(server) as client, client.stream("POST", path, json=asked(tokens=8000)) as reply:
                assert reply.status_code == 200, reply.read()
                lines = reply.iter_lines()
                assert next(lines)
                with http(server) as other:
                    # Nobody may wait here, so this says that the only slot is taken.
                    assert refusal(other.post(path, json=asked(tokens=3))).code == 503
            (worker,) = workers(server.process)
            until(lambda: ending_whole(server))
            # Not only does Vidi take new work: llama.cpp has stopped too.
            until(partial(_idles, worker))


def _idles(worker: psutil.Process) -> bool:
    return worker.cpu_percent(0.2) < 20


def _replaced(supervisor: Supervisor, pid: int) -> bool:
    return supervisor.pid not in (None, pid)


@pytest.fixture(scope="module")
def random_launch(tmp_path_factory: pytest.TempPathFactory) -> Launch:
    """A small model of random weights."""
    folder = tmp_path_factory.mktemp("random")
    write_text_model(folder / "text.gguf")
    write_vision_tower(folder / "vision.gguf")
    return Launch(str(folder / "text.gguf"), str(folder / "vision.gguf"), context=4096, slots=2, threads=1)


def tokens_of(supervisor: Supervisor) -> bytes:
    """What a process answers to a small question."""
    with closing(supervisor.post("/tokenize", b'{"content":"hello"}')) as parts:
        return b"".join(parts)


def answers(supervisor: Supervisor) -> bool:
    """Whether it answers now; one that was killed at its start is said not to start until the next try."""
    try:
        return bool(tokens_of(supervisor))
    except Unavailable:
        return False


@pytest.fixture
def supervisor(random_launch: Launch) -> Iterator[Supervisor]:
    """The random model's, at its usual pace."""
    with closing(Supervisor(random_launch, "random")) as started:
        yield started


def suspend(pid: int) -> None:
    """Make a process hang. On a busy machine its threads run on for a while after the signal."""
    process = psutil.Process(pid)
    process.suspend()
    until(lambda: process.status() == psutil.STATUS_STOPPED)


def test_a_process_that_hangs_is_noticed_and_replaced(
    random_launch: Launch, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(Supervisor(random_launch, "random", Pace(ping_every=0.5, missed_pings=3))) as quick:
        assert json.loads(tokens_of(quick))["tokens"]
        pid = quick.pid
        assert pid is not None
        suspend(pid)
        # Asked while it hangs, and answered by its successor.
        with caplog.at_level(logging.ERROR):
            assert json.loads(tokens_of(quick))["tokens"]
        assert "random no longer answers and is killed" in caplog.text
        assert quick.pid != pid
        assert not psutil.pid_exists(pid)
        assert quick.starts >= 2


def test_a_healthy_process_outlives_many_pings(
    random_launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered: list[bytes] = []

    def counted(endpoint: Endpoint, path: str, body: bytes) -> Iterator[bytes]:
        yield from post(endpoint, path, body)
        answered.append(body)

    monkeypatch.setattr("vidi.engines.llama.supervisor.post", counted)
    with closing(Supervisor(random_launch, "random", Pace(ping_every=0.1, missed_pings=1000))) as supervisor:
        pid = supervisor.pid
        until(lambda: len(answered) > 10)
        assert (supervisor.pid, supervisor.starts) == (pid, 1)


def test_a_hanging_process_ends_with_its_supervisor(random_launch: Launch) -> None:
    supervisor = Supervisor(random_launch, "random")
    pid = supervisor.pid
    assert pid is not None
    suspend(pid)
    supervisor.close()
    assert not psutil.pid_exists(pid)
    with pytest.raises(Unavailable, match="random is not running"):
        tokens_of(supervisor)


def test_a_process_gets_a_key_of_its_own_each_time_and_answers_nobody_else(supervisor: Supervisor) -> None:
    endpoints = []
    for _ in range(2):
        found = [each for each in supervisor.endpoint() if each is not None]
        endpoints.append(found[-1])
        pid = supervisor.pid
        assert pid is not None
        psutil.Process(pid).kill()
        until(partial(_replaced, supervisor, pid))
        assert tokens_of(supervisor)
    assert endpoints[0].key != endpoints[1].key
    (endpoint,) = [each for each in supervisor.endpoint() if each is not None]
    for path in ("/tokenize", "/v1/chat/completions", "/slots", "/props", "/"):
        address = f"http://127.0.0.1:{endpoint.port}{path}"
        reply = httpx2.post(address, json={"content": "x"}, timeout=HANG_SECONDS, trust_env=False)
        assert reply.status_code in (401, 404), path
    assert b"tokens" in b"".join(post(endpoint, "/tokenize", b'{"content":"x"}'))


def test_a_request_that_kills_each_process_is_not_tried_for_ever(supervisor: Supervisor) -> None:
    stop = threading.Event()

    def kill_each() -> None:
        while not stop.is_set():
            pid = supervisor.pid
            if pid is not None and pid not in killed:
                killed.add(pid)
                psutil.Process(pid).kill()
            time.sleep(0.005)

    killed: set[int] = set()
    killer = threading.Thread(target=kill_each)
    killer.start()
    try:
        with pytest.raises(Unavailable):
            for _ in range(1000):
                tokens_of(supervisor)
    finally:
        stop.set()
        killer.join()
    until(lambda: answers(supervisor))
