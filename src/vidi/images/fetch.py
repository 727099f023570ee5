"""Pictures by their https address: fetched for one request, from public addresses only.

Whoever may ask this server may name any address, so each hop of the way is checked before it is taken:

    https, no credentials -> resolve -> every address public -> connect to the very address that was checked,
    TLS for the name that was given -> a redirect begins anew -> the first bytes are a picture's -> all of it,
    within bytes and time

The name is resolved once a hop and the connection made to the address itself, so a name server that answers
differently the next time changes nothing. Nothing is kept for the next request: no connection, no cookie.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx2

from vidi.byte_budget import ByteBudget, Transfer
from vidi.domain.errors import InvalidImage
from vidi.domain.prompt import Conversation, FileReference, ImageSource
from vidi.images.header import foreign_name, image_format

LONGEST_URL = 2048
MOST_REDIRECTS = 5
MOST_ADDRESSES = 3
"""How many addresses of one name are tried."""

AT_ONCE = 4
"""How many pictures of one request are fetched at the same time."""

CONNECT_SECONDS = 5.0
_SNIFFED = 512
"""How many bytes tell a picture from anything else."""

_HEADERS = {"user-agent": "vidi", "accept": "image/*", "accept-encoding": "identity"}
_RESOLVERS = 8
"""Threads that wait for name servers; none of the server's other work waits behind them."""


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """What one request may have fetched.

    Attributes:
        file_bytes: Largest picture.
        request_bytes: All pictures of a request together.
        urls: Different addresses in one request.
        seconds: How long all of them together may take.
    """

    file_bytes: int = 20_000_000
    request_bytes: int = 100_000_000
    urls: int = 50
    seconds: float = 20.0


class _RefusedUrl(Exception):
    """Why an address is not fetched, or gave no picture: the end of a sentence."""


@dataclass(slots=True)
class _Fetching:
    """The pictures of one request: when they must be there, and the bytes that came so far."""

    deadline: float
    held: Transfer
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))


