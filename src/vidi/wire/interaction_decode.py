"""An interaction's body as a Conversation, and the interactions before it as its earlier turns."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import TypeVar

from pydantic import ValidationError
from pydantic_core import from_json

from vidi.domain.answer import FunctionCall
from vidi.domain.errors import InvalidRequest
from vidi.domain.prompt import (
    Conversation,
    FileReference,
    FunctionDeclaration,
    FunctionPart,
    FunctionResponse,
    ImageSource,
    MediaResolution,
    Output,
    Request,
    Role,
    TextFormat,
    Turn,
)
from vidi.wire import configuration
from vidi.wire.decode import check_mime_type, decode_base64
from vidi.wire.errors import FieldViolation, Scope, UnknownFields, from_validation, refuse
from vidi.wire.function_calls import (
    CallingChoice,
    DeclaredFunction,
    as_json,
    match_responses,
    read_functions,
)
from vidi.wire.interaction_schema import (
    FUNCTION_CALL,
    FUNCTION_RESULT,
    MODEL_OUTPUT,
    STEPS,
    THOUGHT,
    USER_INPUT,
    AllowedTools,
    CreateInteraction,
    InputContents,
    InputSteps,
    InteractionConfig,
    InteractionContent,
    InteractionStep,
    InteractionTool,
    ResultContents,
    Summaries,
    ToolChoice,
)
from vidi.wire.json_body import read_object
from vidi.wire.response_schema import compile_schema
from vidi.wire.schema import (
    MAX_PARTS,
    CallingMode,
    GenerationConfig,
    Message,
    Struct,
    ThinkingConfig,
)

_SERVED = (TextFormat.PLAIN, TextFormat.JSON)
_MEDIA = ("image", "audio", "video")
_NAMES = frozenset({"type", "mime_type", "mimeType", "schema"})


def response_output(request: CreateInteraction, scope: Scope) -> Output:
    """What the answer's text must be.

    A format is `{"type": "text", "mime_type", "schema"}`, alone or in a list of one; older callers send the
    JSON Schema itself, with `response_mime_type` beside it.

    Raises:
        InvalidFields: The format or its schema is wrong, or not served.
    """
    formats = request.response_format or []
    if len(formats) > 1:
        refuse([scope.fault("response_format", "only one response format is served.")])
    form = formats[0] if formats else {}
    refuse(_format_faults(form, scope))
    if form and form.get("type") != "text":
        return Output(TextFormat.JSON, compile_schema(form, "response_format", scope, closed=False))
    return _text_output(form, request.response_mime_type, scope)


def _format_faults(form: Struct, scope: Scope) -> list[FieldViolation]:
    kind = form.get("type")
    if isinstance(kind, str) and kind in _MEDIA:
        return [scope.fault("response_format.type", f"{kind} is not served, answers are text.")]
    unknown = sorted(set(form) - _NAMES) if kind == "text" else []
    return [scope.fault(f"response_format.{name[:40]}", "there is no such field.") for name in unknown[:5]]


def _text_output(form: Struct, older_mime_type: str | None, scope: Scope) -> Output:
    schema = form.get("schema")
    mime_type = form.get("mime_type") or form.get("mimeType") or older_mime_type
    at = "response_mime_type" if mime_type == older_mime_type else "response_format.mime_type"
    kind = next((each for each in _SERVED if each.value == mime_type), None)
    if mime_type is not None and kind is None:
        refuse([scope.fault(at, "allowed mimetypes are `text/plain` and `application/json`.")])
    if schema is None:
        return Output(kind or TextFormat.PLAIN)
    if kind is TextFormat.PLAIN:
        refuse([scope.fault("response_format.schema", "only allowed with the mimetype `application/json`.")])
    return Output(TextFormat.JSON, compile_schema(schema, "response_format.schema", scope, closed=False))


ImageReference = ImageSource | FileReference
Turns = tuple[Turn[ImageReference], ...]
M = TypeVar("M", bound=Message)

_SCOPE = Scope("CreateInteractionRequest")
_UNSERVED = (
    ("agent", "agents are not served. Name a model instead."),
    ("agent_config", "agents are not served. Leave the field out."),
    ("background", "work in the background is not served. Ask with stream, or wait for the answer."),
    ("cached_content", "cached contents are not served. Send the contents themselves."),
    ("continuation_token", "answers are never cut into continuations. Leave the field out."),
    ("environment", "environments are not served. Leave the field out."),
    ("webhook_config", "webhooks are not served. Wait for the answer instead."),
)
_UNSERVED_CONFIG = (
    ("image_config", "image generation is not served. Leave the field out."),
    ("speech_config", "speech is not served. Leave the field out."),
    ("transcription_config", "audio is not served. Leave the field out."),
    ("video_config", "video is not served. Leave the field out."),
)
_FUNCTION = "function"
"""The kind of tool that is served."""


@dataclass(frozen=True, slots=True)
class NewInteraction:
    """What a caller asks for.

    Attributes:
        model: The model's id, without `models/`.
        conversation: What was asked, without the interactions before it.
        previous: Id of the interaction that this one continues; "" if none.
        input: The input as it came, as JSON; empty if it is not to be kept.
        kept: Whether to keep it for later.
        streamed: Whether to answer in events.
    """

    model: str
    conversation: Conversation
    previous: str
    input: bytes
    kept: bool
    streamed: bool


def decode_interaction(body: bytes | bytearray, max_images: int) -> NewInteraction:
    """Read the body of a new interaction.

    Args:
        body: JSON, strict or lenient.
        max_images: Most pictures in one request.

    Raises:
        InvalidRequest: The body is no JSON, not of the API's form, asks for what is not served, or holds
            too many pictures; the message names the field.
    """
    tree = read_object(body)
    request = _read(CreateInteraction, tree)
    refuse(chain(_unserved(request), _missing(request)))
    config = _generation(request.generation_config or InteractionConfig())
    refuse(configuration.faults(config, _SCOPE))
    turns = _turns(request.input, "input", max_images)
    functions, must_call = _functions(request)
    kept = request.store is not False
    return NewInteraction(
        model=(request.model or "").removeprefix("models/"),
        conversation=Request(
            turns=turns if request.previous_interaction_id else match_responses(turns),
            system=request.system_instruction or "",
            sampling=configuration.sampling(config),
            output=response_output(request, _SCOPE),
            thinking=configuration.thinking(config.thinking_config or ThinkingConfig()),
            functions=functions,
            must_call=must_call,
        ),
        previous=request.previous_interaction_id or "",
        input=_as_json(request.input) if kept else b"",
        kept=kept,
        streamed=bool(request.stream),
    )


class _Tools(Message):
    """The tools of a request that has no others."""

    tools: list[InteractionTool]


def _functions(request: CreateInteraction) -> tuple[tuple[FunctionDeclaration, ...], bool]:
    """What the model may call, and whether it must."""
    tools = _read(_Tools, {"tools": request.tools or []}).tools
    declared = [
        DeclaredFunction(f"tools[{at}]", each.name or "", each.description or "", each.parameters)
        for at, each in enumerate(tools)
    ]
    chosen = (request.generation_config or InteractionConfig()).tool_choice or ToolChoice()
    allowed = chosen.allowed_tools or AllowedTools()
    choice = CallingChoice(
        allowed.mode or (CallingMode.VALIDATED if allowed.tools else CallingMode.AUTO),
        tuple(allowed.tools or ()),
        at="generation_config.tool_choice.allowed_tools.tools",
    )
    functions = read_functions(declared, choice, _SCOPE)
    return functions, bool(functions) and choice.mode is CallingMode.ANY


def _as_json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True)
class PastInteraction:
    """A stored interaction: its id, its input and its answer as JSON."""

    id: str
    input: bytes
    answer: bytes


def with_history(
    conversation: Conversation, past: Sequence[PastInteraction], max_images: int
) -> Conversation:
    """The conversation with the interactions before it, the oldest first, as its first turns.

    Raises:
        InvalidRequest: All of them together hold too many pictures.
    """
    turns: list[Turn[ImageReference]] = []
    for each in past:
        turns += _turns(from_json(each.input), f"{each.id}.input", max_images)
        said = tuple(_said(from_json(each.answer)))
        if said:
            turns.append(Turn(Role.MODEL, said))
    whole = replace(conversation, turns=match_responses((*turns, *conversation.turns)))
    count = sum(1 for _ in whole.images())
    if count > max_images:
        raise _too_many_images(count, max_images, "previous_interaction_id")
    return whole


def _said(answer: dict[str, object]) -> Iterator[str | FunctionCall]:
    """The texts and calls of an answer that this server has written."""
    for step in _read(InputSteps, {"input": answer["steps"]}).input:
        if step.type == FUNCTION_CALL:
            yield FunctionCall(step.name or "", as_json(step.arguments), step.id or "")
        elif step.type == MODEL_OUTPUT:
            text = "".join(content.text or "" for content in step.content or [])
            yield from (text,) if text else ()


def _read(message: type[M], tree: object) -> M:
    try:
        return message.model_validate(tree)
    except ValidationError as error:
        found = from_validation(error)
        if all(each["type"] == "extra_forbidden" for each in error.errors(include_url=False)):
            raise UnknownFields(found.violations) from None
        raise found from None


def _unserved(request: CreateInteraction) -> Iterator[FieldViolation]:
    for name, text in _UNSERVED:
        if getattr(request, name):
            yield _SCOPE.fault(name, text)
    for at, modality in enumerate(request.response_modalities or []):
        if modality.lower() != "text":
            text = f"{modality[:40]} is not served, answers are text."
            yield _SCOPE.fault(f"response_modalities[{at}]", text)
    config = request.generation_config or InteractionConfig()
    for name, text in _UNSERVED_CONFIG:
        if getattr(config, name):
            yield _SCOPE.fault(f"generation_config.{name}", text)
    yield from _unserved_tools(request.tools or [])


def _unserved_tools(tools: list[Struct]) -> Iterator[FieldViolation]:
    for at, tool in enumerate(tools):
        if tool.get("type") != _FUNCTION:
            kind = str(tool.get("type", "a tool without a type"))[:40]
            text = f"{kind} is not served: only functions that the caller runs are. Leave it out."
            yield _SCOPE.fault(f"tools[{at}]", text)


def _missing(request: CreateInteraction) -> Iterator[FieldViolation]:
    if not request.model and not request.agent:
        yield _SCOPE.fault("model", "model is not specified")
    if request.input is None:
        yield _SCOPE.fault("input", "input is not specified")


def _generation(config: InteractionConfig) -> GenerationConfig:
    """The same settings as generateContent has them, so that one code checks both."""
    thinking = ThinkingConfig(
        thinking_level=config.thinking_level,
        include_thoughts=config.thinking_summaries is Summaries.AUTO,
    )
    return GenerationConfig(
        temperature=config.temperature,
        top_p=config.top_p,
        top_k=config.top_k,
        seed=config.seed,
        max_output_tokens=config.max_output_tokens,
        stop_sequences=config.stop_sequences,
        presence_penalty=config.presence_penalty,
        frequency_penalty=config.frequency_penalty,
        thinking_config=thinking,
    )


def _turns(raw: object, path: str, max_images: int) -> Turns:
    """The turns of an input: a text, contents, or steps."""
    _refuse_older_turns(raw, path)
    if _is_steps(raw):
        steps = _read(InputSteps, {"input": raw}).input
        return _turns_of_steps(steps, path, max_images)
    contents = _read(InputContents, {"input": raw}).input
    _check_size(contents, max_images, path)
    refuse(_contents_faults(contents, path))
    parts = tuple(_part(each, f"{path}[{at}]") for at, each in enumerate(contents))
    return (Turn(Role.USER, parts),)


def _refuse_older_turns(raw: object, path: str) -> None:
    """Turns as the API had them before it had steps."""
    first = raw[0] if isinstance(raw, list) and raw else raw
    if isinstance(first, dict) and "role" in first and "type" not in first:
        kind = MODEL_OUTPUT if first["role"] == Role.MODEL.value else USER_INPUT
        text = (
            f'turns of role and content are not read. Write {{"type": "{kind}", "content": [...]}} instead.'
        )
        refuse([_SCOPE.fault(f"{path}[0]" if isinstance(raw, list) else path, text)])


def _is_steps(raw: object) -> bool:
    first = raw[0] if isinstance(raw, list) and raw else raw
    if not isinstance(first, dict):
        return False
    kind = first.get("type")
    return kind in STEPS or "content" in first


def _turns_of_steps(steps: list[InteractionStep], path: str, max_images: int) -> Turns:
    contents = [_contents(step) for step in steps]
    _check_size([each for own in contents for each in own], max_images, path)
    refuse(_step_faults(steps, contents, path))
    turns: list[Turn[ImageReference]] = []
    for at, step in enumerate(steps):
        role = Role.MODEL if step.type in (MODEL_OUTPUT, FUNCTION_CALL) else Role.USER
        parts = (
            *_function_part(step, contents[at], f"{path}[{at}]"),
            *_parts(step, contents[at], f"{path}[{at}]"),
        )
        if parts:
            turns.append(Turn(role, parts))
    if not turns:
        refuse([_SCOPE.fault(path, "there is nothing in it to answer.")])
    return tuple(turns)


def _contents(step: InteractionStep) -> list[InteractionContent]:
    """What a step says or shows; of a function's result, where it has the form of contents."""
    if step.type == FUNCTION_RESULT and isinstance(step.result, list):
        return _read(ResultContents, {"result": step.result}).result
    return step.content or []


