"""From a model id to a running engine, by entry point, imported on first use."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from importlib.metadata import entry_points
from pkgutil import resolve_name

from vidi.domain.errors import InvalidRequest, NotFound, Unavailable
from vidi.engines.base import (
    Engine,
    EngineContext,
    EngineFactory,
    ModelEntry,
    ModelLister,
    Pull,
    PullRequest,
    WeightsFetcher,
    WeightsProvider,
    WeightsRemover,
)
from vidi.engines.worker import Worker

GROUP = "vidi.engines"
"""The entry point group in which installed packages publish their models."""

WEIGHTS_GROUP = "vidi.weights"
"""The entry point group of WeightsDepots, for models of the user's own."""

ALIAS = re.compile(r"gemini-[\w.-]{1,100}", re.ASCII)
"""A name like these runs the default model, so that code written for Gemini runs as it is."""


def installed_models(context: EngineContext) -> dict[str, ModelEntry]:
    """Every model that the installed adapters can open, by id, best rank first."""
    found: list[ModelEntry] = []
    for entry in entry_points(group=GROUP):
        factory: ModelLister = entry.load()
        found.extend(factory(context))
    return {offer.card.id: offer for offer in sorted(found, key=lambda offer: -offer.rank)}


def best_model(offers: Mapping[str, ModelEntry]) -> ModelEntry:
    """The model to use when none is named: the best one on the disk, else the best that can be fetched.

    Raises:
        Unavailable: If no adapter offers a model.
    """
    ranked = sorted((offer for offer in offers.values() if offer.rank >= 0), key=lambda offer: -offer.rank)
    ready = [offer for offer in ranked if offer.ready]
    for offer in (*ready, *(offer for offer in ranked if offer.auto_download)):
        return offer
    raise Unavailable("No model is installed. Reinstall Vidi, or install an engine package.")


def find_weights(offers: Mapping[str, ModelEntry], context: EngineContext, wanted: PullRequest) -> Pull:
    """The weights that somebody asks for, found but not moved yet.

    Args:
        offers: Every known model by id.
        context: Says where the cache is, and is told the progress.
        wanted: A known model, or one that an adapter can take in.

    Raises:
        NotFound: Nobody knows the model.
        InvalidRequest: The model has no weights to fetch, or what was named is not weights of it.
        Unavailable: They cannot be had; says what to do.
    """
    offer = offers.get(wanted.model)
    if offer is not None:
        return find_offered(offer, context, wanted)
    for provider in _providers():
        pull = provider.import_model(context, wanted)
        if pull is not None:
            return pull
    raise _unknown(wanted.model, offers)


def find_offered(offer: ModelEntry, context: EngineContext, wanted: PullRequest | None = None) -> Pull:
    """Like `find_weights`, for an offer at hand; with None from where its weights are published."""
    if not offer.fetcher:
        raise InvalidRequest(f"{offer.card.id} needs no weights; it is ready.")
    with _extras_installed():
        fetcher: WeightsFetcher = resolve_name(offer.fetcher)
    return fetcher(context, wanted or PullRequest(offer.card.id))


def remove_weights(offers: Mapping[str, ModelEntry], context: EngineContext, model: str) -> int:
    """Delete a model's weights, and say how many bytes that freed.

    Args:
        offers: Every known model by id.
        context: Says where the cache is.
        model: A known model, or one of which a pull began.

    Raises:
        InvalidRequest: The model has none that could be removed.
        NotFound: They are not on the disk, or nobody knows the model.
        FailedPrecondition: They are just being fetched.
    """
    offer = offers.get(model)
    if offer is None:
        for provider in _providers():
            with suppress(NotFound):
                return provider.remove(context, model)
        raise _unknown(model, offers)
    if not offer.remover:
        raise InvalidRequest(f"{offer.card.id} is built in; it has no weights to remove.")
    with _extras_installed():
        remover: WeightsRemover = resolve_name(offer.remover)
    return remover(context, model)


def _providers() -> Iterator[WeightsProvider]:
    for entry in entry_points(group=WEIGHTS_GROUP):
        with _extras_installed():
            provider: WeightsProvider = entry.load()
        yield provider


def _unknown(model: str, offers: Mapping[str, ModelEntry]) -> NotFound:
    return NotFound(f"There is no model {model!r}. Known models: {', '.join(offers) or 'none'}.")


@contextmanager
def _extras_installed() -> Generator[None, None, None]:
    """Turn a missing package, met when an adapter is imported, into a sentence."""
    try:
        yield
    except ModuleNotFoundError as missing:
        raise Unavailable(
            f"That needs the Python package {missing.name}, which is not installed. Install Vidi with what "
            'its engines need: pip install "vidi[llama]", or `make llama` in a checkout.'
        ) from missing


@dataclass(frozen=True, slots=True)
class Resolved:
    """A model that is running.

    Attributes:
        worker: The way to its engine.
        alias: Whether it was asked for under a Gemini name, and so charges Gemini's prices for images.
    """

    worker: Worker
    alias: bool


def _is_alias(model: str) -> bool:
    return ALIAS.fullmatch(model) is not None


class Registry:
    """Opens each engine once, when it is first asked, and closes them all."""

    def __init__(
        self, offers: Mapping[str, ModelEntry], *, default: str, context: EngineContext, queue: int
    ) -> None:
        """Take what can be opened.

        Args:
            offers: Every model by id.
            default: Id of the model behind every `gemini-` name; must be among `offers`.
            context: Handed to the engines' openers.
            queue: How many prompts may wait for each engine.

        Raises:
            NotFound: If `default` is not among the offers.
        """
        if default not in offers:
            raise _unknown(default, offers)
        self._offers = offers
        self._default = default
        self._context = context
        self._queue = queue
        self._opening: dict[str, asyncio.Task[Worker]] = {}

    @property
    def default(self) -> ModelEntry:
        """The model behind every `gemini-` name."""
        return self._offers[self._default]

    def offers(self) -> tuple[ModelEntry, ...]:
        """Every model that can be asked for by its own name, the default first."""
        others = (offer for offer in self._offers.values() if offer.card.id != self._default)
        return (self.default, *others)

    def find(self, model: str) -> ModelEntry:
        """The offer behind a name, without opening it.

        Raises:
            NotFound: If the name is neither known nor a Gemini name.
        """
        if _is_alias(model):
            return self.default
        offer = self._offers.get(model)
        if offer is None:
            raise _unknown(model, self._offers)
        return offer

    async def open(self, model: str) -> Resolved:
        """The running model behind a name, opened now if it was not yet.

        Raises:
            NotFound: If the name is unknown.
            Unavailable: If its weights cannot be had or it does not start; a later call tries again.
        """
        offer = self.find(model)
        opening = self._opening.get(offer.card.id)
        if opening is None or (opening.done() and (opening.cancelled() or opening.exception())):
            opening = asyncio.create_task(self._open(offer))
            self._opening[offer.card.id] = opening
        worker = await asyncio.shield(opening)
        return Resolved(worker, alias=_is_alias(model))

    async def _open(self, offer: ModelEntry) -> Worker:
        with _extras_installed():
            factory: EngineFactory = resolve_name(offer.factory)
        context = replace(self._context, model=offer.card.id)
        engine: Engine = await asyncio.to_thread(factory, context)
        return Worker(engine, queue=self._queue)

    async def close(self) -> None:
        """Close every engine that was opened."""
        for opening in self._opening.values():
            if not opening.done():
                opening.cancel()
            elif not opening.cancelled() and opening.exception() is None:
                await opening.result().close()
        self._opening.clear()