class UrlFetcher:
    """Puts fetched bytes in the place of https addresses; one for the life of the server."""

    def __init__(
        self,
        budget: ByteBudget,
        *,
        allowed: bool,
        is_file: Callable[[str], bool],
        limits: FetchLimits | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Say what may be fetched.

        Args:
            budget: Where the bytes are taken from.
            allowed: Whether anything is fetched at all.
            is_file: Whether a uri names an uploaded file of this server; such are left as they are.
            limits: What one request may have fetched.
            tls: Whose certificates are believed; None asks the system, which `SSL_CERT_FILE` can point.
        """
        self._allowed = allowed
        self._is_file = is_file
        self._limits = limits or FetchLimits()
        self._tls = tls
        self._budget = budget
        self._resolvers = ThreadPoolExecutor(_RESOLVERS, thread_name_prefix="resolver")

    def close(self) -> None:
        """End the threads, without waiting for name servers that do not answer."""
        self._resolvers.shutdown(wait=False, cancel_futures=True)

    @asynccontextmanager
    async def fetched(self, conversation: Conversation) -> AsyncIterator[Conversation]:
        """The conversation with its https pictures as bytes, which count as held until the block is left.

        An address that stands in it more than once is fetched once.

        Raises:
            InvalidImage: One is not allowed, not to be had, over a limit or no picture; names the part.
            Unavailable: Too many bytes are held for other requests.
        """
        wanted: dict[str, FileReference] = {}
        for image in conversation.images():
            if isinstance(image, FileReference) and self._is_url(image.uri):
                wanted.setdefault(image.uri, image)
        if not wanted:
            yield conversation
            return
        self._check_allowed(wanted.values())
        with self._budget.transfer() as held:
            # Other servers bring it, within a time of its own: no client is to blame for a pause.
            self._budget.complete(held)
            found = await self._all(
                wanted, _Fetching(asyncio.get_running_loop().time() + self._limits.seconds, held)
            )
            yield conversation.with_images(
                ImageSource(found[image.uri], image.where, image.resolution)
                if isinstance(image, FileReference) and image.uri in found
                else image
                for image in conversation.images()
            )

    def _is_url(self, uri: str) -> bool:
        return uri.lstrip()[:6].lower() == "https:" and not self._is_file(uri)

    def _check_allowed(self, wanted: Iterable[FileReference]) -> None:
        for count, image in enumerate(wanted, start=1):
            if not self._allowed:
                raise InvalidImage(
                    f"This server fetches no pictures from other places, as {image.where} asks. Send the "
                    "bytes inline or upload the file. Its owner may set VIDI_ALLOW_URLS=true.",
                    where=image.where,
                )
            if count > self._limits.urls:
                raise InvalidImage(
                    f"One request may name {self._limits.urls} different addresses of pictures; "
                    f"the one at {image.where} is too many. Upload the files instead.",
                    where=image.where,
                )

    async def _all(self, wanted: dict[str, FileReference], fetching: _Fetching) -> dict[str, bytes]:
        tasks = [asyncio.create_task(self._one(image, fetching)) for image in wanted.values()]
        try:
            return dict(zip(wanted, [await task for task in tasks], strict=True))
        finally:
            # The first one that cannot be had ends the request, and with it the fetching of the others.
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _one(self, image: FileReference, fetching: _Fetching) -> bytes:
        try:
            async with asyncio.timeout_at(fetching.deadline), fetching.turns:
                return await self._follow(image.uri, fetching)
        except TimeoutError:
            why = f"it was not there within {self._limits.seconds:g} seconds"
        except _RefusedUrl as refused:
            why = str(refused)
        except httpx2.HTTPError as error:
            # Certificates, resets and broken HTTP, of a server that anyone may ask.
            why = f"its server could not be asked ({str(error)[:200] or type(error).__name__})"
        raise InvalidImage(f"The picture at {image.where} cannot be fetched: {why}.", where=image.where)

    async def _follow(self, uri: str, fetching: _Fetching) -> bytes:
        """The bytes behind an address and its redirects, each of which is checked like the first."""
        url = _parsed(uri)
        for _ in range(MOST_REDIRECTS + 1):
            answer = await self._ask(url, await self._addresses(url), fetching)
            if isinstance(answer, bytes):
                return answer
            url = _parsed(answer, url)
        raise _RefusedUrl(f"it leads on more than {MOST_REDIRECTS} times")

    async def _addresses(self, url: httpx2.URL) -> list[str]:
        """Where a name leads; all of it must be public. An unknown and a private name are told alike."""
        host = url.raw_host.decode("ascii")
        look_up = asyncio.get_running_loop().run_in_executor(
            self._resolvers, lambda: socket.getaddrinfo(host, url.port or 443, type=socket.SOCK_STREAM)
        )
        try:
            found = list(dict.fromkeys(str(entry[4][0]) for entry in await look_up))
        except (OSError, UnicodeError):
            found = []
        if not found or not all(map(is_public, found)):
            raise _RefusedUrl(f"{url.host[:100]} has no address that may be asked; only public ones may")
        return found[:MOST_ADDRESSES]

    async def _ask(self, url: httpx2.URL, addresses: list[str], fetching: _Fetching) -> bytes | str:
        """A picture's bytes, or where it is said to be. One address after the other, until one answers."""
        if self._tls is None:
            self._tls = ssl.create_default_context()
        failure: httpx2.HTTPError | None = None
        for address in addresses:
            # A client of its own: a kept connection would be found by address, whatever name TLS checked.
            async with httpx2.AsyncClient(
                verify=self._tls, trust_env=False, timeout=httpx2.Timeout(None, connect=CONNECT_SECONDS)
            ) as client:
                request = client.build_request(
                    "GET",
                    url.copy_with(host=address, fragment=None),
                    headers=_HEADERS | {"host": url.netloc.decode("ascii")},
                    extensions={"sni_hostname": url.raw_host.decode("ascii").rstrip(".")},
                )
                try:
                    response = await client.send(request, stream=True)
                except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
                    failure = error
                    continue
                try:
                    return await self._read(response, fetching)
                finally:
                    await response.aclose()
        assert failure is not None
        raise failure

    async def _read(self, response: httpx2.Response, fetching: _Fetching) -> bytes | str:
        if response.has_redirect_location:
            return str(response.headers["location"])
        if response.status_code != 200:
            raise _RefusedUrl(f"its server answered {response.status_code}")
        if response.headers.get("content-encoding", "identity") != "identity":
            raise _RefusedUrl("its server compressed it, though asked not to")
        declared = response.headers.get("content-length", "")
        if declared.isdecimal() and int(declared[:20]) > self._limits.file_bytes:
            raise _RefusedUrl(f"it has more than {self._limits.file_bytes} bytes")
        body = bytearray()
        sniffed = False
        async for piece in response.aiter_raw():
            self._count(len(piece), len(body), fetching)
            body += piece
            if not sniffed and len(body) >= _SNIFFED:
                sniffed = _check_picture(body)
        if not sniffed:
            _check_picture(body)
        return bytes(body)

    def _count(self, more: int, before: int, fetching: _Fetching) -> None:
        """Take `more` bytes, unless the picture, the request or the server has too many."""
        if before + more > self._limits.file_bytes:
            raise _RefusedUrl(f"it has more than {self._limits.file_bytes} bytes")
        if fetching.held.held + more > self._limits.request_bytes:
            raise _RefusedUrl(f"all pictures together have more than {self._limits.request_bytes} bytes")
        fetching.held.add(more)


def _parsed(uri: str, base: httpx2.URL | None = None) -> httpx2.URL:
    """An address that may be asked, relative to `base` where one is given."""
    try:
        if len(uri) > LONGEST_URL:
            raise _RefusedUrl(f"its address has more than {LONGEST_URL} characters")
        url = base.join(uri) if base else httpx2.URL(uri.strip())
    except (httpx2.InvalidURL, ValueError):
        raise _RefusedUrl("its address is no URL") from None
    if url.scheme != "https":
        raise _RefusedUrl(f"it leads to {url.scheme[:20] or 'no'}://, and only https is asked")
    if url.userinfo:
        raise _RefusedUrl("its address holds credentials; leave out what stands before the @")
    if not url.host or not 0 < (443 if url.port is None else url.port) < 65536:
        raise _RefusedUrl("its address names no host, or no port that there is")
    return url


def _check_picture(body: bytearray) -> bool:
    """True for the beginning of a picture; nothing else is read to its end."""
    start = bytes(body[:4096])
    if image_format(start) is None:
        found = foreign_name(start)
        raise _RefusedUrl(f"what came is {found or 'no picture'}. Supported: PNG, JPEG, WEBP, HEIC, HEIF")
    return True


_REFUSED = tuple(
    ipaddress.ip_network(network)
    for network in (
        # IANA's special-purpose IPv4 registry, multicast, and Azure's metadata on a public address.
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
        "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",
        "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32",
        # In IPv6's global space: protocols with Teredo among them, documentation, 6to4.
        "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
    )
)  # fmt: skip

_GLOBAL_V6 = ipaddress.ip_network("2000::/3")
"""All that IPv6 routes in public. Outside of it lie loopback, private and link-local addresses, and those
with an IPv4 address inside: mapped, compatible, translated (64:ff9b::/96 and its kin)."""

_ISATAP = (0x0000_5EFE, 0x0200_5EFE)
"""Third quarter of an address whose last one is an IPv4 address in a tunnel (RFC 5214)."""


def is_public(address: str) -> bool:
    """Whether an IP address is anyone's to ask: no private, local or special one, and none in disguise."""
    ip = ipaddress.ip_address(address)
    if ip.version == 6 and (ip not in _GLOBAL_V6 or int(ip) >> 32 & 0xFFFF_FFFF in _ISATAP):
        return False
    return ip.is_global and not ip.is_multicast and not any(ip in network for network in _REFUSED)
