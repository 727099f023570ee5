"""Who may do what: every route declares what it needs, and one function decides whether a caller has it.

The route is found first (`routes.RouteTable`). What it declares decides, never the looks of the URL, so
that no spelling of a path can reach an endpoint by another door than the endpoint's own.

Without keys the server is open, but only to this machine: a foreign Host or Origin is refused (DNS
rebinding), and no other site is granted anything.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from urllib.parse import urlsplit

from starlette.datastructures import Headers, QueryParams
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from vidi.domain.errors import InvalidRequest, PermissionDenied
from vidi.http.keys import Key, KeyRing, UsageBook
from vidi.wire.errors import missing_key, no_such_path, several_keys

ADDRESS = "address"
"""Key in a request's state: the `Address` at which it was sent."""

CALLER = "caller"
"""Key in a request's state: the `Caller` that the door let in."""

OWNER = "owner"
"""Key in a request's state: whose things the caller may see; not there if it may see nobody's."""

UPLOAD_ID = "upload_id"
"""The query parameter that holds an upload's secret."""

FORWARDED = frozenset({"forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip"})
"""Headers that say that a request comes from further away than the connection does."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_HOST = re.compile(r"(?:[a-z0-9][a-z0-9._-]{0,254}|\[[0-9a-f:.]{2,45}\])(?::[0-9]{1,5})?", re.IGNORECASE)
_PREFIX = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+)*")


class Access(Enum):
    """What a route needs.

    Attributes:
        KEY: A valid key.
        UPLOAD_URL: The id of an upload in the query, which is a secret and opens that upload alone; a valid
            key to begin one.
        PUBLIC: Nothing.
        LOCAL_OR_KEY: To be called from this machine under its own name, or a valid key.
    """

    KEY = auto()
    UPLOAD_URL = auto()
    PUBLIC = auto()
    LOCAL_OR_KEY = auto()


async def not_found(scope: Scope, _receive: Receive, _send: Send) -> None:
    """What answers an unknown path or verb."""
    base = f"{scope['scheme']}://{Headers(scope=scope).get('host', '')}"
    raise no_such_path(scope["method"], scope["path"], base)


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


@dataclass(frozen=True, slots=True)
class Caller:
    """Who was let in.

    Attributes:
        owner: Whose things it may see: the key's own id, "" on an open server; None: nobody's.
        upload_id: The one upload that the request speaks of; "" if it speaks of none.
        key: What it showed; None where none is needed.
        local: Whether it came in without a key as this machine itself.
    """

    owner: str | None = None
    upload_id: str = ""
    key: Key | None = None
    local: bool = False


@dataclass(frozen=True, slots=True)
class Address:
    """Where a request was sent, as its client wrote it, and from where.

    Attributes:
        scheme: http or https.
        host: Name and port; "" if the client said none.
        prefix: What a proxy took off the path, as `/ai`; mostly "".
        client: The address that calls; "" if it is not known, as behind a proxy that is not trusted.
    """

    scheme: str
    host: str
    prefix: str = ""
    client: str = ""

    @property
    def base_url(self) -> str:
        """Under which the client knows this server, without a slash at the end."""
        return f"{self.scheme}://{self.host}{self.prefix}"


@dataclass(frozen=True, slots=True)
class AccessPolicy:
    """Who may come in.

    Attributes:
        keys: Those that are valid; an open server has none.
        usage: What each key has used.
        hosts: Names under which an open server may be called, lower case, without port.
        proxies: Where the proxies are whose X-Forwarded-* headers are believed.
    """

    keys: KeyRing
    usage: UsageBook
    hosts: frozenset[str]
    proxies: tuple[Network, ...] = ()

    @property
    def locked(self) -> bool:
        """Whether callers need keys."""
        return self.keys.locked

    def is_own(self, origin: str) -> bool:
        """Whether a page of this origin comes from a name under which an open server may be called."""
        return _hostname(origin) in self.hosts

    def address(self, scope: Scope) -> Address:
        """Where a request was sent, as far as whoever tells so is believed.

        Of a header that several proxies wrote to, the last value counts: it is the trusted one's own. What
        stands before it may be a stranger's.

        Raises:
            InvalidRequest: What tells so is no address, or tells two.
        """
        headers = Headers(scope=scope)
        peer = (scope.get("client") or ("",))[0]
        trusted = self._is_trusted(peer)
        host = (trusted and _last(headers, "x-forwarded-host")) or _one_host(headers)
        if host and not _HOST.fullmatch(host):
            raise InvalidRequest("The Host of the request is no host name.")
        if not trusted:
            return Address(scope["scheme"], host, client="" if _is_forwarded(headers) else peer)
        scheme = _last(headers, "x-forwarded-proto").lower() or scope["scheme"]
        prefix = _last(headers, "x-forwarded-prefix").rstrip("/")
        if scheme not in ("http", "https") or not _PREFIX.fullmatch(prefix):
            raise InvalidRequest("X-Forwarded-Proto or X-Forwarded-Prefix makes no sense.")
        return Address(scheme, host, prefix, self._client(headers, peer))

    def admit(self, access: Access, scope: Scope, address: Address) -> Caller:
        """Who calls a route that needs `access`, at `address`.

        Raises:
            PermissionDenied: No key; or an open server is called under a foreign name or from a foreign page.
            InvalidRequest: A wrong key, several, or several uploads.
            QuotaExceeded: The key is used too often.
        """
        headers = Headers(scope=scope)
        if not self.locked and access is not Access.UPLOAD_URL:
            return self._admit_to_open(access, address, headers, [])
        query = QueryParams(scope["query_string"])
        uploads = query.getlist(UPLOAD_ID) if access is Access.UPLOAD_URL else []
        if not self.locked:
            return self._admit_to_open(access, address, headers, uploads)
        if len(uploads) == 1 and uploads[0]:
            return Caller(upload_id=uploads[0])
        local = access in (Access.PUBLIC, Access.LOCAL_OR_KEY) and self._is_local(address, headers)
        if access is Access.PUBLIC or local:
            return Caller(local=local)
        key = self._key(headers, query)
        self.usage.admit(key)
        return Caller(key.owner, _upload_id(uploads), key)

    def _admit_to_open(
        self, access: Access, address: Address, headers: Headers, uploads: list[str]
    ) -> Caller:
        self._check_names(address, headers)
        if access is Access.LOCAL_OR_KEY and not self._is_local(address, headers):
            raise PermissionDenied("This is shown only to callers on the server's own machine.")
        return Caller("", _upload_id(uploads))

    def _key(self, headers: Headers, query: QueryParams) -> Key:
        """Every place where a key may stand is looked at, so that no two readers see different ones."""
        bearers = [_bearer(value) for value in headers.getlist("authorization")]
        shown = [*headers.getlist("x-goog-api-key"), *query.getlist("key"), *bearers]
        keys = [key for key in shown if key]
        if not keys:
            raise missing_key()
        if len(keys) > 1:
            raise several_keys()
        return self.keys.find(keys[0])

    def _is_trusted(self, client: str) -> bool:
        if not self.proxies:
            return False
        address = _ip(client)
        return address is not None and any(address in network for network in self.proxies)

    def _client(self, headers: Headers, peer: str) -> str:
        """The last one on the way here that is no trusted proxy."""
        named = [each.strip() for line in headers.getlist("x-forwarded-for") for each in line.split(",")]
        if not named:
            return "" if _is_forwarded(headers) else peer
        return next((each for each in reversed(named) if not self._is_trusted(each)), named[0])

    def _is_local(self, address: Address, headers: Headers) -> bool:
        """Whether this machine calls itself: no proxy calls through it, and no page of another site."""
        client = _ip(address.client)
        if client is None or not client.is_loopback:
            return False
        try:
            self._check_names(address, headers)
        except PermissionDenied:
            return False
        return True

    def _check_names(self, address: Address, headers: Headers) -> None:
        # A name without a port is its own host name.
        if address.host not in self.hosts and _hostname(f"//{address.host}") not in self.hosts:
            raise PermissionDenied(
                "This server is open only to its own machine and was called under another name. "
                "Set VIDI_API_KEYS to open it to others, or VIDI_ALLOWED_HOSTS to allow this name."
            )
        if not all(map(self.is_own, headers.getlist("origin"))):
            raise PermissionDenied(
                "Pages of other sites may not call this server. Set VIDI_API_KEYS and send a key."
            )


def caller_of(request: Request) -> Caller:
    """Whom the door let in."""
    caller: Caller = request.scope["state"][CALLER]
    return caller


def base_url(request: Request) -> str:
    """Scheme, host and path prefix under which the client knows this server, without a slash at the end."""
    address: Address = request.scope["state"][ADDRESS]
    return address.base_url if address.host else str(request.base_url).rstrip("/")


def _upload_id(uploads: list[str]) -> str:
    if len(uploads) > 1:
        raise InvalidRequest("Name one upload: upload_id is there more than once.", where=UPLOAD_ID)
    return uploads[0] if uploads else ""


def _bearer(value: str) -> str:
    scheme, _, token = value.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _hostname(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""


def _ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """An address, as IPv4 where it is one in the clothes of IPv6; None for what is none."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _is_forwarded(headers: Headers) -> bool:
    return not FORWARDED.isdisjoint(headers)


def _last(headers: Headers, name: str) -> str:
    values = headers.getlist(name)
    return values[-1].rpartition(",")[2].strip() if values else ""


def _one_host(headers: Headers) -> str:
    hosts = headers.getlist("host")
    if len(hosts) > 1:
        raise InvalidRequest("The request has more than one Host.")
    return hosts[0].strip() if hosts else ""
