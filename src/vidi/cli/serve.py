"""`vidi serve`: flags become Settings, nothing more."""

from __future__ import annotations

import errno
import signal
import socket
from pathlib import Path

import click

from vidi import __version__
from vidi.app import create_app
from vidi.cli.completion import ModelName
from vidi.cli.options import StartError, config_option, settings_from
from vidi.cli.pull import fetch_first, refuse_unpulled
from vidi.domain.errors import VidiError
from vidi.engines.base import ModelEntry
from vidi.http import logs, server
from vidi.http.stream import Drain
from vidi.in_process import engines
from vidi.settings import Settings, SettingsError, server_keys


@click.command()
@click.option("--host", help="Address to listen on [127.0.0.1]; another needs VIDI_API_KEYS.")
@click.option("--port", type=int, help="Port to listen on [8484]; 0 takes a free one.")
@click.option(
    "--model",
    type=ModelName(),
    metavar="ID",
    help="Model behind every Gemini name [the best one on the disk].",
)
@click.option("--data-dir", type=click.Path(path_type=Path), help="Where uploaded files live.")
@click.option("--cache-dir", type=click.Path(path_type=Path), help="Where weights live.")
@click.option("--max-request-bytes", type=int, metavar="N", help="Largest request body [100 MB].")
@click.option("--max-images", type=int, metavar="N", help="Most pictures in a request [3600].")
@click.option("--max-image-pixels", type=int, metavar="N", help="Largest picture [64 megapixels].")
@click.option("--queue", type=int, metavar="N", help="How many prompts may wait for a model [64].")
@click.option("--threads", type=int, metavar="N", help="Threads that one answer may keep busy [cores - 1].")
@click.option("--log-format", type=click.Choice(["text", "json"]), help="How log lines look [text].")
@click.option("-v", "--verbose", is_flag=True, help="Log every request.")
@config_option
def serve(verbose: bool, config: Path | None, **flags: object) -> None:
    """Serve the Gemini API until Ctrl-C or SIGTERM.

    Then no new request is taken, and running answers get VIDI_DRAIN_SECONDS to end. A second Ctrl-C ends
    them at once.

    Without --model a backend's model answers, if there is a backend (VIDI_BACKEND=http://gpu:8000/v1), else
    the best model on the disk, else vidi-lite, which fetches its weights once.
    """
    settings = settings_from(config, flags)
    logs.configure(as_json=settings.log_format == "json", verbose=verbose)
    try:
        server_keys(settings)
    except SettingsError as error:
        raise StartError(str(error)) from None
    try:
        registry = engines(settings)
        entry = registry.default
        refuse_unpulled(entry)
        listener = _listen(settings)
        if not entry.ready:
            fetch_first(settings, entry)
            registry = engines(settings)
        drain = Drain(settings.drain_seconds)
        app = create_app(settings, drain=drain, registry=registry)
    except VidiError as error:
        raise StartError(error.message) from None
    # From the greeting on it means: read the keys again. The server listens to it a moment later.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    click.echo(_greeting(settings, entry, listener.getsockname()[1]), err=True)
    server.serve(app, listener, drain)


def _greeting(settings: Settings, entry: ModelEntry, port: int) -> str:
    why = "as chosen" if settings.model else "the best model on this disk"
    if entry.runs_at:
        why = f"at {entry.runs_at}"
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    key = "a key of this server" if settings.locked else "any"
    return (
        f"Vidi {__version__} answers with {click.style(entry.card.id, bold=True)} ({why}; "
        f"`vidi models` shows the others).\n"
        f"  export GOOGLE_GEMINI_BASE_URL=http://{host}:{port}\n"
        f"  export GEMINI_API_KEY={key!r}\n"
        f"Ctrl-C stops."
    )


def _listen(settings: Settings) -> socket.socket:
    try:
        return server.listen(settings.host, settings.port)
    except OSError as error:
        why = (error.strerror or str(error)).partition(" (while")[0]
        advice = {
            errno.EADDRINUSE: "Stop what listens there, or choose another port with --port or VIDI_PORT",
            errno.EACCES: "Low ports need a right of their own; choose another with --port or VIDI_PORT",
        }.get(error.errno or 0, "Choose an address of this machine with --host or VIDI_HOST")
        raise StartError(f"Cannot listen on {settings.host}:{settings.port}: {why}. {advice}.") from None
