"""The models that backends serve: which server a backend is, what it offers, and what Vidi tells of it."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vidi.domain.errors import InvalidRequest, Unavailable
from vidi.domain.schema import JsonValue
from vidi.engines.base import Backend, EngineContext, ModelCard, ModelEntry, PixelBudgets
from vidi.engines.chat.connection import ConnectFailed, ConnectionLost, HttpRefusal
from vidi.engines.profile import Profile, Thinks
from vidi.engines.profile_files import ProfileError, load_profile, load_profiles, profiles_folder
from vidi.engines.remote.kinds import AUTO, PLAIN, RETRY_SECONDS, Listing, ServerKind, load_kinds
from vidi.engines.remote.pool import Server, servers_of

log = logging.getLogger(__name__)

LONGEST_ANSWER = 65_536
"""Most tokens of an answer, where the window has room for twice as many."""

ANY_CONTEXT = 32_768
"""The window of a server that does not tell it, in tokens."""

OLLAMA_CONTEXT = 16_384
"""The window that a model of Ollama's gets if it is not loaded yet, in tokens; it may be able to have more,
which takes memory."""

MOST_MODELS = 100
"""So many models of one backend are listed."""

RANK = 1000
"""Above every model of this machine: who names a backend wants it to answer."""

_ASK_SECONDS = 5.0
_ANY_PICTURES = PixelBudgets(least=64 * 64, multiple=32)
"""For models of no known family: whole patches of the commonest sizes, and no strips."""


@dataclass(frozen=True, slots=True)
class Served:
    """A model as its server tells of it.

    Attributes:
        name: What the server calls it.
        root: Where the server has it from, a path or a hub's name; "" if it does not tell.
        context: Longest prompt and answer together, in tokens; 0 if it does not tell.
    """

    name: str
    root: str = ""
    context: int = 0


@dataclass(frozen=True, slots=True)
class RemoteModel:
    """A model of a backend's, under the name by which Vidi offers it.

    Attributes:
        id: That name.
        backend: Where it runs.
        kind: What that is.
        served: What it is called there.
        profile: Its family; None if it is of none that is known.
    """

    id: str
    backend: Backend
    kind: ServerKind
    served: Served
    profile: Profile | None

    def card(self) -> ModelCard:
        """What the server and its callers are told."""
        profile, served = self.profile, self.served
        context = served.context or ANY_CONTEXT
        about = (
            f"{profile.good_at} {profile.bad_at}".strip()
            if profile
            else "Of no family that Vidi knows: it is asked for boxes and points as the caller asks."
        )
        told = f"{self.kind.id} {served.name} {served.root} {context}"
        return ModelCard(
            id=self.id,
            display_name=served.name,
            description=f"{about} Runs on {self.kind.title}.",
            version=hashlib.sha256(told.encode()).hexdigest()[:12],
            input_token_limit=context,
            output_token_limit=min(LONGEST_ANSWER, max(1, context // 2)),
            slots=self.backend.slots,
            samples=True,
            calls=True,
            thinks=profile is not None and profile.template.thinks is not Thinks.NEVER,
            pixels=PixelBudgets.of(profile.pictures) if profile else _ANY_PICTURES,
            dialect=profile.dialect if profile else None,
        )


def models(context: EngineContext) -> Sequence[ModelEntry]:
    """Every model of every backend; of one that is away, the name under which it will be found.

    Raises:
        InvalidRequest: A backend's kind or profile is none.
    """
    return tuple(
        entry for at, backend in enumerate(context.backends) for entry in _entries(context, backend, at)
    )


def _entries(context: EngineContext, backend: Backend, at: int) -> Iterator[ModelEntry]:
    where = ", ".join(backend.urls)
    try:
        found = models_of(context, backend)
    except Unavailable as error:
        log.warning("%s", error.message)
        card = ModelCard(_awaited(backend, at), where, f"What {where} serves: it is not there now.")
        yield ModelEntry(card, _FACTORY, ready=True, rank=RANK - at, runs_at=f"{where} (away)")
        return
    for model in found:
        yield ModelEntry(
            model.card(), _FACTORY, ready=True, rank=RANK - at, runs_at=f"{where} ({model.kind.title})"
        )


_FACTORY = "vidi.engines.remote.engine:open_engine"


def find_model(context: EngineContext) -> RemoteModel:
    """The model that `context.model` names, asked of its backend now.

    Raises:
        Unavailable: Its backend is away, or serves it no longer.
        InvalidRequest: The backend's kind or profile is none.
    """
    refusal: Unavailable | None = None
    for at, backend in enumerate(context.backends):
        try:
            found = models_of(context, backend)
        except Unavailable as error:
            refusal = refusal or error
            continue
        for model in found:
            if context.model in (model.id, _awaited(backend, at)):
                return RemoteModel(context.model, backend, model.kind, model.served, model.profile)
    raise refusal or Unavailable(
        f"No backend serves {context.model} now. Please try again later.", retry_after=RETRY_SECONDS
    )


def models_of(context: EngineContext, backend: Backend) -> tuple[RemoteModel, ...]:
    """The models of one backend, at least one.

    Raises:
        Unavailable: It is away, or serves none, or not the one that was chosen.
        InvalidRequest: Its kind or profile is none.
    """
    kind, listed = _ask_one(backend)
    chosen = [each for each in listed if backend.model in ("", each.name)]
    if backend.model and not chosen and kind.id == PLAIN:
        chosen = [Served(backend.model)]  # Such a server may run what it does not list.
    if not chosen:
        raise Unavailable(
            f"{backend.urls[0]} serves {', '.join(each.name for each in listed) or 'no model'}"
            f"{f', and not {backend.model}' if backend.model else ''}.",
            retry_after=RETRY_SECONDS,
        )
    # Of two names that become one id the first is meant.
    named: dict[str, Served] = {}
    for each in chosen:
        named.setdefault(backend.id or slug(each.name), each)
    return tuple(
        RemoteModel(name, backend, kind, each, _profile(context, backend, each))
        for name, each in named.items()
    )


def _awaited(backend: Backend, at: int) -> str:
    """The name of a backend's first model as long as nobody can tell its own."""
    return backend.id or (slug(backend.model) if backend.model else f"backend-{at + 1}" if at else "backend")


