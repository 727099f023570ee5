"""The models on this disk: one folder each, which appears whole or not at all.

    <cache>/models/gemma-4-e2b/manifest.json   what it is, where it came from, digests and sizes
                               text.gguf       the language model
                               vision.gguf     the vision encoder and projector
                               profile.toml    only where the user brought a profile of their own
    <cache>/models/.gemma-4-e2b.pulling/       a pull that has not ended; the next one goes on here

A folder gets its name by one rename, after everything in it was checked and is on the disk. Names in a
profile or on a hub choose no path here.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from vidi.domain.errors import FailedPrecondition, InvalidRequest, NotFound
from vidi.engines.base import Progress
from vidi.engines.profile import Licence, Model, WeightsFile
from vidi.engines.weights import exclusive

TEXT, VISION, PROFILE = "text.gguf", "vision.gguf", "profile.toml"
_MANIFEST = "manifest.json"
_FORMAT = 1
_LARGEST_MANIFEST = 65_536

_ID = re.compile(r"(?!gemini-|profiles\Z)[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)
"""A Gemini name always means the default model; `profiles` is the folder of the user's own profiles."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pulled:
    """A model on this disk.

    Attributes:
        model: What was pulled: digests and sizes are those of the files here, `revision` is the hub's commit
            ("" for local files), and `licence` is never None.
        family: The profile that it goes by.
        origin: Where it came from, in words.
        pulled_at: When, in UTC.
        folder: Where it lies.
        own_profile: Whether the profile is the user's own; a copy lies beside the files.
    """

    model: Model
    family: str
    origin: str
    pulled_at: datetime
    folder: Path
    own_profile: bool = False

    @property
    def text(self) -> Path:
        """The language model's file."""
        return self.folder / TEXT

    @property
    def vision(self) -> Path:
        """The vision encoder's file."""
        return self.folder / VISION

    @property
    def profile(self) -> Path | None:
        """The copy of the user's own profile; None where the family is a built-in one."""
        return self.folder / PROFILE if self.own_profile else None


def checked_id(model: str) -> str:
    """The id of a model, if it can be one.

    Raises:
        InvalidRequest: It holds other characters than letters, digits, `.`, `_` and `-`, or is a Gemini name.
    """
    if _ID.fullmatch(model) is None:
        raise InvalidRequest(
            f"{model[:100]!r} cannot be a model's name: use letters, digits, '.', '_' and '-', begin with a "
            "letter or digit, and not with gemini- (that means the default model); 'profiles' is taken too."
        )
    return model


def pulled(cache: Path) -> tuple[Pulled, ...]:
    """Every model in a cache directory, by id. Reads manifests and sizes only, no weights.

    A folder that is not as it was left is passed over with a warning, so that it costs no other model.
    """
    found: list[Pulled] = []
    for manifest in sorted(_home(cache).glob(f"[!.]*/{_MANIFEST}")):
        try:
            found.append(_read(manifest.parent))
        except (OSError, ValueError, RecursionError) as problem:
            _log.warning(
                "%s is passed over: %s. Pull %s again, or delete the folder.",
                manifest.parent,
                problem,
                manifest.parent.name,
            )
    return tuple(found)


def find_pulled(cache: Path, model: str) -> Pulled | None:
    """One model of a cache directory; None if it is not there or not whole.

    Raises:
        InvalidRequest: That cannot be a model's name.
    """
    try:
        return _read(_home(cache) / checked_id(model))
    except (OSError, ValueError, RecursionError):
        return None


@contextmanager
def pulling(cache: Path, model: str, progress: Progress) -> Generator[Path, None, None]:
    """A folder to gather a model's files in, which outlives the block unless they are published.

    One process at a time gathers a model; others wait.

    Raises:
        OSError: It cannot be made.
    """
    home = _home(cache)
    home.mkdir(parents=True, exist_ok=True)
    with exclusive(home / f".{checked_id(model)}.lock", progress):
        _recover(home, model)
        folder = _unfinished(cache, model)
        folder.mkdir(exist_ok=True)
        yield folder


def unfinished_bytes(cache: Path, model: str) -> int:
    """How much an earlier pull that did not end has left to go on from."""
    return _size_of(_unfinished(cache, model))


def publish(gathered: Pulled, profile: bytes | None) -> Pulled:
    """Turn a folder of checked files into a model: on the disk first, by its name second.

    Args:
        gathered: What it is; its `folder` is the one that `pulling` gave.
        profile: The user's own profile, if it goes by one.

    Raises:
        OSError: It cannot be written.
    """
    staging = gathered.folder
    for stray in staging.iterdir():  # What an earlier pull of other files left.
        if stray.name not in (TEXT, VISION):
            stray.unlink()
    if profile is not None:
        (staging / PROFILE).write_bytes(profile)
    ready = replace(
        gathered,
        folder=staging.with_name(gathered.model.id),
        own_profile=profile is not None,
    )
    (staging / _MANIFEST).write_text(_manifest(ready), "utf-8")
    # Contents before names: after a power cut a folder with the model's name must hold the model's bytes.
    for file in (*staging.iterdir(), staging):
        _fsync(file)
    # A folder cannot be renamed over one that is not empty. Killed between these two, `_recover` brings
    # the old one back; killed after them, it deletes it.
    if ready.folder.exists():
        ready.folder.rename(_replaced(staging.parent, ready.model.id))
    staging.rename(ready.folder)
    _fsync(staging.parent)
    _recover(staging.parent, ready.model.id)
    return ready


