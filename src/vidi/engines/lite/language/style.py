"""How an answer is wanted, which options it is to choose among, and an answer written so."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from vidi.engines.lite.language.language import Language, folded


class AnswerForm(Enum):
    """How an answer may be written, besides sentences; the first that matches holds."""

    JSON = "json"
    PYTHON_LIST = "python_list"
    BULLETS = "bullets"
    COMMAS = "commas"


@dataclass(frozen=True, slots=True)
class AnswerText:
    """What is answered.

    Attributes:
        text: The answer in sentences.
        brief: The answer in a word or two: "yes", "3", "red"; "" where there is none.
        known: Whether the evidence answers the question.
        items: The answer's things, one by one, for lists.
    """

    text: str
    brief: str = ""
    known: bool = True
    items: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AnswerStyle:
    """How an answer is wanted.

    Attributes:
        form: How it is written; None for sentences.
        yes_no: Whether only yes or no is wanted.
        number: Whether only a number is wanted.
        short: Whether one sentence is wanted.
        long: Whether details are wanted.
        words: Most words, if limited.
        sentences: Most sentences, if limited.
        limit: Most things, if limited.
        case: "upper", "lower" or "".
    """

    form: AnswerForm | None = None
    yes_no: bool = False
    number: bool = False
    short: bool = False
    long: bool = False
    words: int | None = None
    sentences: int | None = None
    limit: int | None = None
    case: str = ""


def style_of(system: str, text: str, languages: Sequence[Language]) -> AnswerStyle:
    """Read the wishes in a system instruction and a prompt; the prompt's own come first."""

    system, text = folded(system), folded(text)

    def wished(name: str) -> bool:
        return any(each.matches(each.style, name, source) for each in languages for source in (text, system))

    return AnswerStyle(
        form=next((form for form in AnswerForm if wished(form.value)), None),
        yes_no=wished("yes_no"),
        number=wished("number"),
        short=wished("short"),
        long=wished("long"),
        words=_amount("words", text, system, languages),
        sentences=_amount("sentences", text, system, languages),
        limit=_amount("limit", text, system, languages),
        case="upper" if wished("upper") else "lower" if wished("lower") else "",
    )


def styled(answer: AnswerText, style: AnswerStyle, language: Language) -> str:
    """An answer in the style that is wanted."""
    text = _shaped(answer, style)
    if style.short:
        text = _sentences(text, 1)
    if style.sentences:
        text = _sentences(text, style.sentences)
    if style.words == 1 and style.form is None:
        text = _word(answer, language)
    elif style.words:
        text = _words(text, style.words, language, known=answer.known)
    if style.case == "upper":
        return text.upper()
    return text.lower() if style.case == "lower" else text


def _word(answer: AnswerText, language: Language) -> str:
    """One word for an answer, the last of the first name; a sentence cut after one word says nothing."""
    brief = answer.brief if answer.known else ""
    first = next(iter(answer.items), brief) if len(brief.split()) != 1 else brief
    words = first.split(",")[0].split()
    return words[-1] if words else language.say("unknown")


def _shaped(answer: AnswerText, style: AnswerStyle) -> str:
    if answer.items and style.form is AnswerForm.BULLETS:
        return "\n".join(f"- {item}" for item in answer.items)
    if answer.items and style.form is AnswerForm.COMMAS:
        return ", ".join(answer.items)
    in_words = style.words is not None and style.words <= 2
    if answer.brief and answer.known and (in_words or style.yes_no or style.number):
        return answer.brief
    return answer.text


def _amount(name: str, text: str, system: str, languages: Sequence[Language]) -> int | None:
    for source in (text, system):
        for language in languages:
            match = language.matches(language.style, name, source)
            amount = language.number_of(match["n"]) if match else None
            if amount:
                return amount
            if name == "words" and language.matches(language.style, "one_word", source):
                return 1
    return None


def sentences_of(text: str) -> list[str]:
    """A text's sentences."""
    return re.split(r"(?<=[.!?])\s+", text)


def _sentences(text: str, most: int) -> str:
    return " ".join(sentences_of(text)[:most])


def _words(text: str, most: int, language: Language, *, known: bool) -> str:
    """A text cut to so many words, not after a word that leads on to another."""
    words = text.split()
    if len(words) <= most:
        return text
    if not known:
        # That it cannot be told has to be said whole: half of it may say something else.
        first = _sentences(text, 1)
        return first if len(first.split()) <= most else language.say("unknown")
    kept = words[:most]
    while len(kept) > 1 and kept[-1].lower() in language.dangling.union(language.numbers):
        kept.pop()
    return " ".join(kept).rstrip(",;:.") + "."


def lettered_options(text: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """What stands before options with letters or numbers, and those: "a) cat b) dog"; none without a row."""
    marks = list(_MARK.finditer(text))
    rows = (range(ord("a"), ord("a") + len(marks)), range(ord("1"), ord("1") + len(marks)))
    if len(marks) < 2 or not any([ord(each[1]) for each in marks] == list(row) for row in rows):
        return text, ()
    ends = [*(each.start() for each in marks[1:]), len(text)]
    told = [text[each.end() : end].strip(" \n.,;()") for each, end in zip(marks, ends, strict=True)]
    # What is said about the answer stands on a line of its own behind the last option.
    told[-1] = told[-1].partition("\n")[0].strip()
    pairs = tuple((each[1], option) for each, option in zip(marks, told, strict=True))
    return text[: marks[0].start()].strip(" (\n"), pairs if all(told) else ()


_MARK = re.compile(r"(?<![^\s(])([a-h]|[1-9])[).:](?=\s)")


def options_in(named: Mapping[str, str | None], joins: Iterable[str]) -> tuple[str, ...]:
    """What to choose among, by what a pattern found: its two options, or a list in words.

    Args:
        named: The pattern's groups: `a` and `b`, or `options`.
        joins: Patterns of words that stand between the options of a list.
    """
    if named.get("a") and named.get("b"):
        return (str(named["a"]), str(named["b"]))
    listed = re.split(r"[,;/|\n]", re.sub("|".join(joins), ",", named.get("options") or ""))
    stripped = (each.strip(" .?!:'\"()[]{}*-\t") for each in listed)
    return tuple(dict.fromkeys(each for each in stripped if each))
