"""What the registry calls, with the families that come with Vidi."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engines.llama.tiny import write_text, write_vision
from vidi.domain.errors import InvalidRequest, NotFound
from vidi.engines.base import EngineContext, Wanted
from vidi.engines.llama.depot import adopt, fetch, remove
from vidi.engines.llama.store import pulled


@pytest.fixture
def context(tmp_path: Path) -> EngineContext:
    return EngineContext(cache=tmp_path / "cache", threads=1, progress=lambda step, done, total: None)


def test_a_model_of_a_built_in_family_comes_and_goes(context: EngineContext, tmp_path: Path) -> None:
    text, vision = write_text(tmp_path / "t.gguf"), write_vision(tmp_path / "v.gguf")
    pull = fetch(context, Wanted("gemma-4-e2b", source=str(text), vision=vision))
    assert pull.bill.title == "Gemma 4 E2B"
    assert pull.bill.licence.name == "Apache-2.0"
    pull.run()
    assert [model.family for model in pulled(context.cache)] == ["gemma-4"]
    assert remove(context, "gemma-4-e2b") > text.stat().st_size
    with pytest.raises(NotFound):
        remove(context, "gemma-4-e2b")


def test_a_name_that_no_family_has_is_left_to_others(context: EngineContext) -> None:
    assert adopt(context, Wanted("vidi-lite")) is None
    with pytest.raises(InvalidRequest, match="--from FILE --mmproj FILE --profile FAMILY"):
        fetch(context, Wanted("mine"))
