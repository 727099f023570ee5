"""The interactions that are kept: add, look up, follow to the first one, delete, expire."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from vidi.domain.errors import InvalidRequest, NotFound
from vidi.interactions.sqlite import SqliteInteractions
from vidi.interactions.store import InteractionLimits, InteractionStore, StoredInteraction
from vidi.storage.clock import Clock, IdMaker, utc_now
from vidi.storage.errors import opening, storage_faults
from vidi.storage.threads import StorageThreads

EXPIRED_AT_ONCE = 100
"""Rows that one transaction removes."""

EXPIRE_EVERY = timedelta(seconds=30)
"""Interactions go to the minute."""

LONGEST_SHOWN = 80
"""How much of a wrong id is repeated in an error, in characters."""

PREVIOUS = "previous_interaction_id"


def new_id() -> str:
    """128 bits that nobody can guess, as 32 characters of [0-9a-f]."""
    return secrets.token_hex(16)


@dataclass(frozen=True, slots=True)
class History:
    """A conversation that may go on: the ids of its interactions, the oldest first, and their bytes."""

    ids: tuple[str, ...] = ()
    size: int = 0


class InteractionService:
    """All kept interactions of a server. Every method is safe in any thread and may wait for the disk."""

    def __init__(
        self, store: InteractionStore, limits: InteractionLimits, clock: Clock, ids: IdMaker = new_id
    ) -> None:
        self._store = store
        self._limits = limits
        self._ids = ids
        self.clock = clock

    def new_id(self) -> str:
        return self._ids()

    def keep(self, owner: str, interaction_id: str, previous: str, request: bytes, answer: bytes) -> None:
        """Keep an interaction until it expires or newer ones need its room; from here on it survives a crash.

        Raises:
            ResourceExhausted, Unavailable: The storage failed.
        """
        now = self.clock()
        interaction = StoredInteraction(
            interaction_id, owner, previous, now, now + self._limits.lifetime, request, answer
        )
        with storage_faults():
            self._store.add(interaction, self._limits)

    def answer(self, owner: str, interaction_id: str) -> bytes:
        """The answer of one interaction, without what was asked.

        Raises:
            NotFound: As `get`.
        """
        with storage_faults():
            found = self._store.answer(owner, interaction_id, self.clock())
        if found is None:
            raise unknown(interaction_id)
        return found

    def size(self, owner: str, interaction_id: str) -> int:
        """How many bytes `get` would read.

        Raises:
            NotFound: As `get`.
        """
        with storage_faults():
            links = self._store.history(owner, interaction_id, self.clock(), 1)
        if not links:
            raise unknown(interaction_id)
        return links[0].size

    def get(self, owner: str, interaction_id: str) -> StoredInteraction:
        """One interaction.

        Raises:
            NotFound: It is unknown, expired, deleted, never kept or somebody else's: all alike.
        """
        with storage_faults():
            found = self._store.find(owner, interaction_id, self.clock())
        if found is None:
            raise unknown(interaction_id)
        return found

    def history(self, owner: str, interaction_id: str, largest: int) -> History:
        """The conversation that ends with an interaction; nothing is read but what it would take to load it.

        Args:
            owner: Who asks.
            interaction_id: The last one; "" for no conversation at all.
            largest: Most bytes that it may have.

        Raises:
            NotFound: One of its interactions is not there any more.
            InvalidRequest: It is too long to be continued.
        """
        if not interaction_id:
            return History()
        with storage_faults():
            links = self._store.history(owner, interaction_id, self.clock(), self._limits.longest_history)
        if not links:
            raise unknown(interaction_id, PREVIOUS)
        size = sum(link.size for link in links)
        if len(links) == self._limits.longest_history or size > largest:
            raise InvalidRequest(
                f"{PREVIOUS}: the conversation has {len(links)} interactions or more, {size} bytes; at most "
                f"{self._limits.longest_history - 1} and {largest} can be continued. Start a new one.",
                where=PREVIOUS,
            )
        if links[-1].previous:
            raise NotFound(
                f"{PREVIOUS}: interaction {links[-1].previous}, which an earlier part of the conversation "
                "continues, was deleted or has expired. Start a new conversation.",
                where=PREVIOUS,
            )
        return History(tuple(link.id for link in reversed(links)), size)

    def load(self, owner: str, history: History) -> Sequence[StoredInteraction]:
        """The interactions of a history.

        Raises:
            NotFound: One was deleted or has expired since.
        """
        return [self.get(owner, each) for each in history.ids]

    def delete(self, owner: str, interaction_id: str) -> None:
        """Remove an interaction. What continues it stays, but cannot be continued any more.

        Raises:
            NotFound: As `get`.
        """
        self.size(owner, interaction_id)
        with storage_faults():
            if not self._store.delete(owner, interaction_id):
                raise unknown(interaction_id)

    def expire(self) -> int:
        """Remove all interactions whose time is over; returns how many."""
        expired = 0
        with storage_faults():
            while removed := self._store.expire(self.clock(), EXPIRED_AT_ONCE):
                expired += removed
        return expired

    async def run_janitor(self, threads: StorageThreads, every: timedelta = EXPIRE_EVERY) -> None:
        """Remove what has expired, again and again until cancelled."""
        await threads.run_every(every, self.expire, "interactions could not be expired")


def unknown(interaction_id: str, where: str = "") -> NotFound:
    """What is said of an interaction that is not there for the caller, whatever the reason."""
    shown = interaction_id[:LONGEST_SHOWN]
    prefix = f"{where}: " if where else ""
    return NotFound(
        f"{prefix}There is no interaction {shown!r}. It was never kept, was deleted, or has expired.",
        where=where,
    )


@contextmanager
def open_interactions(directory: Path, limits: InteractionLimits) -> Iterator[InteractionService]:
    """The interactions in a directory that this server has for itself, as `open_files` sees to.

    Raises:
        Unavailable: It cannot be used.
    """
    with opening(directory):
        store = SqliteInteractions(directory / "interactions.sqlite3")
    with closing(store):
        with opening(directory):
            interactions = interactions_over(store, limits, utc_now)
        yield interactions


def interactions_over(store: InteractionStore, limits: InteractionLimits, clock: Clock) -> InteractionService:
    """The interactions in a store, those taken away whose time is over."""
    interactions = InteractionService(store, limits, clock)
    interactions.expire()
    return interactions
