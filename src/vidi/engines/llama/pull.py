"""Pulling a model's two files from the hub or from this machine.

What that takes is told before anything moves, and the model counts as pulled once everything was checked.
`fetch`, `import_model` and `remove` are what `engines/weights.py` calls.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from vidi.domain.errors import InvalidRequest, Unavailable
from vidi.engines.base import EngineContext
from vidi.engines.llama import hub, store
from vidi.engines.llama.catalog import (
    WORKING,
    HubRepository,
    ResolvedModel,
    family_of,
    repository_named,
    resolve_model,
)
from vidi.engines.llama.gguf import check_pair
from vidi.engines.llama.hub import NoHub, RemoteFile
from vidi.engines.llama.memory import memory_needed
from vidi.engines.llama.sources import (
    LocalFile,
    LocalPair,
    copied_bytes,
    find_local,
    link_or_copy,
    pair_of,
)
from vidi.engines.llama.store import (
    TEXT,
    VISION,
    Pulled,
    find_pulled,
    now,
    publish,
    pulling,
    sha256_of,
    unfinished_bytes,
)
from vidi.engines.machine import machine_memory
from vidi.engines.profile import Model, Profile, WeightsFile
from vidi.engines.profile_files import ProfileError, load_profile, load_profiles, profiles_folder
from vidi.engines.weights import Pull, PullPlan, PullRequest, free_bytes, nearest_existing

_SPARE = 256 << 20
"""Bytes that stay free on the disk, so that the machine goes on working."""


def fetch(context: EngineContext, request: PullRequest) -> Pull:
    """The weights of a known model.

    Raises:
        VidiError: They cannot be fetched; says what to do.
    """
    pull = import_model(context, request)
    if pull is None:
        raise InvalidRequest(
            f"{request.model} is on this disk, and nobody says where else it is. To replace it, name its "
            f"files: vidi pull {request.model} --from FILE --mmproj FILE --profile FAMILY"
        )
    return pull


def import_model(context: EngineContext, request: PullRequest) -> Pull | None:
    """The weights of any model of a family; None if the name says nothing and no files are given.

    Raises:
        VidiError: They cannot be fetched; says what to do.
    """
    repository = repository_named(request.model)
    if repository is not None:
        return find_pull(context, request, _on_the_hub(request, repository))
    if not request.profile:
        own = _own_profile(context.cache, request.model)
        request = replace(request, profile=str(own)) if own else request
    resolved = resolve_model(request, load_profiles(), load_profile)
    return find_pull(context, request, resolved) if resolved else None


def _on_the_hub(request: PullRequest, repository: HubRepository) -> ResolvedModel:
    """The model in a repository, by the profile that is named or that the repository's name suggests."""
    if request.source:
        raise InvalidRequest(f"Take {request.model} from the hub, or name the files' own id with --from.")
    own = Path(request.profile) if request.profile.endswith(".toml") else None
    profiles = load_profiles()
    if own is not None:
        profile: Profile | None = load_profile(own)
    elif request.profile:
        profile = next((each for each in profiles if each.family == request.profile), None)
    else:
        profile = family_of(repository.name, profiles)
    if profile is None or profile.unserved or not profile.models:
        families = ", ".join(each.family for each in profiles if each.models)
        raise InvalidRequest(
            f"Say with --profile which family {repository.name} belongs to, or give a profile of your own. "
            f"Families: {families}."
        )
    model = repository.model(hub.file_names(repository.name), profile)
    licence = model.licence or profile.licence
    if model not in profile.models:
        limits = "Its family's licence; read the repository's own card, which may say another."
        licence = replace(licence, limits=licence.limits or limits)
    return ResolvedModel(replace(model, licence=licence), profile.family, own)


def _own_profile(cache: Path, model: str) -> Path | None:
    """The user's profile that tells of a model: in their folder, or kept beside files that were pulled."""
    for path in sorted(profiles_folder(cache).glob("*.toml")):
        try:
            profile = load_profile(path)
        except ProfileError:
            continue  # Whoever lists models is told of it.
        if any(each.id == model for each in profile.models):
            return path
    here = next((record for record in store.pulled(cache) if record.model.id == model), None)
    return here.profile if here else None


def remove(context: EngineContext, model: str) -> int:
    """Delete a model and what an unfinished pull has left of it; says how many bytes that freed.

    Raises:
        NotFound: There is nothing of it.
        FailedPrecondition: It is just being pulled.
    """
    return store.remove(context.cache, model)


