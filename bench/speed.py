"""How fast Vidi is, each figure beside a yardstick timed in turns with it."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench import pictures
from bench.servers import COUNT, GENERATE, STREAM, Broken, Connection, Server, post, vidi, yardstick
from bench.table import Row, Target
from bench.yardsticks import BARE, LOOK_SIZE, pillow_prepare, stdlib_decode
from vidi.domain.geometry import Fit
from vidi.domain.prompt import ImageSource
from vidi.engines.echo import CARD
from vidi.engines.gbnf import compile_schema
from vidi.images.header import ImageLimits
from vidi.images.pool import DECODER_MEMORY, DecoderLimits, DecoderPool
from vidi.images.source import PictureSource
from vidi.wire.decode import RequestLimits, decode_base64, decode_generate
from vidi.wire.errors import Scope
from vidi.wire.json_body import read_object
from vidi.wire.response_schema import compile_schema as compile_wire_schema

SMALL_ROUNDS = 1000
ROUNDS = 21
MANY_ROUNDS = 5
HANG_UPS = 10
PICTURES = 3600
TOKEN_SECONDS = 0.1

LIMITS = RequestLimits(model="echo")
STDLIB = "json.loads + base64.b64decode"
PILLOW = "Pillow, draft() + LANCZOS"

DETECTION: dict[str, object] = {
    "type": "ARRAY",
    "items": {
        "type": "OBJECT",
        "properties": {
            "box_2d": {
                "type": "ARRAY",
                "items": {"type": "INTEGER", "minimum": 0, "maximum": 1000},
                "minItems": 4,
                "maxItems": 4,
            },
            "label": {"type": "STRING"},
        },
        "required": ["box_2d", "label"],
    },
}

Action = Callable[[], object]


def in_turns(rounds: int, *actions: Action) -> list[list[float]]:
    """Time each action `rounds` times, A B A B, after a round that does not count; milliseconds."""
    times: list[list[float]] = [[] for _ in actions]
    for turn in range(rounds + 1):
        for action, own in zip(actions, times, strict=True):
            began = time.perf_counter()
            action()
            took = time.perf_counter() - began
            if turn:
                own.append(took * 1000)
    return times


def medians(rounds: int, *actions: Action) -> list[float]:
    """The median of each action's times, in milliseconds."""
    return [float(np.median(own)) for own in in_turns(rounds, *actions)]


def versus(rounds: int, ours: Action, theirs: Action) -> tuple[float, float]:
    """The medians of two actions that are timed in turns, in milliseconds."""
    mine, others = medians(rounds, ours, theirs)
    return mine, others


@dataclass(frozen=True, slots=True)
class Pair:
    """Vidi on the echo engine, and the yardsticks."""

    ours: Server
    theirs: Server


def small_request(pair: Pair) -> Iterator[Row]:
    """A question without a picture, over a connection that stays open, as SDKs keep it."""
    body = pictures.request([])
    with Connection(pair.ours) as ours, Connection(pair.theirs) as theirs:
        asked, bare = post(GENERATE, body), post("/json", body)
        mine, others = in_turns(SMALL_ROUNDS, lambda: ours.ask(asked), lambda: theirs.ask(bare))
    for name, share, most in (("median", 50, 1.5), ("p95", 95, None)):
        figures = float(np.percentile(mine, share)), float(np.percentile(others, share))
        yield Row(f"small request, {name}", *figures, BARE, Target.ADDED, most)


def large_body(pair: Pair) -> Iterator[Row]:
    """A 20 MB request with one picture, step by step and as a whole."""
    picture = pictures.huge_jpeg()
    body = pictures.request([picture])
    sloppy = pictures.with_trailing_comma(body)
    text = body.decode().split('"data": "')[1].split('"')[0]
    name = f"{len(body) / 1e6:.0f} MB request"
    read = versus(ROUNDS, _fresh(pair.theirs, "/bodies", body), _fresh(pair.theirs, "/body", body))
    yield Row(f"{name}: read", *read, "await request.body()", Target.RATIO)
    parse = versus(ROUNDS, lambda: read_object(body), lambda: json.loads(body))
    yield Row(f"{name}: parse", *parse, "json.loads", Target.RATIO)
    decode = versus(ROUNDS, lambda: decode_base64(text, "data"), lambda: base64.b64decode(text))
    yield Row(f"{name}: base64", *decode, "base64.b64decode", Target.RATIO)
    strict, lenient, stdlib = medians(
        ROUNDS,
        lambda: decode_generate(body, LIMITS),
        lambda: decode_generate(sloppy, LIMITS),
        lambda: stdlib_decode(body),
    )
    yield Row(f"{name}: parse + base64", strict, stdlib, STDLIB, Target.RATIO, 0.15)
    yield Row(f"{name}: parse + base64, trailing comma", lenient, stdlib, STDLIB, Target.RATIO)
    prepare = preparing(picture, CARD.pixels.high, LOOK_SIZE)
    yield Row(f"{name}: prepare", *prepare, PILLOW, Target.RATIO)
    stamped = pictures.request([pictures.stamped(picture, 0)])
    whole = versus(ROUNDS, _anew(pair.ours, GENERATE, stamped), _fresh(pair.theirs, "/look", stamped))
    yield Row(f"{name}: all of it", *whole, f"{BARE} with both", Target.RATIO)


