"""Single facts for single fields: a text, a number or a truth that the evidence carries, or None."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from vidi.domain.geometry import Box
from vidi.domain.schema import Kind, Property, Schema
from vidi.engines.grounding.schema import PlaceField, PlaceKind, place_field
from vidi.engines.lite.answers import captions, kinds, lists, questions, where
from vidi.engines.lite.answers.captions import indoors
from vidi.engines.lite.answers.compare import differences, is_same, similarities
from vidi.engines.lite.answers.dispatch import answer_intent
from vidi.engines.lite.answers.kinds import BLURRY, plain
from vidi.engines.lite.answers.lists import label_of, text_on
from vidi.engines.lite.answers.resolve import cell_in, find, kind_in, lies_in
from vidi.engines.lite.evidence import Evidence, Thing
from vidi.engines.lite.language.intents import Entity, Intent, Languages, Lexicon
from vidi.engines.lite.language.language import FieldRole, IntentKind, Language, lowered
from vidi.engines.lite.language.noun_phrases import picture_mentions
from vidi.engines.lite.language.style import AnswerStyle, AnswerText, style_of, styled

_ASKING = re.compile(
    r"^(is|are|has|have|contains?|includes?|shows?|there (is|are)|any)\b"
    r"|^(number of|num|count of|total|how many)\b"
    r"|\b(present|visible|detected|exists?|found|count|total|colou?rs?|type|kind|name|names|list|class|species)$"
)


QUESTIONS = frozenset(
    {
        IntentKind.COUNT,
        IntentKind.COLOUR,
        IntentKind.EXISTS,
        IntentKind.STATE,
        IntentKind.EXTREME,
        IntentKind.READ,
        IntentKind.NEAR,
        IntentKind.WHERE_FIRST,
        IntentKind.WHERE_PART,
        IntentKind.KIND,
        IntentKind.SCENE,
        IntentKind.SIDE,
        IntentKind.WHERE,
        IntentKind.ACTIVITY,
        IntentKind.CHOOSE,
    }
)
"""Kinds of intent by which a field's description, or its name, is known to be a question."""

YES_OR_NO = frozenset({IntentKind.EXISTS, IntentKind.STATE})

SENTENCES = frozenset({IntentKind.CAPTION, IntentKind.ALT})
"""Kinds of intent by which a field's description is known to ask for a sentence about the picture."""

WORDLESS = frozenset({FieldRole.TEXT, FieldRole.THINGS, FieldRole.TAGS, FieldRole.HASHTAGS})
"""Roles whose empty text says that there is none."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a field is for.

    Attributes:
        role: What it holds, if its name says so.
        edge: Which edge of a box it is, for the role box_edge.
        entity: The thing that the name speaks of, if any.
        words: The name as words.
        place: How the field holds a place, for the roles box and point.
        bare: Whether the name says no more than that thing: `has_dog`, but not `is_dog_asleep`.
    """

    role: FieldRole | None = None
    edge: str = ""
    entity: Entity | None = None
    words: str = ""
    place: PlaceField | None = None
    bare: bool = True


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
    edge, bare = "", True
    for language in languages.by_id.values():
        if role is None:
            role, edge = _role(words, language)
        lexicon = languages.lexicons[language.id]
        named = next((each for each in lexicon.entities(core or words) if each.labels), None)
        if named and entity is None:
            entity, bare = named, _says_no_more(core or words, named, lexicon)
    return Meaning(role, edge, entity, words, bare=bare)


def _says_no_more(words: str, entity: Entity, lexicon: Lexicon) -> bool:
    """Whether nothing but a thing, its colour and that it is there stands in a name."""
    rest = words.replace(entity.word, " ", 1)
    for pattern in lexicon.language.pronouns["present"]:
        rest = pattern.sub(" ", rest)
    return all(word in lexicon.colours for word in rest.split())


def _role(words: str, language: Language) -> tuple[FieldRole | None, str]:
    named = language.fields.any.fullmatch(words) is not None
    for role, patterns in language.fields.items() if named else ():
        for pattern in patterns:
            match = pattern.fullmatch(words)
            if match:
                return role, match.groupdict().get("edge") or ""
    return None, ""


