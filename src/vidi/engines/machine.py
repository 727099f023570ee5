"""What this machine has for models, memory and graphics cards, and which of them suits it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from importlib.util import find_spec
from pathlib import Path
from pkgutil import resolve_name

from vidi.engines.base import ModelEntry

_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))

FEW_CORES = 4
"""With fewer, only the quickest models answer in reasonable time."""


def machine_memory(limits: Sequence[Path] = _LIMITS) -> int:
    """Bytes of memory that this machine, or the container around this process, has in all."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([physical, *(_limit(path, physical) for path in limits)])


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def resident_bytes(pid: int) -> int:
    """Bytes of memory that a process holds; 0 if it has ended, or where the system does not tell."""
    try:
        pages = Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]
    except (OSError, IndexError):
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def graphics_devices() -> list[str]:
    """The device files of drivers that map more address space than there is memory."""
    return [device for device in ("/dev/nvidiactl", "/dev/kfd", "/dev/dri") if Path(device).exists()]


def accelerators() -> list[str]:
    """The graphics cards that llama.cpp, as it is installed, can use."""
    return [
        f"{device['name']}: {device['description']}, {int(str(device['memory_total'])) / 1e9:.0f} GB"
        for device in _devices()
    ]


def graphics_memory() -> int:
    """Bytes of memory of the largest card that llama.cpp, as it is installed, can use; 0 if there is none."""
    return max((int(str(device["memory_total"])) for device in _devices()), default=0)


def _devices() -> list[Mapping[str, object]]:
    if find_spec("xllamacpp") is None:
        return []
    devices: list[Mapping[str, object]] = resolve_name("xllamacpp:get_device_info")()
    return [device for device in devices if device["name"] != "CPU"]


class Speed(Enum):
    """How long an answer takes on a processor, by the parameters at work for each token."""

    QUICK = "quick"
    FAIR = "fair"
    SLOW = "slow"
    CARD = "for a GPU"


def speed_of(active: float) -> Speed:
    """The class of a model with so many billions of parameters at work."""
    limits = ((1, Speed.QUICK), (2.5, Speed.FAIR), (10, Speed.SLOW))
    return next((speed for limit, speed in limits if active <= limit), Speed.CARD)


def recommended(entries: Iterable[ModelEntry], cores: int, memory: int, card: int) -> str:
    """The id of the model that a machine of this kind should have; "" if none fits.

    The highest rank among those whose licence asks for nothing: with a graphics card, of those that fill at
    most nine tenths of its memory; without one, of those that fill at most half of the machine's and answer
    in reasonable time, which with fewer than four cores only the quickest do.

    Args:
        entries: What is known.
        cores: Of the processor.
        memory: Of the machine, in bytes.
        card: Of its graphics card, in bytes; 0 without one.
    """
    speeds = (Speed.QUICK,) if cores < FEW_CORES else (Speed.QUICK, Speed.FAIR)
    fitting = [
        entry
        for entry in entries
        if entry.memory
        and entry.rank >= 0
        and not entry.runs_at
        and not (entry.licence and entry.licence.limits)
        and (
            entry.memory <= 0.9 * card
            if card
            else entry.memory <= memory / 2 and speed_of(entry.active) in speeds
        )
    ]
    return max(fitting, key=lambda entry: entry.rank).card.id if fitting else ""


def _limit(path: Path, otherwise: int) -> int:
    try:
        return int(path.read_text("ascii"))
    except (OSError, ValueError):
        return otherwise
