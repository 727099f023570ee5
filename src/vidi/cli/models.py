"""`vidi models`: which models there are, and removing one."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import click

from vidi.app import context, default_model, installed
from vidi.cli.client import ClientError, connect
from vidi.cli.options import Common, common_options, config_option, settings_from
from vidi.cli.profiles import check
from vidi.cli.pull import in_units
from vidi.domain.errors import VidiError
from vidi.engines.base import Offer
from vidi.engines.registry import remove_weights
from vidi.settings import Settings


@click.group(invoke_without_command=True, short_help="List the models; remove one; check a profile.")
@click.option("--all", "everything", is_flag=True, help="Also those that `vidi pull` can fetch.")
@click.pass_context
@common_options
def models(clicked: click.Context, everything: bool, common: Common) -> None:
    """List the models that can be asked, the default first.

    \b
    What can be asked here, and what else can be had:
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
    for model in listed:
        if common.as_json:
            click.echo(json.dumps(model, ensure_ascii=False))
        else:
            click.echo(f"{click.style(str(model['name']), bold=True)}  {model.get('state', '')}".rstrip())
            click.echo(click.wrap_text(str(model["description"]), 100, "    ", "    "))


@models.command()
@click.argument("names", metavar="ID...", nargs=-1, required=True)
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


async def _served(common: Common) -> list[dict[str, object]]:
    async with connect(common.settings, common.server) as client:
        return [dict(model) for model in await client.models()]


def _installed(settings: Settings, everything: bool) -> list[dict[str, object]]:
    default = default_model(settings).card.id
    return [
        _told(offer, default)
        for offer in installed(settings).values()
        if everything or offer.ready or offer.unasked or offer.card.id == default
    ]


def _told(offer: Offer, default: str) -> dict[str, object]:
    name, licence = offer.card.id, offer.licence
    missing = "to be fetched" if offer.unasked else f"vidi pull {name}"
    notes = ["ready" if offer.ready else missing]
    if name == default:
        notes.append("default")
    if offer.size and not offer.ready:
        notes.append(in_units(offer.size))
    if licence:
        notes.append(f"{licence.name} (with limits)" if licence.limits else licence.name)
    return {
        "name": name,
        "description": offer.card.description,
        "ready": offer.ready,
        "default": name == default,
        "size": offer.size,
        "licence": licence.name if licence else "",
        "limits": licence.limits if licence else "",
        "state": ", ".join(notes),
    }


models.add_command(check)
