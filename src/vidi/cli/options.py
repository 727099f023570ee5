"""What several commands share: options and how they become Settings, the error that ends a command, units."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import httpx2

from vidi.settings import Settings, SettingsError, load

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".heic", ".heif")
"""What is taken from a folder; a file that is named itself is taken whatever it is called."""

CONNECT_SECONDS = 10.0


class ClientError(Exception):
    """The question was not answered; the text says why."""


@dataclass(frozen=True, slots=True)
class Common:
    """What every command that asks a model may be told."""

    settings: Settings
    server: str
    model: str
    as_json: bool


def settings_from(config: Path | None, flags: dict[str, object]) -> Settings:
    """The settings, flags first; a wrong one ends the program with a usage error."""
    try:
        return load(flags, config)
    except SettingsError as error:
        raise click.UsageError(str(error)) from None


photos_argument = click.argument(
    "photos", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path)
)

config_option = click.option(
    "--config", type=click.Path(path_type=Path, dir_okay=False), help="Settings file (TOML)."
)


def common_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command `--model`, `--server`, `--json` and `--config`, handed over as `common`."""

    @click.option("--model", default="", metavar="ID", help="Model to ask; see `vidi models`.")
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


def answer_of(response: httpx2.Response) -> object:
    """The JSON that a server answered; None if it is none.

    Raises:
        ClientError: It refused; the text is its own.
    """
    try:
        answer: object = response.json()
    except json.JSONDecodeError:
        answer = None
    if response.status_code != httpx2.codes.OK:
        match answer:
            case {"error": {"message": str(message)}}:
                raise ClientError(message.strip())
        raise ClientError(f"{response.url.copy_with(path='/', query=None)} answered {response.status_code}.")
    return answer


def keys_of(settings: Settings) -> dict[str, str]:
    """The headers that open the server: the first key, if there are any."""
    return {"x-goog-api-key": settings.api_keys[0]} if settings.api_keys else {}


def in_units(size: int) -> str:
    """A number of bytes for a person."""
    return f"{size / 1e9:.2f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"


def expand_photos(photos: Sequence[Path]) -> list[Path]:
    """The files that are meant: a folder stands for the pictures in it, sorted by name."""
    files: list[Path] = []
    for photo in photos:
        if photo.is_dir():
            files.extend(sorted(file for file in photo.iterdir() if file.suffix.lower() in SUFFIXES))
        else:
            files.append(photo)
    if not files:
        raise click.UsageError(f"No pictures there. A folder is searched for {', '.join(SUFFIXES)}.")
    return files
