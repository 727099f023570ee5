"""Which open models there are and which of them are on the disk, told without loading any of it."""

from __future__ import annotations

from collections.abc import Sequence

from vidi.engines.base import EngineContext, Offer
from vidi.engines.llama.members import Member, members


def offers(context: EngineContext) -> Sequence[Offer]:
    """Every model of every family that llama.cpp runs, and those that the user brought."""
    return tuple(_offer(member) for member in members(context.cache))


def _offer(member: Member) -> Offer:
    model = member.model
    return Offer(
        member.card(),
        opener="vidi.engines.llama.engine:open_engine",
        ready=member.files is not None,
        fetcher="vidi.engines.llama.depot:fetch",
        remover="vidi.engines.llama.depot:remove",
        rank=model.rank,
        unasked=False,
        size=model.text.size + model.vision.size,
        licence=model.licence or member.profile.licence,
    )
