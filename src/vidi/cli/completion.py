"""What a Tab needs to know, kept on the disk: to load the commands and ask them takes too long for a key."""

from __future__ import annotations

import json
import pkgutil
from collections.abc import Mapping
from pathlib import Path
from typing import TypedDict

import click
import platformdirs
from click.shell_completion import CompletionItem
from typing_extensions import override

from vidi import __version__


class KnownModels(TypedDict):
    """Ids of models."""

    here: list[str]
    """Those that can be asked."""
    to_pull: list[str]
    """Those that can be fetched."""


class ParameterOutline(TypedDict):
    """An option or an argument, as far as completing needs it."""

    names: list[str]
    help: str | None
    """Of an option; None for an argument."""
    flag: bool
    many: bool
    """Whether it may be given again."""
    kind: str
    """The name of its type."""
    choices: list[str]


class CommandOutline(TypedDict):
    """A command, as far as completing needs it, with those below it."""

    help: str
    parameters: list[ParameterOutline]
    commands: dict[str, CommandOutline]


class Kept(TypedDict):
    """All that is kept."""

    version: str
    models: KnownModels
    commands: dict[str, CommandOutline]


class ModelName(click.ParamType[str]):
    """The id of a model; a Tab offers those that were known when models were last listed or pulled."""

    def __init__(self, *, to_pull: bool = False) -> None:
        """Offer the models that can be asked, or those that can be fetched."""
        self.name = "model to pull" if to_pull else "model"
        self._to_pull = to_pull

    @override
    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The ids that begin like this."""
        kept = _read()
        if kept is None:
            return []
        known = kept["models"]["to_pull" if self._to_pull else "here"]
        return [CompletionItem(name) for name in known if name.startswith(incomplete)]


_TYPES: Mapping[str, click.Path | ModelName] = {
    each.name: each
    for each in (
        click.Path(),
        click.Path(dir_okay=False),
        click.Path(file_okay=False),
        ModelName(),
        ModelName(to_pull=True),
    )
}
"""The types that complete anything, by name; a choice has its own."""


def remember_models(models: KnownModels) -> None:
    """Keep which models there are, beside the commands; before the first Tab there is nothing to keep."""
    kept = _read()
    if kept is not None and kept["models"] != models:
        _write({**kept, "models": models})


def stand_in(name: str, places: Mapping[str, str]) -> click.Command | None:
    """A command to be completed, not run; None if there is no such command.

    Args:
        name: Of the command.
        places: Where every command lies, as module:attribute, by name. All are loaded if nothing is kept yet.
    """
    kept = _read()
    if kept is None:
        commands = {each: _outlined(pkgutil.resolve_name(place)) for each, place in places.items()}
        models: KnownModels = pkgutil.resolve_name("vidi.cli.pull:models_now")()
        kept = {"version": _version(), "models": models, "commands": commands}
        _write(kept)
    outline = kept["commands"].get(name)
    return None if outline is None else _rebuilt(name, outline)


def _outlined(command: click.Command) -> CommandOutline:
    below = command.commands if isinstance(command, click.Group) else {}
    return {
        "help": command.get_short_help_str(),
        "parameters": [_parameter(each) for each in command.params],
        "commands": {name: _outlined(each) for name, each in below.items()},
    }


def _parameter(parameter: click.Parameter) -> ParameterOutline:
    option = parameter if isinstance(parameter, click.Option) else None
    choices = parameter.type.choices if isinstance(parameter.type, click.Choice) else ()
    return {
        "names": [*parameter.opts, *parameter.secondary_opts],
        "help": None if option is None else option.help or "",
        "flag": option is not None and option.is_flag,
        "many": parameter.multiple or parameter.nargs == -1,
        "kind": parameter.type.name,
        "choices": list(choices),
    }


def _rebuilt(name: str, outline: CommandOutline) -> click.Command:
    parameters = [_parameter_of(each) for each in outline["parameters"]]
    if not outline["commands"]:
        return click.Command(name, params=parameters, short_help=outline["help"])
    below = {each: _rebuilt(each, outline["commands"][each]) for each in outline["commands"]}
    return click.Group(
        name, below, invoke_without_command=True, params=parameters, short_help=outline["help"]
    )


def _parameter_of(outline: ParameterOutline) -> click.Parameter:
    kind = click.Choice(outline["choices"]) if outline["choices"] else _TYPES.get(outline["kind"])
    if outline["help"] is None:
        nargs = -1 if outline["many"] else 1
        return click.Argument(outline["names"], nargs=nargs, type=kind, required=False)
    if outline["flag"]:
        return click.Option(outline["names"], is_flag=True, help=outline["help"])
    return click.Option(outline["names"], type=kind, multiple=outline["many"], help=outline["help"])


def _path() -> Path:
    return platformdirs.user_cache_path("vidi") / "completion.json"


def _version() -> str:
    """Of the commands that were outlined: an install anew changes the folder, if not the number."""
    return f"{__version__} {Path(__file__).parent.stat().st_mtime_ns}"


def _read() -> Kept | None:
    """What is kept, if it is of these commands."""
    try:
        kept: Kept = json.loads(_path().read_text("utf-8"))
        return kept if kept["version"] == _version() else None
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _write(kept: Kept) -> None:
    """Keep it, if the disk lets: completing never fails for want of it, it is only slow."""
    path = _path()
    part = path.with_suffix(".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(kept), "utf-8")
        part.replace(path)
    except OSError:
        return
