"""Answers about the picture as a whole, or about what a thing is: place, kind, size, choice."""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from dataclasses import replace

from vidi.engines.lite.answers.captions import (
    grouped,
    in_words,
    indoors,
    page_of_text,
    place_in_words,
    scene_of,
    scores_of,
    surely,
    what_is_seen,
)
from vidi.engines.lite.answers.resolve import (
    cannot_tell,
    cell_in,
    find,
    kind_in,
    lies_in,
    not_seen,
    resolve,
)
from vidi.engines.lite.evidence import Evidence, Thing
from vidi.engines.lite.language.intents import Entity, Intent, Lexicon
from vidi.engines.lite.language.language import Language, folded
from vidi.engines.lite.language.style import AnswerText

SUPPORTED = 0.15
"""Lowest score of an option that the evidence supports."""

HYPERNYM = 0.9
THEME = 0.8
SIDE = 0.5
COLOUR = 0.4
"""What a score is multiplied with, or is, by the way in which an option was found."""


def best_option(
    options: Sequence[str], evidence: Evidence, lexicon: Lexicon, languages: Sequence[Language] = ()
) -> tuple[str, bool]:
    """Choose.

    Args:
        options: At least one.
        evidence: What is known about the picture.
        lexicon: The words that the options are read with.
        languages: Others in which an option may say that nothing is known: who writes a prompt in one
            language writes the schema in English as often as not.

    Returns:
        The option as it was given, and whether the evidence supports it.
    """
    scores = [score_of(option, evidence, lexicon) for option in options]
    if max(scores) < SUPPORTED:
        # Reading costs more than all else: only now.
        scores = [
            max(score, text_score(option, evidence)) for score, option in zip(scores, options, strict=True)
        ]
    best = max(range(len(options)), key=lambda index: scores[index])
    if scores[best] >= SUPPORTED:
        return options[best], True
    return _least_said(options, (lexicon.language, *languages)) or options[best], False


def _least_said(options: Sequence[str], languages: Sequence[Language]) -> str | None:
    """The option that says that nothing is known, else the one that claims least; None if none does."""
    words = {plain(option): option for option in reversed(options)}
    said = (plain(word) for name in ("words", "least") for each in languages for word in each.others[name])
    return next((words[word] for word in said if word in words), None)


def score_of(option: str, evidence: Evidence, lexicon: Lexicon) -> float:
    """How well one option fits what is seen, 0..1."""
    text = _without_lead(plain(option), lexicon.language)
    scores = [_entity_score(entity, evidence) for entity in lexicon.entities(text)]
    return max(
        0.0,
        *scores,
        _scene_score(text, evidence, lexicon.language),
        _theme_score(text, evidence, lexicon.language),
        _side_score(text, evidence, lexicon.language),
        _colour_score(text, evidence, lexicon),
    )


def _without_lead(text: str, language: Language) -> str:
    """An option without the articles before it."""
    words = text.split()
    while len(words) > 1 and words[0] in language.phrase["lead"]:
        words.pop(0)
    return " ".join(words)


def says(option: str, brief: str, language: Language) -> bool:
    """Whether an option is a short answer, in words or in digits."""
    text = _without_lead(plain(option), language)
    return bool(brief) and (
        text == plain(brief) or (brief.isdecimal() and language.number_of(text) == int(brief))
    )


def plain(option: str) -> str:
    """An option as words: `STREET_SCENE` is "street scene", `streetScene` too."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", option)
    return folded(re.sub(r"[^\w]+|_", " ", spaced).strip().lower())


def _entity_score(entity: Entity, evidence: Evidence) -> float:
    best = max((thing.score for thing in evidence.detections.things if entity.means(thing)), default=0.0)
    named = entity.name in entity.kinds and entity.name not in entity.labels
    kinds = sum(probability for label, probability in evidence.labels if label in entity.kinds)
    if named:
        return kinds
    return max(best * HYPERNYM if entity.group else best, kinds)


def _scene_score(text: str, evidence: Evidence, language: Language) -> float:
    named = [name for name, place in language.scenes.items() if text in place.words]
    if not named:
        return 0.0
    seen = scene_of(evidence)
    told = max(scores_of(evidence).get(name, 0.0) for name in named)
    return max(told, SIDE if seen and seen.id in named else 0.0)


def _theme_score(text: str, evidence: Evidence, language: Language) -> float:
    named = [evidence.world.themes[name] for name, words in language.themes.items() if text in words]
    seen = scene_of(evidence) if named else None
    best = 0.0
    for theme in named:
        share = [thing.score for thing in evidence.detections.things[:6] if thing.label in theme.things]
        best = max(best, *share, SIDE if seen and seen.id in theme.scenes else 0.0, 0.0)
    return best * THEME


def _side_score(text: str, evidence: Evidence, language: Language) -> float:
    if text not in language.others["inside"] and text not in language.others["outside"]:
        return 0.0
    inside = indoors(evidence)
    return SIDE if inside is not None and inside == (text in language.others["inside"]) else 0.0


def _colour_score(text: str, evidence: Evidence, lexicon: Lexicon) -> float:
    colour = lexicon.colours.get(text)
    if colour is None:
        return 0.0
    things = evidence.detections.things
    if things and things[0].colour == colour:
        return COLOUR
    return COLOUR / 2 if colour in evidence.detections.palette else 0.0


def text_score(option: str, evidence: Evidence) -> float:
    """The score of the surest line that holds an option's words, 0..1."""
    text = plain(option)
    if not text:
        return 0.0
    return max((line.score for line in evidence.text or () if text in folded(line.text.lower())), default=0.0)


