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
    """The request is wrong, or asks for what is not served.

    Change what the message names, and do not send the same again.
    """


class MalformedJson(InvalidRequest):
    """The body cannot be read as JSON.

    Mend it where the message points.
    """


class InvalidImage(InvalidRequest):
    """A picture is unsupported, broken or over a limit.

    Send another one in the part that the message names.
    """


class RequestTooLarge(InvalidRequest):
    """The body holds more bytes than the server takes.

    Upload large pictures first and name them, or raise `max_request_bytes`.
    """


class SlowRequest(VidiError):
    """The body came too slowly, or stood still while others needed the memory.

    Send it again, without pauses; upload a large picture in pieces.
    """


class FailedPrecondition(VidiError):
    """The request is right, the state of what it names is not: a file is not ready, an upload has ended.

    Start the upload anew, or wait until the file is ACTIVE.
    """


class Unauthenticated(VidiError):
    """The caller showed no valid key.

    Kept for engines and gateways: Vidi itself says 403 or 400 as Google does.
    """


class PermissionDenied(VidiError):
    """No key was shown, or the thing is not there for this key.

    Show a key that may; for a file, upload it again with this key.
    """


class NotFound(VidiError):
    """No such model, method, upload or path.

    Look at the list of models, and at the base URL.
    """


class ResourceExhausted(VidiError):
    """There is no room for more now: the disk or the file store is full.

    Delete files, or try again after `Retry-After`.
    """


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
    """A limit that somebody set is reached: of a key, of stored bytes, of open uploads.

    Wait as long as `RetryInfo` says; `QuotaFailure` names the limit.
    """

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
    """The server cannot do this now: it is full, shuts down, or its model is away or has no weights.

    Try again after `Retry-After`; without that header do what the message says.
    """


class DeadlineExceeded(VidiError):
    """The work did not finish in time.

    Ask for less at once, or raise `request_seconds` or the client's own limit.
    """


class Cancelled(VidiError):
    """The client went away before the answer was ready; stands in the log only.

    Nothing.
    """


class Internal(VidiError):
    """A fault of the server.

    Report it, with what the log says under the request's id.
    """
