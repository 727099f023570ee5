"""Fills a response schema from evidence.

Each field is filled by what its name, its type and the prompt say it is for. Where nothing is known, a field
gets the value that says least (`engines/schemas.py`), and an optional one is left out. Nothing is made up to
satisfy a limit: a list of things that must be longer than what is seen is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from vidi.domain.geometry import GRID
from vidi.domain.schema import Kind, Property, Scalar, Schema
from vidi.engines.lite.answers import field_values, lists
from vidi.engines.lite.answers.captions import grouped
from vidi.engines.lite.answers.field_values import Meaning, Subject, meaning_of
from vidi.engines.lite.answers.kinds import SUPPORTED, best_option, plain, score_of
from vidi.engines.lite.answers.lists import as_things, label_of, wanted
from vidi.engines.lite.evidence import Evidence, Thing
from vidi.engines.lite.language.intents import Intent, Languages
from vidi.engines.schemas import (
    LONGEST_TEXT,
    Unfillable,
    alternatives,
    default_kind,
    element,
    fits,
    min_items,
    minimal_value,
    number,
    options,
    refuse,
)
from vidi.engines.validation import JsonValue, satisfies

NUMBERS = frozenset({Kind.INTEGER, Kind.NUMBER})
WHOLE = Meaning(role="answer")
"""What the whole value is for: the prompt's answer."""

EDGES = 3
"""So many members that are named like edges make a box."""

OF_A_THING = frozenset({"label", "box", "point", "box_edge", "score", "position"})
"""Roles by which the objects of a list are known to stand for things."""


@dataclass(frozen=True, slots=True)
class FilledValue:
    """A value, and whether evidence stands behind it."""

    value: JsonValue
    known: bool


def fill(schema: Schema, intent: Intent, evidences: Sequence[Evidence], tongues: Languages) -> JsonValue:
    """Fill a schema.

    Args:
        schema: The shape.
        intent: What the prompt wants.
        evidences: What is known about the pictures, at least one. A list whose elements stand for no thing
            gets one element for each picture; other values are about the first.
        tongues: The words that names and descriptions are read with.

    Raises:
        Unfillable: The schema contradicts itself, or wants more things than are seen.
    """
    value = _value(schema, intent, evidences, tongues)
    if satisfies(value, schema):
        return value
    least = minimal_value(schema)
    if satisfies(least, schema):
        return least
    raise refuse("$", "its parts contradict each other.")


def _value(schema: Schema, intent: Intent, evidences: Sequence[Evidence], tongues: Languages) -> JsonValue:
    subjects = [Subject(evidence, intent, tongues, index=at) for at, evidence in enumerate(evidences)]
    if len(subjects) > 1 and _for_each_picture(schema, tongues):
        shape = element(schema, 0)
        return [_fill(shape, WHOLE, each, f"$[{each.index}]").value for each in subjects]
    return _fill(schema, WHOLE, subjects[0], "$").value


def _for_each_picture(schema: Schema, tongues: Languages) -> bool:
    if schema.items is None or Kind.ARRAY not in schema.kinds or not schema.items.properties:
        return False
    roles = {meaning_of(each.name, tongues).role for each in schema.items.properties}
    return not roles & OF_A_THING


def _fill(schema: Schema, meaning: Meaning, subject: Subject, path: str) -> FilledValue:
    if schema.any_of:
        return _fill_alternative(schema, meaning, subject, path)
    if schema.enum is not None:
        return _fill_enum(schema, meaning, subject, path)
    kinds = schema.kinds or {default_kind(schema) if schema.properties or schema.items else Kind.STRING}
    for kind in Kind:
        if kind in kinds and kind is not Kind.NULL:
            filled = _fill_kind(kind, replace(schema, kinds=frozenset({kind})), meaning, subject, path)
            if filled.known or Kind.NULL not in kinds:
                return filled
    return FilledValue(minimal_value(schema, path), known=False)


def _fill_kind(kind: Kind, schema: Schema, meaning: Meaning, subject: Subject, path: str) -> FilledValue:
    match kind:
        case Kind.OBJECT:
            return _fill_object(schema, meaning, subject, path)
        case Kind.ARRAY:
            return _fill_array(schema, meaning, subject, path)
        case Kind.STRING:
            text = field_values.text(meaning, schema.description, subject)
            return _text(text, schema, path)
        case Kind.BOOLEAN:
            truth = field_values.truth(meaning, schema.description, subject)
            return FilledValue(bool(truth), known=truth is not None)
        case _:
            top = schema.maximum if kind is Kind.NUMBER or schema.maximum else 100
            value = field_values.number(meaning, top if meaning.role == "score" else schema.maximum, subject)
            return FilledValue(number(value or 0, schema, path), known=value is not None)


