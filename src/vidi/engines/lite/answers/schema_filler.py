"""Fills a response schema from evidence.

Each field is filled by what its name, its type and the prompt say it is for. Where nothing is known, a field
gets the value that says least (`engines/schemas.py`), and an optional one is left out. Nothing is made up to
satisfy a limit: a list of things that must be longer than what is seen is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from vidi.domain.budget import Budget
from vidi.domain.geometry import GRID
from vidi.domain.schema import JsonValue, Kind, Property, Scalar, Schema
from vidi.engines import schemas
from vidi.engines.grounding.coordinates import Unit, names_in
from vidi.engines.grounding.prompt_rewrite import means_boxes
from vidi.engines.grounding.schema import PlaceKind, flat_place_field, places_in
from vidi.engines.lite.answers import field_values, lists
from vidi.engines.lite.answers.captions import grouped
from vidi.engines.lite.answers.compare import differences, similarities
from vidi.engines.lite.answers.dispatch import answer_intent
from vidi.engines.lite.answers.field_values import SENTENCES, Meaning, Subject, meaning_of, place_numbers
from vidi.engines.lite.answers.kinds import SUPPORTED, best_option, plain, score_of
from vidi.engines.lite.answers.lists import as_things, label_of, wanted
from vidi.engines.lite.answers.where import relations
from vidi.engines.lite.evidence import Evidence, Thing
from vidi.engines.lite.language.intents import Intent, Languages
from vidi.engines.lite.language.language import FieldRole, IntentKind
from vidi.engines.lite.language.style import sentences_of
from vidi.engines.schemas import (
    NOTHING,
    Elements,
    FilledValue,
    ValueSource,
    default_kind,
    minimal_value,
    options,
    refuse,
)
from vidi.engines.validation import satisfies

FILL_BUDGET = 25_000
"""Options that are held against the pictures and members whose names are read, as `schemas` counts them, for
one answer: a second's work, and twenty enums of 1,000 labels."""

NUMBERS = frozenset({Kind.INTEGER, Kind.NUMBER})
WHOLE = Meaning(role=FieldRole.ANSWER)
"""What the whole value is for: the prompt's answer."""

_SIZES = {"width": FieldRole.IMAGE_WIDTH, "height": FieldRole.IMAGE_HEIGHT}

EDGES = 3
"""So many members that are named like edges make a box."""

BOXES = frozenset({FieldRole.BOX, FieldRole.BOX_EDGE})
PLACES = BOXES | {FieldRole.POINT}
OF_ONE_THING = PLACES | {FieldRole.SCORE, FieldRole.POSITION}
"""Roles by which each object of a list is known to stand for one thing, and not for all of a class."""

OF_A_THING = OF_ONE_THING | {FieldRole.LABEL, FieldRole.RELATION}
"""Roles by which the objects of a list are known to stand for things."""

OF_A_RELATION = frozenset({FieldRole.LABEL, FieldRole.FOREMOST})
"""Roles of the two things of a relation."""


def fill(schema: Schema, intent: Intent, evidences: Sequence[Evidence], languages: Languages) -> JsonValue:
    """Fill a schema.

    Args:
        schema: The shape.
        intent: What the prompt wants.
        evidences: What is known about the pictures, at least one. A list whose elements stand for no thing
            gets one element for each picture; other values are about the first.
        languages: The words that names and descriptions are read with.

    Raises:
        Unfillable: The schema contradicts itself, or wants more things than are seen.
    """
    value = _value(schema, intent, evidences, languages)
    if satisfies(value, schema):
        return value
    # Facts that each fit their own part may break what holds for the whole: then nothing is claimed.
    least = minimal_value(schema)
    if satisfies(least, schema):
        return least
    raise refuse("$", "its parts contradict each other.")


def _value(schema: Schema, intent: Intent, evidences: Sequence[Evidence], languages: Languages) -> JsonValue:
    boxes = intent.kind is IntentKind.DETECT or means_boxes(intent.text)
    subject = Subject(evidences[0], intent, languages, wants_boxes=boxes, pictures=tuple(evidences))
    return schemas.fill(schema, Known(WHOLE, subject), budget=Budget(FILL_BUDGET)).value


