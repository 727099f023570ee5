"""Small requests that ask for much work, a family a line: each is under a megabyte and repeats one idea.

Tests count the work that these ask for; `hostile.py` times what they cost other callers.
"""

from __future__ import annotations

import base64
import gzip
import json
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

LARGEST = 1_000_000
"""Most bytes of a request that counts as small."""

Json = str | int | float | bool | None | list["Json"] | dict[str, "Json"]


@dataclass(frozen=True, slots=True)
class Hostile:
    """A request.

    Attributes:
        path: With its query; `{model}` stands for the model's id and `{file}` for an uploaded file's name.
        body: With `{file}` in it too, where a file is named.
        headers: Beside those that every request has, each with its line break.
        upload: A picture that is uploaded first.
    """

    path: str
    body: bytes
    headers: str = ""
    upload: bytes = b""


_PNG = base64.b64encode(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d4948445200000001000000010800000000"
        "3a7e9b550000000a49444154789c6360000000020001e221bc330000000049454e44ae426082"
    )
).decode()
"""A picture of one pixel."""

GENERATE = "/v1beta/models/{model}:generateContent"
COUNT = "/v1beta/models/{model}:countTokens"
INTERACT = "/v1beta/interactions"
UPLOAD = "/upload/v1beta/files"


def _dumps(tree: Json) -> bytes:
    return json.dumps(tree, ensure_ascii=False, separators=(",", ":")).encode()


def text(words: str) -> dict[str, Json]:
    """A request of one text."""
    return {"contents": [{"parts": [{"text": words}]}]}


def configured(**config: Json) -> bytes:
    """A request with a generationConfig."""
    return _dumps(text("hi") | {"generationConfig": config})


def json_schema(schema: Json) -> bytes:
    """A request for an answer of a schema about a picture."""
    picture: Json = {"inlineData": {"mimeType": "image/png", "data": _PNG}}
    config: Json = {"responseMimeType": "application/json", "responseJsonSchema": schema}
    return _dumps({"contents": [{"parts": [picture, {"text": "hi"}]}], "generationConfig": config})


def multiplied(values: int, levels: int, references: int) -> Json:
    """Alternatives of alternatives of one long enum."""
    definitions: dict[str, Json] = {"l0": {"type": "string", "enum": [f"v{at}" for at in range(values)]}}
    for level in range(1, levels + 1):
        definitions[f"l{level}"] = {"anyOf": [{"$ref": f"#/$defs/l{level - 1}"}] * references}
    return {"$defs": definitions, "$ref": f"#/$defs/l{levels}"}


def disjoint_enums(values: int) -> Json:
    """A long enum beside an alternative with other values."""
    return {
        "enum": [f"a{at}" for at in range(values)],
        "anyOf": [{"enum": [f"b{at}" for at in range(values)]}],
    }


def members(count: int, *, required: bool = True) -> Json:
    """An object of many members, all of them required or none."""
    names: list[Json] = [f"m{at}" for at in range(count)]
    properties: Json = {f"m{at}": {"type": "string"} for at in range(count)}
    return {"type": "object", "properties": properties} | ({"required": names} if required else {})


def copied_keywords(keywords: int, references: int) -> Json:
    """A definition of many keywords that nobody knows, copied at each reference."""
    definition: Json = {"type": "string", **{f"k{at}": 1 for at in range(keywords)}}
    items: Json = [{"$ref": "#/$defs/a"}] * references
    return {"$defs": {"a": definition}, "type": "array", "prefixItems": items}


def long_reference(slashes: int) -> Json:
    """A reference of very many steps, followed again and again."""
    name = "#/$defs/a" + "/" * slashes
    definition: Json = {"type": "array", "prefixItems": [{"$ref": "#/$defs/b"}] * 90}
    return {
        "$defs": {"a": {"type": "string"}, "b": {"$ref": name}, "c": definition},
        "anyOf": [{"$ref": "#/$defs/c"}] * 90,
    }


def many_elements(alternatives: int, least: int) -> Json:
    """Very many elements, each with very many alternatives."""
    options: Json = [{"type": "string", "minLength": at, "maxLength": at} for at in range(1, alternatives)]
    return {"type": "array", "minItems": least, "items": {"anyOf": options}}