BLURRY = 50.0
"""Variance of the Laplacian under which a picture looks blurry."""

KIND_SURE = 0.5
KIND_LIKELY = 0.2
"""Probability from which the classifier's word is stated, and stated as a likeness."""

SCENE_THERE = 0.1
"""Summed probability of a named place's classes from which it is affirmed."""


def scene(intent: Intent, evidence: Evidence) -> AnswerText:
    """Which room or place a picture shows, or whether it is the one named."""
    language = intent.language
    named = scene_in(intent.thing or "", language)
    seen = scene_of(evidence)
    if named:
        if seen is None and scores_of(evidence).get(named, 0) < SCENE_THERE:
            return cannot_tell(evidence, language)
        holds = seen is None or seen.id == named or scores_of(evidence).get(named, 0) >= SCENE_THERE
        word = language.one(language.scenes[named if holds or seen is None else seen.id].one)
        text = language.sentence("scene_yes" if holds else "scene_no", scene=word)
        return AnswerText(text, brief=language.say("yes" if holds else "no"))
    if seen is None:
        inside = indoors(evidence)
        if inside is None:
            return cannot_tell(evidence, language)
        word = language.say("indoors" if inside else "outdoors")
        return AnswerText(language.sentence("side_is", side=word), brief=word)
    word = language.scenes[seen.id].one
    return AnswerText(language.sentence("scene_is", scene=language.one(word)), brief=word)


def side(intent: Intent, evidence: Evidence) -> AnswerText:
    """Whether a picture was taken indoors or outdoors."""
    language = intent.language
    inside = indoors(evidence)
    if inside is None:
        return cannot_tell(evidence, language)
    word = language.say("indoors" if inside else "outdoors")
    asked_in = language.matches(language.pronouns, "inside", intent.text) is not None
    asked_out = language.matches(language.pronouns, "outside", intent.text) is not None
    if asked_in == asked_out:
        return AnswerText(language.sentence("side_is", side=word), brief=word)
    holds = asked_in == inside
    text = language.sentence("side_yes" if holds else "side_no", side=word)
    return AnswerText(text, brief=language.say("yes" if holds else "no"))


def kind(intent: Intent, evidence: Evidence) -> AnswerText:
    """What kind of thing is there: by class within a hypernym, by the classifier within a class."""
    language = intent.language
    if not intent.entities:
        return _what_is_it(evidence, language)
    entity = intent.entities[0]
    found = resolve(intent, entity, evidence)
    if entity.group:
        if not found:
            return not_seen(entity, evidence, language)
        names = [in_words(surely(group, evidence), language, evidence) for group in grouped(found)[:5]]
        listed = language.listed(names)
        return AnswerText(language.sentence("kind_are", things=listed), brief=listed, items=tuple(names))
    agreed = kind_in(entity, evidence) > 0
    for label, probability in evidence.labels:
        if agreed and label in entity.kinds and probability >= KIND_LIKELY:
            return _classified(label, probability, language)
    if not found:
        return not_seen(entity, evidence, language)
    return AnswerText(language.sentence("kind_unsure", things=what_is_seen(evidence, language)), known=False)


def size(intent: Intent, evidence: Evidence) -> AnswerText:
    """How large the caller's image is, and whether it is sharp."""
    language = intent.language
    placement = evidence.picture.placement
    if language.matches(language.pronouns, "sharpness", intent.text):
        blurry = evidence.detections.sharpness < BLURRY
        return AnswerText(
            language.sentence("blurry" if blurry else "sharp"), brief=language.say("yes" if blurry else "no")
        )
    width, height = str(placement.source_width), str(placement.source_height)
    return AnswerText(language.sentence("size_is", width=width, height=height), brief=f"{width}x{height}")


def choose(intent: Intent, evidence: Evidence) -> AnswerText:
    """Which of the given options fits best."""
    if not intent.options:
        return cannot_tell(evidence, intent.language)
    if not intent.letters:
        intent = _without_thing(intent)
    told = _more_of(intent, evidence) or _of_a_thing(intent, evidence)
    if told:
        return told
    option, supported = best_option(intent.options, evidence, intent.lexicon)
    if not supported:
        return cannot_tell(evidence, intent.language)
    return AnswerText(intent.language.sentence("choose", option=option), brief=option)


