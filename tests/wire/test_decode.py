"""Whole requests: what is kept, what is refused, and that no body is an accident."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic.alias_generators import to_camel

from tests.conftest import examples
from vidi.domain.errors import InvalidRequest
from vidi.domain.prompt import Conversation, FileReference, ImageSource, MediaResolution, Request, Role, Turn
from vidi.wire.decode import RequestLimits, decode_count, decode_generate
from vidi.wire.errors import InvalidFields
from vidi.wire.fields import MAX_LISTED
from vidi.wire.schema import MAX_PARTS

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None

LIMITS = RequestLimits(model="vidi-lite", max_images=3)
PNG = base64.b64encode(b"\x89PNG").decode()
RICH: dict[str, Json] = {
    "model": "models/vidi-lite",
    "contents": [
        {
            "role": "user",
            "parts": [{"text": "Look:"}, {"inline_data": {"mime_type": "image/png", "data": PNG}}],
        },
        {
            "role": "model",
            "parts": [{"text": "hm", "thought": True}, {"text": "A cat.", "thought_signature": "AA"}],
        },
        {
            "parts": [
                {
                    "file_data": {"file_uri": "files/abc"},
                    "media_resolution": {"level": "MEDIA_RESOLUTION_LOW"},
                }
            ]
        },
    ],
    "system_instruction": {"parts": [{"text": "Be brief."}]},
    "safety_settings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
    "generation_config": {
        "temperature": 0.5,
        "top_k": 40,
        "max_output_tokens": 100,
        "stop_sequences": ["END"],
        "thinking_config": {"thinking_budget": 0},
        "response_mime_type": "application/json",
        "response_schema": {"type": "OBJECT", "properties": {"a": {"type": "STRING", "max_length": 5}}},
        "media_resolution": "MEDIA_RESOLUTION_HIGH",
    },
}


def _generate(request: Json, limits: RequestLimits = LIMITS) -> Conversation:
    return decode_generate(json.dumps(request).encode(), limits)


def _asked(*parts: Json) -> Json:
    return {"contents": [{"parts": list(parts)}]}


def _camel(value: Json) -> Json:
    if isinstance(value, dict):
        return {to_camel(name): _camel(each) for name, each in value.items()}
    return [_camel(each) for each in value] if isinstance(value, list) else value


def test_both_spellings_read_alike() -> None:
    assert _generate(_camel(RICH)) == _generate(RICH)


def test_the_order_of_parts_is_kept() -> None:
    conversation = _generate(RICH)
    assert conversation.turns == (
        Turn(Role.USER, ("Look:", ImageSource(b"\x89PNG", "contents[0].parts[1].inline_data"))),
        Turn(Role.MODEL, ("A cat.",)),
        Turn(
            Role.USER,
            (FileReference("files/abc", "contents[2].parts[0].file_data", MediaResolution.LOW),),
        ),
    )
    assert conversation.system == "Be brief."
    assert conversation.resolution is MediaResolution.HIGH


def test_counting_reads_contents_or_a_whole_request() -> None:
    contents = {"contents": RICH["contents"]}
    body = json.dumps(contents).encode()
    assert decode_count(body, LIMITS).turns == decode_generate(body, LIMITS).turns
    whole = decode_count(json.dumps({"generateContentRequest": RICH}).encode(), LIMITS)
    assert (whole.system, whole.resolution) == ("Be brief.", MediaResolution.HIGH)
    picture = whole.turns[0].parts[1]
    assert isinstance(picture, ImageSource)
    assert picture.where == "generate_content_request.contents[0].parts[1].inline_data"


@pytest.mark.parametrize("extra", [{}, {"contents": []}])
def test_counting_both_or_neither_is_refused(extra: dict[str, Json]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode_count(json.dumps(extra).encode(), LIMITS)
    assert caught.value.message == "* CountTokensRequest.contents: contents is not specified\n"
    both: Json = {"contents": RICH["contents"], "generateContentRequest": RICH}
    with pytest.raises(InvalidRequest, match="must not be set together"):
        decode_count(json.dumps(both).encode(), LIMITS)


def test_a_picture_alone_is_a_question() -> None:
    assert len(_generate(_asked({"inlineData": {"data": PNG}})).turns) == 1


def test_pictures_are_counted_before_they_are_decoded() -> None:
    parts: list[Json] = [{"inlineData": {"data": "not base64!"}}] * 4
    with pytest.raises(InvalidRequest) as caught:
        _generate(_asked(*parts))
    assert caught.value.message == "Please use fewer than 3 images in your request to models/vidi-lite"
    many: list[Json] = [{"inlineData": {"data": PNG}}] * 3_600
    limits = RequestLimits(model="m")
    assert len(_generate(_asked(*many), limits).turns[0].parts) == 3_600
    with pytest.raises(InvalidRequest, match="fewer than 3600 images"):
        _generate(_asked(*many, {"fileData": {"fileUri": "files/a"}}), limits)


@pytest.mark.slow
def test_a_flood_of_parts_is_refused() -> None:
    for contents in ([{"parts": [{"text": "a"}] * MAX_PARTS}], [{"parts": {"text": "a"}}] * (MAX_PARTS + 1)):
        body = json.dumps({"contents": contents}).encode()
        for decode in (decode_generate, decode_count):
            with pytest.raises(InvalidRequest, match=f"more than {MAX_PARTS} parts"):
                decode(body, LIMITS)


def test_what_clients_may_always_send_is_accepted() -> None:
    part: Json = {
        "text": "a",
        "thoughtSignature": "AAAA",
        "partMetadata": {"a": 1},
        "videoMetadata": {"fps": 1},
        "mediaProcessing": None,
    }
    request: Json = {
        "contents": [{"parts": [part, {"inlineData": {"data": PNG, "displayName": "cat.png"}}]}],
        "tools": [],
        "toolConfig": {},
        "safetySettings": [],
        "labels": {"a": "b"},
        "store": True,
        "serviceTier": "flex",
        "cachedContent": "",
        "generationConfig": {},
        "systemInstruction": None,
    }
    assert _generate(request).turns[0].parts[0] == "a"


def test_a_model_that_said_nothing_is_skipped() -> None:
    turns: list[Json] = [
        {"role": "model", "parts": [{"text": ""}]},
        {"role": "model"},
        {"role": "model", "parts": [{}]},
    ]
    assert len(_generate({"contents": [{"parts": [{"text": "a"}]}, *turns]}).turns) == 1
    with pytest.raises(InvalidRequest, match="contents is not specified"):
        _generate({"contents": turns})


def test_a_users_empty_part_is_refused() -> None:
    parts: list[Json] = [{}, {"text": ""}, {"thought": True}]
    for part in parts:
        with pytest.raises(InvalidRequest, match="required oneof field 'data'"):
            _generate(_asked(part))


def test_every_fault_gets_its_line() -> None:
    request: Json = {
        "contents": [{"parts": [{}, {"functionCall": {"name": "f"}}]}],
        "tools": [{"codeExecution": {}}],
        "generationConfig": {"maxOutputTokens": 0},
    }
    with pytest.raises(InvalidRequest) as caught:
        _generate(request)
    lines = caught.value.message.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "* GenerateContentRequest.contents[0].parts[0].data",
        "* GenerateContentRequest.contents[0].parts[1].function_call",
        "* GenerateContentRequest.tools[0].code_execution",
        "* GenerateContentRequest.generation_config.max_output_tokens",
    ]


Path = tuple[str | int, ...]


def _places(value: Json, path: Path = ()) -> list[tuple[Path, Json]]:
    """Every value in a tree, with the way to it."""
    inner: list[tuple[str | int, Json]] = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    return [(path, value), *(each for key, below in inner for each in _places(below, (*path, key)))]


def _replaced(value: Json, path: Path, new: Json) -> Json:
    if not path:
        return new
    step, rest = path[0], path[1:]
    if isinstance(value, dict):
        return {key: _replaced(each, rest, new) if key == step else each for key, each in value.items()}
    assert isinstance(value, list)
    return [_replaced(each, rest, new) if at == step else each for at, each in enumerate(value)]


MUTANTS: st.SearchStrategy[Json] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(
        ["", "AAAA", "object", "MEDIA_RESOLUTION_LOW", "application/json", "text/x.enum", -1, 0, 2**63]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


def _changes(value: Json, mutant: Json) -> list[Json]:
    """What may become of a value."""
    return [
        mutant,
        [value],
        {"a": value, "b": mutant},
        {**value, "nonsense": mutant} if isinstance(value, dict) else {},
        [*value, mutant, *value] if isinstance(value, list) else [],
        str(value),
    ]


@settings(max_examples=examples(400))
@given(st.data())
def test_no_mutation_is_an_accident(data: st.DataObject) -> None:
    request: Json = RICH
    for _ in range(data.draw(st.integers(1, 3))):
        path, value = data.draw(st.sampled_from(_places(request)))
        request = _replaced(request, path, data.draw(st.sampled_from(_changes(value, data.draw(MUTANTS)))))
    body = json.dumps(request).encode()
    for decode in (decode_generate, decode_count):
        try:
            assert isinstance(decode(body, LIMITS), Request)
        except InvalidRequest as refusal:
            assert refusal.message


def test_a_flood_in_a_repeated_field_is_refused() -> None:
    many = {"stopSequences": ["a"] * (MAX_LISTED + 1)}
    body = json.dumps({"contents": [{"parts": [{"text": "a"}]}], "generationConfig": many}).encode()
    with pytest.raises(InvalidRequest, match=f"stop_sequences.*more than {MAX_LISTED} elements"):
        decode_generate(body, LIMITS)


def test_no_more_faults_are_looked_for_than_are_shown() -> None:
    wrong: Json = {"functionCall": {}}
    body = json.dumps({"contents": [{"parts": [wrong] * 10_000}]}).encode()
    with pytest.raises(InvalidFields) as caught:
        decode_generate(body, LIMITS)
    assert len(caught.value.violations) == 20


_PARTS = st.one_of(
    st.builds(lambda text: {"text": text}, st.sampled_from(["Look:", "", "é\n", None, 3])),
    st.builds(
        lambda kind, data: {"inlineData": {"mimeType": kind, "data": data}},
        st.sampled_from(["image/png", "image/jpg", "IMAGE/PNG", "image/gif", "", None]),
        st.sampled_from([PNG, "", "?", "iVBO", 7]),
    ),
    st.just({"text": "both", "inlineData": {"mimeType": "image/png", "data": PNG}}),
    st.sampled_from([{}, {"text": "hm", "thought": True}, {"txt": "x"}, "text", None]),
)
_CONTENTS = st.lists(
    st.one_of(
        st.builds(
            lambda role, parts: {"role": role, "parts": parts},
            st.sampled_from(["user", "model", "function", "", None, "system", 1]),
            st.lists(_PARTS, max_size=5),
        ),
        st.builds(lambda parts: {"parts": parts}, st.lists(_PARTS, min_size=1, max_size=3)),
        st.sampled_from([{}, {"parts": None}, "hello", {"role": "user"}]),
    ),
    max_size=3,
)
_CONFIG_CASES: list[Json] = [
    {"temperature": 0, "maxOutputTokens": 5},
    {"temperature": "hot"},
    {"top_k": 3},
    {"topP": 7},
    {"candidateCount": 0},
    {"responseMimeType": "application/json", "responseSchema": {"type": "STRING"}},
    {"mediaResolution": "MEDIA_RESOLUTION_LOW"},
    {"thinkingConfig": {"thinkingBudget": 1, "thinkingLevel": "LOW"}},
    {"nonsense": 1},
    None,
    [],
]
_CONFIGS = st.sampled_from(_CONFIG_CASES)
_PLAIN_OR_NOT = st.fixed_dictionaries({"contents": _CONTENTS}, optional={"generationConfig": _CONFIGS})


def _outcome(decode: Callable[[bytes, RequestLimits], Conversation], request: Json) -> object:
    try:
        return decode(json.dumps(request).encode(), LIMITS)
    except InvalidRequest as error:
        return type(error), error.message, error.where


@given(request=_PLAIN_OR_NOT, decode=st.sampled_from([decode_generate, decode_count]))
@settings(max_examples=examples(300))
def test_what_is_read_without_models_is_what_the_models_read(
    request: dict[str, Json], decode: Callable[[bytes, RequestLimits], Conversation]
) -> None:
    """A request that names its model is read by the models; the name itself changes nothing."""
    assert _outcome(decode, request) == _outcome(decode, {**request, "model": "models/vidi-lite"})