def alternative_objects(count: int) -> Json:
    """An anyOf of objects that each demand a member that the rest forbids."""
    options: Json = [
        {"type": "object", "properties": {f"m{at}": {"type": "integer"}}, "required": [f"m{at}"]}
        for at in range(count)
    ]
    return {"type": "object", "properties": {"x": {"type": "string"}}, "anyOf": options}


def nested_any_of(depth: int) -> Json:
    """Two alternatives in each of two alternatives, and so on."""
    schema: Json = {"type": "string"}
    for _ in range(depth):
        schema = {"anyOf": [schema, schema]}
    return schema


def patterns(count: int, pattern: str) -> Json:
    """Very many patterns, each of its own."""
    return {
        "type": "object",
        "properties": {f"m{at}": {"type": "string", "pattern": f"{pattern}{at}"} for at in range(count)},
        "required": [f"m{at}" for at in range(count)],
    }


def box(kind: bytes, *content: bytes) -> bytes:
    """A box of a HEIF."""
    body = b"".join(content)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def heif(*properties: bytes, more: bytes = b"") -> bytes:
    """A HEIC of 64 x 64 pixels without a picture in it; `properties` follow its property container."""
    kind = box(b"ftyp", b"heic", bytes(4), b"mif1heic")
    size = box(b"ispe", bytes(4), struct.pack(">II", 64, 64))
    own = box(b"ipma", bytes(4), struct.pack(">IHBB", 1, 1, 1, 1))
    primary = box(b"pitm", bytes(4), struct.pack(">H", 1))
    return kind + box(b"meta", bytes(4), primary, more, box(b"iprp", box(b"ipco", size), *properties, own))


def associations(boxes: int, entries: int) -> bytes:
    """Lists of empty properties, many of them."""
    return box(b"ipma", bytes(4), struct.pack(">I", entries), struct.pack(">HB", 2, 0) * entries) * boxes


def empty_boxes(count: int) -> bytes:
    """Boxes without content."""
    return box(b"free") * count


def heic_request(data: bytes, count: int = 1) -> bytes:
    """A request with a picture, `count` times."""
    part: Json = {"inlineData": {"mimeType": "image/heic", "data": base64.b64encode(data).decode()}}
    return _dumps({"contents": [{"parts": [part] * count}]})


def file_request(count: int) -> bytes:
    """A request that names the uploaded file many times."""
    part: Json = {"fileData": {"mimeType": "image/heic", "fileUri": "{file}"}}
    return _dumps({"contents": [{"parts": [part] * count}]})


def _raw(inside: str) -> bytes:
    """A request with an unchecked field of this content, written as it stands."""
    return f'{{"contents":[{{"parts":[{{"text":"hi"}}]}}],"labels":{{"x":{inside}}}}}'.encode()


def _multipart(parts: int, header: int) -> Hostile:
    body = b"".join(b"--b\r\nx: " + b"y" * header + b"\r\n\r\nz\r\n" for _ in range(parts)) + b"--b--\r\n"
    return Hostile(UPLOAD + "?uploadType=multipart", body, "content-type: multipart/related; boundary=b\r\n")


def _metadata(body: bytes) -> Hostile:
    return Hostile(UPLOAD, body, "x-goog-upload-protocol: resumable\r\nx-goog-upload-command: start\r\n")


def _gzipped(body: bytes) -> Hostile:
    return Hostile(GENERATE, gzip.compress(body, 6), "content-encoding: gzip\r\n")


def _interaction(**fields: Json) -> bytes:
    named: dict[str, Json] = {"model": "{model}", "store": False}
    return _dumps(named | fields)


