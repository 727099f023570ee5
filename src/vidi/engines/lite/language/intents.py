"""What a prompt wants, read from its words and from what was said before."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from string import ascii_lowercase

from vidi.domain.prompt import Prompt, Role
from vidi.engines.lite.evidence import Thing
from vidi.engines.lite.language.language import (
    LONGEST_READ,
    IntentKind,
    Language,
    both_ends,
    folded,
    language_of,
    lowered,
    read_languages,
)
from vidi.engines.lite.language.noun_phrases import NounPhrases, noun_phrases
from vidi.engines.lite.language.style import AnswerStyle, lettered_options, options_in, style_of
from vidi.engines.lite.world import IMAGENET_CLASSES, World


@dataclass(frozen=True, slots=True)
class Entity:
    """A thing that a text names.

    Attributes:
        name: Detector class, hypernym or classifier class that was named.
        word: The word that the text used.
        labels: Detector classes and wild animals that are meant; empty if it is none of them.
        kinds: Classifier classes that are meant.
        narrow: Whether the word says more than can be seen, as "woman" for a person.
        colour: The colour named with it, or "".
        start: Where it stands in the text.
        anchor: Whether it only says where: "on the table".
        single: Whether one thing is spoken of: "the dog".
        wild: Whether it is an animal that the detector has no class for.
    """

    name: str
    word: str
    labels: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()
    narrow: bool = False
    colour: str = ""
    start: int = 0
    anchor: bool = False
    single: bool = False
    wild: bool = False

    @property
    def overlooked(self) -> bool:
        """Whether it may be there without being found: the detector does not look for it."""
        return self.wild or not self.labels

    @property
    def unknown(self) -> bool:
        """Whether no model knows what is meant."""
        return not self.labels and not self.kinds

    @property
    def group(self) -> bool:
        """Whether several classes are meant."""
        return len(self.labels) > 1

    def means(self, thing: Thing) -> bool:
        """Whether a thing is of the kind and colour that is meant."""
        return self.names(thing) != "" and self.colour in ("", thing.colour)

    def names(self, thing: Thing) -> str:
        """The class by which a thing is meant: its own, or one that it may be as well; "" if it is not."""
        if thing.label in self.labels:
            return thing.label
        return min(thing.also & self.labels, default="")


@dataclass(frozen=True)
class Lexicon:
    """Every word of a language for things, in one pattern; it is made when a prompt needs it."""

    language: Language
    meanings: dict[str, Entity]
    colours: dict[str, str]

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Any of the words, the longest first."""
        words = sorted(self.meanings, key=len, reverse=True)
        return re.compile(rf"\b(?P<word>{'|'.join(map(re.escape, words))}){self.language.suffix}\b")

    @cached_property
    def phrases(self) -> NounPhrases:
        """Where things are named that are no words of it."""
        return noun_phrases(self.language)

    def entities(self, text: str) -> tuple[Entity, ...]:
        """The first things that a text names, in its order, longest words first where they overlap."""
        return tuple(islice(self._found(folded(text.lower())), MOST_ENTITIES))

    def asked(self, text: str, kind: IntentKind) -> tuple[Entity, ...]:
        """The things that a request or question of a kind names, with those that no model knows.

        A known word within an unknown name goes: a bus stop is no bus.
        """
        known = self.entities(text)
        phrases = tuple(self.phrases.heads(text))
        strange = [
            phrase
            for phrase in phrases
            if phrase.head not in self.colours
            and not (phrase.head in self.phrases.scenery and kind in ABOUT_SCENERY)
            and not any(phrase.ends_within(each.start, each.start + len(each.word)) for each in known)
        ]
        # "The wheels of the car": the car only says which wheels, if it is not known what wheels are.
        dependent = [
            phrase for phrase in phrases if phrase.dependent and strange and strange[0] is phrases[0]
        ]
        kept = [
            replace(each, anchor=each.anchor or any(phrase.holds(each.start) for phrase in dependent))
            for each in known
            if not any(phrase.holds(each.start) for phrase in strange)
        ]
        unknown = (
            Entity(phrase.words, phrase.words, start=phrase.start, anchor=phrase.dependent)
            for phrase in strange
        )
        return tuple(sorted((*kept, *unknown), key=lambda each: each.start)[:MOST_ENTITIES])

    def colour_in(self, text: str) -> str:
        """The first colour that a text names, or ""."""
        words = re.findall(r"[^\W\d_]+", folded(text.lower()))
        return next((self.colours[word] for word in words if word in self.colours), "")

    def _found(self, text: str) -> Iterator[Entity]:
        matches = self.pattern.finditer(text)
        other = self.language.matches(self.language.pronouns, "other_sense", text)
        ahead = next(matches, None)
        while ahead is not None:
            match, following = ahead, next(matches, None)
            ahead = following
            word = match["word"]
            adjective = following is not None and following.start() <= match.end() + 1
            if word in self.colours and adjective:
                continue
            meaning = self.meanings[word]
            if other is not None and other.start("word") <= match.start() < other.end("word"):
                continue
            if not self._is_thing(meaning, text, match):
                continue
            yield Entity(
                name=meaning.name,
                word=match[0],
                labels=meaning.labels,
                kinds=meaning.kinds,
                narrow=meaning.narrow,
                wild=meaning.wild,
                colour=self._colour_of(text, match),
                start=match.start(),
                anchor=self._is_anchor(text, match.start()),
                single=self._is_single(meaning, word, match[0][len(word) :]),
            )

    def _is_thing(self, meaning: Entity, text: str, match: re.Match[str]) -> bool:
        """Whether a word is a noun here: the classifier's "safe", "switch" or "ram" may be none."""
        language = self.language
        if meaning.labels or len(match["word"].split()) > 1:
            return True
        return language.matches(language.pronouns, "determined", _before(text, match.start())) is not None

    def _colour_of(self, text: str, match: re.Match[str]) -> str:
        """The colour that is named before a noun, or of the clothes that are named after it."""
        before = re.search(r"([^\W\d_]+)\W*$", _before(text, match.start()))
        if before and before[1] in self.colours:
            return self.colours[before[1]]
        after = self.language.matches(
            self.language.pronouns, "dressed", text[match.end() : match.end() + NEAR]
        )
        return self.colours.get(after["colour"], "") if after else ""

    def _is_anchor(self, text: str, start: int) -> bool:
        """Whether the word there only says where: by what stands before it, or by its ending."""
        language = self.language
        before = language.matches(language.pronouns, "anchor", _before(text, start))
        return bool(before or language.matches(language.pronouns, "anchor_after", text[start : start + 40]))

    def _is_single(self, meaning: Entity, word: str, ending: str) -> bool:
        """Whether a word, with what follows it, stands for one thing."""
        language = self.language
        noun = language.nouns.get(meaning.name)
        plural = noun is not None and word == folded(noun.many.lower())
        several = plural or word in language.plurals or language.plural_ending.match(ending)
        return not meaning.group and not several


