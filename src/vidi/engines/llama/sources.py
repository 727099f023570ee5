"""Pairs of GGUF files that are on this machine already: the user's own, Ollama's and LM Studio's."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vidi.domain.errors import InvalidRequest, NotFound
from vidi.engines.base import Progress
from vidi.engines.weights import PullRequest

OLLAMA, LM_STUDIO = "ollama:", "lmstudio:"

_SEGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}", re.ASCII)
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
_LARGEST_MANIFEST = 1 << 20
_MODEL = "application/vnd.ollama.image.model"
_PROJECTOR = "application/vnd.ollama.image.projector"
_CHUNK = 8 << 20


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file on this machine.

    Attributes:
        path: Where it is.
        name: What to call it.
        sha256: What its digest must be, in hex; "" if nobody says.
        immutable: Whether it is never written again, so that a link to it is as good as a copy.
    """

    path: Path
    name: str
    sha256: str = ""
    immutable: bool = False


@dataclass(frozen=True, slots=True)
class LocalPair:
    """A language model, its vision file, and where they come from, in words."""

    text: LocalFile
    vision: LocalFile
    origin: str


def find_local(request: PullRequest) -> LocalPair:
    """The pair of files that `request.source` names.

    Raises:
        NotFound: There is no such file, or the other program has no such model.
        InvalidRequest: The vision file is missing, or it cannot be told which file is which.
    """
    if request.source.startswith(OLLAMA):
        return _from_ollama(request.source.removeprefix(OLLAMA), request.ollama, request.vision)
    if request.source.startswith(LM_STUDIO):
        return _from_lm_studio(request.source.removeprefix(LM_STUDIO), request.lm_studio, request.vision)
    text = Path(request.source)
    vision = request.vision or _only_vision_beside(text)
    return pair_of(text, vision, f"{text.parent.resolve()}")


def pair_of(text: Path, vision: Path, origin: str) -> LocalPair:
    """Two files of the user's own.

    Raises:
        NotFound: One of them is not there.
    """
    for path in (text, vision):
        if not path.is_file():
            raise NotFound(f"There is no file {path}.")
    return LocalPair(LocalFile(text, text.name), LocalFile(vision, vision.name), origin)


def link_or_copy(file: LocalFile, target: Path, progress: Progress) -> None:
    """Put a file at `target`: by a hard link where that is as good as a copy and possible, else by copying.

    Raises:
        OSError: It cannot be read or written.
    """
    target.unlink(missing_ok=True)
    if file.immutable:
        try:
            os.link(file.path.resolve(), target)
            return
        except OSError:
            target.unlink(missing_ok=True)  # Another file system, or links are not allowed.
    size = file.path.stat().st_size
    with file.path.open("rb") as source, target.open("wb") as copy:
        while chunk := source.read(_CHUNK):
            copy.write(chunk)
            progress(f"Copying {file.name}", copy.tell(), size)


def copied_bytes(file: LocalFile, folder: Path) -> int:
    """How many bytes `place` will write into a folder: none where a link is possible."""
    source = file.path.resolve()
    facts = source.stat()
    # Linux links nobody else's files unless one may write them.
    allowed = facts.st_uid == os.geteuid() or os.access(source, os.W_OK)
    linked = file.immutable and allowed and facts.st_dev == folder.stat().st_dev
    return 0 if linked else facts.st_size


def _only_vision_beside(text: Path) -> Path:
    beside = [
        path for path in sorted(text.parent.glob("*.gguf")) if _looks_like_vision(path) and path != text
    ]
    if len(beside) == 1:
        return beside[0]
    found = f": {_names(beside)}" if beside else ""
    raise InvalidRequest(
        f"A model that sees has a second file, the vision encoder (mmproj): name it with --mmproj FILE. "
        f"{'There are several' if beside else 'There is none'} beside {text.name}{found}."
    )


def _looks_like_vision(path: Path) -> bool:
    return "mmproj" in path.name.lower()


def _names(paths: Sequence[Path]) -> str:
    return ", ".join(path.name for path in paths)