JSON_FAMILIES: Mapping[str, Callable[[], bytes]] = {
    "empty lists": lambda: _raw("[" + "[]," * 300_000 + "0]"),
    "numbers": lambda: _raw("[" + "1," * 490_000 + "0]"),
    "floats": lambda: _raw("[" + "1.5e3," * 160_000 + "0]"),
    "small objects": lambda: _raw("[" + '{"a":1},' * 110_000 + "0]"),
    "names": lambda: _raw("{" + ",".join(f'"n{at}":1' for at in range(80_000)) + "}"),
    "the same name": lambda: _raw("{" + '"a":1,' * 150_000 + '"a":1}'),
    "deep lists": lambda: _raw("[" * 190 + "]" * 190),
    "too deep": lambda: _raw("[" * 490_000),
    "a long number": lambda: _raw("9" * 950_000),
    "a long fraction": lambda: _raw("0." + "9" * 950_000),
    "an exponent": lambda: _raw("1e" + "9" * 950_000),
    "escapes": lambda: _raw('"' + "\\u0041" * 160_000 + '"'),
    "almost JSON: names": lambda: _raw("{" + "a:1," * 240_000 + "}"),
    "almost JSON: numbers": lambda: _raw("[" + "1," * 240_000 + "]"),
    "almost JSON: lists": lambda: _raw("[" + "[]," * 160_000 + "]"),
    "almost JSON: texts": lambda: _raw("[" + "'a'," * 230_000 + "]"),
    "almost JSON: one text": lambda: _raw("'" + "\\q\\'\n" * 190_000 + "'"),
    "almost JSON: all escapes": lambda: _raw(
        "'" + "".join(f"\\{chr(at)}" for at in range(0xC0, 0x2000)) * 30 + "'"
    ),
    "almost JSON: blanks": lambda: _raw("[" + " " * 950_000 + "1,]"),
    "almost JSON: bad at its end": lambda: _raw("[" + "1," * 240_000 + "!"),
    "almost JSON: an open text": lambda: _raw("'" + "a" * 950_000),
    "almost JSON: lines": lambda: _raw("[" + "1\n," * 220_000 + "1e999]"),
    "no UTF-8": lambda: _raw('"' + "a" * 950_000) + b"\xff",
    "no JSON": lambda: b"<" * 950_000,
}
"""Texts of a request; what is in them is never looked at, or wrong."""

MESSAGE_FAMILIES: Mapping[str, Callable[[], bytes]] = {
    "empty texts": lambda: _dumps({"contents": [{"parts": [{"text": ""}] * 45_000}]}),
    "too many texts": lambda: _dumps({"contents": [{"parts": [{"text": ""}] * 80_000}]}),
    "short texts": lambda: _dumps({"contents": [{"parts": [{"text": "a box"}] * 45_000}]}),
    "turns": lambda: _dumps({"contents": [{"role": "user", "parts": [{"text": "a cat"}]}] * 20_000}),
    "turns of a model": lambda: _dumps({"contents": [{"role": "model", "parts": [{}]}] * 25_000}),
    "unknown names": lambda: _dumps({"contents": [{"parts": [{f"n{at}": 1 for at in range(60)}] * 1_500}]}),
    "wrong parts": lambda: _dumps({"contents": [{"parts": [{"functionCall": {}}] * 40_000}]}),
    "instructions": lambda: _dumps(
        text("hi") | {"systemInstruction": {"parts": [{"functionCall": {}}] * 40_000}}
    ),
    "stop sequences": lambda: configured(stopSequences=["a"] * 200_000),
    "modalities": lambda: configured(responseModalities=["IMAGE"] * 100_000),
    "formats": lambda: configured(responseFormat=[{"image": {}}] * 60_000),
    "safety settings": lambda: _dumps(text("hi") | {"safetySettings": [{"category": 1}] * 50_000}),
    "tools": lambda: _dumps(text("hi") | {"tools": [{}] * 300_000}),
    "file uris": lambda: _dumps({"contents": [{"parts": [{"fileData": {"fileUri": "files/aaa"}}] * 3_500}]}),
    "long file uris": lambda: _dumps(
        {"contents": [{"parts": [{"fileData": {"fileUri": "https://a/" + "files/" * 330}}] * 450}]}
    ),
    "tiny pictures": lambda: _dumps(
        {"contents": [{"parts": [{"inlineData": {"mimeType": "image/png", "data": _PNG}}] * 3_500}]}
    ),
    "base64 with line breaks": lambda: _dumps(
        {"contents": [{"parts": [{"inlineData": {"mimeType": "image/png", "data": "QUFB\n" * 150_000}}]}]}
    ),
    "a long text": lambda: _dumps(text("find the red box in the picture. " * 29_000)),
    "a text without words": lambda: _dumps(text("a" * 950_000)),
    "long sentences": lambda: _dumps(
        {"contents": [{"parts": [{"text": "find " + "the box of the cat and " * 2_000}] * 19}]}
    ),
    "sentences": lambda: _dumps({"contents": [{"parts": [{"text": "Find it. " * 5_000}] * 19}]}),
    "brackets": lambda: _dumps({"contents": [{"parts": [{"text": "([{" * 16_000}] * 19}]}),
    "blanks": lambda: _dumps({"contents": [{"parts": [{"text": "a" + " " * 48_000 + "\n"}] * 19}]}),
    "commas": lambda: _dumps(text("is it a cat, " + "a or b, " * 115_000)),
    "quotes": lambda: _dumps(text('Answer with JSON: {"a": ' + '{"a": [' * 80_000)),
}
"""Requests that are read whole."""

