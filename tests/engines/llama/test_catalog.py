"""Which open models are known, and what is told of each without loading it."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from tests.model.pulling import publish_random
from vidi.engines.llama.catalog import budgets, catalog, profiles_folder
from vidi.engines.profile import Pictures, TokenBudgets


def test_a_pulled_model_is_known_with_its_files_and_its_own_profile(tmp_path: Path) -> None:
    assert "mine" not in [member.model.id for member in catalog(tmp_path)]
    assert all(member.files is None for member in catalog(tmp_path))
    folder = publish_random(tmp_path, "mine")
    member = next(member for member in catalog(tmp_path) if member.model.id == "mine")
    assert member.files is not None
    assert member.files.folder == folder
    card = member.card()
    assert (card.id, card.slots, card.samples, card.thinks) == ("mine", 1, True, False)
    assert (card.input_token_limit, card.output_token_limit) == (512, 256)
    # Other files, another version: nothing remembered of the old ones is told of the new.
    assert card.version == member.model.text.sha256[:12]


def test_ids_are_told_once_and_none_is_a_gemini_name(tmp_path: Path) -> None:
    ids = [member.model.id for member in catalog(tmp_path)]
    assert len(set(ids)) == len(ids) > 10
    assert not any(name.startswith("gemini-") for name in ids)


def test_a_broken_profile_costs_only_itself(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    known = catalog(tmp_path)
    publish_random(tmp_path, "good")
    bad = publish_random(tmp_path, "bad")
    (bad / "profile.toml").write_text("family = 3")
    profiles_folder(tmp_path).mkdir()
    (profiles_folder(tmp_path) / "own.toml").write_text("not toml")
    with caplog.at_level(logging.WARNING):
        found = {member.model.id for member in catalog(tmp_path)}
    assert found == {member.model.id for member in known} | {"good"}
    assert "own.toml" in caplog.text
    assert str(bad / "profile.toml") in caplog.text


def test_budgets_of_tokens_become_pixels() -> None:
    free = budgets(Pictures(28, 0, 4, TokenBudgets(64, 256, 1024, 2048)))
    assert (free.low, free.medium, free.high, free.ultra_high) == tuple(
        tokens * 28 * 28 for tokens in (64, 256, 1024, 2048)
    )
    assert (free.least, free.multiple, free.square) == (4 * 28 * 28, 28, 0)
    fixed = budgets(Pictures(0, 896, 0, TokenBudgets(256, 256, 256, 256)))
    assert (fixed.least, fixed.multiple, fixed.square) == (1, 1, 896)