def _function_part(
    step: InteractionStep, contents: list[InteractionContent], path: str
) -> Iterator[FunctionPart]:
    """The call, or what was given in words; an error is told as one."""
    if step.type == FUNCTION_CALL:
        yield FunctionCall(step.name or "", as_json(step.arguments), step.id or "")
    elif step.type == FUNCTION_RESULT:
        words = [each.text for each in contents if each.text]
        given = step.result if not isinstance(step.result, list) else "\n".join(words)
        told = _as_json({"error" if step.is_error else "result": given}).decode()
        yield FunctionResponse(step.name or "", told, step.call_id or "", path)


def _parts(
    step: InteractionStep, contents: list[InteractionContent], path: str
) -> Iterator[str | ImageReference]:
    """Texts and pictures; what a function gave in words is told otherwise."""
    member = "result" if step.type == FUNCTION_RESULT else "content"
    for at, each in enumerate(contents):
        told = step.type == FUNCTION_RESULT and each.type == "text"
        if step.type != THOUGHT and not told and not (step.type == MODEL_OUTPUT and _is_empty(each)):
            yield _part(each, f"{path}.{member}[{at}]")


def _step_faults(
    steps: list[InteractionStep], contents: list[list[InteractionContent]], path: str
) -> Iterator[FieldViolation]:
    for at, step in enumerate(steps):
        where = f"{path}[{at}]"
        if step.type == USER_INPUT:
            yield from _contents_faults(step.content or [], f"{where}.content")
        elif step.type == FUNCTION_CALL and not (step.name and step.id):
            yield _SCOPE.fault(where, "a function_call needs an id and a name.")
        elif step.type == FUNCTION_RESULT:
            if not step.call_id:
                yield _SCOPE.fault(f"{where}.call_id", "must not be empty.")
            for index, each in enumerate(contents[at]):
                yield from _content_faults(each, f"{where}.result[{index}]")


