"""The seam of kept interactions, and the values that cross it.

An interaction is kept whole and never changed: what was asked and what was answered, both as JSON that only
`wire` reads. One that continues another names it; followed to the first one, these names are its history.

    store.add(interaction, limits)                # durable from here on
    store.find(owner, interaction.id, now)        # the same, until it expires
    store.history(owner, interaction.id, now, 9)  # its own link, then that of the one before, ...
    store.delete(owner, interaction.id)           # it is gone for good

A store is called from several threads at once. It reports trouble as OSError; ENOSPC or EDQUOT means that the
disk is full. `tests/contract/` holds the suite that an implementation must pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol


@dataclass(frozen=True, slots=True)
class StoredInteraction:
    """An interaction that was answered.

    Attributes:
        id: Unguessable, unique on this server.
        owner: Digest of the key that asked; "" on an open server.
        previous: Id of the interaction that it continues; "" if none.
        created: When it was asked (aware).
        expires: From this moment on it does not exist (aware).
        input: What was asked, as JSON.
        answer: The resource as it was answered, as JSON.
    """

    id: str
    owner: str
    previous: str
    created: datetime
    expires: datetime
    input: bytes = field(repr=False)
    answer: bytes = field(repr=False)

    @property
    def size(self) -> int:
        """What it counts for against the limits, in bytes."""
        return len(self.input) + len(self.answer)


@dataclass(frozen=True, slots=True)
class Link:
    """What a history needs to know of one interaction: its size in bytes, and which one it continues."""

    id: str
    previous: str
    size: int


@dataclass(frozen=True, slots=True)
class InteractionLimits:
    """How much is kept for each owner, and for how long.

    Attributes:
        count: Most interactions of one owner.
        total_bytes: Most bytes of one owner's interactions together.
        lifetime: How long an interaction is kept after it was asked.
        longest_history: Most interactions that one conversation may consist of.
    """

    count: int = 10_000
    total_bytes: int = 1 << 30
    lifetime: timedelta = timedelta(hours=48)
    longest_history: int = 1_000


class InteractionStore(Protocol):
    """Keeps interactions. Every method is one transaction, durable before it returns, and linearizable."""

    def add(self, interaction: StoredInteraction, limits: InteractionLimits) -> None:
        """Keep an interaction; the same owner's oldest ones go where the limits ask for it."""
        ...

    def find(self, owner: str, interaction_id: str, now: datetime) -> StoredInteraction | None:
        """One interaction; None if the owner has none of that id, or it has expired."""
        ...

    def answer(self, owner: str, interaction_id: str, now: datetime) -> bytes | None:
        """The answer of one interaction, without reading what was asked; None as `find`."""
        ...

    def history(self, owner: str, interaction_id: str, now: datetime, longest: int) -> Sequence[Link]:
        """The interaction, the one that it continues, and so on: up to the first one, to one that is not
        there, or to `longest` of them. Nothing is read but their links."""
        ...

    def delete(self, owner: str, interaction_id: str) -> bool:
        """Remove an interaction; whether there was one."""
        ...

    def expire(self, now: datetime, limit: int) -> int:
        """Remove up to `limit` interactions that have expired; returns how many."""
        ...
