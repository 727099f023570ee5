"""The story on one page: from a conversation to pieces of an answer.

    Conversation  image references, as decoded from the wire
      -> find the engine, hold the files that are named
      -> boxes or points wanted? ask in the model's own terms  -> GroundingRequest
      -> read the pictures' headers                            -> PromptHeaders
      -> asked before, with nothing left to chance?            -> the same answer at the same cost
      -> count tokens, refuse what is too long
      -> decode, turn upright, fit each picture to the model   -> Prompt
      -> run the engine, candidate after candidate             -> Piece, Piece, ...
      -> bring places back to the caller's upright image

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
    Picture,
    Prompt,
    PromptHeaders,
)
from vidi.engines.answer_cache import AnswerCache, CachedAnswer, CacheKey, PictureKey, is_deterministic
from vidi.engines.base import ModelCard
from vidi.engines.grounding.request import GroundingRequest, grounding_request, read_places
from vidi.engines.registry import Registry, Resolved
from vidi.engines.worker import Worker
from vidi.files.aio import AsyncFiles, ResolvedRequest, Source, lease_files, load
from vidi.images.header import ImageLimits, read_header
from vidi.images.pool import DecoderPool, digest
from vidi.images.tokens import image_tokens

PICTURES_AT_ONCE = 8
"""How many pictures of one request are read and decoded, or wait for a decoder, at the same time."""

HEADERS_PER_TURN = 100
"""How many headers are read before other requests get their turn on the loop: a few milliseconds."""


@dataclass(frozen=True, slots=True)
class Generation:
    """An answer that is being made.

    Attributes:
        card: The model that makes it.
        cost: What the prompt costs.
        pieces: The answer as it comes; the last piece of each candidate carries a `Finish`.
        grounding: What was done about places that the caller wants; "" if it wants none.
    """

    card: ModelCard
    cost: TokenCount
    pieces: AsyncIterator[Piece]
    grounding: str = ""


@dataclass(frozen=True, slots=True)
class GenerateOptions:
    """What the owner of the server chose.

    Attributes:
        limits: Of pictures.
        grounding: Whether a request for boxes or points is put into the model's own terms.
    """

    limits: ImageLimits
    grounding: bool = True


class GenerateService:
    """Where prompts are prepared and answered; one for the life of the server."""

    def __init__(
        self,
        registry: Registry,
        decoders: DecoderPool,
        desk: AsyncFiles,
        answers: AnswerCache,
        choices: GenerateOptions,
    ) -> None:
        """Take the parts; none of them is closed here."""
        self._registry = registry
        self._decoders = decoders
        self._desk = desk
        self._answers = answers
        self._choices = choices

    async def count(self, model: str, conversation: Conversation, owner: str) -> TokenCount:
        """What a conversation costs as a prompt, from the pictures' headers alone.

        Raises:
            VidiError: As `generate`, as far as headers tell.
        """
        resolved = await self._registry.open(model)
        grounded = self._grounded(conversation, resolved.worker.card)
        async with lease_files(self._desk, grounded.native if grounded else conversation, owner) as asked:
            outline = await self._outline(asked)
            return _price(resolved, await resolved.worker.count_tokens(outline), outline)

    @asynccontextmanager
    async def generate(self, model: str, conversation: Conversation, owner: str) -> AsyncIterator[Generation]:
        """Answer a conversation; leaving the block cancels what still runs.

        Args:
            model: A model id, or any Gemini name for the default model.
            conversation: What was asked.
            owner: Whose files it may name.

        Raises:
            NotFound: No such model.
            PermissionDenied: A file is unknown, expired, deleted or somebody else's.
            InvalidImage: A picture is unsupported, broken or over a limit; names the part.
            InvalidRequest: The prompt is longer than the model takes.
            Unavailable: The model cannot be opened or has too much to do.
        """
        resolved = await self._registry.open(model)
        card = resolved.worker.card
        grounded = self._grounded(conversation, card)
        async with lease_files(self._desk, grounded.native if grounded else conversation, owner) as asked:
            outline = await self._outline(asked)
            question = await self._question(conversation, asked, outline, card)
            known = self._answers.get(question) if question else None
            if known:
                count, pieces = known.cost, _replayed(known.pieces)
            else:
                count = await resolved.worker.count_tokens(outline)
                _refuse_long(count, card)
                prompt = await self._prepare(asked, outline, card)
                pieces = _candidates(resolved.worker, prompt)
                if grounded:
                    pieces = read_places(pieces, grounded, tuple(prompt.images()))
                if question:
                    pieces = self._kept(question, count, pieces)
        yield Generation(card, _price(resolved, count, outline), pieces, grounded.summary if grounded else "")

    def _grounded(
        self, conversation: Conversation, card: ModelCard
    ) -> GroundingRequest[ImageSource | FileReference] | None:
        """How to ask for the places that are wanted; None if none are, or they are asked for as it stands."""
        if card.dialect is None or not self._choices.grounding:
            return None
        return grounding_request(conversation, card.dialect)

    async def _question(
        self, conversation: Conversation, asked: ResolvedRequest, outline: PromptHeaders, card: ModelCard
    ) -> CacheKey | None:
        """What must be the same for an answer to be the same; None where chance has a say."""
        if not is_deterministic(card, asked.sampling):
            return None
        seen = [
            PictureKey(await digest((await load(self._desk, image)).data), header.resolution)
            for image, header in zip(asked.images(), outline.images(), strict=True)
        ]
        return CacheKey(card.id, card.version, conversation.with_images(seen))

    async def _kept(
        self, question: CacheKey, cost: TokenCount, pieces: AsyncIterator[Piece]
    ) -> AsyncIterator[Piece]:
        """Pass an answer on, and keep it if it comes to its end."""
        said: list[Piece] = []
        async for piece in pieces:
            said.append(piece)
            yield piece
        self._answers.put(question, CachedAnswer(cost, tuple(said)))

    async def _outline(self, asked: ResolvedRequest) -> PromptHeaders:
        """Read every header; refuses what no decoder should see."""
        headers: list[ImageHeader] = []
        for index, image in enumerate(asked.images(), start=1):
            if index % HEADERS_PER_TURN == 0:
                await asyncio.sleep(0)
            own = image.resolution
            resolution = asked.resolution if own is MediaResolution.UNSPECIFIED else own
            source = await load(self._desk, image)
            headers.append(
                read_header(
                    source.data, where=source.where, limits=self._choices.limits, resolution=resolution
                )
            )
        return asked.with_images(headers)

    async def _prepare(self, asked: ResolvedRequest, outline: PromptHeaders, card: ModelCard) -> Prompt:
        """Decode every picture, as many at a time as there are decoders."""
        pairs = list(zip(asked.images(), outline.images(), strict=True))
        turns = asyncio.Semaphore(PICTURES_AT_ONCE)

        async def prepare(image: Source, header: ImageHeader) -> Picture:
            async with turns:
                fit = card.pixels.fit(header.resolution, len(pairs))
                return await self._decoders.prepare(await load(self._desk, image), header, fit)

        tasks = [asyncio.create_task(prepare(image, header)) for image, header in pairs]
        try:
            return asked.with_images([await task for task in tasks])
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def _price(resolved: Resolved, count: TokenCount, outline: PromptHeaders) -> TokenCount:
    """What a prompt costs: a Gemini name charges the guide's price for images, another its engine's own."""
    if resolved.alias:
        return TokenCount(text=count.text, image=sum(image_tokens(header) for header in outline.images()))
    return count


def _refuse_long(count: TokenCount, card: ModelCard) -> None:
    """Refuse what the model cannot take in, whatever it would be charged."""
    if count.total > card.input_token_limit:
        raise InvalidRequest(
            f"The input token count ({count.total}) exceeds the maximum number of tokens allowed "
            f"({card.input_token_limit})."
        )


async def _replayed(answer: tuple[Piece, ...]) -> AsyncIterator[Piece]:
    """An answer that was given before."""
    for piece in answer:
        yield piece


async def _candidates(worker: Worker, prompt: Prompt) -> AsyncIterator[Piece]:
    """Run the engine once for each candidate; seeded candidates get a seed each, so that they differ."""
    for candidate in range(prompt.candidates):
        seed = prompt.sampling.seed
        own = replace(prompt.sampling, seed=None if seed is None else seed + candidate)
        async with worker.stream(replace(prompt, sampling=own)) as pieces:
            async for piece in pieces:
                yield replace(piece, candidate=candidate) if candidate else piece
