"""`vidi doctor`: what this machine has, what runs on it, and what to do about the rest."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click

from vidi import __version__
from vidi.cli.options import config_option, in_units, settings_from
from vidi.domain.errors import VidiError
from vidi.engines.machine import accelerators, graphics_devices, machine_memory, usable_cores
from vidi.engines.weights import INSTALL_LLAMA
from vidi.in_process import default_model, installed
from vidi.settings import Settings

PACKAGES = ("onnxruntime", "pillow", "pi-heif", "uvicorn", "xllamacpp", "huggingface-hub")
"""What answers and speed depend on most."""

LITTLE_DISK = 2_000_000_000
"""Free bytes below which uploads and the smallest models may fail."""


class Mark(Enum):
    """How something stands; the value is how it is shown."""

    GOOD = ("ok", "green")
    NOTE = ("note", "yellow")
    BAD = ("bad", "red")


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report, and what to do about it."""

    about: str
    text: str
    verdict: Mark = Mark.GOOD
    advice: str = ""


@click.command()
@config_option
def doctor(config: Path | None) -> None:
    """Say what was found on this machine and what to do; asks no server and no hub.

    Exits with 1 if something keeps `vidi serve` from working.
    """
    settings = settings_from(config, {})
    found = list(findings(settings))
    for finding in found:
        word, colour = finding.verdict.value
        click.echo(f"{click.style(f'{word:4}', fg=colour)}  {finding.about:10}  {finding.text}")
        if finding.advice:
            click.echo(f"{'':18}{finding.advice}")
    sys.exit(any(finding.verdict is Mark.BAD for finding in found))


def findings(settings: Settings) -> Iterator[Finding]:
    """What there is, in the order in which one looks."""
    yield Finding("vidi", f"{__version__} on Python {platform.python_version()}, {platform.platform()}")
    yield _packages()
    yield Finding(
        "processor", f"{usable_cores()} cores for us, {platform.machine()}; {settings.threads} for an answer"
    )
    yield Finding("memory", in_units(machine_memory()))
    yield _graphics()
    yield _folder("data", settings.data_dir)
    yield _folder("cache", settings.cache_dir)
    yield from _models(settings)
    yield _reachable(settings)


def _packages() -> Finding:
    found = {name: _version(name) for name in PACKAGES}
    text = ", ".join(f"{name} {told}" for name, told in found.items() if told)
    if found["xllamacpp"]:
        return Finding("packages", text)
    return Finding(
        "packages",
        text,
        Mark.NOTE,
        INSTALL_LLAMA,
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _graphics() -> Finding:
    usable = accelerators()
    if usable:
        return Finding("graphics", "; ".join(usable))
    seen = graphics_devices()
    if not seen:
        return Finding("graphics", "none; models run on the processor")
    return Finding(
        "graphics",
        f"there is a card ({', '.join(seen)}), but the llama.cpp that is installed cannot use it",
        Mark.NOTE,
        "xllamacpp has wheels for CUDA, ROCm and Vulkan; docs/models/gpu.md says which.",
    )


def _folder(about: str, folder: Path) -> Finding:
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        advice = f"Give this user {place}, or choose another with VIDI_{about.upper()}_DIR."
        return Finding(about, f"{folder} cannot be written", Mark.BAD, advice)
    free = shutil.disk_usage(place).free
    verdict = Mark.GOOD if free > LITTLE_DISK else Mark.NOTE
    return Finding(about, f"{folder}, {in_units(free)} free", verdict)


def _models(settings: Settings) -> Iterator[Finding]:
    ready = [entry.card.id for entry in installed(settings).values() if entry.ready]
    yield Finding("models", f"on this disk: {', '.join(ready) or 'none'}")
    try:
        entry = default_model(settings)
    except VidiError as error:
        yield Finding("default", error.message, Mark.BAD)
        return
    if entry.ready:
        yield Finding("default", entry.card.id)
    else:
        advice = f"Fetch it: vidi pull {entry.card.id}"
        yield Finding("default", f"{entry.card.id}, not on this disk yet", Mark.NOTE, advice)


def _reachable(settings: Settings) -> Finding:
    who = "with a key" if settings.api_keys else "this machine alone, without a key"
    return Finding("callers", f"{settings.host}:{settings.port}, {who}")
