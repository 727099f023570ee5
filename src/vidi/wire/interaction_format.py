"""The form of an interaction's answer: `response_format` in each of the spellings that clients send."""

from __future__ import annotations

from vidi.domain.prompt import Output, TextFormat
from vidi.wire.interaction_schema import CreateInteraction
from vidi.wire.output_schema import compile_schema
from vidi.wire.schema import Struct
from vidi.wire.violations import FieldViolation, Scope, refuse

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
    refuse(_faults(form, scope))
    if form and form.get("type") != "text":
        return Output(TextFormat.JSON, compile_schema(form, "response_format", scope, closed=False))
    return _text(form, request.response_mime_type, scope)


def _faults(form: Struct, scope: Scope) -> list[FieldViolation]:
    kind = form.get("type")
    if isinstance(kind, str) and kind in _MEDIA:
        return [scope.fault("response_format.type", f"{kind} is not served, answers are text.")]
    unknown = sorted(set(form) - _NAMES) if kind == "text" else []
    return [scope.fault(f"response_format.{name[:40]}", "there is no such field.") for name in unknown[:5]]


def _text(form: Struct, beside: str | None, scope: Scope) -> Output:
    schema = form.get("schema")
    told = form.get("mime_type") or form.get("mimeType") or beside
    at = "response_mime_type" if told == beside else "response_format.mime_type"
    kind = next((each for each in _SERVED if each.value == told), None)
    if told is not None and kind is None:
        refuse([scope.fault(at, "allowed mimetypes are `text/plain` and `application/json`.")])
    if schema is None:
        return Output(kind or TextFormat.PLAIN)
    if kind is TextFormat.PLAIN:
        refuse([scope.fault("response_format.schema", "only allowed with the mimetype `application/json`.")])
    return Output(TextFormat.JSON, compile_schema(schema, "response_format.schema", scope, closed=False))
