"""From wanting a model to having it."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.engines.llama.families import LIMITS, family, member
from tests.engines.llama.hub_server import COMMIT, Handler, Hub, serve
from tests.engines.llama.tiny import write_text, write_vision
from vidi.domain.errors import InvalidRequest, NotFound, Unavailable
from vidi.engines.base import EngineContext
from vidi.engines.llama import hub as client
from vidi.engines.llama import memory
from vidi.engines.llama import pull as pulling
from vidi.engines.llama.catalog import ResolvedModel
from vidi.engines.llama.gguf import check_pair
from vidi.engines.llama.pull import find_pull, other_ways
from vidi.engines.llama.store import find_pulled, pulled, unfinished_bytes
from vidi.engines.profile import Model, WeightsFile
from vidi.engines.weights import Pull, PullRequest, nearest_existing

TEXT, VISION = "text-Q4.gguf", "mmproj-F16.gguf"


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A text file and a vision file that fit."""
    folder = tmp_path / "pair"
    folder.mkdir()
    return write_text(folder / TEXT), write_vision(folder / VISION)


@pytest.fixture
def hub(pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """The hub that HF_ENDPOINT names."""
    with serve(Hub({path.name: path.read_bytes() for path in pair})) as running:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", running.address)
        template = running.address + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
        yield running


def quiet(step: str, done: int, total: int) -> None:
    pass


@pytest.fixture
def context(tmp_path: Path) -> EngineContext:
    return EngineContext(cache=tmp_path / "cache", threads=1, progress=quiet)


def _resolved(model: Model | None = None, own: Path | None = None) -> ResolvedModel:
    chosen = model or member()
    return ResolvedModel(replace(chosen, licence=family().licence), "tiny", own)


def _found(
    context: EngineContext, request: PullRequest | None = None, resolved: ResolvedModel | None = None
) -> Pull:
    return find_pull(context, request or PullRequest("tiny-1b"), resolved or _resolved())


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_model_from_the_hub(hub: Hub, context: EngineContext, pair: tuple[Path, Path]) -> None:
    found = _found(context)
    sizes = [path.stat().st_size for path in pair]
    assert found.plan.files == ((TEXT, sizes[0]), (VISION, sizes[1]))
    assert found.plan.disk == sum(sizes)
    assert found.plan.licence.limits == LIMITS
    assert found.plan.free > 0
    assert sum(sizes) < found.plan.memory < found.plan.machine
    assert hub.count("GET") == 0
    assert not context.cache.exists()
    found.run()
    (here,) = pulled(context.cache)
    assert here.text.read_bytes() == pair[0].read_bytes()
    assert here.vision.read_bytes() == pair[1].read_bytes()
    assert here.model.text == WeightsFile(TEXT, _digest(pair[0]), sizes[0])
    assert here.model.revision == COMMIT
    assert here.model.context == 512
    assert here.model.memory > sum(sizes)
    assert here.model.licence == found.plan.licence
    assert (here.family, here.profile) == ("tiny", None)
    assert "someone/tiny-GGUF" in here.origin


def test_what_is_here_is_not_fetched_again(hub: Hub, context: EngineContext) -> None:
    _found(context).run()
    before = hub.count("GET")
    again = _found(context)
    assert again.plan.disk == 0
    again.run()
    assert hub.count("GET") == before


def test_a_newer_file_on_the_hub_replaces_what_is_here(
    hub: Hub, context: EngineContext, tmp_path: Path
) -> None:
    _found(context).run()
    hub.files[TEXT] = write_text(tmp_path / "newer.gguf", seed=5).read_bytes()
    _found(context).run()
    (here,) = pulled(context.cache)
    assert here.text.read_bytes() == hub.files[TEXT]
    assert hub.count("GET") == 3


@pytest.mark.slow
def test_a_pull_that_breaks_off_counts_as_nothing_and_goes_on(hub: Hub, context: EngineContext) -> None:
    half = len(hub.files[TEXT]) // 2

    def break_off(handler: Handler) -> bool:
        if handler.command == "HEAD":
            return False
        return handler.content(TEXT, cut=half) if hub.count("GET") == 1 else handler.refuse(410)

    hub.behave = break_off
    with pytest.raises(Unavailable, match="goes on from here"):
        _found(context).run()
    assert pulled(context.cache) == ()
    assert unfinished_bytes(context.cache, "tiny-1b") == half
    hub.behave = lambda handler: False
    sent = hub.sent
    again = _found(context)
    total = sum(map(len, hub.files.values()))
    assert again.plan.disk == total - half
    again.run()
    assert hub.sent - sent == total - half
    assert len(pulled(context.cache)) == 1


def test_files_that_arrived_before_a_break_are_checked_and_kept(hub: Hub, context: EngineContext) -> None:
    hub.behave = lambda handler: handler.command == "GET" and VISION in handler.path and handler.refuse(410)
    with pytest.raises(Unavailable):
        _found(context).run()
    (folder,) = (context.cache / "models").glob(".*.pulling")
    assert (folder / "text.gguf").read_bytes() == hub.files[TEXT]
    hub.behave = lambda handler: False
    fetched = hub.count("GET")
    _found(context).run()
    assert hub.count("GET") == fetched + 1


def test_what_the_hubs_own_programs_have_fetched_is_linked_if_it_is_whole(
    hub: Hub, context: EngineContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "hub" / "models--someone--tiny-GGUF"
    for name, content in ((TEXT, hub.files[TEXT]), (VISION, b"damaged")):
        blob = home / "blobs" / hashlib.sha256(hub.files[name]).hexdigest()
        blob.parent.mkdir(parents=True, exist_ok=True)
        blob.write_bytes(content)
        link = home / "snapshots" / COMMIT / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(blob)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    _found(context).run()
    (here,) = pulled(context.cache)
    assert here.text.stat().st_nlink == 2
    assert here.vision.read_bytes() == hub.files[VISION]
    assert [VISION in asked[1] for asked in hub.asked if asked[0] == "GET"] == [True]


def test_rubble_of_another_file_is_cleared_away(hub: Hub, context: EngineContext) -> None:
    folder = context.cache / "models" / ".tiny-1b.pulling"
    folder.mkdir(parents=True)
    (folder / "text.gguf.0123456789abcdef.part").write_bytes(b"older")
    (folder / "text.gguf").write_bytes(b"from elsewhere")
    _found(context).run()
    (here,) = pulled(context.cache)
    assert here.text.read_bytes() == hub.files[TEXT]
    assert len(list(here.folder.iterdir())) == 3


def test_a_profile_that_knows_the_digest_is_believed_more_than_the_hub(
    hub: Hub, context: EngineContext
) -> None:
    model = member(text=WeightsFile(TEXT, "0" * 64))
    with pytest.raises(Unavailable, match="not the file that this profile knows"):
        _found(context, resolved=_resolved(model))
    hub.lfs = False
    with pytest.raises(Unavailable, match="SHA-256 differs"):
        _found(context, resolved=_resolved(model)).run()
    assert pulled(context.cache) == ()


def test_a_model_that_cannot_see_is_not_pulled(hub: Hub, context: EngineContext) -> None:
    hub.files[VISION] = hub.files[TEXT]
    with pytest.raises(InvalidRequest, match=r"mmproj-F16\.gguf is a language model"):
        _found(context).run()
    assert pulled(context.cache) == ()


def test_without_a_hub_three_ways_are_told(context: EngineContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(Unavailable) as caught:
        _found(context)
    assert "HF_HUB_OFFLINE" in caught.value.message
    assert other_ways(member()) in caught.value.message
    for way in (
        "vidi pull tiny-1b --from text-Q4.gguf --mmproj mmproj-F16.gguf",
        "--from ollama:NAME:TAG",
        "--from lmstudio:OWNER/NAME",
    ):
        assert way in caught.value.message


def test_a_disk_without_room_is_an_obstacle_with_figures(
    hub: Hub, context: EngineContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulling, "free_bytes", lambda folder: 200_000_000)
    found = _found(context)
    assert "0.20 GB are free. Free 0.07 GB" in found.plan.blocker
    with pytest.raises(Unavailable, match="VIDI_CACHE_DIR"):
        found.run()
    assert hub.count("GET") == 0


def test_a_machine_without_memory_is_an_obstacle_that_can_be_overruled(
    hub: Hub, context: EngineContext, pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulling, "machine_memory", lambda: 100_000_000)
    for request in (PullRequest("tiny-1b"), PullRequest("tiny-1b", source=str(pair[0]))):
        found = _found(context, request)
        assert "this machine has 0.10 GB" in found.plan.blocker
        with pytest.raises(Unavailable, match="--anyway"):
            found.run()
        assert _found(context, replace(request, force=True)).plan.blocker == ""
    _found(context, PullRequest("tiny-1b", force=True)).run()
    assert len(pulled(context.cache)) == 1


def test_what_the_profile_says_of_memory_counts(hub: Hub, context: EngineContext) -> None:
    found = _found(context, resolved=_resolved(member(memory=10**15)))
    assert found.plan.memory == 10**15
    assert "1000000.00 GB" in found.plan.blocker


def test_a_disk_that_fills_up_meanwhile_is_said_and_gone_on_with(
    hub: Hub, context: EngineContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> str:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(client, "download", full)
        with pytest.raises(Unavailable, match="disk of the cache directory is full"):
            _found(context).run()
    assert pulled(context.cache) == ()
    _found(context).run()
    assert len(pulled(context.cache)) == 1


def test_a_cache_that_is_no_folder_is_said(hub: Hub, context: EngineContext) -> None:
    context.cache.write_text("a file")
    with pytest.raises(Unavailable, match="VIDI_CACHE_DIR"):
        _found(context).run()


def test_a_pair_of_files(context: EngineContext, pair: tuple[Path, Path]) -> None:
    text, vision = pair
    found = _found(context, PullRequest("tiny-1b", source=str(text), vision=vision))
    assert found.plan.disk == text.stat().st_size + vision.stat().st_size
    found.run()
    (here,) = pulled(context.cache)
    assert here.text.read_bytes() == text.read_bytes()
    assert here.model.text == WeightsFile(TEXT, _digest(text), text.stat().st_size)
    assert here.model.revision == ""
    assert str(text.parent) in here.origin
    assert here.model.memory == memory.memory_needed(check_pair(text, vision), 512, 3)


def test_a_pair_that_does_not_fit_is_refused_before_anything_is_copied(
    context: EngineContext, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    other = write_vision(tmp_path / "other.gguf", width=96)
    with pytest.raises(InvalidRequest, match="belongs to another model"):
        _found(context, PullRequest("tiny-1b", source=str(pair[0]), vision=other))
    assert not context.cache.exists()
    with pytest.raises(InvalidRequest, match="name that one with --from"):
        _found(context, PullRequest("tiny-1b", vision=other))


def test_a_file_that_may_not_be_read_is_said(
    context: EngineContext, pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, *_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InvalidRequest, match=r"text-Q4\.gguf cannot be read: Permission denied"):
        _found(context, PullRequest("tiny-1b", source=str(pair[0])))


def test_a_copy_of_a_published_file_must_be_that_file(
    context: EngineContext, pair: tuple[Path, Path]
) -> None:
    resolved = _resolved(member(text=WeightsFile(f"folder/{TEXT}", "0" * 64)))
    with pytest.raises(InvalidRequest, match=r"text-Q4\.gguf is damaged: its SHA-256"):
        _found(context, PullRequest("tiny-1b", source=str(pair[0])), resolved).run()
    assert pulled(context.cache) == ()
    # Under another name it is another quantisation, and the user's own decision.
    other = pair[0].rename(pair[0].with_name("text-Q8.gguf"))
    _found(context, PullRequest("tiny-1b", source=str(other)), resolved).run()
    assert len(pulled(context.cache)) == 1


def test_files_beside_a_profile_of_the_users_own(context: EngineContext, pair: tuple[Path, Path]) -> None:
    own = pair[0].with_name("mine.toml")
    own.write_text("family = 'mine'")
    resolved = _resolved(member("mine", repository=""), own)
    _found(context, PullRequest(str(own)), resolved).run()
    here = find_pulled(context.cache, "mine")
    assert here is not None
    assert here.profile is not None
    assert here.profile.read_text() == "family = 'mine'"
    pair[1].unlink()
    with pytest.raises(NotFound, match=VISION):
        _found(context, PullRequest(str(own)), resolved)


def test_what_ollama_has_is_linked_and_checked(
    context: EngineContext, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    home = tmp_path / "ollama"
    layers = []
    for path, kind in zip(pair, ("model", "projector"), strict=True):
        blob = home / "blobs" / f"sha256-{_digest(path)}"
        blob.parent.mkdir(parents=True, exist_ok=True)
        blob.write_bytes(path.read_bytes())
        layers.append(
            {"mediaType": f"application/vnd.ollama.image.{kind}", "digest": f"sha256:{_digest(path)}"}
        )
    manifest = home / "manifests" / "registry.ollama.ai" / "library" / "tiny" / "1b"
    manifest.parent.mkdir(parents=True)
    manifest.write_text(json.dumps({"layers": layers}))
    found = _found(context, PullRequest("tiny-1b", source="ollama:tiny:1b", ollama=(home,)))
    assert found.plan.disk == 0
    found.run()
    (here,) = pulled(context.cache)
    assert here.text.stat().st_nlink == 2
    blob = home / "blobs" / f"sha256-{_digest(pair[0])}"
    blob.write_bytes(blob.read_bytes()[:-1] + b"?")
    with pytest.raises(InvalidRequest, match="is damaged"):
        _found(context, PullRequest("tiny-1b", source="ollama:tiny:1b", ollama=(home,))).run()


def test_the_disk_is_asked_at_the_cache(context: EngineContext) -> None:
    assert nearest_existing(context.cache) == context.cache.parent
