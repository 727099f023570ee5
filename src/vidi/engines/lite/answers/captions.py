"""One sentence, or a few, that say what a picture shows."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from vidi.domain.geometry import Box
from vidi.engines.lite.evidence import Evidence, Thing
from vidi.engines.lite.language.language import SEVERAL, Language
from vidi.engines.lite.language.style import AnswerText
from vidi.engines.lite.world import Action, BoxRelation, Ground, Relation, Room, beside, lying_on, resting_on

LARGE = 0.12
"""Part of the picture that is "a good part"."""


GROUND = (0.5, 1.0)
"""Where a picture shows what its things stand on, from the top."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A place.

    Attributes:
        id: Its name in the tables.
        sure: Whether the classifier alone would say so.
    """

    id: str
    sure: bool


def scene_of(evidence: Evidence) -> Scene | None:
    """The place that a picture shows, if it can be told."""
    told = scores_of(evidence)
    best = max(told, key=lambda scene: told[scene], default="")
    if best and told[best] >= evidence.least.classified:
        return Scene(best, sure=True)
    things = evidence.things()
    for room in evidence.world.rooms:
        if told.get(room.scene, 0.0) >= room.hint and _fits(room, things):
            return Scene(room.scene, sure=False)
    ground = next((each for each in evidence.world.grounds if _shows(each, things, evidence)), None)
    return Scene(ground.scene, sure=False) if ground else None


def _shows(ground: Ground, things: Sequence[Thing], evidence: Evidence) -> bool:
    """Whether the leading thing is found on a ground, and the pixels look like it."""
    if not things or things[0].label not in ground.who:
        return False
    return not ground.colour or evidence.share_of(ground.colour, GROUND) >= ground.least


def scores_of(evidence: Evidence) -> dict[str, float]:
    """The classifier's probability of each place."""
    scores: dict[str, float] = {}
    for label, probability in evidence.labels:
        scene = evidence.world.scene_of.get(label)
        if scene:
            scores[scene] = scores.get(scene, 0.0) + probability
    return scores


def indoors(evidence: Evidence) -> bool | None:
    """Whether a picture was taken indoors; None where neither place nor things tell."""
    world = evidence.world
    scene = scene_of(evidence)
    if scene and scene.sure:
        return scene.id in world.inside
    weight = 0.0
    for thing in evidence.things():
        weight += thing.score * ((thing.label in world.inside_things) - (thing.label in world.outside_things))
    if scene:
        weight = max(-1.0, min(1.0, weight)) + (1.5 if scene.id in world.inside else -1.5)
    return None if abs(weight) < 0.3 else weight > 0


def _fits(room: Room, things: tuple[Thing, ...]) -> bool:
    counts = Counter(thing.label for thing in things)
    if not all(counts[label] for label in room.every):
        return False
    if room.some and not any(counts[label] for label in room.some):
        return False
    wanted = room.every | room.some
    involved = [thing for thing in things if thing.label in wanted]
    if room.large and not any(thing.share > LARGE for thing in involved):
        return False
    return not room.many or len(involved) > 1


GUESS_SURE = 0.4
GUESS_LIKELY = 0.15
"""Probability from which the classifier's word for a picture without things is stated, or as a maybe."""

PAGE_LINES, PAGE_LETTERS = 3, 40
"""From how many lines and letters on a picture without things is a page of text."""

SMOOTH, NOISE = 5.0, 30_000.0
"""Sharpness under which a picture shows no edge, and over which it shows nothing else: no guess is made."""

MOST_OTHERS = 2
MOST_IN_ROOM = 4

ONE_EACH = frozenset({BoxRelation.AT_FEET, BoxRelation.MOUNTED, BoxRelation.HELD})
"""Relations in which a thing is with one other at most: the most prominent."""


@dataclass(frozen=True, slots=True)
class Group:
    """All things of one class."""

    label: str
    things: tuple[Thing, ...]

    @property
    def prominence(self) -> float:
        """That of its most prominent thing, a little more where there are several."""
        return self.things[0].prominence * (1 + 0.1 * min(4, len(self.things) - 1))

    @property
    def colour(self) -> str:
        """The colour that all of them have, or ""."""
        colours = {thing.colour for thing in self.things}
        return next(iter(colours)) if len(colours) == 1 else ""


