"""A model's weights: what a pull takes, who can fetch it, and how it is found and removed."""

from __future__ import annotations

import difflib
import fcntl
import shutil
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from pkgutil import resolve_name
from typing import Protocol

from vidi.domain.errors import InvalidRequest, NotFound, Unavailable
from vidi.engines.base import EngineContext, ModelEntry, Progress
from vidi.engines.profile import Licence

WEIGHTS_GROUP = "vidi.weights"
"""The entry point group of WeightsProviders, for models of the user's own."""

INSTALL_LLAMA = (
    "Open models need three packages beside Vidi: `pip install gguf huggingface-hub xllamacpp`, or "
    "`make llama` in a checkout."
)
"""How to get what the extra `llama` holds: Vidi itself is on no index."""

_LOOK_AGAIN_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class PullRequest:
    """Weights that somebody asks for.

    Attributes:
        model: A model's id, or a file that describes one.
        source: Where to take them from: a file, or `ollama:NAME:TAG` or `lmstudio:OWNER/NAME` for what
            another program has fetched; "" takes them from where they are published.
        vision: The file of the vision encoder ("mmproj"), where that is one of its own.
        profile: The family, or a file that describes it, of a model that is not known; "" if it is known.
        force: Whether to take a model that this machine has too little memory for.
        ollama: Where Ollama keeps models, the first one first.
        lm_studio: Where LM Studio keeps models, the first one first.
    """

    model: str
    source: str = ""
    vision: Path | None = None
    profile: str = ""
    force: bool = False
    ollama: tuple[Path, ...] = ()
    lm_studio: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class PullPlan:
    """What weights are and what they take, for a person to agree to.

    Attributes:
        model: The id under which the model will be asked.
        title: Its name for people.
        origin: Where the weights come from, in words.
        files: Name and size in bytes of each file; size 0 is unknown.
        licence: What they may be used for.
        disk: Bytes that are still to be written.
        free: Bytes that are free on that disk.
        memory: Bytes of memory that the model needs to run; 0 if unknown.
        machine: Bytes of memory that this machine has; 0 if unknown.
        blocker: Why it cannot be done here, with figures and what to change; "" if it can.
    """

    model: str
    title: str
    origin: str
    files: tuple[tuple[str, int], ...]
    licence: Licence
    disk: int
    free: int
    memory: int = 0
    machine: int = 0
    blocker: str = ""


class Pull(Protocol):
    """Weights that were found, and can be fetched."""

    @property
    def plan(self) -> PullPlan:
        """What they are and what they take."""
        ...

    def run(self) -> None:
        """Put them on the disk. Whatever interrupts this, the next one goes on from there.

        With a blocker in the plan, refuse.

        Raises:
            VidiError: They cannot be fetched, or are not what they should be; says what to do.
        """
        ...


class WeightsProvider(Protocol):
    """Weights of models that no adapter lists yet, as those in files of the user's own.

    What the entry points of the group `vidi.weights` point to: an object, or a module with these functions.
    """

    def import_model(self, context: EngineContext, request: PullRequest) -> Pull | None:
        """Find a model's weights, without moving them yet; None if it is no model of this kind.

        Raises:
            VidiError: They cannot be fetched; says what to do.
        """
        ...

    def remove(self, context: EngineContext, model: str) -> int:
        """Delete the weights of a model, or what an unfinished pull has left; say how many bytes that freed.

        Raises:
            NotFound: There are none.
            FailedPrecondition: They are just being fetched.
        """
        ...


WeightsFetcher = Callable[[EngineContext, PullRequest], Pull]
"""Finds a model's weights, without moving them yet. Raises VidiError when they cannot be fetched."""

WeightsRemover = Callable[[EngineContext, str], int]
"""Deletes a model's weights by its id and says how many bytes that freed; NotFound if there are none."""