def slug(name: str) -> str:
    """A model's name as an id: `Qwen/Qwen3-VL-8B-Instruct` becomes `qwen3-vl-8b-instruct`."""
    last = re.split(r"[/\\]", name.rstrip("/"))[-1].lower().removesuffix(".gguf")
    short = re.sub(r"[^a-z0-9._-]+", "-", last).strip("-._")[:63] or "backend"
    return f"remote-{short}" if short.startswith("gemini-") else short


def _ask_one(backend: Backend) -> tuple[ServerKind, tuple[Served, ...]]:
    """What the first of a backend's servers that is there tells."""
    kinds = load_kinds()
    if backend.kind != AUTO and backend.kind not in kinds:
        raise InvalidRequest(f"The backend's kind {backend.kind!r} is none of {AUTO}, {', '.join(kinds)}.")
    refusal = ""
    for server in servers_of(backend):
        try:
            kind = kinds[backend.kind] if backend.kind != AUTO else _told_apart(server, kinds.values())
            return kind, tuple(_listed(server, kind))[:MOST_MODELS]
        except ConnectFailed as failure:
            refusal = refusal or f"{server.shown} {failure}."
        except ConnectionLost:
            refusal = refusal or f"{server.shown} does not answer."
        except HttpRefusal as error:
            refusal = refusal or f"{server.shown} answers {error.status} when it is asked for its models."
        finally:
            server.links.close()
    raise Unavailable(refusal, retry_after=RETRY_SECONDS)


def _told_apart(server: Server, kinds: Iterable[ServerKind]) -> ServerKind:
    """Which kind a server is: by what its list of models says, else by what it answers to."""
    answer = _try(server, "/v1/models")
    owners = {each.get("owned_by") for each in _objects(answer, "data")}
    known = {kind.id: kind for kind in kinds}
    for kind in known.values():
        if kind.owned_by and kind.owned_by in owners:
            return kind
    for kind in known.values():
        told = _try(server, kind.probe) if kind.probe else None
        if isinstance(told, dict) and kind.probe_key in told:
            return kind
    return known[PLAIN]


def _try(server: Server, path: str) -> JsonValue:
    """What a server answers; None if it has no such path."""
    try:
        return server.get(path, seconds=_ASK_SECONDS)
    except HttpRefusal:
        return None


