"""A request body as a Conversation: read, checked, its pictures decoded from base64 but not looked at."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from types import MappingProxyType
from typing import NotRequired, TypedDict, TypeVar, cast

import pybase64
from pydantic import ValidationError

from vidi.domain.answer import FunctionCall
from vidi.domain.errors import InvalidRequest
from vidi.domain.prompt import (
    Conversation,
    FileReference,
    FunctionPart,
    FunctionResponse,
    ImageDetail,
    ImageSource,
    Request,
    Role,
    Turn,
)
from vidi.wire import configuration
from vidi.wire.errors import FieldViolation, InvalidFields, Scope, from_validation, refuse
from vidi.wire.function_calls import (
    CallingChoice,
    as_json,
    declared_in,
    match_responses,
    read_functions,
    tool_faults,
)
from vidi.wire.json_body import read_object
from vidi.wire.schema import (
    MAX_PARTS,
    SERVED_PARTS,
    UNSERVED_PARTS,
    CallingMode,
    Content,
    CountTokensRequest,
    FileData,
    FunctionResponsePart,
    GenerateContentRequest,
    GenerationConfig,
    Message,
    Part,
    ThinkingConfig,
    ToolConfig,
)

IMAGE_TYPES = ("image/png", "image/jpeg", "image/webp", "image/heic", "image/heif")
"""What may be sent. The label is checked against this list; the format is told by the bytes."""

_OLD_ROLE = "function"
"""Under which older clients send responses."""

_ALIASES = {"image/jpg": "image/jpeg"}
_MAX_SHOWN = 64
_DATA_URL = re.compile(r"data:[\w.+/;=-]{0,100};base64,", re.ASCII)
_ALPHABETS = ((None, ""), (b"-_", "+/"))
"""Standard, then URL-safe, with the letters of the other that its decoder would let pass."""


def decode_base64(text: str, where: str) -> bytes:
    """Decode base64 as protobuf's JSON does: standard or URL-safe alphabet, padded or not.

    Line breaks are ignored, for callers who forgot `base64 -w0`, and so is `data:image/png;base64,` before
    it, which names no other bytes. Anything else is refused: other
    characters, both alphabets in one text, a wrong length or padding, stray bits in the last character.

    Args:
        text: The base64 text.
        where: Path of the field, as `contents[0].parts[1].inline_data.data`.

    Raises:
        InvalidFields: It is no base64.
    """
    if found := _DATA_URL.match(text):
        text = text[found.end() :]
    data = _try_base64(text)
    if data is None and ("\n" in text or "\r" in text):
        data = _try_base64(text.replace("\n", "").replace("\r", ""))
    if data is None:
        excerpt = text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."
        problem = f"Invalid value at '{where}' (TYPE_BYTES), Base64 decoding failed for \"{excerpt}\""
        raise InvalidFields([FieldViolation(where, problem)])
    return data


def _try_base64(text: str) -> bytes | None:
    padding = "" if text.endswith("=") else "=" * (-len(text) % 4)
    for alphabet, foreign in _ALPHABETS:
        if any(letter in text for letter in foreign):
            continue
        try:
            data = pybase64.b64decode(text + padding, alphabet, validate=True)
        except ValueError:
            continue
        # The decoder ignores stray bits in the last character; encoding again shows them.
        tail = len(data) % 3
        last = (text[-4:] + padding)[-4:].encode()
        return data if not tail or pybase64.b64encode(data[-tail:], alphabet) == last else None
    return None


def check_mime_type(given: str | None, where: str) -> None:
    """Refuse a label that names anything but a picture of the five formats; none at all is fine.

    Case and parameters (`image/JPEG; charset=binary`) do not matter.

    Raises:
        InvalidRequest: The type is not allowed.
    """
    kind = (given or "").split(";", 1)[0].strip().lower()
    if not kind or _ALIASES.get(kind, kind) in IMAGE_TYPES:
        return
    problem = f"Unsupported MIME type: {(given or '')[:_MAX_SHOWN]} at {where}."
    served = ", ".join(IMAGE_TYPES)
    if kind.startswith("image/"):
        problem += f" Convert the picture to one of {served}."
    else:
        problem += f" Only pictures are served: {served}."
    raise InvalidRequest(problem, where=f"{where}.mime_type")


TurnPart = str | ImageSource | FileReference | FunctionPart
M = TypeVar("M", bound=Message)


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """What a request may hold, and the model that it goes to, for the error's text.

    Attributes:
        model: The model's id as the caller gave it, without `models/`.
        max_images: Most pictures in one request.
    """

    model: str
    max_images: int = 3_600


def decode_generate(body: bytes | bytearray, limits: RequestLimits) -> Conversation:
    """Read a GenerateContentRequest.

    Raises:
        InvalidRequest: The body is no JSON, not of the API's form, asks for what is not served, or holds
            too many pictures; the message is Google's where it is known.
    """
    tree = read_object(body)
    plain = _plain(tree, Scope(), limits)
    return plain or _conversation(_read(GenerateContentRequest, tree), Scope(), limits)


def decode_count(body: bytes | bytearray, limits: RequestLimits) -> Conversation:
    """Read a CountTokensRequest: its contents, or the GenerateContentRequest in it.

    Raises:
        InvalidRequest: As for `decode_generate`, and if both are given.
    """
    tree = read_object(body)
    if plain := _plain(tree, Scope("CountTokensRequest"), limits):
        return plain
    request = _read(CountTokensRequest, tree)
    inner = request.generate_content_request
    if inner is None:
        return _conversation(request, Scope("CountTokensRequest"), limits)
    scope = Scope("CountTokensRequest", "generate_content_request.")
    if request.contents:
        text = "must not be set together with generate_content_request."
        refuse([Scope("CountTokensRequest").fault("contents", text)])
    return _conversation(inner, scope, limits)


_ROLES: Mapping[str | None, Role] = MappingProxyType(
    {None: Role.USER, Role.USER.value: Role.USER, Role.MODEL.value: Role.MODEL}
)


def _plain(tree: dict[str, object], scope: Scope, limits: RequestLimits) -> Conversation | None:
    """What most requests are: turns of texts and inline pictures in their usual spelling, and settings.

    It is read without a model of each message, in a tenth of the time. Whatever has anything else in it, or
    anything wrong, is read by the models, which then say what: None.

    Raises:
        InvalidRequest: As `decode_generate`, for what the models would let pass.
    """
    if not tree.keys() <= {"contents", "generationConfig"} or not _is_plain(tree.get("contents"), limits):
        return None
    contents = cast("list[_PlainContent]", tree["contents"])
    if "generationConfig" not in tree:
        return Request(turns=_plain_turns(contents, scope))
    try:
        config = GenerationConfig.model_validate(tree["generationConfig"])
    except ValidationError:
        return None
    refuse(configuration.faults(config, scope))
    thinking = configuration.thinking(config.thinking_config or ThinkingConfig())
    output = configuration.output(config, scope)
    return Request(
        turns=_plain_turns(contents, scope),
        sampling=configuration.sampling(config),
        output=output,
        thinking=thinking,
        resolution=configuration.resolution(config),
        candidates=config.candidate_count or 1,
    )


class _PlainBlob(TypedDict):
    mimeType: str
    data: str


class _PlainPart(TypedDict, total=False):
    text: str
    inlineData: _PlainBlob


class _PlainContent(TypedDict):
    role: NotRequired[str]
    parts: list[_PlainPart]


def _is_plain(contents: object, limits: RequestLimits) -> bool:
    """Whether these are `_PlainContent`s, and not too many."""
    if not isinstance(contents, list) or not contents or len(contents) > MAX_PARTS:
        return False
    parts: list[object] = []
    for content in contents:
        if not isinstance(content, dict) or not content.keys() <= {"role", "parts"}:
            return False
        own = content.get("parts")
        if content.get("role", "user") not in ("user", "model") or not isinstance(own, list) or not own:
            return False
        parts += own
    if len(contents) + len(parts) > MAX_PARTS or not all(map(_is_plain_part, parts)):
        return False
    return len(parts) <= limits.max_images or _pictures_in(parts) <= limits.max_images


def _is_plain_part(part: object) -> bool:
    if not isinstance(part, dict) or len(part) != 1:
        return False
    text = part.get("text")
    if text is not None:
        return isinstance(text, str) and text != ""
    return _is_plain_blob(part.get("inlineData"))


def _pictures_in(parts: list[object]) -> int:
    return sum(isinstance(part, dict) and "inlineData" in part for part in parts)


def _is_plain_blob(blob: object) -> bool:
    return (
        isinstance(blob, dict)
        and len(blob) == 2
        and blob.get("mimeType") in IMAGE_TYPES
        and isinstance(blob.get("data"), str)
    )


def _plain_turns(
    contents: list[_PlainContent], scope: Scope
) -> tuple[Turn[ImageSource | FileReference], ...]:
    return tuple(
        Turn(_ROLES[content.get("role")], tuple(_plain_parts(content["parts"], at, scope)))
        for at, content in enumerate(contents)
    )


def _plain_parts(parts: list[_PlainPart], at: int, scope: Scope) -> Iterator[str | ImageSource]:
    for index, part in enumerate(parts):
        if "text" in part:
            yield part["text"]
        else:
            where = scope.path(f"contents[{at}].parts[{index}].inline_data")
            yield ImageSource(decode_base64(part["inlineData"]["data"], f"{where}.data"), where)


def _read(message: type[M], tree: dict[str, object]) -> M:
    try:
        return message.model_validate(tree)
    except ValidationError as error:
        raise from_validation(error) from None


def _conversation(request: GenerateContentRequest, scope: Scope, limits: RequestLimits) -> Conversation:
    config = request.generation_config or GenerationConfig()
    contents = request.contents or []
    _check_roles(contents, scope)
    refuse(chain(_faults(request, scope), configuration.faults(config, scope)))
    _check_image_count(contents, scope, limits)
    thinking = configuration.thinking(config.thinking_config or ThinkingConfig())
    output = configuration.output(config, scope)
    choice = CallingChoice.of((request.tool_config or ToolConfig()).function_calling_config)
    functions = read_functions(declared_in(request.tools or []), choice, scope)
    return Request(
        turns=_turns(contents, scope),
        system=_system(request.system_instruction),
        sampling=configuration.sampling(config),
        output=output,
        thinking=thinking,
        resolution=configuration.resolution(config),
        candidates=config.candidate_count or 1,
        functions=functions,
        must_call=bool(functions) and choice.mode is CallingMode.ANY,
    )


def _check_roles(contents: list[Content], scope: Scope) -> None:
    for at, content in enumerate(contents):
        if content.role not in (None, "", Role.USER.value, Role.MODEL.value, _OLD_ROLE):
            where = scope.path(f"contents[{at}].role")
            raise InvalidRequest("Please use a valid role: user, model.", where=where)


def _role(content: Content) -> Role:
    return Role.MODEL if content.role == Role.MODEL.value else Role.USER


def _faults(request: GenerateContentRequest, scope: Scope) -> Iterator[FieldViolation]:
    if not request.contents:
        yield scope.fault("contents", "contents is not specified")
    for at, content in enumerate(request.contents or []):
        yield from _content_faults(content, f"contents[{at}]", scope)
    instruction = request.system_instruction or Content()
    for at, part in enumerate(instruction.parts or []):
        if part.text is None and not _is_empty(part):
            yield scope.fault(f"system_instruction.parts[{at}]", "a system instruction is text only.")
    yield from tool_faults(request.tools or [], scope)
    if request.cached_content:
        yield scope.fault("cached_content", "cached contents are not served. Send the contents themselves.")


def _content_faults(content: Content, path: str, scope: Scope) -> Iterator[FieldViolation]:
    if not content.parts and _role(content) is Role.USER:
        yield scope.fault(f"{path}.parts", "contents.parts must not be empty.")
    for at, part in enumerate(content.parts or []):
        yield from _part_faults(part, _role(content), f"{path}.parts[{at}]", scope)


def _is_empty(part: Part) -> bool:
    others = SERVED_PARTS[1:] + UNSERVED_PARTS
    return not part.text and all(getattr(part, name) is None for name in others)


def _part_faults(part: Part, role: Role, path: str, scope: Scope) -> Iterator[FieldViolation]:
    """A model's turn may hold empty parts: streams end with one, and chats send it back as it came."""
    if _is_empty(part) and role is Role.USER:
        yield scope.fault(f"{path}.data", "required oneof field 'data' must have one initialized field")
    for name in UNSERVED_PARTS:
        if getattr(part, name) is not None:
            yield scope.fault(f"{path}.{name}", f"{name} is not served. Send text and pictures only.")
    if part.file_data and not part.file_data.file_uri:
        yield scope.fault(f"{path}.file_data.file_uri", "file_uri must not be empty.")
    for name, text in configuration.detail_faults(part.media_resolution):
        yield scope.fault(f"{path}.media_resolution.{name}", text)
    yield from _function_faults(part, role, path, scope)


