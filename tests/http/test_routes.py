"""The route table: every path under every spelling of the version, and what is asked under another one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from tests.http.walk import table_of
from vidi.app import create_app
from vidi.http.routes import API, PAGE, UPLOAD, VERSIONS, RouteEntry
from vidi.settings import Settings

PATHS = {
    ("/models", "GET"),
    ("/models/{model}", "GET"),
    ("/models/{call:path}", "POST"),
    ("/interactions", "POST"),
    ("/interactions/{id}", "GET"),
    ("/interactions/{id}", "DELETE"),
    ("/interactions/{id}/cancel", "POST"),
    ("/files", "GET"),
    ("/files", "POST"),
    ("/files/{name:path}", "GET"),
    ("/files/{name:path}", "DELETE"),
}


def _served(settings: Settings) -> Iterator[tuple[str, str]]:
    for entry in table_of(create_app(settings)).entries:
        for route in entry.routes():
            yield from ((route.path, method) for method in (route.methods or ()) if method != "HEAD")


def test_the_api_is_served_under_every_version_and_files_come_under_every_upload_path(
    settings: Settings,
) -> None:
    served = list(_served(settings))
    api = {(spelling + path, method) for spelling in API for path, method in PATHS}
    uploads = {(f"{spelling}/files", method) for spelling in UPLOAD for method in ("POST", "PUT")}
    assert len(served) == len(set(served)), "no path and verb twice: the second would never be reached"
    assert api | uploads <= set(served)
    rest = {path for path, _ in set(served) - api - uploads}
    assert all(path == "/" or path.startswith("/playground/") for path in rest)


def test_upload_paths_that_sdks_make_by_accident_are_known() -> None:
    assert len(UPLOAD) == len(set(UPLOAD)) == len(VERSIONS) * (2 + len(VERSIONS))
    assert "/v1beta/upload/v1beta" in UPLOAD


def test_an_entry_has_a_route_for_each_of_its_spellings() -> None:
    async def endpoint(_: object) -> None: ...

    entry = RouteEntry(("GET",), (*PAGE, *API), "/x", endpoint)  # type: ignore[arg-type]  # never called
    routes = list(entry.routes())
    assert [route.path for route in routes] == ["/x", "/v1/x", "/v1alpha/x", "/v1beta/x"]
    assert all(route.endpoint is endpoint for route in routes)


@pytest.mark.parametrize("path", ["/v2/models", "/models", "/v1beta/v1beta/models", "/upload/v2/files"])
def test_another_version_is_not_found(client: TestClient, path: str) -> None:
    reply = client.get(path)
    assert reply.status_code == 404
    assert reply.json()["error"]["message"] == f"There is no GET {path} here."
