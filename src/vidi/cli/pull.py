"""`vidi pull`: says what a model is and what it takes, asks, and puts it on this disk."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from vidi.cli import INTERRUPTED
from vidi.cli.completion import KnownModels, ModelName, remember_models
from vidi.cli.options import StartError, config_option, in_units, settings_from
from vidi.cli.progress import ProgressBars
from vidi.domain.errors import VidiError
from vidi.engines.base import ModelEntry
from vidi.engines.weights import Pull, PullPlan, PullRequest, find_published, find_weights
from vidi.in_process import context, installed
from vidi.settings import Settings, lm_studio_folders, ollama_folders


@click.command()
@click.argument("model", type=ModelName(to_pull=True))
@click.option(
    "--from",
    "source",
    default="",
    metavar="SOURCE",
    help="Take the weights from this file, or from ollama:NAME:TAG or lmstudio:OWNER/NAME.",
)
@click.option(
    "--mmproj",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The vision file that belongs to --from.",
)
@click.option(
    "--profile", default="", metavar="FAMILY|FILE", help="What files of your own go by: gemma-4, my.toml."
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--anyway", "force", is_flag=True, help="Also if this machine has too little memory for it.")
@config_option
def pull(model: str, mmproj: Path | None, yes: bool, force: bool, config: Path | None, **texts: str) -> None:
    """Put MODEL's weights on this disk, so that it runs without a network from then on.

    MODEL is an id from `vidi models --all`, hf.co/OWNER/NAME[:PRECISION], or a profile of your own (a .toml
    file). What it is, what it may
    be used for and what it takes is shown first. A pull that was stopped goes on where it was.

    \b
    From the hub (HF_TOKEN, HF_ENDPOINT and HF_HUB_OFFLINE are heeded):
      vidi pull gemma-4-e2b
    A repository of the hub that Vidi does not know, in the precision that you name:
      vidi pull hf.co/bartowski/Qwen_Qwen3.5-4B-GGUF:Q5_K_M
    From files that were brought here, or that another program has:
      vidi pull gemma-4-e2b --from gemma-4-E2B-it-Q4_K_M.gguf --mmproj mmproj-F16.gguf
      vidi pull gemma-4-e2b --from lmstudio:unsloth/gemma-4-E2B-it-GGUF
      vidi pull my-model --from my.gguf --mmproj my-mmproj.gguf --profile gemma-4
    Then:
      vidi serve --model gemma-4-e2b
    """
    settings = settings_from(config, {})
    request = PullRequest(
        model,
        source=texts["source"],
        vision=mmproj,
        profile=texts["profile"],
        force=force,
        ollama=ollama_folders(),
        lm_studio=lm_studio_folders(),
    )
    try:
        weights = find_weights(installed(settings), context(settings, ProgressBars()), request)
        _confirm(weights.plan, yes)
        _run(weights)
    except VidiError as error:
        raise click.ClickException(str(error)) from None
    remember_models(known_models(settings))
    name = weights.plan.model
    click.echo(f"{name} is ready: vidi serve --model {name}")


def known_models(settings: Settings) -> KnownModels:
    """The ids that a Tab offers."""
    entries = installed(settings).values()
    return {
        "here": [each.card.id for each in entries if each.ready or each.auto_download],
        "to_pull": [each.card.id for each in entries if each.fetcher],
    }


def models_now() -> KnownModels:
    """The same, where no settings are at hand; none if those that apply are wrong."""
    try:
        return known_models(settings_from(None, {}))
    except (StartError, VidiError):
        return {"here": [], "to_pull": []}


def refuse_unpulled(entry: ModelEntry) -> None:
    """End the program if a model must be pulled before it can be served: nothing large is fetched unasked."""
    if not entry.ready and not entry.auto_download:
        raise StartError(f"{entry.card.id} is not on this disk. Pull it first: vidi pull {entry.card.id}")


def fetch_first(settings: Settings, entry: ModelEntry) -> None:
    """Fetch missing weights where a person can watch; without them the server still starts, and says 503."""
    if entry.ready or not entry.fetcher:
        return
    try:
        _run(find_published(entry, context(settings, ProgressBars())))
    except VidiError as error:
        click.secho(f"{error}\nUntil then every question is answered with 503.", fg="yellow", err=True)


def _confirm(plan: PullPlan, yes: bool) -> None:
    """Show what a model is and takes; end here if it cannot be, or if the person says no."""
    click.echo(_summary(plan))
    if plan.blocker:
        raise click.ClickException(plan.blocker)
    if plan.disk and not yes and sys.stdin.isatty() and not click.confirm("Pull it?"):
        raise click.ClickException("Nothing was pulled.")


def _run(weights: Pull) -> None:
    try:
        weights.run()
    except KeyboardInterrupt:
        click.echo("\nStopped. The next pull goes on from here.", err=True)
        sys.exit(INTERRUPTED)


def _summary(plan: PullPlan) -> str:
    width = max(len(name) for name, _ in plan.files)
    files = [f"{name:<{width}}  {in_units(size) if size else ''}".rstrip() for name, size in plan.files]
    licence = [f"{plan.licence.name}  {plan.licence.url}"]
    if plan.licence.limits:
        licence.append(click.style(plan.licence.limits, fg="yellow"))
    rows = {
        "from": [plan.origin],
        "files": files,
        "licence": licence,
        "disk": [f"{in_units(plan.disk) if plan.disk else 'nothing'} to write, {in_units(plan.free)} free"],
        "memory": [f"{in_units(plan.memory)} to run, this machine has {in_units(plan.machine)}"],
    }
    if not plan.memory:
        del rows["memory"]
    lines = [f"{click.style(plan.title, bold=True)} ({plan.model})"]
    for label, values in rows.items():
        for index, value in enumerate(values):
            lines.append(f"  {label if index == 0 else '':<9}{value}")
    return "\n".join(lines)
