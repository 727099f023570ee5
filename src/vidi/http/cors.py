"""Which web pages may call: what a browser is told about pages of other origins.

Without keys pages that this machine serves may call, at whatever port; the names are those under which the
server itself may be called. With keys any page may, since it has to show one. A page that may not is told
nothing, and `access` refuses what it sends all the same. The origin is echoed, never `*`, and every
answer says that it depends on it, so that no cache hands one page's answer to another.
"""

from __future__ import annotations

import re

from starlette.datastructures import Headers, MutableHeaders

from vidi.http.access import AccessPolicy

METHODS = "GET, POST, PUT, DELETE, OPTIONS"

GRANTED = (
    "accept, api-revision, authorization, content-type, user-agent, x-goog-api-client, x-goog-api-key, "
    "x-goog-upload-command, x-goog-upload-file-name, x-goog-upload-header-content-length, "
    "x-goog-upload-header-content-type, x-goog-upload-offset, x-goog-upload-protocol, x-goog-user-project, "
    "x-server-timeout"
)
"""Headers of requests that SDKs set; where a preflight names others, those are granted instead: a page that
may show a key may show anything."""

EXPOSED = (
    "retry-after, x-goog-upload-chunk-granularity, x-goog-upload-control-url, x-goog-upload-size-received, "
    "x-goog-upload-status, x-goog-upload-url, x-request-id, x-vidi-grounding"
)
"""Headers of answers that a page may read."""

REMEMBERED_SECONDS = 600
"""How long a browser need not ask again."""

_NAMES = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~, \t-]{1,2000}", re.ASCII)


class Cors:
    """Tells browsers which pages may call; `middleware.py` asks it about every request, errors included."""

    def __init__(self, policy: AccessPolicy) -> None:
        self._policy = policy

    def granted(self, origin: str) -> bool:
        """Whether a page of this origin may call; "" is no page."""
        return bool(origin) and (self._policy.locked or self._policy.is_own(origin))

    def add_to(self, headers: list[tuple[bytes, bytes]], origin: str) -> None:
        """Say in an answer's headers whether the page that asked may read it."""
        if any(name == b"vary" for name, _ in headers):
            MutableHeaders(raw=headers).add_vary_header("Origin")
        else:
            headers.append((b"vary", b"Origin"))
        if self.granted(origin):
            headers.append((b"access-control-allow-origin", origin.encode("latin-1")))
            headers.append((b"access-control-expose-headers", EXPOSED.encode()))


def is_preflight(method: str, asked: Headers) -> bool:
    """Whether a browser asks what a page may do, before it does it."""
    return method == "OPTIONS" and "access-control-request-method" in asked


def grants(asked: Headers) -> list[tuple[bytes, bytes]]:
    """The headers of the answer to a preflight, beside the origin."""
    names = asked.get("access-control-request-headers", "")
    granted = MutableHeaders(
        {
            "access-control-allow-methods": METHODS,
            "access-control-allow-headers": names if _NAMES.fullmatch(names) else GRANTED,
            "access-control-max-age": str(REMEMBERED_SECONDS),
            "vary": "Access-Control-Request-Headers",
        }
    )
    if asked.get("access-control-request-private-network") == "true":
        granted["access-control-allow-private-network"] = "true"
    return granted.raw
