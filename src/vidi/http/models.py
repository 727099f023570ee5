"""/v1beta/models: list, get, :generateContent, :streamGenerateContent, :countTokens."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from vidi.domain.answer import Piece, PieceBuffer
from vidi.domain.errors import InvalidRequest, NotFound
from vidi.domain.prompt import Conversation
from vidi.engines.base import ModelCard, ModelEntry
from vidi.engines.registry import Registry
from vidi.generate import GenerateService, Generation
from vidi.http.access import caller_of
from vidi.http.body import BodyReader
from vidi.http.keys import UsageBook, check_model
from vidi.http.logs import record_of, recorded
from vidi.http.response import LONGEST_NAME, JsonReply, api_version, json_response
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
from vidi.wire.errors import UNSERVED_METHODS, unknown_model, unserved

GENERATE, STREAM, COUNT = METHODS = ("generateContent", "streamGenerateContent", "countTokens")

DEFAULT_PAGE, LARGEST_PAGE = 50, 1000


@dataclass(frozen=True, slots=True)
class ModelRoutes:
    """Tells which models there are."""

    registry: Registry

    async def list(self, request: Request) -> Response:
        """ListModels; a page token is the id of the page's first model."""
        key = caller_of(request).key
        cards = [entry.card for entry in self.registry.entries() if self._is_listed(entry)]
        infos = [_info(card) for card in cards if key is None or key.may_ask(card.id, card.id)]
        ids = [info.id for info in infos]
        token = request.query_params.get("pageToken", "")
        if token and token not in ids:
            raise InvalidRequest("The page token is not one that this list gave.", where="page_token")
        first = ids.index(token) if token else 0
        after = first + _page_size(request)
        return json_response(encode_models(infos[first:after], "".join(ids[after : after + 1])))

    def _is_listed(self, entry: ModelEntry) -> bool:
        """Whether a model would answer now; one that a person has to pull first would not."""
        return entry.ready or entry.auto_download or entry == self.registry.default

    async def get(self, request: Request) -> Response:
        """GetModel, under the name that was asked."""
        model: str = request.path_params["model"]
        try:
            card = self.registry.find(model).card
        except NotFound:
            raise unknown_model(model[:LONGEST_NAME], "v1beta", GENERATE) from None
        check_model(caller_of(request).key, model, card.id)
        return json_response(encode_model(_info(replace(card, id=model))))


@dataclass(frozen=True, slots=True)
class GenerateEndpoint:
    """Answers `models/{model}:{method}`; an ASGI application, so that one task sees a call through.

    Attributes:
        service: Answers.
        registry: Knows the models.
        usage: What each key has used.
        body_reader: Reads bodies, and counts their bytes as held until the call is over.
        max_images: Most pictures in one request.
        seconds: How long a call may take; a client may ask for less.
    """

    service: GenerateService
    registry: Registry
    usage: UsageBook
    body_reader: BodyReader
    max_images: int
    seconds: float

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        model, _, method = str(request.path_params["call"]).rpartition(":")
        if method in UNSERVED_METHODS:
            raise unserved(f"{method} is")
        if not self._serves(model, method):
            version = api_version(request)
            raise unknown_model(_shortened(model or method), version, _shortened(method))
        record = record_of(request)
        record.model = self.registry.find(model).card.id
        record.route = f"/v1beta/models/{{model}}:{method}"
        check_model(caller_of(request).key, model, record.model)
        if method != COUNT:
            await self.service.check_room(model)
        async with self.body_reader.read(scope, receive) as body:
            decode = decode_count if method == COUNT else decode_generate
            limits = RequestLimits(model=model, max_images=self.max_images)
            conversation = await self.body_reader.decode(body, partial(decode, limits=limits))
            body.clear()
            async with cancel_on_disconnect(receive):
                response = await self._answer(request, model, method, conversation)
                await response(scope, receive, send)

    def _serves(self, model: str, method: str) -> bool:
        try:
            self.registry.find(model)
        except NotFound:
            return False
        return method in METHODS

    async def _answer(
        self, request: Request, model: str, method: str, conversation: Conversation
    ) -> JsonReply | Stream:
        allowed = requested_timeout(request.headers, self.seconds)
        if method == STREAM:
            framing = EVENTS if request.query_params.get("alt") == "sse" else ARRAY
            return Stream(lambda: self._stream(request, model, conversation), framing, allowed)
        async with deadline(allowed):
            if method == COUNT:
                cost = await self.service.count(model, conversation, request.state.owner)
                record_of(request).tokens_in = cost.total
                return JsonReply(encode_count(cost))
            whole = replace(conversation, streamed=False)
            async with self._generate(request, model, whole) as generation:
                gathered = PieceBuffer()
                async for piece in generation.pieces:
                    gathered.add(piece)
        return JsonReply(encode_response(tuple(gathered), meta=_meta(generation, conversation)))

    def _generate(
        self, request: Request, model: str, conversation: Conversation
    ) -> AbstractAsyncContextManager[Generation]:
        generating = self.service.generate(model, conversation, request.state.owner)
        return recorded(request, self.usage, generating)

    @asynccontextmanager
    async def _stream(
        self, request: Request, model: str, conversation: Conversation
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        async with self._generate(request, model, conversation) as generation:
            yield _encode_pieces(generation.pieces, _meta(generation, conversation))


async def _encode_pieces(pieces: AsyncIterator[Piece], meta: ResponseMeta) -> AsyncIterator[bytes]:
    """Each piece as a message; thoughts that nobody asked for are only counted."""
    async for piece in pieces:
        if piece.finish or piece.call or (piece.text and (meta.include_thoughts or not piece.thought)):
            yield encode_response([piece], meta=meta)
        meta = meta.after([piece])


def _meta(generation: Generation, conversation: Conversation) -> ResponseMeta:
    return ResponseMeta(
        model_version=generation.card.id,
        response_id=secrets.token_urlsafe(16),
        prompt=generation.cost,
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
