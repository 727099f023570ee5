"""How an answer is wanted: its length, its form and its language, as far as rules can follow."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from vidi.engines.lite.language import Language
from vidi.engines.lite.said import Said

FORMS = ("json", "python_list", "bullets", "commas")
"""Forms that the languages have patterns for; the first that matches holds."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How an answer is wanted.

    Attributes:
        form: One of FORMS, or "" for sentences.
        brief: Whether a word or two are wanted instead of sentences.
        yes_no: Whether only yes or no is wanted.
        number: Whether only a number is wanted.
        short: Whether one sentence is wanted.
        long: Whether details are wanted.
        words: Most words, if limited.
        sentences: Most sentences, if limited.
        limit: Most things, if limited.
        case: "upper", "lower" or "".
    """

    form: str = ""
    brief: bool = False
    yes_no: bool = False
    number: bool = False
    short: bool = False
    long: bool = False
    words: int | None = None
    sentences: int | None = None
    limit: int | None = None
    case: str = ""


def manner_of(system: str, text: str, languages: Sequence[Language]) -> Manner:
    """Read the wishes in a system instruction and a prompt; the prompt's own come first."""

    def wished(name: str) -> bool:
        return any(each.matches(each.manner, name, source) for each in languages for source in (text, system))

    return Manner(
        form=next((form for form in FORMS if wished(form)), ""),
        brief=wished("one_word"),
        yes_no=wished("yes_no"),
        number=wished("number"),
        short=wished("short"),
        long=wished("long"),
        words=_amount("words", text, system, languages),
        sentences=_amount("sentences", text, system, languages),
        limit=_amount("limit", text, system, languages),
        case="upper" if wished("upper") else "lower" if wished("lower") else "",
    )


def dressed(said: Said, manner: Manner, language: Language) -> str:
    """An answer in the manner that is wanted."""
    text = _shaped(said, manner)
    if manner.short:
        text = _sentences(text, 1)
    if manner.sentences:
        text = _sentences(text, manner.sentences)
    if manner.words:
        text = _words(text, manner.words, language)
    if manner.case == "upper":
        return text.upper()
    return text.lower() if manner.case == "lower" else text


def _shaped(said: Said, manner: Manner) -> str:
    if said.items and manner.form == "bullets":
        return "\n".join(f"- {item}" for item in said.items)
    if said.items and manner.form == "commas":
        return ", ".join(said.items)
    one_word = manner.brief or (manner.words is not None and manner.words <= 2)
    if said.brief and said.known and (one_word or manner.yes_no or manner.number):
        return said.brief
    return said.text


def _amount(name: str, text: str, system: str, languages: Sequence[Language]) -> int | None:
    for source in (text, system):
        for language in languages:
            match = language.matches(language.manner, name, source)
            amount = language.number_of(match["n"]) if match else None
            if amount:
                return amount
    return None


def _sentences(text: str, most: int) -> str:
    parts = re.split(r"(?<=[.!?])\s+", text)
    return " ".join(parts[:most])


def _words(text: str, most: int, language: Language) -> str:
    """A text cut to so many words, not after a word that leads on to another."""
    words = text.split()
    if len(words) <= most:
        return text
    kept = words[:most]
    while len(kept) > 1 and kept[-1].lower() in language.dangling.union(language.numbers):
        kept.pop()
    return " ".join(kept).rstrip(",;:.") + "."
