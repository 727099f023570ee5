"""Every open model that is known: its family's profile, and its files if they are on the disk."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from vidi.engines.base import ModelCard, PixelBudgets
from vidi.engines.llama.store import Pulled, pulled
from vidi.engines.profile import Model, Pictures, Profile, Thinks
from vidi.engines.profile_files import ProfileError, load_profile, load_profiles

log = logging.getLogger(__name__)

LONGEST_ANSWER = 8192
"""Most tokens of an answer, where the window is large enough: what `outputTokenLimit` says."""


@dataclass(frozen=True, slots=True)
class Member:
    """A model of a family.

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
            thinks=profile.template.thinks is not Thinks.NEVER,
            pixels=budgets(profile.pictures),
            dialect=profile.dialect,
        )


def profiles_folder(cache: Path) -> Path:
    """Where a user's own profiles lie."""
    return cache / "models" / "profiles"


def members(cache: Path) -> tuple[Member, ...]:
    """Every model that can be run or pulled, in the profiles' order, then those that a user brought."""
    profiles = _profiles(cache)
    here = {record.model.id: record for record in pulled(cache)}
    known = [
        Member(profile, model, None)
        for profile in profiles
        if not profile.unserved
        for model in profile.models
    ]
    waiting = (member for member in known if member.model.id not in here)
    return (*waiting, *_pulled(here.values(), {profile.family: profile for profile in profiles}))


def _profiles(cache: Path) -> tuple[Profile, ...]:
    try:
        return load_profiles(profiles_folder(cache))
    except ProfileError as error:
        log.warning("%s Your own profiles are left out until then.", error.message)
        return load_profiles()


def _pulled(records: Iterable[Pulled], families: Mapping[str, Profile]) -> Iterator[Member]:
    for record in records:
        try:
            profile = load_profile(record.profile) if record.profile else families.get(record.family)
        except ProfileError as error:
            log.warning("%s", error.message)
            continue
        if profile is None:
            log.warning("%s belongs to the family %s, which is not known.", record.folder, record.family)
            continue
        yield Member(profile, record.model, record)


def budgets(pictures: Pictures) -> PixelBudgets:
    """How large pictures are made for a family."""
    token = max(1, pictures.token_side) ** 2
    most = pictures.budgets
    return PixelBudgets(
        low=most.low * token,
        medium=most.medium * token,
        high=most.high * token,
        ultra_high=most.ultra_high * token,
        least=max(1, pictures.min_tokens * token),
        multiple=max(1, pictures.token_side),
        square=pictures.square,
    )
