"""The composition root: the one place that picks implementations and wires them together."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from functools import partial

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from vidi.domain.errors import Unavailable
from vidi.engines.answer_cache import AnswerCache
from vidi.engines.base import EngineContext, ModelEntry, Progress
from vidi.engines.registry import Registry, best_model, installed_models
from vidi.files.aio import LARGEST_PICTURE_FILE, AsyncFiles, open_library
from vidi.files.store import FileLimits
from vidi.generate import GenerateOptions, GenerateService
from vidi.http import files, interactions, models, playground
from vidi.http.body import BodyReader
from vidi.http.middleware import AccessPolicy, Gateway, not_found
from vidi.images.header import ImageLimits, inspect_upload
from vidi.images.pool import DecoderPool
from vidi.interactions.service import open_interactions
from vidi.interactions.store import InteractionLimits as InteractionLimits
from vidi.settings import Settings

log = logging.getLogger(__name__)

DECODER_MEMORY = 2_000_000_000
"""Address space of one decoder process in bytes: a 64-megapixel WEBP with alpha takes one gigabyte of it."""

KEPT_PICTURES = 32_000_000
"""Bytes of prepared pictures kept for further questions: ten of a megapixel, thirty-five of 640 x 480."""

HOME = ("localhost", "127.0.0.1", "::1")
"""Names under which a server without keys may be called."""


def quiet(step: str, done: int, total: int) -> None:
    """A Progress that says nothing."""


def context(settings: Settings, progress: Progress = quiet) -> EngineContext:
    """What the engines get."""
    return EngineContext(cache=settings.cache_dir, threads=settings.threads, progress=progress)


def installed(settings: Settings) -> Mapping[str, ModelEntry]:
    """Every model that can be asked for by its own name, best first."""
    return installed_models(context(settings))


def default_model(settings: Settings) -> ModelEntry:
    """The model behind every Gemini name: the chosen one, or the best on the disk.

    Raises:
        NotFound: The chosen model is unknown.
        Unavailable: No model is installed.
    """
    return _registry(settings, quiet).default


def _registry(settings: Settings, progress: Progress) -> Registry:
    engines = context(settings, progress)
    offers = installed_models(engines)
    default = settings.model or best_model(offers).card.id
    return Registry(offers, default=default, context=engines, queue=settings.queue)


def _limits(settings: Settings) -> FileLimits:
    return FileLimits(
        file_bytes=settings.max_file_bytes,
        total_bytes=settings.max_storage_bytes,
        lifetime=timedelta(hours=settings.file_hours),
    )


def create_app(settings: Settings, progress: Progress = quiet) -> Starlette:
    """The server as an ASGI application; what it opens is closed when its lifespan ends.

    Raises:
        NotFound: The chosen model is unknown.
        Unavailable: No model is installed, or another server uses the data directory.
    """
    registry = _registry(settings, progress)
    images = ImageLimits(max_pixels=settings.max_image_pixels)
    decoders = DecoderPool(
        size=settings.decoders,
        deadline=settings.decode_seconds,
        memory_limit=DECODER_MEMORY,
        keep=KEPT_PICTURES,
    )
    opened = contextlib.ExitStack()
    look = partial(inspect_upload, limits=images, largest=LARGEST_PICTURE_FILE, alone=threading.Lock())
    desk = AsyncFiles(opened.enter_context(open_library(settings.data_dir, _limits(settings), inspect=look)))
    kept = InteractionLimits(lifetime=timedelta(hours=settings.file_hours))
    archive = opened.enter_context(open_interactions(settings.data_dir, kept))
    opened.callback(desk.close)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        sweepers = [asyncio.create_task(each.run_janitor()) for each in (desk, archive)]
        if registry.default.ready:
            try:
                await registry.open(registry.default.card.id)
            except Unavailable as error:
                log.warning("%s", error.message)
        yield
        for sweeper in sweepers:
            sweeper.cancel()
        await registry.close()
        await decoders.close()
        opened.close()

    bodies = BodyReader(settings.max_request_bytes)
    studio = GenerateService(
        registry,
        decoders,
        desk,
        AnswerCache(settings.answer_cache_bytes),
        GenerateOptions(images, settings.grounding),
    )
    calls = models.GenerateEndpoint(
        studio=studio,
        registry=registry,
        bodies=bodies,
        max_images=settings.max_images,
        seconds=settings.request_seconds,
    )
    asked = interactions.InteractionEndpoint(
        studio=studio,
        registry=registry,
        bodies=bodies,
        shelf=interactions.InteractionRoutes(desk, archive),
        max_images=settings.max_images,
        seconds=settings.request_seconds,
    )
    hosts = (*HOME, settings.host, *settings.allowed_hosts)
    page = playground.load()
    door = AccessPolicy(settings.key_digests, frozenset(name.lower() for name in hosts), page.paths)
    return Starlette(
        routes=[
            *models.routes(models.ModelRoutes(registry), calls),
            *interactions.routes(asked),
            *files.routes(files.FileRoutes(desk), files.UploadRoutes(desk, bodies)),
            *page.routes(),
        ],
        middleware=[Middleware(Gateway, door=door)],
        exception_handlers={HTTPException: not_found},
        lifespan=lifespan,
    )
