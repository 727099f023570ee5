"""Answers about the things in one picture: how many, what colour, which stands out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from vidi.engines.lite.answers.captions import (
    grouped,
    in_words,
    place_in_words,
    surely,
)
from vidi.engines.lite.answers.resolve import (
    any_of,
    cannot_look,
    cannot_tell,
    cell_in,
    find,
    kind_in,
    lies_in,
    name_of,
    no_such,
    not_seen,
    resolve,
)
from vidi.engines.lite.evidence import Evidence, Thing
from vidi.engines.lite.language.intents import Entity, Intent
from vidi.engines.lite.language.language import Language
from vidi.engines.lite.language.style import AnswerText
from vidi.engines.lite.vision import colours
from vidi.engines.lite.world import touching

SURFACES = {"sky": (0.0, 0.3), "ground": (0.75, 1.0), "wall": (0.0, 0.7), "background": (0.0, 1.0)}
"""Where surfaces that the detector does not know lie as a rule: between two heights, 0..1 from the top."""

UNSURE_FROM = 5
"""Counts from here on are said with "about"."""


def count(intent: Intent, evidence: Evidence) -> AnswerText:
    """How many of what is named there are; at the place named, if that is seen."""
    language = intent.language
    asked = [entity for entity in intent.entities if not entity.anchor] or list(intent.entities)
    anchors = [entity for entity in intent.entities if entity not in asked]
    if not asked:
        return _count_all(evidence, language) if _asks_for_all(intent) else cannot_tell(evidence, language)
    # "Is a car there? Count the cars, 0 if there are no cars": one thing, named three times.
    asked = list({(entity.labels or entity.name, entity.colour): entity for entity in asked}.values())
    answers = [_count_one(entity, anchors, evidence, language) for entity in asked[:4]]
    if len(answers) == 1:
        strange = any(each.unknown for each in anchors)
        if not strange and (anchors or asked[0].colour):
            return answers[0]
        return _with_doubt(intent, asked[0], answers[0], strange=strange)
    return AnswerText(
        " ".join(answer.text for answer in answers), brief=", ".join(answer.brief for answer in answers)
    )


def colour(intent: Intent, evidence: Evidence) -> AnswerText:
    """What colour the thing named has; without a thing, the picture's main colours."""
    language = intent.language
    worn = of_clothes(intent, evidence)
    if worn:
        return worn
    if not intent.entities:
        return _of_a_surface(intent, evidence) or _main_colours(intent, evidence)
    entity = intent.entities[0]
    if entity.unknown:
        return _main_colours(intent, evidence, unknown=True)
    found = resolve(intent, entity, evidence)
    if not found:
        return not_seen(entity, evidence, language)
    colours = Counter(thing.colour for thing in found[:6] if thing.colour)
    if not colours:
        return cannot_tell(evidence, language)
    noun = language.noun(name_of(entity, found))
    word = noun.one if len(found) == 1 else noun.many
    names = [language.colour(name, word) for name, _ in colours.most_common(3)]
    phrase = "colour_is" if len(found) == 1 else "colour_are"
    listed = language.listed(names)
    return AnswerText(language.sentence(phrase, noun=noun.one, nouns=noun.many, colour=listed), brief=listed)


WORN = {"upper": colours.UPPER_BODY, "lower": colours.LOWER_BODY}
"""Which part of a person's box garments of a language's [garments] are in."""


def of_clothes(intent: Intent, evidence: Evidence, wearer: Thing | None = None) -> AnswerText | None:
    """The colour of a garment that is named, which no model sees: that of its part of a person.

    Args:
        intent: Its text names the garment; its entities do not count.
        evidence: What is known about the picture.
        wearer: Who wears it; None for the person that the text names, or else the first.
    """
    language = intent.language
    named = (rows for part, rows in WORN.items() if language.matches(language.garments, part, intent.text))
    rows = next(named, None)
    known = [each for each in intent.lexicon.entities(intent.text) if each.labels]
    # "The dog's jacket" is on no person.
    if rows is None or any("person" not in each.labels for each in known):
        return None
    named_wearer = next(iter(known), None) or Entity("person", "person", frozenset({"person"}), single=True)
    found = (wearer,) if wearer and wearer.label == "person" else resolve(intent, named_wearer, evidence)
    if not found:
        return not_seen(named_wearer, evidence, language)
    told = Counter(evidence.colour_worn(person, rows) for person in found[:6])
    name = language.colour(told.most_common(1)[0][0])
    return AnswerText(language.sentence("worn_is", colour=name), brief=name)