def _for_each_picture(schema: Schema, meaning: Meaning, subject: Subject) -> bool:
    """Whether the elements of a list stand for the pictures, in their order."""
    language, several = subject.intent.language, len(subject.pictures) > 1
    shape = schema.element(0)
    by_name = language.matches(language.pronouns, "pictures", meaning.words) is not None
    if subject.thing or meaning.place:
        return False
    if shape.properties:
        # [{"caption": ...}] can only mean pictures; [{"label": ..., "box_2d": ...}] means things of one.
        roles = {each.role for each in _meanings_in(shape, subject)}
        if FieldRole.IMAGE_NUMBER in roles:
            return several and not roles & PLACES
        return not roles & OF_A_THING if several else by_name and not roles & OF_A_THING
    asked = language.matches(language.pronouns, "each_picture", subject.intent.text) is not None
    told = meaning == WHOLE and subject.intent.kind in SENTENCES | {IntentKind.DESCRIBE}
    return several and (by_name or (meaning == WHOLE and (asked or told)))


@dataclass(frozen=True, slots=True)
class Known:
    """The source that knows the evidence.

    Attributes:
        meaning: What the place in the schema is for.
        subject: What it is about.
    """

    meaning: Meaning
    subject: Subject

    def kinds(self, schema: Schema, /) -> Sequence[Kind]:
        """Every type that may be known, where null can stand for what is not; else the first alone."""
        # Without null something must be said, and the first type is the likeliest to have been meant.
        allowed = schema.kinds
        if not allowed:
            allowed = frozenset({default_kind(schema) if schema.properties or schema.items else Kind.STRING})
        known = [kind for kind in Kind if kind in allowed and kind is not Kind.NULL]
        return [*known, Kind.NULL] if Kind.NULL in allowed else known[:1]

    def scalar(self, kind: Kind, schema: Schema, /) -> Scalar:
        """The fact that stands here."""
        if kind is Kind.STRING:
            return field_values.text(self.meaning, schema.description, self.subject)
        if kind is Kind.BOOLEAN:
            return field_values.truth(self.meaning, schema.description, self.subject)
        top = schema.maximum
        if self.meaning.role is FieldRole.SCORE and kind is Kind.INTEGER and not top:
            top = 100
        return field_values.number(self.meaning, top, self.subject)

    def blank(self, schema: Schema, /) -> str | float:
        """That it is not known; the middle of a scale."""
        if schema.kinds & NUMBERS:
            return field_values.middle(self.meaning, schema.minimum, schema.maximum, self.subject) or 0
        return field_values.blank(self.meaning, schema.description, self.subject)

    def choose(self, allowed: Sequence[Scalar], /) -> FilledValue:
        """The option that fits the picture best, or the number nearest to what is known."""
        words = [each for each in allowed if isinstance(each, str)]
        if not words:
            return _nearest_number(allowed, self.meaning, self.subject)
        option, supported = _best_word(words, self.meaning, self.subject)
        if not supported and None in allowed:
            return FilledValue(None, known=False)
        return FilledValue(option, known=supported)

    def members(self, schema: Schema, /) -> Sequence[ValueSource]:
        """What is known about the thing that an object stands for; nothing where that is not seen."""
        subject = self.subject
        named = subject.named_picture(self.meaning)
        if named is not None:
            subject = subject.at_picture(named)
        elif self.meaning.entity:
            thing = _thing_of(self.meaning, subject)
            if thing is None:
                return [NOTHING] * len(schema.properties)
            subject = replace(subject, thing=thing)
        numbers = _place_members(schema, self.meaning, subject)
        meanings = _meanings_in(schema, subject)
        if subject.other is None and any(each.role is FieldRole.RELATION for each in meanings):
            subject = next((each.subject for each in _relations(subject)), subject)
        return [
            Fact(numbers[each.name]) if each.name in numbers else Known(*subject.of_picture(meaning))
            for each, meaning in zip(schema.properties, meanings, strict=True)
        ]

    def elements(self, schema: Schema, /) -> Elements:
        """The numbers of a place, the options that fit, texts, or things."""
        shape = schema.element(0)
        if _for_each_picture(schema, self.meaning, self.subject):
            own = WHOLE if self.meaning.role in {None, FieldRole.THINGS} else self.meaning
            subjects = [self.subject.at_picture(at) for at in range(len(self.subject.pictures))]
            if shape.kinds == {Kind.STRING} and shape.enum is None and own == WHOLE:
                return Elements([Fact(_one_text(each)) for each in subjects], every=True)
            return Elements([Known(own, each) for each in subjects], every=True)
        kinds = shape.kinds or {default_kind(shape)}
        limit = self.subject.intent.style.limit
        if kinds & NUMBERS and not shape.any_of:
            return Elements(_numbers(schema, self.meaning, self.subject))
        if shape.enum is not None:
            return Elements(_fitting_options(shape, self.subject), limit)
        if Kind.STRING in kinds:
            return Elements([Fact(text) for text in _all_texts(self.meaning, self.subject)], limit)
        return Elements(_things(schema, self.meaning, self.subject), limit, strict=True)


