"""Answers that are lists: things, tags, hashtags, and tags with a caption."""

from __future__ import annotations

import json
import re

from vidi.engines.lite.captions import Group, caption, grouped, in_words, surely, without_things
from vidi.engines.lite.evidence import Evidence
from vidi.engines.lite.intents import Intent
from vidi.engines.lite.language import SEVERAL, Language
from vidi.engines.lite.lookup import SHOWN, contradicted
from vidi.engines.lite.said import Said
from vidi.engines.lite.scenery import indoors, scene_of

TAG_LIKELY = 0.2
"""Probability from which the classifier's word is a tag."""

MOST_TAGS = 10


def things_listed(intent: Intent, evidence: Evidence) -> Said:
    """The things in a picture, or those of the kinds and the colour that are named."""
    language = intent.language
    labels = frozenset(label for mention in intent.mentions for label in mention.labels)
    things = [thing for thing in evidence.things(SHOWN) if not labels or thing.label in labels]
    if intent.colour and things:
        things = [thing for thing in things if thing.colour == intent.colour]
        if not things:
            colour = language.colour(intent.colour)
            return Said(language.sentence("none_coloured", colour=colour), brief=language.say("none"))
    if not things:
        return without_things(evidence, language)
    groups = [surely(group) for group in grouped(things)[: intent.manner.limit]]
    painted = bool(intent.colour) or language.matches(language.intents, "colour", intent.text) is not None
    names = tuple(_named(group, evidence, language, painted=painted) for group in groups)
    nouns = tuple(language.noun(group.label).one for group in groups)
    return Said(language.sentence("see", things=language.listed(names)), brief=", ".join(nouns), items=nouns)


def _named(group: Group, evidence: Evidence, language: Language, *, painted: bool) -> str:
    """A group in words; with its colour, where that is asked for and all of it shares one."""
    if painted and group.label != "person" and len(group.things) < SEVERAL:
        return language.counted(group.label, len(group.things), group.colour)
    return in_words(group, language, evidence)


def tags(intent: Intent, evidence: Evidence) -> Said:
    """Words for things, kind, place and side, the most telling first."""
    words = tag_words(evidence, intent.language)[: intent.manner.limit or MOST_TAGS]
    return Said(", ".join(words), brief=", ".join(words), items=tuple(words), known=bool(words))


def hashtags(intent: Intent, evidence: Evidence) -> Said:
    """The tags as hashtags."""
    words = tag_words(evidence, intent.language)[: intent.manner.limit or MOST_TAGS]
    marked = tuple("#" + re.sub(r"[^\w]", "", word.title() if " " in word else word) for word in words)
    return Said(" ".join(marked), brief=" ".join(marked), items=marked, known=bool(words))


def tag_words(evidence: Evidence, language: Language) -> tuple[str, ...]:
    """The tags of a picture, without repetition."""
    words = [language.noun(group.label).one for group in grouped(evidence.things(SHOWN))]
    words += [
        label
        for label, probability in evidence.labels[:2]
        if probability >= TAG_LIKELY and not contradicted(label, evidence)
    ]
    scene = scene_of(evidence)
    if scene:
        words.append(language.scenes[scene.id].one)
    inside = indoors(evidence)
    if inside is not None:
        words.append(language.say("indoors" if inside else "outdoors"))
    if words:
        words += [language.colour(name) for name in evidence.sight.palette[:2]]
    return tuple(dict.fromkeys(word.lower() for word in words))


def python_list(intent: Intent, evidence: Evidence) -> str:
    """Tags, and the caption where one is asked for too, as a list that Python and JSON both read."""
    words = list(tag_words(evidence, intent.language)[: intent.manner.limit or MOST_TAGS])
    if intent.language.matches(intent.language.intents, "caption", intent.text):
        words.append(caption(evidence, intent.language).text)
    return json.dumps(words, ensure_ascii=False)
