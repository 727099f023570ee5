"""Judging single answers: is it right, is it "I can't tell", is it the JSON that was asked for."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

Accepted = bool | int | str
"""True or False: the answer to a yes/no question. A number: a count. Text: a regular expression."""

_CANT_TELL = re.compile(
    r"\bcan(?:no|')t (?:\w+ )?(?:tell|say|determine|answer|know|identify|judge)\b"
    r"|\b(?:un|not )able to\b|\b(?:do not|don't) know\b|\bnot sure\b|\bimpossible to (?:tell|say|know)\b"
    r"|\bno (?:lo |se |le )?(?:puedo|pued[eo]|sé|sabría)\b(?: (?:saber|decir|ver|distinguir))?"
    r"|\b(?:söyleye|anlaya|belirleye|bile)m(?:[ea]m|[iı]yorum)\b|\bbilmiyorum\b|\bemin değilim\b"
)
_YES = frozenset({"yes", "yeah", "yep", "evet", "var", "sí"})
_NO = frozenset({"no", "nope", "hayır", "yok"})
_ENGLISH = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen twenty"
)
_TURKISH = "sıfır _ iki üç dört beş altı yedi sekiz dokuz on"
_SPANISH = "cero _ dos tres cuatro cinco seis siete ocho nueve diez once doce"
_NUMBERS = {
    "en": {word: n for n, word in enumerate(_ENGLISH.split())} | {"couple": 2, "pair": 2, "dozen": 12},
    "tr": {word: n for n, word in enumerate(_TURKISH.split())},
    "es": {word: n for n, word in enumerate(_SPANISH.split())},
}
_NONE = frozenset({"no", "none", "n't", "not", "nobody", "hiç", "yok", "ningún", "ninguna"})
_ARTICLE = frozenset({"a", "an", "single", "bir", "un", "una"})


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an answer is worth. One that says it can't tell is never right."""

    right: bool
    cant_tell: bool


def judge(text: str, accept: Sequence[Accepted], reject: Sequence[str] = (), language: str = "en") -> Verdict:
    """Judge an answer to a question.

    Args:
        text: The answer.
        accept: What is right; any one suffices. True and False want "yes" and "no" as the first word, a
            number wants that count stated first in the answer, text is a regular expression to find in
            the answer, whatever the case.
        reject: Regular expressions that make the answer wrong, whatever else it says.
        language: "en", "tr" or "es": which number words are read and how letters are made small.
    """
    small = lowered(text, language)
    if says_cant_tell(small):
        return Verdict(right=False, cant_tell=True)
    right = any(_fits(small, one, language) for one in accept)
    rejected = any(re.search(pattern, small, re.IGNORECASE) for pattern in reject)
    return Verdict(right=right and not rejected, cant_tell=False)


def says_cant_tell(text: str) -> bool:
    """Whether an answer says, in English, Turkish or Spanish, that it does not know."""
    return _CANT_TELL.search(lowered(text, "en")) is not None


def lowered(text: str, language: str) -> str:
    """Lower case, by Turkish rules for Turkish (I is ı, İ is i), with plain apostrophes."""
    if language == "tr":
        text = text.replace("I", "ı")
    return text.replace("İ", "i").lower().replace("’", "'")


def count_in(text: str, language: str = "en") -> int | None:
    """The count that an answer states: its first numeral or number word.

    Without one, "no", "none", "not" make 0, and "a", "an", "single" make 1; else None.
    """
    tokens = re.findall(r"n't\b|\d+|[^\W\d_]+?(?=n't\b)|[^\W\d_]+", lowered(text, language))
    numbers = _NUMBERS[language]
    for token in tokens:
        if token.isdecimal() or token in numbers:
            return int(token) if token.isdecimal() else numbers[token]
    if _NONE & set(tokens):
        return 0
    return 1 if _ARTICLE & set(tokens) else None


def _fits(small: str, accepted: Accepted, language: str) -> bool:
    if isinstance(accepted, bool):
        first = re.search(r"\w+", small)
        return first is not None and first.group() in (_YES if accepted else _NO)
    if isinstance(accepted, int):
        return count_in(small, language) == accepted
    return re.search(accepted, small, re.IGNORECASE) is not None


class LabelledBox(BaseModel):
    """An element of a detection answer, as the guide's prompt asks for it.

    Attributes:
        box_2d: [ymin, xmin, ymax, xmax], integers 0..1000.
        label: What it is.
        score: How sure, if the model says so.
    """

    model_config = ConfigDict(strict=True, frozen=True)

    box_2d: tuple[int, int, int, int]
    label: str = Field(min_length=1)
    score: float | None = None

    def in_order(self) -> bool:
        """Whether the box lies in the picture and its edges are the right way round."""
        ymin, xmin, ymax, xmax = self.box_2d
        return 0 <= ymin <= ymax <= 1000 and 0 <= xmin <= xmax <= 1000


_BOXES = TypeAdapter(list[LabelledBox])


def read_boxes(text: str) -> tuple[LabelledBox, ...] | None:
    """A detection answer's boxes, or None if it is not the bare JSON array that was asked for.

    Strict: no Markdown fence, plain integers 0..1000, ymin <= ymax and xmin <= xmax, a label each.
    """
    try:
        boxes = _BOXES.validate_json(text)
    except ValidationError:
        return None
    return tuple(boxes) if all(box.in_order() for box in boxes) else None


def is_json(text: str) -> bool:
    """Whether a text is one JSON value by the standard (RFC 8259: no NaN, no fence, no comments)."""
    try:
        json.loads(text, parse_constant=_refuse)
    except ValueError:
        return False
    return True


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
