"""Where a request or a question names things, known or not, and where it names pictures."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from vidi.engines.lite.language.language import Language, folded


@dataclass(frozen=True, slots=True)
class NounPhrase:
    """Words that stand for one thing.

    Attributes:
        words: They, without article and the like.
        start, stop: Where they stand in the text.
        dependent: Whether they only say more about another thing: "with a hat".
    """

    words: str
    start: int
    stop: int
    dependent: bool

    @property
    def head(self) -> str:
        """The last word: what the thing is."""
        return self.words.split()[-1]

    def holds(self, at: int) -> bool:
        """Whether a place in the text is within it."""
        return self.start <= at < self.stop

    def ends_within(self, start: int, stop: int) -> bool:
        """Whether its last word is within a stretch of the text: that of a known word."""
        return start < self.stop <= stop


@dataclass(frozen=True, slots=True)
class NounPhrases:
    """Where a language's requests and questions name things, whether or not the things are known.

    Attributes:
        slots: Patterns with a group `np`: where the things that are asked after stand.
        measures: What stands before a thing and only says how much of it.
        breaks: What stands between two things and makes the second say more about the first.
        joins: What stands between two things of like rank.
        lead: Words before a noun that say nothing of what it is.
        generic: Words that may end a phrase and are no thing that could be looked for.
        scenery: What pixels or the whole picture tell, though it cannot be boxed or counted.
    """

    slots: tuple[re.Pattern[str], ...]
    measures: re.Pattern[str]
    breaks: re.Pattern[str]
    joins: re.Pattern[str]
    lead: frozenset[str]
    generic: frozenset[str]
    scenery: frozenset[str]

    def heads(self, text: str) -> Iterator[NounPhrase]:
        """The phrases in the first slot that a text has; none where the first of them is generic."""
        match = next((found for slot in self.slots if (found := slot.search(text))), None)
        if match is None:
            return
        text = self.measures.sub(lambda each: " " * len(each[0]), text)
        start, dependent, stop = match.start("np"), False, match.end("np")
        while start < stop:
            gap = self.breaks.search(text, start, stop)
            join = self.joins.search(text, start, stop)
            end = min((each for each in (gap, join) if each), key=re.Match.start, default=None)
            phrase = self._phrase(text, start, end.start() if end else stop, dependent=dependent)
            if phrase is not None and phrase.head in self.generic:
                if not dependent:
                    return
            elif phrase is not None:
                yield phrase
            if end is None:
                return
            dependent = dependent or (end is gap and phrase is not None)
            start = max(end.end(), start + 1)

    def _phrase(self, text: str, start: int, stop: int, *, dependent: bool) -> NounPhrase | None:
        found = list(_WORD.finditer(text, start, stop))
        while found and found[0][0] in self.lead:
            found.pop(0)
        if not found:
            return None
        first, last = found[0].start(), found[-1].end()
        return NounPhrase(text[first:last], first, last, dependent)


_WORD = re.compile(r"[^\W\d_][\w'-]*")


def noun_phrases(language: Language) -> NounPhrases:
    """The patterns of a language's file."""
    told = language.phrase
    return NounPhrases(
        slots=tuple(re.compile(each) for each in told["slots"]),
        measures=re.compile("|".join(told["measures"])),
        breaks=re.compile("|".join(told["breaks"])),
        joins=re.compile("|".join(told["joins"])),
        lead=frozenset(told["lead"]),
        generic=frozenset(told["generic"]),
        scenery=frozenset(told["scenery"]).union(
            word.split()[-1] for place in language.scenes.values() for word in place.words
        ),
    )


@dataclass(frozen=True, slots=True)
class PictureMention:
    """Where a text names one of several pictures.

    Attributes:
        at: The picture's number, from 0.
        start, stop: Where the words stand.
        language: The language that they are of.
    """

    at: int
    start: int
    stop: int
    language: Language


def picture_mentions(text: str, languages: Iterable[Language], count: int) -> Iterator[PictureMention]:
    """Where a text in lower case names pictures of `count` by number or order: "image 2", "the last one"."""
    text = folded(text)
    for language in languages:
        for pattern in (*language.pronouns["numbered"], *language.pronouns["nth"]):
            for match in pattern.finditer(text):
                at = language.order_of(match[pattern.groupindex.get("n") or "nth"], count)
                if at is not None:
                    yield PictureMention(at, *match.span(), language)
