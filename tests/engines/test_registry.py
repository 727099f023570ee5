"""From model ids to engines."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from vidi.domain.errors import NotFound, Unavailable
from vidi.engines.base import Engine, EngineContext, ModelCard, ModelEntry
from vidi.engines.echo import open_engine as open_echo
from vidi.engines.registry import Registry, best_model, installed_models

HERE = f"{__name__}"
attempts: list[str] = []


def _context(tmp_path: Path) -> EngineContext:
    return EngineContext(cache=tmp_path, threads=1, progress=lambda step, done, total: None)


def open_on_second_attempt(context: EngineContext) -> Engine:
    attempts.append("open")
    if len(attempts) == 1:
        raise Unavailable("The weights cannot be fetched now.")
    return open_echo(context)


def _entry(
    name: str, *, ready: bool = True, rank: int = 0, factory: str = "open_on_second_attempt"
) -> ModelEntry:
    card = ModelCard(id=name, display_name=name, description="")
    return ModelEntry(
        card,
        factory=f"{HERE}:{factory}",
        ready=ready,
        rank=rank,
    )


def test_the_package_lists_its_models(tmp_path: Path) -> None:
    assert {"echo", "vidi-lite"} <= set(installed_models(_context(tmp_path)))


def test_a_ready_model_is_better_than_a_higher_one_that_must_be_fetched() -> None:
    entries = {entry.card.id: entry for entry in (_entry("far", ready=False, rank=9), _entry("near", rank=1))}
    assert best_model(entries).card.id == "near"


def test_without_a_ready_model_the_best_is_fetched_and_a_test_engine_never_is() -> None:
    entries = {
        entry.card.id: entry
        for entry in (_entry("fake", rank=-1), _entry("a", ready=False), _entry("b", ready=False, rank=2))
    }
    assert best_model(entries).card.id == "b"
    with pytest.raises(Unavailable):
        best_model({"fake": _entry("fake", rank=-1)})


def test_an_engine_that_claims_no_rank_is_no_default_by_being_installed() -> None:
    plain = ModelEntry(ModelCard("plain", "plain", ""), factory="any:where", ready=True)
    entries = {"plain": plain, "far": _entry("far", ready=False, rank=0)}
    assert best_model(entries).card.id == "far"


def test_gemini_names_mean_the_default_model_and_unknown_names_nothing(tmp_path: Path) -> None:
    entries = {"near": _entry("near"), "far": _entry("far")}
    registry = Registry(entries, default="near", context=_context(tmp_path), queue=1)
    assert registry.find("gemini-3-flash-preview").card.id == "near"
    assert registry.find("far").card.id == "far"
    assert [entry.card.id for entry in registry.entries()] == ["near", "far"]
    with pytest.raises(NotFound, match="There is no model 'gpt'"):
        registry.find("gpt")
    with pytest.raises(NotFound, match="near"):
        Registry(entries, default="none", context=_context(tmp_path), queue=1)


NAMES_OF_OTHER_JOBS = (
    "gemini-2.5-flash-image", "gemini-3-pro-image-preview", "gemini-2.5-flash-preview-tts",
    "gemini-2.0-flash-live-001", "gemini-live-2.5-flash", "gemini-embedding-001",
    "gemini-2.5-flash-native-audio-dialog",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES_OF_OTHER_JOBS)
def test_names_of_models_for_other_jobs_mean_nothing(tmp_path: Path, name: str) -> None:
    registry = Registry({"near": _entry("near")}, default="near", context=_context(tmp_path), queue=1)
    with pytest.raises(NotFound):
        registry.find(name)


def test_gemma_names_mean_the_default_model_unless_a_model_has_one(tmp_path: Path) -> None:
    entries = {"near": _entry("near"), "gemma-own": _entry("gemma-own")}
    registry = Registry(entries, default="near", context=_context(tmp_path), queue=1)
    assert registry.find("gemma-3-27b-it").card.id == "near"
    assert registry.find("gemma-own").card.id == "gemma-own"


def test_an_engine_is_opened_once_and_again_after_a_failure(tmp_path: Path) -> None:
    attempts.clear()

    async def run() -> None:
        registry = Registry({"near": _entry("near")}, default="near", context=_context(tmp_path), queue=1)
        with pytest.raises(Unavailable):
            await registry.open("near")
        both = await asyncio.gather(registry.open("near"), registry.open("gemini-2.5-flash"))
        assert both[0].worker is both[1].worker
        assert [resolved.alias for resolved in both] == [False, True]
        await registry.close()

    asyncio.run(run())
    assert len(attempts) == 2


def test_what_must_be_pulled_by_a_person_is_never_the_default() -> None:
    large = replace(_entry("large", ready=False, rank=50), auto_download=False)
    small = _entry("small", ready=False)
    assert best_model({"large": large, "small": small}).card.id == "small"
    assert best_model({"large": replace(large, ready=True), "small": small}).card.id == "large"
    with pytest.raises(Unavailable):
        best_model({"large": large})