def _fill_alternative(schema: Schema, meaning: Meaning, subject: Subject, path: str) -> FilledValue:
    for option in alternatives(schema):
        if option.kinds != {Kind.NULL}:
            filled = _attempt(option, meaning, subject, path)
            if filled.known and satisfies(filled.value, schema):
                return filled
    return FilledValue(minimal_value(schema, path), known=False)


def _attempt(option: Schema, meaning: Meaning, subject: Subject, path: str) -> FilledValue:
    """One alternative; one that cannot be filled is as good as unknown."""
    try:
        return _fill(option, meaning, subject, path)
    except Unfillable:
        return FilledValue(None, known=False)


def _fill_enum(schema: Schema, meaning: Meaning, subject: Subject, path: str) -> FilledValue:
    allowed = options(schema)
    if not allowed:
        raise refuse(path, "its enum has no value of its type.")
    words = [each for each in allowed if isinstance(each, str)]
    if words:
        option, supported = _best_word(words, meaning, subject)
        if supported or None not in allowed:
            return FilledValue(option, known=supported)
        return FilledValue(None, known=False)
    return _nearest_number(allowed, meaning, subject)


def _best_word(words: Sequence[str], meaning: Meaning, subject: Subject) -> tuple[str, bool]:
    """The option that says the field's own fact, else the one that fits the picture best."""
    facts_known = {plain(fact) for fact in _own_facts(meaning, subject) if fact}
    own = next((word for word in words if plain(word) in facts_known), None)
    if own is not None:
        return own, True
    return best_option(words, subject.evidence, subject.intent.lexicon)


def _own_facts(meaning: Meaning, subject: Subject) -> Iterator[str | None]:
    """What the field would say if it were free text."""
    if meaning.role not in {"", "answer", "label"}:
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
    if value is None:
        return FilledValue(None if None in allowed else allowed[0], known=False)
    return FilledValue(min(numbers, key=lambda each: abs(each - value)), known=True)


def _text(text: str | None, schema: Schema, path: str) -> FilledValue:
    """A text within the schema's lengths, cut between words and filled up with blanks."""
    if text is None:
        return FilledValue(minimal_value(schema, path), known=False)
    least, most = schema.min_length or 0, schema.max_length
    if most is not None and len(text) > most:
        text = text[: most + 1].rpartition(" ")[0] or text[:most]
    if least > len(text) and least <= LONGEST_TEXT:
        text = text.ljust(least)
    if fits(text, schema):
        return FilledValue(text, known=True)
    return FilledValue(minimal_value(schema, path), known=False)


def _fill_object(schema: Schema, meaning: Meaning, subject: Subject, path: str) -> FilledValue:
    if meaning.mention:
        found = subject.about(meaning.mention)
        if not found:
            return FilledValue(minimal_value(schema, path), known=False)
        subject = replace(subject, thing=found[0])
    members: dict[str, JsonValue] = {}
    known = False
    for each in schema.properties:
        filled = _fill(each.schema, _meaning_in(schema, each, subject), subject, f"{path}.{each.name}")
        if filled.known or each.required:
            members[each.name] = filled.value
        known = known or filled.known
    return FilledValue(members, known)


def _meaning_in(schema: Schema, each: Property, subject: Subject) -> Meaning:
    """What a member is for; `width` and `height` are a box's only beside its other edges."""
    meaning = meaning_of(each.name, subject.tongues)
    if meaning.role != "box_edge":
        return meaning
    roles = [meaning_of(other.name, subject.tongues).role for other in schema.properties]
    if roles.count("box_edge") >= EDGES:
        return meaning
    return replace(meaning, role={"width": "image_width", "height": "image_height"}.get(meaning.words, ""))


def _fill_array(schema: Schema, meaning: Meaning, subject: Subject, path: str) -> FilledValue:
    least = min_items(schema, path)
    shape = element(schema, 0)
    kinds = shape.kinds or {default_kind(shape)}
    if kinds & NUMBERS and not shape.any_of:
        return _numbers(schema, meaning, subject, path)
    if shape.enum is not None:
        filled = _fitting_options(shape, subject)
    elif Kind.STRING in kinds:
        filled = _texts(shape, meaning, subject, path)
    else:
        filled = _objects(schema, meaning, subject, path)
    most = subject.intent.manner.limit if schema.max_items is None else schema.max_items
    values = filled[:most]
    if len(values) < least:
        values += _missing(schema, len(values), least, bool(filled), path)
    return FilledValue(list(values), known=bool(filled))