def find_weights(entries: Mapping[str, ModelEntry], context: EngineContext, request: PullRequest) -> Pull:
    """The weights that somebody asks for, found but not moved yet.

    Args:
        entries: Every known model by id.
        context: Says where the cache is, and is told the progress.
        request: A known model, or one that an adapter can take in.

    Raises:
        NotFound: Nobody knows the model.
        InvalidRequest: The model has no weights to fetch, or what was named is not weights of it.
        Unavailable: They cannot be fetched; says what to do.
    """
    entry = entries.get(request.model)
    if entry is not None:
        return find_published(entry, context, request)
    for provider in _providers():
        pull = provider.import_model(context, request)
        if pull is not None:
            return pull
    raise unknown_model(request.model, entries)


def find_published(entry: ModelEntry, context: EngineContext, request: PullRequest | None = None) -> Pull:
    """Like `find_weights`, for an entry at hand; without a request from where its weights are published."""
    if not entry.fetcher:
        raise InvalidRequest(f"{entry.card.id} needs no weights; it is ready.")
    with missing_packages_named():
        fetcher: WeightsFetcher = resolve_name(entry.fetcher)
    return fetcher(context, request or PullRequest(entry.card.id))


def remove_weights(entries: Mapping[str, ModelEntry], context: EngineContext, model: str) -> int:
    """Delete a model's weights, and say how many bytes that freed.

    Args:
        entries: Every known model by id.
        context: Says where the cache is.
        model: A known model, or one of which a pull began.

    Raises:
        InvalidRequest: The model has none that could be removed.
        NotFound: They are not on the disk, or nobody knows the model.
        FailedPrecondition: They are just being fetched.
    """
    entry = entries.get(model)
    if entry is None:
        for provider in _providers():
            with suppress(NotFound):
                return provider.remove(context, model)
        raise unknown_model(model, entries)
    if not entry.remover:
        raise InvalidRequest(f"{entry.card.id} is built in; it has no weights to remove.")
    with missing_packages_named():
        remover: WeightsRemover = resolve_name(entry.remover)
    return remover(context, model)


def _providers() -> Iterator[WeightsProvider]:
    for point in entry_points(group=WEIGHTS_GROUP):
        with missing_packages_named():
            provider: WeightsProvider = point.load()
        yield provider


def unknown_model(model: str, entries: Mapping[str, ModelEntry]) -> NotFound:
    """The error for a name that nobody knows."""
    near = difflib.get_close_matches(model, entries, n=3)
    if near:
        return NotFound(f"There is no model {model!r}. Did you mean {' or '.join(near)}?")
    return NotFound(f"There is no model {model!r}. Known models: {', '.join(entries) or 'none'}.")


@contextmanager
def missing_packages_named() -> Generator[None, None, None]:
    """Turn a missing package, met when an adapter is imported, into a sentence."""
    try:
        yield
    except ModuleNotFoundError as missing:
        raise Unavailable(
            f"That needs the Python package {missing.name}, which is not installed. {INSTALL_LLAMA}"
        ) from missing


@contextmanager
def exclusive(lock: Path, progress: Progress | None) -> Generator[None, None, None]:
    """Hold the lock in a file while the block runs; the system frees it even if its holder dies.

    Args:
        lock: The file; made if it is not there, and left there: it says nothing by itself.
        progress: Told that another process is waited for; None waits for nobody.

    Raises:
        BlockingIOError: Another process holds it and `progress` is None.
        OSError: The file cannot be made.
    """
    with lock.open("wb") as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if progress is None:
                    raise
                progress("Waiting for another process", 0, 0)
                time.sleep(_LOOK_AGAIN_SECONDS)
        yield


def free_bytes(folder: Path) -> int:
    """Bytes that are free where a folder is, or will be."""
    return shutil.disk_usage(nearest_existing(folder)).free


def nearest_existing(folder: Path) -> Path:
    """The folder, or the nearest one above that exists."""
    return next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