@dataclass(frozen=True, slots=True)
class Fact:
    """The source that knows one value, such as an element of a list."""

    value: str | float

    def kinds(self, schema: Schema, /) -> Sequence[Kind]:
        """The value's own type where the schema allows it."""
        own = Kind.STRING if isinstance(self.value, str) else Kind.NUMBER
        allowed = [kind for kind in Kind if kind in schema.kinds]
        fitting = {own, Kind.INTEGER} if own is Kind.NUMBER else {own}
        return [kind for kind in allowed if kind in fitting] or [own]

    def scalar(self, _kind: Kind, _schema: Schema, /) -> Scalar:
        """The value."""
        return self.value

    def blank(self, _schema: Schema, /) -> str | float:
        """Nothing."""
        return ""

    def choose(self, allowed: Sequence[Scalar], /) -> FilledValue:
        """The value if it is among the options."""
        return FilledValue(self.value, known=self.value in allowed)

    def members(self, schema: Schema, /) -> Sequence[ValueSource]:
        """Nothing."""
        return [NOTHING] * len(schema.properties)

    def elements(self, _schema: Schema, /) -> Elements:
        """Nothing."""
        return Elements()


def _best_word(words: Sequence[str], meaning: Meaning, subject: Subject) -> tuple[str, bool]:
    """The option that says the field's own fact, else the one that fits the picture best."""
    facts_known = {plain(fact) for fact in _own_facts(meaning, subject) if fact}
    own = next((word for word in words if plain(word) in facts_known), None)
    if own is not None:
        return own, True
    every = tuple(subject.languages.by_id.values())
    return best_option(words, subject.evidence, subject.intent.lexicon, every)


def _own_facts(meaning: Meaning, subject: Subject) -> Iterator[str | None]:
    """What the field would say if it were free text."""
    if subject.intent.letters:
        yield answer_intent(subject.intent, subject.evidence).brief
    if meaning.role not in {None, FieldRole.ANSWER, FieldRole.LABEL}:
        yield field_values.text(meaning, "", subject)
    truth = field_values.truth(meaning, "", subject)
    if truth is not None:
        yield subject.intent.language.say("yes" if truth else "no")
    if subject.thing:
        yield subject.thing.label
        yield label_of(subject.thing, subject.intent, subject.evidence)


def _nearest_number(allowed: Sequence[Scalar], meaning: Meaning, subject: Subject) -> FilledValue:
    numbers = [each for each in allowed if isinstance(each, int | float) and not isinstance(each, bool)]
    value = field_values.number(meaning, None, subject) if numbers else None
    known = value is not None
    if value is None and numbers and None not in allowed:
        value = field_values.middle(meaning, min(numbers), max(numbers), subject)
    if value is None:
        return FilledValue(None if None in allowed else allowed[0], known=False)
    return FilledValue(min(numbers, key=lambda each: abs(each - value)), known)