def _listed(server: Server, kind: ServerKind) -> Iterator[Served]:
    match kind.listing:
        case Listing.OPENAI:
            for each in _objects(server.get("/v1/models", seconds=_ASK_SECONDS), "data"):
                context = _whole(each.get("max_model_len")) or _whole(_below(each, "meta").get("n_ctx"))
                yield Served(_text(each.get("id")), _text(each.get("root")), context)
        case Listing.LM_STUDIO:
            yield from _of_lm_studio(server)
        case Listing.OLLAMA:
            yield from _of_ollama(server)


def _of_lm_studio(server: Server) -> Iterator[Served]:
    for each in _objects(server.get("/api/v1/models", seconds=_ASK_SECONDS), "models"):
        if _below(each, "capabilities").get("vision"):
            loaded = [_below(one, "config") for one in _objects(each, "loaded_instances")]
            contexts = [_whole(one.get("context_length")) for one in loaded]
            context = next(iter(contexts), _whole(each.get("max_context_length")))
            yield Served(_text(each.get("key")), _text(each.get("architecture")), context)


def _of_ollama(server: Server) -> Iterator[Served]:
    running = {
        each.get("name"): _whole(each.get("context_length"))
        for each in _objects(server.get("/api/ps", seconds=_ASK_SECONDS), "models")
    }
    for each in _objects(server.get("/v1/models", seconds=_ASK_SECONDS), "data")[:MOST_MODELS]:
        name = _text(each.get("id"))
        shown = server.ask("/api/show", {"model": name}, seconds=_ASK_SECONDS)
        about = shown if isinstance(shown, dict) else {}
        abilities = about.get("capabilities")
        if isinstance(abilities, list) and "vision" in abilities:
            yield Served(name, "", running.get(name) or _ollama_context(_below(about, "model_info")))


def _ollama_context(about: dict[str, JsonValue]) -> int:
    """What a model that is not loaded yet will be given."""
    most = max((_whole(value) for key, value in about.items() if key.endswith(".context_length")), default=0)
    return min(most or OLLAMA_CONTEXT, OLLAMA_CONTEXT)


def _profile(context: EngineContext, backend: Backend, served: Served) -> Profile | None:
    """The family of a model: the one that was chosen, or the one whose name is in the model's."""
    if backend.profile.endswith(".toml"):
        return _read(Path(backend.profile))
    try:
        profiles = load_profiles(profiles_folder(context.cache))
    except ProfileError as error:
        log.warning("%s Your own profiles are left out until then.", error.message)
        profiles = load_profiles()
    if not backend.profile:
        return family_of(profiles, served.name, served.root)
    chosen = next((profile for profile in profiles if profile.family == backend.profile), None)
    if chosen is None:
        known = ", ".join(profile.family for profile in profiles)
        raise InvalidRequest(f"The backend's profile {backend.profile!r} is no family; these are: {known}.")
    return chosen


def _read(path: Path) -> Profile:
    try:
        return load_profile(path)
    except ProfileError as error:
        raise InvalidRequest(error.message) from error


def family_of(profiles: Iterable[Profile], *names: str) -> Profile | None:
    """The family whose own name, or a member's, stands in a model's name; the longest of several."""
    keys = [
        (_squeezed(key), profile)
        for profile in profiles
        for key in (profile.family, *(model.id for model in profile.models))
    ]
    keys.sort(key=lambda pair: -len(pair[0]))
    squeezed = [_squeezed(name) for name in names]
    return next((profile for key, profile in keys for name in squeezed if key in name), None)


def _squeezed(name: str) -> str:
    """A name without what is written now one way and now another."""
    return re.sub(r"[-_\s]", "", name.lower())


def _objects(value: JsonValue, key: str) -> list[dict[str, JsonValue]]:
    found = value.get(key) if isinstance(value, dict) else None
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _below(value: dict[str, JsonValue], key: str) -> dict[str, JsonValue]:
    found = value.get(key)
    return found if isinstance(found, dict) else {}


def _text(value: JsonValue) -> str:
    return value if isinstance(value, str) else ""


def _whole(value: JsonValue) -> int:
    return value if isinstance(value, int) and value > 0 else 0
