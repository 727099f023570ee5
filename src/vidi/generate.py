"""The story on one page: from a conversation to pieces of an answer.

    Conversation  image references, as decoded from the wire
      -> find the engine, read the pictures' headers           -> Outline, and what it costs
      -> decode, turn upright, fit each picture to the model   -> Prompt
      -> run the engine, candidate after candidate             -> Piece, Piece, ...

Nothing here knows HTTP or JSON.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from vidi.domain.answer import Piece, TokenCount
from vidi.domain.errors import InvalidRequest
from vidi.domain.prompt import (
    Conversation,
    FileReference,
    ImageHeader,
    ImageSource,
    MediaResolution,
    Outline,
    Picture,
    Prompt,
)
from vidi.engines.base import ModelCard
from vidi.engines.registry import Registry, Resolved
from vidi.engines.worker import Worker
from vidi.images.load import ImageLimits, read_header
from vidi.images.pool import DecoderPool
from vidi.images.tokens import image_tokens

PICTURE_PIXELS_PER_REQUEST = 64_000_000
"""All prepared pictures of one request together: 192 MB of RGB. Many pictures are each made smaller."""

HEADERS_PER_TURN = 100
"""How many headers are read before other requests get their turn on the loop: a few milliseconds."""


@dataclass(frozen=True, slots=True)
class Running:
    """An answer that is being made.

    Attributes:
        card: The model that makes it.
        cost: What the prompt costs.
        pieces: The answer as it comes; the last piece of each candidate carries a `Finish`.
    """

    card: ModelCard
    cost: TokenCount
    pieces: AsyncIterator[Piece]


class Studio:
    """Where prompts are prepared and answered; one for the life of the server."""

    def __init__(self, registry: Registry, decoders: DecoderPool, limits: ImageLimits) -> None:
        """Take the parts; none of them is closed here."""
        self._registry = registry
        self._decoders = decoders
        self._limits = limits

    async def count(self, model: str, conversation: Conversation) -> TokenCount:
        """What a conversation costs as a prompt, from the pictures' headers alone.

        Raises:
            VidiError: As `generate`, as far as headers tell.
        """
        resolved = await self._registry.open(model)
        return _cost(resolved, await self._outline(conversation))

    @asynccontextmanager
    async def generate(self, model: str, conversation: Conversation) -> AsyncIterator[Running]:
        """Answer a conversation; leaving the block cancels what still runs.

        Args:
            model: A model id, or any Gemini name for the default model.
            conversation: What was asked.

        Raises:
            NotFound: No such model.
            InvalidImage: A picture is unsupported, broken or over a limit; names the part.
            InvalidRequest: The prompt is longer than the model takes.
            Unavailable: The model cannot be opened or has too much to do.
        """
        resolved = await self._registry.open(model)
        card = resolved.worker.card
        outline = await self._outline(conversation)
        cost = _cost(resolved, outline)
        if cost.total > card.input_token_limit:
            raise InvalidRequest(
                f"The input token count ({cost.total}) exceeds the maximum number of tokens allowed "
                f"({card.input_token_limit})."
            )
        prompt = await self._prepare(conversation, outline, card)
        yield Running(card, cost, _candidates(resolved.worker, prompt))

    async def _outline(self, conversation: Conversation) -> Outline:
        """Read every header; refuses what no decoder should see."""
        headers: list[ImageHeader] = []
        for index, image in enumerate(conversation.images(), start=1):
            if index % HEADERS_PER_TURN == 0:
                await asyncio.sleep(0)
            own = image.resolution
            resolution = conversation.resolution if own is MediaResolution.UNSPECIFIED else own
            source = await self._fetch(image)
            headers.append(
                read_header(source.data, where=source.where, limits=self._limits, resolution=resolution)
            )
        return conversation.with_images(headers)

    async def _prepare(self, conversation: Conversation, outline: Outline, card: ModelCard) -> Prompt:
        """Decode every picture, as many at a time as there are decoders."""
        pairs = list(zip(conversation.images(), outline.images(), strict=True))
        share = PICTURE_PIXELS_PER_REQUEST // max(1, len(pairs))
        tasks = [
            asyncio.create_task(self._picture(image, header, min(share, card.pixels.at(header.resolution))))
            for image, header in pairs
        ]
        try:
            return conversation.with_images([await task for task in tasks])
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _picture(
        self, image: ImageSource | FileReference, header: ImageHeader, max_pixels: int
    ) -> Picture:
        return await self._decoders.prepare(await self._fetch(image), header, max_pixels)

    async def _fetch(self, image: ImageSource | FileReference) -> ImageSource:
        """The bytes of an image; a file's are read anew each time, so that few are held at once."""
        if isinstance(image, ImageSource):
            return image
        raise InvalidRequest("This server keeps no files yet; send the picture inline.", where=image.where)


def _cost(resolved: Resolved, outline: Outline) -> TokenCount:
    """What a prompt costs: a Gemini name charges the guide's price for images, another its engine's own."""
    count = resolved.worker.count_tokens(outline)
    if resolved.alias:
        return TokenCount(text=count.text, image=sum(image_tokens(header) for header in outline.images()))
    return count


async def _candidates(worker: Worker, prompt: Prompt) -> AsyncIterator[Piece]:
    """Run the engine once for each candidate; seeded candidates get a seed each, so that they differ."""
    for candidate in range(prompt.candidates):
        seed = prompt.sampling.seed
        own = replace(prompt.sampling, seed=None if seed is None else seed + candidate)
        async with worker.stream(replace(prompt, sampling=own)) as pieces:
            async for piece in pieces:
                yield replace(piece, candidate=candidate)
