"""Answers about where things in one picture are and what they do: told by how their boxes lie."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from vidi.domain.geometry import GRID, Box
from vidi.engines.lite.answers.captions import (
    Group,
    doing_in_words,
    grouped,
    in_words,
    place_in_words,
    relation_in,
    scene_of,
    spots,
    surely,
)
from vidi.engines.lite.answers.kinds import plain
from vidi.engines.lite.answers.resolve import (
    cannot_tell,
    cell_in,
    find,
    lies_in,
    name_of,
    not_seen,
    resolve,
)
from vidi.engines.lite.evidence import Evidence, Thing
from vidi.engines.lite.language.intents import Entity, Intent
from vidi.engines.lite.language.language import Language, folded
from vidi.engines.lite.language.style import AnswerText
from vidi.engines.lite.world import Action, lying_on, resting_on, touching

ONLY = {
    "holding": frozenset({Action.HOLDING}),
    "eating": frozenset({Action.EATING, Action.HOLDING}),
    "wearing": frozenset({Action.WEARING}),
    "riding": frozenset({Action.RIDING, Action.RIDING_WAVE, Action.SKIING, Action.SNOWBOARDING}),
    "sitting": frozenset({Action.SITTING_ON, Action.ON, Action.AT, Action.RIDING}),
}
"""What a question with a verb wants: the actions that answer it."""


def where(intent: Intent, evidence: Evidence) -> AnswerText:
    """Where the thing named is, in the nine cells of the picture."""
    language = intent.language
    if not intent.entities:
        return cannot_tell(evidence, language)
    entity = intent.entities[0]
    found = resolve(intent, entity, evidence, ranked=False)
    if not found:
        return not_seen(entity, evidence, language)
    noun = language.noun(name_of(entity, found))
    cells = Counter(place_in_words(thing, language) for thing in found)
    if len(found) == 1:
        place = place_in_words(found[0], language)
        support = _support_of(found[0], evidence)
        if support:
            name = language.say("the", noun=language.noun(support.label).one)
            place = language.say("upon", what=name, place=place)
        return AnswerText(language.sentence("where_is", noun=noun.one, place=place), brief=place)
    if len(found) > 4 and len(cells) > 3:
        place = cells.most_common(1)[0][0]
        return AnswerText(language.sentence("where_many", nouns=noun.many, place=place), brief=place)
    if len(cells) == 1:
        place = next(iter(cells))
        return AnswerText(language.sentence("where_are", nouns=noun.many, places=place), brief=place)
    listed = spots(found, language)
    return AnswerText(language.sentence("where_are", nouns=noun.many, places=listed), brief=listed)


def names_sides(intent: Intent) -> bool:
    """Whether a question gives several places to choose among: "on the left or on the right"."""
    language = intent.language
    named = {
        cell for cell, place in language.cells.items() for word in place.words if f" {word}" in intent.text
    }
    return len(named) > 1 and language.matches(language.pronouns, "either", intent.text) is not None


HEAVY = ("vehicle", "furniture", "appliance")
"""Hypernyms of what stands on the ground."""


def _support_of(thing: Thing, evidence: Evidence) -> Thing | None:
    """What a thing stands or lies on, if that is seen: the smallest that could be.

    What is heavy stands on the ground, and what lies behind it only looks as if it carried it.
    """
    if any(thing.label in evidence.world.groups[name] for name in HEAVY):
        return None
    carriers = [
        each
        for each in evidence.things()
        if each.label in evidence.world.carriers
        and each.label != thing.label
        and _carried(thing.box, each.box)
    ]
    return min(carriers, key=lambda each: each.share, default=None)


def near(intent: Intent, evidence: Evidence) -> AnswerText:
    """What is on or beside the thing named."""
    language = intent.language
    if not intent.entities:
        return cannot_tell(evidence, language)
    entity = intent.entities[-1]
    anchors = resolve(intent, entity, evidence)
    if not anchors:
        return not_seen(entity, evidence, language)
    others = [thing for thing in evidence.things() if thing.label not in entity.labels]
    upon = language.matches(language.pronouns, "upon", intent.text)
    within = language.matches(language.pronouns, "within", intent.text)
    holds = lying_on if within else _carried if upon else touching
    guests = _guests(anchors, evidence, upon=upon is not None)
    close = [thing for thing in others if thing.label not in guests and holds(thing.box, anchors[0].box)]
    if not close:
        return AnswerText(language.sentence("near_none"), brief=language.say("none"), known=False)
    names = [in_words(surely(group, evidence), language, evidence) for group in grouped(close)[:5]]
    listed = language.listed(names)
    depth = language.matches(language.pronouns, "depth", intent.text)
    if depth:
        text = language.sentence("near_only", side=depth[0], things=listed)
        return AnswerText(text, brief=language.say("unknown"), known=False, items=tuple(names))
    return AnswerText(language.sentence("near_things", things=listed), brief=listed, items=tuple(names))


def relations(evidence: Evidence, language: Language) -> Iterator[tuple[Thing, str, Thing]]:
    """The pairs of things that have to do with each other: who, doing what, with what."""
    groups = grouped(evidence.things(evidence.least.there))
    for who in groups:
        doing = relation_in((who,), groups, evidence)
        if doing:
            words = language.relations[doing.rule.says].format(what="").strip()
            yield doing.who.things[0], words, doing.what.things[0]


def around(entity: Entity, evidence: Evidence, *, upon: bool) -> tuple[Thing, ...]:
    """The things on, or at, what a text names; none where that is not seen."""
    holds = _carried if upon else touching
    anchors = find(entity, evidence, evidence.least.there)
    other = entity.labels | _guests(anchors, evidence, upon=upon)
    others = (thing for thing in evidence.things() if thing.label not in other)
    return tuple(thing for thing in others if any(holds(thing.box, one.box) for one in anchors[:1]))


def _guests(anchors: Sequence[Thing], evidence: Evidence, *, upon: bool) -> frozenset[str]:
    """What is around a table, and not on it."""
    at_table = upon and bool(anchors) and anchors[0].label == "dining table"
    return evidence.world.groups["furniture"] | {"person"} if at_table else frozenset()


def _carried(one: Box, other: Box) -> bool:
    return lying_on(one, other) or resting_on(one, other)


def who(intent: Intent, evidence: Evidence) -> AnswerText:
    """Which people there are; not who they are."""
    language = intent.language
    people = [thing for thing in evidence.things() if thing.label == "person"]
    if not people:
        things = language.say("any", nouns=language.noun("person").many, noun=language.noun("person").one)
        return AnswerText(language.sentence("not_seen", things=things), brief=language.say("none"))
    seen = in_words(surely(grouped(people)[0], evidence), language, evidence)
    return AnswerText(language.sentence("who_seen", things=seen), brief=language.say("unknown"), known=False)


def part(intent: Intent, evidence: Evidence) -> AnswerText:
    """What lies in the part of the picture that is named."""
    language = intent.language
    cell = cell_in(intent.text, language)
    if not cell:
        return cannot_tell(evidence, language)
    there = [thing for thing in evidence.things() if lies_in(thing, cell)]
    place = language.cells[cell].at
    if not there:
        return AnswerText(
            language.sentence("part_none", place=place), brief=language.say("none"), known=False
        )
    names = [in_words(group, language, evidence) for group in grouped(there)[:5]]
    listed = language.listed(names)
    text = language.sentence("part_things", place=place, things=listed)
    return AnswerText(text, brief=listed, items=tuple(names))


def activity(intent: Intent, evidence: Evidence) -> AnswerText:
    """What the one named, or the leading one, does with another thing."""
    language = intent.language
    if language.matches(language.pronouns, "sport", intent.text):
        return sport(intent, evidence)
    only = next((ONLY[verb] for verb in ONLY if language.matches(language.pronouns, verb, intent.text)), None)
    groups = grouped(evidence.things(evidence.least.touched))
    whos = _whos(intent, groups, evidence)
    if not whos:
        entity = intent.entities[0] if intent.entities else None
        return not_seen(entity, evidence, language) if entity else cannot_tell(evidence, language)
    who = whos[0]
    doing = relation_in((who,), groups, evidence, only=only)
    if doing is None and only is ONLY["wearing"] and who.label == "person" and who.things[0].colour:
        noun, colour = language.noun(who.label).one, language.colour(who.things[0].colour)
        return AnswerText(language.sentence("wears_colour", noun=noun, colour=colour), brief=colour)
    if doing is None:
        return _posture(who, evidence, language, only) or _beside(who, groups, evidence, language)
    doubtful = not only and max(thing.score for thing in doing.what.things) < evidence.least.shown
    return _done(doing.who, doing_in_words(doing, language), language, doubtful=doubtful)


def _done(who: Group, done: str, language: Language, *, doubtful: bool = False) -> AnswerText:
    """That some do something, or may do it, said in words."""
    plural = len(who.things) > 1
    subject = language.noun(who.label).many if plural else language.noun(who.label).one
    phrase = "doing_maybe" if doubtful else "doing_many" if plural else "doing"
    return AnswerText(
        language.sentence(phrase, subject=language.say("the", noun=subject), doing=done), brief=done
    )


def _whos(intent: Intent, groups: Sequence[Group], evidence: Evidence) -> list[Group]:
    """The groups that a question about doing is about: "she" of "what is she doing on the bench?"."""
    subject = next((each for each in intent.entities if each.word in intent.thing), None)
    if subject is None and (intent.thing or not intent.entities):
        alive = {"person"} | evidence.world.groups["animal"]
        return [group for group in groups if group.label in alive]
    return list(grouped(resolve(intent, subject or intent.entities[0], evidence)))


UPRIGHT = 2.0
"""Height of a person's box over its width from which the person is on their feet."""

