"""What this machine has for models: memory and graphics cards."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from pkgutil import resolve_name

_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def machine_memory(limits: Sequence[Path] = _LIMITS) -> int:
    """Bytes of memory that this machine, or the container around this process, has in all."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([physical, *(_limit(path, physical) for path in limits)])


def graphics_devices() -> list[str]:
    """The device files of drivers that map more address space than there is memory."""
    return [device for device in ("/dev/nvidiactl", "/dev/kfd", "/dev/dri") if Path(device).exists()]


def accelerators() -> list[str]:
    """The graphics cards that llama.cpp, as it is installed, can use."""
    if find_spec("xllamacpp") is None:
        return []
    devices: list[Mapping[str, object]] = resolve_name("xllamacpp:get_device_info")()
    return [
        f"{device['name']}: {device['description']}, {int(str(device['memory_total'])) / 1e9:.0f} GB"
        for device in devices
        if device["name"] != "CPU"
    ]


def _limit(path: Path, otherwise: int) -> int:
    try:
        return int(path.read_text("ascii"))
    except (OSError, ValueError):
        return otherwise