def _from_lm_studio(name: str, folders: Sequence[Path], vision: Path | None) -> LocalPair:
    parts = name.split("/")
    if len(parts) != 2 or not all(_SEGMENT.fullmatch(part) for part in parts):
        raise InvalidRequest(f"LM Studio's models are named as lmstudio:OWNER/NAME, not {name!r}.")
    for folder in folders:
        files = sorted((folder / parts[0] / parts[1]).glob("*.gguf"))
        if files:
            break
    else:
        looked = ", ".join(str(folder) for folder in folders)
        raise NotFound(f"LM Studio has no model {name} here. Looked in {looked}.")
    texts = [file for file in files if not _looks_like_vision(file)]
    visions = [vision] if vision else [file for file in files if _looks_like_vision(file)]
    if len(texts) != 1 or len(visions) != 1:
        raise InvalidRequest(
            f"{files[0].parent} holds no single pair of a model and its mmproj file: {_names(files)}. Name "
            "them: --from FILE --mmproj FILE."
        )
    text, encoder = texts[0], visions[0]
    return LocalPair(
        LocalFile(text, text.name, immutable=True),
        LocalFile(encoder, encoder.name, immutable=vision is None),
        f"LM Studio's {name}",
    )


def _from_ollama(name: str, folders: Sequence[Path], vision: Path | None) -> LocalPair:
    *host, path, tag = _ollama_name(name)
    for folder in folders:
        manifest = folder.joinpath("manifests", *host, path, tag)
        if manifest.is_file():
            break
    else:
        looked = ", ".join(str(folder) for folder in folders)
        raise NotFound(
            f"Ollama has no model {name} here; `ollama list` shows what it has. Looked in {looked} "
            "(OLLAMA_MODELS names another folder)."
        )
    layers = _ollama_layers(manifest, name)
    if _MODEL not in layers or (_PROJECTOR not in layers and vision is None):
        raise InvalidRequest(
            f"Ollama's {name} has no vision file of its own: it sees nothing, or is packed in one file that "
            "only Ollama reads. Take it from the hub, or name its vision file with --mmproj."
        )
    text = _blob(folder, layers[_MODEL], name)
    encoder = LocalFile(vision, vision.name) if vision else _blob(folder, layers[_PROJECTOR], name)
    return LocalPair(text, encoder, f"Ollama's {name}")


def _ollama_name(name: str) -> tuple[str, ...]:
    """Host, owner, name and tag, as Ollama completes `gemma4:e2b`, `someone/model`, `hf.co/owner/name:Q4`."""
    path, _, tag = name.partition(":")
    parts = path.split("/")
    whole = (*("registry.ollama.ai", "library")[: max(3 - len(parts), 0)], *parts, tag or "latest")
    if len(whole) != 4 or not all(_SEGMENT.fullmatch(part) for part in whole):
        raise InvalidRequest(f"Ollama's models are named as ollama:NAME:TAG, not {name!r}.")
    return whole


def _ollama_layers(manifest: Path, name: str) -> Mapping[str, str]:
    """The digest of each kind of layer; a kind that comes twice is left out."""
    broken = InvalidRequest(
        f"Ollama's list of files of {name} is damaged: {manifest}. Run `ollama pull {name}`."
    )
    try:
        with manifest.open("rb") as file:
            content = json.loads(file.read(_LARGEST_MANIFEST))
    except (ValueError, RecursionError) as error:
        raise broken from error
    kinds: dict[str, str] = {}
    match content:
        case {"layers": [*layers]}:
            for layer in layers:
                match layer:
                    case {"mediaType": str(kind), "digest": str(digest)} if _DIGEST.fullmatch(digest):
                        kinds[kind] = "" if kind in kinds else digest.removeprefix("sha256:")
        case _:
            raise broken
    return {kind: digest for kind, digest in kinds.items() if digest}


def _blob(folder: Path, digest: str, name: str) -> LocalFile:
    path = folder / "blobs" / f"sha256-{digest}"
    if not path.is_file():
        raise NotFound(f"Ollama's {name} is not whole: {path} is missing. Run `ollama pull {name}`.")
    return LocalFile(path, f"sha256-{digest[:12]} of Ollama", digest, immutable=True)
