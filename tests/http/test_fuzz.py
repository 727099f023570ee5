"""Requests bent out of shape: none makes a 5xx, and every refusal is a google.rpc.Status."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator

import httpx2
import pytest

from tests.http.bodies import (
    BASE64,
    BIG,
    MODEL,
    PICTURE,
    Json,
    configured,
    text_request,
    with_json_schema,
    with_schema,
)
from tests.http.live import Live, live
from tests.http.refusal import refusal
from tests.waiting import HANG_SECONDS

MUTATIONS = 1200
SEED = 20261123
METHODS = ("generateContent", "streamGenerateContent?alt=sse", "streamGenerateContent", "countTokens")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with live(tmp_path_factory.mktemp("fuzz")) as started:
        yield started


@pytest.fixture(scope="module")
def wire(server: Live) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=HANG_SECONDS) as client:
        yield client


_BOX = {
    "type": "OBJECT",
    "properties": {
        "box_2d": {"type": "ARRAY", "items": {"type": "INTEGER"}, "minItems": "4", "maxItems": "4"},
        "label": {"type": "STRING", "description": "What it is.", "nullable": True},
        "kind": {"type": "STRING", "enum": ["thing", "animal"], "format": "enum"},
    },
    "required": ["box_2d", "label"],
    "propertyOrdering": ["label", "box_2d", "kind"],
}

VALID: list[Json] = [
    text_request("hi"),
    {"contents": {"parts": {"text": "hi"}}, "system_instruction": {"parts": [{"text": "Be kind."}]}},
    {
        "contents": [
            {"role": "user", "parts": [PICTURE, {"text": "What is it?"}]},
            {"role": "model", "parts": [{"text": "A ball."}, {"text": "", "thought": True}]},
            {
                "role": "user",
                "parts": [
                    {**PICTURE, "mediaResolution": {"level": "MEDIA_RESOLUTION_LOW"}},
                    {"inline_data": {"mime_type": "image/png", "data": BASE64}},
                    {"text": "And these?"},
                ],
            },
        ]
    },
    configured(
        temperature=0.5,
        topP=0.9,
        topK=40,
        seed=7,
        candidateCount=2,
        maxOutputTokens=50,
        stopSequences=["STOP"],
        presencePenalty=0.1,
        mediaResolution="MEDIA_RESOLUTION_HIGH",
        thinkingConfig={"thinkingBudget": 0, "includeThoughts": False},
        responseModalities=["TEXT"],
    )
    | {
        "safetySettings": [{"category": "HARM_CATEGORY_HATE_SPEECH", "threshold": "BLOCK_NONE"}],
        "tools": [],
        "toolConfig": {"functionCallingConfig": {"mode": "NONE"}},
        "labels": {"team": "a"},
    },
    with_schema({"type": "ARRAY", "items": _BOX, "minItems": 1}),
    with_json_schema(
        {
            "$defs": {"Box": {"type": "object", "properties": {"y": {"type": "integer", "minimum": 1}}}},
            "type": "object",
            "properties": {
                "boxes": {"type": "array", "items": {"$ref": "#/$defs/Box"}, "minItems": 1},
                "title": {"anyOf": [{"type": "string", "pattern": "^a"}, {"type": "null"}]},
            },
            "required": ["boxes", "title"],
            "additionalProperties": False,
        }
    ),
    configured(responseMimeType="text/x.enum", responseSchema={"type": "STRING", "enum": ["a", "b"]}),
]
"""Good requests. Echo answers each, and countTokens reads them wrapped."""

NASTY: list[Json] = [
    None,
    True,
    False,
    0,
    -1,
    1.5,
    -0.0,
    1e308,
    float("nan"),
    float("inf"),
    2**31,
    2**63,
    2**64,
    BIG,
    "",
    " ",
    "0",
    "-1",
    "1e9",
    "NaN",
    "null",
    "x" * 5_000,
    "\x00",
    "\ud800",
    "\udc00\ud800",
    "\u2028\u2029\x85",
    "<|image_pad|>",
    "../../etc/passwd",
    "%s%n{0}{}",
    [],
    {},
    [[]],
    [{}],
    {"": None},
    {"a": {"b": []}},
    [None],
    [1, "a", None, {}],
    {"__proto__": {}, "__class__": "x"},
    PICTURE,
]


def _nodes(tree: Json) -> Iterator[tuple[Json, Json]]:
    """Every container with a key or index in it."""
    keys = list(tree) if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    for key in keys:
        yield tree, key
        yield from _nodes(tree[key])


def _replace(maker: random.Random, parent: Json, key: Json) -> None:
    parent[key] = copy.deepcopy(maker.choice(NASTY))


def _delete(maker: random.Random, parent: Json, key: Json) -> None:
    del parent[key]


def _wrap_in_list(maker: random.Random, parent: Json, key: Json) -> None:
    parent[key] = [parent[key]] * maker.choice((1, 2, 3))


def _wrap_in_object(maker: random.Random, parent: Json, key: Json) -> None:
    parent[key] = {maker.choice(("value", "text", "parts", "0", "")): parent[key]}


def _bury(maker: random.Random, parent: Json, key: Json) -> None:
    for _ in range(maker.choice((5, 50, 300))):
        parent[key] = [parent[key]] if maker.random() < 0.5 else {"items": parent[key]}


def _repeat(maker: random.Random, parent: Json, key: Json) -> None:
    times = maker.choice((2, 10, 200))
    value = parent[key]
    parent[key] = value * times if isinstance(value, str | list) and len(str(value)) < 2_000 else [value] * 5


def _rename(maker: random.Random, parent: Json, key: Json) -> None:
    if isinstance(parent, dict):
        name = maker.choice((key.upper(), key + "_", key[:-1], "", "\ud800", "text", "inlineData", "$ref"))
        parent[name] = parent.pop(key)


def _add(maker: random.Random, parent: Json, key: Json) -> None:
    if isinstance(parent, dict):
        names = ("text", "inline_data", "fileData", "functionCall", "thought", "role", "x", "$ref", "anyOf")
        parent[maker.choice(names)] = copy.deepcopy(maker.choice(NASTY))
    else:
        parent.insert(key, copy.deepcopy(maker.choice(NASTY)))


def _cut(maker: random.Random, parent: Json, key: Json) -> None:
    value = parent[key]
    if isinstance(value, str | list) and value:
        parent[key] = value[: maker.randrange(len(value))]


def _swap(maker: random.Random, parent: Json, key: Json) -> None:
    other = maker.choice(list(parent) if isinstance(parent, dict) else range(len(parent)))
    parent[key], parent[other] = parent[other], parent[key]


BENDS: tuple[Callable[[random.Random, Json, Json], None], ...] = (
    _replace,
    _replace,
    _replace,
    _delete,
    _wrap_in_list,
    _wrap_in_object,
    _bury,
    _repeat,
    _rename,
    _add,
    _cut,
    _swap,
)


def bent(maker: random.Random, tree: Json) -> bytes:
    """The tree after one to three bends, as bytes; now and then the bytes are bent as well."""
    for _ in range(maker.choice((1, 1, 1, 2, 3))):
        if places := list(_nodes(tree)):
            maker.choice(BENDS)(maker, *maker.choice(places))
    body = json.dumps(tree).replace(f'"{BIG}"', "9" * 5_000).encode()
    if maker.random() < 0.1:
        at = maker.randrange(len(body))
        body = (
            body[:at]
            + maker.choice((b"", b",", b"}", b"]", b'"', b"'", b"\\", b"\xff", b"\0"))
            + body[at + 1 :]
        )
    return body


def _check(reply: httpx2.Response) -> None:
    """An answer, or a refusal; a refused array stream holds the refusal as its one element."""
    if reply.status_code != 200:
        if reply.text.startswith("["):
            (only,) = reply.json()
            reply = httpx2.Response(reply.status_code, headers=JSON, content=json.dumps(only))
        assert refusal(reply).code == 400
    elif reply.headers["content-type"].startswith("text/event-stream"):
        events = reply.text.replace("\r\n", "\n").removesuffix("\n\n").split("\n\n")
        assert all("candidates" in json.loads(event.removeprefix("data: ")) for event in events)
    else:
        found = reply.json()
        assert "totalTokens" in found or all("candidates" in each for each in _listed(found))


JSON = {"content-type": "application/json"}


def _listed(value: Json) -> list[Json]:
    return value if isinstance(value, list) else [value]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("index", range(len(VALID)))
@pytest.mark.slow
def test_the_requests_are_good_before_they_are_bent(wire: httpx2.Client, method: str, index: int) -> None:
    body = {"generateContentRequest": VALID[index]} if method == "countTokens" else VALID[index]
    reply = wire.post(f"{MODEL}:{method}", json=body)
    assert reply.status_code == 200, reply.text
    _check(reply)


@pytest.mark.slow
def test_no_mutation_makes_a_server_error(wire: httpx2.Client, server: Live) -> None:
    maker = random.Random(SEED)
    codes = []
    for number in range(MUTATIONS):
        tree = copy.deepcopy(maker.choice(VALID))
        method = maker.choice(METHODS)
        if method == "countTokens":
            tree = maker.choice(({"contents": tree["contents"]}, {"generateContentRequest": tree}))
        body = bent(maker, tree)
        reply = wire.post(f"{MODEL}:{method}", content=body)
        codes.append(reply.status_code)
        try:
            _check(reply)
        except (AssertionError, ValueError, KeyError) as wrong:
            pytest.fail(f"mutation {number}: {method} {body[:2000]!r}\n{reply.text[:2000]}\n{wrong}")
    # Both kinds of mutation must occur, or nothing was tested.
    assert min(codes.count(200), codes.count(400)) > MUTATIONS // 10
    assert server.works()
    assert "Traceback" not in server.log.read_text()
