"""`vidi models check`: whether a profile of one's own says what it must, and what Vidi makes of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from vidi.engines.dialect import Dialect
from vidi.engines.profile import Model, Profile, Thinks
from vidi.engines.profile_files import ProfileError, load_profile, load_profiles


@click.command(short_help="Check a model family's profile.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def check(file: Path) -> None:
    """Check FILE, the profile of a model family, and say what was understood.

    \b
    vidi models check my-family.toml
    """
    try:
        profile = load_profile(file)
        _refuse_taken(file, profile)
    except ProfileError as error:
        raise click.ClickException(error.message) from None
    for line in describe(profile):
        click.echo(line)


def _refuse_taken(file: Path, profile: Profile) -> None:
    """Names that Vidi's own profiles have already; the file itself may be one of these."""
    for other in load_profiles():
        if other == profile:
            return
        taken = {other.family, *(model.id for model in other.models)}
        mine = [name for name in (profile.family, *(model.id for model in profile.models)) if name in taken]
        if mine:
            raise ProfileError(f"{file}: the name {mine[0]} is taken by Vidi's own profile {other.family}.")


def describe(profile: Profile) -> Iterator[str]:
    """What a profile says, in lines for people."""
    yield f"{profile.display_name} ({profile.family}): good."
    yield f"  licence   {profile.licence.name}, {profile.licence.limits or 'no limits told'}"
    if profile.unserved:
        yield f"  unserved  {profile.unserved}"
    pictures = profile.pictures
    size = f"one square of {pictures.square} px" if pictures.square else "any size"
    budgets = pictures.budgets
    yield (
        f"  pictures  {size}, a token for {pictures.token_side} x {pictures.token_side} px; at most "
        f"{budgets.low}, {budgets.medium}, {budgets.high}, {budgets.ultra_high} tokens (low to ultra high)"
    )
    yield f"  thinking  {_thinking(profile)}"
    yield f"  places    {_places(profile.dialect)}"
    for model in profile.models:
        yield f"  model     {_model(model)}"


def _thinking(profile: Profile) -> str:
    template = profile.template
    if template.thinks is Thinks.NEVER:
        return "never"
    how = f"switched by {template.switch}" if template.thinks is Thinks.SWITCHED else "always"
    return f"{how}, between {template.think_open!r} and {template.think_close!r}"


def _places(dialect: Dialect | None) -> str:
    if dialect is None:
        return "never trained to write boxes or points: requests for them are passed on as they stand"
    if dialect.native:
        return "the API's own box_2d and point"
    scale = "pixels" if dialect.scale == 0 else f"0..{dialect.scale:g}"
    points = "boxes and points" if dialect.boxes_prompt and dialect.points_prompt else "boxes"
    points = points if dialect.boxes_prompt else "points"
    return f"{points} as {dialect.form.value}, {dialect.order.value}, {scale}"


def _model(model: Model) -> str:
    where = model.repository or "beside the profile"
    known = "with digests" if model.text.sha256 and model.vision.sha256 else "digests from the hub"
    return f"{model.id}: {model.text.name} and {model.vision.name} from {where}, {known}, rank {model.rank}"