LARGE = 0.25
MEDIUM = 0.05
"""Part of the picture from which a thing is large, and medium."""


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
        pictures: All pictures, this one among them.
        picture: The number of this one, from 0.
        other: The thing that the thing has to do with, in a relation.
        relation: What the thing does with the other, in words.
    """

    evidence: Evidence
    intent: Intent
    languages: Languages
    thing: Thing | None = None
    index: int = 0
    count: int = 1
    wants_boxes: bool = False
    pictures: tuple[Evidence, ...] = ()
    picture: int = 0
    other: Thing | None = None
    relation: str = ""

    def at_picture(self, at: int) -> Subject:
        """The same about another picture."""
        return replace(self, evidence=self.pictures[at], picture=at, index=at, thing=None)

    @property
    def leading(self) -> Thing | None:
        """The thing it is about, else the first that the prompt means, else the most prominent.

        Of the one thing that the prompt names nothing is told by another.
        """
        if self.thing:
            return self.thing
        named = [each for each in self.intent.entities if each.labels]
        for entity in named:
            found = find(entity, self.evidence, self.evidence.least.there)
            if found:
                return found[0]
        if len(named) == 1:
            return None
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

    def named_picture(self, meaning: Meaning) -> int | None:
        """The picture that a field's name speaks of, as `second_image`; None if it is this one."""
        if len(self.pictures) < 2:
            return None
        every = self.languages.by_id.values()
        found = {each.at for each in picture_mentions(meaning.words, every, len(self.pictures))}
        at = found.pop() if len(found) == 1 else len(self.pictures)
        return at if at < len(self.pictures) else None

    def of_picture(self, meaning: Meaning) -> tuple[Meaning, Subject]:
        """What a member is for, and about: of `image_2_caption` a caption, and the second picture."""
        at = self.named_picture(meaning)
        if at is None:
            return meaning, self
        every = tuple(self.languages.by_id.values())
        (mention, *_) = picture_mentions(meaning.words, every, len(self.pictures))
        rest = f"{meaning.words[: mention.start]} {meaning.words[mention.stop :]}"
        known = meaning_of(rest, self.languages)
        return (known if rest.strip() else meaning), self.at_picture(at)

    def asked(self, text: str) -> Intent | None:
        """A field's description or name read as a question, if it is one."""
        if not text:
            return None
        intent = self.languages.parse_text(lowered(text), self.intent.language)
        return intent if intent.kind in QUESTIONS | SENTENCES else None


def text(meaning: Meaning, description: str, subject: Subject) -> str | None:
    """The text of a field, in as few words as its description asks for."""
    told = _text_of_role(meaning, subject)
    if told is None and not meaning.role and meaning.entity and meaning.bare:
        found = subject.about(meaning.entity)
        return subject.intent.language.noun(found[0].label).one if found else None
    language = subject.intent.language
    if told is None and not meaning.role and language.matches(language.pronouns, "things", meaning.words):
        there = things_at(meaning, subject) if cell_in(meaning.words, language) else ()
        told = language.noun(there[0].label).one if there else None
    asked = subject.asked(description) or subject.asked(meaning.words)
    if meaning.role or (asked and not description and asked.kind in YES_OR_NO):
        asked = None
    if told is None and asked:
        answer = answer_intent(asked, subject.evidence)
        short = "" if asked.kind in SENTENCES else answer.brief
        told = (short or answer.text) if answer.known else None
    if told is None or not description:
        return told
    words = style_of("", lowered(description), tuple(subject.languages.by_id.values())).words
    return styled(AnswerText(told), AnswerStyle(words=words), subject.intent.language) if words else told


def things_at(meaning: Meaning, subject: Subject) -> tuple[Thing, ...]:
    """The things of a list: at the place, or on the thing, that its name says."""
    language, entity = subject.intent.language, meaning.entity
    cell = cell_in(meaning.words, language) if meaning.words else ""
    if entity and entity.anchor and meaning.role is not FieldRole.COUNT:
        return where.around(entity, subject.evidence, upon=True)
    things = subject.about(entity)
    return tuple(thing for thing in things if lies_in(thing, cell)) if cell else things


def middle(meaning: Meaning, least: float | None, top: float | None, subject: Subject) -> float | None:
    """The middle of a scale on which something is to be rated: it neither praises nor blames."""
    every = subject.languages.by_id.values()
    rates = any(each.matches(each.pronouns, "rating", meaning.words) for each in every)
    return (least + top) / 2 if rates and least is not None and top is not None else None


