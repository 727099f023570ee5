"""The story on one page: from a conversation to pieces of an answer.

    Conversation  image references, as decoded from the wire
      -> find the engine, and a place in its queue
      -> must it call a function? then the call is what it is asked for, as structured output
      -> boxes, points or masks wanted? ask in the model's own terms  -> GroundingRequest
      -> fetch pictures from https addresses
      -> lease the files that are named                        -> PictureSource, PictureSource, ...
      -> read the pictures' headers                            -> PromptHeaders
      -> asked before, with nothing left to chance?            -> the same answer at the same cost
      -> count tokens, refuse what is too long
      -> wait for its turn
      -> decode, turn upright, fit each picture to the model   -> Prompt
      -> run the engine, candidate after candidate             -> Piece, Piece, ...
      -> bring places back to the caller's upright image, and make their masks
      -> read the call

Nothing here knows HTTP or JSON.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from vidi.byte_budget import ByteBudget
from vidi.domain.answer import Piece, TokenCount
from vidi.domain.errors import InvalidRequest, Unavailable
from vidi.domain.geometry import Fit, canvas, place
from vidi.domain.prompt import (
    Conversation,
    FileReference,
    ImageHeader,
    ImageSource,
    MediaResolution,
    Picture,
    Prompt,
    PromptHeaders,
    Request,
)
from vidi.engines.answer_cache import AnswerCache, CacheKey, PictureKey, is_deterministic
from vidi.engines.base import ModelCard
from vidi.engines.calls import forced, read_forced
from vidi.engines.grounding.masks import MOST_PICTURES
from vidi.engines.grounding.request import (
    GroundingRequest,
    grounding_request,
    may_want_places,
    read_places,
)
from vidi.engines.registry import Registry, Resolved
from vidi.engines.segmenter import SegmenterThreads
from vidi.engines.worker import Worker
from vidi.images.header import ImageLimits
from vidi.images.pool import DecoderPool
from vidi.images.source import PictureSource
from vidi.images.tokens import image_tokens

if TYPE_CHECKING:
    from vidi.files.aio import LeasedImage, ResolvedRequest

PICTURES_AT_ONCE = 8
"""How many pictures of one request are read and decoded, or wait for a decoder, at the same time."""

PICTURES_PER_TURN = 100
"""How many pictures are put in line for decoding before other requests get their turn on the loop."""

SECONDS_PER_TURN = 0.005
"""How long headers are read before other requests get their turn on the loop."""

REFUSAL_SECONDS = 0.04
"""How long a refusal for want of a place takes; all of it is waiting."""

Sources = Request[PictureSource]
"""What the model is asked, its pictures still encoded."""


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

    def passed_on(self, pieces: AsyncIterator[Piece]) -> Generation:
        """The same answer, whose pieces pass through other hands first."""
        return Generation(self.card, self.cost, pieces, self.grounding)


@dataclass(frozen=True, slots=True)
class GenerateOptions:
    """What the owner of the server chose.

    Attributes:
        limits: Of pictures.
        budget: Where the memory of prepared pictures is taken from.
        segmenter: Who makes the masks of boxes.
        grounding: Whether a request for boxes, points or masks is put into the model's own terms.
    """

    limits: ImageLimits
    budget: ByteBudget
    segmenter: SegmenterThreads
    grounding: bool = True


@dataclass(frozen=True, slots=True)
class References:
    """How pictures are had that a conversation only names, each until a block is left.

    Attributes:
        fetch: Those at https addresses.
        lease: Those that were uploaded by an owner.
    """

    fetch: Callable[[Conversation], AbstractAsyncContextManager[Conversation]]
    lease: Callable[[Conversation, str], AbstractAsyncContextManager[ResolvedRequest]]


class GenerateService:
    """Where prompts are prepared and answered; one for the life of the server."""

    def __init__(
        self,
        registry: Registry,
        decoders: DecoderPool,
        references: References | None,
        answers: AnswerCache,
        options: GenerateOptions,
    ) -> None:
        """Take the parts; none of them is closed here. Without `references` every picture must be inline."""
        self._registry = registry
        self._decoders = decoders
        self._references = references
        self._answers = answers
        self._options = options
        self._budget = options.budget

    async def count(self, model: str, conversation: Conversation, owner: str) -> TokenCount:
        """What a conversation costs as a prompt, from the pictures' headers alone.

        Raises:
            VidiError: As `generate`, as far as headers tell.
        """
        resolved = await self._registry.open(model)
        card = resolved.worker.card
        conversation = forced(conversation, several=card.calls)
        grounded = await self._grounded(conversation, card)
        async with self._sources(grounded.native if grounded else conversation, owner) as sources:
            headers = await self._headers(sources)
            return _price(resolved, await resolved.worker.count_tokens(headers), headers)

    def generate(
        self, model: str, conversation: Conversation, owner: str
    ) -> AbstractAsyncContextManager[Generation]:
        """Answer a conversation by a model, or by the default model under any Gemini name.

        Leaving the block cancels what still runs.

        Raises:
            NotFound: No such model.
            PermissionDenied: A file is unknown, expired, deleted or somebody else's.
            InvalidImage: A picture is unsupported, broken, over a limit or not to be had; names the part.
            InvalidRequest: The prompt is longer than the model takes.
            Unavailable: The model cannot be opened or has too much to do.
        """
        return _Held(partial(self._begin, model, conversation, owner))

    async def _begin(
        self, model: str, conversation: Conversation, owner: str, held: AsyncExitStack
    ) -> Generation:
        resolved = await self._registry.open(model)
        card = resolved.worker.card
        conversation = forced(conversation, several=card.calls)
        grounded = await self._grounded(conversation, card)
        if not is_deterministic(card, conversation.sampling):
            held.enter_context(resolved.worker.admit())
        async with self._sources(grounded.native if grounded else conversation, owner) as sources:
            generation = await self._prepare(resolved, conversation, sources, grounded, held)
        # The pictures are in the prompt now: their files may go while the engine answers.
        return generation.passed_on(_short(generation.pieces))

    async def check_room(self, model: str) -> None:
        """Refuse a request before it is read, if there will be no place for it. Raises as `generate`.

        A refusal takes a moment: a crowd that comes back at once would else keep a core busy with refusing.
        """
        try:
            self._registry.check_room(model)
        except Unavailable:
            await asyncio.sleep(REFUSAL_SECONDS)
            raise

    async def _prepare(
        self,
        resolved: Resolved,
        conversation: Conversation,
        sources: Sources,
        grounded: GroundingRequest[ImageSource | FileReference] | None,
        held: AsyncExitStack,
    ) -> Generation:
        """All up to the engine; what has to be kept until the answer's end goes into `held`."""
        worker = resolved.worker
        card = worker.card
        known = is_deterministic(card, sources.sampling)
        headers = await self._headers(sources)
        summary = grounded.summary if grounded else ""
        key = await _cache_key(conversation, sources, headers, card) if known else None
        cached = self._answers.get(key) if key else None
        if cached:
            return Generation(card, _price(resolved, cached.cost, headers), cached.replay(), summary)
        if known:
            # Its answer might have been known, which takes no place.
            held.enter_context(worker.admit())
        count = await worker.count_tokens(headers)
        _check_length(count, card)
        await held.enter_async_context(worker.turn())
        prompt = await self._decode(sources, headers, card, held)
        pieces = _candidates(worker, prompt)
        if grounded:
            pieces = read_places(pieces, grounded, tuple(prompt.images()), self._options.segmenter)
        if conversation.must_call:
            pieces = read_forced(pieces, conversation.functions)
        if key:
            pieces = self._answers.keep(key, count, pieces)
        return Generation(card, _price(resolved, count, headers), pieces, summary)

    async def _grounded(
        self, conversation: Conversation, card: ModelCard
    ) -> GroundingRequest[ImageSource | FileReference] | None:
        """How to ask for the places that are wanted; None if none are, or they are asked for as it stands."""
        if not self._options.grounding or not may_want_places(conversation, card.dialect):
            return None
        # Schemas are walked, and texts searched for words.
        grounded = await asyncio.to_thread(grounding_request, conversation, card.dialect)
        if grounded and grounded.wanted.masks:
            _check_masks(conversation)
        return grounded

    def _sources(self, conversation: Conversation, owner: str) -> AbstractAsyncContextManager[Sources]:
        """A conversation's pictures, ready to be read until the block is left: fetched or leased."""
        if any(isinstance(image, FileReference) for image in conversation.images()):
            assert self._references is not None
            return self._referred(self._references, conversation, owner)
        return nullcontext(conversation.with_images(map(_inline, conversation.images())))

    @asynccontextmanager
    async def _referred(
        self, references: References, conversation: Conversation, owner: str
    ) -> AsyncIterator[Sources]:
        async with references.fetch(conversation) as fetched, references.lease(fetched, owner) as leased:
            # A file that is named again is the same source: its header and digest are read once.
            named: dict[tuple[str, MediaResolution | int], PictureSource] = {}
            yield leased.with_images(_source(image, named) for image in leased.images())

    async def _headers(self, sources: Sources) -> PromptHeaders:
        """Read every header; refuses what no decoder should see."""
        headers = []
        clock = asyncio.get_running_loop().time
        began = clock()
        for source in sources.images():
            if clock() - began > SECONDS_PER_TURN:
                await asyncio.sleep(0)
                began = clock()
            own = source.resolution
            resolution = sources.resolution if own is MediaResolution.UNSPECIFIED else own
            with self._budget.hold(0 if source.has_header else source.stored):
                headers.append(await source.header(self._options.limits, resolution))
        return sources.with_images(headers)

    async def _decode(
        self, sources: Sources, headers: PromptHeaders, card: ModelCard, held: AsyncExitStack
    ) -> Prompt:
        """Decode every picture, an uploaded one that is named again only once; few at the same time.

        Their memory is taken before the first one is decoded.
        """
        pairs = list(zip(sources.images(), headers.images(), strict=True))
        if not pairs:
            return sources.with_images(())
        turns = asyncio.Semaphore(PICTURES_AT_ONCE)

        async def prepare(source: PictureSource, header: ImageHeader, fit: Fit) -> Picture:
            async with turns:
                return await self._decoders.prepare(source, header, fit)

        found: dict[Hashable, Picture | asyncio.Task[Picture]] = {}
        chosen: list[Picture | asyncio.Task[Picture]] = []
        try:
            for source, header in pairs:
                if len(chosen) % PICTURES_PER_TURN == PICTURES_PER_TURN - 1:
                    await asyncio.sleep(0)
                key = (await source.digest(), header.resolution) if source.stored else source
                if key not in found:
                    fit = card.pixels.fit(header.resolution, len(pairs))
                    held.enter_context(self._budget.hold(_pixel_bytes(header, fit)))
                    kept = await self._kept(source, header, fit)
                    found[key] = kept or asyncio.create_task(prepare(source, header, fit))
                chosen.append(found[key])
            return sources.with_images([each if isinstance(each, Picture) else await each for each in chosen])
        finally:
            # The first picture that cannot be used ends the request; no decoder works on for the others.
            await _cancel([each for each in found.values() if isinstance(each, asyncio.Task)])

    async def _kept(self, source: PictureSource, header: ImageHeader, fit: Fit) -> Picture | None:
        """A picture that needs no decoding; one that has to be hashed on a thread is left to a task."""
        if not source.has_quick_digest:
            return None
        return self._decoders.kept(await source.digest(), header, fit)


