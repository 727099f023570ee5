"""Fetches files from the hub, going on where a broken connection or a killed process left off.

The hub's own library knows addresses, tokens, mirrors and proxies (HF_TOKEN, HF_ENDPOINT, HF_HUB_OFFLINE and
its other variables). What is asked and streamed is written here: the library's own download begins anew
after a killed process, and its requests tell more than they must (docs/decisions/0019-pulling-models.md).
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import httpx2
from huggingface_hub import constants, get_session, get_token, hf_hub_url, try_to_load_from_cache
from huggingface_hub.errors import HFValidationError, OfflineModeIsEnabled

from vidi import __version__
from vidi.domain.errors import NotFound, PermissionDenied, Unavailable, VidiError
from vidi.engines.base import Progress
from vidi.engines.download import (
    REQUEST_ERRORS,
    Sleep,
    length_of,
    raise_for_status,
    repeated,
    resume_download,
    retry_after,
)
from vidi.engines.llama.store import sha256_of

_MOST_REDIRECTS = 10

_SHA256 = re.compile(r'"([0-9a-f]{64})"')


class NoHub(Unavailable):
    """The hub cannot be reached or does not work; there are other ways to the files."""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file on the hub.

    Attributes:
        repository: `owner/name`.
        name: Its path there.
        commit: The revision that it is of.
        size: In bytes.
        sha256: In hex; "" if the hub does not tell.
        address: Where it is fetched.
    """

    repository: str
    name: str
    commit: str
    size: int
    sha256: str
    address: str


def locate(
    repository: str, name: str, revision: str, *, endpoint: str | None = None, sleep: Sleep = time.sleep
) -> RemoteFile:
    """Ask the hub for a file's size and digest.

    Args:
        repository: `owner/name`.
        name: The file's path there.
        revision: Branch, tag or commit.
        endpoint: Address of the hub; None takes HF_ENDPOINT, or the public one.
        sleep: Waits between attempts.

    Raises:
        NotFound: There is no such repository, revision or file.
        PermissionDenied: It is private, or its licence was not accepted.
        Unavailable: The hub cannot be reached, or does not answer as one.
    """
    try:
        address = hf_hub_url(repository, name, revision=revision, endpoint=endpoint)
    except HFValidationError as error:
        raise NotFound(f"{repository!r} cannot be a repository of the hub: {error}") from error
    try:
        facts = repeated(lambda: _head(address), sleep).headers
    except (*REQUEST_ERRORS, OfflineModeIsEnabled) as error:
        raise _in_words(error, f"{repository}: {name}", repository) from error
    commit = facts.get(constants.HUGGINGFACE_HEADER_X_REPO_COMMIT, "")
    size = facts.get(constants.HUGGINGFACE_HEADER_X_LINKED_SIZE) or facts.get("content-length") or ""
    if not commit or not size.isascii() or not size.isdigit():
        raise NoHub(
            f"{constants.ENDPOINT} does not answer as a model hub does (no commit or no size of {name}). "
            "Check HF_ENDPOINT, and that no proxy or login page stands in between."
        )
    # The hub's own digest is in X-Linked-ETag; the plain ETag of a small file is a git hash, not a SHA-256.
    etag = facts.get(constants.HUGGINGFACE_HEADER_X_LINKED_ETAG) or facts.get("etag") or ""
    digest = _SHA256.search(etag)
    # By commit, so that both files of a model are of one revision, even if the branch moves meanwhile.
    address = hf_hub_url(repository, name, revision=commit, endpoint=endpoint)
    return RemoteFile(repository, name, commit, int(size), digest[1] if digest else "", address)


def file_names(repository: str, *, sleep: Sleep = time.sleep) -> list[str]:
    """The paths of all files in a repository's main branch.

    Raises:
        NotFound, PermissionDenied, Unavailable: As for `locate`.
    """
    address = f"{constants.ENDPOINT}/api/models/{repository}"

    def ask() -> httpx2.Response:
        timeout = constants.HF_HUB_ETAG_TIMEOUT
        response = get_session().get(address, headers=_headers(), timeout=timeout, follow_redirects=True)
        raise_for_status(response)
        return response

    try:
        answer: object = repeated(ask, sleep).json()
    except (*REQUEST_ERRORS, OfflineModeIsEnabled) as error:
        raise _in_words(error, repository, repository) from error
    except ValueError:
        answer = None
    match answer:
        case {"siblings": [*files]}:
            return [file["rfilename"] for file in files if isinstance(file, dict) and "rfilename" in file]
    raise NoHub(f"{constants.ENDPOINT} does not answer as a model hub does. Check HF_ENDPOINT.")


def download(remote: RemoteFile, target: Path, progress: Progress, *, sleep: Sleep = time.sleep) -> str:
    """Put a file at `target`, going on after what is there already.

    Returns:
        Its SHA-256 in hex, which is the hub's where the hub tells one.

    Raises:
        Unavailable: It cannot be fetched now, or what came is another file; says what to do.
        PermissionDenied, NotFound: As for `locate`.
        OSError: It cannot be written.
    """
    if length_of(target) > remote.size:
        target.unlink()
    resumed = length_of(target) > 0
    _fetch(remote, target, progress, sleep)
    digest = sha256_of(target, progress, f"Checking {Path(remote.name).name}")
    if remote.sha256 in ("", digest):
        return digest
    target.unlink()
    if resumed:  # An earlier attempt may have left the beginning of something else.
        return download(remote, target, progress, sleep=sleep)
    raise Unavailable(
        f"What came for {remote.name} is not the file that {remote.repository} holds: its SHA-256 differs. A "
        "mirror or proxy may be altering files; check HF_ENDPOINT and try again."
    )


