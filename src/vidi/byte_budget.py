"""The one budget of bytes: whatever holds a request's bytes in memory takes them from it, or is refused.

Bodies that arrive, files that are read for a prompt, prepared pictures and interactions that are sent again
all count. Who asks is refused at once when too little is left: nobody waits for memory while holding some.
But clients that stand still keep nobody out: see `ByteBudget.take`.
"""

from __future__ import annotations

import asyncio
import ctypes
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Self

from vidi.domain.errors import Unavailable

RECENT_S = 5.0
"""What came this long ago counts a third (1/e) of what comes now."""

STALLED = 0.5
"""A transfer is stalled when so small a share of its bytes is recent: 3.5 s after it stopped. One that moves
at an even rate is after 8 s, and that matters only while the memory is short."""

RETRY_AFTER_S = 1.0
"""What a refused caller is told to wait."""

WORTH_GIVING_BACK = 16_000_000
"""So many bytes of requests that have ended go back to the system; for fewer it is not asked."""

SETTLE_S = 0.5
"""How long after its end the last objects of a request are freed, at most."""

_M_ARENA_MAX = -8
"""Source: malloc.h of the GNU C library."""


def share_heap() -> None:
    """Let all threads take memory from one heap; only the GNU C library keeps one for each.

    Bodies are read and answers made on threads, and what is large is lost in the gaps of each heap: of 43 MB
    of a freed request nothing could be given back. Python's lock lets one thread work at a time anyway.
    """
    choose = getattr(ctypes.CDLL(None), "mallopt", None)
    if choose is not None and hasattr(ctypes.CDLL(None), "gnu_get_libc_version"):
        choose(_M_ARENA_MAX, 1)


def give_back() -> None:
    """Return freed memory to the system; only the GNU C library waits to be told."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


class Transfer:
    """Bytes on their way from a client, or to one. Made by `ByteBudget.transfer`.

    Attributes:
        held: Bytes taken from the budget.
        put_out: Whether it had to give its place to others; then nothing is held any more.
        interrupt: Called when it is put out, so that whoever waits for the client stops waiting.
    """

    def __init__(self, budget: ByteBudget) -> None:
        self.held = 0
        self.put_out = False
        self.interrupt: Callable[[], None] | None = None
        self._budget = budget
        self._recent = 0.0
        self._at = budget.clock()

    def __enter__(self) -> Self:
        self._budget.begin(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._budget.end(self)

    def share(self) -> float:
        """Which share of its bytes is recent: 1 for a burst, 0 for one that has stopped."""
        return self._decayed() / self.held if self.held else 1.0

    def moved(self, size: int) -> None:
        """The client sent or took so many bytes."""
        self._recent = self._decayed() + size
        self._at = self._budget.clock()

    def add(self, size: int, most: float = math.inf) -> None:
        """Count bytes that came, or are about to go, up to `most` in all.

        Raises:
            Unavailable: The budget is used up, and nobody is stalled.
        """
        self.moved(size)
        taken = int(min(size, max(0.0, most - self.held)))
        self._budget.take(taken, self)
        self.held += taken

    def _decayed(self) -> float:
        return self._recent * math.exp((self._at - self._budget.clock()) / RECENT_S)


class ByteBudget:
    """How many bytes may be held in memory for requests. For one event loop.

    Attributes:
        used: Bytes that are held now.
        peak: The most that was held at the same time.
    """

    def __init__(
        self,
        total: int,
        clock: Callable[[], float] = time.monotonic,
        trim: Callable[[], None] = give_back,
    ) -> None:
        """Allow `total` bytes; `clock` tells seconds, `trim` is called a moment after much was freed."""
        self.clock = clock
        self._trim = trim
        self.used = 0
        self.peak = 0
        self._total = total
        self._moving: dict[Transfer, None] = {}
        self._highest = 0
        self._settling: asyncio.TimerHandle | None = None

    @contextmanager
    def hold(self, size: int) -> Iterator[None]:
        """Count bytes as held until the block is left.

        Raises:
            Unavailable: As `take`.
        """
        self.take(size)
        try:
            yield
        finally:
            self._free(size)

    def transfer(self) -> Transfer:
        """Count the bytes of a body while it moves, and as held until the block is left."""
        return Transfer(self)

    def begin(self, transfer: Transfer) -> None:
        """A body begins to move: from now on it may be put out."""
        self._moving[transfer] = None

    def end(self, transfer: Transfer) -> None:
        """What it held is free."""
        self.complete(transfer)
        self._free(transfer.held)
        transfer.held = 0

    def _free(self, size: int) -> None:
        self.used -= size
        if self._highest - self.used < WORTH_GIVING_BACK or self._settling:
            return
        with suppress(RuntimeError):  # Without a loop nobody is served.
            self._settling = asyncio.get_running_loop().call_later(SETTLE_S, self._give_back)

    def _give_back(self) -> None:
        self._settling = None
        self._highest = self.used
        # It may take as long as a hundred requests, and needs no Python.
        asyncio.get_running_loop().run_in_executor(None, self._trim)

    def complete(self, transfer: Transfer) -> None:
        """A body is here to its end: it cannot be put out any more."""
        self._moving.pop(transfer, None)

    def take(self, size: int, asker: Transfer | None = None) -> None:
        """Take bytes, which `hold` and `transfer` give back.

        When too little is left, stalled transfers are put out, the one with the smallest share of recent
        bytes first, but none for one that moves more slowly than itself, and none if that would not be
        enough. So whoever keeps others out has to move all that is held, anew every 8 s.

        Raises:
            Unavailable: The bytes are held for other requests.
        """
        self.require(size, asker)
        self.used += size
        self.peak = max(self.peak, self.used)
        self._highest = max(self._highest, self.used)

    def require(self, size: int, asker: Transfer | None = None) -> None:
        """Make room for bytes that will be asked for. Raises Unavailable, as `take`."""
        missing = self.used + size - self._total
        if missing <= 0:
            return
        most = min(STALLED, asker.share()) if asker else STALLED
        shares = {each: each.share() for each in self._moving if each is not asker and each.held}
        stalled = sorted(
            (each for each, share in shares.items() if share < most), key=lambda each: shares[each]
        )
        if sum(each.held for each in stalled) < missing:
            raise Unavailable(
                "The server holds too many large requests. Please try again.", retry_after=RETRY_AFTER_S
            )
        for each in stalled:
            if missing <= 0:
                return
            missing -= each.held
            self._put_out(each)

    def _put_out(self, transfer: Transfer) -> None:
        self.complete(transfer)
        self.used -= transfer.held
        transfer.held = 0
        transfer.put_out = True
        if transfer.interrupt is not None:
            transfer.interrupt()