def _contents_faults(contents: list[InteractionContent], path: str) -> Iterator[FieldViolation]:
    if not contents:
        yield _SCOPE.fault(path, "must not be empty.")
    for at, each in enumerate(contents):
        yield from _content_faults(each, f"{path}[{at}]")


def _is_empty(content: InteractionContent) -> bool:
    return not (content.text or content.data or content.uri)


def _content_faults(content: InteractionContent, path: str) -> Iterator[FieldViolation]:
    if content.type == "text":
        if not content.text:
            yield _SCOPE.fault(f"{path}.text", "must not be empty.")
        if content.data or content.uri:
            yield _SCOPE.fault(path, "a text has neither data nor uri. Send pictures with type image.")
        return
    if content.text:
        yield _SCOPE.fault(path, "a picture has no text. Send the text with type text.")
    if not content.data and not content.uri:
        yield _SCOPE.fault(path, "a picture needs its data or its uri.")
    if content.data and content.uri:
        yield _SCOPE.fault(path, "only one of data and uri may be set.")


def _part(content: InteractionContent, path: str) -> str | ImageReference:
    if content.type == "text":
        return content.text or ""
    resolution = MediaResolution.UNSPECIFIED
    if content.resolution:
        resolution = MediaResolution[content.resolution.name]
    check_mime_type(content.mime_type, path)
    if content.data:
        return ImageSource(decode_base64(content.data, f"{path}.data"), path, resolution)
    return FileReference(content.uri or "", path, resolution)


def _check_size(contents: list[InteractionContent], max_images: int, path: str) -> None:
    """Counted before any picture is decoded."""
    if len(contents) > MAX_PARTS:
        raise InvalidRequest(f"The input has more than {MAX_PARTS} contents. Send fewer.", where=path)
    count = sum(each.type != "text" for each in contents)
    if count > max_images:
        raise _too_many_images(count, max_images, path)


def _too_many_images(count: int, most: int, where: str) -> InvalidRequest:
    text = f"{where}: {count} images are more than the {most} that one request may have. Send fewer."
    return InvalidRequest(text, where=where)
