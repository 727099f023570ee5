"""Choosing among given options what fits a picture best, by rule.

Each option gets the best of these, in 0..1:
  - the score of a thing of the named class, nine tenths of it for a hypernym, so that "dog" beats "animal";
  - the probability of the named classifier class, or the sum over a named place;
  - for subjects like "sports", for indoors and outdoors, for colours: what the evidence says of them;
  - where none of these supports any option, for the words of a text line: the line's score.

An option with at least `SUPPORTED` is supported, and the highest wins; the earlier of two equals. Where none
is supported, an option that means "other", "none" or "unknown" is taken; if there is none, the option of the
highest score, however low, and else the first: that is the least wrong one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from vidi.engines.lite.evidence import Evidence
from vidi.engines.lite.language import Language
from vidi.engines.lite.mentions import Lexicon, Mention
from vidi.engines.lite.scenery import indoors, scene_of, scores_of

SUPPORTED = 0.15
"""Lowest score of an option that the evidence supports."""

HYPERNYM = 0.9
THEME = 0.8
SIDE = 0.5
COLOUR = 0.4
"""What a score is multiplied with, or is, by the way in which an option was found."""


def best_option(options: Sequence[str], evidence: Evidence, lexicon: Lexicon) -> tuple[str, bool]:
    """Choose.

    Args:
        options: At least one.
        evidence: What is known about the picture.
        lexicon: The words that the options are read with.

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
    others = (option for option in options if plain(option) in lexicon.language.others["words"])
    return next(others, options[best]), False


def score_of(option: str, evidence: Evidence, lexicon: Lexicon) -> float:
    """How well one option fits what is seen, 0..1."""
    text = plain(option)
    scores = [_mention_score(mention, evidence) for mention in lexicon.mentions(text)]
    return max(
        0.0,
        *scores,
        _scene_score(text, evidence, lexicon.language),
        _theme_score(text, evidence, lexicon.language),
        _side_score(text, evidence, lexicon.language),
        _colour_score(text, evidence, lexicon),
    )


def plain(option: str) -> str:
    """An option as words: `STREET_SCENE` is "street scene", `streetScene` too."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", option)
    return re.sub(r"[^\w]+|_", " ", spaced).strip().lower()


def _mention_score(mention: Mention, evidence: Evidence) -> float:
    best = max((thing.score for thing in evidence.sight.things if mention.means(thing)), default=0.0)
    named = mention.name in mention.kinds
    kinds = sum(probability for label, probability in evidence.labels if label in mention.kinds)
    if named:
        return kinds
    return max(best * HYPERNYM if mention.group else best, kinds)


def _scene_score(text: str, evidence: Evidence, language: Language) -> float:
    named = [name for name, place in language.scenes.items() if text in (place.one, *place.also)]
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
        share = [thing.score for thing in evidence.sight.things[:6] if thing.label in theme.things]
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
    things = evidence.sight.things
    if things and things[0].colour == colour:
        return COLOUR
    return COLOUR / 2 if colour in evidence.sight.palette else 0.0


def text_score(option: str, evidence: Evidence) -> float:
    """The score of the surest line that holds an option's words, 0..1."""
    text = plain(option)
    if not text:
        return 0.0
    return max((line.score for line in evidence.text or () if text in line.text.lower()), default=0.0)