def find_pull(context: EngineContext, request: PullRequest, resolved: ResolvedModel) -> Pull:
    """Find a model's files, on this machine or on the hub, and say what pulling them takes.

    Raises:
        VidiError: They cannot be fetched, do not fit each other, or do not fit this machine; says what to do.
    """
    model = resolved.model
    if request.vision is not None and not request.source:
        raise InvalidRequest(
            "--mmproj names the vision file of a model in a file: name that one with --from."
        )
    if request.source or not model.repository:
        with _reading_errors():
            return _local(context, request, resolved)
    try:
        text = hub.locate(model.repository, model.text.name, model.revision)
        vision = hub.locate(model.repository, model.vision.name, text.commit)
    except NoHub as error:
        raise Unavailable(f"{error.message}\n{other_ways(model)}") from error
    for expected, remote in ((model.text, text), (model.vision, vision)):
        if expected.sha256 and remote.sha256 not in ("", expected.sha256):
            raise Unavailable(
                f"{remote.name} in {model.repository} is not the file that this profile knows: the hub's "
                f"SHA-256 is {remote.sha256}. A newer Vidi may know it; or write a profile of your own."
            )
    return _HubPull(context, resolved, request.force, (text, vision))


def other_ways(model: Model) -> str:
    """How to come by a model without the hub."""
    text, vision = Path(model.text.name).name, Path(model.vision.name).name
    return (
        "Without the hub there are three ways:\n"
        f"  - On another machine, fetch {model.text.name} and {model.vision.name} from the repository\n"
        f"    {model.repository} (revision {model.revision}), bring both files here, and run\n"
        f"      vidi pull {model.id} --from {text} --mmproj {vision}\n"
        "  - If Ollama has the model here (`ollama list`):\n"
        f"      vidi pull {model.id} --from ollama:NAME:TAG\n"
        "  - If LM Studio has it here:\n"
        f"      vidi pull {model.id} --from lmstudio:OWNER/NAME"
    )


@dataclass(frozen=True, slots=True)
class _HubPull:
    """A model whose files are on the hub."""

    context: EngineContext
    resolved: ResolvedModel
    force: bool
    files: tuple[RemoteFile, RemoteFile]

    @property
    def plan(self) -> PullPlan:
        cache, model = self.context.cache, self.resolved.model
        size = sum(file.size for file in self.files)
        left = 0 if self._is_here() else max(size - unfinished_bytes(cache, model.id), 0)
        plan = PullPlan(
            model=model.id,
            title=model.display_name,
            origin=f"{model.repository} on the hub, commit {self.files[0].commit[:12]}",
            files=tuple((file.name, file.size) for file in self.files),
            licence=self.resolved.licence,
            disk=left,
            free=free_bytes(cache),
            memory=max(model.memory, size + WORKING),
            machine=machine_memory(),
        )
        return _with_blocker(plan, self.force)

    def run(self) -> None:
        cache, model, progress = self.context.cache, self.resolved.model, self.context.progress
        _refuse_blocked(self.plan)
        with _disk_errors(cache), pulling(cache, model.id, progress) as folder:
            if self._is_here():
                return
            text, vision = self.files
            here = find_pulled(cache, model.id)
            if here is not None:
                _reuse(here.text, here.model.text, text, folder / TEXT)
                _reuse(here.vision, here.model.vision, vision, folder / VISION)
            files = (self._fetch(text, folder / TEXT), self._fetch(vision, folder / VISION))
            _finish(_with_files(self.resolved, files, text.commit), folder, self.plan)

    def _is_here(self) -> bool:
        here = find_pulled(self.context.cache, self.resolved.model.id)
        if here is None:
            return False
        digests = (here.model.text.sha256, here.model.vision.sha256)
        return digests == tuple(file.sha256 for file in self.files)

    def _fetch(self, remote: RemoteFile, target: Path) -> WeightsFile:
        """One file, unless it is on this disk already; what an older pull left of another one makes room."""
        progress = self.context.progress
        expected = remote.sha256 or _expected_digest(self.resolved.model, remote.name)
        part = target.with_name(f"{target.name}.{(expected or remote.commit)[:16]}.part")
        for stray in target.parent.glob(f"{target.name}.*.part"):
            if stray != part:
                stray.unlink()
        cached = hub.in_cache(remote)
        if cached is not None and expected and not target.exists():
            link_or_copy(LocalFile(cached, Path(remote.name).name, immutable=True), target, progress)
        if target.exists():
            digest = sha256_of(target, progress, f"Checking {Path(remote.name).name}")
            if digest == expected:
                return WeightsFile(remote.name, digest, remote.size)
            target.unlink()
        digest = hub.download(replace(remote, sha256=expected), part, progress)
        part.replace(target)
        return WeightsFile(remote.name, digest, remote.size)


@dataclass(frozen=True, slots=True)
class _LocalPull:
    """A model whose files are on this machine."""

    context: EngineContext
    resolved: ResolvedModel
    pair: LocalPair
    plan: PullPlan

    def run(self) -> None:
        _refuse_blocked(self.plan)
        cache = self.context.cache
        with _disk_errors(cache), pulling(cache, self.resolved.model.id, self.context.progress) as folder:
            files = (
                self._bring(self.pair.text, folder / TEXT),
                self._bring(self.pair.vision, folder / VISION),
            )
            _finish(_with_files(self.resolved, files, ""), folder, self.plan)

    def _bring(self, file: LocalFile, target: Path) -> WeightsFile:
        link_or_copy(file, target, self.context.progress)
        digest = sha256_of(target, self.context.progress, f"Checking {file.name}")
        expected = file.sha256 or _expected_digest(self.resolved.model, file.name)
        if expected not in ("", digest):
            target.unlink()
            raise InvalidRequest(
                f"{file.name} is damaged: its SHA-256 is {digest} and must be {expected}. Fetch it again."
            )
        return WeightsFile(file.name, digest, target.stat().st_size)


