"""`vidi models`: which models there are, and removing one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import click

from vidi.cli.completion import ModelName, remember_models
from vidi.cli.options import ClientError, Common, common_options, config_option, in_units, settings_from
from vidi.cli.pull import known_models
from vidi.cli.remote import connect_remote
from vidi.domain.errors import VidiError
from vidi.engines.base import ModelEntry
from vidi.engines.machine import graphics_memory, machine_memory, recommended, speed_of, usable_cores
from vidi.engines.profile import Dialect, Model, Profile, Thinks
from vidi.engines.profile_files import ProfileError, load_profile, load_profiles
from vidi.engines.weights import remove_weights
from vidi.in_process import context, default_model, installed
from vidi.settings import Settings


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


@click.group(invoke_without_command=True)
@click.option("--all", "everything", is_flag=True, help="Also those that `vidi pull` can fetch.")
@click.pass_context
@common_options
def models(clicked: click.Context, everything: bool, common: Common) -> None:
    """List the models that can be asked, the default first.

    \b
    What can be asked here, and what else can be pulled:
      vidi models
      vidi models --all
    Put one on this disk, and take it off again:
      vidi pull gemma-4-e2b
      vidi models rm gemma-4-e2b
    Add a family of your own, with a file and no code:
      vidi models check my-family.toml
    """
    if clicked.invoked_subcommand is not None:
        return
    try:
        listed = asyncio.run(_served(common)) if common.server else _installed(common.settings, everything)
    except (ClientError, VidiError) as error:
        raise click.ClickException(str(error)) from None
    if not common.server:
        remember_models(known_models(common.settings))
    if common.as_json:
        for model in listed:
            click.echo(json.dumps(model, ensure_ascii=False))
    elif common.server:
        for model in listed:
            click.secho(str(model["name"]), bold=True)
            click.echo(click.wrap_text(str(model["description"]), 100, "    ", "    "))
    else:
        _show(listed)


@models.command()
@click.argument("names", metavar="ID...", nargs=-1, required=True, type=ModelName())
@config_option
def rm(names: tuple[str, ...], config: Path | None) -> None:
    """Delete the weights of models from this disk, and what unfinished pulls have left of them."""
    settings = settings_from(config, {})
    known = installed(settings)
    for name in names:
        try:
            freed = remove_weights(known, context(settings), name)
        except (VidiError, OSError) as error:
            raise click.ClickException(str(error)) from None
        click.echo(f"{name} is removed; {in_units(freed)} are free again.")
    remember_models(known_models(settings))


async def _served(common: Common) -> list[dict[str, object]]:
    async with connect_remote(common.settings, common.server) as client:
        return [dict(model) for model in await client.models()]


def _installed(settings: Settings, everything: bool) -> list[dict[str, object]]:
    default = default_model(settings).card.id
    entries = installed(settings).values()
    suits = recommended(entries, usable_cores(), machine_memory(), graphics_memory())
    return [
        _row(entry, default, suits)
        for entry in entries
        if everything or entry.ready or entry.auto_download or entry.card.id == default
    ]


def _row(entry: ModelEntry, default: str, suits: str) -> dict[str, object]:
    name, licence = entry.card.id, entry.licence
    return {
        "name": name,
        "description": entry.card.description,
        "ready": entry.ready,
        "default": name == default,
        "recommended": name == suits,
        "runs_at": entry.runs_at,
        "size": entry.size,
        "memory": entry.memory,
        "estimated": entry.is_estimated,
        "speed": speed_of(entry.active).value if entry.active else "",
        "purpose": entry.purpose,
        "licence": licence.name if licence else "",
        "limits": licence.limits if licence else "",
        "state": f"at {entry.runs_at}" if entry.runs_at else _state(entry),
    }


def _state(entry: ModelEntry) -> str:
    if entry.ready:
        return "here"
    return "fetched when asked" if entry.auto_download else ""


HEADS = ("MODEL", "STATE", "DOWNLOAD", "MEMORY", "SPEED", "LICENCE", "FOR")


def _show(models: Sequence[Mapping[str, object]]) -> None:
    """A line a model, and what the marks mean."""
    rows = [HEADS, *(_cells(model) for model in models)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADS))]
    for number, row in enumerate(rows):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        click.secho(line, bold=number == 0 or bool(models[number - 1]["default"]))
    if any(model["memory"] for model in models):
        click.echo("~ a guess, without what a long prompt adds; vidi pull says both before it fetches")
    if any(model["limits"] for model in models):
        click.echo("! a licence with limits; vidi pull says which")
    for model in models:
        if model["recommended"] and not model["ready"]:
            click.echo(f"For this machine: vidi pull {model['name']}")


def _cells(model: Mapping[str, object]) -> tuple[str, ...]:
    size, memory = int(str(model["size"])), int(str(model["memory"]))
    states = [str(model["state"])] + [word for word in ("default", "recommended") if model[word]]
    return (
        str(model["name"]),
        ", ".join(state for state in states if state),
        f"{'~' if model['estimated'] else ''}{_roughly(size)}",
        f"~{_roughly(memory)}" if memory else "",
        str(model["speed"]),
        f"{model['licence']}{' !' if model['limits'] else ''}",
        str(model["purpose"]),
    )


def _roughly(size: int) -> str:
    if size < 1_000_000:
        return ""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


models.add_command(check)
