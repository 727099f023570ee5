"""What a prompt wants, read from its words and from what was said before."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from string import ascii_lowercase

from vidi.domain.prompt import Prompt, Role
from vidi.engines.lite.language import Language, language_of, load_languages
from vidi.engines.lite.manner import Manner, manner_of
from vidi.engines.lite.mentions import Lexicon, Mention, build_lexicon
from vidi.engines.lite.world import World

UNKNOWN = "unknown"
"""The aim of a prompt that no pattern knows."""

ABOUT_THINGS = frozenset(
    {
        "count",
        "colour",
        "where",
        "where_first",
        "activity",
        "exists",
        "state",
        "kind",
        "near",
        "detect",
        "point",
    }
)
"""Aims that a pronoun may leave without a thing: it is then the one spoken of before."""

LONGEST_READ = 4000
"""Characters of a prompt that are read, from its beginning and from its end."""


@dataclass(frozen=True, slots=True)
class Intent:
    """What a prompt wants.

    Attributes:
        aim: A name of the languages' [intents], or UNKNOWN.
        lexicon: The words of the language that it is answered in.
        manner: How it is answered.
        mentions: The things it names, in its order.
        options: What to choose among.
        thing: The words that stand where a thing is named, for answers about unknown things.
        colour: A colour that it names, or "".
        text: The prompt in lower case.
    """

    aim: str
    lexicon: Lexicon
    manner: Manner = field(default_factory=Manner)
    mentions: tuple[Mention, ...] = ()
    options: tuple[str, ...] = ()
    thing: str = ""
    colour: str = ""
    text: str = ""

    @property
    def language(self) -> Language:
        """What it is answered in."""
        return self.lexicon.language


@dataclass(frozen=True, slots=True)
class Tongues:
    """All languages with their words for things; the first is the usual one."""

    languages: Mapping[str, Language]
    lexicons: Mapping[str, Lexicon]

    @property
    def usual(self) -> Language:
        """The language for prompts in no known language."""
        return next(iter(self.languages.values()))

    def understand(self, prompt: Prompt) -> Intent:
        """Read a prompt: its last turn, in the light of those before.

        A turn with pictures and no words is read from the system instruction.
        """
        turns = [(turn.role, _text_of(turn.parts)) for turn in prompt.turns]
        system = lowered(prompt.system)
        last = turns[-1][1] if turns else ""
        language = self._language(last or prompt.system, turns, prompt.system)
        spoken = [(role, lowered(text)) for role, text in turns[:-1] if text]
        read = self.read(lowered(last) or system, language)
        manner = manner_of(system, lowered(last), tuple(self.languages.values()))
        return replace(self._completed(read, spoken), manner=manner)

    def read(self, text: str, language: Language) -> Intent:
        """Read one text, in lower case, on its own; answers in `language`."""
        for each in (language, *self.languages.values()):
            intent = self._read_as(text, each)
            if intent.aim != UNKNOWN:
                return replace(intent, lexicon=self.lexicons[language.id])
        return self._read_as(text, language)

    def _read_as(self, text: str, language: Language) -> Intent:
        lexicon = self.lexicons[language.id]
        for polite in language.pronouns["polite"]:
            text = polite.sub("", text)
        aim, match = _aim(text, language)
        named = match.groupdict() if match else {}
        mentions = lexicon.mentions(text)
        if mentions and language.matches(language.pronouns, "which", text[: mentions[0].start]):
            aim = "kind" if mentions[0].group else aim
        if aim == UNKNOWN and mentions and len(text.split()) <= 4 and not _foreign(text, language):
            aim = "exists"
        if aim == UNKNOWN and not text.strip():
            aim = "caption"
        return Intent(
            aim=aim,
            lexicon=lexicon,
            mentions=mentions,
            options=_options(named),
            thing=(named.get("thing") or "").strip(" ?.!,"),
            colour=lexicon.colour_in(text),
            text=text,
        )

    def _completed(self, intent: Intent, spoken: Sequence[tuple[Role, str]]) -> Intent:
        """Fill in from earlier turns what a follow-up leaves out: the thing, or the question."""
        if not spoken:
            return intent
        language = intent.language
        before = self._before(spoken, language)
        about = language.matches(language.pronouns, "what_about", intent.text)
        if about and before and intent.aim in {UNKNOWN, "exists", "caption", "kind", "state"}:
            thing = about["thing"].strip(" ?.!")
            return replace(
                before, mentions=intent.mentions, thing=thing, text=intent.text, colour=intent.colour
            )
        if intent.mentions or intent.aim not in ABOUT_THINGS:
            return intent
        mentions = before.mentions if before else ()
        return replace(intent, mentions=mentions or self._answered(spoken, language))

    def _before(self, spoken: Sequence[tuple[Role, str]], language: Language) -> Intent | None:
        """The latest question that named a thing, itself completed by those before it."""
        for index in range(len(spoken) - 1, -1, -1):
            role, text = spoken[index]
            if role is Role.USER:
                intent = self._completed(self.read(text, language), spoken[:index])
                if intent.mentions:
                    return intent
        return None

    def _answered(self, spoken: Sequence[tuple[Role, str]], language: Language) -> tuple[Mention, ...]:
        """The first thing that the latest answer names."""
        for role, text in reversed(spoken):
            if role is Role.MODEL:
                return self.lexicons[language.id].mentions(text)[:1]
        return ()

    def _language(self, text: str, turns: Sequence[tuple[Role, str]], system: str) -> Language:
        asked = lowered(f"{system}\n{text}")
        for language in self.languages.values():
            if any(re.search(rf"\b{re.escape(name)}\b", asked) for name in language.names):
                return language
        usual = self.usual
        for role, earlier in turns[:-1]:
            if role is Role.USER:
                usual = language_of(lowered(earlier), self.languages, usual)
        return language_of(lowered(text), self.languages, usual)


def load_tongues(world: World) -> Tongues:
    """Read every language."""
    languages = load_languages()
    lexicons = {name: build_lexicon(language, world) for name, language in languages.items()}
    return Tongues(languages, lexicons)


def lowered(text: str) -> str:
    """A text in lower case, without blank ends, of bounded length, with plain quotation marks."""
    if len(text) > 2 * LONGEST_READ:
        text = f"{text[:LONGEST_READ]}\n{text[-LONGEST_READ:]}"
    plain = text.replace("İ", "i").replace("’", "'").replace("‘", "'").replace("“", '"').replace("”", '"')
    return re.sub(r"[ \t]+", " ", plain).lower().strip()


def _text_of(parts: Sequence[object]) -> str:
    return "\n".join(part for part in parts if isinstance(part, str)).strip()


def _aim(text: str, language: Language) -> tuple[str, re.Match[str] | None]:
    for aim, patterns in language.intents.items():
        for pattern in patterns:
            match = pattern.search(text)
            if match:
                return aim, match
    return UNKNOWN, None


def _foreign(text: str, language: Language) -> bool:
    """Whether a text has letters that the language does not: its words are then alike by chance."""
    return any(letter.isalpha() and letter not in f"{ascii_lowercase}{language.letters}" for letter in text)


def _options(named: Mapping[str, str | None]) -> tuple[str, ...]:
    """What to choose among: the two named options, or a list in words."""
    if named.get("a") and named.get("b"):
        return (str(named["a"]), str(named["b"]))
    listed = re.split(r"[,;/|\n]|\bor\b|\band\b|\bveya\b|\bya da\b|\bve\b", named.get("options") or "")
    stripped = (each.strip(" .?!:'\"()[]{}*-\t") for each in listed)
    return tuple(dict.fromkeys(each for each in stripped if each))
