"""`vidi files`: upload pictures to a server once, to use them in many prompts."""

from __future__ import annotations

import functools
import json
import mimetypes
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import click

from vidi.cli import INTERRUPTED
from vidi.cli.options import ClientError, config_option, settings_from
from vidi.cli.remote import File, FilesClient, Upload, connect_files
from vidi.settings import Settings


@dataclass(frozen=True, slots=True)
class Remote:
    """Whose files, and how they are shown."""

    settings: Settings
    server: str
    as_json: bool

    @contextmanager
    def open(self) -> Iterator[FilesClient]:
        """A client; what goes wrong for all of the block ends the program."""
        try:
            with connect_files(self.settings, self.server) as client:
                yield client
        except ClientError as error:
            raise click.ClickException(str(error)) from None


def _remote_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command `--server`, `--json` and `--config`, handed over as `remote`."""

    @click.option("--server", default="", metavar="URL", help="The server [http://127.0.0.1:8484].")
    @click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for programs.")
    @config_option
    @functools.wraps(command)
    def wrapped(*args: object, server: str, as_json: bool, config: Path | None, **options: object) -> None:
        settings = settings_from(config, {})
        command(*args, remote=Remote(settings, server or _own_server(settings), as_json), **options)

    return wrapped


names_argument = click.argument("names", nargs=-1, required=True, metavar="NAME...")


@click.group()
def files() -> None:
    """Upload files to a running server, and see what is there.

    A file is kept for 48 hours, or as long as the server is told. Use its uri in a prompt's fileData.

    \b
    vidi files upload street.jpg
    vidi files list
    vidi files delete files/zyg60km4wauf
    """


@files.command(short_help="Upload files; the same command continues what was interrupted.")
@click.argument(
    "paths",
    nargs=-1,
    required=True,
    metavar="FILE...",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option("--name", default="", help="Resource name, files/<id>; for one file alone [one is made].")
@click.option("--display-name", default="", help="Name in listings; for one file alone [the file's own].")
@click.option("--mime-type", default="", help="[by the file's ending; a picture's own bytes decide]")
@_remote_options
def upload(paths: tuple[Path, ...], name: str, display_name: str, mime_type: str, remote: Remote) -> None:
    """Upload each FILE.

    What is interrupted, by a lost connection, a restart of the server or Ctrl-C, continues where it
    stopped when the same command is given again.
    """
    if len(paths) > 1 and (name or display_name):
        raise click.UsageError("--name and --display-name are for one file alone.")
    failed = False
    with remote.open() as client:
        for path in paths:
            status = path.stat()
            described = Upload(
                server=remote.server,
                path=path.resolve(),
                size=status.st_size,
                modified=status.st_mtime_ns,
                name=name,
                display_name=display_name or path.name,
                mime_type=mime_type or guess_type(path),
            )
            failed |= not _uploaded(client, described, path, as_json=remote.as_json)
    sys.exit(1 if failed else 0)


@files.command("list")
@_remote_options
def list_(remote: Remote) -> None:
    """List all files, the newest first."""
    empty = True
    with remote.open() as client:
        for file in client.list():
            empty = False
            click.echo(json.dumps(file, ensure_ascii=False) if remote.as_json else _line(file))
    if empty and not remote.as_json:
        click.echo(f"No files at {remote.server}. `vidi files upload PHOTO` brings one.", err=True)


@files.command()
@names_argument
@_remote_options
def show(names: tuple[str, ...], remote: Remote) -> None:
    """Show everything about each file, by its NAME (files/<id>), bare id or uri."""

    def one(client: FilesClient, name: str) -> None:
        file = client.get(name)
        click.echo(json.dumps(file, ensure_ascii=False) if remote.as_json else _fields(file))

    _each(remote, names, one)


@files.command()
@names_argument
@_remote_options
def delete(names: tuple[str, ...], remote: Remote) -> None:
    """Delete each file, by its NAME (files/<id>), bare id or uri, for good."""

    def one(client: FilesClient, name: str) -> None:
        client.delete(name)
        click.echo(json.dumps({"deleted": name}) if remote.as_json else f"deleted: {name}")

    _each(remote, names, one)


def guess_type(path: Path) -> str:
    """The MIME type that a file's ending stands for; "" if it stands for none."""
    known = mimetypes.MimeTypes()
    for ending in ("heic", "heif", "webp"):
        known.add_type(f"image/{ending}", f".{ending}")
    found, encoding = known.guess_type(path.name)
    return found if found and not encoding else ""


def _own_server(settings: Settings) -> str:
    """Where `vidi serve` listens with the same settings, as this machine reaches it."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


def _uploaded(client: FilesClient, upload: Upload, path: Path, *, as_json: bool) -> bool:
    """Upload one file and show what it became; whether it can be used."""
    try:
        with click.progressbar(
            length=upload.size, label=path.name, file=sys.stderr, hidden=not sys.stderr.isatty()
        ) as bar:
            file = client.upload(upload, lambda received: bar.update(received - bar.pos))
    except (ClientError, OSError) as error:
        click.echo(f"{path}: {error}", err=True)
        return False
    except KeyboardInterrupt:
        click.echo(f"\n{path}: interrupted. The same command continues where this one stopped.", err=True)
        sys.exit(INTERRUPTED)
    click.echo(json.dumps(file, ensure_ascii=False) if as_json else _line(file))
    match file:
        case {"error": {"message": str(why)}}:
            click.echo(f"{path}: {why}", err=True)
            return False
    return True


def _each(remote: Remote, names: tuple[str, ...], act: Callable[[FilesClient, str], None]) -> None:
    """Do something with each file; exit with 1 if one failed."""
    failed = False
    with remote.open() as client:
        for name in names:
            try:
                act(client, name)
            except ClientError as error:
                click.echo(f"{name}: {error}", err=True)
                failed = True
    sys.exit(1 if failed else 0)


def _line(file: File) -> str:
    """A file on one line."""
    name = click.style(f"{file.get('name', ''):19}", bold=True)
    return (
        f"{name}  {file.get('state', ''):6}  {_size(file):>10}  {file.get('mimeType', ''):10}  "
        f"until {_local(file.get('expirationTime'))}  {file.get('displayName', '')}"
    ).rstrip()


def _fields(file: File) -> str:
    """A file field by field, under the API's own names."""
    shown = [f"  {name:15} {value}" for name, value in file.items() if name != "name"]
    return "\n".join([click.style(str(file.get("name", "")), bold=True), *shown])


def _size(file: File) -> str:
    size = int(str(file.get("sizeBytes", 0)))
    return f"{size / 1e6:,.1f} MB" if size >= 100_000 else f"{size:,} B"


def _local(time: object) -> str:
    """An RFC 3339 time on this machine's clock, to the minute."""
    return datetime.fromisoformat(str(time)).astimezone().strftime("%Y-%m-%d %H:%M")
