"""The composition root: the one place that picks implementations and wires them together."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from vidi.domain.errors import Unavailable
from vidi.engines.base import EngineContext, Offer, Progress
from vidi.engines.registry import Registry, best_offer, installed_offers
from vidi.generate import Studio
from vidi.http import models
from vidi.http.body import Bodies
from vidi.http.guard import Door, Guard, nothing_here
from vidi.images.load import ImageLimits
from vidi.images.pool import DecoderPool
from vidi.settings import Settings

log = logging.getLogger(__name__)

DECODER_MEMORY = 2_000_000_000
"""Address space of one decoder process in bytes: a 64-megapixel WEBP with alpha takes one gigabyte of it."""

HOME = ("localhost", "127.0.0.1", "::1")
"""Names under which a server without keys may be called."""


def quiet(step: str, done: int, total: int) -> None:
    """A Progress that says nothing."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a running Vidi is made of."""

    registry: Registry
    decoders: DecoderPool
    studio: Studio

    async def close(self) -> None:
        """Stop what runs."""
        await self.registry.close()
        await self.decoders.close()


def context(settings: Settings, progress: Progress = quiet) -> EngineContext:
    """What the engines get."""
    return EngineContext(cache=settings.cache_dir, threads=settings.threads, progress=progress)


def installed(settings: Settings) -> Mapping[str, Offer]:
    """Every model that can be asked for by its own name, best first."""
    return installed_offers(context(settings))


def default_model(settings: Settings) -> Offer:
    """The model behind every Gemini name: the chosen one, or the best on the disk.

    Raises:
        NotFound: The chosen model is unknown.
        Unavailable: No model is installed.
    """
    return _registry(settings, quiet).default


def _registry(settings: Settings, progress: Progress) -> Registry:
    engines = context(settings, progress)
    offers = installed_offers(engines)
    default = settings.model or best_offer(offers).card.id
    return Registry(offers, default=default, context=engines, queue=settings.queue)


def build(settings: Settings, progress: Progress = quiet) -> Parts:
    """Put the parts together; nothing is loaded or started yet.

    Raises:
        NotFound: The chosen model is unknown.
        Unavailable: No model is installed.
    """
    registry = _registry(settings, progress)
    decoders = DecoderPool(
        size=settings.decoders, deadline=settings.decode_seconds, memory_limit=DECODER_MEMORY
    )
    limits = ImageLimits(max_pixels=settings.max_image_pixels)
    return Parts(registry, decoders, Studio(registry, decoders, limits))


def create_app(settings: Settings, progress: Progress = quiet) -> Starlette:
    """The server as an ASGI application.

    Raises:
        NotFound: The chosen model is unknown.
        Unavailable: No model is installed.
    """
    parts = build(settings, progress)
    door = Door(
        key_digests=settings.key_digests,
        hosts=frozenset(name.lower() for name in (*HOME, settings.host, *settings.allowed_hosts)),
    )

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        if parts.registry.default.ready:
            try:
                await parts.registry.open(parts.registry.default.card.id)
            except Unavailable as error:
                log.warning("%s", error.message)
        yield
        await parts.close()

    calls = models.Calls(
        studio=parts.studio,
        registry=parts.registry,
        bodies=Bodies(settings.max_request_bytes),
        max_images=settings.max_images,
        seconds=settings.request_seconds,
    )
    return Starlette(
        routes=models.routes(models.Catalogue(parts.registry), calls),
        middleware=[Middleware(Guard, door=door)],
        exception_handlers={HTTPException: nothing_here},
        lifespan=lifespan,
    )