def extreme(intent: Intent, evidence: Evidence) -> AnswerText:
    """The most prominent, largest or smallest thing."""
    language = intent.language
    things = evidence.things()
    if not things:
        return cannot_tell(evidence, language)
    phrase, thing = "main_is", things[0]
    if language.matches(language.pronouns, "largest", intent.text):
        phrase, thing = "largest_is", max(things, key=lambda each: each.share)
    if language.matches(language.pronouns, "smallest", intent.text):
        phrase, thing = "smallest_is", min(things, key=lambda each: each.share)
    noun = language.noun(thing.label).one
    return AnswerText(language.sentence(phrase, thing=language.one(noun)), brief=noun)


def so_many(entity: Entity, number: int, language: Language) -> str:
    """A count in words, with "about" where it is rough."""
    if number == 0:
        noun = language.noun(entity.name)
        return f"{language.number(0)} {noun.many if language.plural_after_number else noun.one}"
    if number == 1 and not entity.colour:
        return language.say("exactly_one", noun=language.noun(entity.name).one)
    words = language.counted(entity.name, number, entity.colour)
    return language.say("about", number=words) if number >= UNSURE_FROM else words


def _count_one(entity: Entity, anchors: list[Entity], evidence: Evidence, language: Language) -> AnswerText:
    found = find(entity, evidence, evidence.least.numbered)
    if not found and entity.overlooked:
        return cannot_look([entity], (), evidence, language)
    for anchor in anchors:
        at = find(anchor, evidence, evidence.least.numbered)
        if at:
            found = tuple(thing for thing in found if any(touching(thing.box, one.box) for one in at))
    if not found:
        noun = language.noun(entity.name)
        text = language.sentence("count_none", nouns=noun.many, noun=noun.one)
        return AnswerText(text, brief="0")
    things = so_many(entity, len(found), language)
    phrase = "count_one" if len(found) == 1 else "count"
    return AnswerText(language.sentence(phrase, things=things), brief=str(len(found)))


def _with_doubt(intent: Intent, asked: Entity, answer: AnswerText, *, strange: bool) -> AnswerText:
    """A count of all, said to be no more than that where only some are asked after: "who smile"."""
    language = intent.language
    rest = intent.text[asked.start :]
    verbs = language.matches(language.pronouns, "verbs", rest) is not None
    if answer.brief in {"", "0"} or not (strange or verbs):
        return answer
    return AnswerText(f"{answer.text} {language.sentence('cannot_which')}", brief=answer.brief)


def _count_all(evidence: Evidence, language: Language) -> AnswerText:
    things = evidence.things()
    names = [language.counted(group.label, len(group.things)) for group in grouped(things)]
    if not names:
        return cannot_tell(evidence, language)
    text = language.sentence("see", things=language.listed(names))
    return AnswerText(text, brief=str(len(things)), items=tuple(names))


def _asks_for_all(intent: Intent) -> bool:
    return intent.language.matches(intent.language.pronouns, "things", intent.text) is not None


def _of_a_surface(intent: Intent, evidence: Evidence) -> AnswerText | None:
    """The colour of the sky, the walls or the ground: of what lies there besides things."""
    language = intent.language
    for name, rows in SURFACES.items():
        match = language.matches(language.surfaces, name, intent.text)
        word = language.colour(evidence.colour_around(rows, evidence.least.shown)) if match else ""
        if match and word:
            return AnswerText(language.sentence("surface_is", colour=word), brief=word)
    return None


def _main_colours(intent: Intent, evidence: Evidence, *, unknown: bool = False) -> AnswerText:
    """The picture's colours; where something unknown is asked after, said to be no more than that."""
    language = intent.language
    names = [language.colour(name) for name in evidence.detections.palette[:3]]
    if not names:
        return cannot_tell(evidence, language)
    listed = language.listed(names)
    phrase = "main_colours" if len(names) > 1 else "main_colour"
    text = language.sentence(phrase, colours=listed, colour=listed)
    whole = language.matches(language.pronouns, "whole", intent.text) is not None
    if not unknown and (whole or len(intent.text.split()) < 4):
        return AnswerText(text, brief=listed, items=tuple(names))
    return AnswerText(
        f"{language.sentence('cannot_colour')} {text}", brief=language.say("unknown"), known=False
    )


