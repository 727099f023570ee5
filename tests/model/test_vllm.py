"""Vidi before a real vLLM, which `make vllm` installs and runs; its model's weights are random.

What it says means nothing. That pictures are taken, tokens are the ones that were counted, grammars hold,
errors are Google's and a hang-up stops it is seen here on the real thing.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import numpy as np
import pytest
from google import genai
from google.genai import types
from google.genai.errors import ClientError
from PIL import Image
from pydantic import BaseModel, Field

from tests.contract.engine_suite import EngineSuite, prompt
from tests.engines.lite.fakes import picture_of
from tests.engines.remote.fake import context_of
from tests.http.live import Live, live
from tests.sdk.asking import contents_of, finish, usage
from tests.waiting import until
from vidi.domain.answer import fold
from vidi.domain.prompt import Picture, Sampling
from vidi.engines.base import Backend, Engine
from vidi.engines.remote.catalog import find_model
from vidi.engines.remote.engine import RemoteEngine

URL = os.environ.get("VIDI_TEST_VLLM", "")
pytestmark = pytest.mark.skipif(not URL, reason="needs the server that `make vllm` runs")
MODEL = "gemini-3-flash-preview"
FAMILY = "qwen3-vl"
"""What the random model is built like."""

CAPTION = "Describe this image."
GUIDE = "Detect all of the prominent items in the image, as box_2d and label."
SIZES = [(640, 480), (64, 64), (1, 1), (2000, 4), (3, 3000), (1600, 1200)]


class Found(BaseModel):
    box_2d: list[int] = Field(min_length=4, max_length=4)
    label: str = Field(max_length=20)


LISTED = types.GenerateContentConfig(response_mime_type="application/json", response_schema=list[Found])


def part(width: int, height: int, seed: int = 0, kind: str = "PNG") -> types.Part:
    """A picture of noise."""
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return types.Part.from_bytes(data=file.getvalue(), mime_type=f"image/{kind.lower()}")


@pytest.fixture(scope="module")
def vllm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    backend = Backend((URL,), profile=FAMILY)
    engine = RemoteEngine(find_model(context_of(tmp_path_factory.mktemp("vllm"), backend, model="tiny")))
    yield engine
    engine.close()


class TestContract(EngineSuite):
    @pytest.fixture
    def engine(self, vllm: Engine) -> Engine:
        return vllm

    @pytest.fixture
    def picture(self) -> Picture:
        return picture_of(np.random.default_rng(0).integers(0, 255, (96, 128, 3), np.uint8))


@pytest.fixture(scope="module")
def gateways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Live]]:
    """Two Vidis before it."""
    folders = [tmp_path_factory.mktemp(name) for name in ("one", "two")]
    config = folders[0] / "vidi.toml"
    config.write_text(f'[[backend]]\nurl = "{URL}"\nprofile = "{FAMILY}"\n', "utf-8")
    with (
        live(folders[0], "--model", "", VIDI_CONFIG=str(config)) as one,
        live(folders[1], "--model", "", VIDI_CONFIG=str(config)) as two,
    ):
        yield [one, two]


@pytest.fixture(scope="module")
def client(gateways: list[Live]) -> Iterator[genai.Client]:
    options = types.HttpOptions(base_url=f"http://127.0.0.1:{gateways[0].port}")
    with genai.Client(api_key="any", http_options=options) as made:
        yield made


def metric(name: str) -> float:
    """The sum of a gauge or counter of vLLM's."""
    lines = httpx2.get(URL.removesuffix("/v1") + "/metrics").text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


def test_it_is_told_apart_and_its_window_is_known(vllm: Engine, gateways: list[Live]) -> None:
    assert vllm.card.input_token_limit == 4096
    assert "Runs on vLLM." in vllm.card.description
    assert f"answers with tiny (at {URL} (vLLM)" in gateways[0].log.read_text()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_picture_of_any_size_is_taken(client: genai.Client, size: tuple[int, int], kind: str) -> None:
    config = types.GenerateContentConfig(max_output_tokens=8)
    answer = client.models.generate_content(
        model=MODEL, contents=contents_of(part(*size, kind=kind), CAPTION), config=config
    )
    assert finish(answer) in ("STOP", "MAX_TOKENS")