FEET = 970
"""Lower edge of a box under which it is not cut off by the picture's."""


def _posture(
    who: Group, evidence: Evidence, language: Language, only: frozenset[Action] | None
) -> AnswerText | None:
    """How someone keeps, where nothing is seen that they do something with; None if that can't be told."""
    box = who.things[0].box
    tall = box.ymax - box.ymin >= UPRIGHT * (box.xmax - box.xmin)
    scene = scene_of(evidence)
    if only:
        return None
    if who.label == "person" and tall and box.ymax < FEET:
        done = language.say("upright")
    elif who.label in evidence.world.grazers and scene and scene.id == "field":
        done = language.say("grazing")
    else:
        return None
    return _done(who, done, language)


def names_sport(intent: Intent) -> str:
    """The sport that a question names, if it names one and not only its gear."""
    for word, name in intent.language.sport_words.items():
        gear = any(word in folded(entity.word) for entity in intent.entities if entity.labels)
        if not gear and re.search(rf"\b{re.escape(word)}", intent.text):
            return name
    return ""


def sport(intent: Intent, evidence: Evidence) -> AnswerText:
    """Which sport the place or the gear tells, or whether it is the one named."""
    language = intent.language
    scene = scene_of(evidence)
    told = [scene.id] if scene else []
    told += [thing.label for thing in evidence.things()]
    seen = next((language.sports[name] for name in told if name in language.sports), "")
    if not seen:
        return cannot_tell(evidence, language)
    named = names_sport(intent)
    if not named:
        return AnswerText(language.sentence("sport_is", sport=seen), brief=seen)
    verdict = "yes" if named == seen else "no"
    return AnswerText(language.sentence(f"sport_{verdict}", sport=seen), brief=language.say(verdict))


