"""What every refusal of the server has to look like."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import httpx2

STATUSES = {
    400: {"INVALID_ARGUMENT", "FAILED_PRECONDITION"},
    401: {"UNAUTHENTICATED"},
    403: {"PERMISSION_DENIED"},
    404: {"NOT_FOUND"},
    429: {"RESOURCE_EXHAUSTED"},
    503: {"UNAVAILABLE"},
    504: {"DEADLINE_EXCEEDED"},
}
"""google.rpc.Code by HTTP status; a 500 is never right."""

_INTERNALS = re.compile(r'Traceback|File "|\.py\b|site-packages|/(usr|home|root|tmp|work|proc)/')


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error as the API words it."""

    code: int
    status: str
    message: str


def refusal(reply: httpx2.Response) -> Refusal:
    """The error in a reply, which must be a google.rpc.Status that shows no internals."""
    assert reply.headers["content-type"].startswith("application/json")
    body: dict[str, Any] = reply.json()
    assert set(body) == {"error"}, body
    error = body["error"]
    assert set(error) <= {"code", "message", "status", "details"}, error
    assert error["code"] == reply.status_code
    assert error["status"] in STATUSES[reply.status_code]
    assert error["message"].strip()
    assert not _INTERNALS.search(reply.text), reply.text[:2000]
    assert all(detail["@type"].startswith("type.googleapis.com/") for detail in error.get("details", []))
    return Refusal(error["code"], error["status"], error["message"])