def remove(cache: Path, model: str) -> int:
    """Delete a model and what an unfinished pull of it has left; a server that runs it keeps running.

    Returns:
        How many bytes that freed.

    Raises:
        NotFound: There is nothing of that model.
        FailedPrecondition: It is being pulled.
        OSError: It cannot be deleted.
    """
    home, folder, unfinished = _home(cache), _home(cache) / checked_id(model), _unfinished(cache, model)
    if not folder.exists() and not unfinished.exists():
        raise NotFound(f"{model} is not on this disk; `vidi models` lists what is.")
    try:
        with exclusive(home / f".{model}.lock", None):
            _recover(home, model)
            freed = _size_of(folder) + _size_of(unfinished)
            if folder.exists():
                # By one rename, so that no reader meets a model of which half is gone.
                folder.rename(_replaced(home, model))
            shutil.rmtree(_replaced(home, model), ignore_errors=True)
            shutil.rmtree(unfinished, ignore_errors=True)
    except BlockingIOError:
        raise FailedPrecondition(
            f"{model} is being pulled by another process; stop that one first."
        ) from None
    return freed


def _home(cache: Path) -> Path:
    return cache / "models"


def _unfinished(cache: Path, model: str) -> Path:
    return _home(cache) / f".{model}.pulling"


def _replaced(home: Path, model: str) -> Path:
    """Where a model's old files are for the moment in which new ones take their place."""
    return home / f".{model}.old"


def _recover(home: Path, model: str) -> None:
    """End what a killed process began: an old model without a successor comes back, another one goes."""
    old, folder = _replaced(home, model), home / model
    if old.exists() and not folder.exists():
        old.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _size_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.glob("*") if file.is_file())


def _fsync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _manifest(record: Pulled) -> str:
    return json.dumps(
        {
            "format": _FORMAT,
            "family": record.family,
            "origin": record.origin,
            "pulled_at": record.pulled_at.isoformat(),
            "own_profile": record.own_profile,
            "model": asdict(record.model),
        },
        ensure_ascii=False,
        indent=2,
    )


def _read(folder: Path) -> Pulled:
    """The model in a folder.

    Raises:
        OSError: A file is missing or cannot be read.
        ValueError: The manifest is none, or the files are not those that it tells of.
    """
    with (folder / _MANIFEST).open("rb") as file:
        match json.loads(file.read(_LARGEST_MANIFEST)):
            case {
                "format": 1,
                "family": str(family),
                "origin": str(origin),
                "pulled_at": str(when),
                "own_profile": bool(own),
                "model": {"id": str(name)} as fields,
            } if name == folder.name:
                model = _model(fields)
                record = Pulled(model, family, origin, datetime.fromisoformat(when), folder, own)
            case _:
                raise ValueError("its manifest is not one of this version, or of another model")
    for path, expected in ((record.text, model.text), (record.vision, model.vision)):
        if path.stat().st_size != expected.size:
            raise ValueError(f"{path.name} is not as long as it was")
    if record.profile is not None and not record.profile.is_file():
        raise ValueError(f"{PROFILE} is missing")
    return record


def _model(fields: Mapping[str, object]) -> Model:
    match fields:
        case {
            "id": str(name),
            "display_name": str(display_name),
            "repository": str(repository),
            "revision": str(revision),
            "memory": int(memory),
            "context": int(context),
            "slots": int(slots),
            "rank": int(rank),
            "text": {"name": str(text), "sha256": str(text_digest), "size": int(text_size)},
            "vision": {"name": str(vision), "sha256": str(vision_digest), "size": int(vision_size)},
            "licence": {"name": str(licence), "url": str(url), "limits": str(limits)},
        }:
            return Model(
                id=name,
                display_name=display_name,
                repository=repository,
                revision=revision,
                text=WeightsFile(text, text_digest, text_size),
                vision=WeightsFile(vision, vision_digest, vision_size),
                memory=memory,
                context=context,
                slots=slots,
                rank=rank,
                licence=Licence(licence, url, limits),
                parameters=_number(fields.get("parameters")),
                active=_number(fields.get("active")),
            )
    raise ValueError("its manifest lacks something of the model")


def _number(value: object) -> float:
    """A number; 0 where an older version wrote none."""
    return value if isinstance(value, int | float) else 0.0


def now() -> datetime:
    """The time for `Pulled.pulled_at`: UTC, to the second."""
    return datetime.now(UTC).replace(microsecond=0)


_CHUNK = 1 << 20


def sha256_of(path: Path, progress: Progress, step: str) -> str:
    """A file's SHA-256 in hex; `progress` is told of the bytes that were read as of `step`.

    Raises:
        OSError: It cannot be read.
    """
    digest, done, size = hashlib.sha256(), 0, path.stat().st_size
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            done += len(chunk)
            progress(step, done, size)
    return digest.hexdigest()
