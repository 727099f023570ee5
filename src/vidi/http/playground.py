"""The page at `/`: plain files of this package, read once, sent under a strict policy.

The page is a client like any other: it speaks the public API, so nothing here knows a model. Its files are
public, on a server with keys too; the key is typed into the page.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

from starlette.requests import Request
from starlette.responses import Response

INDEX = "index.html"
FOLDER = "/playground/"

MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
}

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src blob: data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    )
)

HEADERS = {
    # Asked again each time, answered by 304: an update of the server is an update of the page.
    "cache-control": "no-cache",
    "content-security-policy": POLICY,
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(), geolocation=()",
    # Not `no-referrer`, under which browsers may send the Origin `null`, which an open server refuses.
    "referrer-policy": "same-origin",
    "vary": "accept-encoding",
    "x-frame-options": "DENY",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file of the page.

    Attributes:
        media_type: Its Content-Type.
        plain: Its bytes.
        packed: The same bytes under gzip.
        tag: Names this content; differs for the packed form, as ETags must.
    """

    media_type: str
    plain: bytes
    packed: bytes
    tag: str

    async def serve(self, request: Request) -> Response:
        """GET: the file, packed if the client takes that, or 304 if it has it."""
        packed = "gzip" in request.headers.get("accept-encoding", "")
        tag = f'"{self.tag}-gzip"' if packed else f'"{self.tag}"'
        headers = {**HEADERS, "etag": tag}
        known = {
            each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")
        }
        if tag in known or "*" in known:
            return Response(status_code=304, headers=headers)
        if packed:
            headers["content-encoding"] = "gzip"
        return Response(self.packed if packed else self.plain, media_type=self.media_type, headers=headers)


@dataclass(frozen=True, slots=True)
class Playground:
    """The page's files by their path on the server."""

    assets: Mapping[str, Asset]


def load() -> Playground:
    """Read the page out of the package."""
    files = (resources.files("vidi") / "playground").iterdir()
    contents = {file.name: file.read_bytes() for file in files if _ending(file.name) in MEDIA_TYPES}
    return Playground(
        {
            "/" if name == INDEX else FOLDER + name: Asset(
                media_type=MEDIA_TYPES[_ending(name)],
                plain=content,
                packed=gzip.compress(content, mtime=0),
                tag=hashlib.sha256(content).hexdigest()[:16],
            )
            for name, content in sorted(contents.items())
        }
    )


def _ending(name: str) -> str:
    return name[name.rfind(".") :]
