"""Wordings that clients look for."""

from __future__ import annotations

import pytest

from vidi.domain.errors import VidiError
from vidi.wire.encode import Status, status_of
from vidi.wire.fields import body_too_large, invalid_key, missing_key, several_keys, unknown_model


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (missing_key(), Status(403, "PERMISSION_DENIED"), "Method doesn't allow unregistered callers"),
        (invalid_key(), Status(400, "INVALID_ARGUMENT"), "API key not valid. Please pass a valid API key."),
        (several_keys(), Status(400, "INVALID_ARGUMENT"), "Multiple authentication credentials received."),
        (
            body_too_large(9),
            Status(400, "INVALID_ARGUMENT"),
            "Request payload size exceeds the limit: 9 bytes.",
        ),
        (
            unknown_model("x", "v1beta", "countTokens"),
            Status(404, "NOT_FOUND"),
            "models/x is not found for API version v1beta, or is not supported for countTokens. ",
        ),
    ],
)
def test_status_and_beginning(error: VidiError, status: Status, text: str) -> None:
    assert status_of(error) == status
    assert error.message.startswith(text)