def _missing(schema: Schema, have: int, least: int, seen: bool, path: str) -> list[JsonValue]:
    """What a list lacks: elements that say nothing; things are not made up."""
    if seen and element(schema, have).properties:
        raise refuse(path, f"minItems is {least}, but {have} such things are seen in the picture.")
    return [minimal_value(element(schema, at), f"{path}[{at}]") for at in range(have, least)]


def _numbers(schema: Schema, meaning: Meaning, subject: Subject, path: str) -> FilledValue:
    """A box or a point, known by the name or by the number of elements."""
    least = min_items(schema, path)
    thing = subject.leading
    pair = meaning.role == "point" or (meaning.role != "box" and 2 in {schema.min_items, schema.max_items})
    if thing is None or not (pair or meaning.role == "box" or 4 in {schema.min_items, schema.max_items}):
        return FilledValue(minimal_value(schema, path), known=False)
    values = thing.box.centre().point() if pair else thing.box.box_2d()
    top = element(schema, 0).maximum
    scaled = [value / GRID if top is not None and top <= 1 else value for value in values]
    if len(scaled) < least or (schema.max_items is not None and len(scaled) > schema.max_items):
        return FilledValue(minimal_value(schema, path), known=False)
    return FilledValue(
        [number(value, element(schema, at), f"{path}[{at}]") for at, value in enumerate(scaled)], known=True
    )


def _fitting_options(shape: Schema, subject: Subject) -> list[JsonValue]:
    """The options that evidence supports, best first."""
    words = [each for each in options(shape) if isinstance(each, str) and satisfies(each, shape)]
    scores = {each: score_of(each, subject.evidence, subject.intent.lexicon) for each in words}
    return [*sorted((each for each in words if scores[each] >= SUPPORTED), key=lambda each: -scores[each])]


def _texts(shape: Schema, meaning: Meaning, subject: Subject, path: str) -> list[JsonValue]:
    filled = [_text(text, shape, path) for text in _all_texts(meaning, subject)]
    return [each.value for each in filled if each.known]


def _all_texts(meaning: Meaning, subject: Subject) -> Sequence[str]:
    evidence, language = subject.evidence, subject.intent.language
    match meaning.role:
        case "tags":
            return lists.tag_words(evidence, language)
        case "hashtags":
            return lists.hashtags(subject.intent, evidence).items
        case "text":
            return [line.text for line in evidence.text or ()]
        case "caption" | "description" | "scene" | "activity":
            return [text for text in (field_values.text(meaning, "", subject),) if text]
        case "colour":
            names = [thing.colour for thing in subject.about(meaning.mention)] if meaning.mention else []
            return [language.colour(name) for name in dict.fromkeys(names or evidence.sight.palette) if name]
    if not meaning.mention and meaning.role == "answer" and subject.intent.aim in {"tags", "hashtags"}:
        return lists.tags(subject.intent, evidence).items
    if not meaning.mention and meaning.role not in {"things", "label", "answer"}:
        return ()
    labels = (label_of(thing, subject.intent, evidence) for thing in subject.about(meaning.mention))
    return tuple(dict.fromkeys(labels))


def _objects(schema: Schema, meaning: Meaning, subject: Subject, path: str) -> list[JsonValue]:
    """One element for each thing that is meant, or for each class where they are counted."""
    things: Sequence[Thing] = subject.about(meaning.mention)
    if not meaning.mention:
        lines = _are_lines(element(schema, 0), subject)
        things = as_things(subject.evidence) if lines else wanted(subject.intent, subject.evidence)
    groups = [(thing, 1) for thing in things]
    if _counts_classes(element(schema, 0), subject):
        groups = [(group.things[0], len(group.things)) for group in grouped(things)]
    values: list[JsonValue] = []
    for at, (thing, count) in enumerate(groups):
        own = replace(subject, thing=thing, index=at, count=count)
        filled = _fill(element(schema, at), Meaning(role="box"), own, f"{path}[{at}]")
        if filled.known:
            values.append(filled.value)
    return values


def _are_lines(shape: Schema, subject: Subject) -> bool:
    """Whether the objects of a list are a text and its place, and no thing is named that it is on."""
    roles = {meaning_of(each.name, subject.tongues).role for each in shape.properties}
    named = any(mention.labels for mention in subject.intent.mentions)
    return "text" in roles and "label" not in roles and bool(roles & {"box", "box_edge"}) and not named


def _counts_classes(shape: Schema, subject: Subject) -> bool:
    """Whether the objects of a list have a count and no place of their own."""
    roles = {meaning_of(each.name, subject.tongues).role for each in shape.properties}
    return "count" in roles and not roles & {"box", "point", "box_edge", "score", "position"}
