"""/v1beta/interactions: create, get, delete.

A second way to ask the same question: the body becomes a Conversation, with the interactions that it
continues before it, and goes the way of every other prompt. `docs/interactions.md` says what is served.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from vidi.byte_budget import ByteBudget
from vidi.domain.answer import PieceBuffer
from vidi.domain.errors import FailedPrecondition, InvalidRequest, NotFound
from vidi.domain.prompt import Conversation
from vidi.engines.registry import Registry
from vidi.generate import GenerateService, Generation
from vidi.http.access import caller_of
from vidi.http.body import BodyReader
from vidi.http.keys import UsageBook, check_model
from vidi.http.logs import record_of, recorded
from vidi.http.response import (
    LONGEST_NAME,
    api_version,
    encode_errors_with,
    json_response,
)
from vidi.http.stream import (
    Framing,
    Stream,
    cancel_on_disconnect,
    deadline,
    requested_timeout,
    send_content,
)
from vidi.interactions.service import History, InteractionService
from vidi.storage.threads import StorageThreads
from vidi.wire.encode import sse_event
from vidi.wire.errors import unknown_model
from vidi.wire.interaction_decode import NewInteraction, PastInteraction, decode_interaction, with_history
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
    first=sse_event,
    later=sse_event,
    error=interaction_error_event,
    end=LAST_EVENT,
)


@dataclass(frozen=True, slots=True)
class InteractionRoutes:
    """Interactions that are kept."""

    threads: StorageThreads
    interactions: InteractionService

    async def delete(self, request: Request) -> Response:
        """DeleteInteraction."""
        encode_errors_with(request, encode_interaction_error)
        await self.threads.run_in_thread(
            self.interactions.delete, request.state.owner, request.path_params["id"]
        )
        return json_response(b"{}")

    async def cancel(self, request: Request) -> Response:
        """CancelInteraction: there is never one to cancel."""
        encode_errors_with(request, encode_interaction_error)
        await self.threads.run_in_thread(
            self.interactions.size, request.state.owner, request.path_params["id"]
        )
        raise FailedPrecondition(
            "Only work in the background can be cancelled, and this interaction is over."
        )


@dataclass(frozen=True, slots=True)
class InteractionLookup:
    """GetInteraction; an ASGI application, so that an interaction counts as held until it is sent."""

    stored: InteractionRoutes
    budget: ByteBudget

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send an interaction byte for byte as it was answered; with its input if that is asked for."""
        request = Request(scope, receive)
        encode_errors_with(request, encode_interaction_error)
        if request.query_params.get("stream", "false") == "true":
            raise InvalidRequest(
                "An answer that is over is not streamed again. Leave stream out.", where="stream"
            )
        run, interactions = self.stored.threads.run_in_thread, self.stored.interactions
        owner, wanted = request.state.owner, request.path_params["id"]
        with self.budget.transfer() as transfer:
            if request.query_params.get("include_input", "false") != "true":
                content = await run(interactions.answer, owner, wanted)
                transfer.add(len(content))
            else:
                # Twice: as it is read, and as it is written.
                transfer.add(2 * await run(interactions.size, owner, wanted))
                found = await run(interactions.get, owner, wanted)
                content = with_input(found.answer, found.input)
                del found
            await send_content(content, transfer, send)


@dataclass(frozen=True, slots=True)
class InteractionCall:
    """A new interaction on its way."""

    request: Request
    owner: str
    new: NewInteraction
    conversation: Conversation
    id: str


