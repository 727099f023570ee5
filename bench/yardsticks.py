"""The peers that Vidi is held against: what one would write by hand, from the usual parts.

As functions, and as handlers of a Starlette application under plain uvicorn (`python -m bench.yardsticks
PORT ANSWER`, where ANSWER is a file that holds the bytes to answer with):

    /json    read the body, `json.loads`, answer
    /look    read the body, `json.loads`, `base64.b64decode`, prepare the pictures with Pillow, answer
    /count   read the body, `json.loads`, `base64.b64decode`, read the pictures' sizes with Pillow, answer
    /body    `await request.body()`, answer
    /bodies  the same with Vidi's own reader: no yardstick but the other side of /body, under the same server
"""

from __future__ import annotations

import base64
import io
import json
import sys
from pathlib import Path
from typing import TypedDict

import uvicorn
from PIL import Image
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from vidi.byte_budget import ByteBudget
from vidi.http.body import BodyReader

BARE = "bare Starlette handler"
"""What rows call one of the handlers."""

LARGEST_BODY = 100_000_000
LOOK_SIZE = (1182, 886)
"""What fits into 1024 x 1024 pixels of a 12-megapixel picture: what Vidi makes of it for `echo`."""


class InlineData(TypedDict):
    """A picture in a request."""

    mimeType: str
    data: str


class Part(TypedDict, total=False):
    """A picture or a text."""

    inlineData: InlineData
    text: str


class Content(TypedDict):
    """A turn."""

    parts: list[Part]


class Body(TypedDict):
    """What of a request a bare handler looks at."""

    contents: list[Content]


def stdlib_decode(body: bytes) -> list[bytes]:
    """The pictures of a request by `json.loads` and `base64.b64decode`."""
    tree: Body = json.loads(body)
    return [
        base64.b64decode(part["inlineData"]["data"])
        for content in tree["contents"]
        for part in content["parts"]
        if "inlineData" in part
    ]


def pillow_prepare(data: bytes, size: tuple[int, int]) -> bytes:
    """RGB pixels of a given size by plain Pillow: `draft()`, then LANCZOS."""
    with Image.open(io.BytesIO(data)) as image:
        image.draft("RGB", size)
        return image.resize(size, Image.Resampling.LANCZOS).convert("RGB").tobytes()


def pillow_size(data: bytes) -> tuple[int, int]:
    """Width and height by plain Pillow, which reads no more than the header."""
    with Image.open(io.BytesIO(data)) as image:
        return image.size


def application(answer: bytes) -> Starlette:
    """The handlers."""
    bodies = BodyReader(LARGEST_BODY, ByteBudget(4 * LARGEST_BODY))
    response = Response(answer, media_type="application/json")

    async def parse(request: Request) -> Response:
        json.loads(await request.body())
        return response

    async def look(request: Request) -> Response:
        for data in stdlib_decode(await request.body()):
            pillow_prepare(data, LOOK_SIZE)
        return response

    async def count(request: Request) -> Response:
        for data in stdlib_decode(await request.body()):
            pillow_size(data)
        return response

    async def body(request: Request) -> Response:
        await request.body()
        return response

    async def vidi_body(request: Request) -> Response:
        async with bodies.read(request.scope, request.receive):
            return response

    handlers = {"json": parse, "look": look, "count": count, "body": body, "bodies": vidi_body}
    return Starlette(routes=[Route(f"/{name}", each, methods=["POST"]) for name, each in handlers.items()])


def main() -> None:
    """Serve until stopped."""
    port, answer = int(sys.argv[1]), Path(sys.argv[2]).read_bytes()
    uvicorn.run(application(answer), port=port, access_log=False, log_level="warning")


if __name__ == "__main__":
    main()