def exists(intent: Intent, evidence: Evidence) -> AnswerText:
    """Whether what is named is there, and where it is said to be."""
    language = intent.language
    asked, anchors = asked_and_anchors(intent)
    if not asked:
        return cannot_tell(evidence, language)
    wanted = _number_wanted(intent)
    if wanted:
        return _yes_no_count(intent, evidence, *wanted)
    # "Is there a dog or is there no dog?": one thing, named twice.
    asked = tuple({(each.labels or each.name, each.colour): each for each in asked}.values())
    answers = [_yes_no(entity, evidence, language) for entity in asked]
    unknown = [each for each in (*asked, *anchors) if each.unknown]
    denied = any(answer.brief == language.say("no") for answer in answers)
    either = len(asked) > 1 and language.matches(language.pronouns, "either", intent.text) is not None
    if either and any(answer.brief == language.say("yes") for answer in answers):
        pairs = [pair for pair in zip(asked, answers, strict=True) if pair[1].brief == language.say("yes")]
        asked, answers = tuple(entity for entity, _ in pairs), [answer for _, answer in pairs]
        unknown, denied = [each for each in anchors if each.unknown], False
    if unknown and (either or not denied):
        there = [thing for each in asked for thing in find(each, evidence, evidence.least.there)]
        return cannot_look(unknown, there, evidence, language)
    if len(asked) == 1 and answers[0].brief == language.say("yes"):
        return _with_the_rest(intent, asked[0], anchors, answers[0], evidence)
    every = all(answer.brief == language.say("yes") for answer in answers)
    unsure = any(not answer.known for answer in answers) and not denied
    brief = "unknown" if unsure else "yes" if every else "no"
    told = [answer.text for answer in answers if not denied or answer.brief == language.say("no")]
    return AnswerText(" ".join(told), brief=language.say(brief), known=not unsure)


def state(intent: Intent, evidence: Evidence) -> AnswerText:
    """Whether a thing has the colour or place named, or is with another; other states cannot be seen."""
    language = intent.language
    asked, _ = asked_and_anchors(intent)
    if not asked:
        return cannot_tell(evidence, language)
    every = language.matches(language.pronouns, "every", intent.text) is not None
    found = (find(asked[0], evidence) if every else ()) or resolve(intent, asked[0], evidence)
    if not found:
        return _yes_no(asked[0], evidence, language)
    if _is_plain(intent):
        return exists(intent, evidence)
    noun = language.noun(name_of(asked[0], found)).one
    if intent.colour and not asked[0].colour:
        fitting = [thing.colour == intent.colour for thing in found]
        holds = all(fitting) if every else any(fitting)
        own = intent.colour if holds else next(each.colour for each in found if each.colour != intent.colour)
        return _verdict(holds, "colour", language, noun=noun, colour=language.colour(own, noun))
    cell = cell_in(intent.text, language)
    if cell:
        holds = any(lies_in(thing, cell) for thing in find(asked[0], evidence) or found)
        own = language.cells[cell].at if holds else place_in_words(found[0], language)
        return _verdict(holds, "where", language, noun=noun, place=own)
    others = intent.entities[1:]
    if any(each.unknown for each in others):
        return cannot_look([each for each in others if each.unknown], found, evidence, language)
    if others and others[0].labels:
        return _has(intent, found, others, evidence)
    return cannot_tell(evidence, language)


def asked_and_anchors(intent: Intent) -> tuple[tuple[Entity, ...], tuple[Entity, ...]]:
    """The things that a question asks after, and those that say where they should be."""
    asked = tuple(entity for entity in intent.entities if not entity.anchor)[:4]
    if not asked:
        return intent.entities[:4], ()
    return asked, tuple(entity for entity in intent.entities if entity.anchor)


def near_anchor(things: Sequence[Thing], anchors: Sequence[Entity], evidence: Evidence) -> tuple[Thing, ...]:
    """Those of some things that touch what says where they should be; all where that is not seen."""
    for anchor in anchors:
        places_found = find(anchor, evidence, evidence.least.there)
        if places_found:
            return tuple(
                thing for thing in things if any(touching(thing.box, one.box) for one in places_found)
            )
    return tuple(things)


def _is_plain(intent: Intent) -> bool:
    """Whether it asks for no more than that a thing is there: "does a clock hang ...", "is this a dog"."""
    language = intent.language
    bare = language.matches(language.pronouns, "verbs", intent.text) is None and len(intent.entities) == 1
    indefinite = language.matches(language.pronouns, "indefinite", intent.text) is not None
    return indefinite or (bare and language.matches(language.pronouns, "plain_is", intent.text) is not None)


