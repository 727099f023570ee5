"""Yes or no: whether things are there, so many, of a colour, at a place, together."""

from __future__ import annotations

from collections.abc import Sequence

from vidi.engines.lite import places
from vidi.engines.lite.captions import WORTH_TELLING, grouped, in_words, place_in_words, surely
from vidi.engines.lite.evidence import Evidence, Thing
from vidi.engines.lite.intents import Intent
from vidi.engines.lite.language import Language
from vidi.engines.lite.lookup import (
    KIND_THERE,
    SHOWN,
    THERE,
    cannot_tell,
    cell_in,
    find,
    kind_in,
    lies_in,
    meant,
    name_of,
    no_such,
)
from vidi.engines.lite.mentions import Mention
from vidi.engines.lite.questions import so_many
from vidi.engines.lite.said import Said


def exists(intent: Intent, evidence: Evidence) -> Said:
    """Whether what is named is there, and where it is said to be."""
    language = intent.language
    asked, anchors = asked_and_anchors(intent)
    if not asked:
        return cannot_tell(evidence, language)
    wanted = _number_wanted(intent)
    if wanted:
        return _whether_so_many(intent, evidence, *wanted)
    answers = [_whether(mention, evidence, language) for mention in asked]
    if len(asked) == 1 and answers[0].brief == language.say("yes"):
        return _with_the_rest(intent, asked[0], anchors, answers[0], evidence)
    every = all(answer.brief == language.say("yes") for answer in answers)
    unknown = any(not answer.known for answer in answers)
    brief = "unknown" if unknown else "yes" if every else "no"
    return Said(" ".join(answer.text for answer in answers), brief=language.say(brief), known=not unknown)


def state(intent: Intent, evidence: Evidence) -> Said:
    """Whether a thing has the colour or place named, or is with another; other states cannot be seen."""
    language = intent.language
    asked, _ = asked_and_anchors(intent)
    if not asked:
        return cannot_tell(evidence, language)
    found = meant(intent, asked[0], evidence) or find(asked[0], evidence, THERE)
    if not found:
        return _whether(asked[0], evidence, language)
    if _is_plain(intent):
        return exists(intent, evidence)
    noun = language.noun(name_of(asked[0], found)).one
    if intent.colour and not asked[0].colour:
        holds = any(thing.colour == intent.colour for thing in found)
        own = language.colour(intent.colour if holds else found[0].colour)
        return _verdict(holds, "colour", language, noun=noun, colour=own)
    cell = cell_in(intent.text, language)
    if cell:
        holds = any(lies_in(thing, cell) for thing in find(asked[0], evidence, SHOWN) or found)
        own = language.cells[cell].at if holds else place_in_words(found[0], language)
        return _verdict(holds, "where", language, noun=noun, place=own)
    others = intent.mentions[1:]
    if others and others[0].labels:
        return _has(found, others, evidence, language)
    return cannot_tell(evidence, language)


def asked_and_anchors(intent: Intent) -> tuple[tuple[Mention, ...], tuple[Mention, ...]]:
    """The things that a question asks after, and those that say where they should be."""
    asked = tuple(mention for mention in intent.mentions if not mention.anchor)[:4]
    if not asked:
        return intent.mentions[:4], ()
    return asked, tuple(mention for mention in intent.mentions if mention.anchor)


def near_anchor(things: Sequence[Thing], anchors: Sequence[Mention], evidence: Evidence) -> tuple[Thing, ...]:
    """Those of some things that touch what says where they should be; all where that is not seen."""
    for anchor in anchors:
        places_found = find(anchor, evidence, THERE)
        if places_found:
            return tuple(
                thing for thing in things if any(places.touching(thing.box, one.box) for one in places_found)
            )
    return tuple(things)


def _is_plain(intent: Intent) -> bool:
    """Whether it asks for no more than that a thing is there: "does a clock hang ...", "is this a dog"."""
    language = intent.language
    bare = language.matches(language.pronouns, "verbs", intent.text) is None and len(intent.mentions) == 1
    indefinite = language.matches(language.pronouns, "indefinite", intent.text) is not None
    return indefinite or (bare and language.matches(language.pronouns, "plain_is", intent.text) is not None)


def _with_the_rest(
    intent: Intent, asked: Mention, anchors: Sequence[Mention], there: Said, evidence: Evidence
) -> Said:
    """A yes, unless more is asked: that it is at another thing, or does something."""
    language = intent.language
    anchors = [each for each in anchors if each.labels]
    if anchors:
        return _has(find(asked, evidence, THERE), anchors, evidence, language)
    does = language.matches(language.pronouns, "verbs", intent.text[asked.start :]) is not None
    indefinite = language.matches(language.pronouns, "indefinite", intent.text) is not None
    if does and not (indefinite and asked.name != "person"):
        return cannot_tell(evidence, language)
    return there


def _has(found: Sequence[Thing], others: Sequence[Mention], evidence: Evidence, language: Language) -> Said:
    """Whether things have, wear, hold or touch others."""
    missing = next((each for each in others if each.labels and not find(each, evidence, THERE)), None)
    if missing:
        return no_such(missing, evidence, language)
    close = near_anchor(found, others, evidence)
    there = [thing for each in others for thing in find(each, evidence, THERE)[:1]]
    groups = grouped((*(close or found)[:1], *there))
    listed = language.listed([in_words(group, language, evidence) for group in groups])
    return _verdict(bool(close), "together", language, things=listed)


def _whether(mention: Mention, evidence: Evidence, language: Language) -> Said:
    found = find(mention, evidence, THERE)
    if found:
        return _there(mention, found, evidence, language)
    if not mention.colour and kind_in(mention, evidence) >= KIND_THERE:
        thing = language.one(language.noun(mention.name).one)
        return Said(language.sentence("may_see", things=thing), brief=language.say("yes"))
    return no_such(mention, evidence, language)


def _there(mention: Mention, found: Sequence[Thing], evidence: Evidence, language: Language) -> Said:
    sure = [thing for thing in found if thing.score >= WORTH_TELLING] or found[:1]
    groups = [surely(group) for group in grouped(sure)]
    listed = language.listed([in_words(group, language, evidence) for group in groups[:4]])
    plural = len(groups[0].things) > 1 and not listed.startswith(language.phrases["group_of_people"])
    text = language.sentence("yes_are" if plural else "yes_is", things=listed)
    if mention.narrow:
        text += " " + language.sentence("not_sure_narrow", word=language.one(mention.word))
    return Said(text, brief=language.say("yes"))


def _number_wanted(intent: Intent) -> tuple[str, int] | None:
    """The comparison in "more than three", as its word and number."""
    language = intent.language
    match = language.matches(language.pronouns, "compare_count", intent.text)
    number = language.number_of(match["n"]) if match else None
    return (match["word"], number) if match and number is not None else None


def _whether_so_many(intent: Intent, evidence: Evidence, word: str, number: int) -> Said:
    language = intent.language
    found = len(find(intent.mentions[0], evidence, SHOWN))
    holds = {
        "more_than": found > number,
        "less_than": found < number,
        "at_least": found >= number,
        "at_most": found <= number,
    }.get(next((name for name, words in language.comparisons.items() if word in words), ""), found == number)
    return _verdict(holds, "count", language, things=so_many(intent.mentions[0], found, language))


def _verdict(holds: bool, phrase: str, language: Language, **slots: str) -> Said:
    """Yes or no with what is so."""
    verdict = "yes" if holds else "no"
    return Said(language.sentence(f"{phrase}_{verdict}", **slots), brief=language.say(verdict))
