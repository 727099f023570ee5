"""Google's words for what is wrong with a request, and the one table from errors to status codes.

A client that was written for Google reads these sentences, so they are kept word for word where they are
known. How an error becomes JSON is in `encode`, and in `interaction_encode` for the Interactions API.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from vidi.domain.errors import (
    Cancelled,
    DeadlineExceeded,
    FailedPrecondition,
    Internal,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    RequestTooLarge,
    ResourceExhausted,
    SlowRequest,
    Unauthenticated,
    Unavailable,
    VidiError,
)

TYPE_URL = "type.googleapis.com/google.ai.generativelanguage.v1beta."

WRONG_VALUE = "proto_value"
"""Error type of a scalar or enum of the wrong kind; its text is the kind."""

WRONG_MESSAGE = "proto_message"
"""Error type of a message that is wrong as a whole; its text is what to say about it."""

_STRUCT = "type.googleapis.com/google.protobuf.Struct"

_MAX_SHOWN = 120

_MAX_VIOLATIONS = 20


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One fault: the field's path in snake_case ("" for the root) and what to say about it."""

    field: str
    description: str


class InvalidFields(InvalidRequest):
    """Fields of the request are wrong; `violations` holds each fault."""

    def __init__(self, violations: Iterable[FieldViolation], *, joined_by: str = "\n") -> None:
        self.violations = tuple(violations)
        message = joined_by.join(violation.description for violation in self.violations)
        super().__init__(message, where=self.violations[0].field if self.violations else "")


class UnknownFields(InvalidFields):
    """Fields that their messages do not have, and nothing else wrong."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose fields are checked: the request's name and the path from it to them."""

    request: str = "GenerateContentRequest"
    prefix: str = ""

    def path(self, field: str) -> str:
        """The field's path from the root of the request."""
        return self.prefix + field

    def fault(self, field: str, text: str) -> FieldViolation:
        """A fault of a field that was read but makes no sense."""
        return FieldViolation(self.path(field), f"* {self.request}.{self.path(field)}: {text}\n")


def refuse(faults: Iterable[FieldViolation]) -> None:
    """Raise InvalidFields if there is any fault, one line each; no more are looked for than are shown."""
    found = tuple(islice(faults, _MAX_VIOLATIONS))
    if found:
        raise InvalidFields(found, joined_by="")


def excerpt(value: object) -> str:
    """A scalar of the request as JSON, shortened."""
    if isinstance(value, dict | list):
        return "[...]" if isinstance(value, list) else "{...}"
    text = json.dumps(value[: _MAX_SHOWN + 1] if isinstance(value, str) else value, ensure_ascii=False)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."


def unknown_name(name: str, parent: str, problem: str = "Cannot find field.") -> FieldViolation:
    """A name that its message does not have."""
    place = f" at '{parent}'" if parent else ""
    text = f"Invalid JSON payload received. Unknown name {excerpt(name)}{place}: {problem}"
    return FieldViolation(parent, text)


def wrong_value(path: str, kind: str, value: object) -> FieldViolation:
    """A value that its field cannot hold; `kind` is as `TYPE_STRING` or the type's URL."""
    if isinstance(value, dict):
        return FieldViolation(
            path, f"Invalid value at '{path}' ({kind}), Starting an object on a scalar field"
        )
    return FieldViolation(path, f"Invalid value at '{path}' ({kind}), {excerpt(value)}")


def from_validation(error: ValidationError) -> InvalidFields:
    """Pydantic's findings in Google's words."""
    details = error.errors(include_url=False)[:_MAX_VIOLATIONS]
    return InvalidFields(_violation(detail) for detail in details)


def _violation(detail: ErrorDetails) -> FieldViolation:
    place, value, kind = detail["loc"], detail["input"], detail["type"]
    path, parent = _path(place), _path(place[:-1])
    if kind == "extra_forbidden":
        return unknown_name(str(place[-1]), parent)
    if kind == WRONG_MESSAGE:
        return FieldViolation(path, f"Invalid value at '{path}' {detail['msg']}".replace(" at ''", ""))
    if isinstance(value, list):
        depth = max(at for at, step in enumerate(place) if isinstance(step, str))
        parent = _path(place[:depth])
        return unknown_name(str(place[depth]), parent, "Proto field is not repeating, cannot start list.")
    if kind == WRONG_VALUE:
        return wrong_value(path, detail["msg"], value)
    message = detail.get("ctx", {}).get("class_name", "").removesuffix("Message")
    return wrong_value(path, f"{TYPE_URL}{message}" if message else _STRUCT, value)


