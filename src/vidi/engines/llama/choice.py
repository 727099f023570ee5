"""Which model somebody means: a member of a family, or files of their own that go by a family."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vidi.domain.errors import InvalidRequest, NotFound
from vidi.engines.base import Wanted
from vidi.engines.llama.store import checked_id
from vidi.engines.profile import Licence, Model, Profile, WeightsFile

ReadProfile = Callable[[Path], Profile]
"""Reads a profile from its TOML file. Raises VidiError when it is none."""

_SUFFIX = ".toml"


@dataclass(frozen=True, slots=True)
class Choice:
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


def choose(wanted: Wanted, profiles: Sequence[Profile], read: ReadProfile) -> Choice | None:
    """The model that is wanted; None if neither its name nor anything else says which one that is.

    Args:
        wanted: A known id; or any id with files and the profile they go by; or the path of a profile.
        profiles: The families that come with Vidi.
        read: Reads a user's own profile.

    Raises:
        NotFound: There is no such family, or no such member in it.
        InvalidRequest: The id cannot be one, belongs to another model, or no engine runs that family.
        VidiError: The user's profile cannot be read.
    """
    own = next((Path(name) for name in (wanted.profile, wanted.model) if name.endswith(_SUFFIX)), None)
    if own is not None:
        return _from_file(wanted, profiles, read(own), own)
    known = {model.id: profile for profile in profiles for model in profile.models}
    if wanted.profile:
        profile = next((profile for profile in profiles if profile.family == wanted.profile), None)
        if profile is None:
            raise NotFound(f"There is no family {wanted.profile!r}. {_families(profiles)}")
        if known.get(wanted.model, profile) is not profile:
            raise InvalidRequest(
                f"{wanted.model} is of the family {known[wanted.model].family}; take another name."
            )
        return _member(wanted, profile, None)
    if wanted.model in known:
        return _member(wanted, known[wanted.model], None)
    if wanted.source:
        raise InvalidRequest(
            f"{wanted.model} is a new name: say with --profile which family the files go by. "
            f"{_families(profiles)}"
        )
    return None


def _from_file(wanted: Wanted, profiles: Sequence[Profile], profile: Profile, own: Path) -> Choice:
    name = wanted.model
    if name.endswith(_SUFFIX):
        if len(profile.models) != 1:
            raise InvalidRequest(
                f"{own} tells of {len(profile.models)} models: choose one with "
                f"`vidi pull ID --profile {own}`."
            )
        name = profile.models[0].id
    if any(model.id == name for known in profiles for model in known.models):
        raise InvalidRequest(f"{name} is a model that comes with Vidi; give yours another id in {own}.")
    return _member(replace(wanted, model=name), profile, own)


def _member(wanted: Wanted, profile: Profile, own: Path | None) -> Choice:
    """The member of that id; or, where files are given, a new member like the family's first."""
    if profile.unserved:
        raise InvalidRequest(f"No engine here runs {profile.display_name}: {profile.unserved}")
    name = checked_id(wanted.model)
    model = next((model for model in profile.models if model.id == name), None)
    if model is None and not wanted.source:
        members = ", ".join(model.id for model in profile.models) or "none"
        raise NotFound(f"{profile.family} has no model {name}. Its models: {members}.")
    if model is None:
        nobody = WeightsFile("")
        first = next(iter(profile.models), Model("", "", "", nobody, nobody))
        model = Model(name, name, "", nobody, nobody, revision="", context=first.context, slots=first.slots)
    licence = model.licence or profile.licence
    return Choice(replace(model, licence=licence), profile.family, own)


def _families(profiles: Sequence[Profile]) -> str:
    return f"Families: {', '.join(profile.family for profile in profiles if not profile.unserved)}."
