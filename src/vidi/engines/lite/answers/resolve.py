"""Finding in the evidence what a text names, and saying that it is not there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from vidi.domain.geometry import GRID
from vidi.engines.lite.answers.captions import grouped, in_words, surely, what_is_seen
from vidi.engines.lite.evidence import Evidence, Thing
from vidi.engines.lite.language.intents import Entity, Intent
from vidi.engines.lite.language.language import Language, folded
from vidi.engines.lite.language.style import AnswerText


def cannot_tell(evidence: Evidence, language: Language) -> AnswerText:
    """The honest answer: that it cannot be told, and what is seen."""
    sentences = [language.sentence("cannot")]
    seen = what_is_seen(evidence, language)
    if seen:
        sentences.append(language.sentence("see", things=seen))
    return AnswerText(" ".join(sentences), brief=language.say("unknown"), known=False)


def find(entity: Entity, evidence: Evidence, floor: float | None = None) -> tuple[Thing, ...]:
    """The things that an entity means, under the class that it means, as `Evidence.things`."""
    things = (thing for thing in evidence.things(floor) if entity.means(thing))
    return tuple(replace(thing, label=entity.names(thing)) for thing in things)


def resolve(intent: Intent, entity: Entity, evidence: Evidence, *, ranked: bool = True) -> tuple[Thing, ...]:
    """The things that a question with "the" speaks of.

    Of several, one is meant where the question names a side or a rank, unless `ranked` is false, and where it
    speaks of one: the most prominent.
    """
    found = (
        find(entity, evidence)
        or find(entity, evidence, evidence.least.supposed)
        or _mistaken(entity, evidence)
    )
    if len(found) < 2:
        return found
    chosen = _of_the_rank(intent, found) if ranked else None
    if chosen:
        return (chosen,)
    return found[:1] if entity.single else found


def _mistaken(entity: Entity, evidence: Evidence) -> tuple[Thing, ...]:
    """Who says "the car" sees a car: a truck that the detector sees may be it."""
    if len(entity.labels) != 1 or entity.colour:
        return ()
    (label,) = entity.labels
    alike = next((labels for labels in evidence.world.lookalikes if label in labels), frozenset())
    near = (thing for thing in evidence.things(evidence.least.taken) if thing.label in alike)
    return tuple(replace(thing, label=label) for thing in near)


def _of_the_rank(intent: Intent, found: Sequence[Thing]) -> Thing | None:
    """The one at the side, or of the size, that a question names."""
    language = intent.language
    ranks: dict[str, Callable[[Thing], float]] = {
        "leftmost": lambda thing: thing.box.centre().x,
        "rightmost": lambda thing: -thing.box.centre().x,
        "topmost": lambda thing: thing.box.centre().y,
        "bottommost": lambda thing: -thing.box.centre().y,
        "midmost": lambda thing: abs(thing.box.centre().x - GRID / 2),
        "nearest": lambda thing: -thing.share,
        "largest": lambda thing: -thing.share,
        "smallest": lambda thing: thing.share,
    }
    for name, rank in ranks.items():
        if language.matches(language.pronouns, name, intent.text):
            return min(found, key=rank)
    return None


def kind_in(entity: Entity, evidence: Evidence) -> float:
    """The classifier's probability of what an entity names, unless the detector sees something like it."""
    if any(contradicted(kind, evidence) for kind in entity.kinds):
        return 0.0
    return sum(share for label, share in evidence.labels if label in entity.kinds)


def contradicted(kind: str, evidence: Evidence) -> bool:
    """Whether the detector sees something else where the classifier sees a kind, as a cat for a Samoyed."""
    world = evidence.world
    family = world.family.get(kind)
    if family is None:
        return False
    seen = {thing.label for thing in evidence.things(evidence.least.taken)}
    return family not in seen and any(world.confusable(family, label) for label in seen)


def cannot_look(
    unknown: Sequence[Entity], found: Sequence[Thing], evidence: Evidence, language: Language
) -> AnswerText:
    """That nothing can be told about what no model knows, and what is seen of the rest."""
    words = language.listed([f'"{each.word}"' for each in unknown])
    sentences = [language.sentence("cannot_look", things=words)]
    groups = grouped(found)[:4]
    seen = language.listed([in_words(surely(group, evidence), language, evidence) for group in groups])
    seen = seen or what_is_seen(evidence, language)
    if seen:
        sentences.append(language.sentence("see", things=seen))
    return AnswerText(" ".join(sentences), brief=language.say("unknown"), known=False)


def not_seen(entity: Entity, evidence: Evidence, language: Language) -> AnswerText:
    """That what is named is not seen, and what is."""
    if entity.overlooked:
        return cannot_look([entity], (), evidence, language)
    return AnswerText(
        _and_seen(language.as_sentence(_unseen(entity, evidence, language)), evidence, language),
        brief=language.say("unknown"),
        known=False,
    )


def no_such(entity: Entity, evidence: Evidence, language: Language) -> AnswerText:
    """No: what is named is not there; that it can't be told, of what the detector has no class for."""
    if entity.overlooked:
        return cannot_look([entity], (), evidence, language)
    if entity.colour and find(replace(entity, colour=""), evidence):
        text = language.as_sentence(f"{language.say('no')}, {_unseen(entity, evidence, language)}")
        return AnswerText(text, brief=language.say("no"))
    things = any_of(entity, language)
    return AnswerText(language.sentence("no_see", things=things), brief=language.say("no"))


def any_of(entity: Entity, language: Language) -> str:
    """What is named, where there is none: "any dogs"."""
    noun = language.noun(entity.name)
    return language.say("any", nouns=noun.many, noun=noun.one)


def cell_in(text: str, language: Language) -> str:
    """The cell that a text names, the longest name first; "" if none."""
    words = [(word, cell) for cell, place in language.cells.items() for word in place.words]
    for word, cell in sorted(words, key=lambda pair: -len(pair[0])):
        if f" {word}" in f" {folded(text)}":
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


def name_of(entity: Entity, found: Sequence[Thing]) -> str:
    """What to call the things that were found: the class that was asked for, or the one that they share."""
    labels = {thing.label for thing in found}
    if not entity.group and entity.labels:
        return next(iter(entity.labels))
    return next(iter(labels)) if len(labels) == 1 else entity.name


def _unseen(entity: Entity, evidence: Evidence, language: Language) -> str:
    others = tuple(thing for thing in evidence.things() if thing.label in entity.labels)
    if entity.colour and others:
        name = others[0].label if len({thing.label for thing in others}) == 1 else entity.name
        things = language.counted(name, len(others))
        return language.say("none_such", things=things, colour=language.colour(entity.colour))
    return language.say("not_seen", things=any_of(entity, language))


def _and_seen(sentence: str, evidence: Evidence, language: Language) -> str:
    seen = what_is_seen(evidence, language)
    return f"{sentence} {language.sentence('see', things=seen)}" if seen else sentence
