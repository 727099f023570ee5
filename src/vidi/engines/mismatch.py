"""Why a value does not satisfy a JSON schema, told by the library that knows all of JSON Schema.

Loaded when something has to be told, by name: most programs never need it, and all would pay for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match
from jsonschema.validators import extend

from vidi.domain.schema import JsonValue
from vidi.engines.validation import matches


def describe(value: JsonValue, schema: Mapping[str, JsonValue]) -> str:
    """Where a value does not satisfy a schema and why, in the library's words; "" if it does."""
    mismatch = _worst(value, schema)
    return "" if mismatch is None else f"{mismatch.json_path}: {_shortened(mismatch.message)}"


def _worst(value: JsonValue, schema: Mapping[str, JsonValue]) -> ValidationError | None:
    worst: ValidationError | None = best_match(_Validator(dict(schema)).iter_errors(value))
    return worst


def _shortened(message: str, length: int = 300) -> str:
    return message if len(message) <= length else message[: length - 3] + "..."


def _pattern(_: object, pattern: str, value: JsonValue, __: object) -> Iterator[ValidationError]:
    if isinstance(value, str) and not matches(pattern, value):
        yield ValidationError(f"{value!r} does not match {pattern!r}")


_Validator = extend(Draft202012Validator, {"pattern": _pattern})


def advise(value: JsonValue, schema: Mapping[str, JsonValue]) -> str:
    """What is wrong as a person reads it: which key, what it is, what it may be; "" if nothing is.

    Of a schema that describes each of its properties.
    """
    mismatch = _worst(value, schema)
    return "" if mismatch is None else _advice(mismatch)


def _advice(mismatch: ValidationError) -> str:
    at = mismatch.json_path.removeprefix("$").removeprefix(".") or "the file"
    schema, value = mismatch.schema, mismatch.instance
    assert isinstance(schema, dict)
    known = schema.get("properties", {})
    if mismatch.validator == "required" and isinstance(value, dict):
        missing = next(key for key in schema["required"] if key not in value)
        return f"{at} lacks the key {missing!r}: {known[missing]['description']}."
    if mismatch.validator == "additionalProperties" and known and isinstance(value, dict):
        stray = next(key for key in value if key not in known)
        return f"{at} has an unknown key {stray!r}. Known keys: {', '.join(known)}."
    described = f" ({schema['description']})" if "description" in schema else ""
    return f"{at} is {_short(value)}; {_may_be(mismatch, schema)}{described}."


def _may_be(mismatch: ValidationError, schema: Mapping[str, JsonValue]) -> str:
    rule = schema[str(mismatch.validator)]
    told = {
        "enum": "it may be one of {}",
        "type": "it must be of type {}",
        "pattern": "it must match {}",
        "minimum": "it must be {} or more",
        "maximum": "it must be {} or less",
        "minLength": "it must have at least {} characters",
        "maxLength": "it must have at most {} characters",
        "maxItems": "it may have at most {} elements",
    }.get(str(mismatch.validator), f"it must satisfy {mismatch.validator} {{}}")
    return told.format(", ".join(map(str, rule)) if isinstance(rule, list) else rule)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
