"""What the registry calls, with the families that come with Vidi."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engines.llama.families import member, write_family
from tests.engines.llama.tiny import write_text, write_vision
from vidi.domain.errors import InvalidRequest, NotFound
from vidi.engines.base import EngineContext
from vidi.engines.llama.pull import fetch, import_model, remove
from vidi.engines.llama.store import pulled
from vidi.engines.profile_files import profiles_folder
from vidi.engines.weights import PullRequest


@pytest.fixture
def context(tmp_path: Path) -> EngineContext:
    return EngineContext(cache=tmp_path / "cache", threads=1, progress=lambda step, done, total: None)


def test_a_model_of_a_built_in_family_comes_and_goes(context: EngineContext, tmp_path: Path) -> None:
    text, vision = write_text(tmp_path / "t.gguf"), write_vision(tmp_path / "v.gguf")
    pull = fetch(context, PullRequest("gemma-4-e2b", source=str(text), vision=vision))
    assert pull.plan.title == "Gemma 4 E2B"
    assert pull.plan.licence.name == "Apache-2.0"
    pull.run()
    assert [model.family for model in pulled(context.cache)] == ["gemma-4"]
    assert remove(context, "gemma-4-e2b") > text.stat().st_size
    with pytest.raises(NotFound):
        remove(context, "gemma-4-e2b")


def test_a_profile_in_the_users_folder_is_gone_by_and_kept(context: EngineContext, tmp_path: Path) -> None:
    folder = profiles_folder(context.cache)
    folder.mkdir(parents=True)
    (folder / "broken.toml").write_text("family =")
    own = write_family(folder / "mine.toml", member("mine-1b", repository=""))
    with pytest.raises(NotFound, match=r"text-Q4\.gguf"):
        fetch(context, PullRequest("mine-1b"))
    write_text(folder / "text-Q4.gguf")
    write_vision(folder / "mmproj-F16.gguf")
    fetch(context, PullRequest("mine-1b")).run()
    (here,) = pulled(context.cache)
    assert here.profile is not None
    assert here.profile.read_text() == own.read_text()


def test_a_model_of_the_users_own_is_pulled_again_by_the_profile_beside_it(
    context: EngineContext, tmp_path: Path
) -> None:
    own = write_family(tmp_path / "mine.toml", member("mine-1b", repository=""))
    text, _ = write_text(tmp_path / "text-Q4.gguf"), write_vision(tmp_path / "mmproj-F16.gguf")
    imported = import_model(context, PullRequest(str(own)))
    assert imported is not None
    imported.run()
    own.unlink()
    write_text(text, seed=9)
    fetch(context, PullRequest("mine-1b", source=str(text))).run()
    (here,) = pulled(context.cache)
    assert here.text.read_bytes() == text.read_bytes()
    assert here.profile is not None


def test_a_name_that_no_family_has_is_left_to_others(context: EngineContext) -> None:
    assert import_model(context, PullRequest("vidi-lite")) is None
    with pytest.raises(InvalidRequest, match="--from FILE --mmproj FILE --profile FAMILY"):
        fetch(context, PullRequest("mine"))
