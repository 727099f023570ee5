"""`vidi ps`: what runs in a server, by its own metrics."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import click
import httpx2
from prometheus_client.parser import text_string_to_metric_families

from vidi.cli.options import CONNECT_SECONDS, config_option, in_units, keys_of, settings_from
from vidi.settings import Settings

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}
"""An address that a server listens on, and where it is then asked."""

COLUMNS = {
    "vidi_prompts_running": "running",
    "vidi_prompts_waiting": "waiting",
    "vidi_model_memory_bytes": "memory",
    "vidi_model_restarts": "restarts",
}
"""The metrics that have a value for each model, and what they are called here."""

_SERVER_MEMORY = "process_resident_memory_bytes"


@click.command()
@click.option("--server", default="", metavar="URL", help="This server; the settings' own address otherwise.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for programs.")
@config_option
def ps(server: str, as_json: bool, config: Path | None) -> None:
    """Show the models that a running server has loaded: their memory, and requests running and waiting.

    \b
    vidi ps
    vidi ps --server http://gpu:8484      # with a key of its own: VIDI_API_KEYS
    """
    settings = settings_from(config, {})
    url = server or f"http://{_EVERYWHERE.get(settings.host, settings.host)}:{settings.port}"
    ready, metrics = _ask(url, settings, "/ready"), _ask(url, settings, "/metrics")
    if metrics.status_code != httpx2.codes.OK:
        raise click.ClickException(f"{url}/metrics answered {metrics.status_code}: {metrics.text.strip()}")
    models, memory = read(metrics.text)
    if as_json:
        for name, values in models.items():
            click.echo(json.dumps({"model": name, **values}))
        return
    state = "ready" if ready.status_code == httpx2.codes.OK else f"not ready: {_reasons(ready)}"
    click.echo(f"{url} is {state}; the server itself takes {in_units(memory)}")
    for line in _table(models):
        click.echo(line)


def read(metrics: str) -> tuple[dict[str, dict[str, int]], int]:
    """What metrics in Prometheus' text format say of each loaded model, and the server's own bytes."""
    models: dict[str, dict[str, int]] = {}
    memory = 0
    for family in text_string_to_metric_families(metrics):
        for sample in family.samples:
            if family.name in COLUMNS:
                model = models.setdefault(sample.labels["model"], dict.fromkeys(COLUMNS.values(), 0))
                model[COLUMNS[family.name]] = int(sample.value)
            elif family.name == _SERVER_MEMORY:
                memory = int(sample.value)
    return models, memory


def _ask(url: str, settings: Settings, path: str) -> httpx2.Response:
    try:
        return httpx2.get(f"{url.rstrip('/')}{path}", headers=keys_of(settings), timeout=CONNECT_SECONDS)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise click.ClickException(f"No server answers at {url}: {error or type(error).__name__}") from None


def _reasons(ready: httpx2.Response) -> str:
    try:
        match ready.json():
            case {"reasons": [*reasons]}:
                return " ".join(str(reason) for reason in reasons)
    except ValueError:
        pass
    return f"/ready answered {ready.status_code}"


def _table(models: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    if not models:
        yield "No model is loaded yet."
        return
    width = max(len(name) for name in [*models, "MODEL"])
    yield f"{'MODEL':{width}}  {'MEMORY':>16}  RUNNING  WAITING  RESTARTS"
    for name, values in models.items():
        memory = in_units(values["memory"]) if values["memory"] else "in the server's"
        counts = f"{values['running']:>7}  {values['waiting']:>7}  {values['restarts']:>8}"
        yield f"{name:{width}}  {memory:>16}  {counts}"