def camera_picture(_: Pair) -> Iterator[Row]:
    """A telephone's picture, from its bytes to RGB."""
    times = preparing(pictures.camera_jpeg(), 1024 * 768, (1024, 768))
    yield Row("12 MP JPEG to 1024 px", *times, PILLOW, Target.RATIO, 1.1)


def many_pictures(pair: Pair) -> Iterator[Row]:
    """countTokens over as many pictures as a request may hold; a decoder once started stays, so it shows."""
    body = pictures.request(pictures.small_jpegs(PICTURES))
    before = decoders(pair.ours)
    times = versus(MANY_ROUNDS, _fresh(pair.ours, COUNT, body), _fresh(pair.theirs, "/count", body))
    started = decoders(pair.ours) - before
    name = f"countTokens, {PICTURES:,} pictures"
    yield Row(name, *times, f"{BARE}, Image.open", Target.RATIO)
    yield Row(f"{name}: decoders started", started, unit="", most=0)


def answer_grammar(_: Pair) -> Iterator[Row]:
    """The schema of the guide's detection example, from Schema to GBNF."""
    schema = compile_wire_schema(DETECTION, "response_schema", Scope(), closed=True)
    (took,) = medians(SMALL_ROUNDS, lambda: compile_schema(schema))
    yield Row("detection schema to a grammar", took, most=5)


def hang_up(pair: Pair) -> Iterator[Row]:
    """All slots stream and one more request waits: how soon after a client leaves is it answered?"""
    prompt = f"echo sleep={TOKEN_SECONDS} words=100000"
    endless = post(STREAM, pictures.request([], prompt))
    short = post(GENERATE, pictures.request([], "echo words=1"))
    streams = [_streaming(pair.ours, endless) for _ in range(CARD.slots)]
    times: list[float] = []
    for _ in range(HANG_UPS):
        with Connection(pair.ours) as waiting:
            waiting.send(short)
            if not waiting.is_quiet(0.1):
                raise Broken("a request was answered although all slots were taken")
            began = time.perf_counter()
            streams.pop(0).close()
            waiting.answer()
            times.append((time.perf_counter() - began) * 1000)
        streams.append(_streaming(pair.ours, endless))
    for stream in streams:
        stream.close()
    name = "hang-up to the slot's next answer"
    yield Row(f"{name}, median", float(np.median(times)), 1000 * TOKEN_SECONDS, "a token of the stream's")
    yield Row(f"{name}, longest", max(times), most=500)


def preparing(data: bytes, max_pixels: int, size: tuple[int, int]) -> tuple[float, float]:
    """From a file to pixels, by the pool of decoder processes and by Pillow in this process; medians."""
    pool = DecoderPool(size=1, limits=DecoderLimits(60, DECODER_MEMORY))

    async def prepare() -> None:
        source = PictureSource.inline(ImageSource(data, "picture"))
        header = await source.header(ImageLimits())
        picture = await pool.prepare(source, header, Fit(max_pixels))
        if (picture.width, picture.height) != size:
            raise Broken(f"a picture came out as {picture.width} x {picture.height}, not {size}")

    with asyncio.Runner() as runner:
        times = versus(ROUNDS, lambda: runner.run(prepare()), lambda: pillow_prepare(data, size))
        runner.run(pool.close())
    return times


def decoders(server: Server) -> int:
    """How many decoder processes a server has."""
    return sum("vidi.images.decoder" in process.cmdline() for process in server.tree())


def _fresh(server: Server, path: str, body: bytes) -> Action:
    """A request over a connection of its own."""
    request = post(path, body)

    def ask() -> None:
        with Connection(server) as connection:
            connection.ask(request)

    return ask


def _anew(server: Server, path: str, body: bytes) -> Action:
    """The same with another picture each time: one that came before would not be decoded."""
    request = bytearray(post(path, body))
    numbers = itertools.count(1)

    def ask() -> None:
        pictures.restamp(request, next(numbers))
        with Connection(server) as connection:
            connection.ask(request)

    return ask


def _streaming(server: Server, request: bytes) -> Connection:
    """A stream that has begun."""
    connection = Connection(server)
    connection.send(request)
    connection.receive()
    return connection


SECTIONS: Sequence[Callable[[Pair], Iterator[Row]]] = (
    small_request,
    many_pictures,
    large_body,
    camera_picture,
    hang_up,
    answer_grammar,
)
"""`many_pictures` comes before anything has been decoded."""


def run() -> Iterator[Row]:
    """Every figure. Raises Broken if something does not work."""
    with tempfile.TemporaryDirectory() as folder, vidi("echo", Path(folder)) as ours:
        answer = Path(folder) / "answer"
        with Connection(ours) as connection:
            answer.write_bytes(connection.ask(post(GENERATE, pictures.request([]))))
        with yardstick(answer) as theirs:
            for section in SECTIONS:
                print(f"{section.__name__.replace('_', ' ')} ...", file=sys.stderr, flush=True)
                yield from section(Pair(ours, theirs))
