"""Lists: boxes and points as the guide wants them, kinds of things, and lines of text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from vidi.domain.geometry import Box
from vidi.engines.lite.answers.captions import (
    Group,
    caption,
    grouped,
    in_words,
    indoors,
    scene_of,
    spots,
    surely,
    what_is_seen,
    without_things,
)
from vidi.engines.lite.answers.resolve import (
    any_of,
    cell_in,
    contradicted,
    find,
    kind_in,
    lies_in,
    name_of,
    resolve,
)
from vidi.engines.lite.evidence import Evidence, Thing
from vidi.engines.lite.language.intents import Entity, Intent
from vidi.engines.lite.language.language import SEVERAL, IntentKind, Language, folded
from vidi.engines.lite.language.style import AnswerText
from vidi.engines.lite.vision.ocr import INSTALL, TextLine
from vidi.engines.lite.world import shared

ON = 0.5
"""Part of a line that lies on a thing for it to be written there."""

SIGNS = frozenset({"street_sign", "stop sign", "book"})
"""What carries text: where it is not seen as a thing, the text that is read may be its."""

TOUCHED = 0.2
"""Part of a line that a change covers, or of a change that a line covers, for the line to have changed."""


def read(intent: Intent, evidence: Evidence) -> AnswerText:
    """All text, or what is written on the things that are named if they are seen."""
    language = intent.language
    lines = evidence.text
    if lines is None:
        return _cannot(evidence, language)
    for entity in intent.entities:
        found = resolve(intent, entity, evidence) if entity.labels else ()
        there = tuple(line for line in lines if any(shared(line.box, each.box) >= ON for each in found))
        if there:
            return _answer_of(there)
        if found:
            noun = language.noun(name_of(entity, found)).one
            elsewhere = [language.sentence("text_reads", text=_one_line(lines))] if lines else []
            text = " ".join([language.sentence("no_text_on", noun=noun), *elsewhere])
            return AnswerText(text, brief=language.say("none"))
    if not lines:
        return AnswerText(language.sentence("no_text"), brief=language.say("none"))
    absent = next((each for each in intent.entities if each.labels and each.name not in SIGNS), None)
    if absent:
        missing = language.sentence("not_seen", things=any_of(absent, language))
        return AnswerText(f"{missing} {language.sentence('text_reads', text=_one_line(lines))}", known=False)
    return _answer_of(lines)


MAY_MEAN_TEXT = frozenset({IntentKind.DETECT, IntentKind.POINT, IntentKind.READ})


def wants_text(intent: Intent) -> bool:
    """Whether a request for boxes or for a list means lines of text rather than things."""
    language = intent.language
    if intent.kind not in MAY_MEAN_TEXT or any(each.labels for each in intent.entities):
        return False
    return language.matches(language.pronouns, "written", intent.text) is not None


def word_named(intent: Intent) -> str:
    """The word whose place, presence or number is asked for: "the word EXIT"; "" if none is."""
    language = intent.language
    match = language.matches(language.pronouns, "word_named", intent.text)
    return match["w"].strip() if match and intent.kind in OF_A_WORD else ""


OF_A_WORD = frozenset(
    {
        *(IntentKind.DETECT, IntentKind.POINT, IntentKind.WHERE, IntentKind.WHERE_FIRST),
        *(IntentKind.EXISTS, IntentKind.STATE, IntentKind.COUNT),
    }
)
"""Kinds of intent that can be about a word that is written in the picture."""


def words_found(word: str, evidence: Evidence) -> tuple[Thing, ...]:
    """Where a word is written, in reading order: whole words if there are any, else parts of words."""
    found = [
        (line, match.span())
        for line in evidence.text or ()
        for match in re.finditer(re.escape(word), folded(line.text).lower())
    ]
    whole = [
        (line, (start, stop))
        for line, (start, stop) in found
        if re.fullmatch(r"\W?", line.text[max(0, start - 1) : start])
        and re.fullmatch(r"\W?", line.text[stop : stop + 1])
    ]
    return tuple(_stretch(line, *span) for line, span in whole or found)


def _stretch(line: TextLine, start: int, stop: int) -> Thing:
    """A part of a line, as if all its letters were as wide as each other."""
    box, size = line.box, len(line.text)
    if box.xmax - box.xmin >= box.ymax - box.ymin:
        width = (box.xmax - box.xmin) / size
        part = replace(box, xmin=box.xmin + start * width, xmax=box.xmin + stop * width)
    else:
        height = (box.ymax - box.ymin) / size
        part = replace(box, ymin=box.ymin + start * height, ymax=box.ymin + stop * height)
    return Thing(line.text[start:stop], line.score, part)


def about_a_word(intent: Intent, word: str, evidence: Evidence) -> AnswerText:
    """Where a word is written, whether it is, or how often."""
    language = intent.language
    if evidence.text is None:
        return _cannot(evidence, language)
    found = words_found(word, evidence)
    counted = intent.kind is IntentKind.COUNT
    if not found:
        brief = "0" if counted else language.say("no")
        return AnswerText(language.sentence("word_not_read", word=word), brief=brief)
    places = spots(found, language)
    if counted:
        phrase = "word_at" if len(found) == 1 else "word_times"
        number = language.number(len(found))
        text = language.sentence(phrase, word=found[0].label, number=number, place=places)
        return AnswerText(text, brief=str(len(found)))
    if intent.kind in {IntentKind.EXISTS, IntentKind.STATE}:
        text = language.sentence("word_yes", word=found[0].label, place=places)
        return AnswerText(text, brief=language.say("yes"))
    return AnswerText(language.sentence("word_at", word=found[0].label, place=places), brief=places)


def as_things(evidence: Evidence) -> tuple[Thing, ...]:
    """The lines of text as things that are called what they say, in reading order."""
    return tuple(Thing(line.text, line.score, line.box) for line in evidence.text or ())


def text_on(box: Box, evidence: Evidence) -> str:
    """What is written in a box, line by line; "" if nothing is, or nobody can read."""
    return "\n".join(line.text for line in evidence.text or () if shared(line.box, box) >= ON)


def rewritten(one: Evidence, before: Box, other: Evidence, after: Box) -> tuple[str, str]:
    """What the lines at a changed place said in the first picture and say in the other."""
    return _touched(one, before), _touched(other, after)


def _touched(evidence: Evidence, region: Box) -> str:
    lines = [
        line
        for line in evidence.text or ()
        if max(shared(line.box, region), shared(region, line.box)) >= TOUCHED
    ]
    return _one_line(lines)


def _cannot(evidence: Evidence, language: Language) -> AnswerText:
    sentences = [language.sentence("cannot_read", install=INSTALL)]
    seen = what_is_seen(evidence, language)
    if seen:
        sentences.append(language.sentence("see", things=seen))
    return AnswerText(" ".join(sentences), brief=language.say("unknown"), known=False)


def _answer_of(lines: tuple[TextLine, ...]) -> AnswerText:
    texts = tuple(line.text for line in lines)
    return AnswerText("\n".join(texts), brief=" ".join(texts), items=texts)


def _one_line(lines: Sequence[TextLine]) -> str:
    return " / ".join(line.text for line in lines)


MOST = 50
"""Most boxes where the prompt gives no limit."""

KIND_SURE = 0.2
"""Probability of a classifier class from which a box gets its name, as "golden retriever" for a dog."""


def wanted(intent: Intent, evidence: Evidence) -> tuple[Thing, ...]:
    """The things that a request for boxes or points means, most prominent first."""
    word = word_named(intent)
    if word:
        beside = _named(_beside_the_word(intent), evidence)
        return (*words_found(word, evidence), *beside)[: intent.style.limit or MOST]
    if wants_text(intent):
        return as_things(evidence)[: intent.style.limit or MOST]
    entities, left_out = _split_off(intent)
    strange = any(entity.unknown for entity in entities)
    # Where only things are named that the detector does not know, none is shown; nor the whole for its part.
    named = [each for each in entities if each.labels and not (strange and each.anchor)]
    things = _named(named, evidence) if entities else evidence.things()
    kept = tuple(thing for thing in things if not any(each.means(thing) for each in left_out))
    return _at_side(kept, intent)[: intent.style.limit or MOST]


def _split_off(intent: Intent) -> tuple[tuple[Entity, ...], tuple[Entity, ...]]:
    """The things that are wanted, and those that are not: "everything except the cars"."""
    match = intent.language.matches(intent.language.pronouns, "except", intent.text)
    if match is None:
        return intent.entities, ()
    wanted = tuple(each for each in intent.entities if each.start < match.start())
    return wanted, tuple(each for each in intent.entities if each.start >= match.start())


def _at_side(things: tuple[Thing, ...], intent: Intent) -> tuple[Thing, ...]:
    """Those at the side of the picture that is named; "the dog on the left" may be the only one, anywhere."""
    language = intent.language
    cell = cell_in(intent.text, language)
    if not cell or language.matches(language.pronouns, "at_side", intent.text) is None:
        return things
    there = tuple(thing for thing in things if lies_in(thing, cell))
    return there or (things if any(each.single for each in intent.entities) else ())


def _beside_the_word(intent: Intent) -> list[Entity]:
    """The things that are asked for beside a word that is named."""
    match = intent.language.matches(intent.language.pronouns, "word_named", intent.text)
    span = range(*match.span()) if match else range(0)
    return [each for each in intent.entities if each.labels and not each.anchor and each.start not in span]


def _named(entities: Sequence[Entity], evidence: Evidence) -> tuple[Thing, ...]:
    """The things named, without those far weaker than the best of their kind; the best of each kind first."""
    found: dict[Box, Thing] = {}
    leading: list[Thing] = []
    for entity in entities:
        things = find(entity, evidence, evidence.least.named)
        best = max((thing.score for thing in things), default=0.0)
        fair = [thing for thing in things if thing.score >= evidence.least.fair * best]
        leading += fair[:1]
        found.update({thing.box: thing for thing in fair})
    first = {thing.box for thing in leading}
    return tuple(
        sorted(
            found.values(),
            key=lambda thing: (len(entities) > 1 and thing.box not in first, -thing.prominence),
        )
    )


def label_of(thing: Thing, intent: Intent, evidence: Evidence) -> str:
    """What a box is called: the named kind where the classifier agrees, else the class."""
    for entity in intent.entities:
        kinds = entity.kinds if entity.name in entity.kinds else frozenset()
        if kinds and thing.label in entity.labels and kind_in(entity, evidence) >= KIND_SURE:
            return entity.name
    return intent.language.noun(thing.label).one


def located(things: Iterable[Thing], intent: Intent, evidence: Evidence) -> Iterator[str]:
    """Boxes, or their middles where points are asked for, as JSON, object by object."""
    return array(
        json.dumps({**_place(thing, intent), "label": label_of(thing, intent, evidence)}, ensure_ascii=False)
        for thing in things
    )


def _place(thing: Thing, intent: Intent) -> Mapping[str, Sequence[int]]:
    if intent.kind is IntentKind.POINT:
        return {"point": thing.box.centre().point()}
    return {"box_2d": thing.box.box_2d()}


def array(objects: Iterable[str]) -> Iterator[str]:
    """A JSON array in stretches, one for each object."""
    before = "["
    for each in objects:
        yield before + each
        before = ", "
    yield "]" if before != "[" else "[]"


TAG_LIKELY = 0.2
"""Probability from which the classifier's word is a tag."""

