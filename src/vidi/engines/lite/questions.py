"""Answers about the things in one picture: whether, how many, what colour, which stands out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from vidi.engines.lite.captions import grouped, in_words
from vidi.engines.lite.evidence import Evidence, Thing
from vidi.engines.lite.intents import Intent
from vidi.engines.lite.language import Language
from vidi.engines.lite.lookup import KIND_THERE, SHOWN, THERE, cannot_tell, find, kind_in, name_of, not_seen
from vidi.engines.lite.mentions import Mention
from vidi.engines.lite.said import Said

UNSURE_FROM = 5
"""Counts from here on are said with "about"."""


def exists(intent: Intent, evidence: Evidence) -> Said:
    """Whether what is named is there."""
    if not intent.mentions:
        return cannot_tell(evidence, intent.language)
    wanted = _number_wanted(intent)
    if wanted:
        return _whether_so_many(intent, evidence, *wanted)
    answers = [_whether(mention, evidence, intent.language) for mention in intent.mentions[:4]]
    if len(answers) == 1:
        return answers[0]
    language = intent.language
    every = all(answer.brief == language.say("yes") for answer in answers)
    text = " ".join(answer.text for answer in answers)
    return Said(text, brief=language.say("yes" if every else "no"))


def count(intent: Intent, evidence: Evidence) -> Said:
    """How many of what is named there are."""
    language = intent.language
    if not intent.mentions:
        return _count_all(evidence, language) if _asks_for_all(intent) else cannot_tell(evidence, language)
    answers = [_count_one(mention, evidence, language) for mention in intent.mentions[:4]]
    if len(answers) == 1:
        return answers[0]
    return Said(
        " ".join(answer.text for answer in answers), brief=", ".join(answer.brief for answer in answers)
    )


def colour(intent: Intent, evidence: Evidence) -> Said:
    """What colour the thing named has; without a thing, the picture's main colours."""
    language = intent.language
    if not intent.mentions:
        return _main_colours(evidence, language)
    mention = intent.mentions[0]
    found = find(mention, evidence, SHOWN) or find(mention, evidence, THERE)
    if not found:
        return not_seen(mention, evidence, language)
    colours = Counter(thing.colour for thing in found[:6] if thing.colour)
    if not colours:
        return cannot_tell(evidence, language)
    names = [language.colour(name) for name, _ in colours.most_common(3)]
    noun = language.noun(name_of(mention, found))
    phrase = "colour_is" if len(found) == 1 else "colour_are"
    said = language.listed(names)
    return Said(language.sentence(phrase, noun=noun.one, nouns=noun.many, colour=said), brief=said)


def extreme(intent: Intent, evidence: Evidence) -> Said:
    """The most prominent, largest or smallest thing."""
    language = intent.language
    things = evidence.things(SHOWN)
    if not things:
        return cannot_tell(evidence, language)
    phrase, thing = "main_is", things[0]
    if language.matches(language.pronouns, "largest", intent.text):
        phrase, thing = "largest_is", max(things, key=lambda each: each.share)
    if language.matches(language.pronouns, "smallest", intent.text):
        phrase, thing = "smallest_is", min(things, key=lambda each: each.share)
    noun = language.noun(thing.label).one
    return Said(language.sentence(phrase, thing=language.one(noun)), brief=noun)


def _whether(mention: Mention, evidence: Evidence, language: Language) -> Said:
    found = find(mention, evidence, THERE)
    if found:
        return _there(mention, found, evidence, language)
    if kind_in(mention, evidence) >= KIND_THERE:
        thing = language.one(
            mention.name if mention.name not in language.nouns else language.noun(mention.name).one
        )
        return Said(language.sentence("may_see", things=thing), brief=language.say("yes"))
    if not mention.labels and mention.kinds == frozenset():
        return cannot_tell(evidence, language)
    noun = language.noun(mention.name)
    things = language.say("any", nouns=noun.many, noun=noun.one)
    return Said(language.sentence("no_see", things=things), brief=language.say("no"))


def _there(mention: Mention, found: Sequence[Thing], evidence: Evidence, language: Language) -> Said:
    sure = [thing for thing in found if thing.score >= SHOWN] or found[:1]
    groups = grouped(sure)
    listed = language.listed([in_words(group, language, evidence) for group in groups[:4]])
    plural = len(groups[0].things) > 1
    text = language.sentence("yes_are" if plural else "yes_is", things=listed)
    if mention.narrow:
        text += " " + language.sentence("not_sure_narrow", word=language.one(mention.word))
    return Said(text, brief=language.say("yes"))


def _number_wanted(intent: Intent) -> tuple[str, int] | None:
    """The comparison in "more than three", as its word and number."""
    language = intent.language
    match = language.matches(language.pronouns, "compare_count", intent.text)
    number = language.number_of(match["n"]) if match else None
    return (match["word"], number) if match and number is not None else None


def _whether_so_many(intent: Intent, evidence: Evidence, word: str, number: int) -> Said:
    language = intent.language
    found = len(find(intent.mentions[0], evidence, SHOWN))
    holds = {
        "more": found > number,
        "over": found > number,
        "fewer": found < number,
        "less": found < number,
    }.get(word.split()[0])
    if holds is None:
        holds = found >= number if "least" in word else found <= number if "most" in word else found == number
    things = _so_many(intent.mentions[0], found, language)
    phrase, brief = ("count_yes", "yes") if holds else ("count_no", "no")
    return Said(language.sentence(phrase, things=things), brief=language.say(brief))


def _count_one(mention: Mention, evidence: Evidence, language: Language) -> Said:
    if not mention.labels:
        return cannot_tell(evidence, language)
    found = find(mention, evidence, SHOWN)
    if not found:
        noun = language.noun(mention.name)
        text = language.sentence("count_none", nouns=noun.many, noun=noun.one)
        return Said(text, brief="0")
    things = _so_many(mention, len(found), language)
    return Said(
        language.sentence("count_one" if len(found) == 1 else "count", things=things), brief=str(len(found))
    )


def _so_many(mention: Mention, number: int, language: Language) -> str:
    if number == 0:
        noun = language.noun(mention.name)
        return f"{language.number(0)} {noun.many}"
    said = language.counted(mention.name, number)
    return language.say("about", number=said) if number >= UNSURE_FROM else said


def _count_all(evidence: Evidence, language: Language) -> Said:
    things = evidence.things(SHOWN)
    names = [language.counted(group.label, len(group.things)) for group in grouped(things)]
    if not names:
        return cannot_tell(evidence, language)
    return Said(
        language.sentence("see", things=language.listed(names)), brief=str(len(things)), items=tuple(names)
    )


def _asks_for_all(intent: Intent) -> bool:
    return intent.language.matches(intent.language.pronouns, "things", intent.text) is not None


def _main_colours(evidence: Evidence, language: Language) -> Said:
    names = [language.colour(name) for name in evidence.sight.palette[:3]]
    if not names:
        return cannot_tell(evidence, language)
    listed = language.listed(names)
    phrase = "main_colours" if len(names) > 1 else "main_colour"
    return Said(language.sentence(phrase, colours=listed, colour=listed), brief=listed, items=tuple(names))