SCHEMA_FAMILIES: Mapping[str, Callable[[], Json]] = {
    "an enum in anyOf in anyOf": lambda: multiplied(1_000, 3, 20),
    "a longer enum in anyOf": lambda: multiplied(5_000, 3, 20),
    "disjoint enums": lambda: disjoint_enums(30_000),
    "an enum": lambda: {"type": "string", "enum": [f"v{at}" for at in range(80_000)]},
    "an enum of the wrong type": lambda: {"type": "string", "enum": [1] * 200_000},
    "an enum of long texts": lambda: {"type": "string", "enum": ["v" * 9_000 + str(at) for at in range(100)]},
    "an enum in every element": lambda: {
        "type": "array",
        "minItems": 10_000,
        "items": {"type": "string", "enum": [f"v{at}" for at in range(20_000)]},
    },
    "required members": lambda: members(9_000),
    "free members": lambda: members(9_000, required=False),
    "required names": lambda: {"type": "object", "required": ["a"] * 200_000},
    "an order of names": lambda: {
        "type": "object",
        "properties": {"a": {"type": "string"}},
        "propertyOrdering": ["a"] * 200_000,
    },
    "copied keywords": lambda: copied_keywords(10_000, 5_000),
    "a long reference": lambda: long_reference(800_000),
    "many elements": lambda: many_elements(400, 10_000),
    "alternative objects": lambda: alternative_objects(2_000),
    "nested anyOf": lambda: nested_any_of(13),
    "edges": lambda: {
        "type": "object",
        "properties": {f"x{'_' * at}min": {"type": "integer"} for at in range(700)},
        "required": [f"x{'_' * at}min" for at in range(700)],
    },
    "boxes": lambda: {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {
                f"box_{at}": {"type": "array", "items": {"type": "integer"}} for at in range(3_000)
            },
        },
    },
    "descriptions": lambda: {
        "type": "object",
        "properties": {f"m{at}": {"$ref": "#/$defs/a"} for at in range(2_000)},
        "required": [f"m{at}" for at in range(2_000)],
        "$defs": {"a": {"type": "string", "description": "is it " * 300}},
    },
    "long names": lambda: {
        "type": "object",
        "properties": {f"{'x_min ' * 2_000}{at}": {"type": "integer"} for at in range(70)},
    },
    "enums of many members": lambda: {
        "$defs": {"a": {"type": "string", "enum": [f"dog {at}" for at in range(1_000)]}},
        "type": "object",
        "properties": {f"m{at}": {"$ref": "#/$defs/a"} for at in range(95)},
    },
    "nested alternatives": lambda: _nested_alternatives(5, 6),
    "nested anyOf of one": lambda: _nested_lists(60),
    "recursion": lambda: {
        "$defs": {
            "a": {"type": "object", "properties": {f"m{at}": {"$ref": "#/$defs/a"} for at in range(30)}}
        },
        "$ref": "#/$defs/a",
    },
    "long patterns": lambda: patterns(400, "^(a{1,100}b{1,100}c?){1,9}"),
    "patterns": lambda: patterns(5_000, "^[a-z]+"),
    "one long pattern": lambda: {"type": "string", "pattern": "(a|b)?" * 100_000},
    "a pattern of a long text": lambda: {
        "type": "array",
        "minItems": 300,
        "items": {"type": "string", "minLength": 90_000, "pattern": "(x+x+)+y[a-z]{900}"},
    },
    "long descriptions": lambda: {
        "type": "object",
        "properties": {f"box_{at}": {"$ref": "#/$defs/a"} for at in range(2_000)},
        "$defs": {
            "a": {"type": "array", "items": {"type": "integer"}, "description": "[(x" * 300_000},
        },
    },
    "numbers": lambda: {"type": "integer", "enum": [10**18 + at for at in range(40_000)]},
    "deep": lambda: _nested_lists(62, "items"),
    "objects in alternatives": lambda: {
        "anyOf": [members(90, required=False) for _ in range(40)],
        "properties": {f"m{at}": {"type": "string", "maxLength": at} for at in range(90)},
    },
    "many alternatives in members": lambda: {
        "type": "object",
        "properties": {f"m{at}": {"anyOf": [{"type": "string"}, {"type": "null"}]} for at in range(2_000)},
        "required": [f"m{at}" for at in range(2_000)],
    },
    "prefix items": lambda: {"type": "array", "prefixItems": [{"type": "string"}] * 9_000, "minItems": 9_000},
    "long texts": lambda: {
        "type": "array",
        "items": {"type": "string", "minLength": 100_000},
        "minItems": 90,
    },
}
"""Schemas of an answer."""


