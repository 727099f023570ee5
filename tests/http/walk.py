"""Requests made from the route table: every path under every spelling, straight into the application."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from starlette.types import Message

from vidi.http.access import Access
from vidi.http.middleware import Gateway
from vidi.http.routes import RouteTable, canonical

VERBS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND")


@dataclass(frozen=True, slots=True)
class Place:
    """A path as a client may write it.

    Attributes:
        raw: As it stands in the request line.
        access: What its entry declares; None if this spelling is nothing's.
        methods: The verbs of all entries that it is a spelling of.
    """

    raw: str
    access: Access | None
    methods: frozenset[str]


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def table_of(app: Gateway) -> RouteTable:
    """The table that an application answers by."""
    resolve = app.resolve
    assert inspect.ismethod(resolve)
    table = resolve.__self__
    assert isinstance(table, RouteTable)
    return table


def spellings(path: str) -> Iterator[str]:
    """Ways to write a path in a request line, itself first."""
    yield path
    yield path.replace("/", "%2f")
    yield path.replace("/", "//")
    yield path[:-1] + f"%{ord(path[-1]):02x}"
    yield path + "%0a"
    yield path + "/"
    yield "/." + path
    yield "/x/%2e%2e" + path
    yield path + ";x"
    yield path.upper()
    if path.startswith("/v1beta/"):
        yield path.replace("v1beta", "v1", 1)
        yield path.replace("v1beta", "v1beta/v1alpha", 1)
        yield path.replace("v1beta", "v1beta/v1/v1", 1)
        yield path.removeprefix("/v1beta")
        yield "/" + path
        yield path.replace("v1beta/", "v1beta1/publishers/google/")
        yield path.replace("v1beta/", "v1/projects/p/locations/l/publishers/google/")
    if path.startswith("/upload/"):
        yield "/v1/upload/v1/files"
        yield "/resumable/upload/v1alpha/files"


def places(table: RouteTable, values: Mapping[str, str]) -> Iterator[Place]:
    """Every path of the table in every spelling, with `values` in the place of its parameters."""
    known: dict[str, tuple[Access, frozenset[str]]] = {}
    for entry in table.entries:
        path = re.sub(r"{(\w+)(?::\w+)?}", lambda found: values[found[1]], entry.path)
        access, methods = known.get(path, (entry.access, frozenset()))
        assert access is entry.access, "one path, one need"
        known[path] = access, methods | (entry.route().methods or set())
    for path, (access, methods) in known.items():
        for raw in spellings(path):
            itself = canonical(unquote(raw)) == path
            yield Place(raw, access if itself else None, methods if itself else frozenset())


async def ask(
    app: Gateway,
    method: str,
    raw: str,
    query: str = "",
    headers: Mapping[str, str] | tuple[tuple[str, str], ...] = (),
    body: bytes = b"",
    client: str = "203.0.113.7",
) -> Reply:
    """The answer to one request, as the server would hand it over."""
    pairs = tuple(headers.items()) if isinstance(headers, Mapping) else headers
    pairs = (*(() if any(name == "host" for name, _ in pairs) else (("host", "vidi.example"),)), *pairs)
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(raw),
        "raw_path": raw.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs],
        "client": (client, 1),
        "server": ("127.0.0.1", 8484),
    }
    sent: list[Message] = []
    incoming: asyncio.Queue[Message] = asyncio.Queue()
    incoming.put_nowait({"type": "http.request", "body": body, "more_body": False})

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, incoming.get, send)
    told = {name.decode(): value.decode() for name, value in sent[0].get("headers", [])}
    return Reply(sent[0]["status"], told, b"".join(message.get("body", b"") for message in sent[1:]))
