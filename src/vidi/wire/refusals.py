"""Refusals that Google words in a way that clients know: who is asking, what for, and how much."""

from __future__ import annotations

from vidi.domain.errors import InvalidRequest, NotFound, PermissionDenied, RequestTooLarge


def missing_key() -> PermissionDenied:
    """The caller showed no key although the server asks for one."""
    return PermissionDenied(
        "Method doesn't allow unregistered callers (callers without established identity). "
        "Please use API Key or other form of API consumer identity to call this API."
    )


def invalid_key() -> InvalidRequest:
    """The caller's key is not known."""
    return InvalidRequest("API key not valid. Please pass a valid API key.", reason="API_KEY_INVALID")


def several_keys() -> InvalidRequest:
    """The caller showed more than one key, as in a header and in the query."""
    return InvalidRequest("Multiple authentication credentials received. Please pass only one.")


def body_too_large(limit: int) -> RequestTooLarge:
    """The body has more than `limit` bytes."""
    return RequestTooLarge(f"Request payload size exceeds the limit: {limit} bytes.")


class UnknownModel(NotFound):
    """No model of that name; has a code of its own in the Interactions API."""


def unknown_model(model: str, version: str, method: str) -> UnknownModel:
    """No model of this id (without `models/`) answers the method, as `generateContent`, in that version."""
    return UnknownModel(
        f"models/{model} is not found for API version {version}, or is not supported for {method}. "
        "Call ModelService.ListModels to see the list of available models and their supported methods."
    )
