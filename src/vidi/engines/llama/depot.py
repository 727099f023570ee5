"""What the registry calls to pull and remove GGUF models; imports what is heavy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from vidi.domain.errors import InvalidRequest
from vidi.engines.base import EngineContext, Pull, Wanted
from vidi.engines.llama import store
from vidi.engines.llama.choice import choose
from vidi.engines.llama.members import profiles_folder
from vidi.engines.llama.pull import find_pull
from vidi.engines.profile_files import ProfileError, load_profile, load_profiles


def fetch(context: EngineContext, wanted: Wanted) -> Pull:
    """The weights of a model that is offered.

    Raises:
        VidiError: They cannot be had; says what to do.
    """
    pull = adopt(context, wanted)
    if pull is None:
        raise InvalidRequest(
            f"{wanted.model} is on this disk, and nobody says where else it is. To replace it, name its "
            f"files: vidi pull {wanted.model} --from FILE --mmproj FILE --profile FAMILY"
        )
    return pull


def adopt(context: EngineContext, wanted: Wanted) -> Pull | None:
    """The weights of any model of a family; None if the name says nothing and no files are given.

    Raises:
        VidiError: They cannot be had; says what to do.
    """
    if not wanted.profile:
        own = _own_profile(context.cache, wanted.model)
        wanted = replace(wanted, profile=str(own)) if own else wanted
    choice = choose(wanted, load_profiles(), load_profile)
    return find_pull(context, wanted, choice) if choice else None


def _own_profile(cache: Path, model: str) -> Path | None:
    """The user's profile that tells of a model: in their folder, or kept beside files that were pulled."""
    for path in sorted(profiles_folder(cache).glob("*.toml")):
        try:
            profile = load_profile(path)
        except ProfileError:
            continue  # Whoever lists models is told of it.
        if any(member.id == model for member in profile.models):
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