@dataclass(frozen=True, slots=True)
class Doing:
    """A relation that was found: who does it, with what."""

    rule: Relation
    who: Group
    what: Group


def grouped(things: Sequence[Thing]) -> tuple[Group, ...]:
    """Things by class, the most prominent class first."""
    by_label: dict[str, list[Thing]] = {}
    for thing in things:
        by_label.setdefault(thing.label, []).append(thing)
    groups = (Group(label, tuple(members)) for label, members in by_label.items())
    return tuple(sorted(groups, key=lambda group: -group.prominence))


def in_words(group: Group, language: Language, evidence: Evidence) -> str:
    """A group with the colour of a single thing: "a red bus", "two dogs", "several cars"."""
    count = len(group.things)
    colour = group.colour if count == 1 and group.label in evidence.world.coloured else ""
    return language.roughly(group.label, count, colour)


def plainly(group: Group, language: Language) -> str:
    """A group without its colour, as captions name it: "a bus", "several cars"."""
    return language.roughly(group.label, len(group.things))


def what_is_seen(evidence: Evidence, language: Language) -> str:
    """The things in a picture as a list in words: "a dog and two people"; "" if there are none."""
    groups = grouped(evidence.things(evidence.least.others))[:6]
    return language.listed([in_words(group, language, evidence) for group in groups])


def caption(evidence: Evidence, language: Language) -> AnswerText:
    """One sentence about a picture."""
    groups = _worth_telling(evidence)
    if not groups:
        return without_things(evidence, language)
    scene = scene_of(evidence)
    if _doubtful(groups, evidence) and not (scene and scene.sure):
        noun = language.noun(groups[0].label).one
        return AnswerText(language.sentence("may_be", thing=language.one(noun)), brief=noun)
    # Who does something is what a person would tell, even beside something larger that does nothing.
    doing = relation_in(groups, groups, evidence)
    leading = doing.who if doing else groups[0]
    noun = language.noun(leading.label).one
    room = _room(groups, leading, scene, evidence, language)
    if room:
        return AnswerText(language.as_sentence(room), brief=noun)
    told = {leading.label, doing.what.label} if doing else {leading.label}
    others = [group for group in groups if group.label not in told][:MOST_OTHERS]
    text = language.say(
        "caption",
        subject=plainly(leading, language),
        doing=doing_in_words(doing, language) if doing else "",
        others=_others_in_words(leading, others, language),
        place=_place_of(scene, leading, language),
    )
    return AnswerText(language.as_sentence(text), brief=noun)


def describe(evidence: Evidence, language: Language) -> AnswerText:
    """A caption, then where each thing is, the place and the colours."""
    first = caption(evidence, language)
    groups = [surely(group, evidence) for group in grouped(evidence.things(evidence.least.detailed))[:6]]
    details = (language.as_sentence(_detail(group, language)) for group in groups)
    sentences = [first.text, *details]
    inside = indoors(evidence)
    if inside is not None:
        side = language.say("indoors" if inside else "outdoors")
        sentences.append(language.sentence("side_is", side=side))
    colours = [language.colour(name) for name in evidence.detections.palette[:3]]
    if colours and not evidence.detections.flat:
        phrase = "main_colours" if len(colours) > 1 else "main_colour"
        sentences.append(
            language.sentence(phrase, colours=language.listed(colours), colour=language.listed(colours))
        )
    return AnswerText(" ".join(sentences), brief=first.brief, known=first.known)


def what_it_shows(evidence: Evidence, language: Language) -> str:
    """A caption for the middle of a sentence: "a red bus on a street"."""
    answer = caption(evidence, language)
    if evidence.things(evidence.least.told):
        text = answer.text.rstrip(".")
        return text[:1].lower() + text[1:]
    return language.one(answer.brief) if answer.brief else language.say("nothing_seen")


