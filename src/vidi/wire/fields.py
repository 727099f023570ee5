"""Scalars as protobuf's JSON mapping reads them.

Integers may be integral floats or strings, floats may be strings, enums may be names in any case or numbers.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, TypeVar

from pydantic import BeforeValidator, Field, PlainValidator, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from vidi.domain.errors import InvalidRequest, NotFound, PermissionDenied, RequestTooLarge

TYPE_URL = "type.googleapis.com/google.ai.generativelanguage.v1beta."
WRONG_VALUE = "proto_value"
"""Error type of a scalar or enum of the wrong kind; its message is the kind."""
WRONG_MESSAGE = "proto_message"
"""Error type of a message that is wrong as a whole; its message is what to say about it."""

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
    """Raise InvalidFields if there is any fault, one line each."""
    found = tuple(faults)
    if found:
        raise InvalidFields(found, joined_by="")


def shown(value: object) -> str:
    """A scalar of the request as JSON, shortened."""
    if isinstance(value, dict | list):
        return "[...]" if isinstance(value, list) else "{...}"
    text = json.dumps(value[: _MAX_SHOWN + 1] if isinstance(value, str) else value, ensure_ascii=False)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."


def unknown_name(name: str, parent: str, problem: str = "Cannot find field.") -> FieldViolation:
    """A name that its message does not have."""
    place = f" at '{parent}'" if parent else ""
    text = f"Invalid JSON payload received. Unknown name {shown(name)}{place}: {problem}"
    return FieldViolation(parent, text)


def wrong_value(path: str, kind: str, value: object) -> FieldViolation:
    """A value that its field cannot hold; `kind` is as `TYPE_STRING` or the type's URL."""
    if isinstance(value, dict):
        return FieldViolation(
            path, f"Invalid value at '{path}' ({kind}), Starting an object on a scalar field"
        )
    return FieldViolation(path, f"Invalid value at '{path}' ({kind}), {shown(value)}")


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
    message = detail.get("ctx", {}).get("class_name")
    return wrong_value(path, f"{TYPE_URL}{message}" if message else _STRUCT, value)


def _path(place: tuple[str | int, ...]) -> str:
    text = ""
    for step in place:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


_MAX_DIGITS = 40
"""Longest text that is tried as a number: no number of the API needs more."""


def number(value: object) -> float | int | None:
    """The number that a JSON value stands for, None if it stands for none (a bool does not)."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str) and len(value) <= _MAX_DIGITS and value.strip() == value and "_" not in value:
        return _parsed(value)
    return None


def _parsed(text: str) -> float | int | None:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        parsed = float(text)
    except ValueError:
        return None
    return parsed if math.isfinite(parsed) else None


def integer(value: object, bits: int = 64) -> int | None:
    """The signed integer of so many bits that a JSON value stands for, None if it stands for none."""
    read = number(value)
    if read is None or read != math.floor(read) or not -(1 << (bits - 1)) <= read < 1 << (bits - 1):
        return None
    return int(read)


def _wrong(kind: str) -> PydanticCustomError:
    return PydanticCustomError(WRONG_VALUE, kind)


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    raise _wrong("TYPE_STRING")


def _bytes(value: object) -> str:
    if isinstance(value, str):
        return value
    raise _wrong("TYPE_BYTES")


def _bool(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return value == "true"
    raise _wrong("TYPE_BOOL")


def _int32(value: object) -> int:
    read = integer(value, 32)
    if read is None:
        raise _wrong("TYPE_INT32")
    return read


def _int64(value: object) -> int:
    read = integer(value)
    if read is None:
        raise _wrong("TYPE_INT64")
    return read


def _float(value: object) -> float:
    read = number(value)
    if read is None or abs(read) > 3.4028235e38:
        raise _wrong("TYPE_FLOAT")
    return float(read)


Text = Annotated[str, PlainValidator(_text)]
Base64 = Annotated[str, PlainValidator(_bytes)]
"""A bytes field, not decoded yet."""
Bool = Annotated[bool, PlainValidator(_bool)]
Int32 = Annotated[int, PlainValidator(_int32)]
Int64 = Annotated[int, PlainValidator(_int64)]
Float = Annotated[float, PlainValidator(_float)]

E = TypeVar("E", bound=IntEnum)


def member(names: type[E], value: object) -> E | None:
    """The enum's member that a JSON value names, in any case or by number; None if it names none."""
    index = integer(value, 32)
    if index is not None:
        return next((each for each in names if each.value == index), None)
    if not isinstance(value, str):
        return None
    wanted = value.upper().replace("-", "_")
    return next((each for each in names if each.name == wanted), None)


def enum_of(names: type[E], qualified: str) -> PlainValidator:
    """Reads an enum; `qualified` is its name in the API, as `SafetySetting.HarmBlockThreshold`."""

    def read(value: object) -> E:
        found = member(names, value)
        if found is None:
            raise _wrong(TYPE_URL + qualified)
        return found

    return PlainValidator(read)


def _listed(value: object) -> object:
    return value if isinstance(value, list) or value is None else [value]


T = TypeVar("T")

Listed = Annotated[list[T], Field(fail_fast=True), BeforeValidator(_listed)]
"""A repeated field: a lone element is a list of one. Reading stops at the first bad element, so that a
hostile body cannot make a report larger than itself."""


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
