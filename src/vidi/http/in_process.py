"""The application asked without a socket, by a client in the same process.

httpx2's own transport gives an answer when all of it is there; a person wants to read while it is made.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx2
from starlette.types import ASGIApp, Message, Receive, Scope


class _Body(httpx2.AsyncByteStream):
    """The body of an answer as the application makes it; closing it ends the application's work on it."""

    def __init__(self, messages: asyncio.Queue[Message], work: asyncio.Task[None]) -> None:
        self._messages = messages
        self._work = work

    async def __aiter__(self) -> AsyncIterator[bytes]:
        more = True
        while more:
            message = await self._messages.get()
            more = message.get("more_body", False)
            yield message.get("body", b"")

    async def aclose(self) -> None:
        self._work.cancel()
        await asyncio.gather(self._work, return_exceptions=True)


class InProcess(httpx2.AsyncBaseTransport):
    """Asks an application in this process; the answer comes as it is made."""

    def __init__(self, app: ASGIApp) -> None:
        """Ask `app`, whose lifespan runs."""
        self._app = app

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answer one request."""
        unread = [await request.aread()]
        messages: asyncio.Queue[Message] = asyncio.Queue()

        async def receive() -> Message:
            if unread:
                return {"type": "http.request", "body": unread.pop(), "more_body": False}
            await asyncio.Event().wait()
            return {"type": "http.disconnect"}

        work = asyncio.create_task(self._run(_scope(request), receive, messages))
        try:
            begun = await messages.get()
        except asyncio.CancelledError:
            work.cancel()
            raise
        return httpx2.Response(
            begun["status"], headers=begun["headers"], stream=_Body(messages, work), request=request
        )

    async def _run(self, scope: Scope, receive: Receive, messages: asyncio.Queue[Message]) -> None:
        await self._app(scope, receive, messages.put)


def _scope(request: httpx2.Request) -> Scope:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "scheme": request.url.scheme,
        "path": request.url.path,
        "raw_path": request.url.raw_path.split(b"?")[0],
        "query_string": request.url.query,
        "server": (request.url.host, request.url.port),
        "client": ("127.0.0.1", 0),
        "root_path": "",
    }