def _meanings_in(schema: Schema, subject: Subject) -> Sequence[Meaning]:
    """What each member is for; `width` and `height` are a box's only beside its other edges."""
    meanings = [meaning_of(each.name, subject.languages, each.schema) for each in schema.properties]
    if not {each.role for each in meanings} & PLACES:
        # Under a name that tells nothing, the only list of numbers is a box if the prompt asks for one, or
        # if there are four of them.
        unnamed = places_in(schema, asked=True)
        places = [
            unnamed.get(each.name) if subject.wants_boxes or each.schema.min_items == 4 else None
            for each in schema.properties
        ]
        meanings = [
            replace(meaning, role=FieldRole.BOX, place=place) if place else meaning
            for meaning, place in zip(meanings, places, strict=True)
        ]
    if any(each.role is FieldRole.RELATION for each in meanings):
        # Who does it, what is done, and with what: the last thing of such a triple is the other one.
        last = max((at for at, each in enumerate(meanings) if each.role in OF_A_RELATION), default=0)
        meanings = [
            replace(each, role=FieldRole.OTHER_THING) if at == last and at else each
            for at, each in enumerate(meanings)
        ]
    if sum(each.role is FieldRole.BOX_EDGE for each in meanings) >= EDGES:
        return meanings
    return [
        replace(each, role=_SIZES.get(each.words)) if each.role is FieldRole.BOX_EDGE else each
        for each in meanings
    ]


def _thing_of(meaning: Meaning, subject: Subject) -> Thing | None:
    """The thing that a field is about: of a place, the one that is spoken of anyway if the name fits it."""
    entity = meaning.entity
    own = subject.thing and (entity is None or entity.means(subject.thing))
    if entity is None or (meaning.place and own):
        return subject.leading
    return next(iter(subject.about(entity)), None)


def _place_members(schema: Schema, meaning: Meaning, subject: Subject) -> Mapping[str, float]:
    """The numbers of an object that is a place, or has one among its own members, by name."""
    place = meaning.place if meaning.place and meaning.place.members else flat_place_field(schema)
    if place is None or subject.leading is None:
        return {}
    numbers = place_numbers(subject.leading.box, place)
    scale = GRID if place.measured(None) is Unit.PARTS else 1
    return {name: value / scale for name, value in zip(place.members, numbers, strict=True)}


def _numbers(schema: Schema, meaning: Meaning, subject: Subject) -> Sequence[Fact]:
    """A box or a point, known by the name or by the number of elements."""
    role, sizes = meaning.role, {schema.min_items, schema.max_items}
    thing = _thing_of(meaning, subject) if role in {FieldRole.BOX, FieldRole.POINT} else subject.leading
    pair = role is FieldRole.POINT or (role is not FieldRole.BOX and 2 in sizes)
    if thing is None or not (pair or role is FieldRole.BOX or 4 in sizes):
        return ()
    values = thing.box.centre().point() if pair else thing.box.box_2d()
    most = len(values) if schema.max_items is None else schema.max_items
    if not (schema.min_items or 0) <= len(values) <= most:
        return ()
    top = schema.element(0).maximum
    return [Fact(value / GRID if top is not None and top <= 1 else value) for value in values]


def _fitting_options(shape: Schema, subject: Subject) -> Sequence[Fact]:
    """The options that evidence supports, best first."""
    rest = replace(shape, enum=None)
    words = [each for each in options(shape) if isinstance(each, str)]
    words = [each for each in words if satisfies(each, rest)] if shape.any_of else words
    scores = {each: score_of(each, subject.evidence, subject.intent.lexicon) for each in words}
    fitting = sorted((each for each in words if scores[each] >= SUPPORTED), key=lambda each: -scores[each])
    return [Fact(each) for each in fitting]


ONE_TEXT = frozenset(
    {
        *(FieldRole.CAPTION, FieldRole.SCENE, FieldRole.ROOM, FieldRole.ACTIVITY, FieldRole.BREED),
        *(FieldRole.FOREMOST, FieldRole.SPORT, FieldRole.FAMILY, FieldRole.DISH),
    }
)
"""Roles whose list has one element."""


