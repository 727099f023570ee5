"""What answers in one process: models, decoders, masks; for a server, or for a program that asks itself.

`app.py` puts a server around it. A program that only wants an answer (`vidi caption photo.jpg`) takes `local`
instead, and never loads what a server is made of.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from vidi.byte_budget import ByteBudget
from vidi.domain.errors import DeadlineExceeded
from vidi.engines.answer_cache import AnswerCache
from vidi.engines.base import EngineContext, ModelEntry, Progress
from vidi.engines.registry import Registry, best_model, installed_models, open_segmenter
from vidi.engines.segmenter import SegmenterThreads
from vidi.generate import GenerateOptions, GenerateService, Generation
from vidi.images.header import ImageLimits
from vidi.images.pool import DECODER_MEMORY, DecoderLimits, DecoderPool
from vidi.settings import Settings, child_environment
from vidi.wire.decode import RequestLimits, decode_generate

KEPT_PICTURES = 32_000_000
"""Bytes of prepared pictures kept for further questions: ten of a megapixel, thirty-five of 640 x 480."""


def quiet(step: str, done: int, total: int) -> None:
    """A Progress that says nothing."""


def context(settings: Settings, progress: Progress = quiet) -> EngineContext:
    """What the engines get."""
    return EngineContext(
        cache=settings.cache_dir,
        threads=settings.threads,
        progress=progress,
        environment=child_environment(),
        backends=tuple(each.backend() for each in settings.backend),
        mirror=settings.weights_mirror,
    )


def installed(settings: Settings) -> Mapping[str, ModelEntry]:
    """Every model that can be asked for by its own name, best first."""
    return installed_models(context(settings))


def default_model(settings: Settings) -> ModelEntry:
    """The model behind every Gemini name: the chosen one, or the best on the disk.

    Raises:
        NotFound: The chosen model is unknown.
        Unavailable: No model is installed.
    """
    return engines(settings).default


def engines(settings: Settings, progress: Progress = quiet) -> Registry:
    """Every installed model, none of them opened yet."""
    about = context(settings, progress)
    entries = installed_models(about)
    default = settings.model or best_model(entries).card.id
    return Registry(entries, default=default, context=about, queue=settings.queue)


def segmenter_threads(settings: Settings, progress: Progress = quiet) -> SegmenterThreads:
    """The chosen segmenter.

    Raises:
        Unavailable: There is none of that name, or it cannot be opened.
    """
    return SegmenterThreads(open_segmenter(settings.segmenter, context(settings, progress)), settings.threads)


def decoder_pool(settings: Settings, budget: ByteBudget) -> DecoderPool:
    """What decodes pictures, none started yet."""
    return DecoderPool(
        budget=budget,
        size=settings.decoders,
        limits=DecoderLimits(settings.decode_seconds, DECODER_MEMORY, child_environment()),
        keep=KEPT_PICTURES,
    )


def image_limits(settings: Settings) -> ImageLimits:
    """Which pictures are taken."""
    return ImageLimits(max_pixels=settings.max_image_pixels)


@dataclass(frozen=True, slots=True)
class Local:
    """Answers requests of the API without a server: whoever asks is this program."""

    service: GenerateService
    max_images: int
    seconds: float

    @contextlib.asynccontextmanager
    async def answer(self, model: str, body: bytes) -> AsyncIterator[Generation]:
        """The answer to the body of a generateContent request, as it is made, until the block is left.

        Raises:
            VidiError: As a server would tell it.
        """
        conversation = decode_generate(body, RequestLimits(model=model, max_images=self.max_images))
        answer = self.service.generate(model, conversation, owner="")
        try:
            async with asyncio.timeout(self.seconds), answer as generation:
                yield generation
        except TimeoutError:
            raise DeadlineExceeded(
                f"The answer was not ready within {self.seconds:g} s. Ask for less, or allow more time."
            ) from None


@contextlib.asynccontextmanager
async def local(settings: Settings, progress: Progress = quiet) -> AsyncIterator[Local]:
    """What answers here until the block is left; the model and a decoder begin to start at once.

    Raises:
        NotFound: The chosen model is unknown.
        Unavailable: No model is installed, or no such segmenter.
    """
    registry = engines(settings, progress)
    budget = ByteBudget(settings.memory_bytes)
    decoders = decoder_pool(settings, budget)
    try:
        decoders.warm()
        registry.open_default()
        with contextlib.closing(segmenter_threads(settings, progress)) as segmenter:
            options = GenerateOptions(image_limits(settings), budget, segmenter, settings.grounding)
            answers = AnswerCache(settings.answer_cache_bytes)
            service = GenerateService(registry, decoders, None, answers, options)
            yield Local(service, settings.max_images, settings.request_seconds)
    finally:
        await registry.close()
        await decoders.close()
