"""Open models as engines: what is asked of llama.cpp, and that what is counted is what it takes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from tests.model.pulling import publish_random
from vidi.domain.answer import Finish, fold
from vidi.domain.errors import InvalidRequest, Unavailable
from vidi.domain.geometry import canvas, place
from vidi.domain.prompt import (
    ImageFormat,
    ImageHeader,
    MediaResolution,
    Output,
    Picture,
    Prompt,
    PromptHeaders,
    Request,
    Role,
    Sampling,
    TextFormat,
    Turn,
)
from vidi.domain.schema import Kind, Schema
from vidi.engines.base import EngineContext
from vidi.engines.chat.messages import encode_picture, messages
from vidi.engines.chat.response import EventStream, ResponseReader
from vidi.engines.llama.engine import Llama, open_engine
from vidi.engines.validation import validate

pytest.importorskip("xllamacpp", reason="needs the extra `llama`")

PATH = "/v1/chat/completions"


def context(cache: Path, model: str) -> EngineContext:
    return EngineContext(cache, threads=1, progress=lambda step, done, total: None, model=model)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Llama]:
    cache = tmp_path_factory.mktemp("cache")
    publish_random(cache, "random", context=2048)
    with closing(open_engine(context(cache, "random"))) as opened:
        yield opened


def prompt(*parts: str | Picture, **more: object) -> Prompt:
    return replace(Request(turns=(Turn(Role.USER, parts),)), **more)  # type: ignore[arg-type]  # fields of Request


def picture(engine: Llama, header: ImageHeader, pictures: int) -> Picture:
    """Noise, in the size in which the engine gets such a picture."""
    fit = engine.card.pixels.fit(header.resolution, pictures)
    placement = place(*header.upright_size, fit)
    width, height = canvas(placement, fit)
    rgb = np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8).tobytes()
    return Picture(width, height, rgb, placement, "digest", header.resolution)


def taken(engine: Llama, asked: Prompt) -> int:
    """What llama.cpp says at the end of an answer that the prompt took."""
    request = {
        "messages": messages(asked.with_images(encode_picture(each) for each in asked.images())),
        "max_tokens": 1,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    events, reply = EventStream(), ResponseReader()
    with closing(engine.supervisor.post(PATH, json.dumps(request).encode())) as portions:
        for portion in portions:
            for message in events.feed(portion):
                list(reply.take(message))
    return reply.prompt_tokens


@pytest.mark.parametrize(
    "sizes",
    [
        [],
        [(640, 480)],
        [(30, 900)],
        [(900, 30)],
        [(5, 5)],
        [(1, 1)],
        [(640, 480), (200, 300)],
        [(64, 64), (64, 64), (2000, 1500)],
    ],
)
@pytest.mark.parametrize("level", [MediaResolution.LOW, MediaResolution.HIGH])
def test_what_is_counted_is_what_llama_cpp_takes(
    engine: Llama, sizes: list[tuple[int, int]], level: MediaResolution
) -> None:
    headers = [ImageHeader(ImageFormat.PNG, *size, resolution=level) for size in sizes]
    parts = [part for header in headers for part in ("look ", header)] + ["What is it? naïve 🐈"]
    outline: PromptHeaders = Request(turns=(Turn(Role.USER, tuple(parts)),), system="Be brief.")
    asked = outline.with_images(picture(engine, header, len(headers)) for header in headers)
    counted = engine.count_tokens(outline)
    assert counted.total == taken(engine, asked)
    assert bool(counted.image) is bool(sizes)


def test_an_answer_ends_at_the_callers_limit_and_bills_each_token(engine: Llama) -> None:
    endless = Output(
        TextFormat.JSON,
        Schema(kinds=frozenset({Kind.ARRAY}), items=Schema(kinds=frozenset({Kind.INTEGER})), min_items=900),
    )
    for limit in (1, 7, 50):
        asked = prompt("numbers", output=endless, sampling=Sampling(max_output_tokens=limit))
        (answer,) = fold(engine.generate(asked))
        assert (answer.finish, answer.tokens) == (Finish.MAX_TOKENS, limit)


def test_a_grammar_and_its_check_hold_every_answer(engine: Llama) -> None:
    code = Schema(kinds=frozenset({Kind.STRING}), enum=("red", "green"))
    for seed in range(5):
        asked = prompt("which?", output=Output(TextFormat.ENUM, code), sampling=Sampling(seed=seed))
        (answer,) = fold(engine.generate(asked))
        validate(answer.text, code, TextFormat.ENUM)


def test_a_stop_sequence_may_end_json_anywhere(engine: Llama) -> None:
    pair = Schema(kinds=frozenset({Kind.STRING}), enum=("red",))
    asked = prompt("x", output=Output(TextFormat.JSON, pair), sampling=Sampling(stop_sequences=("ed",)))
    (answer,) = fold(engine.generate(asked))
    assert (answer.text, answer.finish) == ('"r', Finish.STOP)


def test_a_prompt_over_the_window_is_refused_by_llama_cpp_too(engine: Llama) -> None:
    with pytest.raises(InvalidRequest, match=r"takes \d+ tokens and the model reads at most 2048"):
        list(engine.generate(prompt("x" * 5000)))


def test_a_model_that_is_not_here_is_to_be_pulled(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="vidi pull absent"):
        open_engine(context(tmp_path, "absent"))


def test_closing_it_ends_its_process(tmp_path: Path) -> None:
    publish_random(tmp_path, "random")
    opened = open_engine(context(tmp_path, "random"))
    pid = opened.supervisor.pid
    assert pid is not None
    opened.close()
    assert not psutil.pid_exists(pid)
    with pytest.raises(Unavailable):
        list(opened.generate(prompt("hi")))
