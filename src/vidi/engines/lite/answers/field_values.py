"""Single facts for single fields: a text, a number or a truth that the evidence carries, or None."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from vidi.domain.geometry import GRID, Box
from vidi.domain.schema import Kind, Property, Schema
from vidi.engines.grounding.coordinates import names_in
from vidi.engines.grounding.schema import PlaceField, PlaceKind, place_field
from vidi.engines.lite.answers import captions, lists
from vidi.engines.lite.answers.captions import (
    indoors,
    scene_of,
)
from vidi.engines.lite.answers.dispatch import answer_intent
from vidi.engines.lite.answers.kinds import BLURRY, plain
from vidi.engines.lite.answers.lists import label_of, text_on
from vidi.engines.lite.answers.resolve import (
    find,
    kind_in,
)
from vidi.engines.lite.evidence import Evidence, Thing
from vidi.engines.lite.language.intents import Entity, Intent, Languages, lowered
from vidi.engines.lite.language.language import FieldRole, IntentKind, Language, Patterns

_ASKING = re.compile(
    r"^(is|are|has|have|contains?|includes?|shows?|there (is|are)|any)\b"
    r"|^(number of|num|count of|total|how many)\b"
    r"|\b(present|visible|detected|exists?|found|count|total|colou?rs?|type|kind|name|names|list|class|species)$"
)


_COUNTED_FROM_1 = frozenset({"image", "picture", "photo"})
"""Names of a number that people count pictures with; an index counts from 0."""

QUESTIONS = frozenset(
    {
        IntentKind.COUNT,
        IntentKind.COLOUR,
        IntentKind.EXISTS,
        IntentKind.KIND,
        IntentKind.SCENE,
        IntentKind.SIDE,
        IntentKind.WHERE,
        IntentKind.ACTIVITY,
        IntentKind.CHOOSE,
    }
)
"""Kinds of intent by which a field's description is known to be a question."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a field is for.

    Attributes:
        role: What it holds, if its name says so.
        edge: Which edge of a box it is, for the role box_edge.
        entity: The thing that the name speaks of, if any.
        words: The name as words.
        place: How the field holds a place, for the roles box and point.
    """

    role: FieldRole | None = None
    edge: str = ""
    entity: Entity | None = None
    words: str = ""
    place: PlaceField | None = None


_NUMBERS = Schema(kinds=frozenset({Kind.ARRAY}), items=Schema(kinds=frozenset({Kind.INTEGER})))
"""The usual shape of a place."""

_PLACE_ROLES = {PlaceKind.BOXES: FieldRole.BOX, PlaceKind.POINTS: FieldRole.POINT}


LONGEST_NAME = 200
"""Letters of a field's name that are read."""


def meaning_of(name: str, languages: Languages, schema: Schema = _NUMBERS) -> Meaning:
    """Read a field's name, and its shape where the name alone leaves doubt.

    The names of places are those that other models are asked for too (`grounding/schema.py`); a language
    adds its own words for them.
    """
    name = name[:LONGEST_NAME]
    shapes = (schema, _NUMBERS)
    places = (place_field(Property(name, shape, required=True)) for shape in shapes)
    place = next((each for each in places if each), None)
    meaning = _meaning_in_words(name, languages)
    role = meaning.role if place is None or place.several else _PLACE_ROLES[place.kind]
    return replace(meaning, role=role, place=place)


def _meaning_in_words(name: str, languages: Languages) -> Meaning:
    words = plain(name)
    core = _ASKING.sub("", words).strip()
    entity: Entity | None = None
    role: FieldRole | None = None
    edge = ""
    for language in languages.by_id.values():
        if role is None:
            role, edge = _role(words, language.fields)
        entities = languages.lexicons[language.id].entities(core or words)
        entity = entity or next((each for each in entities if each.labels), None)
    return Meaning(role, edge, entity, words)