def blank(meaning: Meaning, description: str, subject: Subject) -> str:
    """The text of a field of which nothing is known: that it is not known, where a fact is asked for."""
    asks = bool(description) or meaning.role is not None
    return subject.intent.language.say("unknown") if asks and meaning.role not in WORDLESS else ""


def number(meaning: Meaning, top: float | None, subject: Subject) -> float | None:
    """The number of a field; `top` is the largest that it may be."""
    placement = subject.evidence.picture.placement
    thing = subject.leading
    match meaning.role:
        case FieldRole.SCORE:
            return None if thing is None else round(thing.score * (100 if top and top > 1 else 1), 3)
        case FieldRole.BOX_EDGE:
            return None if thing is None else where.edge(thing.box, meaning.edge, top)
        case FieldRole.ANSWER:
            answer = answer_intent(subject.intent, subject.evidence)
            return int(answer.brief) if answer.brief.isdecimal() else None
    whole = {
        FieldRole.INDEX: subject.index,
        FieldRole.IMAGE_NUMBER: subject.picture + 1,
        FieldRole.IMAGE_WIDTH: placement.source_width,
        FieldRole.IMAGE_HEIGHT: placement.source_height,
    }
    if meaning.role in whole:
        return whole[meaning.role]
    return _count(meaning, subject) if meaning.role is FieldRole.COUNT or meaning.entity else None


def _count(meaning: Meaning, subject: Subject) -> int:
    evidence, entity = subject.evidence, meaning.entity
    if entity:
        return len(find(entity, evidence, evidence.least.numbered))
    if subject.thing:
        return subject.count
    # Beside a list of what was asked for, its length.
    if subject.wants_boxes:
        return len(lists.wanted(subject.intent, evidence))
    return len(subject.about(None))


def truth(meaning: Meaning, description: str, subject: Subject) -> bool | None:
    """Whether what a field says is so."""
    evidence, language = subject.evidence, subject.intent.language
    inside = indoors(evidence) if meaning.role in {FieldRole.INDOORS, FieldRole.OUTDOORS} else None
    if inside is not None:
        return inside == (meaning.role is FieldRole.INDOORS)
    if meaning.role is FieldRole.BLURRY:
        return evidence.detections.sharpness < BLURRY
    if meaning.role is FieldRole.HAS_TEXT:
        return None if evidence.text is None else bool(evidence.text)
    if meaning.role is FieldRole.SAME:
        return is_same(subject.intent, subject.pictures)
    if meaning.entity and meaning.bare:
        there = bool(find(meaning.entity, evidence, evidence.least.there))
        return there or (
            not meaning.entity.colour and kind_in(meaning.entity, evidence) >= evidence.least.kind_there
        )
    asked = subject.asked(description) or subject.asked(meaning.words)
    asked = asked or (subject.intent if meaning.role is FieldRole.ANSWER else None)
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
    worn = _colour_worn(meaning, subject) if meaning.role is FieldRole.COLOUR else None
    if worn:
        return worn.brief if worn.known else None
    if meaning.role in _ABOUT_THINGS:
        return _text_about_things(meaning, subject)
    evidence, intent, language = subject.evidence, subject.intent, subject.intent.language
    thing = subject.leading
    tellers: dict[FieldRole, Callable[[], str | None]] = {
        FieldRole.TEXT: lambda: _written(subject),
        FieldRole.CAPTION: lambda: _thing_in_words(subject) or captions.caption(evidence, language).text,
        FieldRole.DESCRIPTION: lambda: _thing_in_words(subject) or captions.describe(evidence, language).text,
        FieldRole.SCENE: lambda: kinds.place_word(evidence, language),
        FieldRole.ROOM: lambda: kinds.room_word(evidence, language),
        FieldRole.FOREMOST: lambda: _foremost_in_words(subject),
        FieldRole.SPORT: lambda: _sport_in_words(subject),
        FieldRole.BREED: lambda: _breed_of(meaning, subject),
        FieldRole.DISH: lambda: _dish_in_words(subject),
        FieldRole.FAMILY: lambda: kinds.family_word(thing, evidence, language) if thing else None,
        FieldRole.DIFFERENCES: lambda: " ".join(differences(intent, subject.pictures)),
        FieldRole.SIMILARITIES: lambda: language.listed(similarities(subject.pictures, language)),
        FieldRole.RELATION: lambda: subject.relation,
        FieldRole.OTHER_THING: lambda: label_of(subject.other, intent, evidence) if subject.other else None,
        FieldRole.IMAGE_NUMBER: lambda: str(subject.picture + 1),
        FieldRole.TAGS: lambda: ", ".join(lists.tag_words(evidence, language)),
        FieldRole.HASHTAGS: lambda: lists.hashtags(intent, evidence).text,
        FieldRole.ANSWER: lambda: answer_intent(intent, evidence).text,
        FieldRole.ACTIVITY: lambda: _activity_in_words(meaning, subject),
        FieldRole.INDEX: lambda: str(subject.index),
    }
    teller = tellers.get(meaning.role) if meaning.role else None
    return teller() or None if teller else None


