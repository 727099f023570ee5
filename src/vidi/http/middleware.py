"""Around every request: who may call, what other sites are granted, and how an error is answered.

Every request passes through `Gateway`, and every error leaves through it, in Google's shape. Without keys
the server is open, but only to this machine: a foreign Host or Origin is refused (DNS rebinding), and no
other site is granted anything.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import URL, Headers, MutableHeaders, QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vidi.domain.errors import Cancelled, Internal, NotFound, PermissionDenied, VidiError
from vidi.http.response import ADDED_HEADERS, ERROR_ENCODER, JSON
from vidi.http.stream import PIECE_BYTES, pieces_of
from vidi.wire.encode import array_error, encode_error
from vidi.wire.errors import invalid_key, missing_key, several_keys, status_of

log = logging.getLogger(__name__)

UPLOAD_SEGMENT = "/upload/"
"""Part of every path under which files come."""

DRAIN_SECONDS = 20.0
"""How long the rest of a refused body is read and forgotten."""

GRANTED_HEADERS = (
    "api-revision, authorization, content-type, x-goog-api-client, x-goog-api-key, x-goog-upload-command, "
    "x-goog-upload-file-name, x-goog-upload-header-content-length, x-goog-upload-header-content-type, "
    "x-goog-upload-offset, x-goog-upload-protocol, x-server-timeout"
)
EXPOSED_HEADERS = (
    "x-goog-upload-chunk-granularity, x-goog-upload-size-received, x-goog-upload-status, x-goog-upload-url"
)


@dataclass(frozen=True, slots=True)
class AccessPolicy:
    """Who may come in.

    Attributes:
        key_digests: SHA-256 of each valid key; none means that the server is open to this machine.
        hosts: Names under which an open server may be called, lower case, without port.
        public: Paths that need no key: the page's own files.
    """

    key_digests: frozenset[bytes]
    hosts: frozenset[str]
    public: frozenset[str] = frozenset()

    def owner(self, headers: Headers, query: QueryParams, path: str) -> str:
        """Who calls: a digest of the key, or "" on an open server.

        An upload's URL holds a secret of its own and needs no key: most clients send none with the bytes.

        Raises:
            PermissionDenied: No key; or an open server is called under a foreign name or from a foreign page.
            InvalidRequest: A wrong key, or several.
        """
        if not self.key_digests:
            self._check_local(headers)
            return ""
        if path in self.public or (UPLOAD_SEGMENT in path and "upload_id" in query):
            return ""
        shown = [headers.get("x-goog-api-key", ""), query.get("key", ""), _bearer(headers)]
        keys = [key for key in shown if key]
        if not keys:
            raise missing_key()
        if len(keys) > 1:
            raise several_keys()
        digest = hashlib.sha256(keys[0].encode()).digest()
        if not any(hmac.compare_digest(digest, known) for known in self.key_digests):
            raise invalid_key()
        return digest.hex()[:16]

    def _check_local(self, headers: Headers) -> None:
        if _hostname(f"//{headers.get('host', '')}") not in self.hosts:
            raise PermissionDenied(
                "This server is open only to its own machine and was called under another name. "
                "Set VIDI_API_KEYS to open it to others, or VIDI_ALLOWED_HOSTS to allow this name."
            )
        origin = headers.get("origin")
        if origin is not None and _hostname(origin) not in self.hosts:
            raise PermissionDenied(
                "Pages of other sites may not call this server. Set VIDI_API_KEYS and send a key."
            )


def _bearer(headers: Headers) -> str:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _hostname(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""


class Gateway:
    """ASGI middleware around everything."""

    def __init__(self, app: ASGIApp, policy: AccessPolicy) -> None:
        self._app = app
        self._policy = policy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _RequestBody(receive)
        added: dict[str, str] = {}
        if UPLOAD_SEGMENT in scope["path"]:
            # Refused before anyone asks which upload: there is nothing that a client could continue.
            added["x-goog-upload-status"] = "final"
        scope.setdefault("state", {})[ADDED_HEADERS] = added
        reply = _Response(send, added, cors=bool(self._policy.key_digests))
        began = time.perf_counter()
        try:
            await self._serve(scope, body, reply)
        except Cancelled:
            reply.status = 499
        except VidiError as error:
            await reply.error(scope, body, error)
        except Exception:
            log.exception("%s %s failed", scope["method"], scope["path"])
            await reply.error(scope, body, Internal("Internal error encountered."))
        finally:
            # The query is left out: it may hold a key.
            took = (time.perf_counter() - began) * 1000
            log.info("%s %s %d %.1f ms", scope["method"], scope["path"], reply.status, took)

    async def _serve(self, scope: Scope, receive: Receive, reply: _Response) -> None:
        headers = Headers(scope=scope)
        if scope["method"] == "OPTIONS" and self._policy.key_digests:
            await Response(status_code=204)(scope, receive, reply)
            return
        query = QueryParams(scope["query_string"])
        scope["state"]["owner"] = self._policy.owner(headers, query, scope["path"])
        await self._app(scope, receive, reply)


async def not_found(request: Request, error: Exception) -> Response:
    """Starlette's answer to an unknown path or verb, in Google's shape."""
    raise NotFound(f"There is no {request.method} {request.url.path[:200]} here.") from error


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
    """The way out: remembers whether the answer has begun, and grants other sites what keys allow."""

    def __init__(self, send: Send, added: Mapping[str, str], *, cors: bool) -> None:
        self._send = send
        self._added = added
        self._cors = cors
        self._begun = False
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._begun = True
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["x-content-type-options"] = "nosniff"
            for name, value in self._added.items():
                headers[name] = value
            if self._cors:
                headers["access-control-allow-origin"] = "*"
                headers["access-control-allow-methods"] = "GET, POST, PUT, DELETE, OPTIONS"
                headers["access-control-allow-headers"] = GRANTED_HEADERS
                headers["access-control-expose-headers"] = EXPOSED_HEADERS
        elif len(message.get("body", b"")) > PIECE_BYTES:
            for piece in pieces_of(message["body"]):
                await self._send({"type": "http.response.body", "body": piece, "more_body": True})
            message = {**message, "body": b""}
        await self._send(message)

    async def error(self, scope: Scope, body: _RequestBody, error: VidiError) -> None:
        """Send an error, unless an answer has begun."""
        if self._begun:
            return
        url = URL(scope=scope)
        in_array = url.path.endswith(":streamGenerateContent") and "alt=sse" not in url.query
        encode = scope["state"].get(ERROR_ENCODER, encode_error)
        content = array_error(error) if in_array else encode(error)
        headers = [(b"content-type", JSON.encode()), (b"content-length", b"%d" % len(content))]
        if error.retry_after is not None:
            headers.append((b"retry-after", b"%d" % max(1, round(error.retry_after))))
        await self({"type": "http.response.start", "status": status_of(error).code, "headers": headers})
        await self({"type": "http.response.body", "body": content, "more_body": True})
        await body.drain()
        await self({"type": "http.response.body", "body": b""})
