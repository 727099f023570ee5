"""Every open model that is known, by its family's profile, and the one that a pull asks for."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vidi.domain.errors import InvalidRequest, NotFound
from vidi.engines.base import EngineContext, ModelCard, ModelEntry, PixelBudgets
from vidi.engines.llama.store import Pulled, checked_id, pulled
from vidi.engines.profile import Licence, Model, Profile, Thinks, WeightsFile
from vidi.engines.profile_files import ProfileError, load_profile, load_profiles, profiles_folder
from vidi.engines.weights import PullRequest

log = logging.getLogger(__name__)

WORKING = 256 << 20
"""Bytes that a model takes beside its files, a round allowance for compute buffers and the process itself."""

LONGEST_ANSWER = 8192
"""Most tokens of an answer, where the window is large enough: what `outputTokenLimit` says."""


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model that llama.cpp can run, whether its files are here or still to be pulled.

    Not a `ModelEntry`, which is what this becomes for the registry: no profile, no paths.

    Attributes:
        profile: Of the family.
        model: What is known of the model; of a pulled one, what was pulled.
        files: Where its files are; None if they are not on the disk.
    """

    profile: Profile
    model: Model
    files: Pulled | None

    def card(self) -> ModelCard:
        """What the server and its callers are told."""
        model, profile = self.model, self.profile
        return ModelCard(
            id=model.id,
            display_name=model.display_name,
            description=f"{profile.good_at} {profile.bad_at}".strip(),
            version=(model.text.sha256 or model.revision)[:12] or "1",
            input_token_limit=model.context,
            output_token_limit=min(LONGEST_ANSWER, max(1, model.context // 2)),
            slots=model.slots,
            samples=True,
            calls=True,
            thinks=profile.template.thinks is not Thinks.NEVER,
            pixels=PixelBudgets.of(profile.pictures),
            dialect=profile.dialect,
        )


def known_models(cache: Path) -> tuple[KnownModel, ...]:
    """Every model that can be run or pulled, in the profiles' order, then those that a user brought."""
    profiles = _profiles(cache)
    here = {record.model.id: record for record in pulled(cache)}
    known = [
        KnownModel(profile, model, None)
        for profile in profiles
        if not profile.unserved
        for model in profile.models
    ]
    missing = (each for each in known if each.model.id not in here)
    return (*missing, *_pulled(here.values(), {profile.family: profile for profile in profiles}))


def _profiles(cache: Path) -> tuple[Profile, ...]:
    try:
        return load_profiles(profiles_folder(cache))
    except ProfileError as error:
        log.warning("%s Your own profiles are left out until then.", error.message)
        return load_profiles()


def _pulled(records: Iterable[Pulled], families: Mapping[str, Profile]) -> Iterator[KnownModel]:
    for record in records:
        try:
            profile = load_profile(record.profile) if record.profile else families.get(record.family)
        except ProfileError as error:
            log.warning("%s", error.message)
            continue
        if profile is None:
            log.warning("%s belongs to the family %s, which is not known.", record.folder, record.family)
            continue
        yield KnownModel(profile, record.model, record)


def models(context: EngineContext) -> Sequence[ModelEntry]:
    """Every model of every family that llama.cpp runs, and those that the user brought."""
    return tuple(_model_entry(known) for known in known_models(context.cache))


def _model_entry(known: KnownModel) -> ModelEntry:
    model = known.model
    return ModelEntry(
        known.card(),
        factory="vidi.engines.llama.engine:open_engine",
        ready=known.files is not None,
        fetcher="vidi.engines.llama.pull:fetch",
        remover="vidi.engines.llama.pull:remove",
        rank=model.rank,
        auto_download=False,
        size=model.download,
        licence=model.licence or known.profile.licence,
        is_estimated=model.is_estimated,
        memory=max(model.memory, model.download + WORKING) if model.download else model.memory,
        active=model.active or model.parameters,
        purpose=known.profile.purpose,
    )


ProfileReader = Callable[[Path], Profile]
"""Reads a profile from its TOML file. Raises VidiError when it is none."""

_SUFFIX = ".toml"


@dataclass(frozen=True, slots=True)
class ResolvedModel:
    """A model and what it goes by.

    Attributes:
        model: The model; `licence` is never None.
        family: Its family.
        own: The file of the user's own profile; None for a family that comes with Vidi.
    """

    model: Model
    family: str
    own: Path | None = None

    @property
    def licence(self) -> Licence:
        """What the weights may be used for."""
        assert self.model.licence is not None
        return self.model.licence


def resolve_model(
    request: PullRequest, profiles: Sequence[Profile], read: ProfileReader
) -> ResolvedModel | None:
    """The model that is asked for; None if neither its name nor anything else says which one that is.

    Args:
        request: A known id; or any id with files and the profile they go by; or the path of a profile.
        profiles: The families that come with Vidi.
        read: Reads a user's own profile.

    Raises:
        NotFound: There is no such family, or no such model in it.
        InvalidRequest: The id cannot be one, belongs to another model, or no engine runs that family.
        VidiError: The user's profile cannot be read.
    """
    own = next((Path(name) for name in (request.profile, request.model) if name.endswith(_SUFFIX)), None)
    if own is not None:
        return _from_file(request, profiles, read(own), own)
    known = {model.id: profile for profile in profiles for model in profile.models}
    if request.profile:
        profile = next((profile for profile in profiles if profile.family == request.profile), None)
        if profile is None:
            raise NotFound(f"There is no family {request.profile!r}. {_families(profiles)}")
        if known.get(request.model, profile) is not profile:
            raise InvalidRequest(
                f"{request.model} is of the family {known[request.model].family}; take another name."
            )
        return _of_family(request, profile, None)
    if request.model in known:
        return _of_family(request, known[request.model], None)
    if request.source:
        raise InvalidRequest(
            f"{request.model} is a new name: say with --profile which family the files go by. "
            f"{_families(profiles)}"
        )
    return None


_ON_THE_HUB = re.compile(
    r"(?:https://)?(?:hf\.co|huggingface\.co)/([\w-][\w.-]*/[\w-][\w.-]*?)/?(?::([\w.-]+))?", re.ASCII
)
_USUAL = ("Q4_K_M", "Q4_K_XL", "Q4_0", "Q8_0")
"""What is taken of several precisions where nobody says, the first that is there."""

_ENCODERS = ("F16", "Q8_0", "BF16")


@dataclass(frozen=True, slots=True)
class HubRepository:
    """A repository of the hub, and the precision that is wanted of it; "" for the usual one."""

    name: str
    precision: str

    def model(self, files: Sequence[str], profile: Profile) -> Model:
        """The model that its files hold, as one of a family.

        Raises:
            InvalidRequest: There is no such precision, no vision encoder, or the model is in several parts.
        """
        known = next((model for model in profile.models if model.repository == self.name), None)
        if known and not self.precision:
            return known
        owner, _, title = self.name.lower().partition("/")
        name = "-".join(filter(None, [title.removesuffix("-gguf"), self.precision.lower()]))
        if any(model.id == name for model in profile.models):
            name = f"{owner}-{name}"
        first = next(iter(profile.models))
        whole = [file for file in files if file.endswith(".gguf") and "-of-0" not in file]
        texts = [file for file in whole if "mmproj" not in file.lower()]
        wanted = (self.precision,) if self.precision else _USUAL
        return replace(
            first,
            id=name,
            display_name=name,
            repository=self.name,
            text=WeightsFile(_pick(texts, wanted, f"{self.name} has no model in one GGUF file")),
            vision=WeightsFile(
                _pick(
                    [file for file in whole if file not in texts],
                    _ENCODERS,
                    f"{self.name} has no vision encoder (mmproj), so it sees nothing",
                )
            ),
            memory=0,
            rank=10,
            parameters=0.0,
            active=0.0,
        )


def repository_named(model: str) -> HubRepository | None:
    """The repository that `hf.co/owner/name[:precision]` names; None if the text is no such thing."""
    found = _ON_THE_HUB.fullmatch(model)
    return HubRepository(found[1], found[2] or "") if found else None


def _pick(files: Sequence[str], precisions: Sequence[str], otherwise: str) -> str:
    """The file of the first precision that is there; the only one, where its name tells none of them."""
    for precision in precisions:
        named = re.compile(rf"(?<![a-z0-9]){re.escape(precision)}(?![a-z0-9_])", re.IGNORECASE)
        fitting = sorted((file for file in files if named.search(Path(file).name)), key=len)
        if fitting:
            return fitting[0]
    if len(files) == 1 and len(precisions) > 1:
        return files[0]
    there = f": {', '.join(files)}" if files else ""
    raise InvalidRequest(f"{otherwise} of {' or '.join(precisions)}{there}.")


def family_of(repository: str, profiles: Sequence[Profile]) -> Profile | None:
    """The family of a repository's files: it holds one of its models, or is named after it."""
    served = [profile for profile in profiles if not profile.unserved and profile.models]
    for profile in served:
        if any(model.repository == repository for model in profile.models):
            return profile
    title = _letters(repository.partition("/")[2])
    named = [profile for profile in served if _letters(profile.family) in title]
    return max(named, key=lambda profile: len(profile.family), default=None)


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _from_file(
    request: PullRequest, profiles: Sequence[Profile], profile: Profile, own: Path
) -> ResolvedModel:
    name = request.model
    if name.endswith(_SUFFIX):
        if len(profile.models) != 1:
            raise InvalidRequest(
                f"{own} tells of {len(profile.models)} models: choose one with "
                f"`vidi pull ID --profile {own}`."
            )
        name = profile.models[0].id
    if any(model.id == name for known in profiles for model in known.models):
        raise InvalidRequest(f"{name} is a model that comes with Vidi; give yours another id in {own}.")
    return _of_family(replace(request, model=name), profile, own)


def _of_family(request: PullRequest, profile: Profile, own: Path | None) -> ResolvedModel:
    """The family's model of that id; or, where files are given, a new one like the family's first."""
    if profile.unserved:
        raise InvalidRequest(f"No engine here runs {profile.display_name}: {profile.unserved}")
    name = checked_id(request.model)
    model = next((model for model in profile.models if model.id == name), None)
    if model is None and not request.source:
        known = ", ".join(model.id for model in profile.models) or "none"
        raise NotFound(f"{profile.family} has no model {name}. Its models: {known}.")
    if model is None:
        nobody = WeightsFile("")
        first = next(iter(profile.models), Model("", "", "", nobody, nobody))
        model = Model(name, name, "", nobody, nobody, revision="", context=first.context, slots=first.slots)
    licence = model.licence or profile.licence
    return ResolvedModel(replace(model, licence=licence), profile.family, own)


def _families(profiles: Sequence[Profile]) -> str:
    return f"Families: {', '.join(profile.family for profile in profiles if not profile.unserved)}."
