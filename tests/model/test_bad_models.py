"""Models that cannot run, met when they are asked: each says what to do, and the others go on answering."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from tests.conftest import inline, picture
from tests.http.live import Live, live
from tests.http.refusal import refusal
from tests.model.pulling import Spoil, publish_random, unspoilt
from tests.model.random_gguf import Sizes, write_text_model, write_vision_tower
from tests.waiting import HANG_SECONDS
from vidi.domain.errors import Unavailable
from vidi.engines.base import EngineContext
from vidi.engines.llama import store
from vidi.engines.llama.engine import open_engine

pytest.importorskip("xllamacpp", reason="needs the extra `llama`")

CONTEXT = 512


WIDE = Sizes(width=512, blocks=8, hidden=64)
"""Keys and values of one token take 16 KB."""


@dataclass(frozen=True, slots=True)
class Bad:
    """How a model is spoilt.

    Attributes:
        spoil: Changes the two files before they are published, so that the manifest is true to them.
        context: Its window in tokens.
        told: What llama.cpp says of it.
    """

    spoil: Spoil = unspoilt
    context: int = CONTEXT
    told: str = ""


def _cut(text: Path, vision: Path) -> None:
    text.write_bytes(text.read_bytes()[:-50_000])


def _cut_head(text: Path, vision: Path) -> None:
    text.write_bytes(text.read_bytes()[:100])


def _garbage(text: Path, vision: Path) -> None:
    text.write_bytes(bytes(range(256)) * 1000)


def _lacking(text: Path, vision: Path) -> None:
    # A tensor of another name is one too many and one too few.
    text.write_bytes(text.read_bytes().replace(b"blk.1.attn_q.weight", b"blk.1.attn_x.weight"))


def _blind(text: Path, vision: Path) -> None:
    vision.write_bytes(text.read_bytes())


def _empty(text: Path, vision: Path) -> None:
    vision.write_bytes(b"")


def _other_width(text: Path, vision: Path) -> None:
    write_vision_tower(vision, sizes=Sizes(width=32))


def _wide(text: Path, vision: Path) -> None:
    write_text_model(text, sizes=WIDE)
    write_vision_tower(vision, sizes=WIDE)


BAD = {
    "cut": Bad(_cut, told="is not within the file bounds"),
    "head": Bad(_cut_head),
    "garbage": Bad(_garbage, told="invalid magic"),
    "lacking": Bad(_lacking, told="'blk.1.attn_q.weight' not found"),
    "blind": Bad(_blind),
    "empty": Bad(_empty),
    "width": Bad(_other_width, told="mismatch between text model (n_embd = 64) and mmproj (n_embd = 32)"),
    "huge": Bad(_wide, context=2_000_000, told="failed to initialize the context"),
}
SPOILT_LATER: dict[str, Callable[[Path], object]] = {
    "gone": lambda folder: (folder / store.VISION).unlink(),
    "shrunk": lambda folder: (folder / store.TEXT).write_bytes(b"GGUF"),
    "removed": shutil.rmtree,
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """`vidi serve` on echo, with all the bad models on its disk and a good one, `random`."""
    folder = tmp_path_factory.mktemp("bad")
    cache = folder / "cache"
    for name, bad in BAD.items():
        publish_random(cache, name, context=bad.context, spoil=bad.spoil)
    publish_random(cache, "random", context=CONTEXT)
    later = {name: publish_random(cache, name, context=CONTEXT) for name in SPOILT_LATER}
    with live(folder, VIDI_DECODERS="1") as started:
        for name, spoil in SPOILT_LATER.items():
            spoil(later[name])
        yield started


def ask(server: Live, model: str, text: str = "hi", **config: object) -> httpx2.Response:
    """The reply to a question with a picture."""
    return httpx2.post(
        f"http://127.0.0.1:{server.port}/v1beta/models/{model}:generateContent",
        json={
            "contents": [{"parts": [inline(picture(60, 40)), {"text": text}]}],
            "generationConfig": {"temperature": 0, "maxOutputTokens": 20, **config},
        },
        timeout=HANG_SECONDS,
        trust_env=False,
    )


@pytest.mark.parametrize("name", BAD)
def test_a_model_that_does_not_start_says_so_and_costs_no_other(server: Live, name: str) -> None:
    told = refusal(ask(server, name))
    assert told.code == 503
    assert f"{name} does not start. llama.cpp says: " in told.message
    assert "llama.cpp says: nothing" not in told.message
    assert BAD[name].told in told.message
    assert f"vidi pull {name}" in told.message
    assert server.works()


@pytest.mark.parametrize("name", SPOILT_LATER)
def test_a_model_whose_files_changed_after_the_start_is_to_be_pulled_again(server: Live, name: str) -> None:
    told = refusal(ask(server, name))
    assert told.code == 503
    assert f"{name} is not on this disk" in told.message
    assert f"vidi pull {name}" in told.message
    assert server.works()


def test_a_good_model_beside_them_answers(server: Live) -> None:
    assert ask(server, "random").status_code == 200


def test_a_model_that_never_ends_ends_at_its_limit(server: Live) -> None:
    reply = ask(
        server,
        "random",
        maxOutputTokens=100_000,
        responseMimeType="application/json",
        responseSchema={"type": "ARRAY", "items": {"type": "INTEGER"}, "minItems": 2000},
    ).json()
    assert reply["candidates"][0]["finishReason"] == "MAX_TOKENS"
    assert 0 < reply["usageMetadata"]["candidatesTokenCount"] <= CONTEXT // 2


def test_a_prompt_longer_than_the_window_is_refused_with_both_numbers(server: Live) -> None:
    told = refusal(ask(server, "random", "word " * 1000))
    assert told.code == 400
    assert f"exceeds the maximum number of tokens allowed ({CONTEXT})" in told.message


def test_a_prompt_that_leaves_no_room_for_an_answer_is_answered_or_refused(server: Live) -> None:
    for words in range(300, 512, 10):
        reply = ask(server, "random", "x" * words)
        if reply.status_code != 200:
            assert refusal(reply).code == 400
    assert ask(server, "random").status_code == 200


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ({"type": "INTEGER", "minimum": 5, "maximum": 4}, "response_schema"),
        (
            {
                "type": "OBJECT",
                "properties": {"n": {"type": "NUMBER", "minimum": 5, "maximum": 4}},
                "required": ["n"],
            },
            "n",
        ),
    ],
)
def test_a_schema_that_nothing_satisfies_is_refused_with_its_place(
    server: Live, schema: object, path: str
) -> None:
    told = refusal(ask(server, "random", responseMimeType="application/json", responseSchema=schema))
    assert told.code == 400
    assert path in told.message


def test_without_llama_cpp_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish_random(tmp_path, "random")
    monkeypatch.setattr("vidi.engines.llama.engine.find_spec", lambda name: None)
    context = EngineContext(tmp_path, threads=1, progress=lambda step, done, total: None, model="random")
    with pytest.raises(Unavailable, match="pip install gguf huggingface-hub xllamacpp"):
        open_engine(context)