def _without_thing(intent: Intent) -> Intent:
    """A choice without the thing that it is about: of "is the bus blue or red" the first option is "blue"."""
    first = intent.options[0]
    named = next((each for each in intent.lexicon.entities(first) if first.startswith(f"{each.word} ")), None)
    if named is None:
        return intent
    return replace(intent, options=(first.removeprefix(named.word).strip(), *intent.options[1:]))


def _more_of(intent: Intent, evidence: Evidence) -> AnswerText | None:
    """Of which of the things named there are more; None if that is not asked."""
    language = intent.language
    if language.matches(language.pronouns, "more", intent.text) is None:
        return None
    named = [entity for option in intent.options for entity in intent.lexicon.entities(option)[:1]]
    if len(named) < len(intent.options) or any(entity.overlooked for entity in named):
        return None
    counts = [len(find(entity, evidence, evidence.least.numbered)) for entity in named]
    if counts.count(max(counts)) > 1:
        return cannot_tell(evidence, language)
    noun = language.noun(named[counts.index(max(counts))].name).many
    return AnswerText(language.sentence("choose", option=noun), brief=noun)


def _of_a_thing(intent: Intent, evidence: Evidence) -> AnswerText | None:
    """Which colour or place of several a thing has, else its own; None if something else is asked."""
    language = intent.language
    colours = [intent.lexicon.colours.get(plain(option), "") for option in intent.options]
    cells = [cell_in(option, language) for option in intent.options]
    about = next((each for each in intent.entities if each.labels), None)
    if about is None or not (all(colours) or all(cells)):
        return None
    found = resolve(intent, about, evidence)
    if not found:
        return not_seen(about, evidence, language)
    thing, noun = found[0], language.noun(about.name)
    if all(cells):
        at = next((at for at, cell in enumerate(cells) if lies_in(thing, cell)), None)
        own = language.sentence("where_is", noun=noun.one, place=place_in_words(thing, language))
    else:
        at = next((at for at, colour in enumerate(colours) if thing.colour == colour), None)
        named = language.colour(thing.colour, noun.one)
        own = language.sentence("colour_is", noun=noun.one, nouns=noun.many, colour=named)
    if at is None:
        return AnswerText(own, brief=language.say("unknown"), known=False)
    return AnswerText(language.sentence("choose", option=intent.options[at]), brief=intent.options[at])


def scene_in(text: str, language: Language) -> str:
    """The place that a text names, the longest name first; "" if none."""
    words = [(word, name) for name, place in language.scenes.items() for word in place.words]
    for word, name in sorted(words, key=lambda pair: -len(pair[0])):
        if f" {word}" in f" {folded(text)}":
            return name
    return ""


def _classified(word: str, probability: float, language: Language) -> AnswerText:
    phrase = "kind_sure" if probability >= KIND_SURE else "kind_is"
    return AnswerText(language.sentence(phrase, thing=language.one(word)), brief=word)


def _what_is_it(evidence: Evidence, language: Language) -> AnswerText:
    things = evidence.things()
    label, probability = evidence.labels[0] if evidence.labels else ("", 0.0)
    family = evidence.world.family.get(label)
    if things and family != things[0].label:
        seen = what_is_seen(evidence, language)
        return AnswerText(language.sentence("see", things=seen), brief=language.noun(things[0].label).one)
    page = page_of_text(evidence, language) if not things and probability < KIND_SURE else None
    if page:
        return page
    if probability >= KIND_LIKELY:
        return _classified(label, probability, language)
    if things:
        return _classified(language.noun(things[0].label).one, KIND_LIKELY, language)
    return cannot_tell(evidence, language)


def place_word(evidence: Evidence, language: Language) -> str | None:
    """The place that a picture shows, else whether it is indoors or outdoors; None if neither is known."""
    seen = scene_of(evidence)
    if seen:
        return language.scenes[seen.id].one
    inside = indoors(evidence)
    return None if inside is None else language.say("inside" if inside else "outside")


def room_word(evidence: Evidence, language: Language) -> str | None:
    """The room that a picture shows, if it is known."""
    seen = scene_of(evidence)
    return language.scenes[seen.id].one if seen and seen.id in evidence.world.inside else None


def breed_of(thing: Thing, evidence: Evidence) -> str | None:
    """The classifier's word for the kind that a thing is of, if it is likely."""
    return kind_among({thing.label}, evidence)


def kind_among(classes: Set[str], evidence: Evidence) -> str | None:
    """The classifier's likeliest word for a kind of one of these classes, if it is likely."""
    named = (
        label
        for label, probability in evidence.labels
        if probability >= KIND_LIKELY and evidence.world.family.get(label) in classes
    )
    return next(named, None)


def family_word(thing: Thing, evidence: Evidence, language: Language) -> str:
    """The hypernym of a thing, else its own name."""
    groups = evidence.world.groups
    names = (name for name in language.groups if name in groups and thing.label in groups[name])
    return language.noun(next(names, thing.label)).one
