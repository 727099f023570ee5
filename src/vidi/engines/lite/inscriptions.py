"""What is written in a picture, and on what."""

from __future__ import annotations

from collections.abc import Sequence

from vidi.domain.geometry import Box
from vidi.engines.lite.captions import what_is_seen
from vidi.engines.lite.evidence import Evidence, TextLine, Thing
from vidi.engines.lite.intents import Intent
from vidi.engines.lite.language import Language
from vidi.engines.lite.lookup import any_of, meant, name_of
from vidi.engines.lite.places import shared
from vidi.engines.lite.reader import INSTALL
from vidi.engines.lite.said import Said

ON = 0.5
"""Part of a line that lies on a thing for it to be written there."""

SIGNS = frozenset({"street_sign", "stop sign", "book"})
"""What carries text: where it is not seen as a thing, the text that is read may be its."""

TOUCHED = 0.2
"""Part of a line that a change covers, or of a change that a line covers, for the line to have changed."""


def read(intent: Intent, evidence: Evidence) -> Said:
    """All text, or what is written on the things that are named if they are seen."""
    language = intent.language
    lines = evidence.text
    if lines is None:
        return _cannot(evidence, language)
    for mention in intent.mentions:
        found = meant(intent, mention, evidence) if mention.labels else ()
        there = tuple(line for line in lines if any(shared(line.box, each.box) >= ON for each in found))
        if there:
            return _said(there)
        if found:
            noun = language.noun(name_of(mention, found)).one
            elsewhere = [language.sentence("text_reads", text=_one_line(lines))] if lines else []
            text = " ".join([language.sentence("no_text_on", noun=noun), *elsewhere])
            return Said(text, brief=language.say("none"))
    if not lines:
        return Said(language.sentence("no_text"), brief=language.say("none"))
    absent = next((each for each in intent.mentions if each.labels and each.name not in SIGNS), None)
    if absent:
        missing = language.sentence("not_seen", things=any_of(absent, language))
        return Said(f"{missing} {language.sentence('text_reads', text=_one_line(lines))}", known=False)
    return _said(lines)


def wants_text(intent: Intent) -> bool:
    """Whether a request for boxes or for a list means lines of text rather than things."""
    language = intent.language
    if intent.aim not in {"detect", "point", "read"} or any(each.labels for each in intent.mentions):
        return False
    return language.matches(language.pronouns, "written", intent.text) is not None


def as_things(evidence: Evidence) -> tuple[Thing, ...]:
    """The lines of text as things that are called what they say, in reading order."""
    return tuple(Thing(line.text, line.score, line.box) for line in evidence.text or ())


def text_on(box: Box, evidence: Evidence) -> str:
    """What is written in a box, line by line; "" if nothing is, or nobody can read."""
    return "\n".join(line.text for line in evidence.text or () if shared(line.box, box) >= ON)


def rewritten(one: Evidence, before: Box, other: Evidence, after: Box) -> tuple[str, str]:
    """What the lines at a changed place said in the first picture and say in the other."""
    return _touched(one, before), _touched(other, after)


def _touched(evidence: Evidence, region: Box) -> str:
    lines = [
        line
        for line in evidence.text or ()
        if max(shared(line.box, region), shared(region, line.box)) >= TOUCHED
    ]
    return _one_line(lines)


def _cannot(evidence: Evidence, language: Language) -> Said:
    sentences = [language.sentence("cannot_read", install=INSTALL)]
    seen = what_is_seen(evidence, language)
    if seen:
        sentences.append(language.sentence("see", things=seen))
    return Said(" ".join(sentences), brief=language.say("unknown"), known=False)


def _said(lines: tuple[TextLine, ...]) -> Said:
    texts = tuple(line.text for line in lines)
    return Said("\n".join(texts), brief=" ".join(texts), items=texts)


def _one_line(lines: Sequence[TextLine]) -> str:
    return " / ".join(line.text for line in lines)
