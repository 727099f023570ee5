"""/v1beta/interactions: create, get, delete.

A second way to ask the same question: the body becomes a Conversation, with the interactions that it
continues before it, and goes the way of every other prompt. `docs/interactions.md` says what is served.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from vidi.domain.errors import FailedPrecondition, InvalidRequest, NotFound
from vidi.domain.prompt import Conversation
from vidi.engines.registry import Registry
from vidi.generate import GenerateService, Generation
from vidi.http.body import BodyReader
from vidi.http.middleware import ERROR_FORM, JSON
from vidi.http.models import LONGEST_NAME, PARSED_ON_THE_LOOP, VERSIONS, tell_grounding
from vidi.http.stream import Framing, Stream, cancel_on_disconnect, deadline, requested_timeout
from vidi.interactions.service import History, InteractionService
from vidi.storage.threads import StorageThreads
from vidi.wire.encode import sse_event
from vidi.wire.fields import unknown_model
from vidi.wire.interaction_decode import NewInteraction, Past, continued, decode_interaction
from vidi.wire.interaction_encode import (
    LAST_EVENT,
    InteractionMeta,
    InteractionStream,
    encode_interaction,
    encode_interaction_error,
    interaction_error_event,
    with_input,
)

EVENTS = Framing(
    media_type=b"text/event-stream",
    message=lambda message, first: sse_event(message),
    error=interaction_error_event,
    end=LAST_EVENT,
)


@dataclass(frozen=True, slots=True)
class InteractionRoutes:
    """InteractionEndpoint that are kept."""

    threads: StorageThreads
    archive: InteractionService

    async def delete(self, request: Request) -> Response:
        """DeleteInteraction."""
        request.scope["state"][ERROR_FORM] = encode_interaction_error
        await self.threads.run_in_thread(self.archive.delete, request.state.owner, request.path_params["id"])
        return Response(b"{}", media_type=JSON)

    async def cancel(self, request: Request) -> Response:
        """CancelInteraction: there is never one to cancel."""
        request.scope["state"][ERROR_FORM] = encode_interaction_error
        await self.threads.run_in_thread(self.archive.size, request.state.owner, request.path_params["id"])
        raise FailedPrecondition(
            "Only work in the background can be cancelled, and this interaction is over."
        )


@dataclass(frozen=True, slots=True)
class InteractionLookup:
    """GetInteraction; an ASGI application, so that an input counts as held until it is sent."""

    shelf: InteractionRoutes
    bodies: BodyReader

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send an interaction byte for byte as it was answered; with its input if that is asked for."""
        scope["state"][ERROR_FORM] = encode_interaction_error
        request = Request(scope, receive)
        if request.query_params.get("stream", "false") == "true":
            raise InvalidRequest(
                "An answer that is over is not streamed again. Leave stream out.", where="stream"
            )
        run, archive = self.shelf.threads.run_in_thread, self.shelf.archive
        owner, wanted = request.state.owner, request.path_params["id"]
        if request.query_params.get("include_input", "false") != "true":
            answer = await run(archive.answer, owner, wanted)
            await Response(answer, media_type=JSON)(scope, receive, send)
            return
        with self.bodies.hold(await run(archive.size, owner, wanted)):
            found = await run(archive.get, owner, wanted)
            whole = Response(with_input(found.answer, found.input), media_type=JSON)
            await whole(scope, receive, send)


@dataclass(frozen=True, slots=True)
class InteractionCall:
    """A new interaction on its way."""

    request: Request
    new: NewInteraction
    conversation: Conversation
    id: str

    @property
    def owner(self) -> str:
        """Whose it is."""
        owner: str = self.request.state.owner
        return owner


