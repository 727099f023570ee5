"""The servers of one backend: which of them is asked, whether they are there, and what a lost one means.

Who runs where: requests run on the threads of their callers; one thread a server (`_watch`) asks now and then
whether it is there. What they share is a few numbers and flags, each written by one assignment under `_lock`
or by one thread only.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from secrets import token_hex
from urllib.parse import urlsplit

from vidi.domain.errors import Unavailable
from vidi.domain.schema import JsonValue
from vidi.engines.base import Backend
from vidi.engines.chat.connection import (
    ConnectFailed,
    ConnectionLost,
    Endpoint,
    HttpMessage,
    HttpRefusal,
    Links,
    Post,
    exchange,
    fetch,
)
from vidi.engines.chat.response import BackendFailure
from vidi.engines.remote.kinds import RETRY_SECONDS

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HealthPace:
    """How servers are looked after, in seconds.

    Attributes:
        every: Between two checks of a server that is there.
        soon: Between two checks of one that is away.
        wait: How long it may take to answer one.
        missed: So many checks in a row without an answer, and it is away.
        silent: How long an answer may stop, or not begin, once its server is away.
    """

    every: float = 5.0
    soon: float = 1.0
    wait: float = 5.0
    missed: int = 3
    silent: float = 5.0


class Server:
    """One server: its connections, and what is known of its health."""

    def __init__(self, url: str, key: str, keep: int) -> None:
        """Take its address; nothing is opened yet."""
        parts = urlsplit(url)
        tls = parts.scheme == "https"
        base = parts.path.rstrip("/").removesuffix("/v1")
        self.shown = parts.netloc + base
        self.links = Links(
            Endpoint(parts.hostname or "", parts.port or (443 if tls else 80), key, base, tls), keep=keep
        )
        self.problem = ""
        self.running = 0

    def get(self, path: str, *, seconds: float) -> JsonValue:
        """What it answers to a GET, as JSON; None if that is no JSON.

        Raises:
            ConnectFailed, ConnectionLost, HttpRefusal: It is away, or refuses.
        """
        return _json(fetch(self.links, HttpMessage(path), seconds=seconds))

    def ask(self, path: str, body: dict[str, JsonValue], *, seconds: float) -> JsonValue:
        """The same for a POST."""
        return _json(fetch(self.links, HttpMessage(path, json.dumps(body).encode()), seconds=seconds))


def _json(data: bytes) -> JsonValue:
    try:
        value: JsonValue = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return value


def servers_of(backend: Backend) -> tuple[Server, ...]:
    """The servers of a backend, unwatched."""
    return tuple(Server(url, backend.key, backend.slots) for url in backend.urls)


class Pool:
    """The servers of one backend, watched; copies of one another, of which any may be asked."""

    def __init__(self, backend: Backend, health: str, pace: HealthPace = HealthPace()) -> None:
        """Begin to watch them.

        Args:
            backend: Which.
            health: What they are asked to see whether they are there.
            pace: How often.
        """
        self._backend = backend
        self._health = health
        self._pace = pace
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self.servers = servers_of(backend)
        for server in self.servers:
            threading.Thread(target=self._watch, args=(server,), name=server.shown, daemon=True).start()

    def away(self) -> tuple[str, ...]:
        """Which servers are away, and why, each in a sentence."""
        return tuple(f"{each.shown} {each.problem}" for each in self.servers if each.problem)

    def post(self, pictures: str = "") -> Post:
        """The way to one of the servers, for one prompt.

        Args:
            pictures: The same for prompts over the same pictures, which go to the same server; "" without.
        """

        def send(path: str, body: bytes) -> Generator[bytes, None, None]:
            yield from self._send(path, body, pictures)

        return send

    def close(self) -> None:
        """Watch no longer, and hang up."""
        self._closed.set()
        for server in self.servers:
            server.links.close()

    def _send(self, path: str, body: bytes, pictures: str) -> Generator[bytes, None, None]:
        """Send a request to a server, to another if nobody is there: nothing was asked, so nothing is lost.

        Raises:
            HttpRefusal: It answered with another status than 200.
            BackendFailure: It was lost over this request.
            Unavailable: None of them is there.
        """
        header = self._backend.affinity_header
        number = token_hex(8)
        lines = [f"x-request-id: {number}", *([f"{header}: {pictures}"] if header and pictures else ())]
        for server in self._in_order(pictures):
            try:
                with (
                    self._running(server),
                    closing(exchange(server.links, HttpMessage(path, body, tuple(lines)))) as parts,
                ):
                    yield from self._heard(server, parts)
                return
            except ConnectFailed:
                server.problem = "is not there"
            except ConnectionLost:
                log.warning("%s was lost over the request %s", server.shown, number)
                raise _lost() from None
            except HttpRefusal as refusal:
                log.warning("%s refused the request %s with %d", server.shown, number, refusal.status)
                raise
        raise Unavailable(
            "The model's server is not there. Please try again later.", retry_after=RETRY_SECONDS
        )

    def _heard(self, server: Server, parts: Generator[bytes, None, None]) -> Generator[bytes, None, None]:
        """What a server says; gives it up when it says nothing more and is known to be away."""
        heard = time.monotonic()
        for part in parts:
            if part:
                heard = time.monotonic()
            elif server.problem and time.monotonic() - heard > self._pace.silent:
                log.warning("%s says nothing any more", server.shown)
                raise _lost()
            yield part

    def _in_order(self, pictures: str) -> Sequence[Server]:
        """The servers, the best first: those that are there, then who has the pictures or is idle."""

        def rank(server: Server) -> tuple[bool, int, bytes]:
            if not pictures:
                return bool(server.problem), server.running, b""
            # The highest of the digests wins: a server that goes away moves its own pictures only.
            digest = hashlib.sha256(f"{server.shown} {pictures}".encode()).digest()
            return bool(server.problem), 0, digest

        return sorted(self.servers, key=rank)

    @contextmanager
    def _running(self, server: Server) -> Generator[None, None, None]:
        with self._lock:
            server.running += 1
        try:
            yield
        finally:
            with self._lock:
                server.running -= 1

    def _watch(self, server: Server) -> None:
        missed = 0
        while not self._closed.wait(self._pace.soon if server.problem else self._pace.every):
            problem = self._check(server)
            missed = missed + 1 if problem else 0
            # One that refuses a connection is away at once; a busy one may be late now and then.
            if not problem or problem != _LATE or missed >= self._pace.missed:
                if problem and not server.problem:
                    log.warning("%s %s", server.shown, problem)
                server.problem = problem

    def _check(self, server: Server) -> str:
        try:
            fetch(server.links, HttpMessage(self._health), seconds=self._pace.wait)
        except ConnectFailed:
            return "is not there"
        except ConnectionLost:
            return _LATE
        except HttpRefusal as refusal:
            # A server that wants a key for this, or has no such path, is there.
            busy = refusal.status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS)
            if busy or refusal.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                return f"answers {refusal.status}: it is loading, or broken"
        return ""


_LATE = "does not answer"


def _lost() -> BackendFailure:
    return BackendFailure(
        "The model's server was lost over this request. Please try again.", retry_after=RETRY_SECONDS
    )
