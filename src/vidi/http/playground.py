"""The page at `/`: plain files of this package, read once, sent under a strict policy; and views of pictures.

The page is a client like any other: it speaks the public API, so nothing here knows a model. Its files are
public, on a server with keys too; the key is typed into the page. One thing it asks for beside the API: a
picture in a form that every browser shows, of a format that few show or that the API does not take.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from vidi.domain.geometry import Fit
from vidi.domain.prompt import ImageFormat, ImageSource, Picture
from vidi.http.body import BodyReader
from vidi.http.stream import cancel_on_disconnect, deadline
from vidi.images.draw import encode_picture
from vidi.images.header import ImageLimits, image_format, read_header
from vidi.images.pool import DecoderPool
from vidi.images.source import PictureSource

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


PREVIEW_PATH = FOLDER + "preview"

PREVIEW_PIXELS = 4_000_000
"""Most pixels of a view of a picture that is itself sent to the model."""

CONVERTED_PIXELS = 16_000_000
"""Most pixels of a picture that is sent in place of one in another format; larger ones are scaled down."""


@dataclass(frozen=True, slots=True)
class PreviewEndpoint:
    """POST of a picture's bytes: the picture upright and opaque, in a format that every browser shows.

    One of the API's formats comes back as a JPEG of at most PREVIEW_PIXELS, to be looked at; a GIF, BMP, TIFF
    or AVIF as a PNG of at most CONVERTED_PIXELS, to be sent in its place. Of an animation it is the first
    picture.

    Attributes:
        decoders: Decode it, in a process that can be killed.
        body_reader: Reads bodies, and counts their bytes as held until the call is over.
        limits: What the picture's header may announce.
        seconds: How long a call may take.
    """

    decoders: DecoderPool
    body_reader: BodyReader
    limits: ImageLimits
    seconds: float

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self.body_reader.read(scope, receive) as body, cancel_on_disconnect(receive):
            async with deadline(self.seconds):
                data = bytes(body)
                body.clear()
                form, picture = await self._decode(data)
                with self.body_reader.budget.hold(len(picture.rgb)):
                    content = await asyncio.to_thread(encode_picture, picture, form)
            response = Response(content, media_type=form.value, headers={"cache-control": "no-store"})
            await response(scope, receive, send)

    async def _decode(self, data: bytes) -> tuple[ImageFormat, Picture]:
        """The picture, and the format in which it goes back."""
        header = await asyncio.to_thread(read_header, data, where="", limits=self.limits, convertible=True)
        form = ImageFormat.PNG if image_format(data) is None else ImageFormat.JPEG
        fit = Fit(CONVERTED_PIXELS if form is ImageFormat.PNG else PREVIEW_PIXELS)
        source = PictureSource.inline(ImageSource(data, where=""))
        return form, await self.decoders.prepare(source, header, fit)


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
