"""What is written down of a request, and how log lines look: text for people, JSON for programs.

A request's record holds numbers, a route, a model and the name of its key; never a picture, a prompt, a key,
a path or a file's name, so that no log can leak them. Whoever answers a request fills it in; `middleware.py`
hands it to the log, the metrics and the traces when the request is over.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Protocol

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import Scope

from vidi.domain.answer import Piece
from vidi.generate import Generation
from vidi.http.access import caller_of
from vidi.http.keys import UsageBook
from vidi.http.response import add_grounding_header

RECORD = "record"
"""Key in a request's state: its `RequestRecord`."""

REQUEST_ID = "x-request-id"

requests_log = logging.getLogger("vidi.requests")

_GOOD_ID = re.compile(r"[\w.:+/=@-]{1,128}", re.ASCII)


@dataclass(slots=True)
class RequestRecord:
    """One request, filled in as it goes.

    Attributes:
        id: The caller's own, if it is one that a log can hold, or made here.
        trace: What the caller's `traceparent` header says; "" if there is none.
        method, route: HTTP verb, and path with the parameters' names; "" for a path that is not served.
        key: Name of the key that was shown; "" if none was.
        model: Id of the model that answers; "" where none does.
        tokens_in, tokens_out: Of the prompt and of the answer.
        status: Of the answer; 499 if the client went away before it.
        began: When, in nanoseconds since 1970.
        stages: What took how long, in seconds, one after the other: `read` (body and JSON), `prepare` (files,
            headers, decoding), `first` (waiting for the model, until its first token), `answer` (until its
            last), `rest`.
    """

    id: str
    trace: str = ""
    method: str = ""
    route: str = ""
    key: str = ""
    model: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    status: int = 0
    began: int = field(default_factory=time.time_ns)
    stages: dict[str, float] = field(default_factory=dict)
    _marked: float = field(default_factory=time.perf_counter)

    @classmethod
    def of(cls, scope: Scope, route: str) -> RequestRecord:
        """A new record, kept in the request's state."""
        headers = Headers(scope=scope)
        wanted = headers.get(REQUEST_ID, "")
        made = wanted if _GOOD_ID.fullmatch(wanted) else secrets.token_hex(8)
        record = cls(made, headers.get("traceparent", ""), scope["method"], route)
        scope["state"][RECORD] = record
        return record

    @property
    def seconds(self) -> float:
        """How long it has taken."""
        return sum(self.stages.values())

    def end_stage(self, stage: str) -> None:
        """The time since the stage before goes to this one."""
        now = time.perf_counter()
        self.stages[stage] = self.stages.get(stage, 0.0) + now - self._marked
        self._marked = now

    def fields(self) -> dict[str, object]:
        """What the log says of it."""
        return {
            "request_id": self.id,
            "method": self.method,
            "route": self.route or "not served",
            "status": self.status,
            "ms": round(self.seconds * 1000, 1),
            "key": self.key,
            "model": self.model,
            "tokens_in": self.tokens_in,
            "tokens_out": self.tokens_out,
            "stages": {stage: round(seconds * 1000, 1) for stage, seconds in self.stages.items()},
        }

    def text(self) -> str:
        """The same in a line for people."""
        stages = ", ".join(f"{stage} {seconds * 1000:.1f}" for stage, seconds in self.stages.items())
        tokens = f" {self.tokens_in}+{self.tokens_out} tokens" if self.tokens_in else ""
        who = f" key={self.key}" if self.key else ""
        shown = f"{self.method} {self.route or '(not served)'} {self.status} {self.seconds * 1000:.1f} ms"
        return f"{shown} ({stages}) {self.model}{tokens}{who} id={self.id}"


Observer = Callable[[RequestRecord], None]
"""Told of every request when it is over; must not raise or wait."""


class ClosingObserver(Protocol):
    """An `Observer` that holds something until it is closed."""

    def __call__(self, record: RequestRecord) -> None:
        """A request is over."""
        ...

    def close(self) -> None:
        """Let go of what is held; may wait a moment."""
        ...


def log_request(record: RequestRecord) -> None:
    """The `Observer` that writes a line."""
    if requests_log.isEnabledFor(logging.INFO):
        requests_log.info("%s", record.text(), extra={"fields": record.fields()})


def record_of(request: Request) -> RequestRecord:
    """What is written down of a request."""
    record: RequestRecord = request.scope["state"][RECORD]
    return record


def recorded(
    request: Request, usage: UsageBook, generating: AbstractAsyncContextManager[Generation]
) -> AbstractAsyncContextManager[Generation]:
    """An answer that is being made; its model, tokens and stages are written down, and its key is charged.

    Entering raises QuotaExceeded for a key that has used up its tokens.
    """
    return _Recorded(request, usage, generating)


class _Recorded(AbstractAsyncContextManager[Generation]):
    def __init__(
        self, request: Request, usage: UsageBook, generating: AbstractAsyncContextManager[Generation]
    ) -> None:
        self._request = request
        self._usage = usage
        self._generating = generating

    async def __aenter__(self) -> Generation:
        self._usage.check_tokens(caller_of(self._request).key)
        record = record_of(self._request)
        record.end_stage("read")
        generation = await self._generating.__aenter__()
        record.model, record.tokens_in = generation.card.id, generation.cost.total
        record.end_stage("prepare")
        add_grounding_header(self._request, generation.grounding)
        return generation.passed_on(_watched(generation.pieces, record))

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        record = record_of(self._request)
        # An answer that ends before its first piece costs nothing: it was refused, or failed.
        if "first" in record.stages:
            self._usage.charge(caller_of(self._request).key, record.tokens_in, record.tokens_out)
        return await self._generating.__aexit__(kind, error, trace)


async def _watched(pieces: AsyncIterator[Piece], record: RequestRecord) -> AsyncIterator[Piece]:
    waiting = True
    async for piece in pieces:
        if waiting:
            record.end_stage("first")
            waiting = False
        record.tokens_out += piece.tokens
        yield piece
    record.end_stage("answer")


def configure(*, as_json: bool, verbose: bool) -> None:
    """Write log lines to standard error: warnings, with `verbose` what happens, requests with either."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if as_json else TextLines("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, handlers=[handler])
    # The client that fetches callers' pictures would write down their addresses.
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    if as_json:
        requests_log.setLevel(logging.INFO)


class TextLines(logging.Formatter):
    """A line each; whatever could move a terminal's cursor or forge a line is written as an escape."""

    def format(self, record: logging.LogRecord) -> str:
        first, *others = super().format(record).split("\n")
        # A traceback's lines are set in, so that none of them looks like a line of its own.
        return "\n".join([escaped(first), *(f"    {escaped(line)}" for line in others)])


class JsonLines(logging.Formatter):
    """A JSON object a line, in ASCII."""

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, object] | None = getattr(record, "fields", None)
        entry: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            **(fields or {"message": record.getMessage()}),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry)


def escaped(text: str) -> str:
    """The text with all that does not print as itself escaped."""
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text
    )
