"""The shape that a prompt describes in words, where JSON is wanted and no schema says how.

Read are an example (`{"caption": "...", "tags": ["..."]}`) and a list of names ("with keys caption, tags").
Of each name only what it is for is used (`fields.py`); an example's own values say nothing.
"""

from __future__ import annotations

import re

from vidi.domain.schema import Kind, Property, Schema
from vidi.engines.lite.fields import Meaning, meaning_of
from vidi.engines.lite.intents import LONGEST_READ, Tongues

MOST_NAMES = 20
"""A prompt that seems to name more members than this describes something else."""

_EXAMPLE = re.compile(r"\{[^{}]{0,2000}\}")
_QUOTED_KEY = re.compile(r"[\"'](\w{1,40})[\"']\s*:")
_NAMES = re.compile(
    r"\b(?:keys?|fields?|properties|attributes|anahtarlar\w*)\b\s*(?:named|called|are|of)?:?\s+([^.\n;{}]+)",
    re.IGNORECASE,
)
_NAME = re.compile(r"[\"'`]?([A-Za-z_]\w{0,39})[\"'`]?")
_JOINTS = re.compile(r",|\band\b|\bve\b|&")
_LISTED = re.compile(
    r"\[\s*\{|\b(?:array|list) of (?:json )?(?:objects|dictionaries|dicts|records)\b", re.IGNORECASE
)

_LISTS = frozenset({"things", "tags", "hashtags"})
_KINDS = {"count": Kind.INTEGER, "score": Kind.NUMBER, "index": Kind.INTEGER}
_TRUE_OR_FALSE = re.compile(r"^(is|are|has|have|contains?) ")


def shape_in(text: str, tongues: Tongues) -> Schema | None:
    """The shape that a text describes: an object, or a list of objects; None if it describes none."""
    text = text[:LONGEST_READ]
    names = _names_in(text)
    if not 0 < len(names) <= MOST_NAMES:
        return None
    members = tuple(Property(name, _shape_of(meaning_of(name, tongues)), required=True) for name in names)
    each = Schema(kinds=frozenset({Kind.OBJECT}), properties=members)
    if _LISTED.search(text):
        return Schema(kinds=frozenset({Kind.ARRAY}), items=each)
    return each


def _names_in(text: str) -> tuple[str, ...]:
    example = _EXAMPLE.search(text)
    if example:
        return tuple(dict.fromkeys(_QUOTED_KEY.findall(example[0])))
    told = _NAMES.search(text)
    if told is None:
        return ()
    names = [_NAME.fullmatch(part.strip(" :()")) for part in _JOINTS.split(told[1]) if part.strip()]
    return tuple(dict.fromkeys(name[1] for name in names if name))


def _shape_of(meaning: Meaning) -> Schema:
    """The likely shape of a member."""
    if meaning.role in {"indoors", "outdoors", "blurry"} or _TRUE_OR_FALSE.match(meaning.words):
        return Schema(kinds=frozenset({Kind.BOOLEAN, Kind.NULL}))
    plural = meaning.words.endswith("s") and meaning.role == "colour"
    things = meaning.role == "" and meaning.mention is not None and not meaning.mention.single
    if meaning.role in _LISTS or plural or things:
        text = Schema(kinds=frozenset({Kind.STRING}))
        return Schema(kinds=frozenset({Kind.ARRAY}), items=text)
    if meaning.role in {"box", "point"}:
        size = 4 if meaning.role == "box" else 2
        whole = Schema(kinds=frozenset({Kind.INTEGER}))
        return Schema(kinds=frozenset({Kind.ARRAY}), items=whole, min_items=size, max_items=size)
    return Schema(kinds=frozenset({_KINDS.get(meaning.role, Kind.STRING), Kind.NULL}))