def _role(words: str, fields: Patterns[FieldRole]) -> tuple[FieldRole | None, str]:
    for role, patterns in fields.items():
        for pattern in patterns:
            match = pattern.fullmatch(words)
            if match:
                return role, match.groupdict().get("edge") or ""
    return None, ""


LARGE = 0.25
MEDIUM = 0.05
"""Part of the picture from which a thing is large, and medium."""

_EDGES = {
    **dict.fromkeys(("ymin", "top", "y1", "y0", "y"), "ymin"),
    **dict.fromkeys(("xmin", "left", "x1", "x0", "x"), "xmin"),
    **dict.fromkeys(("ymax", "bottom", "y2"), "ymax"),
    **dict.fromkeys(("xmax", "right", "x2"), "xmax"),
    **dict.fromkeys(("w", "width"), "width"),
    **dict.fromkeys(("h", "height"), "height"),
}


@dataclass(frozen=True, slots=True)
class Subject:
    """What a value is about.

    Attributes:
        evidence: The picture.
        intent: What the prompt wants.
        languages: The words that descriptions are read with.
        thing: The thing that an object stands for, if it stands for one.
        index: Its number, from 0.
        count: How many of its class it stands for.
        wants_boxes: Whether the prompt asks for boxes.
    """

    evidence: Evidence
    intent: Intent
    languages: Languages
    thing: Thing | None = None
    index: int = 0
    count: int = 1
    wants_boxes: bool = False

    @property
    def leading(self) -> Thing | None:
        """The thing it is about, else the first that the prompt means, else the most prominent."""
        if self.thing:
            return self.thing
        for entity in self.intent.entities:
            found = find(entity, self.evidence, self.evidence.least.there)
            if found:
                return found[0]
        return next(iter(self.evidence.things()), None)

    def about(self, entity: Entity | None) -> tuple[Thing, ...]:
        """The things that a field speaks of: those it names, else those of the prompt, else all."""
        if entity:
            return find(entity, self.evidence)
        named = [each for each in self.intent.entities if each.labels]
        things = self.evidence.things()
        if not named:
            return things
        return tuple(thing for thing in things if any(each.means(thing) for each in named))

    def asked(self, description: str) -> Intent | None:
        """A field's description read as a question, if it is one."""
        if not description:
            return None
        intent = self.languages.parse_text(lowered(description), self.intent.language)
        return intent if intent.kind in QUESTIONS else None


def text(meaning: Meaning, description: str, subject: Subject) -> str | None:
    """The text of a field."""
    told = _text_of_role(meaning, subject)
    if told is not None or meaning.role:
        return told
    if meaning.entity:
        found = subject.about(meaning.entity)
        return subject.intent.language.noun(found[0].label).one if found else None
    asked = subject.asked(description)
    if asked:
        answer = answer_intent(asked, subject.evidence)
        return (answer.brief or answer.text) if answer.known else None
    return None


def number(meaning: Meaning, top: float | None, subject: Subject) -> float | None:
    """The number of a field; `top` is the largest that it may be."""
    thing, evidence = subject.leading, subject.evidence
    match meaning.role:
        case FieldRole.SCORE:
            return None if thing is None else round(thing.score * (100 if top and top > 1 else 1), 3)
        case FieldRole.BOX_EDGE:
            return None if thing is None else edge(thing.box, meaning.edge, top)
        case FieldRole.INDEX:
            return subject.index + (meaning.words in _COUNTED_FROM_1)
        case FieldRole.IMAGE_WIDTH:
            return evidence.picture.placement.source_width
        case FieldRole.IMAGE_HEIGHT:
            return evidence.picture.placement.source_height
        case FieldRole.ANSWER:
            answer = answer_intent(subject.intent, evidence)
            return int(answer.brief) if answer.brief.isdecimal() else None
    if meaning.role is FieldRole.COUNT or meaning.entity:
        return subject.count if subject.thing and not meaning.entity else len(subject.about(meaning.entity))
    return None