def _path(place: tuple[str | int, ...]) -> str:
    text = ""
    for step in place:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def missing_key() -> PermissionDenied:
    """The caller showed no key although the server asks for one."""
    return PermissionDenied(
        "Method doesn't allow unregistered callers (callers without established identity). "
        "Please use API Key or other form of API consumer identity to call this API."
    )


def invalid_key() -> InvalidRequest:
    """The caller's key is not known."""
    return InvalidRequest("API key not valid. Please pass a valid API key.", reason="API_KEY_INVALID")


def expired_key() -> InvalidRequest:
    """The caller's key was valid once."""
    return InvalidRequest("API key expired. Please renew the API key.", reason="API_KEY_INVALID")


def several_keys() -> InvalidRequest:
    """The caller showed more than one key, as in a header and in the query."""
    return InvalidRequest("Multiple authentication credentials received. Please pass only one.")


def body_too_large(limit: int) -> RequestTooLarge:
    """The body has more than `limit` bytes."""
    return RequestTooLarge(f"Request payload size exceeds the limit: {limit} bytes.")


_UNSERVED = {
    "batches": "Batches are",
    "cachedContents": "Cached contents are",
    "chat": "OpenAI's API is",
    "corpora": "Document search is",
    "embeddings": "OpenAI's API is",
    "fileSearchStores": "File search is",
    "openai": "OpenAI's API is",
    "operations": "Operations are",
    "responses": "OpenAI's API is",
    "tunedModels": "Tuned models are",
    "tuningJobs": "Tuning is",
}
"""Parts of paths that clients know, and what they stand for."""

UNSERVED_METHODS = frozenset(
    {
        "asyncBatchEmbedContent", "batchEmbedContents", "batchGenerateContent", "bidiGenerateContent",
        "computeTokens", "embedContent", "generateAnswer", "generateImages", "predict", "predictLongRunning",
    }
)  # fmt: skip
"""What other servers of the API do with a model."""


def unserved(what: str) -> NotFound:
    """A call that Google knows and Vidi does not; `what` is as `Batches are`."""
    return NotFound(f"{what} not served by Vidi. docs/compatibility.md says what is.")


def no_such_path(method: str, path: str, base: str) -> NotFound:
    """Nothing is served under this path; `base` is the server's own address without a path."""
    named = next((_UNSERVED[part] for part in re.split("[/:]", path) if part in _UNSERVED), None)
    if named:
        return unserved(named)
    base = base[:200]
    return NotFound(
        f"There is no {method} {path[:200]} here. The API's paths are as {base}/v1beta/models: give a client "
        f"{base} as its base URL, with /v1beta behind it if it adds no version of its own."
    )


class UnknownModel(NotFound):
    """No model of that name; has a code of its own in the Interactions API."""


def unknown_model(model: str, version: str, method: str) -> UnknownModel:
    """No model of this id (without `models/`) answers the method, as `generateContent`, in that version."""
    return UnknownModel(
        f"models/{model} is not found for API version {version}, or is not supported for {method}. "
        "Call ModelService.ListModels to see the list of available models and their supported methods."
    )


@dataclass(frozen=True, slots=True)
class Status:
    """An HTTP status code and the name of its google.rpc.Code."""

    code: int
    name: str


_STATUSES: tuple[tuple[type[VidiError], Status], ...] = (
    (InvalidRequest, Status(400, "INVALID_ARGUMENT")),
    (SlowRequest, Status(408, "DEADLINE_EXCEEDED")),
    (FailedPrecondition, Status(400, "FAILED_PRECONDITION")),
    (Unauthenticated, Status(401, "UNAUTHENTICATED")),
    (PermissionDenied, Status(403, "PERMISSION_DENIED")),
    (NotFound, Status(404, "NOT_FOUND")),
    (ResourceExhausted, Status(429, "RESOURCE_EXHAUSTED")),
    (Cancelled, Status(499, "CANCELLED")),
    (Unavailable, Status(503, "UNAVAILABLE")),
    (DeadlineExceeded, Status(504, "DEADLINE_EXCEEDED")),
    (Internal, Status(500, "INTERNAL")),
)


def status_of(error: VidiError) -> Status:
    """The status under which an error leaves the server; INTERNAL for a class that the table lacks."""
    return next((status for kind, status in _STATUSES if isinstance(error, kind)), Status(500, "INTERNAL"))
