"""A request's words put into a family's own: what is looked for stays, how to write it goes."""

from __future__ import annotations

from dataclasses import dataclass

from vidi.engines.grounding.sentences import Sentence, joined, sentences
from vidi.engines.grounding.wording import Means, matches, says

TARGETS = "{targets}"
"""Stands in a native prompt for what is looked for."""

LONGEST_SENTENCE = 2000
"""Characters of a sentence that may name what is looked for."""

LONGEST_TARGETS = 400
"""Characters of what is looked for, in a native prompt; more stays in the request's own words."""

ASKED_ABOVE = "thing that is asked for above"
"""What is looked for where the request's own words, which then stay, say it in a way of their own."""


@dataclass(frozen=True, slots=True)
class Reworded:
    """A text without its description of the answer.

    Attributes:
        before: What stood before what is looked for.
        targets: What is looked for; "" if the text does not name it.
        after: What stood behind it, limits and additions among it.
        anything: Whether the text names what is looked for as whatever there is.
    """

    before: str
    targets: str
    after: str
    anything: bool = False


def reword(text: str) -> Reworded:
    """Take a text apart."""
    before: list[Sentence] = []
    after: list[Sentence] = []
    targets: list[str] = []
    anything = False
    for sentence in sentences(text):
        found = _sought(sentence.text)
        if found is None:
            if not says(Means.FORM, sentence.text):
                (after if targets or anything else before).append(sentence)
            continue
        anything = anything or not found.targets
        targets += [found.targets] if found.targets else []
        after += [Sentence(each, "\n") for each in found.additions]
    return Reworded(joined(tuple(before)), ", ".join(targets), joined(tuple(after)), anything)


@dataclass(frozen=True, slots=True)
class _Sought:
    """What one sentence looks for: "" for whatever there is; and what it adds."""

    targets: str
    additions: tuple[str, ...]


def _sought(sentence: str) -> _Sought | None:
    """What a sentence looks for; None if it is no sentence of that kind."""
    if len(sentence) > LONGEST_SENTENCE:
        return None
    for match in matches(Means.SEEKS, sentence):
        targets, additions = _pared(str(match.group("targets")))
        if says(Means.ANYTHING, targets):
            return _Sought("", additions)
        if targets and len(targets) <= LONGEST_TARGETS:
            return _Sought(targets, additions)
    return None


def _pared(targets: str) -> tuple[str, tuple[str, ...]]:
    """What is looked for without what surrounds it, and the limits and additions that were taken off."""
    additions: list[str] = []
    for match in matches(Means.LIMIT, targets):
        additions.append(_sentence(str(match.group("limit"))))
        targets = (targets[: match.start()] + targets[match.end() :]).strip()
        break
    for match in matches(Means.TAIL, targets):
        tail = str(match.group("tail"))
        targets = targets[: match.start()]
        if not says(Means.FORM, tail):
            additions.append(_sentence(tail))
        break
    targets = _trimmed(targets)
    starts = [match.start() for match in matches(Means.FORM, targets)]
    return _trimmed(targets[: min(starts)].strip()) if starts else targets, tuple(additions)


def _trimmed(targets: str) -> str:
    for means in (Means.FILLER, Means.ARTICLE, Means.FILLER):
        trimmed = ""
        while trimmed != targets:
            trimmed = targets
            for match in matches(means, targets):
                kept = (targets[: match.start()] + targets[match.end() :]).strip()
                if kept and kept != targets:
                    targets = kept
                    break
    return targets


def _sentence(addition: str) -> str:
    """An addition as a sentence of its own."""
    bare = addition.strip(" ,;.")
    bare = bare[4:] if bare.lower().startswith("and ") else bare
    bare = bare[1:-1] if bare.startswith("(") and bare.endswith(")") else bare
    return bare[:1].upper() + bare[1:] + "."
