"""The engine contract on every engine that is built in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import platformdirs
import pytest

from tests.contract.engine_suite import EngineSuite
from tests.engines.lite.fakes import PARK, FakeModels, lite_of, picture_of
from tests.model.listener import shapes_listener
from tests.model.pulling import SHAPES, pull
from tests.model.scenes import Scene, draw, letterbox
from vidi.domain.errors import Unavailable
from vidi.domain.prompt import Picture
from vidi.engines.base import Backend, Engine, EngineContext
from vidi.engines.echo import open_engine as open_echo
from vidi.engines.lite.engine import open_engine as open_lite
from vidi.engines.llama.engine import open_engine as open_llama
from vidi.engines.remote.engine import open_engine as open_remote


def context(cache: Path) -> EngineContext:
    return EngineContext(cache, threads=1, progress=lambda step, done, total: None)


class TestEcho(EngineSuite):
    @pytest.fixture
    def engine(self, tmp_path: Path) -> Engine:
        return open_echo(context(tmp_path))

    @pytest.fixture
    def picture(self) -> Picture:
        return PARK.picture


class TestLiteOnFakeModels(EngineSuite):
    @pytest.fixture
    def models(self) -> FakeModels:
        return FakeModels()

    @pytest.fixture
    def engine(self, models: FakeModels) -> Engine:
        return lite_of(models)

    @pytest.fixture
    def picture(self, models: FakeModels) -> Picture:
        return models.know(PARK)


@pytest.fixture(scope="module")
def real_lite() -> Engine:
    named = os.environ.get("VIDI_CACHE_DIR")
    try:
        return open_lite(context(Path(named) if named else platformdirs.user_cache_path("vidi")))
    except Unavailable as missing:
        pytest.skip(f"the weights of vidi-lite cannot be had here: {missing.message}")


@pytest.mark.weights
class TestLite(EngineSuite):
    @pytest.fixture
    def engine(self, real_lite: Engine) -> Engine:
        return real_lite

    @pytest.fixture
    def picture(self) -> Picture:
        return picture_of(np.random.default_rng(0).integers(0, 255, (120, 160, 3), np.uint8))


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    pytest.importorskip("xllamacpp", reason="needs the extra `llama`")
    folder = tmp_path_factory.mktemp("shapes")
    pull(folder, SHAPES)
    engine = open_llama(replace(context(folder / "cache"), model="shapes"))
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    pytest.importorskip("xllamacpp", reason="needs the extra `llama`")
    with shapes_listener() as (address, _):
        backend = Backend((f"{address}/v1",), profile=str(SHAPES))
        opened = replace(context(tmp_path_factory.mktemp("remote")), backends=(backend,), model="shapes")
        engine = open_remote(opened)
        yield engine
        engine.close()


class OnShapes(EngineSuite):
    """On the model that sees."""

    @pytest.fixture
    def picture(self) -> Picture:
        scene = Scene("red", "circle", (12, 16, 36, 40), size=(64, 64))
        return picture_of(np.asarray(letterbox(draw(scene))))


class TestRemote(OnShapes):
    """On llama.cpp's own server."""

    @pytest.fixture
    def engine(self, remote: Engine) -> Engine:
        return remote


class TestLlama(OnShapes):
    @pytest.fixture
    def engine(self, llama: Engine) -> Engine:
        return llama
