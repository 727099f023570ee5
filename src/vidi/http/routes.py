"""Every path that the server answers, in one table: verbs, spellings of the version, path, endpoint.

Within one spelling of the version the first entry that matches wins. Spellings never overlap, so their order
among each other does not matter.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

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
    """

    methods: tuple[str, ...]
    spellings: tuple[str, ...]
    path: str
    endpoint: Callable[[Request], Awaitable[Response]] | ASGIApp

    def routes(self) -> Iterator[BaseRoute]:
        """The entry under each of its spellings."""
        for spelling in self.spellings:
            yield Route(spelling + self.path, self.endpoint, methods=self.methods)


def route_table(to: Endpoints) -> tuple[RouteEntry, ...]:
    """All that the server answers; another path or verb gets `middleware.not_found`."""
    return (
        RouteEntry(GET, API, "/models", to.models.list),
        RouteEntry(GET, API, "/models/{model}", to.models.get),
        RouteEntry(POST, API, "/models/{call:path}", to.generate),
        RouteEntry(POST, API, "/interactions", to.interact),
        RouteEntry(GET, API, "/interactions/{id}", to.interaction),
        RouteEntry(DELETE, API, "/interactions/{id}", to.interactions.delete),
        RouteEntry(POST, API, "/interactions/{id}/cancel", to.interactions.cancel),
        RouteEntry(("POST", "PUT"), UPLOAD, "/files", to.uploads.receive),
        RouteEntry(GET, API, "/files", to.files.list),
        RouteEntry(POST, API, "/files", refuse_missing_bytes),
        RouteEntry(GET, API, "/files/{name:path}", to.files.get),
        RouteEntry(DELETE, API, "/files/{name:path}", to.files.delete),
        *(RouteEntry(GET, PAGE, path, asset.serve) for path, asset in to.page.assets.items()),
    )
