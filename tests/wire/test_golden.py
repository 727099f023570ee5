"""Requests and what becomes of them, kept as files.

`tests/golden/wire/*.request.json` are bodies as clients send them (Google's own curl samples among them,
sloppy JSON included), each with the conversation read from it; `refusals.json` holds bodies and their errors.
Those that begin with `interaction_` are of the Interactions API.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import os
from enum import Enum
from pathlib import Path

import pytest

from vidi.domain.errors import VidiError
from vidi.wire.decode import RequestLimits, decode_count, decode_generate
from vidi.wire.encode import encode_error
from vidi.wire.errors import status_of
from vidi.wire.interaction_decode import decode_interaction
from vidi.wire.interaction_encode import encode_interaction_error

GOLDEN = Path(__file__).parents[1] / "golden" / "wire"
REFUSALS = GOLDEN / "refusals.json"
INTERACTION_REFUSALS = GOLDEN / "interaction_refusals.json"
REFRESH = "If the change is meant: UPDATE_GOLDEN=1 pytest tests/wire/test_golden.py, then read the diff."
LIMITS = RequestLimits(model="vidi-lite", max_images=2)

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None


def _rendered(value: object) -> Json:
    """A domain value as JSON, without what is at its default."""
    if dataclasses.is_dataclass(value):
        fields = {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}
        defaults = {each.name: each.default for each in dataclasses.fields(value)}
        return {name: _rendered(each) for name, each in fields.items() if each != defaults[name]}
    if isinstance(value, tuple):
        return [_rendered(each) for each in value]
    if isinstance(value, frozenset):
        return [*sorted(str(_rendered(each)) for each in value)]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Enum):
        return str(value.value)
    assert value is None or isinstance(value, str | int | float)
    return value


def _outcome(method: str, body: bytes) -> Json:
    decode = {"generateContent": decode_generate, "countTokens": decode_count}[method]
    try:
        return _rendered(decode(body, LIMITS))
    except VidiError as error:
        return {"http": status_of(error).code, **json.loads(encode_error(error))}


def _interaction(body: bytes) -> Json:
    """What becomes of an interaction; its input, which is kept as it came, is tested beside its decoder."""
    try:
        new = decode_interaction(body, LIMITS.max_images)
    except VidiError as error:
        return {"http": status_of(error).code, **json.loads(encode_interaction_error(error))}
    return _rendered(dataclasses.replace(new, input=b""))


def _compare(path: Path, found: Json) -> None:
    text = json.dumps(found, indent=2, ensure_ascii=False) + "\n"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert path.exists(), f"{path.name} is missing. {REFRESH}"
    assert json.loads(path.read_text(encoding="utf-8")) == found, f"{path.name} differs. {REFRESH}"


@pytest.mark.parametrize(
    "request_file", sorted(GOLDEN.glob("*.request.json")), ids=lambda path: path.name.split(".")[0]
)
def test_conversations(request_file: Path) -> None:
    name = request_file.name.removesuffix(".request.json")
    body = request_file.read_bytes()
    if name.startswith("interaction_"):
        found = _interaction(body)
    else:
        found = _outcome("countTokens" if name.startswith("count_") else "generateContent", body)
    assert isinstance(found, dict)
    assert "error" not in found, found
    _compare(GOLDEN / f"{name}.conversation.json", found)


def test_refusals() -> None:
    cases = json.loads(REFUSALS.read_text(encoding="utf-8"))
    found: list[Json] = []
    for case in cases:
        outcome = _outcome(case["method"], case["request"].encode())
        assert isinstance(outcome, dict)
        assert outcome.get("http") == 400, case
        found.append({"method": case["method"], "request": case["request"], **outcome})
    _compare(REFUSALS, found)


def test_refusals_of_interactions() -> None:
    cases = json.loads(INTERACTION_REFUSALS.read_text(encoding="utf-8"))
    found: list[Json] = []
    for case in cases:
        outcome = _interaction(case["request"].encode())
        assert isinstance(outcome, dict)
        assert outcome.get("http") == 400, case
        found.append({"request": case["request"], **outcome})
    _compare(INTERACTION_REFUSALS, found)
