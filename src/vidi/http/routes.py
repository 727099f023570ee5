"""Every path that the server answers, in one table: verbs, spellings of the version, path, endpoint, access.

A request is resolved once, and what it is resolved to says both what answers and what its caller needs.
Within one spelling of the version the first entry that matches wins. Spellings never overlap, so their order
among each other does not matter.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from vidi.domain.errors import NotFound
from vidi.http.access import Access
from vidi.http.files import FileRoutes, UploadRoutes, refuse_missing_bytes
from vidi.http.interactions import InteractionEndpoint, InteractionLookup, InteractionRoutes
from vidi.http.models import GenerateEndpoint, ModelRoutes
from vidi.http.playground import Playground

VERSIONS = ("v1", "v1alpha", "v1beta")
"""All answer alike: SDKs differ in which they take by default."""

API = tuple(f"/{version}" for version in VERSIONS)

UPLOAD = tuple(
    prefix
    for version in VERSIONS
    for prefix in (
        f"/upload/{version}",
        f"/resumable/upload/{version}",
        # Made by SDKs whose base URL ends with a version already.
        *(f"/{outer}/upload/{version}" for outer in VERSIONS),
    )
)

PAGE = ("",)
"""The page has no versions."""

GET, POST, DELETE = ("GET",), ("POST",), ("DELETE",)


@dataclass(frozen=True, slots=True)
class Endpoints:
    """What stands behind the paths; an endpoint with `__call__` is an ASGI application of its own."""

    models: ModelRoutes
    generate: GenerateEndpoint
    interact: InteractionEndpoint
    interaction: InteractionLookup
    interactions: InteractionRoutes
    files: FileRoutes
    uploads: UploadRoutes
    page: Playground


@dataclass(frozen=True, slots=True)
class RouteEntry:
    """One line of the table.

    Attributes:
        methods: HTTP verbs that it answers; GET includes HEAD.
        spellings: What may stand before the path.
        path: With parameters in Starlette's notation.
        endpoint: What answers.
        access: What a caller needs.
    """

    methods: tuple[str, ...]
    spellings: tuple[str, ...]
    path: str
    endpoint: Callable[[Request], Awaitable[Response]] | ASGIApp
    access: Access = Access.KEY

    def routes(self) -> Iterator[Route]:
        """The entry under each of its spellings."""
        for spelling in self.spellings:
            yield Route(spelling + self.path, self.endpoint, methods=self.methods)


async def not_found(scope: Scope, _receive: Receive, _send: Send) -> None:
    """What answers an unknown path or verb."""
    raise NotFound(f"There is no {scope['method']} {scope['path'][:200]} here.")


@dataclass(frozen=True, slots=True)
class Destination:
    """What a request comes to.

    Attributes:
        app: What answers it.
        access: What its caller needs.
        path: Of the entry, without version and with the parameters' names; "" where there is none.
        takes_files: Whether files come under this path.
        scope: What its endpoint is told beside the request: the values of the path's parameters.
    """

    app: ASGIApp = not_found
    access: Access = Access.KEY
    path: str = ""
    takes_files: bool = False
    scope: Mapping[str, object] = field(default_factory=dict)


class RouteTable:
    """Finds the entry of a request."""

    def __init__(self, entries: Iterable[RouteEntry]) -> None:
        self.entries = tuple(entries)
        self._routes = tuple((entry, route) for entry in self.entries for route in entry.routes())

    def resolve(self, scope: Scope) -> Destination:
        """What a request comes to; an unknown path or verb is not found, by whoever has a key."""
        unserved = Destination()
        for entry, route in self._routes:
            match, found = route.matches(scope)
            takes_files = entry.access is Access.UPLOAD_URL
            if match is Match.FULL:
                return Destination(route.app, entry.access, entry.path, takes_files, found)
            if match is Match.PARTIAL and not unserved.path:
                unserved = Destination(path=entry.path, takes_files=takes_files)
        return unserved


def route_table(to: Endpoints) -> RouteTable:
    """All that the server answers."""
    return RouteTable(
        (
            RouteEntry(GET, API, "/models", to.models.list),
            RouteEntry(GET, API, "/models/{model}", to.models.get),
            RouteEntry(POST, API, "/models/{call:path}", to.generate),
            RouteEntry(POST, API, "/interactions", to.interact),
            RouteEntry(GET, API, "/interactions/{id}", to.interaction),
            RouteEntry(DELETE, API, "/interactions/{id}", to.interactions.delete),
            RouteEntry(POST, API, "/interactions/{id}/cancel", to.interactions.cancel),
            RouteEntry(("POST", "PUT"), UPLOAD, "/files", to.uploads.receive, Access.UPLOAD_URL),
            RouteEntry(GET, API, "/files", to.files.list),
            RouteEntry(POST, API, "/files", refuse_missing_bytes),
            RouteEntry(GET, API, "/files/{name:path}", to.files.get),
            RouteEntry(DELETE, API, "/files/{name:path}", to.files.delete),
            *(
                RouteEntry(GET, PAGE, path, asset.serve, Access.PUBLIC)
                for path, asset in to.page.assets.items()
            ),
        )
    )