def _local(context: EngineContext, request: PullRequest, resolved: ResolvedModel) -> Pull:
    """A pair on this machine, checked before it is copied."""
    model, home = resolved.model, nearest_existing(context.cache)
    if request.source:
        pair = find_local(request)
    else:
        folder = resolved.own.parent if resolved.own else Path()
        pair = pair_of(folder / model.text.name, folder / model.vision.name, str(folder.resolve()))
    headers = check_pair(pair.text.path, pair.vision.path, (pair.text.name, pair.vision.name))
    files = (pair.text, pair.vision)
    plan = PullPlan(
        model=model.id,
        title=model.display_name,
        origin=pair.origin,
        files=tuple((file.name, file.path.stat().st_size) for file in files),
        licence=resolved.licence,
        disk=sum(copied_bytes(file, home) for file in files),
        free=free_bytes(home),
        memory=max(model.memory, memory_needed(headers, model.context, model.slots)),
        machine=machine_memory(),
    )
    return _LocalPull(context, resolved, pair, _with_blocker(plan, request.force))


def _reuse(path: Path, kept: WeightsFile, remote: RemoteFile, target: Path) -> None:
    """Take over a file of the model that is about to be replaced, where the new one has the same."""
    if remote.sha256 and remote.sha256 == kept.sha256 and not target.exists():
        with suppress(OSError):  # A file system without links: it is fetched again.
            os.link(path, target)


def _finish(resolved: ResolvedModel, folder: Path, plan: PullPlan) -> Pulled:
    """Check what was gathered, and let it count as pulled."""
    model = resolved.model
    pair = check_pair(folder / TEXT, folder / VISION, (model.text.name, model.vision.name))
    model = replace(model, memory=max(model.memory, memory_needed(pair, model.context, model.slots)))
    record = Pulled(model, resolved.family, plan.origin, now(), folder)
    return publish(record, resolved.own.read_bytes() if resolved.own else None)


def _with_files(
    resolved: ResolvedModel, files: tuple[WeightsFile, WeightsFile], revision: str
) -> ResolvedModel:
    text, vision = files
    return replace(resolved, model=replace(resolved.model, revision=revision, text=text, vision=vision))


def _expected_digest(model: Model, name: str) -> str:
    """What the profile says that a file of that name must be; "" if it says nothing."""
    for file in (model.text, model.vision):
        if Path(file.name).name == Path(name).name:
            return file.sha256
    return ""


def _with_blocker(plan: PullPlan, force: bool) -> PullPlan:
    """The plan, with what this machine has no room for, in figures."""
    missing = plan.disk + _SPARE - plan.free
    if plan.disk and missing > 0:
        return replace(
            plan,
            blocker=f"{plan.model} needs {_gigabytes(plan.disk)} more on the disk of the cache directory, "
            f"of which {_gigabytes(plan.free)} are free. Free {_gigabytes(missing)}, or name another "
            "directory with VIDI_CACHE_DIR.",
        )
    if plan.memory > plan.machine and not force:
        return replace(
            plan,
            blocker=f"{plan.model} needs about {_gigabytes(plan.memory)} of memory and this machine has "
            f"{_gigabytes(plan.machine)}. Take a smaller model (`vidi models --all`), or pull it with "
            "--anyway: for another machine, or for a graphics card with memory of its own.",
        )
    return plan


def _refuse_blocked(plan: PullPlan) -> None:
    if plan.blocker:
        raise Unavailable(plan.blocker)


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.2f} GB"


@contextmanager
def _reading_errors() -> Generator[None, None, None]:
    """Turn a file that may not be read, as of another user's Ollama, into a sentence."""
    try:
        yield
    except OSError as error:
        raise InvalidRequest(
            f"{error.filename or 'A file'} cannot be read: {error.strerror or error}. Give this user the "
            "right to read it, or copy it to where it can be read."
        ) from error


@contextmanager
def _disk_errors(cache: Path) -> Generator[None, None, None]:
    """Turn what a disk cannot do into a sentence."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Unavailable(
                f"The disk of the cache directory is full ({_gigabytes(free_bytes(cache))} are free). Free "
                "some and pull again: it goes on from here. Or name another directory with VIDI_CACHE_DIR."
            ) from error
        raise Unavailable(
            f"The files could not be read or written: {error.strerror or error}. Give the cache directory "
            "write permission, or name another one with VIDI_CACHE_DIR."
        ) from error