MOST_TAGS = 10


def things_listed(intent: Intent, evidence: Evidence) -> AnswerText:
    """The things in a picture, or those of the kinds and the colour that are named."""
    language = intent.language
    labels = frozenset(label for entity in intent.entities for label in entity.labels)
    things = [thing for thing in evidence.things() if not labels or thing.label in labels]
    if intent.colour and things:
        things = [thing for thing in things if thing.colour == intent.colour]
        if not things:
            colour = language.colour(intent.colour)
            return AnswerText(language.sentence("none_coloured", colour=colour), brief=language.say("none"))
    if not things:
        return without_things(evidence, language)
    groups = [surely(group, evidence) for group in grouped(things)[: intent.style.limit]]
    painted = (
        bool(intent.colour) or language.matches(language.intents, IntentKind.COLOUR, intent.text) is not None
    )
    names = tuple(_named_kinds(group, evidence, language, painted=painted) for group in groups)
    nouns = tuple(language.noun(group.label).one for group in groups)
    return AnswerText(
        language.sentence("see", things=language.listed(names)), brief=", ".join(nouns), items=nouns
    )


def _named_kinds(group: Group, evidence: Evidence, language: Language, *, painted: bool) -> str:
    """A group in words; with its colour, where that is asked for and all of it shares one."""
    if painted and group.label != "person" and len(group.things) < SEVERAL:
        return language.counted(group.label, len(group.things), group.colour)
    return in_words(group, language, evidence)