async def _cancel(tasks: Sequence[asyncio.Task[Picture]]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.gather(*tasks, return_exceptions=True)


class _Held:
    """A generation with what is held for it until the block is left: its place in the queue, its pictures."""

    def __init__(self, begin: Callable[[AsyncExitStack], Awaitable[Generation]]) -> None:
        self._begin = begin
        self._held = AsyncExitStack()

    async def __aenter__(self) -> Generation:
        try:
            return await self._begin(self._held)
        except BaseException:
            await self._held.aclose()
            raise

    async def __aexit__(self, *_: object) -> None:
        await self._held.aclose()


def _check_masks(conversation: Conversation) -> None:
    """Refuse masks of more pictures than are made."""
    beyond = next(islice(conversation.images(), MOST_PICTURES, None), None)
    if beyond:
        count = sum(1 for _ in conversation.images())
        raise InvalidRequest(
            f"Masks are made of at most {MOST_PICTURES} pictures a request, and this one has {count}. "
            "Ask in several requests, or ask for boxes only.",
            where=beyond.where,
        )


def _pixel_bytes(header: ImageHeader, fit: Fit) -> int:
    """How much memory the prepared picture takes."""
    width, height = canvas(place(*header.upright_size, fit), fit)
    return width * height * 3


def _inline(image: ImageSource | FileReference) -> PictureSource:
    assert isinstance(image, ImageSource)
    return PictureSource.inline(image)


def _source(
    image: ImageSource | LeasedImage, named: dict[tuple[str, MediaResolution | int], PictureSource]
) -> PictureSource:
    """A picture with what is known of it: an uploaded file's digest and header lie in its row."""
    if isinstance(image, ImageSource):
        return PictureSource.inline(image)
    file = image.file
    known = named.get((file.id, image.resolution))
    if known is not None:
        return known
    named[file.id, image.resolution] = source = PictureSource(
        image.read,
        image.where,
        image.resolution,
        stored=file.size_bytes,
        digest=file.sha256,
        header=file.header,
    )
    return source


async def _cache_key(
    conversation: Conversation, sources: Sources, headers: PromptHeaders, card: ModelCard
) -> CacheKey | None:
    """What must be the same for an answer to be the same; None where chance has a say."""
    if not is_deterministic(card, sources.sampling):
        return None
    pictures = [
        PictureKey(await source.digest(), header.resolution)
        for source, header in zip(sources.images(), headers.images(), strict=True)
    ]
    return CacheKey(card.id, card.version, conversation.with_images(pictures))


def _price(resolved: Resolved, count: TokenCount, headers: PromptHeaders) -> TokenCount:
    """What a prompt costs: a Gemini name charges the guide's price for images, another its engine's own."""
    if resolved.alias:
        return TokenCount(text=count.text, image=sum(image_tokens(header) for header in headers.images()))
    return count


def _check_length(count: TokenCount, card: ModelCard) -> None:
    """Refuse what the model cannot take in, whatever it would be charged."""
    if count.total > card.input_token_limit:
        raise InvalidRequest(
            f"The input token count ({count.total}) exceeds the maximum number of tokens allowed "
            f"({card.input_token_limit})."
        )


LONGEST_PIECE = 2_500
"""Characters of a piece: as JSON under 16 kB, which every client's reader of streams takes in one line."""


async def _short(pieces: AsyncIterator[Piece]) -> AsyncIterator[Piece]:
    """The same answer in pieces that are not too long; all but its text goes with a piece's end."""
    async for piece in pieces:
        while len(piece.text) > LONGEST_PIECE:
            yield Piece(piece.text[:LONGEST_PIECE], thought=piece.thought, candidate=piece.candidate)
            piece = replace(piece, text=piece.text[LONGEST_PIECE:])
        yield piece


async def _candidates(worker: Worker, prompt: Prompt) -> AsyncIterator[Piece]:
    """Run the engine once for each candidate; seeded candidates get a seed each, so that they differ."""
    seed = prompt.sampling.seed
    for candidate in range(prompt.candidates):
        if candidate and seed is not None:
            own = replace(prompt.sampling, seed=seed + candidate)
            prompt = replace(prompt, sampling=own)
        async with worker.stream(prompt) as pieces:
            async for piece in pieces:
                yield replace(piece, candidate=candidate) if candidate else piece
