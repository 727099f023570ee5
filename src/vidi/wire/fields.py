"""Scalars as protobuf's JSON mapping reads them.

Integers may be integral floats or strings, floats may be strings, enums may be names in any case or numbers.
"""

from __future__ import annotations

import math
from enum import IntEnum
from typing import Annotated, TypeVar

from pydantic import BeforeValidator, Field, PlainValidator
from pydantic_core import PydanticCustomError

from vidi.wire.errors import TYPE_URL, WRONG_MESSAGE, WRONG_VALUE

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


MAX_LISTED = 20_000
"""Most elements of a repeated field: bounds the work on them, and what is said of them."""


def _listed(value: object) -> object:
    if isinstance(value, list) and len(value) > MAX_LISTED:
        raise PydanticCustomError(WRONG_MESSAGE, f"(repeated), it has more than {MAX_LISTED} elements")
    return value if isinstance(value, list) or value is None else [value]


T = TypeVar("T")

Listed = Annotated[list[T], Field(fail_fast=True), BeforeValidator(_listed)]
"""A repeated field: a lone element is a list of one. Reading stops at the first bad element, so that a
hostile body cannot make a report larger than itself."""