def _function_faults(part: Part, role: Role, path: str, scope: Scope) -> Iterator[FieldViolation]:
    """The model calls, the user responds."""
    call, response = part.function_call, part.function_response
    if call and role is Role.USER:
        yield scope.fault(f"{path}.function_call", "belongs into a turn of the role model.")
    if call and not call.name:
        yield scope.fault(f"{path}.function_call.name", "Name cannot be empty.")
    if response and role is Role.MODEL:
        yield scope.fault(f"{path}.function_response", "belongs into a turn of the role user.")
    if response and not response.name:
        yield scope.fault(f"{path}.function_response.name", "Name cannot be empty.")
    for at, each in enumerate(response.parts or [] if response else []):
        if bool(each.inline_data) == bool(each.file_data and each.file_data.file_uri):
            text = "needs one of inline_data and file_data."
            yield scope.fault(f"{path}.function_response.parts[{at}]", text)


def _check_image_count(contents: list[Content], scope: Scope, limits: RequestLimits) -> None:
    """Counted before any picture is decoded."""
    parts = [part for each in contents for part in each.parts or []]
    count = sum(bool(part.inline_data or part.file_data) for part in parts)
    count += sum(len(part.function_response.parts or []) for part in parts if part.function_response)
    if count > limits.max_images:
        text = f"Please use fewer than {limits.max_images} images in your request to models/{limits.model}"
        raise InvalidRequest(text, where=scope.path("contents"))