@dataclass(frozen=True, slots=True)
class InteractionEndpoint:
    """Answers new interactions; an ASGI application, so that one task sees a call through.

    Attributes:
        service: Answers.
        registry: Knows the models.
        usage: What each key has used.
        body_reader: Reads bodies, and counts their bytes as held until the call is over.
        stored: Keeps what was answered.
        max_images: Most pictures in one request.
        seconds: How long a call may take; a client may ask for less.
    """

    service: GenerateService
    registry: Registry
    usage: UsageBook
    body_reader: BodyReader
    stored: InteractionRoutes
    max_images: int
    seconds: float

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the request, answer, and free everything, whoever leaves first."""
        request = Request(scope, receive)
        encode_errors_with(request, encode_interaction_error)
        async with self.body_reader.read(scope, receive) as body:
            new = await self.body_reader.decode(body, partial(decode_interaction, max_images=self.max_images))
            self._check_model(new.model, request)
            body.clear()
            owner: str = request.state.owner
            with self.body_reader.budget.hold(len(new.input)):
                async with cancel_on_disconnect(receive), self._with_history(new, owner) as conversation:
                    new_id = self.stored.interactions.new_id()
                    call = InteractionCall(request, owner, new, conversation, new_id)
                    response = await self._answer(call, requested_timeout(request.headers, self.seconds))
                    await response(scope, receive, send)

    def _check_model(self, model: str, request: Request) -> None:
        try:
            card = self.registry.find(model).card
        except NotFound:
            raise unknown_model(model[:LONGEST_NAME], api_version(request), "interactions") from None
        record_of(request).model = card.id
        check_model(caller_of(request).key, model, card.id)

    @asynccontextmanager
    async def _with_history(self, new: NewInteraction, owner: str) -> AsyncIterator[Conversation]:
        """The conversation with what came before it, whose bytes count as held until the block is left."""
        if not new.previous:
            yield new.conversation
            return
        run, interactions = self.stored.threads.run_in_thread, self.stored.interactions
        history = await run(interactions.history, owner, new.previous, self.body_reader.limit)
        # Twice: as they were kept, and as pictures.
        with self.body_reader.budget.hold(2 * history.size):
            yield await run(self._after, history, new.conversation, owner)

    def _after(self, history: History, conversation: Conversation, owner: str) -> Conversation:
        stored = self.stored.interactions.load(owner, history)
        past = [PastInteraction(each.id, each.input, each.answer) for each in stored]
        return with_history(conversation, past, self.max_images)

    async def _answer(self, call: InteractionCall, seconds: float) -> Response | Stream:
        if call.new.streamed:
            return Stream(lambda: self._stream(call), EVENTS, seconds)
        async with deadline(seconds):
            async with self._generate(call) as generation:
                gathered = PieceBuffer()
                async for piece in generation.pieces:
                    gathered.add(piece)
            answer = encode_interaction(self._meta(call, generation), gathered)
            await self._keep(call, answer)
        return json_response(answer)

    @asynccontextmanager
    async def _stream(self, call: InteractionCall) -> AsyncIterator[AsyncIterator[bytes]]:
        async with self._generate(call) as generation:
            yield self._events(call, generation)

    def _generate(self, call: InteractionCall) -> AbstractAsyncContextManager[Generation]:
        conversation = replace(call.conversation, streamed=call.new.streamed)
        generating = self.service.generate(call.new.model, conversation, call.owner)
        return recorded(call.request, self.usage, generating)

    async def _events(self, call: InteractionCall, generation: Generation) -> AsyncIterator[bytes]:
        """The answer in events; it is kept before the last one says that it is complete."""
        stream = InteractionStream(self._meta(call, generation))
        yield stream.start()
        async for piece in generation.pieces:
            for event in stream.add(piece):
                yield event
        for event in stream.stop():
            yield event
        await self._keep(call, stream.interaction)
        yield stream.complete()

    def _meta(self, call: InteractionCall, generation: Generation) -> InteractionMeta:
        return InteractionMeta(
            id=call.id,
            model=generation.card.id,
            created=self.stored.interactions.clock(),
            prompt=generation.cost,
            previous=call.new.previous,
            include_thoughts=call.conversation.thinking.include,
        )

    async def _keep(self, call: InteractionCall, answer: bytes) -> None:
        new = call.new
        if new.kept:
            keep = self.stored.interactions.keep
            await self.stored.threads.run_in_thread(
                keep, call.owner, call.id, new.previous, new.input, answer
            )