def _nested_alternatives(depth: int, options: int) -> Json:
    """Objects whose member has alternatives, none of which can be filled, of such objects."""
    schema: Json = {"type": "string", "pattern": "^(no|text|is|known|for)[q-z]{7}$"}
    for level in range(depth):
        inner: Json = [{"type": "object", "minProperties": at} for at in range(options)]
        schema = {
            "type": "object",
            "properties": {f"m{level}": schema},
            "required": [f"m{level}"],
            "anyOf": inner,
        }
    return schema


def _nested_lists(depth: int, keyword: str = "anyOf") -> Json:
    schema: Json = {"type": "string", "enum": [f"v{at}" for at in range(30_000)]}
    for _ in range(depth):
        schema = {keyword: [schema] if keyword == "anyOf" else schema}
    return schema


PICTURE_FAMILIES: Mapping[str, Callable[[], Hostile]] = {
    "HEIC: empty entries": lambda: Hostile(GENERATE, heic_request(heif(associations(24, 10_000)))),
    "HEIC: empty entries, counted": lambda: Hostile(COUNT, heic_request(heif(associations(24, 10_000)))),
    "HEIC: boxes": lambda: Hostile(COUNT, heic_request(heif(more=empty_boxes(90_000)))),
    "HEIC: boxes of properties": lambda: Hostile(COUNT, heic_request(heif(empty_boxes(9_900)))),
    "HEIC: many of them": lambda: Hostile(COUNT, heic_request(heif(associations(1, 300)), 650)),
    "HEIC: an upload": lambda: Hostile(
        UPLOAD + "?uploadType=media", heif(associations(33, 10_000)), "content-type: image/heic\r\n"
    ),
    "HEIC: a file named again": lambda: Hostile(
        COUNT, file_request(20), upload=heif(associations(33, 9_000))
    ),
    "JPEG: segments": lambda: Hostile(COUNT, heic_request(b"\xff\xd8" + b"\xff\xe2\x00\x02" * 170_000)),
    "JPEG: fill bytes": lambda: Hostile(COUNT, heic_request(b"\xff\xd8" + b"\xff" * 700_000)),
    "PNG: chunks": lambda: Hostile(
        COUNT,
        heic_request(
            bytes.fromhex("89504e470d0a1a0a0000000d494844520000000100000001080000000000000000")
            + (struct.pack(">I4sI", 0, b"tEXt", 0) * 55_000)
        ),
    ),
}
"""Pictures whose headers are long."""

