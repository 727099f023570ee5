"""Which open models are known, and what is told of each without loading it."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from tests.model.pulling import publish_random
from vidi.domain.geometry import canvas, place
from vidi.engines.base import EngineContext, PixelBudgets
from vidi.engines.llama.catalog import known_models, models
from vidi.engines.profile import Pictures, TokenBudgets
from vidi.engines.profile_files import profiles_folder


def test_a_pulled_model_is_known_with_its_files_and_its_own_profile(tmp_path: Path) -> None:
    assert "mine" not in [known.model.id for known in known_models(tmp_path)]
    assert all(known.files is None for known in known_models(tmp_path))
    folder = publish_random(tmp_path, "mine")
    known = next(known for known in known_models(tmp_path) if known.model.id == "mine")
    assert known.files is not None
    assert known.files.folder == folder
    card = known.card()
    assert (card.id, card.slots, card.samples, card.thinks) == ("mine", 1, True, False)
    assert (card.input_token_limit, card.output_token_limit) == (512, 256)
    # Other files, another version: nothing remembered of the old ones is told of the new.
    assert card.version == known.model.text.sha256[:12]


def test_ids_are_told_once_and_none_is_a_gemini_name(tmp_path: Path) -> None:
    ids = [known.model.id for known in known_models(tmp_path)]
    assert len(set(ids)) == len(ids) > 10
    assert not any(name.startswith("gemini-") for name in ids)


def test_a_broken_profile_costs_only_itself(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    known = known_models(tmp_path)
    publish_random(tmp_path, "good")
    bad = publish_random(tmp_path, "bad")
    (bad / "profile.toml").write_text("family = 3")
    profiles_folder(tmp_path).mkdir()
    (profiles_folder(tmp_path) / "own.toml").write_text("not toml")
    with caplog.at_level(logging.WARNING):
        found = {known.model.id for known in known_models(tmp_path)}
    assert found == {known.model.id for known in known} | {"good"}
    assert "own.toml" in caplog.text
    assert str(bad / "profile.toml") in caplog.text


def test_budgets_of_tokens_become_pixels() -> None:
    free = PixelBudgets.of(Pictures(28, 0, 4, TokenBudgets(64, 256, 1024, 2048)))
    assert (free.low, free.medium, free.high, free.ultra_high) == tuple(
        tokens * 28 * 28 for tokens in (64, 256, 1024, 2048)
    )
    assert (free.least, free.multiple, free.square) == (4 * 28 * 28, 28, 0)
    fixed = PixelBudgets.of(Pictures(0, 896, 0, TokenBudgets(256, 256, 256, 256)))
    assert (fixed.least, fixed.multiple, fixed.square) == (1, 1, 896)


def test_a_model_is_ready_once_it_is_on_the_disk_and_never_fetched_without_a_pull(tmp_path: Path) -> None:
    publish_random(tmp_path, "mine")
    context = EngineContext(tmp_path, threads=1, progress=lambda step, done, total: None)
    found = {entry.card.id: entry for entry in models(context)}
    mine = found.pop("mine")
    assert mine.ready
    assert mine.size > 500_000
    assert mine.licence is not None
    assert mine.licence.name == "CC0-1.0"
    assert mine.rank == -1
    assert not any(entry.ready or entry.auto_download for entry in found.values())
    assert all(entry.licence and entry.licence.url for entry in found.values())
    for entry in (mine, *found.values()):
        assert (entry.factory, entry.fetcher, entry.remover) == (
            "vidi.engines.llama.engine:open_engine",
            "vidi.engines.llama.pull:fetch",
            "vidi.engines.llama.pull:remove",
        )


@pytest.mark.parametrize("tokens", [64, 100, 333, 1000])
@pytest.mark.parametrize(("width", "height"), [(4000, 3000), (1000, 1000), (900, 2000)])
def test_a_budget_of_tokens_is_kept_to_a_row_of_patches(width: int, height: int, tokens: int) -> None:
    pixels = PixelBudgets.of(Pictures(28, 0, 4, TokenBudgets(64, 256, 1024, 2048)))
    fit = pixels.fit(tokens, pictures=1)
    wide, high = canvas(place(width, height, fit), fit)
    columns, rows = wide // 28, high // 28
    assert columns * rows <= tokens <= (columns + 1) * (rows + 1)


def test_no_budget_is_above_the_models_own() -> None:
    pixels = PixelBudgets.of(Pictures(28, 0, 4, TokenBudgets(64, 256, 1024, 2048)))
    assert pixels.at(10_000) == pixels.ultra_high
    assert PixelBudgets().at(280) == PixelBudgets().high // 4