NEAR = 100
"""Characters before and behind a thing's name in which more is said of it."""

SHORTEST_ELSEWHERE = 4
"""Letters of a name in another language than the rest; shorter ones are words of both: at, top, bot."""

MOST_ENTITIES = 150
"""Things of one text that are looked for."""


def _before(text: str, at: int) -> str:
    return text[max(0, at - NEAR) : at]


def build_lexicon(language: Language, world: World) -> Lexicon:
    """Gather a language's words for the detector's classes, the hypernyms and the classifier's classes."""
    meanings: dict[str, Entity] = {}
    # The classifier's names are English: "hay" is grass there, and "there is" in Spanish.
    for name in (each for each in IMAGENET_CLASSES if each.lower() not in language.telling):
        family = world.family.get(name)
        labels = frozenset({family} if family else ())
        wild = family in world.wild
        meanings[name.lower()] = Entity(name, name.lower(), labels, frozenset({name}), wild=wild)
    for group, noun in language.groups.items():
        for word in noun.words:
            meanings[folded(word.lower())] = Entity(group, word.lower(), world.groups[group])
    for label, noun in language.nouns.items():
        kinds = frozenset(kind for kind, family in world.family.items() if family == label)
        own, wild = frozenset({label}), label in world.wild
        for word in noun.words:
            narrow = word in noun.narrower
            meanings[folded(word.lower())] = Entity(label, word.lower(), own, kinds, narrow, wild=wild)
    for word in language.phrase["strange"]:
        meanings[word] = Entity(word, word)
    colours = {folded(word): name for name, noun in language.colours.items() for word in noun.words}
    return Lexicon(language, meanings, colours)


ABOUT_THINGS = frozenset(
    {
        IntentKind.COUNT,
        IntentKind.COLOUR,
        IntentKind.WHERE,
        IntentKind.WHERE_FIRST,
        IntentKind.ACTIVITY,
        IntentKind.EXISTS,
        IntentKind.STATE,
        IntentKind.KIND,
        IntentKind.NEAR,
        IntentKind.DETECT,
        IntentKind.POINT,
    }
)
"""Kinds of intent that a pronoun may leave without a thing: it is then the one spoken of before."""

ABOUT_SCENERY = frozenset({IntentKind.COLOUR, IntentKind.EXISTS, IntentKind.STATE})
"""Kinds of intent that may be about the sky or a beach, which are no things."""

MAY_BE_FOLLOW_UPS = frozenset(
    {IntentKind.UNKNOWN, IntentKind.EXISTS, IntentKind.CAPTION, IntentKind.KIND, IntentKind.STATE}
)
"""Kinds of intent that "what about the dog?" may be read as, by its own words."""