def _beside(who: Group, groups: Sequence[Group], evidence: Evidence, language: Language) -> AnswerText:
    """That it cannot be told what someone does, and what they are near."""
    box = who.things[0].box
    close = [
        thing
        for group in groups
        for thing in group.things
        if group.label != who.label and thing.score >= evidence.least.shown and touching(thing.box, box)
    ]
    subject = language.say("the", noun=language.noun(who.label).one)
    text = language.sentence("cannot_doing", subject=subject)
    if close:
        names = [in_words(group, language, evidence) for group in grouped(close)[:3]]
        text += " " + language.sentence("is_with", subject=subject, things=language.listed(names))
    return AnswerText(text, brief=language.say("unknown"), known=False)


_EDGES = {
    **dict.fromkeys(("ymin", "top", "y1", "y0", "y"), "ymin"),
    **dict.fromkeys(("xmin", "left", "x1", "x0", "x"), "xmin"),
    **dict.fromkeys(("ymax", "bottom", "y2"), "ymax"),
    **dict.fromkeys(("xmax", "right", "x2"), "xmax"),
    **dict.fromkeys(("w", "width"), "width"),
    **dict.fromkeys(("h", "height"), "height"),
}


def edge(box: Box, name: str, top: float | None) -> float | None:
    """An edge, or a side's length, of a box: 0..1000, or 0..1 where no more is allowed."""
    ymin, xmin, ymax, xmax = box.box_2d()
    edges = {
        "ymin": ymin,
        "xmin": xmin,
        "ymax": ymax,
        "xmax": xmax,
        "width": xmax - xmin,
        "height": ymax - ymin,
    }
    value = edges.get(_EDGES.get(plain(name).replace(" ", ""), ""))
    return value if value is None or top is None or top > 1 else value / GRID