def _turns(contents: list[Content], scope: Scope) -> tuple[Turn[ImageSource | FileReference], ...]:
    """The turns in their order, without those of a model that said nothing."""
    turns: list[Turn[ImageSource | FileReference]] = []
    for at, content in enumerate(contents):
        role = _role(content)
        parts = tuple(
            each
            for index, part in enumerate(content.parts or [])
            if not (role is Role.MODEL and (part.thought or _is_empty(part)))
            for each in _turn_parts(part, scope.path(f"contents[{at}].parts[{index}]"))
        )
        if parts:
            turns.append(Turn(role, parts))
    if not turns:
        refuse([scope.fault("contents", "contents is not specified")])
    return match_responses(tuple(turns))


def _turn_parts(part: Part, path: str) -> Iterator[TurnPart]:
    """The domain's part, or parts: the pictures of a function's response follow it."""
    resolution = configuration.detail(part.media_resolution)
    if part.function_call:
        call = part.function_call
        yield FunctionCall(call.name or "", as_json(call.args), call.id or "")
    elif part.function_response:
        given, where = part.function_response, f"{path}.function_response"
        yield FunctionResponse(given.name or "", as_json(given.response), given.id or "", where)
        for at, each in enumerate(given.parts or []):
            yield _picture(each, f"{where}.parts[{at}]", resolution)
    elif part.inline_data or part.file_data:
        yield _picture(part, path, resolution)
    else:
        yield part.text or ""


def _picture(
    part: Part | FunctionResponsePart, path: str, resolution: ImageDetail
) -> ImageSource | FileReference:
    if part.inline_data:
        where = f"{path}.inline_data"
        check_mime_type(part.inline_data.mime_type, where)
        return ImageSource(decode_base64(part.inline_data.data or "", f"{where}.data"), where, resolution)
    file = part.file_data or FileData()
    check_mime_type(file.mime_type, f"{path}.file_data")
    return FileReference(file.file_uri or "", f"{path}.file_data", resolution)


def _system(instruction: Content | None) -> str:
    """The system instruction's texts, one below the other."""
    parts = instruction.parts or [] if instruction else []
    return "\n".join(part.text for part in parts if part.text)
