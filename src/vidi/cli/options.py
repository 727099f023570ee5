"""What several commands share: options and how they become Settings, the error that ends a command, units."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

from vidi.cli.completion import ModelName
from vidi.settings import Settings, SettingsError, load

CONNECT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Wishes:
    """How an answer shall be.

    Attributes:
        model: A model id, or "" for the server's default.
        system: The system instruction.
        temperature: None for the model's own.
        schema: A JSON schema that the answer must satisfy; None for none.
        json_only: Whether the answer must be bare JSON.
    """

    model: str = ""
    system: str = ""
    temperature: float | None = None
    schema: object = None
    json_only: bool = False


class ClientError(Exception):
    """The question was not answered; the text says why."""


class StartError(click.ClickException):
    """A command that cannot even begin; the text names what is wrong and what to do."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Common:
    """What every command that asks a model may be told."""

    settings: Settings
    server: str
    model: str
    as_json: bool


def settings_from(config: Path | None, flags: dict[str, object]) -> Settings:
    """The settings, flags first; a wrong one ends the program."""
    try:
        return load(flags, config)
    except SettingsError as error:
        raise StartError(str(error)) from None


config_option = click.option(
    "--config", type=click.Path(path_type=Path, dir_okay=False), help="Settings file (TOML)."
)


def common_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command `--model`, `--server`, `--json` and `--config`, handed over as `common`."""

    @click.option(
        "--model", default="", type=ModelName(), metavar="ID", help="Model to ask; see `vidi models`."
    )
    @click.option("--server", default="", metavar="URL", help="Ask this server, load nothing here.")
    @click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for programs.")
    @config_option
    @functools.wraps(command)
    def wrapped(
        *args: object, model: str, server: str, as_json: bool, config: Path | None, **options: object
    ) -> None:
        # A server elsewhere has a default model of its own; here the chosen model is the default.
        settings = settings_from(config, {"model": None if server else model or None})
        command(*args, common=Common(settings, server, model, as_json), **options)

    return wrapped


KEY_HEADER = "x-goog-api-key"


def keys_of(settings: Settings) -> dict[str, str]:
    """The headers that open the server: the first key, if there are any."""
    return {KEY_HEADER: settings.api_keys[0]} if settings.api_keys else {}


def in_units(size: int) -> str:
    """A number of bytes for a person."""
    return f"{size / 1e9:.2f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"


def answer_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command `--system`, `--temperature` and `--schema`, handed over as `wishes` with the model."""

    @click.option("--system", default="", metavar="TEXT", help="How the model shall answer, in all it says.")
    @click.option("--temperature", type=click.FloatRange(0, 2), help="0 for the same answer each time.")
    @click.option(
        "--schema", default="", metavar="FILE|JSON", help="A JSON schema that the answer shall satisfy."
    )
    @functools.wraps(command)
    def wrapped(
        *args: object, system: str, temperature: float | None, schema: str, common: Common, **options: object
    ) -> None:
        wishes = Wishes(common.model, system, temperature, _schema(schema))
        command(*args, wishes=wishes, common=common, **options)

    return wrapped


def _schema(given: str) -> object:
    """A schema from a file, or as it stands; None if none is given."""
    if not given:
        return None
    inline = given.lstrip().startswith("{")
    try:
        schema: object = json.loads(given if inline else Path(given).read_text("utf-8"))
    except OSError as error:
        raise click.UsageError(f"--schema {given}: {error.strerror}.") from None
    except ValueError as error:
        raise click.UsageError(f"--schema {'' if inline else given + ' '}is no JSON: {error}.") from None
    return schema