def _all_texts(meaning: Meaning, subject: Subject) -> Sequence[str]:
    """The texts of a list."""
    role, intent, evidence = meaning.role, subject.intent, subject.evidence
    if role in ONE_TEXT:
        return [text for text in (field_values.text(meaning, "", subject),) if text]
    tellers: Mapping[FieldRole, Callable[[], Sequence[str]]] = {
        FieldRole.TAGS: lambda: lists.tag_words(evidence, intent.language),
        FieldRole.HASHTAGS: lambda: lists.hashtags(intent, evidence).items,
        FieldRole.TEXT: lambda: [line.text for line in evidence.text or ()],
        FieldRole.DESCRIPTION: lambda: sentences_of(field_values.text(meaning, "", subject) or ""),
        FieldRole.DIFFERENCES: lambda: differences(intent, subject.pictures),
        FieldRole.SIMILARITIES: lambda: similarities(subject.pictures, intent.language),
        FieldRole.COLOUR: lambda: _colours(meaning, subject),
    }
    teller = tellers.get(role) if role else None
    if teller:
        return teller()
    if not meaning.entity and role is FieldRole.ANSWER and intent.kind in TAGGING:
        return lists.tags(intent, evidence).items
    if not meaning.entity and role not in OF_THINGS:
        return ()
    things = field_values.things_at(meaning, subject)
    return tuple(dict.fromkeys(label_of(thing, intent, evidence) for thing in things))


def _one_text(subject: Subject) -> str:
    """The one text of a picture in a list of several: a sentence only where that is asked for."""
    if subject.intent.kind not in SENTENCES | {IntentKind.DESCRIBE}:
        answer = answer_intent(subject.intent, subject.evidence)
        brief = answer.brief if answer.known else ""
        return brief or next(iter(_all_texts(WHOLE, subject)), "")
    return field_values.text(WHOLE, "", subject) or ""


TAGGING = frozenset({IntentKind.TAGS, IntentKind.HASHTAGS})
OF_THINGS = frozenset({FieldRole.THINGS, FieldRole.LABEL, FieldRole.ANSWER})


def _colours(meaning: Meaning, subject: Subject) -> Sequence[str]:
    """The colours of the things that a name speaks of, else of the picture."""
    names = [thing.colour for thing in subject.about(meaning.entity)] if meaning.entity else []
    shown = names or subject.evidence.detections.palette
    return [subject.intent.language.colour(name) for name in dict.fromkeys(shown) if name]


def _relations(subject: Subject) -> Sequence[Known]:
    """One element for each pair of things that have to do with each other."""
    language = subject.intent.language
    return [
        Known(WHOLE, replace(subject, thing=one, other=other, relation=words, index=at))
        for at, (one, words, other) in enumerate(relations(subject.evidence, language))
    ]


def _things(schema: Schema, meaning: Meaning, subject: Subject) -> Sequence[Known]:
    """One element for each thing that is meant, or for each class where they are counted.

    Where each is said to be in a picture by its number, those of all pictures.
    """
    roles = {each.role for each in _meanings_in(schema.element(0), subject)}
    if FieldRole.RELATION in roles:
        return _relations(subject)
    if FieldRole.IMAGE_NUMBER in roles and len(subject.pictures) > 1:
        return [
            each
            for at in range(len(subject.pictures))
            for each in _things_of_one(schema, meaning, subject.at_picture(at))
        ]
    return _things_of_one(schema, meaning, subject)


def _things_of_one(schema: Schema, meaning: Meaning, subject: Subject) -> Sequence[Known]:
    things: Sequence[Thing] = field_values.things_at(meaning, subject)
    if not meaning.entity:
        lines = _are_lines(schema.element(0), subject)
        things = as_things(subject.evidence) if lines else wanted(subject.intent, subject.evidence)
    groups = [(thing, 1) for thing in things]
    if _counts_classes(schema.element(0), subject):
        groups = [(group.things[0], len(group.things)) for group in grouped(things)]
    points = meaning.place is not None and meaning.place.kind is PlaceKind.POINTS
    inner = Meaning(role=FieldRole.POINT if points else FieldRole.BOX)
    return [
        Known(inner, replace(subject, thing=thing, index=at, count=count))
        for at, (thing, count) in enumerate(groups)
    ]


def _are_lines(shape: Schema, subject: Subject) -> bool:
    """Whether the objects of a list are a text and its place, and no thing is named that it is on."""
    roles = {each.role for each in _meanings_in(shape, subject)}
    named = FieldRole.LABEL in roles or any(entity.labels for entity in subject.intent.entities)
    return FieldRole.TEXT in roles and bool(roles & BOXES) and not named


def _counts_classes(shape: Schema, subject: Subject) -> bool:
    """Whether the objects of a list have a count and no place of their own."""
    roles = {each.role for each in _meanings_in(shape, subject)}
    return FieldRole.COUNT in roles and not roles & OF_ONE_THING


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