def _written(subject: Subject) -> str:
    """The text on the thing that an object stands for, else all text."""
    if subject.thing:
        return text_on(subject.thing.box, subject.evidence)
    return "\n".join(line.text for line in subject.evidence.text or ())


def _foremost_in_words(subject: Subject) -> str | None:
    """What stands out; the thing itself where an object stands for one."""
    language, evidence = subject.intent.language, subject.evidence
    thing = subject.leading
    if thing is None or subject.thing:
        return label_of(thing, subject.intent, evidence) if thing else None
    return language.noun(thing.label).one


def _breed_of(meaning: Meaning, subject: Subject) -> str | None:
    thing = next(iter(subject.about(meaning.entity)), None) if meaning.entity else subject.leading
    return kinds.breed_of(thing, subject.evidence) if thing else None


def _dish_in_words(subject: Subject) -> str | None:
    """The food that stands out: crockery, which the word means elsewhere, has no name on a menu."""
    evidence, foods = subject.evidence, subject.evidence.world.groups["food"]
    things = (subject.thing,) if subject.thing else evidence.things()
    thing = next((each for each in things if each.label in foods), None)
    return label_of(thing, subject.intent, evidence) if thing else kinds.kind_among(foods, evidence)


def _sport_in_words(subject: Subject) -> str | None:
    answer = where.sport(replace(subject.intent, text="", entities=()), subject.evidence)
    return answer.brief if answer.known else None


def _activity_in_words(meaning: Meaning, subject: Subject) -> str | None:
    """What the thing that is meant does, else whoever does something."""
    evidence = subject.evidence
    groups = captions.grouped(evidence.things(evidence.least.there))
    whos = groups
    if meaning.entity or subject.thing:
        meant = subject.about(meaning.entity) if meaning.entity else (subject.thing,)
        whos = captions.grouped([thing for thing in meant if thing])
    doing = captions.relation_in(whos, groups, evidence)
    return captions.doing_in_words(doing, subject.intent.language) if doing else None


def _text_about_things(meaning: Meaning, subject: Subject) -> str | None:
    language = subject.intent.language
    things = subject.about(meaning.entity)
    if meaning.role is FieldRole.COUNT:
        return str(subject.count if subject.thing else len(things))
    if meaning.role is FieldRole.THINGS:
        names = [captions.in_words(group, language, subject.evidence) for group in captions.grouped(things)]
        return language.listed(names) or None
    thing = things[0] if meaning.entity and things else None if meaning.entity else subject.leading
    named = any(each.labels for each in subject.intent.entities)
    if meaning.role is FieldRole.COLOUR and thing is None and not meaning.entity and not named:
        palette = subject.evidence.detections.palette
        return language.colour(palette[0]) if palette else None
    if thing is None:
        return None if named else _named_by_classifier(meaning, subject)
    match meaning.role:
        case FieldRole.COLOUR:
            return language.colour(thing.colour) if thing.colour else None
        case FieldRole.POSITION:
            return language.cells[thing.cell].one
        case FieldRole.SIZE:
            return language.say(size_word(thing))
    return label_of(thing, subject.intent, subject.evidence)


def _colour_worn(meaning: Meaning, subject: Subject) -> AnswerText | None:
    """What is known of the colour of a garment, if the name speaks of one: trousers are not the shirt."""
    if subject.thing and subject.thing.label != "person":
        return None
    intent = replace(subject.intent, text=meaning.words, entities=())
    return questions.of_clothes(intent, subject.evidence, subject.thing)


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