def in_cache(remote: RemoteFile) -> Path | None:
    """The file where the hub's own programs keep what they fetched (HF_HOME); None if they have not."""
    found = try_to_load_from_cache(remote.repository, remote.name, revision=remote.commit)
    return Path(found).resolve() if isinstance(found, str) else None


def _fetch(remote: RemoteFile, target: Path, progress: Progress, sleep: Sleep) -> None:
    """The whole file, whatever is in it."""

    def open_stream(headers: Mapping[str, str]) -> AbstractContextManager[httpx2.Response]:
        timeout = constants.HF_HUB_DOWNLOAD_TIMEOUT
        return get_session().stream("GET", remote.address, headers={**_headers(), **headers}, timeout=timeout)

    def report(have: int) -> None:
        progress(f"Downloading {Path(remote.name).name}", have, remote.size)

    try:
        resume_download(open_stream, target, remote.size, report, sleep)
    except (*REQUEST_ERRORS, OfflineModeIsEnabled) as error:
        raise _in_words(error, remote.name, remote.repository) from error


def _head(address: str) -> httpx2.Response:
    """The facts of a file. They come with the redirect to where its bytes are, which is not followed."""
    for _ in range(_MOST_REDIRECTS):
        response = get_session().request(
            "HEAD",
            address,
            headers=_headers(),
            timeout=constants.HF_HUB_ETAG_TIMEOUT,
            follow_redirects=False,
        )
        raise_for_status(response)
        # A renamed repository redirects within the hub and is followed; the redirect to the storage is not:
        # the token must not go there, and the facts are in this answer already.
        moved = response.next_request
        if moved is None or constants.HUGGINGFACE_HEADER_X_LINKED_SIZE in response.headers:
            return response
        if moved.url.host not in (response.url.host, *constants.HF_URL_HOSTS):
            return response
        address = str(moved.url)
    raise httpx2.TooManyRedirects(f"{address} leads to nowhere", request=response.request)


def _headers() -> dict[str, str]:
    headers = {"Accept-Encoding": "identity", "User-Agent": f"vidi/{__version__}"}
    if (token := get_token()) and not constants.HF_HUB_DISABLE_IMPLICIT_TOKEN:
        headers["Authorization"] = f"Bearer {token}"
    return headers


def _in_words(error: Exception, what: str, repository: str) -> VidiError:
    """An error as a sentence that says what to do."""
    hub = constants.ENDPOINT
    if isinstance(error, httpx2.HTTPStatusError):
        return _refusal(error, what, repository)
    if isinstance(error, OfflineModeIsEnabled):
        return NoHub(f"HF_HUB_OFFLINE is set, so the hub is not asked for {what}. Unset it to ask.")
    if isinstance(error, httpx2.TimeoutException):
        why = "does not answer in time"
    elif isinstance(error, httpx2.ReadError | httpx2.RemoteProtocolError):
        why = "breaks the connection off again and again"
    else:
        why = f"cannot be reached ({error or type(error).__name__})"
    return NoHub(
        f"{what} could not be fetched: {hub} {why}. Check the network and HTTPS_PROXY, or name a mirror with "
        "HF_ENDPOINT; the next pull goes on from here."
    )


def _refusal(error: httpx2.HTTPStatusError, what: str, repository: str) -> VidiError:
    hub, response = constants.ENDPOINT, error.response
    status, code = response.status_code, response.headers.get("x-error-code", "")
    if code == "GatedRepo":
        return PermissionDenied(
            f"{repository} gives its files only to those who accept its licence. Open {hub}/{repository} in "
            f"a browser, accept it there, make a token at {hub}/settings/tokens and set HF_TOKEN to it."
        )
    if status == HTTPStatus.FORBIDDEN:
        return PermissionDenied(
            f"{hub} forbids {what}: HF_TOKEN may lack the right to read it, its licence may have to be "
            f"accepted at {hub}/{repository}, or a proxy in between forbids it."
        )
    if status == HTTPStatus.UNAUTHORIZED:
        return PermissionDenied(
            f"{hub} does not show {repository}: it is private or does not exist, or HF_TOKEN is no valid "
            f"token. Make a token at {hub}/settings/tokens and set HF_TOKEN to it, or unset a wrong one."
        )
    if status == HTTPStatus.NOT_FOUND:
        return NotFound(
            f"{what} is not on {hub} ({code or 'not found'}): it was moved, or the profile misspells its "
            "repository, file or revision. Look at the repository, and put the right names into a profile of "
            "your own."
        )
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        wait = retry_after(error)
        when = f"in {wait:.0f} seconds" if wait else "later"
        return Unavailable(
            f"{hub} takes no more requests from here now. Try again {when}, or set HF_TOKEN: who is known "
            "may ask more.",
            retry_after=wait or None,
        )
    return NoHub(
        f"{what} could not be fetched: {hub} answers with {status}. Try again later; the next pull goes on "
        "from here."
    )
