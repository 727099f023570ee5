"""Questions about several pictures at once: in both, in which, in which more."""

from __future__ import annotations

from collections.abc import Sequence

from vidi.engines.lite.answers import answer
from vidi.engines.lite.evidence import Evidence
from vidi.engines.lite.intents import Intent
from vidi.engines.lite.language import Language
from vidi.engines.lite.lookup import SHOWN, find
from vidi.engines.lite.said import Said

YES_NO = frozenset({"exists", "state", "scene", "side"})


def over_all(intent: Intent, evidences: Sequence[Evidence]) -> Said | None:
    """One answer over all pictures, where the question asks for one; else None."""
    language = intent.language
    if len(evidences) < 2:
        return None
    if language.matches(language.pronouns, "which_picture", intent.text) and intent.mentions:
        return _which(intent, evidences)
    if intent.aim in YES_NO and language.matches(language.pronouns, "both", intent.text):
        return _in_both(intent, evidences)
    return None


def ordinal(at: int, language: Language) -> str:
    """What a picture is called: "the first", "number 3"."""
    return language.say("the_first" if at == 0 else "the_second" if at == 1 else "the_nth", n=str(at + 1))


def _which(intent: Intent, evidences: Sequence[Evidence]) -> Said:
    """The pictures in which what is named is seen; the one with most or fewest of it, if that is asked."""
    language = intent.language
    counts = [
        sum(len(find(mention, evidence, SHOWN)) for mention in intent.mentions[:1]) for evidence in evidences
    ]
    ranked = language.matches(language.pronouns, "most", intent.text)
    fewest = language.matches(language.pronouns, "fewest", intent.text)
    if ranked or fewest:
        best = (min if fewest else max)(counts)
        chosen = [at for at, number in enumerate(counts) if number == best]
        if len(chosen) == len(counts):
            return Said(language.sentence("equal"), brief=language.say("none"))
    else:
        chosen = [at for at, number in enumerate(counts) if number]
    if not chosen:
        return Said(language.sentence("near_none"), brief=language.say("none"))
    listed = language.listed([ordinal(at, language) for at in chosen])
    return Said(language.as_sentence(listed), brief=listed)


def _in_both(intent: Intent, evidences: Sequence[Evidence]) -> Said:
    """Whether something holds for all pictures."""
    language = intent.language
    yes = [answer(intent, evidence).brief == language.say("yes") for evidence in evidences]
    if all(yes):
        return Said(language.sentence("both_yes" if len(yes) == 2 else "all_yes"), brief=language.say("yes"))
    if not any(yes):
        return Said(language.sentence("both_no"), brief=language.say("no"))
    if len(yes) == 2:
        phrase = "both_no_first" if yes[0] else "both_no_second"
        return Said(language.sentence(phrase), brief=language.say("no"))
    only = language.listed([str(at + 1) for at, holds in enumerate(yes) if holds])
    return Said(language.sentence("all_no", n=only), brief=language.say("no"))
