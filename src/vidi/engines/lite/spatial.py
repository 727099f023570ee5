"""Answers about where things in one picture are and what they do: told by how their boxes lie."""

from __future__ import annotations

from collections import Counter

from vidi.engines.lite import places
from vidi.engines.lite.captions import doing_in_words, grouped, in_words, place_in_words, relation_in
from vidi.engines.lite.evidence import Evidence
from vidi.engines.lite.intents import Intent
from vidi.engines.lite.language import Language
from vidi.engines.lite.lookup import SHOWN, THERE, cannot_tell, cell_in, find, lies_in, name_of, not_seen
from vidi.engines.lite.said import Said


def where(intent: Intent, evidence: Evidence) -> Said:
    """Where the thing named is, in the nine cells of the picture."""
    language = intent.language
    if not intent.mentions:
        return cannot_tell(evidence, language)
    mention = intent.mentions[0]
    found = find(mention, evidence, SHOWN) or find(mention, evidence, THERE)
    if not found:
        return not_seen(mention, evidence, language)
    noun = language.noun(name_of(mention, found))
    cells = Counter(place_in_words(thing, language) for thing in found)
    if len(found) == 1:
        place = place_in_words(found[0], language)
        return Said(language.sentence("where_is", noun=noun.one, place=place), brief=place)
    if len(found) > 4 and len(cells) > 3:
        place = cells.most_common(1)[0][0]
        return Said(language.sentence("where_many", nouns=noun.many, place=place), brief=place)
    spots = [_spot(place, number, language) for place, number in cells.most_common()]
    said = spots[0] if len(cells) > 1 else next(iter(cells))
    listed = language.listed(spots) if len(cells) > 1 else said
    return Said(language.sentence("where_are", nouns=noun.many, places=listed), brief=listed)


def near(intent: Intent, evidence: Evidence) -> Said:
    """What is on or beside the thing named."""
    language = intent.language
    anchors = find(intent.mentions[-1], evidence, SHOWN) if intent.mentions else ()
    if not anchors:
        return (
            not_seen(intent.mentions[-1], evidence, language)
            if intent.mentions
            else cannot_tell(evidence, language)
        )
    anchor = anchors[0]
    others = [thing for thing in evidence.things(SHOWN) if thing.label not in intent.mentions[-1].labels]
    close = [thing for thing in others if places.touching(thing.box, anchor.box)]
    if not close:
        return Said(language.sentence("near_none"), brief=language.say("none"), known=False)
    names = [in_words(group, language, evidence) for group in grouped(close)[:5]]
    listed = language.listed(names)
    return Said(language.sentence("near_things", things=listed), brief=listed, items=tuple(names))


def part(intent: Intent, evidence: Evidence) -> Said:
    """What lies in the part of the picture that is named."""
    language = intent.language
    cell = cell_in(intent.text, language)
    if not cell:
        return cannot_tell(evidence, language)
    there = [thing for thing in evidence.things(SHOWN) if lies_in(thing, cell)]
    place = language.cells[cell].at
    if not there:
        return Said(language.sentence("part_none", place=place), brief=language.say("none"), known=False)
    names = [in_words(group, language, evidence) for group in grouped(there)[:5]]
    listed = language.listed(names)
    return Said(
        language.sentence("part_things", place=place, things=listed), brief=listed, items=tuple(names)
    )


def activity(intent: Intent, evidence: Evidence) -> Said:
    """What the one named, or the leading one, does with another thing."""
    language = intent.language
    groups = grouped(evidence.things(THERE))
    if intent.mentions:
        labels = intent.mentions[0].labels
        whos = [group for group in groups if group.label in labels]
    else:
        whos = [group for group in groups if group.label in {"person"} | evidence.world.groups["animal"]]
    if not whos:
        return (
            not_seen(intent.mentions[0], evidence, language)
            if intent.mentions
            else cannot_tell(evidence, language)
        )
    who = whos[0]
    doing = relation_in((who, *(group for group in groups if group is not who)), evidence)
    plural = len(who.things) > 1
    subject = language.noun(who.label).many if plural else language.noun(who.label).one
    if doing and doing.who is who:
        done = doing_in_words(doing, language, evidence)
        phrase = "doing_many" if plural else "doing"
        return Said(
            language.sentence(phrase, subject=language.say("the", noun=subject), doing=done), brief=done
        )
    return cannot_tell(evidence, language)


def _spot(place: str, number: int, language: Language) -> str:
    if number == 1:
        return language.say("one_at", place=place)
    return language.say("n_at", number=language.number(number), place=place)
