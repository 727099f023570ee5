"""From an intent and a picture to an answer in words: one function for each aim."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from vidi.engines.lite import captions, inscriptions, judgements, listing, questions, spatial, whether
from vidi.engines.lite.evidence import Evidence
from vidi.engines.lite.intents import Intent
from vidi.engines.lite.lookup import cannot_tell
from vidi.engines.lite.said import Said

Answerer = Callable[[Intent, Evidence], Said]


def answer(intent: Intent, evidence: Evidence) -> Said:
    """Answer one question about one picture; what no rule knows is said to be unknown."""
    return ANSWERERS.get(intent.aim, _unknown)(intent, evidence)


def _caption(intent: Intent, evidence: Evidence) -> Said:
    sentences = intent.manner.sentences or 1
    if (intent.manner.long or sentences > 1) and not intent.manner.short:
        return captions.describe(evidence, intent.language)
    return captions.caption(evidence, intent.language)


def _describe(intent: Intent, evidence: Evidence) -> Said:
    if intent.manner.short or intent.manner.sentences == 1:
        return captions.caption(evidence, intent.language)
    return captions.describe(evidence, intent.language)


def _creative(intent: Intent, evidence: Evidence) -> Said:
    first = intent.language.sentence("cannot_creative")
    return Said(f"{first} {captions.describe(evidence, intent.language).text}", known=False)


def _state(intent: Intent, evidence: Evidence) -> Said:
    if spatial.names_sport(intent):
        return spatial.sport(intent, evidence)
    place = judgements.scene_in(intent.text, intent.language)
    if place and not intent.mentions:
        return judgements.scene(replace(intent, thing=intent.text), evidence)
    return whether.state(intent, evidence)


def _unknown(intent: Intent, evidence: Evidence) -> Said:
    return cannot_tell(evidence, intent.language)


ANSWERERS: Mapping[str, Answerer] = {
    "caption": _caption,
    "alt": _caption,
    "describe": _describe,
    "greeting": _caption,
    "creative": _creative,
    "read": inscriptions.read,
    "list": listing.things_listed,
    "list_first": listing.things_listed,
    "who": spatial.who,
    "tags": listing.tags,
    "hashtags": listing.hashtags,
    "count": questions.count,
    "exists": whether.exists,
    "colour": questions.colour,
    "extreme": questions.extreme,
    "where": spatial.where,
    "where_first": spatial.where,
    "near": spatial.near,
    "where_part": spatial.part,
    "activity": spatial.activity,
    "scene": judgements.scene,
    "side": judgements.side,
    "kind": judgements.kind,
    "state": _state,
    "size": judgements.size,
    "choose": judgements.choose,
}
"""Which function answers which aim; the others are not about one picture, or cannot be answered."""
