"""What Vidi adds to llama.cpp: one model behind Vidi and behind llama.cpp's own server, asked in turns."""

from __future__ import annotations

import base64
import json
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import numpy as np
import psutil

from bench import pictures
from bench.load import busy
from bench.memory import SETTLED_SECONDS, own
from bench.open_models import RANDOM, SHAPES, TINY, OpenModel
from bench.servers import Broken, Connection, Server, llama_server, post, vidi
from bench.speed import medians
from bench.table import Row, Target
from vidi.domain.schema import Kind, Property, Schema
from vidi.engines.gbnf import compile_schema

CLIENTS = 4
IDLE_SECONDS = 5.0
COMPILED = 200
PEER = "llama.cpp's server"
SLOWER = 1.05
"""How much longer it takes at 0.95 of the speed."""

_PLACES = Schema(
    kinds=frozenset({Kind.ARRAY}), items=Schema(kinds=frozenset({Kind.INTEGER})), min_items=4, max_items=4
)
DETECTION = Schema(
    kinds=frozenset({Kind.ARRAY}),
    items=Schema(
        kinds=frozenset({Kind.OBJECT}),
        properties=(
            Property("box_2d", _PLACES, required=True),
            Property("label", Schema(kinds=frozenset({Kind.STRING})), required=True),
        ),
    ),
)
"""The shape of the guide's detection answers."""


@dataclass(frozen=True, slots=True)
class Told:
    """What one answer took in milliseconds, and how many tokens the server counted in it and its prompt."""

    first: float
    whole: float
    tokens: int
    prompt: int

    @property
    def further(self) -> float:
        """Milliseconds of each token after the first."""
        return (self.whole - self.first) / max(1, self.tokens - 1)


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two servers.

    Attributes:
        server: Where it is.
        request: Writes a question about a JPEG.
        mark: What an event holds that has text.
        tokens, prompt: Find the counts.
    """

    server: Server
    request: Callable[[bytes, str], bytes]
    mark: bytes
    tokens: re.Pattern[bytes]
    prompt: re.Pattern[bytes]

    def ask(self, picture: bytes, question: str) -> Told:
        """Ask over a connection of its own."""
        request = self.request(picture, question)
        with Connection(self.server) as connection:
            streamed = connection.stream(request, self.mark)
        tokens, prompt = (int(found.findall(streamed.text)[-1]) for found in (self.tokens, self.prompt))
        return Told(streamed.first, streamed.whole, tokens, prompt)

    def ask_at_once(self, asked: Sequence[bytes], question: str) -> tuple[list[Told], float]:
        """Ask about several pictures at the same time; also the milliseconds until all were answered."""
        began = time.perf_counter()
        with ThreadPoolExecutor(len(asked)) as clients:
            told = list(clients.map(lambda picture: self.ask(picture, question), asked))
        return told, (time.perf_counter() - began) * 1000


@dataclass(frozen=True, slots=True)
class Pair:
    """A model behind both servers."""

    model: OpenModel
    ours: Side
    theirs: Side
    load_ms: float

    def worker(self) -> psutil.Process:
        """The process in which Vidi runs the model."""
        for process in self.ours.server.tree():
            if "vidi.engines.llama.process" in process.cmdline():
                return process
        raise Broken("Vidi has no process that runs the model")


def cpu_ms(server: Server) -> float:
    """Processor time that a server's processes have taken, in milliseconds."""
    return busy(server.tree()) * 1000


def our_side(server: Server, model: OpenModel) -> Side:
    """Vidi, by streamGenerateContent."""

    def request(picture: bytes, question: str) -> bytes:
        body = json.loads(pictures.request([picture], question))
        body["generationConfig"] = {"temperature": 0, "maxOutputTokens": model.tokens}
        return post(f"/v1beta/models/{model.name}:streamGenerateContent?alt=sse", json.dumps(body).encode())

    counts = (rb'"candidatesTokenCount":(\d+)', rb'"promptTokenCount":(\d+)')
    return Side(server, request, b'"text":"', *map(re.compile, counts))


