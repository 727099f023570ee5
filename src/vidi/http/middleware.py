"""Around every request: its way to its endpoint, and how an error is answered.

Every request passes through `Gateway`, and every error leaves through it, in Google's shape.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send

from vidi.domain.errors import Cancelled, Internal, VidiError
from vidi.http.access import ADDRESS, CALLER, OWNER, AccessPolicy, Destination
from vidi.http.cors import Cors, grants, is_preflight
from vidi.http.logs import RECORD, REQUEST_ID, Observer, RequestRecord, log_request
from vidi.http.response import ADDED_HEADERS, ERROR_ENCODER, JSON
from vidi.http.stream import DRAIN, PIECE_BYTES, Drain, pieces_of
from vidi.wire.encode import array_error, encode_error
from vidi.wire.errors import status_of

log = logging.getLogger(__name__)

PROBES = frozenset({"/health", "/ready", "/metrics"})
"""Paths that a server answers to its very end, and does not wait for."""

DRAIN_SECONDS = 20.0
"""How long the rest of a refused body is read and forgotten."""


class Gateway:
    """ASGI application around everything.

    Attributes:
        lifespan: Gets all that is no request.
        resolve: Tells where a request goes.
    """

    def __init__(
        self,
        lifespan: Starlette,
        policy: AccessPolicy,
        resolve: Callable[[Scope], Destination],
        drain: Drain,
        observers: Sequence[Observer] = (log_request,),
    ) -> None:
        """Send each request where `resolve` says until `drain` begins."""
        self.lifespan = lifespan
        self.resolve = resolve
        self._observers = observers
        self._policy = policy
        self._cors = Cors(policy)
        self._drain = drain

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.lifespan(scope, receive, send)
            return
        asked = Headers(scope=scope)
        added: dict[str, str] = {}
        reply = _Response(send, added, self._cors, asked.get("origin", ""))
        if is_preflight(scope["method"], asked) and reply.is_granted:
            await reply.preflight(asked)
            return
        to = self.resolve(scope)
        scope.setdefault("state", {}).update({ADDED_HEADERS: added, DRAIN: self._drain})
        record = RequestRecord.of(scope, to.path)
        added[REQUEST_ID] = record.id
        if to.takes_files:
            # Refused before anyone asks which upload: there is nothing that a client could continue.
            added["x-goog-upload-status"] = "final"
        if self._drain.begun:
            added["connection"] = "close"
        try:
            await self._answer(to, scope, receive, reply)
        finally:
            record.status = reply.status
            record.end_stage("rest")
            for observe in self._observers:
                observe(record)

    async def _answer(self, to: Destination, scope: Scope, receive: Receive, reply: _Response) -> None:
        body = _RequestBody(receive)
        try:
            if to.path in PROBES:
                await self._serve(to, scope, body, reply)
            else:
                with self._drain.request():
                    await self._serve(to, scope, body, reply)
        except Cancelled:
            reply.status = 499
        except VidiError as error:
            await reply.error(scope, body, error)
        except Exception:
            record: RequestRecord = scope["state"][RECORD]
            log.exception("request %s failed: %s %s", record.id, record.method, record.route)
            await reply.error(scope, body, Internal("Internal error encountered."))

    async def _serve(self, to: Destination, scope: Scope, receive: Receive, reply: _Response) -> None:
        address = self._policy.address(scope)
        caller = self._policy.admit(to.access, scope, address)
        scope["state"][ADDRESS], scope["state"][CALLER] = address, caller
        if caller.owner is not None:
            scope["state"][OWNER] = caller.owner
        if caller.key is not None:
            scope["state"][RECORD].key = caller.key.name
        scope.update(to.scope)
        await to.app(scope, receive, reply)


class _RequestBody:
    """The way in: remembers whether there is more to come."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._ended = False

    async def __call__(self) -> Message:
        message = await self._receive()
        self._ended = message["type"] == "http.disconnect" or not message.get("more_body", False)
        return message

    async def drain(self) -> None:
        """Read and forget the rest, so that a client that still sends finds time to read the refusal."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                while not self._ended:
                    await self()


class _Response:
    """The way out: remembers whether the answer has begun."""

    def __init__(self, send: Send, added: Mapping[str, str], cors: Cors, origin: str) -> None:
        self._send = send
        self._added = added
        self._cors = cors
        self._origin = origin
        self._begun = False
        self.status = 0

    @property
    def is_granted(self) -> bool:
        """Whether the page that asks may."""
        return self._cors.granted(self._origin)

    async def preflight(self, asked: Headers) -> None:
        """Tell a browser what the page may do."""
        headers = grants(asked)
        self._cors.add_to(headers, self._origin)
        await self._send({"type": "http.response.start", "status": 204, "headers": headers})
        await self._send({"type": "http.response.body", "body": b""})

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._begun = True
            self.status = message["status"]
            message["headers"] = self._head(message.get("headers", ()))
        elif len(message.get("body", b"")) > PIECE_BYTES:
            for piece in pieces_of(message["body"]):
                await self._send({"type": "http.response.body", "body": piece, "more_body": True})
            message = {**message, "body": b""}
        await self._send(message)

    def _head(self, own: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """The headers of an answer with those that go with every one, which take the place of its own."""
        added = {name.encode("latin-1"): value.encode("latin-1") for name, value in self._added.items()}
        added[b"x-content-type-options"] = b"nosniff"
        headers = [each for each in own if each[0] not in added]
        headers += added.items()
        self._cors.add_to(headers, self._origin)
        return headers

    async def error(self, scope: Scope, body: _RequestBody, error: VidiError) -> None:
        """Send an error, unless an answer has begun."""
        if self._begun:
            return
        is_stream = scope["path"].rstrip("/").endswith(":streamGenerateContent")
        in_array = is_stream and b"alt=sse" not in scope["query_string"]
        encode = scope["state"].get(ERROR_ENCODER, encode_error)
        content = array_error(error) if in_array else encode(error)
        headers = [(b"content-type", JSON.encode()), (b"content-length", b"%d" % len(content))]
        if error.retry_after is not None:
            headers.append((b"retry-after", b"%d" % max(1, round(error.retry_after))))
        await self({"type": "http.response.start", "status": status_of(error).code, "headers": headers})
        await self({"type": "http.response.body", "body": content, "more_body": True})
        await body.drain()
        await self({"type": "http.response.body", "body": b""})
