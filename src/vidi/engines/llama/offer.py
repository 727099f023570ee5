"""Which open models there are and which of them are on the disk, told without loading any of it."""

from __future__ import annotations

from collections.abc import Sequence

from vidi.engines.base import EngineContext, Offer
from vidi.engines.llama.members import Member, members

NEVER = -1
"""The rank of a model that is not on the disk: nobody gets gigabytes that they did not ask for."""


def offers(context: EngineContext) -> Sequence[Offer]:
    """Every model of every family that llama.cpp runs, and those that the user brought."""
    return tuple(_offer(member) for member in members(context.cache))


def _offer(member: Member) -> Offer:
    ready = member.files is not None
    return Offer(
        member.card(),
        opener="vidi.engines.llama.engine:open_engine",
        ready=ready,
        rank=member.model.rank if ready else NEVER,
    )
