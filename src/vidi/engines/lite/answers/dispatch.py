"""From an intent and a picture to an answer in words: one function for each kind of intent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from vidi.engines.lite.answers import captions, kinds, lists, questions, where
from vidi.engines.lite.answers.questions import exists, state
from vidi.engines.lite.answers.resolve import (
    cannot_tell,
)
from vidi.engines.lite.evidence import Evidence
from vidi.engines.lite.language.intents import Intent
from vidi.engines.lite.language.language import IntentKind
from vidi.engines.lite.language.style import AnswerText

Answerer = Callable[[Intent, Evidence], AnswerText]


def answer_intent(intent: Intent, evidence: Evidence) -> AnswerText:
    """Answer one question about one picture; what no rule knows is said to be unknown."""
    word = lists.word_named(intent)
    if word:
        return lists.about_a_word(intent, word, evidence)
    return ANSWERERS.get(intent.kind, _unknown)(intent, evidence)


def _caption(intent: Intent, evidence: Evidence) -> AnswerText:
    things = evidence.things() if intent.style.words == 1 else ()
    if things:
        named = intent.language.noun(things[0].label).one
        return AnswerText(intent.language.as_sentence(named), brief=named)
    sentences = intent.style.sentences or 1
    if (intent.style.long or sentences > 1) and not intent.style.short:
        return captions.describe(evidence, intent.language)
    return captions.caption(evidence, intent.language)


def _describe(intent: Intent, evidence: Evidence) -> AnswerText:
    if intent.style.short or intent.style.sentences == 1:
        return captions.caption(evidence, intent.language)
    return captions.describe(evidence, intent.language)


def _creative(intent: Intent, evidence: Evidence) -> AnswerText:
    first = intent.language.sentence("cannot_creative")
    return AnswerText(f"{first} {captions.describe(evidence, intent.language).text}", known=False)


def _state(intent: Intent, evidence: Evidence) -> AnswerText:
    if where.names_sport(intent):
        return where.sport(intent, evidence)
    if where.names_sides(intent):
        return where.where(intent, evidence)
    place = kinds.scene_in(intent.text, intent.language)
    if place and not intent.entities:
        return kinds.scene(replace(intent, thing=intent.text), evidence)
    return state(intent, evidence)


def _choose(intent: Intent, evidence: Evidence) -> AnswerText:
    """Which option fits: of those with letters, the one that answers the question before them."""
    if not intent.letters:
        return kinds.choose(intent, evidence)
    answer = answer_intent(intent.question, evidence) if intent.question else None
    said = answer.brief if answer and answer.known else ""
    fitting = (at for at, option in enumerate(intent.options) if kinds.says(option, said, intent.language))
    told = next(fitting, None)
    chosen = kinds.choose(intent, evidence) if told is None else None
    if chosen and not chosen.known:
        return chosen
    at = intent.options.index(chosen.brief) if chosen else told or 0
    letter = intent.letters[at].upper()
    bare = intent.language.matches(intent.language.pronouns, "letter", intent.text)
    return AnswerText(letter if bare else f"{letter}. {intent.options[at]}", brief=letter)


def _unknown(intent: Intent, evidence: Evidence) -> AnswerText:
    answer = cannot_tell(evidence, intent.language)
    if not intent.readable:
        return answer
    known = intent.language.sentence("languages", languages=intent.language.listed(intent.readable))
    return replace(answer, text=f"{answer.text} {known}")


ANSWERERS: Mapping[IntentKind, Answerer] = {
    IntentKind.CAPTION: _caption,
    IntentKind.ALT: _caption,
    IntentKind.DESCRIBE: _describe,
    IntentKind.GREETING: _caption,
    IntentKind.CREATIVE: _creative,
    IntentKind.READ: lists.read,
    IntentKind.LIST: lists.things_listed,
    IntentKind.LIST_FIRST: lists.things_listed,
    IntentKind.WHO: where.who,
    IntentKind.TAGS: lists.tags,
    IntentKind.HASHTAGS: lists.hashtags,
    IntentKind.COUNT: questions.count,
    IntentKind.EXISTS: exists,
    IntentKind.COLOUR: questions.colour,
    IntentKind.EXTREME: questions.extreme,
    IntentKind.WHERE: where.where,
    IntentKind.WHERE_FIRST: where.where,
    IntentKind.NEAR: where.near,
    IntentKind.WHERE_PART: where.part,
    IntentKind.ACTIVITY: where.activity,
    IntentKind.SCENE: kinds.scene,
    IntentKind.SIDE: kinds.side,
    IntentKind.KIND: kinds.kind,
    IntentKind.STATE: _state,
    IntentKind.SIZE: kinds.size,
    IntentKind.CHOOSE: _choose,
}
"""Which function answers which intent; the others are not about one picture, or cannot be answered."""
