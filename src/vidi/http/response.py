"""What the endpoints decide about a reply beside its body: media type, further headers, the form of errors.

Notes are kept in the request's state. `middleware.py` reads them when the reply leaves, so that they also go
with an error that is raised later.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from vidi.domain.errors import VidiError

JSON = "application/json; charset=UTF-8"
"""Media type of every reply of the API that is not a stream of events."""

_JSON = JSON.encode()

ADDED_HEADERS = "added_headers"
"""Key in a request's state: headers that go with whatever reply leaves, an error's too."""

ERROR_ENCODER = "error_encoder"
"""Key in a request's state: how its errors are written, if not as everywhere else."""

GROUNDING = "x-vidi-grounding"
"""Header that tells what was done about boxes or points that a request wants."""

LONGEST_NAME = 200
"""How much of a wrong model's name is repeated in an error, in characters."""


def json_response(body: bytes = b"") -> Response:
    """A successful reply of encoded JSON."""
    return Response(body, media_type=JSON)


@dataclass(frozen=True, slots=True)
class JsonReply:
    """The same as an ASGI application and nothing more, for what is asked most."""

    body: bytes

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [(b"content-type", _JSON), (b"content-length", b"%d" % len(self.body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


def add_header(request: Request, name: str, value: str) -> None:
    """Send a header with the reply, whatever becomes of the request from here on."""
    request.scope["state"][ADDED_HEADERS][name] = value


def add_grounding_header(request: Request, grounding: str) -> None:
    """Say what was done about boxes or points, if any are wanted."""
    if grounding:
        add_header(request, GROUNDING, grounding)


def api_version(request: Request) -> str:
    """The version that a request names, for an error's text; v1beta where it names none."""
    first = request.url.path.lstrip("/").partition("/")[0]
    return first if first.startswith("v1") else "v1beta"


def encode_errors_with(request: Request, encode: Callable[[VidiError], bytes]) -> None:
    """Write the errors of this request from here on in another shape."""
    request.scope["state"][ERROR_ENCODER] = encode
