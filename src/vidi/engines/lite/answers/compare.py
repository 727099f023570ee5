"""What several pictures have in common, and what not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from vidi.domain.geometry import GRID, Box
from vidi.engines.lite.answers.captions import (
    grouped,
    in_words,
    surely,
    what_it_shows,
)
from vidi.engines.lite.answers.lists import rewritten
from vidi.engines.lite.evidence import Evidence, Thing
from vidi.engines.lite.language.intents import Intent
from vidi.engines.lite.language.language import IntentKind, Language
from vidi.engines.lite.language.style import AnswerText, sentences_of
from vidi.engines.lite.vision import colours
from vidi.engines.lite.vision.alignment import Alignment, Change, align
from vidi.engines.lite.world import COLUMNS, ROWS, cell_of, shared

ALIKE = 0.72
"""Cosine of embeddings from which two pictures show much the same scene; unrelated ones stay under .66."""

LITTLE = 40
"""So little of an axis, in thousandths, is cut off by chance."""

LOPSIDED = 0.6
"""Difference of what was cut from two sides, as a part of their sum, from which a crop shows one side."""

SURE_OF_THING = 0.5
"""Score of a thing from which a change is told by it; under that, letters are looked for first."""

MANY_DYED = 3
"""Recoloured places from which the light of the whole has changed, though not evenly."""

LEGIBLE = 3
"""Fewest letters of a text that changed: what is shorter is mostly an edge that looks like a letter."""

MOST_CHANGES = 4
"""How many changed places are told."""


def compare(intent: Intent, evidences: Sequence[Evidence]) -> AnswerText:
    """Compare pictures: two in detail, more of them by what each shows."""
    language = intent.language
    if len(evidences) < 2:
        return AnswerText(language.sentence("one_picture"), known=False)
    if len(evidences) > 2:
        return _each(evidences, language)
    one, other = evidences
    alignment = align(one.picture, other.picture)
    asks_same = intent.kind is IntentKind.SAME
    if alignment is not None:
        return _edited(_edits(alignment, one, other, language), asks_same, language)
    likeness = float(one.embedding @ other.embedding)
    alike = likeness >= ALIKE
    opening = language.sentence("same_scene" if alike else "different_pictures")
    if asks_same:
        opening = f"{language.sentence('yes' if alike else 'no')} {opening}"
    rest = _contrast(one, other, language)
    return AnswerText(f"{opening} {rest}", brief=language.say("yes" if alike else "no"))


def _edited(edits: Sequence[str], asks_same: bool, language: Language) -> AnswerText:
    """That two pictures are the same photo, and what was done to it."""
    parts = [language.sentence("yes")] if asks_same else []
    parts += [language.sentence("same_photo"), *edits] if edits else [language.sentence("identical")]
    return AnswerText(" ".join(parts), brief=language.say("yes"), items=tuple(edits))


def _each(evidences: Sequence[Evidence], language: Language) -> AnswerText:
    """What each of many pictures shows, and what all do."""
    shown = [
        language.sentence("nth_shows", n=str(at + 1), what=what_it_shows(evidence, language))
        for at, evidence in enumerate(evidences)
    ]
    names = similarities(evidences, language)
    if names:
        shown.append(language.sentence("all_show", things=language.listed(names)))
    return AnswerText(" ".join(shown), items=tuple(shown))


def _contrast(one: Evidence, other: Evidence, language: Language) -> str:
    """What the first shows, what the second shows, what both do."""
    sentences = [
        language.sentence("first_shows", what=what_it_shows(one, language)),
        language.sentence("second_shows", what=what_it_shows(other, language)),
    ]
    labels = {thing.label for thing in one.things()} & {thing.label for thing in other.things()}
    if labels:
        ranked = [group.label for group in grouped(one.things()) if group.label in labels]
        names = [language.noun(label).many for label in ranked[:4]]
        sentences.append(language.sentence("both_show", things=language.listed(names)))
    return " ".join(sentences)


def _edits(alignment: Alignment, one: Evidence, other: Evidence, language: Language) -> list[str]:
    """What was done to the first picture to make the second; nothing if they look the same."""
    sentences: list[str] = []
    if alignment.turned:
        sentences.append(language.sentence(alignment.turned))
    if alignment.crop is not None:
        phrase = "cropped" if alignment.crop_of_first else "cropped_back"
        sentences.append(language.sentence(phrase, place=_part(alignment.crop, language)))
    sentences += [
        language.sentence(light, colour=language.colour(alignment.tint)) for light in alignment.lighting
    ]
    dyed = [each for each in alignment.changes if each.recoloured]
    if len(dyed) >= MANY_DYED and not alignment.lighting:
        return [*sentences, language.sentence("recoloured_all_over")]
    told = [_change(each, one, other, language) for each in alignment.changes[:MOST_CHANGES]]
    if alignment.lighting:
        # New light and colour change many places; only things that came or went are worth a sentence.
        told = [(sentence, named) for sentence, named in told if named]
    return sentences + list(dict.fromkeys(sentence for sentence, _ in told))


def _part(crop: Box, language: Language) -> str:
    """Which part a crop shows: the side from which less was cut, if it is much less."""
    row = _kept(crop.ymin, GRID - crop.ymax, ROWS)
    column = _kept(crop.xmin, GRID - crop.xmax, COLUMNS)
    name = f"{row} {column}"
    if name == "middle centre":
        return language.say("middle_part")
    return language.say("part_of_it", place=language.cells[name].at)


def _kept(before: float, after: float, names: Sequence[str]) -> str:
    """The side of an axis that a cut of so much before and after it leaves."""
    cut = before + after
    if cut < LITTLE or abs(before - after) < LOPSIDED * cut:
        return names[1]
    return names[2] if before > after else names[0]


def _change(change: Change, one: Evidence, other: Evidence, language: Language) -> tuple[str, bool]:
    """What happened at one place, and whether a thing came or went there."""
    before = _in_region(one, change.before)
    after = _in_region(other, change.after)
    place = language.cells[cell_of(change.after)].at
    if change.recoloured:
        return _dyed(change, one, other, before or after, language), False
    gone, new = _missing(before, after), _missing(after, before)
    if max((thing.score for thing in (*gone, *new)), default=0.0) < SURE_OF_THING:
        rewritten_there = _rewritten(change, one, other, language)
        if rewritten_there:
            return rewritten_there, bool(gone or new)
    old_things, new_things = _things(gone, one, language), _things(new, other, language)
    if new and gone:
        return language.sentence("replaced", old=old_things, new=new_things, place=place), True
    if new:
        return language.sentence("added", thing=new_things, place=place), True
    if gone:
        return language.sentence("removed", thing=old_things, place=place), True
    return _repainted(before, after, place, language) or language.sentence("changed", place=place), False


def _dyed(change: Change, one: Evidence, other: Evidence, things: Sequence[Thing], language: Language) -> str:
    """That a place has other colours than before."""
    place = language.cells[cell_of(change.after)].at
    regions = (one.picture, change.before), (other.picture, change.after)
    old, new = (
        colours.colour_of(picture, box, under=colours.illumination_of(picture)) for picture, box in regions
    )
    if old == new or not (old and new):
        return language.sentence("colours_changed", place=place)
    old, new = language.colour(old), language.colour(new)
    if things:
        noun = language.noun(things[0].label).one
        return language.sentence("recoloured", noun=noun, place=place, old=old, new=new)
    return language.sentence("dyed", place=place, old=old, new=new)


def _repainted(before: Sequence[Thing], after: Sequence[Thing], place: str, language: Language) -> str:
    """That a thing has another colour than before; "" if none has."""
    for was in before:
        for now in after:
            if was.label == now.label and was.colour != now.colour:
                noun = language.noun(now.label).one
                old, new = language.colour(was.colour), language.colour(now.colour)
                return language.sentence("recoloured", noun=noun, place=place, old=old, new=new)
    return ""


def _rewritten(change: Change, one: Evidence, other: Evidence, language: Language) -> str:
    """How the text at a place changed; "" if it did not, or nobody can read."""
    old, new = rewritten(one, change.before, other, change.after)
    place = language.cells[cell_of(change.after)].at
    if old == new or max(len(old), len(new)) < LEGIBLE:
        return ""
    if old and new:
        return language.sentence("text_changed", old=old, new=new, place=place)
    return language.sentence("text_added" if new else "text_removed", text=new or old, place=place)


def _in_region(evidence: Evidence, region: Box) -> tuple[Thing, ...]:
    """The things that lie mostly in a changed region, or that it mostly covers."""
    return tuple(
        thing
        for thing in evidence.things()
        if shared(thing.box, region) > 0.5 or (shared(region, thing.box) > 0.7 and thing.share < 0.4)
    )


def _missing(these: Sequence[Thing], those: Sequence[Thing]) -> tuple[Thing, ...]:
    """The things, of each class so many as there are more of it in the first."""
    counts = Counter(thing.label for thing in these) - Counter(thing.label for thing in those)
    extra: list[Thing] = []
    for thing in these:
        if counts[thing.label] > 0:
            counts[thing.label] -= 1
            extra.append(thing)
    return tuple(extra)


def _things(things: Sequence[Thing], evidence: Evidence, language: Language) -> str:
    return language.listed(
        [in_words(surely(group, evidence), language, evidence) for group in grouped(things)[:3]]
    )


def is_same(intent: Intent, evidences: Sequence[Evidence]) -> bool | None:
    """Whether two pictures show the same; None of fewer or more."""
    if len(evidences) != 2:
        return None
    answer = compare(replace(intent, kind=IntentKind.SAME), evidences)
    return answer.brief == intent.language.say("yes")


def differences(intent: Intent, evidences: Sequence[Evidence]) -> tuple[str, ...]:
    """What sets several pictures apart, sentence by sentence."""
    answer = compare(replace(intent, kind=IntentKind.COMPARE), evidences)
    if len(evidences) < 2 or answer.brief == intent.language.say("yes"):
        return answer.items
    return answer.items or tuple(sentences_of(answer.text))


def similarities(evidences: Sequence[Evidence], language: Language) -> tuple[str, ...]:
    """The kinds of things that all of several pictures show."""
    if len(evidences) < 2:
        return ()
    common = set.intersection(*({thing.label for thing in each.things()} for each in evidences))
    return tuple(language.noun(label).many for label in sorted(common))