def without_things(evidence: Evidence, language: Language) -> AnswerText:
    """A sentence about a picture in which the detector found nothing."""
    colours = language.listed([language.colour(name) for name in evidence.detections.palette[:2]])
    if evidence.detections.flat:
        return AnswerText(language.sentence("blank", colours=colours), known=False)
    scene = scene_of(evidence)
    if scene:
        word = language.one(language.scenes[scene.id].one)
        return AnswerText(language.sentence("looks_like", thing=word), brief=language.scenes[scene.id].one)
    label, probability = evidence.labels[0] if evidence.labels else ("", 0.0)
    page = page_of_text(evidence, language) if probability < GUESS_SURE else None
    if page:
        return page
    if probability >= GUESS_LIKELY and SMOOTH < evidence.detections.sharpness < NOISE:
        phrase = "looks_like" if probability >= GUESS_SURE else "may_be"
        return AnswerText(language.sentence(phrase, thing=language.one(label)), brief=label)
    if colours:
        return AnswerText(language.sentence("mostly", colours=colours), known=False)
    return AnswerText(language.sentence("nothing"), known=False)


def page_of_text(evidence: Evidence, language: Language) -> AnswerText | None:
    """That a picture is a page of text, and how that begins; None if it is none.

    To read takes longer than all else: asked only of a picture in which nothing else is seen.
    """
    lines = evidence.text or ()
    if len(lines) < PAGE_LINES or sum(len(line.text) for line in lines) < PAGE_LETTERS:
        return None
    return AnswerText(language.sentence("page", text=lines[0].text), brief=language.say("page_of_text"))


def relation_in(
    whos: Sequence[Group], groups: Sequence[Group], evidence: Evidence, only: frozenset[Action] | None = None
) -> Doing | None:
    """What some do with the things around them: the first relation of the tables that holds.

    Args:
        whos: Those who may do it.
        groups: What they may do it with.
        evidence: Gives the tables.
        only: Actions to which the search is limited; None for all.
    """
    laid = [thing.box for group in groups if group.label == "dining table" for thing in group.things]
    for rule in evidence.world.relations:
        if only is None or rule.says in only:
            for who in whos:
                found = (_doing(rule, who, what, laid) for what in groups if who.label in rule.who)
                doing = next((each for each in found if each), None)
                if doing:
                    return doing
    return None


def doing_in_words(doing: Doing, language: Language) -> str:
    """A relation as a phrase: "riding a wave on a surfboard"."""
    return language.relations[doing.rule.says].format(what=plainly(doing.what, language))


def place_in_words(thing: Thing, language: Language) -> str:
    """Where a thing is: "in the top left"."""
    return language.cells[thing.cell].at


def _doing(rule: Relation, who: Group, what: Group, tables: Sequence[Box]) -> Doing | None:
    """Those of two groups that stand in a relation, if one that stands out is among them."""
    if what.label not in rule.what or what.label == who.label:
        return None
    holds = rule.how.holds
    free = what.things
    if rule.says is Action.HOLDING:
        # A glass in front of someone at a table stands there.
        free = tuple(each for each in free if not any(_stands_on(each.box, table) for table in tables))
    pairs = [(one, other) for other in free for one in who.things if holds(one.box, other.box)]
    if rule.how in ONE_EACH:
        # Things stand in the order of prominence: the first pair of each is the one to keep.
        pairs = [pair for at, pair in enumerate(pairs) if at == 0 or pairs[at - 1][1] is not pair[1]]
    ones = tuple(one for one in who.things if any(one is a for a, _ in pairs))
    others = tuple(other for other in what.things if any(other is b for _, b in pairs))
    if not ones:
        return None
    return Doing(rule, Group(who.label, ones), Group(what.label, others))


def _stands_on(one: Box, table: Box) -> bool:
    return lying_on(one, table) or resting_on(one, table)


def _worth_telling(evidence: Evidence) -> tuple[Group, ...]:
    """The groups that a caption may state, the leading one first."""
    agreed = _agreed(evidence)
    groups = [surely(group, evidence) for group in grouped(evidence.things(evidence.least.told))]
    if not groups:
        return ()
    sure = [
        group
        for group in groups
        if group.label in agreed or max(thing.score for thing in group.things) >= evidence.least.clear
    ]
    # People look at people and animals first, however small beside a building or a table.
    living = {"person", *evidence.world.groups["animal"]}
    leading = max(sure or groups, key=lambda group: (group.label in living, group.prominence))
    return (
        leading,
        *(group for group in groups if group is not leading and _is_told_beside(group, agreed, evidence)),
    )


