"""`vidi keys`: make, list and revoke the keys of a server, and show what each has used."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from vidi.cli.options import config_option, in_units, settings_from
from vidi.http.keys import USAGE_FILE, Days, UsageStore, sha256_hex
from vidi.settings import KeysFile, NamedKey, Settings, SettingsError, change_keys_file, read_keys_file
from vidi.storage.clock import utc_now

PREFIX = "vidi-"
"""Before each key, so that a person and a scanner for leaked secrets can tell what it is."""

KEY_BYTES = 24
"""Random bytes of a key: 192 bits, 32 characters."""

RELOAD = "A server that runs takes it on `kill -HUP`, or when it is started again."

data_dir_option = click.option(
    "--data-dir", type=click.Path(path_type=Path), help="Where the server's files live."
)


@click.group()
def keys() -> None:
    """Make, list and revoke the keys of a server.

    \b
    vidi keys add lab --requests-per-minute 60 --tokens-per-day 1000000
    vidi keys list
    vidi keys usage --days 30
    vidi keys revoke lab

    The file of keys holds their SHA-256, never the keys. It is keys.json in the data folder, or
    VIDI_KEYS_FILE. While it is there, even empty, the server asks every caller for a key.
    """


@keys.command()
@click.argument("name")
@click.option("--requests-per-minute", type=int, metavar="N", help="Most requests in any minute.")
@click.option(
    "--tokens-per-day", type=int, metavar="N", help="Most tokens, prompts and answers, a day (UTC)."
)
@click.option("--stored-bytes", type=int, metavar="N", help="Most bytes of its files together.")
@click.option(
    "--model", "models", multiple=True, metavar="ID", help="A model that it may ask; repeat it [all]."
)
@click.option("--expires", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]), help="When it ends (UTC).")
@data_dir_option
@config_option
def add(name: str, data_dir: Path | None, config: Path | None, **limits: object) -> None:
    """Make a key for NAME and show it, once."""
    settings = _settings(config, data_dir)
    secret = PREFIX + secrets.token_urlsafe(KEY_BYTES)
    ends = limits.pop("expires")
    expires = ends.replace(tzinfo=UTC) if isinstance(ends, datetime) else None

    def change(file: KeysFile) -> KeysFile:
        new = {"name": name, "sha256": sha256_hex(secret), "expires": expires, **limits}
        return KeysFile.model_validate({"keys": [*file.keys, new]})

    _change(settings, change)
    click.echo(secret)
    click.echo(f"This is the key of {name}; it is shown only now. {RELOAD}", err=True)


@keys.command()
@click.argument("name")
@data_dir_option
@config_option
def revoke(name: str, data_dir: Path | None, config: Path | None) -> None:
    """Make the key of NAME open nothing any more.

    Its files and interactions stay until they expire, and belong to the next key of that name.
    """
    settings = _settings(config, data_dir)

    def change(file: KeysFile) -> KeysFile:
        left = tuple(key for key in file.keys if key.name != name)
        if left == file.keys:
            raise click.ClickException(f"There is no key {name!r} in {settings.keys_path}.")
        return KeysFile(keys=left)

    _change(settings, change)
    click.echo(f"Revoked {name}. {RELOAD}", err=True)


@keys.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for programs.")
@data_dir_option
@config_option
def list_keys(as_json: bool, data_dir: Path | None, config: Path | None) -> None:
    """Show each key's name and limits."""
    settings = _settings(config, data_dir)
    try:
        found = read_keys_file(settings.keys_path).keys
    except SettingsError as error:
        raise click.ClickException(str(error)) from None
    for key in found:
        if as_json:
            click.echo(key.model_dump_json(exclude={"sha256"}, exclude_defaults=True))
        else:
            click.echo(f"{key.name:24} {', '.join(_limits(key)) or 'no limits'}")
    if not found and not as_json:
        click.echo("There are no named keys. `vidi keys add NAME` makes one.", err=True)


@keys.command()
@click.option(
    "--days", type=click.IntRange(1), default=7, show_default=True, help="How many, today included."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for programs.")
@data_dir_option
@config_option
def usage(days: int, as_json: bool, data_dir: Path | None, config: Path | None) -> None:
    """Show what each key has used, by the day (UTC); a running server is a second ahead of it."""
    settings = _settings(config, data_dir)
    found = _usage(settings, (utc_now() - timedelta(days=days - 1)).date().isoformat())
    for (day, name), used in found.items():
        counts = {
            "requests": used.requests,
            "promptTokens": used.prompt_tokens,
            "outputTokens": used.output_tokens,
        }
        if as_json:
            click.echo(json.dumps({"day": day, "key": name, **counts}))
        else:
            shown = "  ".join(f"{count} {unit}" for unit, count in counts.items())
            click.echo(f"{day}  {name:24} {shown}")
    if not found and not as_json:
        click.echo("No key was used.", err=True)


def _settings(config: Path | None, data_dir: Path | None) -> Settings:
    return settings_from(config, {"data_dir": data_dir, "host": "127.0.0.1"})


def _change(settings: Settings, change: Callable[[KeysFile], KeysFile]) -> None:
    """Change the file of keys, or end with what is wrong."""
    try:
        change_keys_file(settings.keys_path, change)
    except SettingsError as error:
        raise click.ClickException(str(error)) from None


def _usage(settings: Settings, since: str) -> Days:
    path = settings.data_dir / USAGE_FILE
    if not path.exists():
        return {}
    try:
        with closing(UsageStore(path)) as store:
            return store.since(since)
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror}") from None


def _limits(key: NamedKey) -> Iterator[str]:
    """A key's limits in words."""
    if key.expires is not None:
        word = "expired" if key.expires <= utc_now() else "expires"
        yield f"{word} {key.expires.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    if key.requests_per_minute is not None:
        yield f"{key.requests_per_minute} requests a minute"
    if key.tokens_per_day is not None:
        yield f"{key.tokens_per_day} tokens a day"
    if key.stored_bytes is not None:
        yield f"{in_units(key.stored_bytes)} stored"
    if key.models:
        yield f"models {', '.join(key.models)}"