LONGEST_READ_BEFORE = 500
"""Characters of an earlier turn that are read, from each of its ends."""

TURNS_READ_BEFORE = 40
"""Earlier turns that are read, the latest ones."""


@dataclass(frozen=True, slots=True)
class Intent:
    """What a prompt wants.

    Attributes:
        kind: What it wants to know or to get.
        lexicon: The words of the language that it is answered in.
        style: How it is answered.
        entities: The things it names, in its order.
        options: What to choose among.
        letters: The letters, or numbers, of the options, if they have any.
        question: What the options are answers to, where they have letters.
        readable: The names of all languages, of a prompt that is in none of them.
        thing: The words that stand where a thing is named, for answers about unknown things.
        colour: A colour that it names, or "".
        text: The prompt in lower case.
    """

    kind: IntentKind
    lexicon: Lexicon
    style: AnswerStyle = field(default_factory=AnswerStyle)
    entities: tuple[Entity, ...] = ()
    options: tuple[str, ...] = ()
    letters: tuple[str, ...] = ()
    question: Intent | None = None
    readable: tuple[str, ...] = ()
    thing: str = ""
    colour: str = ""
    text: str = ""

    @property
    def language(self) -> Language:
        """What it is answered in."""
        return self.lexicon.language


@dataclass(frozen=True, slots=True)
class Languages:
    """All languages with their words for things; the first is the usual one."""

    by_id: Mapping[str, Language]
    lexicons: Mapping[str, Lexicon]

    @property
    def usual(self) -> Language:
        """The language for prompts in no known language."""
        return next(iter(self.by_id.values()))

    def parse(self, prompt: Prompt) -> Intent:
        """Read a prompt: its last turn, in the light of those before.

        A turn with pictures and no words is read from the system instruction.
        """
        last = _text_of(prompt.turns[-1].parts) if prompt.turns else ""
        earlier = [
            (turn.role, lowered(_text_of(turn.parts), LONGEST_READ_BEFORE))
            for turn in prompt.turns[:-1][-TURNS_READ_BEFORE:]
        ]
        spoken = [(role, text) for role, text in earlier if text]
        system = lowered(prompt.system)
        language = self._language(last or prompt.system, spoken, prompt.system)
        told = self._is_told(last or system)
        read = self.parse_text(lowered(last) or system, language, told=told)
        style = style_of(system, lowered(last), tuple(self.by_id.values()))
        if read.kind is IntentKind.UNKNOWN and not told:
            read = replace(read, readable=tuple(each.names[0].title() for each in self.by_id.values()))
        return replace(self._completed(read, spoken), style=style)

    def parse_text(self, text: str, language: Language, *, told: bool = True) -> Intent:
        """Read one text, in lower case, on its own.

        It is answered in `language`; where no word told that language, in the one that it can be read in.
        """
        for each in (language, *self.by_id.values()):
            intent = self._read_as(text, each)
            if intent.kind is not IntentKind.UNKNOWN:
                named = self._understood(intent.entities, text, each) or self._named_elsewhere(text, each)
                lexicon = self.lexicons[language.id if told else each.id]
                return _spelled(replace(intent, lexicon=lexicon, entities=named), text)
        return self._read_as(text, language)

    def _is_told(self, text: str) -> bool:
        """Whether any word of a text tells its language."""
        words = set(re.findall(r"[^\W\d_]+", folded(lowered(text))))
        return any(words & each.telling for each in self.by_id.values())

    def _understood(self, entities: Sequence[Entity], text: str, read: Language) -> tuple[Entity, ...]:
        """What a text names, with words of other languages among it: "detect the kedi"."""
        # Glasses that are worn are unknown where they stand, though their word is not.
        other = read.matches(read.pronouns, "other_sense", text)
        kept = other.start("word") if other else -1
        return tuple(
            self._of_any_language(each, read)
            if each.unknown and not each.start <= kept < each.start + len(each.word)
            else each
            for each in entities
        )

    def _of_any_language(self, entity: Entity, read: Language) -> Entity:
        others = [each for each in self.by_id.values() if each is not read]
        told = frozenset[str]().union(*(each.telling for each in others)) - read.telling
        word = " ".join(word for word in entity.word.split() if word not in told)
        for lexicon in (self.lexicons[each.id] for each in (read, *others)):
            for known in lexicon.entities(word):
                if known.unknown and known.word == word:
                    return entity
                if known.labels and word.endswith(known.word):
                    return replace(known, start=entity.start, anchor=entity.anchor)
        return entity

    def _named_elsewhere(self, text: str, read: Language) -> tuple[Entity, ...]:
        """The things a text names in another language than it is read in: "Arabaları bul", then a form."""
        words = set(re.findall(r"[^\W\d_]+", folded(text)))
        for each in self.by_id.values():
            told = words & each.telling - read.telling or set(text) & set(each.letters)
            if told and each is not read:
                found = self.lexicons[each.id].entities(text)
                named = tuple(entity for entity in found if len(entity.word) >= SHORTEST_ELSEWHERE)
                if named:
                    return named
        return ()

    def _read_as(self, spelled: str, language: Language) -> Intent:
        lexicon, text = self.lexicons[language.id], folded(spelled)
        head, lettered = lettered_options(text)
        if lettered:
            question = self._read_as(head, language)
            letters, options = zip(*lettered, strict=True)
            return Intent(
                IntentKind.CHOOSE, lexicon, options=options, letters=letters, question=question, text=text
            )
        for polite in language.pronouns["polite"]:
            text = polite.sub("", text)
        kind, match = _kind(text, language)
        named = match.groupdict() if match else {}
        entities = lexicon.asked(text, kind) if kind in ABOUT_THINGS else lexicon.entities(text)
        if entities and language.matches(language.pronouns, "which", text[: entities[0].start]):
            kind = IntentKind.KIND if entities[0].group else kind
        unknown = kind is IntentKind.UNKNOWN
        if unknown and entities and len(text.split()) <= 4 and not _foreign(spelled, language):
            kind = IntentKind.EXISTS
        elif unknown and not text.strip():
            kind = IntentKind.CAPTION
        return Intent(
            kind=kind,
            lexicon=lexicon,
            entities=entities,
            options=options_in(named, language.phrase["joins"]),
            thing=(named.get("thing") or "").strip(" ?.!,"),
            colour=lexicon.colour_in(text),
            text=text,
        )

    def _completed(self, intent: Intent, spoken: Sequence[tuple[Role, str]]) -> Intent:
        """Fill in from earlier turns what a follow-up leaves out: the thing, or the question."""
        language = intent.language
        before: Intent | None = None
        answer = ""
        for role, text in spoken:
            if role is Role.MODEL:
                answer = text
                continue
            earlier = self._followed_up(self.parse_text(text, language), before, answer)
            before = earlier if earlier.entities else before
        return self._followed_up(intent, before, answer) if spoken else intent

    def _followed_up(self, intent: Intent, before: Intent | None, answer: str) -> Intent:
        """Filled in from the latest question that named a thing, or the first thing of the latest answer."""
        language = intent.language
        about = language.matches(language.pronouns, "what_about", intent.text)
        if about and before and intent.kind in MAY_BE_FOLLOW_UPS:
            thing = about["thing"].strip(" ?.!")
            return replace(
                before, entities=intent.entities, thing=thing, text=intent.text, colour=intent.colour
            )
        if intent.entities or intent.kind not in ABOUT_THINGS:
            return intent
        named = before.entities if before else self.lexicons[language.id].entities(answer)[:1]
        return replace(intent, entities=named)

    def _language(self, text: str, spoken: Sequence[tuple[Role, str]], system: str) -> Language:
        asked = folded(lowered(f"{both_ends(system, LONGEST_READ)}\n{text}"))
        for language in self.by_id.values():
            if any(re.search(rf"\b{re.escape(name)}\b", asked) for name in language.names):
                return language
        usual = self.usual
        for role, earlier in spoken:
            if role is Role.USER:
                usual = language_of(earlier, self.by_id, usual)
        return language_of(lowered(text), self.by_id, usual)


