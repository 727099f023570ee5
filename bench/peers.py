"""Vidi beside its peers, the same work in the same run: a bare handler, LiteLLM's proxy, llama.cpp's server.

LiteLLM answers by itself (`mock_response`), so it costs what a proxy costs and no model more. It is installed
at its first use, as `litellm.txt` pins it, into an environment of its own inside this one.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

import numpy as np

from bench import engine, pictures
from bench.backends import SETTINGS, STREAM_SECONDS, generate, streams
from bench.fake_backend import TOKENS
from bench.load import Load, busy, drive
from bench.memory import settled, watching
from bench.open_models import TINY
from bench.servers import (
    GENERATE,
    STREAM,
    Broken,
    Connection,
    Server,
    fake_backend,
    litellm,
    post,
    vidi,
    yardstick,
)
from bench.table import Row, Target
from bench.yardsticks import BARE

LITELLM = "LiteLLM's proxy"
PROXY = Path(sys.prefix) / "litellm"
PINS = Path(__file__).with_name("litellm.txt")

SECONDS = 1.0
ROUNDS = 5
CLIENTS = 32
EVENTS = 2_000
"""Of a stream that is read as fast as it comes."""
STREAMS = 5
OPEN = 500
"""Streams that are open at once."""


@dataclass(frozen=True, slots=True)
class Question:
    """The same question to each server, each request by its number.

    Attributes:
        name: In words.
        vidi, bare, proxy: Write a request; the bare handler is not asked what it cannot do.
        share: Which share of the bare handler's rate Vidi's is to be at least.
    """

    name: str
    vidi: Callable[[int], bytes]
    proxy: Callable[[int], bytes]
    bare: Callable[[int], bytes] | None = None
    share: float | None = None


@dataclass(frozen=True, slots=True)
class Peers:
    """The three servers."""

    ours: Server
    bare: Server
    proxy: Server


def chat(picture: bytes | None) -> bytes:
    """The question as an OpenAI client asks it."""
    parts: list[object] = [{"type": "text", "text": pictures.PROMPT}]
    if picture is not None:
        uri = "data:image/jpeg;base64," + base64.b64encode(picture).decode()
        parts.insert(0, {"type": "image_url", "image_url": {"url": uri}})
    body = {"model": "mock", "messages": [{"role": "user", "content": parts}]}
    return post("/v1/chat/completions", json.dumps(body).encode())


def questions() -> Iterator[Question]:
    """A text; a photograph that was seen before; one that is new each time."""
    small = pictures.request([])
    yield Question(
        "small request",
        _always(post(GENERATE, small)),
        _always(chat(None)),
        _always(post("/json", small)),
        0.33,
    )
    picture = pictures.jpeg(1024, 768, noise=12.5)
    known = pictures.request([picture])
    name = f"photo of {len(picture) / 1000:.0f} kB"
    proxied = _always(chat(picture))
    yield Question(
        f"{name}, known", _always(post(GENERATE, known)), proxied, _always(post("/json", known)), 0.6
    )
    fresh = bytearray(post(GENERATE, pictures.request([pictures.stamped(picture, 0)])))

    def new(number: int) -> bytes:
        pictures.restamp(fresh, number)
        return bytes(fresh)

    yield Question(f"{name}, new each time", new, proxied)


def _always(request: bytes) -> Callable[[int], bytes]:
    return lambda _: request


def many_clients(peers: Peers, question: Question) -> Iterator[Row]:
    """All of them at once: the rate, as the time an answer takes, and the processor time."""
    ours, bare, proxy = _loads(peers, question, CLIENTS)
    name = f"{question.name}, {CLIENTS} clients"
    each = _median(ours, "each")
    if bare:
        most = 1 / question.share if question.share else None
        yield Row(f"{name}: each answer", each, _median(bare, "each"), BARE, Target.RATIO, most)
        work = _median(ours, "processor"), _median(bare, "processor")
        yield Row(f"{name}: processor time an answer", *work, BARE, Target.RATIO, most)
    else:
        decoding = float(np.median([1000 * load.others / load.answers for load in ours]))
        work = _median(ours, "processor"), decoding
        yield Row(f"{name}: processor time an answer", *work, "the decoders'", Target.RATIO, 1)
    yield Row(f"{name}: each answer", each, _median(proxy, "each"), LITELLM, Target.RATIO)


def one_client(peers: Peers, question: Question) -> Iterator[Row]:
    """One after the other: what Vidi adds."""
    ours, bare, proxy = _loads(peers, question, 1)
    for name, percent, most in (("median", 50, 0.7), ("p95", 95, 1.2)):
        mine, others, theirs = (
            float(np.median([load.at(percent) for load in loads])) for loads in (ours, bare, proxy)
        )
        figure = f"{question.name}, 1 client: {name}"
        yield Row(figure, mine, others, BARE, Target.ADDED, most)
        yield Row(figure, mine, theirs, LITELLM, Target.RATIO)


def _loads(peers: Peers, question: Question, clients: int) -> tuple[list[Load], list[Load], list[Load]]:
    """Each server under the same load, in turns; the first turn does not count."""
    found: tuple[list[Load], list[Load], list[Load]] = ([], [], [])
    sides = ((peers.ours, question.vidi), (peers.bare, question.bare), (peers.proxy, question.proxy))
    for turn in range(ROUNDS + 1):
        for (server, request), loads in zip(sides, found, strict=True):
            if request is not None:
                load = drive(server, request, clients, SECONDS)
                loads += [load] if turn else []
    return found


def _median(loads: Iterable[Load], figure: str) -> float:
    return float(np.median(list(map(attrgetter(figure), loads))))


def events(peers: Peers) -> Iterator[Row]:
    """How much of a core an event of a stream takes, read as fast as it comes."""
    request = post(STREAM, pictures.request([], f"echo words={EVENTS}"))
    spent: list[float] = []
    for turn in range(STREAMS + 1):
        before = busy([peers.ours.process])
        with Connection(peers.ours) as connection:
            streamed = connection.stream(request, b'"text":"')
        if turn:
            spent.append((busy([peers.ours.process]) - before) * 1000 / streamed.text.count(b"data: "))
    yield Row("a stream's event, processor time", float(np.median(spent)), most=0.5)


def open_streams() -> Iterator[Row]:
    """Many streams at once before a server elsewhere that batches: memory while all of them are answered."""
    with tempfile.TemporaryDirectory() as name, fake_backend() as behind:
        folder = Path(name)
        config = folder / "vidi.toml"
        config.write_text(SETTINGS.format(port=behind.port, slots=OPEN), "utf-8")
        settings = {"VIDI_CONFIG": str(config), "VIDI_ANSWER_CACHE_BYTES": "0"}
        with vidi("tiny", folder, folder / "cache", **settings) as ours:
            idle = settled(ours)
            with watching(ours) as peak:
                found = streams(ours, [generate("Tell me.")] * OPEN, 0)
    yield Row(f"{OPEN} open streams: memory", peak.size, idle, "idle", most=200, unit="MB")
    yield Row(
        f"{OPEN} open streams: each token", found.token, STREAM_SECONDS * 1000 / TOKENS, "alone", Target.RATIO
    )


def installed_proxy() -> Path:
    """The Python of LiteLLM's environment, made at the first use, and again when its pins have changed.

    Raises:
        Broken: It cannot be installed.
    """
    python = PROXY / "bin" / "python"
    marker = PROXY / PINS.name
    if marker.exists() and marker.read_bytes() == PINS.read_bytes():
        return python
    print(f"installing LiteLLM's proxy into {PROXY} ...", file=sys.stderr, flush=True)
    venv.create(PROXY, clear=True, with_pip=True)
    pip = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    pinned = ["install", "--require-hashes", "--no-deps", "-r", str(PINS)]
    if subprocess.run([*pip, *pinned], stdout=sys.stderr).returncode:
        raise Broken("LiteLLM's proxy could not be installed; pip has said why")
    marker.write_bytes(PINS.read_bytes())
    return python


def run() -> Iterator[Row]:
    """Every figure. Raises Broken if something does not work."""
    python = installed_proxy()
    with tempfile.TemporaryDirectory() as name, ExitStack() as started:
        folder = Path(name)
        ours = started.enter_context(vidi("echo", folder))
        answer = folder / "answer"
        with Connection(ours) as connection:
            answer.write_bytes(connection.ask(post(GENERATE, pictures.request([]))))
        said: str = json.loads(answer.read_bytes())["candidates"][0]["content"]["parts"][0]["text"]
        bare = started.enter_context(yardstick(answer))
        print("starting LiteLLM's proxy ...", file=sys.stderr, flush=True)
        peers = Peers(ours, bare, started.enter_context(litellm(python, folder, said)))
        small, *photos = questions()
        for question in (small, *photos):
            print(f"{question.name} ...", file=sys.stderr, flush=True)
            yield from many_clients(peers, question)
        yield from one_client(peers, small)
        yield from events(peers)
    yield from open_streams()
    # Whose answers cost least, so that what stands around them shows; `engine` has a model of usual size too.
    yield from engine.beside_the_peer(TINY, (engine.one_client, engine.many_clients))
