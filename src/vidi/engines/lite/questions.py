"""Answers about the things in one picture: how many, what colour, which stands out."""

from __future__ import annotations

from collections import Counter

from vidi.engines.lite.captions import grouped
from vidi.engines.lite.evidence import Evidence
from vidi.engines.lite.intents import Intent
from vidi.engines.lite.language import Language
from vidi.engines.lite.lookup import SHOWN, cannot_tell, find, meant, name_of, not_seen
from vidi.engines.lite.mentions import Mention
from vidi.engines.lite.places import touching
from vidi.engines.lite.said import Said

SURFACES = {"sky": (0.0, 0.3), "ground": (0.75, 1.0), "wall": (0.0, 0.7), "background": (0.0, 1.0)}
"""Where surfaces that the detector does not know lie as a rule: between two heights, 0..1 from the top."""

UNSURE_FROM = 5
"""Counts from here on are said with "about"."""


def count(intent: Intent, evidence: Evidence) -> Said:
    """How many of what is named there are; at the place named, if that is seen."""
    language = intent.language
    asked = [mention for mention in intent.mentions if not mention.anchor] or list(intent.mentions)
    anchors = [mention for mention in intent.mentions if mention not in asked]
    if not asked:
        return _count_all(evidence, language) if _asks_for_all(intent) else cannot_tell(evidence, language)
    answers = [_count_one(mention, anchors, evidence, language) for mention in asked[:4]]
    if len(answers) == 1:
        return answers[0] if anchors or asked[0].colour else _with_doubt(intent, asked[0], answers[0])
    return Said(
        " ".join(answer.text for answer in answers), brief=", ".join(answer.brief for answer in answers)
    )


def colour(intent: Intent, evidence: Evidence) -> Said:
    """What colour the thing named has; without a thing, the picture's main colours."""
    language = intent.language
    if not intent.mentions:
        return _of_a_surface(intent, evidence) or _main_colours(intent, evidence)
    mention = intent.mentions[0]
    found = meant(intent, mention, evidence)
    if not found:
        return not_seen(mention, evidence, language)
    colours = Counter(thing.colour for thing in found[:6] if thing.colour)
    if not colours:
        return cannot_tell(evidence, language)
    names = [language.colour(name) for name, _ in colours.most_common(3)]
    noun = language.noun(name_of(mention, found))
    phrase = "colour_is" if len(found) == 1 else "colour_are"
    said = language.listed(names)
    return Said(language.sentence(phrase, noun=noun.one, nouns=noun.many, colour=said), brief=said)


def extreme(intent: Intent, evidence: Evidence) -> Said:
    """The most prominent, largest or smallest thing."""
    language = intent.language
    things = evidence.things(SHOWN)
    if not things:
        return cannot_tell(evidence, language)
    phrase, thing = "main_is", things[0]
    if language.matches(language.pronouns, "largest", intent.text):
        phrase, thing = "largest_is", max(things, key=lambda each: each.share)
    if language.matches(language.pronouns, "smallest", intent.text):
        phrase, thing = "smallest_is", min(things, key=lambda each: each.share)
    noun = language.noun(thing.label).one
    return Said(language.sentence(phrase, thing=language.one(noun)), brief=noun)


def so_many(mention: Mention, number: int, language: Language) -> str:
    """A count in words, with "about" where it is rough."""
    if number == 0:
        noun = language.noun(mention.name)
        return f"{language.number(0)} {noun.many if language.plural_after_number else noun.one}"
    said = language.counted(mention.name, number, mention.colour)
    return language.say("about", number=said) if number >= UNSURE_FROM else said


def _count_one(mention: Mention, anchors: list[Mention], evidence: Evidence, language: Language) -> Said:
    if not mention.labels:
        return cannot_tell(evidence, language)
    found = find(mention, evidence, SHOWN)
    for anchor in anchors:
        at = find(anchor, evidence, SHOWN)
        if at:
            found = tuple(thing for thing in found if any(touching(thing.box, one.box) for one in at))
    if not found:
        noun = language.noun(mention.name)
        text = language.sentence("count_none", nouns=noun.many, noun=noun.one)
        return Said(text, brief="0")
    things = so_many(mention, len(found), language)
    phrase = "count_one" if len(found) == 1 else "count"
    return Said(language.sentence(phrase, things=things), brief=str(len(found)))


def _with_doubt(intent: Intent, asked: Mention, answer: Said) -> Said:
    """A count of all, said to be no more than that where only some are asked after: "who smile"."""
    language = intent.language
    rest = intent.text[asked.start :]
    if answer.brief in {"", "0"} or not language.matches(language.pronouns, "verbs", rest):
        return answer
    return Said(f"{answer.text} {language.sentence('cannot_which')}", brief=answer.brief)


def _count_all(evidence: Evidence, language: Language) -> Said:
    things = evidence.things(SHOWN)
    names = [language.counted(group.label, len(group.things)) for group in grouped(things)]
    if not names:
        return cannot_tell(evidence, language)
    text = language.sentence("see", things=language.listed(names))
    return Said(text, brief=str(len(things)), items=tuple(names))


def _asks_for_all(intent: Intent) -> bool:
    return intent.language.matches(intent.language.pronouns, "things", intent.text) is not None


def _of_a_surface(intent: Intent, evidence: Evidence) -> Said | None:
    """The colour of the sky, the walls or the ground: of what lies there besides things."""
    language = intent.language
    for name, rows in SURFACES.items():
        match = language.matches(language.surfaces, name, intent.text)
        said = language.colour(evidence.colour_around(rows, SHOWN)) if match else ""
        if match and said:
            return Said(language.sentence("surface_is", colour=said), brief=said)
    return None


def _main_colours(intent: Intent, evidence: Evidence) -> Said:
    """The picture's colours; where something unknown is asked after, said to be no more than that."""
    language = intent.language
    names = [language.colour(name) for name in evidence.sight.palette[:3]]
    if not names:
        return cannot_tell(evidence, language)
    listed = language.listed(names)
    phrase = "main_colours" if len(names) > 1 else "main_colour"
    text = language.sentence(phrase, colours=listed, colour=listed)
    if language.matches(language.pronouns, "whole", intent.text) or len(intent.text.split()) < 4:
        return Said(text, brief=listed, items=tuple(names))
    return Said(f"{language.sentence('cannot_colour')} {text}", brief=language.say("unknown"), known=False)
