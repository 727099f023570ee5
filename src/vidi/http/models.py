"""/v1beta/models: list, get, :generateContent, :streamGenerateContent, :countTokens."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from vidi.domain.answer import Piece
from vidi.domain.errors import InvalidRequest, NotFound
from vidi.domain.prompt import Conversation
from vidi.engines.base import ModelCard, ModelEntry
from vidi.engines.registry import Registry
from vidi.generate import GenerateService, Generation
from vidi.http.body import BodyReader
from vidi.http.middleware import ADDED_HEADERS, GROUNDING, JSON
from vidi.http.stream import ARRAY, EVENTS, Stream, cancel_on_disconnect, deadline, requested_timeout
from vidi.wire.decode import RequestLimits, decode_count, decode_generate
from vidi.wire.encode import (
    ModelInfo,
    ResponseMeta,
    encode_count,
    encode_model,
    encode_models,
    encode_response,
)
from vidi.wire.fields import unknown_model

VERSIONS = ("v1", "v1alpha", "v1beta")
"""All prefixes answer alike: SDKs differ in which they take by default."""

GENERATE, STREAM, COUNT = METHODS = ("generateContent", "streamGenerateContent", "countTokens")

LONGEST_NAME = 200
"""How much of a wrong name is repeated in an error, in characters."""

PARSED_ON_THE_LOOP = 256_000
"""BodyReader up to so many bytes are parsed where they are, in about a millisecond; others on a thread."""

DEFAULT_PAGE, LARGEST_PAGE = 50, 1000

Decode = Callable[[bytearray, RequestLimits], Conversation]


@dataclass(frozen=True, slots=True)
class ModelRoutes:
    """Tells which models there are."""

    registry: Registry

    async def list(self, request: Request) -> Response:
        """ListModels; a page token is the id of the page's first model."""
        infos = [_info(offer.card) for offer in self.registry.entries() if self._answers(offer)]
        ids = [info.id for info in infos]
        token = request.query_params.get("pageToken", ids[0])
        if token not in ids:
            raise InvalidRequest("The page token is not one that this list gave.", where="page_token")
        first = ids.index(token)
        after = first + _page_size(request)
        return Response(encode_models(infos[first:after], "".join(ids[after : after + 1])), media_type=JSON)

    def _answers(self, offer: ModelEntry) -> bool:
        """Whether a model would answer now; one that a person has to pull first is not listed."""
        return offer.ready or offer.auto_download or offer == self.registry.default

    async def get(self, request: Request) -> Response:
        """GetModel, under the name that was asked."""
        model: str = request.path_params["model"]
        card = self.registry.find(model).card
        return Response(encode_model(_info(replace(card, id=model))), media_type=JSON)


@dataclass(frozen=True, slots=True)
class GenerateEndpoint:
    """Answers `models/{model}:{method}`; an ASGI application, so that one task sees a call through.

    Attributes:
        studio: Answers.
        registry: Knows the models.
        bodies: Reads bodies, and counts their bytes as held until the call is over.
        max_images: Most pictures in one request.
        seconds: How long a call may take; a client may ask for less.
    """

    studio: GenerateService
    registry: Registry
    bodies: BodyReader
    max_images: int
    seconds: float

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the request, answer, and free everything, whoever leaves first."""
        request = Request(scope, receive)
        model, _, method = str(request.path_params["call"]).rpartition(":")
        if not self._offers(model, method):
            version = request.url.path.split("/")[1]
            raise unknown_model(_shortened(model or method), version, _shortened(method))
        async with self.bodies.read(scope, receive) as body:
            conversation = await self._decode(
                body, model, decode_count if method == COUNT else decode_generate
            )
            body.clear()
            async with cancel_on_disconnect(receive):
                response = await self._answer(request, model, method, conversation)
                await response(scope, receive, send)

    def _offers(self, model: str, method: str) -> bool:
        try:
            self.registry.find(model)
        except NotFound:
            return False
        return method in METHODS

    async def _decode(self, body: bytearray, model: str, decode: Decode) -> Conversation:
        limits = RequestLimits(model=model, max_images=self.max_images)
        if len(body) <= PARSED_ON_THE_LOOP:
            return decode(body, limits)
        return await asyncio.to_thread(decode, body, limits)

    async def _answer(
        self, request: Request, model: str, method: str, conversation: Conversation
    ) -> Response | Stream:
        allowed = requested_timeout(request.headers, self.seconds)
        if method == STREAM:
            framing = EVENTS if request.query_params.get("alt") == "sse" else ARRAY
            return Stream(lambda: self._messages(request, model, conversation), framing, allowed)
        async with deadline(allowed):
            if method == COUNT:
                cost = await self.studio.count(model, conversation, request.state.owner)
                return Response(encode_count(cost), media_type=JSON)
            async with self._running(request, model, conversation) as running:
                pieces = [piece async for piece in running.pieces]
        return Response(encode_response(pieces, reply=_reply(running, conversation)), media_type=JSON)

    @asynccontextmanager
    async def _running(
        self, request: Request, model: str, conversation: Conversation
    ) -> AsyncIterator[Generation]:
        async with self.studio.generate(model, conversation, request.state.owner) as running:
            tell_grounding(request, running)
            yield running

    @asynccontextmanager
    async def _messages(
        self, request: Request, model: str, conversation: Conversation
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        async with self._running(request, model, conversation) as running:
            yield _encoded(running.pieces, _reply(running, conversation))


def tell_grounding(request: Request, running: Generation) -> None:
    """Put into the reply's headers what was done about places, if any are wanted."""
    if running.grounding:
        request.scope["state"][ADDED_HEADERS][GROUNDING] = running.grounding


async def _encoded(pieces: AsyncIterator[Piece], reply: ResponseMeta) -> AsyncIterator[bytes]:
    """Each piece as a message; thoughts that nobody asked for are only counted."""
    async for piece in pieces:
        if piece.finish or (piece.text and (reply.include_thoughts or not piece.thought)):
            yield encode_response([piece], reply=reply)
        reply = reply.after([piece])


def _reply(running: Generation, conversation: Conversation) -> ResponseMeta:
    return ResponseMeta(
        model_version=running.card.id,
        response_id=secrets.token_urlsafe(16),
        prompt=running.cost,
        include_thoughts=conversation.thinking.include,
    )


def _info(card: ModelCard) -> ModelInfo:
    return ModelInfo(
        id=card.id,
        display_name=card.display_name,
        description=card.description,
        version=card.version,
        input_token_limit=card.input_token_limit,
        output_token_limit=card.output_token_limit,
        thinks=card.thinks,
        samples=card.samples,
        methods=METHODS,
    )


def _page_size(request: Request) -> int:
    """How many models a page has: DEFAULT_PAGE if not said, never more than LARGEST_PAGE."""
    text = request.query_params.get("pageSize") or "0"
    if not text.isdecimal():
        raise InvalidRequest("page_size must be a whole number that is not negative.", where="page_size")
    return min(int(text[:9]) or DEFAULT_PAGE, LARGEST_PAGE)


def _shortened(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else name[:LONGEST_NAME] + "..."


def routes(catalogue: ModelRoutes, calls: GenerateEndpoint) -> list[BaseRoute]:
    """The routes of models, under every version."""
    return [
        route
        for version in VERSIONS
        for route in (
            Route(f"/{version}/models", catalogue.list, methods=["GET"]),
            Route(f"/{version}/models/{{model}}", catalogue.get, methods=["GET"]),
            Route(f"/{version}/models/{{call:path}}", calls, methods=["POST"]),
        )
    ]