def their_side(server: Server, model: OpenModel) -> Side:
    """llama.cpp's server, by its chat completions."""

    def request(picture: bytes, question: str) -> bytes:
        uri = "data:image/jpeg;base64," + base64.b64encode(picture).decode()
        parts = [{"type": "image_url", "image_url": {"url": uri}}, {"type": "text", "text": question}]
        body = {
            "messages": [{"role": "user", "content": parts}],
            "temperature": 0,
            "max_tokens": model.tokens,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        return post("/v1/chat/completions", json.dumps(body).encode())

    counts = (rb'"completion_tokens":(\d+)', rb'"prompt_tokens":(\d+)')
    return Side(server, request, b'"content":"', *map(re.compile, counts))


def one_client(pair: Pair) -> Iterator[Row]:
    """Each picture is asked about twice; Vidi gives the second answer once more from its memory."""
    rounds: list[tuple[Told, ...]] = []
    for seed in range(pair.model.rounds + 1):
        picture = pair.model.picture(seed)
        # First both sides answer the first question, then both the second.
        asked = [
            side.ask(picture, question)
            for question in pair.model.questions
            for side in (pair.ours, pair.theirs)
        ]
        rounds.append((*asked, pair.ours.ask(picture, pair.model.questions[-1])))
        if asked[0].tokens != asked[1].tokens or asked[0].prompt != asked[1].prompt:
            print(f"not the same work: {asked[0]} {asked[1]}", file=sys.stderr)
    ours, theirs, ours_again, theirs_again, known = zip(*rounds[1:], strict=True)
    yield from _rows("1 client", ours, theirs)
    again, first = (_median(told.first for told in side) for side in (ours_again, ours))
    name = "a second question about a picture, first token"
    yield Row(name, again, first, "the first question's", Target.RATIO, 0.25)
    beside = _median(told.first for told in theirs_again)
    yield Row("... the same, beside the peer", again, beside, PEER, Target.RATIO, SLOWER)
    yield Row("the same question at temperature 0", _median(told.whole for told in known), most=3)


def many_clients(pair: Pair) -> Iterator[Row]:
    """Every slot is in use."""
    seeds = count(1000)
    both: tuple[list[Told], list[Told]] = ([], [])
    whole: tuple[list[float], list[float]] = ([], [])
    work = [0.0, 0.0]
    for turn in range(pair.model.crowds + 1):
        asked = [pair.model.picture(next(seeds)) for _ in range(CLIENTS)]
        for at, side in enumerate((pair.ours, pair.theirs)):
            before = cpu_ms(side.server)
            told, took = side.ask_at_once(asked, pair.model.questions[0])
            if turn:
                both[at].extend(told)
                whole[at].append(took)
                work[at] += (cpu_ms(side.server) - before) / CLIENTS / pair.model.crowds
    yield from _rows(f"{CLIENTS} clients", *both)
    ours, theirs = map(_median, whole)
    yield Row(f"{CLIENTS} clients, until all are answered", ours, theirs, PEER, Target.RATIO, SLOWER)
    yield Row(f"{CLIENTS} clients, processor time for each answer", work[0], work[1], PEER, Target.RATIO)


def crash(pair: Pair) -> Iterator[Row]:
    """The model's process is killed while it does nothing; the next question waits for its successor."""
    times: list[float] = []
    for seed in range(3):
        pair.worker().kill()
        began = time.perf_counter()
        pair.ours.ask(pair.model.picture(2000 + seed), pair.model.questions[0])
        times.append((time.perf_counter() - began) * 1000)
        alone = pair.ours.ask(pair.model.picture(3000 + seed), pair.model.questions[0])
        times[-1] -= alone.whole
    yield Row(
        "a crash of the model's process adds", _median(times), pair.load_ms, "loading", Target.ADDED, 2000
    )


def resources(pair: Pair) -> Iterator[Row]:
    """Memory, and what an idle process does."""
    time.sleep(SETTLED_SECONDS)
    worker = pair.worker()
    sizes = own(worker) / 1e6, own(pair.theirs.server.process) / 1e6
    yield Row("memory of the model's process", *sizes, PEER, unit="MB")
    others = sum(own(process) for process in pair.ours.server.tree() if process != worker) / 1e6
    yield Row("memory of Vidi's other processes", others, unit="MB")
    before = sum(worker.cpu_times()[:2])
    time.sleep(IDLE_SECONDS)
    spent = (sum(worker.cpu_times()[:2]) - before) * 1000 / IDLE_SECONDS
    yield Row("work of an idle model's process in a second", spent, most=1)


def grammar() -> Iterator[Row]:
    """From a schema to what llama.cpp holds a model to."""
    (took,) = medians(COMPILED, lambda: compile_schema(DETECTION))
    yield Row("grammar of the guide's detection schema", took, most=5)


def _rows(name: str, ours: Sequence[Told], theirs: Sequence[Told]) -> Iterator[Row]:
    figures: Sequence[tuple[str, Callable[[Told], float]]] = (
        ("first token", lambda told: told.first),
        ("each further token", lambda told: told.further),
        ("whole answer", lambda told: told.whole),
    )
    for figure, of in figures:
        medians_of_both = _median(map(of, ours)), _median(map(of, theirs))
        yield Row(f"{name}, {figure}", *medians_of_both, PEER, Target.RATIO, SLOWER)


def _median(values: Iterable[float]) -> float:
    return float(np.median(list(values)))


Sections = Sequence[Callable[[Pair], Iterator[Row]]]

SECTIONS: dict[OpenModel, Sections] = {
    RANDOM: (one_client, many_clients, resources, crash),
    TINY: (one_client, many_clients),
}


def beside_the_peer(model: OpenModel, sections: Sections) -> Iterator[Row]:
    """Some sections' figures of one model."""
    if model is TINY and not SHAPES.is_dir():
        yield Row(model.name, skipped=f"{SHAPES} is not there")
        return
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        cache = model.pull(home / "model")
        with (
            vidi(model.name, home / "data", cache) as ours,
            llama_server(model.launch(home / "model"), home) as (theirs, loaded),
        ):
            pair = Pair(model, our_side(ours, model), their_side(theirs, model), loaded * 1000)
            for section in sections:
                print(f"{model.name}: {section.__name__} ...", file=sys.stderr, flush=True)
                for row in section(pair):
                    yield replace(row, figure=f"{model.name}: {row.figure}")


def run() -> Iterator[Row]:
    """Every figure. Raises Broken if something does not work."""
    yield from grammar()
    for model, sections in SECTIONS.items():
        yield from beside_the_peer(model, sections)
