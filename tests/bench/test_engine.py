from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import engine, pictures
from bench.engine import Pair, Told, our_side, their_side
from bench.open_models import OpenModel
from bench.servers import Broken, Connection, llama_server, vidi
from bench.table import Row

pytestmark = pytest.mark.slow

random_gguf = pytest.importorskip("tests.model.random_gguf", reason="needs the package gguf")
pytest.importorskip("xllamacpp", reason="needs the extra `llama`")


def write(text: Path, vision: Path) -> None:
    random_gguf.write_text_model(text, endless=True)
    random_gguf.write_vision_tower(vision)


SMALL = OpenModel(
    "small", write, context=512, side=14, square=0, budget=64, size=(112, 84), rounds=2, crowds=1, tokens=8
)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    home = tmp_path_factory.mktemp("engine")
    cache = SMALL.pull(home / "model")
    launch = SMALL.launch(home / "model")
    with vidi(SMALL.name, home / "data", cache) as ours, llama_server(launch, home) as (theirs, loaded):
        yield Pair(SMALL, our_side(ours, SMALL), their_side(theirs, SMALL), loaded * 1000)


def test_both_sides_do_the_same_work(pair: Pair) -> None:
    ours, theirs = (side.ask(SMALL.picture(5), "Describe it.") for side in (pair.ours, pair.theirs))
    assert (ours.tokens, ours.prompt) == (theirs.tokens, theirs.prompt)
    assert ours.tokens == SMALL.tokens
    assert ours.prompt > 48
    for told in (ours, theirs):
        assert 0 < told.first <= told.whole


def test_every_section_measures(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "IDLE_SECONDS", 0.2)
    rows: list[Row] = []
    for section in (engine.one_client, engine.many_clients, engine.resources, engine.crash):
        rows += section(pair)
    figures = {row.figure: row for row in rows}
    assert len(figures) == len(rows)
    assert figures["1 client, first token"].ours > 0
    assert figures["4 clients, each further token"].theirs
    assert figures["memory of the model's process"].ours > 1


def test_a_killed_process_is_found_again(pair: Pair) -> None:
    before = pair.worker().pid
    pair.worker().kill()
    pair.ours.ask(SMALL.picture(6), "Describe it.")
    assert pair.worker().pid != before


def test_further_tokens_are_those_after_the_first() -> None:
    assert Told(first=10, whole=40, tokens=4, prompt=1).further == 10
    assert Told(first=10, whole=10, tokens=1, prompt=1).further == 0


def test_the_grammar_of_the_guide_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "COMPILED", 3)
    (row,) = engine.grammar()
    assert row.ours > 0


def test_a_refused_stream_is_told(pair: Pair) -> None:
    request = pair.ours.request(b"no picture", "What is it?")
    with Connection(pair.ours.server) as connection, pytest.raises(Broken, match="400 Bad Request"):
        connection.stream(request, pair.ours.mark)


def test_pictures_differ_by_their_seed() -> None:
    assert SMALL.picture(1) == SMALL.picture(1) != SMALL.picture(2)
    assert len(pictures.request([SMALL.picture(1)])) < 256_000
