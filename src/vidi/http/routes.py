"""Every path that the server answers, in one table: verbs, path, endpoint, access; and how paths are spelled.

A request is resolved once, and what it is resolved to says both what answers and what its caller needs. Its
path is brought to the one spelling that stands in the table first; the first entry that matches wins.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Scope

from vidi.http.access import Access, Destination
from vidi.http.files import FileRoutes, UploadRoutes, refuse_missing_bytes, refuse_registration
from vidi.http.interactions import InteractionEndpoint, InteractionLookup, InteractionRoutes
from vidi.http.models import GenerateEndpoint, ModelRoutes
from vidi.http.ops import OpsRoutes
from vidi.http.playground import PREVIEW_PATH, Playground, PreviewEndpoint

_VERSION = "(?:v1|v1alpha|v1beta|v1beta1)"
"""All answer alike: SDKs differ in which they take by default, and Vertex clients know another one."""

_SPELLINGS = (
    # The version once, twice (a base URL that ends with one, by a client that adds its own) or not at all;
    # and where Vertex clients look for models.
    (
        re.compile(
            rf"/+(?:{_VERSION}/){{0,2}}(?:(?:projects/[^/]+/locations/[^/]+/)?publishers/google/(?=models))?"
            "(?=(?:models|interactions|files)(?:[/:]|$))"
        ),
        "/v1beta/",
    ),
    (re.compile(rf"/+(?:{_VERSION}/)?(?:resumable/)?upload/(?:{_VERSION}/)?(?=files/*$)"), "/upload/v1beta/"),
)


def canonical(path: str) -> str:
    """The spelling of a path that stands in the table, if it is one of those that clients are known to make.

    A slash at the end of a path of the API does not matter.
    """
    for spelling, instead in _SPELLINGS:
        if found := spelling.match(path):
            return instead + path[found.end() :].rstrip("/")
    return path


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
    preview: PreviewEndpoint
    ops: OpsRoutes


@dataclass(frozen=True, slots=True)
class RouteEntry:
    """One line of the table.

    Attributes:
        methods: HTTP verbs that it answers; GET includes HEAD.
        path: In its canonical spelling, with parameters in Starlette's notation.
        endpoint: What answers.
        access: What a caller needs.
    """

    methods: tuple[str, ...]
    path: str
    endpoint: Callable[[Request], Awaitable[Response]] | ASGIApp
    access: Access = Access.KEY

    def route(self) -> Route:
        """The entry as Starlette reads it."""
        return Route(self.path, self.endpoint, methods=self.methods)


class RouteTable:
    """Finds the entry of a request: by its whole path, or by what its path begins with."""

    def __init__(self, entries: Iterable[RouteEntry]) -> None:
        self.entries = tuple(entries)
        self._whole: dict[str, list[_Route]] = {}
        self._by_head: dict[str, list[_Route]] = {}
        for entry in self.entries:
            route = _Route.of(entry)
            if route.names:
                self._by_head.setdefault(_head(entry.path), []).append(route)
            else:
                self._whole.setdefault(entry.path, []).append(route)

    def resolve(self, scope: Scope) -> Destination:
        """What a request comes to; an unknown path or verb is not found, by whoever has a key."""
        path, method = canonical(scope["path"]), scope["method"]
        unserved = Destination()
        for route in (*self._whole.get(path, ()), *self._by_head.get(_head(path), ())):
            values = route.values(path)
            if values is None:
                continue
            if method in route.methods:
                to = route.to
                return Destination(to.app, to.access, to.path, to.takes_files, {"path_params": values})
            if not unserved.path:
                unserved = Destination(path=route.to.path, takes_files=route.to.takes_files)
        return unserved


def _head(path: str) -> str:
    """The first two steps of a path, as far as the table tells its entries by them."""
    return "/".join(path.split("/", 3)[:3])


@dataclass(frozen=True, slots=True)
class _Route:
    """An entry, ready to be matched."""

    to: Destination
    methods: frozenset[str]
    pattern: re.Pattern[str]
    names: tuple[str, ...]

    @classmethod
    def of(cls, entry: RouteEntry) -> _Route:
        route = entry.route()
        takes_files = entry.access is Access.UPLOAD_URL
        return cls(
            Destination(route.app, entry.access, entry.path, takes_files),
            frozenset(route.methods or ()),
            route.path_regex,
            tuple(route.param_convertors),
        )

    def values(self, path: str) -> dict[str, str] | None:
        """The values of the path's parameters; None if it is another path."""
        found = self.pattern.fullmatch(path)
        return found.groupdict() if found else None


def route_table(to: Endpoints, monitoring: Access = Access.LOCAL_OR_KEY) -> RouteTable:
    """All that the server answers; `monitoring` is what /health, /ready and /metrics need."""
    return RouteTable(
        (
            RouteEntry(GET, "/v1beta/models", to.models.list),
            RouteEntry(GET, "/v1beta/models/{model}", to.models.get),
            RouteEntry(POST, "/v1beta/models/{call:path}", to.generate),
            RouteEntry(POST, "/v1beta/interactions", to.interact),
            RouteEntry(GET, "/v1beta/interactions/{id}", to.interaction),
            RouteEntry(DELETE, "/v1beta/interactions/{id}", to.interactions.delete),
            RouteEntry(POST, "/v1beta/interactions/{id}/cancel", to.interactions.cancel),
            RouteEntry(("POST", "PUT"), "/upload/v1beta/files", to.uploads.receive, Access.UPLOAD_URL),
            RouteEntry(GET, "/v1beta/files", to.files.list),
            RouteEntry(POST, "/v1beta/files:register", refuse_registration),
            RouteEntry(POST, "/v1beta/files", refuse_missing_bytes),
            RouteEntry(GET, "/v1beta/files/{name:path}", to.files.get),
            RouteEntry(DELETE, "/v1beta/files/{name:path}", to.files.delete),
            RouteEntry(GET, "/health", to.ops.health, monitoring),
            RouteEntry(GET, "/ready", to.ops.ready, monitoring),
            RouteEntry(GET, "/metrics", to.ops.metrics, monitoring),
            RouteEntry(POST, PREVIEW_PATH, to.preview),
            *(RouteEntry(GET, path, asset.serve, Access.PUBLIC) for path, asset in to.page.assets.items()),
        )
    )