def _with_the_rest(
    intent: Intent, asked: Entity, anchors: Sequence[Entity], there: AnswerText, evidence: Evidence
) -> AnswerText:
    """A yes, unless more is asked: that it is at another thing, or does something."""
    language = intent.language
    anchors = [each for each in anchors if each.labels]
    if anchors:
        return _has(intent, find(asked, evidence, evidence.least.there), anchors, evidence)
    does = language.matches(language.pronouns, "verbs", intent.text[asked.start :]) is not None
    indefinite = language.matches(language.pronouns, "indefinite", intent.text) is not None
    if does and not (indefinite and asked.name != "person"):
        return cannot_tell(evidence, language)
    return there


def _has(intent: Intent, found: Sequence[Thing], others: Sequence[Entity], evidence: Evidence) -> AnswerText:
    """Whether things have, wear, hold or touch others; what boxes do not show is said to be unknown."""
    language = intent.language
    missing = next(
        (each for each in others if each.labels and not find(each, evidence, evidence.least.there)), None
    )
    if missing:
        seen = in_words(surely(grouped(found)[0], evidence), language, evidence)
        text = language.sentence("cannot_all", seen=seen, missing=any_of(missing, language))
        return AnswerText(text, brief=language.say("unknown"), known=False)
    close = near_anchor(found, others, evidence)
    there = [thing for each in others for thing in find(each, evidence, evidence.least.there)[:1]]
    groups = grouped((*(close or found)[:1], *there))
    listed = language.listed([in_words(group, language, evidence) for group in groups])
    depth = language.matches(language.pronouns, "depth", intent.text)
    if close and depth:
        text = language.sentence("near_only", side=depth[0], things=listed)
        return AnswerText(text, brief=language.say("unknown"), known=False)
    every = language.matches(language.pronouns, "every", intent.text) is not None
    if every and 0 < len(close) < len(found):
        text = language.sentence("cannot_every", things=listed)
        return AnswerText(text, brief=language.say("unknown"), known=False)
    return _verdict(bool(close), "together", language, things=listed)


def _yes_no(entity: Entity, evidence: Evidence, language: Language) -> AnswerText:
    found = find(entity, evidence, evidence.least.there)
    kind = kind_in(entity, evidence)
    narrower = entity.name in entity.kinds and entity.name not in entity.labels
    if found and narrower and kind < evidence.least.kind_there:
        return cannot_look([entity], found, evidence, language)
    if found:
        return _there(entity, found, evidence, language)
    if not entity.colour and kind >= evidence.least.kind_there:
        thing = language.one(language.noun(entity.name).one)
        return AnswerText(language.sentence("may_see", things=thing), brief=language.say("yes"))
    hint = next(iter(find(entity, evidence, evidence.least.hinted)), None)
    if hint:
        thing = language.one(language.noun(hint.label).one)
        return AnswerText(language.sentence("no_hint", thing=thing), brief=language.say("no"))
    return no_such(entity, evidence, language)


def _there(entity: Entity, found: Sequence[Thing], evidence: Evidence, language: Language) -> AnswerText:
    sure = [thing for thing in found if thing.score >= evidence.least.others] or found[:1]
    groups = [surely(group, evidence) for group in grouped(sure)]
    listed = language.listed([in_words(group, language, evidence) for group in groups[:4]])
    plural = len(groups[0].things) > 1 and not listed.startswith(language.phrases["group_of_people"])
    text = language.sentence("yes_are" if plural else "yes_is", things=listed)
    if entity.narrow:
        text += " " + language.sentence("not_sure_narrow", word=language.one(entity.word))
    return AnswerText(text, brief=language.say("yes"))


def _number_wanted(intent: Intent) -> tuple[str, int] | None:
    """The comparison in "more than three", as its word and number."""
    language = intent.language
    match = language.matches(language.pronouns, "compare_count", intent.text)
    number = language.number_of(match["n"]) if match else None
    return (match["word"], number) if match and number is not None else None


def _yes_no_count(intent: Intent, evidence: Evidence, word: str, number: int) -> AnswerText:
    language = intent.language
    found = len(find(intent.entities[0], evidence))
    holds = {
        "more_than": found > number,
        "less_than": found < number,
        "at_least": found >= number,
        "at_most": found <= number,
    }.get(next((name for name, words in language.comparisons.items() if word in words), ""), found == number)
    return _verdict(holds, "count", language, things=so_many(intent.entities[0], found, language))


def _verdict(holds: bool, phrase: str, language: Language, **slots: str) -> AnswerText:
    verdict = "yes" if holds else "no"
    return AnswerText(language.sentence(f"{phrase}_{verdict}", **slots), brief=language.say(verdict))