def tags(intent: Intent, evidence: Evidence) -> AnswerText:
    """Words for things, kind, place and side, the most telling first."""
    words = tag_words(evidence, intent.language)[: intent.style.limit or MOST_TAGS]
    return AnswerText(", ".join(words), brief=", ".join(words), items=tuple(words), known=bool(words))


def hashtags(intent: Intent, evidence: Evidence) -> AnswerText:
    """The tags as hashtags."""
    words = tag_words(evidence, intent.language)[: intent.style.limit or MOST_TAGS]
    marked = tuple("#" + re.sub(r"[^\w]", "", word.title() if " " in word else word) for word in words)
    return AnswerText(" ".join(marked), brief=" ".join(marked), items=marked, known=bool(words))


def tag_words(evidence: Evidence, language: Language) -> tuple[str, ...]:
    """The tags of a picture, without repetition."""
    words = [language.noun(group.label).one for group in grouped(evidence.things())]
    words += [
        label
        for label, probability in evidence.labels[:2]
        if language.names_kinds and probability >= TAG_LIKELY and not contradicted(label, evidence)
    ]
    scene = scene_of(evidence)
    if scene:
        words.append(language.scenes[scene.id].one)
    inside = indoors(evidence)
    if inside is not None:
        words.append(language.say("inside" if inside else "outside"))
    if words:
        words += [language.colour(name) for name in evidence.detections.palette[:2]]
    return tuple(dict.fromkeys(word.lower() for word in words))


def python_list(intent: Intent, evidence: Evidence) -> str:
    """Tags, and the caption where one is asked for too, as a list that Python and JSON both read."""
    words = list(tag_words(evidence, intent.language)[: intent.style.limit or MOST_TAGS])
    if intent.language.matches(intent.language.intents, IntentKind.CAPTION, intent.text):
        words.append(caption(evidence, intent.language).text)
    return json.dumps(words, ensure_ascii=False)