def truth(meaning: Meaning, description: str, subject: Subject) -> bool | None:
    """Whether what a field says is so."""
    evidence, language = subject.evidence, subject.intent.language
    inside = indoors(evidence) if meaning.role in {FieldRole.INDOORS, FieldRole.OUTDOORS} else None
    if inside is not None:
        return inside == (meaning.role is FieldRole.INDOORS)
    if meaning.role is FieldRole.BLURRY:
        return evidence.detections.sharpness < BLURRY
    if meaning.entity:
        there = bool(find(meaning.entity, evidence, evidence.least.there))
        return there or kind_in(meaning.entity, evidence) >= evidence.least.kind_there
    asked = subject.asked(description) or (subject.intent if meaning.role is FieldRole.ANSWER else None)
    if asked is None or asked.kind is IntentKind.UNKNOWN:
        return None
    answer = answer_intent(asked, evidence)
    return {language.say("yes"): True, language.say("no"): False}.get(answer.brief)


def place_numbers(box: Box, place: PlaceField) -> tuple[float, ...]:
    """The numbers that a field holds for a box, in the order of its members: y first."""
    if place.kind is PlaceKind.POINTS:
        return box.centre().point()
    ymin, xmin, ymax, xmax = box.box_2d()
    return (ymin, xmin, ymax - ymin, xmax - xmin) if place.sized else (ymin, xmin, ymax, xmax)


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


def size_word(thing: Thing) -> str:
    """How large a thing looks: a phrase of the languages."""
    return "large" if thing.share >= LARGE else "medium" if thing.share >= MEDIUM else "small"


_ABOUT_THINGS = frozenset(
    {
        *(FieldRole.LABEL, FieldRole.COLOUR, FieldRole.POSITION),
        *(FieldRole.SIZE, FieldRole.COUNT, FieldRole.THINGS),
    }
)


def _text_of_role(meaning: Meaning, subject: Subject) -> str | None:
    if meaning.role in {
        FieldRole.LABEL,
        FieldRole.COLOUR,
        FieldRole.POSITION,
        FieldRole.SIZE,
        FieldRole.COUNT,
        FieldRole.THINGS,
    }:
        return _text_about_things(meaning, subject)
    evidence, intent, language = subject.evidence, subject.intent, subject.intent.language
    tellers: dict[FieldRole, Callable[[], str | None]] = {
        FieldRole.TEXT: lambda: _written(subject),
        FieldRole.CAPTION: lambda: _thing_in_words(subject) or captions.caption(evidence, language).text,
        FieldRole.DESCRIPTION: lambda: _thing_in_words(subject) or captions.describe(evidence, language).text,
        FieldRole.SCENE: lambda: _scene_in_words(evidence, language),
        FieldRole.TAGS: lambda: ", ".join(lists.tag_words(evidence, language)),
        FieldRole.HASHTAGS: lambda: lists.hashtags(intent, evidence).text,
        FieldRole.ANSWER: lambda: answer_intent(intent, evidence).text,
        FieldRole.ACTIVITY: lambda: _activity_in_words(evidence, language),
        FieldRole.INDEX: lambda: str(subject.index),
    }
    teller = tellers.get(meaning.role) if meaning.role else None
    return teller() or None if teller else None


def _written(subject: Subject) -> str:
    """The text on the thing that an object stands for, else all text."""
    if subject.thing:
        return text_on(subject.thing.box, subject.evidence)
    return "\n".join(line.text for line in subject.evidence.text or ())


def _scene_in_words(evidence: Evidence, language: Language) -> str | None:
    seen = scene_of(evidence)
    return language.scenes[seen.id].one if seen else None


def _activity_in_words(evidence: Evidence, language: Language) -> str | None:
    groups = captions.grouped(evidence.things(evidence.least.there))
    doing = captions.relation_in(groups, groups, evidence)
    return captions.doing_in_words(doing, language) if doing else None


