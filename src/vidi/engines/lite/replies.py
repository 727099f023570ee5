"""From a prompt to the text of its answer, in stretches."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from vidi.domain.prompt import Picture, Prompt, Role, TextFormat
from vidi.domain.schema import Schema
from vidi.engines.blank import blank, refuse_huge
from vidi.engines.grammar import JsonValue
from vidi.engines.lite import boxes, listing
from vidi.engines.lite.answers import answer
from vidi.engines.lite.comparison import compare
from vidi.engines.lite.evidence import Evidence, Senses
from vidi.engines.lite.filler import fill
from vidi.engines.lite.intents import Intent, Tongues
from vidi.engines.lite.manner import dressed
from vidi.engines.lite.said import Said
from vidi.engines.lite.several import over_all
from vidi.engines.lite.shapes import shape_in

COMPARING = frozenset({"compare", "same"})


def reply(prompt: Prompt, senses: Senses, tongues: Tongues) -> Iterator[str]:
    """Answer a prompt, stretch by stretch; models run when a stretch needs them.

    Raises:
        Unfillable: The response schema cannot be filled.
    """
    intent = tongues.understand(prompt)
    evidences = [Evidence(picture, senses) for picture in _pictures(prompt, intent)]
    output = prompt.output
    if output.schema is not None:
        return _structured(output.schema, output.format, intent, evidences, tongues)
    if not evidences:
        text = intent.language.sentence("greeting" if intent.aim == "greeting" else "no_picture")
        return _words(_quoted(text) if output.format is TextFormat.JSON else text)
    if intent.aim in {"detect", "point"}:
        return _located(intent, evidences)
    if output.format is TextFormat.JSON or intent.manner.form == "json":
        shape = _described_shape(prompt, tongues)
        if shape is not None and intent.aim not in COMPARING:
            return _structured(shape, TextFormat.JSON, replace(intent, mentions=()), evidences, tongues)
        return _words(json.dumps(_as_json(intent, evidences), ensure_ascii=False))
    return _prose(intent, evidences)


def _described_shape(prompt: Prompt, tongues: Tongues) -> Schema | None:
    """The shape that the last turn, else the system instruction, describes in words."""
    last = prompt.turns[-1].parts if prompt.turns else ()
    asked = "\n".join(part for part in last if isinstance(part, str))
    return shape_in(asked, tongues) or shape_in(prompt.system, tongues)


def _pictures(prompt: Prompt, intent: Intent) -> list[Picture]:
    """The pictures a prompt is about: those of the latest turn that has any; to compare, all."""
    by_turn = [
        [part for part in turn.parts if isinstance(part, Picture)]
        for turn in prompt.turns
        if turn.role is Role.USER
    ]
    latest = next((pictures for pictures in reversed(by_turn) if pictures), [])
    if intent.aim in COMPARING and len(latest) < 2:
        return [picture for pictures in by_turn for picture in pictures]
    return latest


def _structured(
    schema: Schema, form: TextFormat, intent: Intent, evidences: Sequence[Evidence], tongues: Tongues
) -> Iterator[str]:
    refuse_huge(schema)
    value = fill(schema, intent, evidences, tongues) if evidences else blank(schema)
    if form is TextFormat.ENUM and isinstance(value, str):
        return iter((value,))
    return _words(json.dumps(value, ensure_ascii=False))


def _located(intent: Intent, evidences: Sequence[Evidence]) -> Iterator[str]:
    """Boxes or points of the first picture; of several, a list for each."""
    write = boxes.points if intent.aim == "point" else boxes.boxes
    lists = (write(boxes.wanted(intent, evidence), intent, evidence) for evidence in evidences)
    if len(evidences) == 1:
        yield from next(lists)
        return
    yield from boxes.array("".join(each) for each in lists)


def _prose(intent: Intent, evidences: Sequence[Evidence]) -> Iterator[str]:
    if intent.aim in COMPARING:
        said = compare(intent, evidences)
        yield from _words(dressed(said, intent.manner, intent.language))
        return
    together = over_all(intent, evidences)
    if together:
        yield from _words(dressed(together, intent.manner, intent.language))
        return
    for index, evidence in enumerate(evidences):
        text = _answer(intent, evidence)
        if len(evidences) > 1:
            text = intent.language.say("image_n", n=str(index + 1), answer=text)
            text = text if index == 0 else f"\n{text}"
        yield from _words(text)


def _answer(intent: Intent, evidence: Evidence) -> str:
    if intent.manner.form == "python_list":
        return listing.python_list(intent, evidence)
    return dressed(answer(intent, evidence), intent.manner, intent.language)


def _as_json(intent: Intent, evidences: Sequence[Evidence]) -> JsonValue:
    """An answer as JSON where no schema says how: a list for what is listed, else an object of one member."""
    if intent.aim in COMPARING:
        return {"answer": compare(intent, evidences).text}
    values = [_value(intent, evidence) for evidence in evidences]
    return values[0] if len(values) == 1 else values


def _value(intent: Intent, evidence: Evidence) -> JsonValue:
    said = answer(intent, evidence)
    if said.items and intent.aim in {"list", "list_first", "tags", "hashtags", "read"}:
        return list(said.items)
    if intent.aim in {"caption", "alt"}:
        return {"caption": said.text}
    if intent.aim == "describe":
        return {"description": said.text}
    if intent.aim == "count" and said.brief.isdecimal():
        return {"count": int(said.brief)}
    return {"answer": _plain(said, intent)}


def _plain(said: Said, intent: Intent) -> str:
    return dressed(said, intent.manner, intent.language)


def _quoted(text: str) -> str:
    return json.dumps({"answer": text}, ensure_ascii=False)


def _words(text: str) -> Iterator[str]:
    """A text in words, each with the blank after it."""
    return (match[0] for match in re.finditer(r"\s*\S+\s?|\s+", text))
