"""From model ids to engines."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from vidi.domain.errors import InvalidRequest, NotFound, Unavailable
from vidi.engines.base import Engine, EngineContext, ModelCard, ModelEntry, Pull, PullPlan, PullRequest
from vidi.engines.echo import open_engine as open_echo
from vidi.engines.profile import Licence
from vidi.engines.registry import (
    Registry,
    best_model,
    find_offered,
    find_weights,
    installed_models,
    remove_weights,
)

HERE = f"{__name__}"
attempts: list[str] = []


def _context(tmp_path: Path) -> EngineContext:
    return EngineContext(cache=tmp_path, threads=1, progress=lambda step, done, total: None)


def open_on_second_attempt(context: EngineContext) -> Engine:
    attempts.append("open")
    if len(attempts) == 1:
        raise Unavailable("The weights cannot be fetched now.")
    return open_echo(context)


@dataclass(frozen=True)
class _Pull:
    context: EngineContext
    wanted: PullRequest

    @property
    def plan(self) -> PullPlan:
        return PullPlan("near", "Near", "nowhere", (), Licence("MIT", ""), disk=0, free=0)

    def run(self) -> None:
        (self.context.cache / "fetched").write_text(self.wanted.source)


def fetch(context: EngineContext, wanted: PullRequest) -> Pull:
    return _Pull(context, wanted)


def remove(context: EngineContext, model: str) -> int:
    (context.cache / "fetched").unlink()
    return 3


def _offer(
    name: str, *, ready: bool = True, rank: int = 0, factory: str = "open_on_second_attempt"
) -> ModelEntry:
    card = ModelCard(id=name, display_name=name, description="")
    return ModelEntry(
        card,
        factory=f"{HERE}:{factory}",
        ready=ready,
        fetcher=f"{HERE}:fetch",
        rank=rank,
        remover=f"{HERE}:remove",
    )


def test_the_package_offers_its_engines(tmp_path: Path) -> None:
    assert {"echo", "vidi-lite"} <= set(installed_models(_context(tmp_path)))


def test_a_ready_model_is_better_than_a_higher_one_that_must_be_fetched() -> None:
    offers = {offer.card.id: offer for offer in (_offer("far", ready=False, rank=9), _offer("near", rank=1))}
    assert best_model(offers).card.id == "near"


def test_without_a_ready_model_the_best_is_fetched_and_a_test_engine_never_is() -> None:
    offers = {
        offer.card.id: offer
        for offer in (_offer("fake", rank=-1), _offer("a", ready=False), _offer("b", ready=False, rank=2))
    }
    assert best_model(offers).card.id == "b"
    with pytest.raises(Unavailable):
        best_model({"fake": _offer("fake", rank=-1)})


def test_gemini_names_mean_the_default_model_and_unknown_names_nothing(tmp_path: Path) -> None:
    offers = {"near": _offer("near"), "far": _offer("far")}
    registry = Registry(offers, default="near", context=_context(tmp_path), queue=1)
    assert registry.find("gemini-3-flash-preview").card.id == "near"
    assert registry.find("far").card.id == "far"
    assert [offer.card.id for offer in registry.offers()] == ["near", "far"]
    with pytest.raises(NotFound, match="There is no model 'gpt'"):
        registry.find("gpt")
    with pytest.raises(NotFound, match="near"):
        Registry(offers, default="none", context=_context(tmp_path), queue=1)


def test_an_engine_is_opened_once_and_again_after_a_failure(tmp_path: Path) -> None:
    attempts.clear()

    async def run() -> None:
        registry = Registry({"near": _offer("near")}, default="near", context=_context(tmp_path), queue=1)
        with pytest.raises(Unavailable):
            await registry.open("near")
        both = await asyncio.gather(registry.open("near"), registry.open("gemini-2.5-flash"))
        assert both[0].worker is both[1].worker
        assert [resolved.alias for resolved in both] == [False, True]
        await registry.close()

    asyncio.run(run())
    assert len(attempts) == 2


def test_weights_are_fetched_and_removed_by_the_offer_itself(tmp_path: Path) -> None:
    context, offers = _context(tmp_path), {"near": _offer("near")}
    pull = find_weights(offers, context, PullRequest("near", source="weights.bin"))
    assert not (tmp_path / "fetched").exists()
    pull.run()
    assert (tmp_path / "fetched").read_text() == "weights.bin"
    assert remove_weights(offers, context, "near") == 3
    assert not (tmp_path / "fetched").exists()
    find_offered(offers["near"], context).run()
    assert (tmp_path / "fetched").read_text() == ""


def test_what_has_no_weights_and_what_nobody_knows_is_refused(tmp_path: Path) -> None:
    light = ModelEntry(ModelCard(id="light", display_name="", description=""), factory="", ready=True)
    with pytest.raises(InvalidRequest, match="needs no weights"):
        find_weights({"light": light}, _context(tmp_path), PullRequest("light"))
    with pytest.raises(InvalidRequest, match="built in"):
        remove_weights({"light": light}, _context(tmp_path), "light")
    with pytest.raises(NotFound, match=r"'absent'\. Known models: light"):
        remove_weights({"light": light}, _context(tmp_path), "absent")
    with pytest.raises(NotFound, match=r"'absent'\. Known models: light"):
        find_weights({"light": light}, _context(tmp_path), PullRequest("absent"))


def test_what_must_be_pulled_by_a_person_is_never_taken_unasked() -> None:
    large = replace(_offer("large", ready=False, rank=50), auto_download=False)
    small = _offer("small", ready=False)
    assert best_model({"large": large, "small": small}).card.id == "small"
    assert best_model({"large": replace(large, ready=True), "small": small}).card.id == "large"
    with pytest.raises(Unavailable):
        best_model({"large": large})


def test_a_missing_package_is_named_and_how_to_install_it(tmp_path: Path) -> None:
    offer = replace(_offer("near"), fetcher="package_that_is_not_here.weights:fetch")
    with pytest.raises(Unavailable, match=r"package_that_is_not_here.*vidi\[llama\]"):
        find_offered(offer, _context(tmp_path))