HTTP_FAMILIES: Mapping[str, Callable[[], Hostile]] = {
    "query": lambda: Hostile(GENERATE + "?" + "a=1&" * 15_000, _dumps(text("hi"))),
    "escaped query": lambda: Hostile(GENERATE + "?a=" + "%41" * 20_000, _dumps(text("hi"))),
    "headers": lambda: Hostile(GENERATE, _dumps(text("hi")), "a: b\r\n" * 10_000),
    "content type": lambda: Hostile(
        UPLOAD, b"", f"content-type: multipart/related; {'a=b;' * 15_000} boundary=b\r\n"
    ),
    "quoted content type": lambda: Hostile(
        UPLOAD, b"", 'content-type: multipart/related; boundary="' + '\\"' * 30_000 + "\r\n"
    ),
    "accept": lambda: Hostile(GENERATE, _dumps(text("hi")), "accept: " + "a/b;q=1," * 7_500 + "\r\n"),
    "path": lambda: Hostile("/v1beta/models/" + "a/" * 30_000 + ":generateContent", b"{}"),
    "file name": lambda: Hostile("/v1beta/files/" + "files/" * 10_000, b""),
    "page token": lambda: Hostile("/v1beta/files?pageToken=" + "A" * 60_000, b""),
    "multipart: parts": lambda: _multipart(60_000, 1),
    "multipart: headers": lambda: _multipart(1, 900_000),
    "multipart: metadata": lambda: Hostile(
        UPLOAD + "?uploadType=multipart",
        b"--b\r\n\r\n" + _raw("{" + "a:1," * 240_000 + "}") + b"\r\n--b\r\n\r\nz\r\n--b--\r\n",
        "content-type: multipart/related; boundary=b\r\n",
    ),
    "multipart: boundaries": lambda: Hostile(
        UPLOAD + "?uploadType=multipart",
        b"--b\r\n\r\n{}\r\n--b\r\n\r\n" + b"\r\n--" * 230_000 + b"\r\n--b--\r\n",
        "content-type: multipart/related; boundary=b\r\n",
    ),
    "metadata": lambda: _metadata(_raw("{" + "a:1," * 240_000 + "}")),
    "metadata, many names": lambda: _metadata(
        b'{"file":{"videoMetadata":{' + b",".join(b'"n%d":1' % at for at in range(80_000)) + b"}}}"
    ),
    "gzip: zeros": lambda: _gzipped(bytes(90_000_000)),
    "gzip: lists": lambda: _gzipped(_raw("[" + "[]," * 490_000 + "0]")),
    "gzip: almost JSON": lambda: _gzipped(_raw("[" + "1," * 490_000 + "]")),
    "gzip: a long text": lambda: _gzipped(_dumps(text("find the cat. " * 5_000_000))),
}
"""Requests around their bodies."""

INTERACTION_FAMILIES: Mapping[str, Callable[[], bytes]] = {
    "empty texts": lambda: _interaction(input=[{"type": "text", "text": "a"}] * 28_000),
    "strings": lambda: _interaction(input=["a"] * 200_000),
    "wrong contents": lambda: _interaction(input=[{"type": "image"}] * 45_000),
    "steps": lambda: _interaction(input=[{"type": "user_input", "content": ["a"]}] * 22_000),
    "unknown kinds": lambda: _interaction(input=[{"type": "x"}] * 70_000),
    "modalities": lambda: _interaction(input="hi", response_modalities=["image"] * 100_000),
    "formats": lambda: _interaction(input="hi", response_format=[{}] * 300_000),
    "format names": lambda: _interaction(
        input="hi", response_format={"type": "text", **{f"n{at}": 1 for at in range(80_000)}}
    ),
    "kept": lambda: _dumps({"model": "{model}", "input": [{"type": "text", "text": "a"}] * 28_000}),
}
"""Inputs of interactions."""


def families() -> Iterator[tuple[str, Callable[[], Hostile]]]:
    """Every family by its name."""
    for name, made in JSON_FAMILIES.items():
        yield f"JSON: {name}", partial(_posted, GENERATE, made)
    for name, made in MESSAGE_FAMILIES.items():
        yield f"message: {name}", partial(_posted, GENERATE, made)
    for name, schema in SCHEMA_FAMILIES.items():
        yield f"schema: {name}", partial(_with_schema, schema)
    yield from PICTURE_FAMILIES.items()
    for name, whole in HTTP_FAMILIES.items():
        yield f"HTTP: {name}", whole
    for name, made in INTERACTION_FAMILIES.items():
        yield f"interaction: {name}", partial(_posted, INTERACT, made)


def _posted(path: str, made: Callable[[], bytes]) -> Hostile:
    return Hostile(path, made())


def _with_schema(made: Callable[[], Json]) -> Hostile:
    return Hostile(GENERATE, json_schema(made()))


FAMILIES: Mapping[str, Callable[[], Hostile]] = MappingProxyType(dict(families()))
