"""Everything that can go wrong, as one tree without HTTP codes.

VidiError
├── InvalidRequest         the request is wrong; says what to change
│   ├── MalformedJson      the body is no JSON, even read leniently
│   ├── InvalidImage       a picture cannot be used; `where` names the part
│   └── RequestTooLarge    more bytes than the limit
├── SlowRequest            the body drips or stands still
├── FailedPrecondition     right request, wrong moment (a file not ready)
├── Unauthenticated        no valid key
├── PermissionDenied       not yours, or not there
├── NotFound               no such model, method or path
├── ResourceExhausted      no room now; `retry_after` says when to come back
│   └── QuotaExceeded      a limit that somebody set; `quota` says which
├── Unavailable            cannot serve now: overloaded, no weights, engine died
├── DeadlineExceeded       did not finish in time
├── Cancelled              the client went away
└── Internal               our fault; the message shows no internals

`wire/errors.py` holds the one table from these classes to status codes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


class VidiError(Exception):
    """Root of the tree.

    Attributes:
        message: Text for the caller: what is wrong and what to change.
        where: Field path in the request's own terms, as `contents[0].parts[1].inline_data`; "" if none.
        retry_after: Seconds after which the same request may succeed; None if it will not.
        reason: Machine-readable reason in upper snake case (google.rpc.ErrorInfo); "" if none.
    """

    def __init__(
        self, message: str, *, where: str = "", retry_after: float | None = None, reason: str = ""
    ) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.retry_after = retry_after
        self.reason = reason


class InvalidRequest(VidiError):
    """The request is wrong."""


class MalformedJson(InvalidRequest):
    """The body cannot be read as JSON."""


class InvalidImage(InvalidRequest):
    """A picture is unsupported, broken or over a limit."""


class RequestTooLarge(InvalidRequest):
    """The body holds more bytes than the server takes."""


class SlowRequest(VidiError):
    """The body came too slowly to wait for its end."""


class FailedPrecondition(VidiError):
    """The request is right, the state of what it names is not."""


class Unauthenticated(VidiError):
    """The caller showed no valid key."""


class PermissionDenied(VidiError):
    """The thing is not the caller's, or does not exist."""


class NotFound(VidiError):
    """No such model, method or path."""


class ResourceExhausted(VidiError):
    """There is no room for more now."""


@dataclass(frozen=True, slots=True)
class QuotaViolation:
    """A limit that is reached, in Google's terms (google.rpc.QuotaFailure).

    Attributes:
        metric: What is counted, in snake case, as `file_storage_bytes`.
        id: Name of the limit, as `FileStorageBytesPerProject`.
        limit: How much there may be.
        dimensions: What it is counted for beside the caller, as the model.
    """

    metric: str
    id: str
    limit: int
    dimensions: Mapping[str, str] = field(default_factory=dict)


class QuotaExceeded(ResourceExhausted):
    """A limit that somebody set is reached."""

    def __init__(self, quota: QuotaViolation, advice: str, *, retry_after: float, reason: str = "") -> None:
        """Say so in Google's words.

        Args:
            quota: The limit.
            advice: A sentence or two: what the caller can do.
            retry_after: Seconds until there may be room.
            reason: As of every error.
        """
        about = "".join(f", {name}: {value}" for name, value in quota.dimensions.items())
        super().__init__(
            "You exceeded your current quota.\n"
            f"* Quota exceeded for metric: {quota.metric}, limit: {quota.limit}{about}\n"
            f"{advice} Please retry in {retry_after:.9g}s.",
            retry_after=retry_after,
            reason=reason,
        )
        self.quota = quota


class Unavailable(VidiError):
    """The server cannot do this now."""


class DeadlineExceeded(VidiError):
    """The work did not finish in time."""


class Cancelled(VidiError):
    """The client went away before the answer was ready."""


class Internal(VidiError):
    """A fault of the server."""