@pytest.mark.parametrize("size", SIZES)
def test_what_is_counted_is_what_vllm_takes(client: genai.Client, size: tuple[int, int]) -> None:
    contents = contents_of(part(*size), "naïve 🐈 ", part(*SIZES[0], seed=1), CAPTION)
    before = metric("vllm:prompt_tokens_total")
    counted = client.models.count_tokens(model="tiny", contents=contents).total_tokens
    assert metric("vllm:prompt_tokens_total") == before  # Counting makes no answer.
    config = types.GenerateContentConfig(max_output_tokens=4)
    billed = usage(client.models.generate_content(model="tiny", contents=contents, config=config))
    taken = metric("vllm:prompt_tokens_total") - before
    assert counted == billed.prompt_token_count == taken


def test_a_stream_has_the_tokens_that_were_generated(client: genai.Client) -> None:
    before = metric("vllm:generation_tokens_total")
    config = types.GenerateContentConfig(max_output_tokens=20, temperature=1.0)
    chunks = list(
        client.models.generate_content_stream(
            model="tiny", contents=contents_of(part(64, 64), CAPTION), config=config
        )
    )
    last = chunks[-1].usage_metadata
    assert last is not None
    assert last.candidates_token_count == metric("vllm:generation_tokens_total") - before


@pytest.mark.parametrize("streamed", [False, True])
def test_boxes_keep_their_form(client: genai.Client, streamed: bool) -> None:
    config = LISTED.model_copy(update={"max_output_tokens": 400, "temperature": 1.0, "seed": 5})
    contents = contents_of(part(320, 240), GUIDE)
    if streamed:
        stream = client.models.generate_content_stream(model=MODEL, contents=contents, config=config)
        text = "".join(chunk.text or "" for chunk in stream)
    else:
        text = client.models.generate_content(model=MODEL, contents=contents, config=config).text or ""
    for found in json.loads(text):
        assert set(found) == {"box_2d", "label"}
        assert all(0 <= edge <= 1000 for edge in found["box_2d"])


def test_a_prompt_that_is_too_long_is_refused_with_both_numbers(client: genai.Client) -> None:
    with pytest.raises(ClientError, match=r"exceeds the maximum number of tokens allowed \(4096\)") as told:
        client.models.generate_content(model=MODEL, contents="word " * 2000)
    assert told.value.code == 400


def test_sixteen_at_once(client: genai.Client) -> None:
    config = types.GenerateContentConfig(max_output_tokens=16)

    def ask(seed: int) -> str | None:
        contents = contents_of(part(96, 96, seed), CAPTION)
        return finish(client.models.generate_content(model=MODEL, contents=contents, config=config))

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(ask, range(16))) <= {"STOP", "MAX_TOKENS"}


def test_who_hangs_up_stops_it(vllm: Engine) -> None:
    for _ in range(5):
        stream = vllm.generate(prompt("Go on.", sampling=Sampling(max_output_tokens=2000, temperature=2.0)))
        while not next(stream).text:
            pass
        stream.close()
    until(lambda: metric("vllm:num_requests_running") == 0)


def test_a_second_question_about_a_picture_reads_it_from_the_cache_through_either_gateway(
    gateways: list[Live], record_property: Callable[[str, object], None]
) -> None:
    picture = part(1024, 768, seed=9)
    cached = []
    for gateway, question in zip([*gateways, *gateways], ("One?", "Two?", "Three?", "Four?"), strict=True):
        before = metric("vllm:prefix_cache_hits_total")
        options = types.HttpOptions(base_url=f"http://127.0.0.1:{gateway.port}")
        with genai.Client(api_key="any", http_options=options) as client:
            config = types.GenerateContentConfig(max_output_tokens=2)
            contents = contents_of(picture, question)
            answer = client.models.generate_content(model="tiny", contents=contents, config=config)
        cached.append(metric("vllm:prefix_cache_hits_total") - before)
        details = {each.modality: each.token_count for each in usage(answer).prompt_tokens_details or []}
        pictures = details[types.MediaModality.IMAGE]
        assert pictures is not None
    record_property("cached_tokens", f"{cached} of the picture's {pictures}")
    assert min(cached[1:]) >= 0.9 * pictures


def test_its_own_errors_are_not_passed_on(vllm: Engine, tmp_path: Path) -> None:
    assert isinstance(vllm, RemoteEngine)
    (answer,) = fold(vllm.generate(prompt("Hi", sampling=Sampling(max_output_tokens=65_536, top_k=1))))
    assert answer.finish is not None
    assert vllm.problem() == ""
