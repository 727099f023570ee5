"""Open models as offers: told from manifests alone, ready once they were pulled."""

from __future__ import annotations

from pathlib import Path

from tests.model.pulling import publish_random
from vidi.engines.base import EngineContext
from vidi.engines.llama.catalog import models


def test_a_model_is_ready_once_it_is_on_the_disk_and_never_fetched_unasked(tmp_path: Path) -> None:
    publish_random(tmp_path, "mine")
    context = EngineContext(tmp_path, threads=1, progress=lambda step, done, total: None)
    found = {offer.card.id: offer for offer in models(context)}
    mine = found.pop("mine")
    assert mine.ready
    assert mine.size > 500_000
    assert mine.licence is not None
    assert mine.licence.name == "CC0-1.0"
    assert mine.rank == -1
    assert not any(offer.ready or offer.auto_download for offer in found.values())
    assert all(offer.licence and offer.licence.url for offer in found.values())
    for offer in (mine, *found.values()):
        assert (offer.factory, offer.fetcher, offer.remover) == (
            "vidi.engines.llama.engine:open_engine",
            "vidi.engines.llama.pull:fetch",
            "vidi.engines.llama.pull:remove",
        )