def _spelled(intent: Intent, text: str) -> Intent:
    """An intent whose words for things are spelled as in the text that it was read from, marks and all."""
    small = folded(text)

    def as_told(word: str) -> str:
        at = small.find(word)
        return word if at < 0 else text[at : at + len(word)]

    entities = tuple(replace(each, word=as_told(each.word)) for each in intent.entities)
    return replace(intent, entities=entities, options=tuple(map(as_told, intent.options)))


def load_languages(world: World) -> Languages:
    """Read every language."""
    languages = read_languages()
    lexicons = {name: build_lexicon(language, world) for name, language in languages.items()}
    return Languages(languages, lexicons)


def _text_of(parts: Sequence[object]) -> str:
    return "\n".join(both_ends(part, LONGEST_READ) for part in parts if isinstance(part, str)).strip()


def _kind(text: str, language: Language) -> tuple[IntentKind, re.Match[str] | None]:
    for kind, patterns in language.intents.items():
        for pattern in patterns:
            match = pattern.search(text)
            if match:
                return kind, match
    return IntentKind.UNKNOWN, None


def _foreign(text: str, language: Language) -> bool:
    """Whether a text has letters that the language does not: its words are then alike by chance."""
    return any(letter.isalpha() and letter not in f"{ascii_lowercase}{language.letters}" for letter in text)
