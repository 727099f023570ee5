"""Finding, fetching and removing weights, and one process at a time at it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.waiting import HANG_SECONDS
from vidi.domain.errors import InvalidRequest, NotFound, Unavailable
from vidi.engines.base import EngineContext, ModelCard, ModelEntry
from vidi.engines.profile import Licence
from vidi.engines.weights import (
    Pull,
    PullPlan,
    PullRequest,
    exclusive,
    find_published,
    find_weights,
    remove_weights,
)

HERE = f"{__name__}"


def quiet(step: str, done: int, total: int) -> None:
    pass


def _context(cache: Path) -> EngineContext:
    return EngineContext(cache=cache, threads=1, progress=quiet)


@dataclass(frozen=True)
class _Pull:
    context: EngineContext
    request: PullRequest

    @property
    def plan(self) -> PullPlan:
        return PullPlan("near", "Near", "nowhere", (), Licence("MIT", ""), disk=0, free=0)

    def run(self) -> None:
        (self.context.cache / "fetched").write_text(self.request.source)


def fetch(context: EngineContext, request: PullRequest) -> Pull:
    return _Pull(context, request)


def remove(context: EngineContext, model: str) -> int:
    (context.cache / "fetched").unlink()
    return 3


def _entry() -> ModelEntry:
    card = ModelCard(id="near", display_name="near", description="")
    return ModelEntry(card, factory="", ready=True, fetcher=f"{HERE}:fetch", remover=f"{HERE}:remove")


def test_weights_are_fetched_and_removed_by_the_entrys_own_functions(tmp_path: Path) -> None:
    context, entries = _context(tmp_path), {"near": _entry()}
    pull = find_weights(entries, context, PullRequest("near", source="weights.bin"))
    assert not (tmp_path / "fetched").exists()
    pull.run()
    assert (tmp_path / "fetched").read_text() == "weights.bin"
    assert remove_weights(entries, context, "near") == 3
    assert not (tmp_path / "fetched").exists()
    find_published(entries["near"], context).run()
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


def test_a_missing_package_is_named_and_how_to_install_it(tmp_path: Path) -> None:
    entry = replace(_entry(), fetcher="package_that_is_not_here.weights:fetch")
    with pytest.raises(Unavailable, match=r"package_that_is_not_here.*pip install gguf"):
        find_published(entry, _context(tmp_path))


def test_who_does_not_want_to_wait_is_told_at_once(tmp_path: Path) -> None:
    with (
        exclusive(tmp_path / "lock", quiet),
        pytest.raises(BlockingIOError),
        exclusive(tmp_path / "lock", None),
    ):
        pass
    with exclusive(tmp_path / "lock", None):
        pass


def test_who_waits_says_so_and_comes_next(tmp_path: Path) -> None:
    order: list[str] = []
    waiting = threading.Event()

    def progress(step: str, done: int, total: int) -> None:
        assert step == "Waiting for another process"
        waiting.set()

    def second() -> None:
        with exclusive(tmp_path / "lock", progress):
            order.append("second")

    with exclusive(tmp_path / "lock", quiet):
        thread = threading.Thread(target=second)
        thread.start()
        assert waiting.wait(HANG_SECONDS)
        order.append("first")
    thread.join(HANG_SECONDS)
    assert order == ["first", "second"]


def test_a_lock_is_free_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), exclusive(tmp_path / "lock", None):
        raise ZeroDivisionError
    with exclusive(tmp_path / "lock", None):
        pass