def _text_about_things(meaning: Meaning, subject: Subject) -> str | None:
    language = subject.intent.language
    things = subject.about(meaning.entity)
    if meaning.role is FieldRole.COUNT:
        return str(subject.count if subject.thing else len(things))
    if meaning.role is FieldRole.THINGS:
        names = [captions.in_words(group, language, subject.evidence) for group in captions.grouped(things)]
        return language.listed(names) or None
    thing = things[0] if meaning.entity and things else None if meaning.entity else subject.leading
    if meaning.role is FieldRole.COLOUR and thing is None and not meaning.entity:
        palette = subject.evidence.detections.palette
        return language.colour(palette[0]) if palette else None
    if thing is None:
        return _named_by_classifier(meaning, subject)
    match meaning.role:
        case FieldRole.COLOUR:
            return language.colour(thing.colour) if thing.colour else None
        case FieldRole.POSITION:
            return language.cells[thing.cell].one
        case FieldRole.SIZE:
            return language.say(size_word(thing))
    return label_of(thing, subject.intent, subject.evidence)


def _named_by_classifier(meaning: Meaning, subject: Subject) -> str | None:
    """A label where the detector has none."""
    labels = subject.evidence.labels
    if meaning.role is not FieldRole.LABEL or meaning.entity or not labels or labels[0][1] < lists.TAG_LIKELY:
        return None
    return labels[0][0]


def _thing_in_words(subject: Subject) -> str | None:
    """A thing with its colour and place, where an object stands for one."""
    if subject.thing is None:
        return None
    language = subject.intent.language
    return captions.thing_in_words(subject.thing, language)


LONGEST_DESCRIBED = 4000
"""Characters of a prompt in which a shape is looked for."""

MOST_NAMES = 20
"""A prompt that seems to name more members than this describes something else."""

_LISTED = re.compile(
    r"\[\s*\{|\b(?:array|list) of (?:json )?(?:objects|dictionaries|dicts|records)\b", re.IGNORECASE
)

_TRUTHS = frozenset({FieldRole.INDOORS, FieldRole.OUTDOORS, FieldRole.BLURRY})
_LISTS = frozenset({FieldRole.THINGS, FieldRole.TAGS, FieldRole.HASHTAGS})
_KINDS = {FieldRole.COUNT: Kind.INTEGER, FieldRole.SCORE: Kind.NUMBER, FieldRole.INDEX: Kind.INTEGER}
_TRUE_OR_FALSE = re.compile(r"^(is|are|has|have|contains?) ")


def shape_in(text: str, languages: Languages) -> Schema | None:
    """The shape that a text describes: an object, or a list of objects; None if it describes none."""
    text = text[:LONGEST_DESCRIBED]
    names = names_in(text)
    if not 0 < len(names) <= MOST_NAMES:
        return None
    members = tuple(Property(name, _shape_of(meaning_of(name, languages)), required=True) for name in names)
    each = Schema(kinds=frozenset({Kind.OBJECT}), properties=members)
    if _LISTED.search(text):
        return Schema(kinds=frozenset({Kind.ARRAY}), items=each)
    return each


def _shape_of(meaning: Meaning) -> Schema:
    if meaning.role in _TRUTHS or _TRUE_OR_FALSE.match(meaning.words):
        return Schema(kinds=frozenset({Kind.BOOLEAN, Kind.NULL}))
    plural = meaning.words.endswith("s") and meaning.role is FieldRole.COLOUR
    things = meaning.role is None and meaning.entity is not None and not meaning.entity.single
    if meaning.role in _LISTS or plural or things:
        text = Schema(kinds=frozenset({Kind.STRING}))
        return Schema(kinds=frozenset({Kind.ARRAY}), items=text)
    if meaning.role in {FieldRole.BOX, FieldRole.POINT}:
        size = 4 if meaning.role is FieldRole.BOX else 2
        whole = Schema(kinds=frozenset({Kind.INTEGER}))
        return Schema(kinds=frozenset({Kind.ARRAY}), items=whole, min_items=size, max_items=size)
    kind = _KINDS.get(meaning.role, Kind.STRING) if meaning.role else Kind.STRING
    return Schema(kinds=frozenset({kind, Kind.NULL}))