def _is_told_beside(group: Group, agreed: frozenset[str], evidence: Evidence) -> bool:
    """Whether a group is sure enough to be told beside the leading one."""
    return group.label in agreed or max(thing.score for thing in group.things) >= evidence.least.others


def _doubtful(groups: Sequence[Group], evidence: Evidence) -> bool:
    """Whether all that was found is one thing that only one of two models sees, and not clearly.

    What neither knows, such as a nebula, looks a little like something to the detector.
    """
    alone = len(groups) == 1 and len(groups[0].things) == 1
    return (
        alone
        and groups[0].things[0].score < evidence.least.shown
        and groups[0].label not in _agreed(evidence)
    )


def _agreed(evidence: Evidence) -> frozenset[str]:
    """The detector's classes of which the classifier sees a kind."""
    scores: defaultdict[str, float] = defaultdict(float)
    for label, probability in evidence.labels:
        scores[evidence.world.family.get(label, "")] += probability
    return frozenset(name for name, score in scores.items() if name and score >= evidence.least.classified)


def surely(group: Group, evidence: Evidence) -> Group:
    """A group without the members whose number would only be guessed."""
    many = tuple(thing for thing in group.things if thing.score >= evidence.least.told)
    if len(many) >= SEVERAL:
        return Group(group.label, many)
    sure = tuple(thing for thing in group.things if thing.score >= evidence.least.clear)
    return Group(group.label, sure or (max(group.things, key=lambda thing: thing.score),))


def _others_in_words(leading: Group, others: Sequence[Group], language: Language) -> str:
    if not others:
        return ""
    things = language.listed([plainly(group, language) for group in others])
    first = others[0]
    near = len(others) == 1 and len(leading.things) == len(first.things) == 1
    side_by_side = near and beside(leading.things[0].box, first.things[0].box)
    return language.say(
        "next_to" if side_by_side else "with" if len(others) == 1 else "with_more", things=things
    )


def _place_of(scene: Scene | None, leading: Group, language: Language) -> str:
    if scene is None or language.scenes[scene.id].one == language.noun(leading.label).one:
        return ""
    return language.scenes[scene.id].at


def _room(
    groups: Sequence[Group],
    leading: Group,
    scene: Scene | None,
    evidence: Evidence,
    language: Language,
) -> str:
    """A caption that begins with the place, for rooms in which furniture stands out."""
    world = evidence.world
    alive = leading.label == "person" or leading.label in world.groups["animal"] | world.groups["food"]
    if alive or scene is None or scene.id not in world.inside:
        return ""
    words = [plainly(group, language) for group in groups[:MOST_IN_ROOM]]
    return language.say("room", scene=language.scenes[scene.id].room, things=language.listed(words))


def _detail(group: Group, language: Language) -> str:
    """Where the things of a group are, with the colour of a single one."""
    things = group.things
    if len(things) == 1:
        colour = "" if group.label == "person" else things[0].colour
        one = language.counted(group.label, 1, colour)
        return language.say("there_is_at", things=one, place=place_in_words(things[0], language))
    if len(things) >= SEVERAL - 1:
        crowd = "there_is_at" if group.label == "person" else "there_are_at"
        return language.say(crowd, things=language.roughly(group.label, len(things)), place="")
    total = language.counted(group.label, len(things))
    where = spots(things, language)
    together = len({thing.cell for thing in things}) == 1
    text = language.say("there_are_at", things=total, place=where if together else f": {where}")
    return text.replace(" :", ":")


def spots(things: Sequence[Thing], language: Language) -> str:
    """Where several things are: "one on the left and two at the top"."""
    cells = Counter(place_in_words(thing, language) for thing in things)
    if len(cells) == 1:
        return next(iter(cells))
    noun = language.noun(things[0].label)
    return language.listed(
        [
            language.say("one_at", place=place, noun=noun.one)
            if number == 1
            else language.say("n_at", number=language.number(number), place=place, nouns=noun.many)
            for place, number in cells.most_common()
        ]
    )


def thing_in_words(thing: Thing, language: Language) -> str:
    """A thing with its colour and place: "a brown dog on the left"."""
    colour = "" if thing.label == "person" else thing.colour
    return f"{language.counted(thing.label, 1, colour)} {place_in_words(thing, language)}"
