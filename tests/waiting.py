"""Waiting for what must happen: the limit ends a hang, and never measures a machine."""

from __future__ import annotations

import time
from collections.abc import Callable

HANG_SECONDS = 300
"""What takes so long never comes, however busy the machine is."""


def until(condition: Callable[[], object]) -> None:
    """Wait for something that must happen."""
    end = time.monotonic() + HANG_SECONDS
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)