@dataclass(frozen=True, slots=True)
class InteractionEndpoint:
    """Answers new interactions; an ASGI application, so that one task sees a call through.

    Attributes:
        studio: Answers.
        registry: Knows the models.
        bodies: Reads bodies, and counts their bytes as held until the call is over.
        shelf: Keeps what was answered.
        max_images: Most pictures in one request.
        seconds: How long a call may take; a client may ask for less.
    """

    studio: GenerateService
    registry: Registry
    bodies: BodyReader
    shelf: InteractionRoutes
    max_images: int
    seconds: float

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the request, answer, and free everything, whoever leaves first."""
        scope["state"][ERROR_FORM] = encode_interaction_error
        request = Request(scope, receive)
        owner: str = request.state.owner
        async with self.bodies.read(scope, receive) as body:
            new = await self._decode(body)
            self._check_model(new.model, request)
            body.clear()
            async with cancel_on_disconnect(receive), self._continued(new, owner) as conversation:
                asked = InteractionCall(request, new, conversation, self.shelf.archive.new_id())
                response = await self._answer(asked, requested_timeout(request.headers, self.seconds))
                await response(scope, receive, send)

    async def _decode(self, body: bytearray) -> NewInteraction:
        if len(body) <= PARSED_ON_THE_LOOP:
            return decode_interaction(body, self.max_images)
        return await asyncio.to_thread(decode_interaction, body, self.max_images)

    def _check_model(self, model: str, request: Request) -> None:
        try:
            self.registry.find(model)
        except NotFound:
            version = request.url.path.split("/")[1]
            raise unknown_model(model[:LONGEST_NAME], version, "interactions") from None

    @asynccontextmanager
    async def _continued(self, new: NewInteraction, owner: str) -> AsyncIterator[Conversation]:
        """The conversation with what came before it, whose bytes count as held until the block is left."""
        if not new.previous:
            yield new.conversation
            return
        run, archive = self.shelf.threads.run_in_thread, self.shelf.archive
        line = await run(archive.history, owner, new.previous, self.bodies.limit)
        with self.bodies.hold(line.size):
            yield await run(self._after, line, new.conversation, owner)

    def _after(self, line: History, conversation: Conversation, owner: str) -> Conversation:
        past = [Past(each.id, each.input, each.answer) for each in self.shelf.archive.load(owner, line)]
        return continued(conversation, past, self.max_images)

    async def _answer(self, asked: InteractionCall, seconds: float) -> Response | Stream:
        if asked.new.streamed:
            return Stream(lambda: self._opened(asked), EVENTS, seconds)
        async with deadline(seconds):
            async with self.studio.generate(asked.new.model, asked.conversation, asked.owner) as running:
                tell_grounding(asked.request, running)
                pieces = [piece async for piece in running.pieces]
            answer = encode_interaction(self._heading(asked, running), pieces)
            await self._keep(asked, answer)
        return Response(answer, media_type=JSON)

    @asynccontextmanager
    async def _opened(self, asked: InteractionCall) -> AsyncIterator[AsyncIterator[bytes]]:
        async with self.studio.generate(asked.new.model, asked.conversation, asked.owner) as running:
            tell_grounding(asked.request, running)
            yield self._events(asked, running)

    async def _events(self, asked: InteractionCall, running: Generation) -> AsyncIterator[bytes]:
        """The answer in events; it is kept before the last one says that it is complete."""
        telling = InteractionStream(self._heading(asked, running))
        yield telling.begin()
        async for piece in running.pieces:
            for event in telling.go_on(piece):
                yield event
        for event in telling.end():
            yield event
        await self._keep(asked, telling.interaction)
        yield telling.complete()

    def _heading(self, asked: InteractionCall, running: Generation) -> InteractionMeta:
        return InteractionMeta(
            id=asked.id,
            model=running.card.id,
            created=self.shelf.archive.clock(),
            prompt=running.cost,
            previous=asked.new.previous,
            include_thoughts=asked.conversation.thinking.include,
        )

    async def _keep(self, asked: InteractionCall, answer: bytes) -> None:
        new = asked.new
        if new.kept:
            keep = self.shelf.archive.keep
            await self.shelf.threads.run_in_thread(
                keep, asked.owner, asked.id, new.previous, new.input, answer
            )


def routes(interactions: InteractionEndpoint) -> list[BaseRoute]:
    """The routes of interactions, under every version."""
    shelf = interactions.shelf
    lookup = InteractionLookup(shelf, interactions.bodies)
    return [
        route
        for version in VERSIONS
        for route in (
            Route(f"/{version}/interactions", interactions, methods=["POST"]),
            Route(f"/{version}/interactions/{{id}}", lookup, methods=["GET"]),
            Route(f"/{version}/interactions/{{id}}", shelf.delete, methods=["DELETE"]),
            Route(f"/{version}/interactions/{{id}}/cancel", shelf.cancel, methods=["POST"]),
        )
    ]
