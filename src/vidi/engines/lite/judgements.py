"""Answers about the picture as a whole, or about what a thing is: place, kind, size, choice."""

from __future__ import annotations

from vidi.engines.lite.captions import grouped, in_words, surely, what_is_seen
from vidi.engines.lite.choices import best_option
from vidi.engines.lite.evidence import Evidence
from vidi.engines.lite.intents import Intent
from vidi.engines.lite.language import Language
from vidi.engines.lite.lookup import SHOWN, cannot_tell, kind_in, meant, not_seen
from vidi.engines.lite.said import Said
from vidi.engines.lite.scenery import indoors, scene_of, scores_of

BLURRY = 50.0
"""Variance of the Laplacian under which a picture looks blurry."""

KIND_SURE = 0.5
KIND_LIKELY = 0.2
"""Probability from which the classifier's word is stated, and stated as a likeness."""

SCENE_THERE = 0.1
"""Summed probability of a named place's classes from which it is affirmed."""


def scene(intent: Intent, evidence: Evidence) -> Said:
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
        return Said(text, brief=language.say("yes" if holds else "no"))
    if seen is None:
        inside = indoors(evidence)
        if inside is None:
            return cannot_tell(evidence, language)
        word = language.say("indoors" if inside else "outdoors")
        return Said(language.sentence("side_is", side=word), brief=word)
    word = language.scenes[seen.id].one
    return Said(language.sentence("scene_is", scene=language.one(word)), brief=word)


def side(intent: Intent, evidence: Evidence) -> Said:
    """Whether a picture was taken indoors or outdoors."""
    language = intent.language
    inside = indoors(evidence)
    if inside is None:
        return cannot_tell(evidence, language)
    word = language.say("indoors" if inside else "outdoors")
    asked_in = language.matches(language.pronouns, "inside", intent.text) is not None
    asked_out = language.matches(language.pronouns, "outside", intent.text) is not None
    if asked_in == asked_out:
        return Said(language.sentence("side_is", side=word), brief=word)
    holds = asked_in == inside
    text = language.sentence("side_yes" if holds else "side_no", side=word)
    return Said(text, brief=language.say("yes" if holds else "no"))


def kind(intent: Intent, evidence: Evidence) -> Said:
    """What kind of thing is there: by class within a hypernym, by the classifier within a class."""
    language = intent.language
    if not intent.mentions:
        return _what_is_it(evidence, language)
    mention = intent.mentions[0]
    found = meant(intent, mention, evidence)
    if mention.group:
        if not found:
            return not_seen(mention, evidence, language)
        names = [in_words(surely(group), language, evidence) for group in grouped(found)[:5]]
        listed = language.listed(names)
        return Said(language.sentence("kind_are", things=listed), brief=listed, items=tuple(names))
    agreed = kind_in(mention, evidence) > 0
    for label, probability in evidence.labels:
        if agreed and label in mention.kinds and probability >= KIND_LIKELY:
            phrase = "kind_sure" if probability >= KIND_SURE else "kind_is"
            return Said(language.sentence(phrase, thing=language.one(label)), brief=label)
    if not found:
        return not_seen(mention, evidence, language)
    return Said(language.sentence("kind_unsure", things=what_is_seen(evidence, language)), known=False)


def size(intent: Intent, evidence: Evidence) -> Said:
    """How large the caller's image is, and whether it is sharp."""
    language = intent.language
    placement = evidence.picture.placement
    if language.matches(language.pronouns, "sharpness", intent.text):
        blurry = evidence.sight.sharpness < BLURRY
        return Said(
            language.sentence("blurry" if blurry else "sharp"), brief=language.say("yes" if blurry else "no")
        )
    width, height = str(placement.source_width), str(placement.source_height)
    return Said(language.sentence("size_is", width=width, height=height), brief=f"{width}x{height}")


def choose(intent: Intent, evidence: Evidence) -> Said:
    """Which of the given options fits best."""
    if not intent.options:
        return cannot_tell(evidence, intent.language)
    option, supported = best_option(intent.options, evidence, intent.lexicon)
    if not supported:
        return cannot_tell(evidence, intent.language)
    return Said(intent.language.sentence("choose", option=option), brief=option)


def scene_in(text: str, language: Language) -> str:
    """The place that a text names, the longest name first; "" if none."""
    words = [(word, name) for name, place in language.scenes.items() for word in (place.one, *place.also)]
    for word, name in sorted(words, key=lambda pair: -len(pair[0])):
        if f" {word}" in f" {text}":
            return name
    return ""


def _what_is_it(evidence: Evidence, language: Language) -> Said:
    """What the one thing in the middle of attention is."""
    things = evidence.things(SHOWN)
    label, probability = evidence.labels[0] if evidence.labels else ("", 0.0)
    family = evidence.world.family.get(label)
    if things and family != things[0].label:
        seen = what_is_seen(evidence, language)
        return Said(language.sentence("see", things=seen), brief=language.noun(things[0].label).one)
    if probability >= KIND_LIKELY:
        phrase = "kind_sure" if probability >= KIND_SURE else "kind_is"
        return Said(language.sentence(phrase, thing=language.one(label)), brief=label)
    if things:
        noun = language.noun(things[0].label).one
        return Said(language.sentence("kind_is", thing=language.one(noun)), brief=noun)
    return cannot_tell(evidence, language)
