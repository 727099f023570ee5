"""The one resumable download: only what is missing is asked for, and again where that can help."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from http import HTTPStatus
from pathlib import Path
from typing import TypeVar

import httpx2

ATTEMPTS = 4
"""Failures in a row, with no new byte between them, after which a request is not repeated."""

LONGEST_WAIT = 60.0
"""Seconds that a server may ask to wait; a longer time is told to the person instead."""

REQUEST_ERRORS = (httpx2.HTTPError, httpx2.InvalidURL)
"""What a request ends in that brought no answer, or an answer with an error status."""

_HOPELESS = (httpx2.UnsupportedProtocol, httpx2.InvalidURL, httpx2.TooManyRedirects)
_PASSING = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)
_RANGE = re.compile(r"bytes (\d+)-")

Sleep = Callable[[float], object]
"""Waits so many seconds."""

OpenStream = Callable[[Mapping[str, str]], AbstractContextManager[httpx2.Response]]
"""Asks for the file with these headers; the block ends the request."""

_Answer = TypeVar("_Answer")


def resume_download(
    open_stream: OpenStream, target: Path, size: int, report: Callable[[int], None], sleep: Sleep = time.sleep
) -> None:
    """Bring a file to its size, going on after what is there already. Its digest is the caller's business.

    Args:
        open_stream: Asks for the file.
        target: Where it lies; a longer file than `size` counts as whole.
        size: In bytes.
        report: Told how many bytes there are.
        sleep: Waits between attempts.

    Raises:
        HTTPError, InvalidURL: The last of REQUEST_ERRORS, where another request would not help.
        OSError: It cannot be written.
    """
    failures = 0
    while (before := length_of(target)) < size:
        try:
            _request_rest(open_stream, target, size, report)
        except REQUEST_ERRORS as error:
            failures = 1 if length_of(target) > before else failures + 1
            _wait_or_raise(error, failures, sleep)


def repeated(request: Callable[[], _Answer], sleep: Sleep = time.sleep) -> _Answer:
    """What a request brings, asked again as `resume_download` does."""
    failures = 0
    while True:
        try:
            return request()
        except REQUEST_ERRORS as error:
            failures += 1
            _wait_or_raise(error, failures, sleep)


def raise_for_status(response: httpx2.Response) -> None:
    """Make an error status one of REQUEST_ERRORS; a redirect that was not followed is none."""
    if response.is_error:
        raise httpx2.HTTPStatusError("", request=response.request, response=response)


def retry_after(error: Exception) -> float:
    """How many seconds a server asked to wait; 0 if it asked for none."""
    if not isinstance(error, httpx2.HTTPStatusError):
        return 0.0
    value = error.response.headers.get("retry-after", "")
    return float(value) if value.isascii() and value.isdigit() else 0.0


def length_of(file: Path) -> int:
    """Bytes in a file; 0 if there is none."""
    return file.stat().st_size if file.exists() else 0


def _request_rest(open_stream: OpenStream, target: Path, size: int, report: Callable[[int], None]) -> None:
    """One request for what is missing; a server that knows no ranges sends everything again."""
    have = length_of(target)
    # Without `identity`, a compressed answer's bytes would be counted and kept as the file's.
    with open_stream({"Accept-Encoding": "identity", "Range": f"bytes={have}-"}) as response:
        raise_for_status(response)
        have = have if _continues(response, have) else 0
        with target.open("ab" if have else "wb") as file:
            for chunk in response.iter_raw():
                file.write(chunk[: size - have])
                have += len(chunk)
                report(min(have, size))
                if have >= size:
                    return
    raise httpx2.ReadError("the connection closed before the end")


def _continues(response: httpx2.Response, have: int) -> bool:
    """Whether what comes begins where the file here ends."""
    begin = _RANGE.match(response.headers.get("content-range", f"bytes {have}-"))
    return response.status_code == HTTPStatus.PARTIAL_CONTENT and begin is not None and int(begin[1]) == have


def _wait_or_raise(error: Exception, failures: int, sleep: Sleep) -> None:
    """Wait before another request, twice as long each time; raise the error where that cannot help."""
    refused = isinstance(error, httpx2.HTTPStatusError) and (
        error.response.is_client_error and error.response.status_code not in _PASSING
    )
    asked = retry_after(error)
    if refused or isinstance(error, _HOPELESS) or failures >= ATTEMPTS or asked > LONGEST_WAIT:
        raise error
    sleep(max(asked, 2.0**failures / 2))
