"""Finding in the evidence what a text names, and saying that it is not there."""

from __future__ import annotations

from collections.abc import Sequence

from vidi.engines.lite.captions import what_is_seen
from vidi.engines.lite.evidence import Evidence, Thing
from vidi.engines.lite.language import Language
from vidi.engines.lite.mentions import Mention
from vidi.engines.lite.said import Said

SHOWN = 0.30
"""Lowest score of a thing that is counted, boxed or placed."""

THERE = 0.20
"""Lowest score of a thing that answers "is there"."""

KIND_THERE = 0.10
"""Lowest probability of a classifier class that answers "is there"."""


def cannot_tell(evidence: Evidence, language: Language) -> Said:
    """The honest answer: that it cannot be told, and what is seen."""
    sentences = [language.sentence("cannot")]
    seen = what_is_seen(evidence, language)
    if seen:
        sentences.append(language.sentence("see", things=seen))
    return Said(" ".join(sentences), brief=language.say("unknown"), known=False)


def find(mention: Mention, evidence: Evidence, floor: float) -> tuple[Thing, ...]:
    """The things that a mention means, most prominent first; of one colour where it names one."""
    return tuple(thing for thing in evidence.things(floor) if mention.means(thing))


def kind_in(mention: Mention, evidence: Evidence) -> float:
    """The classifier's probability of what a mention names."""
    return sum(probability for label, probability in evidence.labels if label in mention.kinds)


def not_seen(mention: Mention, evidence: Evidence, language: Language) -> Said:
    """That what is named is not seen, and what is."""
    if not mention.labels:
        return cannot_tell(evidence, language)
    noun = language.noun(mention.name)
    sentences = [language.sentence("not_seen", things=language.say("any", nouns=noun.many, noun=noun.one))]
    seen = what_is_seen(evidence, language)
    if seen:
        sentences.append(language.sentence("see", things=seen))
    return Said(" ".join(sentences), brief=language.say("unknown"), known=False)


def cell_in(text: str, language: Language) -> str:
    """The cell that a text names, the longest name first; "" if none."""
    words = [(word, cell) for cell, place in language.cells.items() for word in (place.one, *place.also)]
    for word, cell in sorted(words, key=lambda pair: -len(pair[0])):
        if f" {word}" in f" {text}":
            return cell
    return ""


def lies_in(thing: Thing, cell: str) -> bool:
    """Whether a thing lies in a cell; "middle left" and the like stand for the whole side."""
    row, column = cell.split()
    own_row, own_column = thing.cell.split()
    if row == "middle" and column != "centre":
        return own_column == column
    if column == "centre" and row != "middle":
        return own_row == row
    return thing.cell == cell


def name_of(mention: Mention, found: Sequence[Thing]) -> str:
    """What to call the things that were found: the class where they share one."""
    labels = {thing.label for thing in found}
    return next(iter(labels)) if len(labels) == 1 else mention.name
