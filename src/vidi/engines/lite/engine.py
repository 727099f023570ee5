"""`vidi-lite`: answers about everyday pictures from a detector, a classifier and rules; no language model."""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise

from vidi.byte_budget import share_heap
from vidi.domain.answer import Piece, TokenCount
from vidi.domain.prompt import Picture, Prompt, PromptHeaders, Role, TextFormat
from vidi.domain.schema import JsonValue, Schema
from vidi.engines.base import EngineContext, ModelCard
from vidi.engines.limits import bounded, estimate_tokens
from vidi.engines.lite.answers.compare import compare
from vidi.engines.lite.answers.dispatch import answer_intent
from vidi.engines.lite.answers.lists import array, located, python_list, wanted, word_named
from vidi.engines.lite.answers.resolve import cannot_look, find
from vidi.engines.lite.answers.schema_filler import LONGEST_DESCRIBED, fill, shape_in
from vidi.engines.lite.catalog import CARD
from vidi.engines.lite.evidence import Evidence, VisionModels
from vidi.engines.lite.language.intents import Intent, Languages, load_languages
from vidi.engines.lite.language.language import IntentKind, Language, lowered
from vidi.engines.lite.language.noun_phrases import PictureMention, picture_mentions
from vidi.engines.lite.language.style import AnswerForm, AnswerText, styled
from vidi.engines.lite.vision.classifier import Classifier
from vidi.engines.lite.vision.detector import Detector
from vidi.engines.lite.vision.ocr import open_reader
from vidi.engines.lite.weights.assets import ensure
from vidi.engines.lite.world import load_world
from vidi.engines.schemas import check_size, minimal_value

YES_NO = frozenset({IntentKind.EXISTS, IntentKind.STATE, IntentKind.SCENE, IntentKind.SIDE})


def over_all(intent: Intent, evidences: Sequence[Evidence]) -> AnswerText | None:
    """One answer over all pictures, where the question asks for one; else None."""
    language = intent.language
    if len(evidences) < 2:
        return None
    if language.matches(language.pronouns, "which_picture", intent.text) and intent.entities:
        return _which(intent, evidences)
    if intent.kind in YES_NO and language.matches(language.pronouns, "both", intent.text):
        return _in_both(intent, evidences)
    return None


def ordinal(at: int, language: Language) -> str:
    """What a picture is called: "the first", "number 3"."""
    return language.say("the_first" if at == 0 else "the_second" if at == 1 else "the_nth", n=str(at + 1))


def _which(intent: Intent, evidences: Sequence[Evidence]) -> AnswerText:
    """The pictures in which what is named is seen; the one with most or fewest of it, if that is asked."""
    language = intent.language
    counts = [sum(len(find(entity, evidence)) for entity in intent.entities[:1]) for evidence in evidences]
    ranked = language.matches(language.pronouns, "most", intent.text)
    fewest = language.matches(language.pronouns, "fewest", intent.text)
    if ranked or fewest:
        best = (min if fewest else max)(counts)
        chosen = [at for at, number in enumerate(counts) if number == best]
        if len(chosen) == len(counts):
            return AnswerText(language.sentence("equal"), brief=language.say("none"))
    else:
        chosen = [at for at, number in enumerate(counts) if number]
    if not chosen:
        return AnswerText(language.sentence("near_none"), brief=language.say("none"))
    listed = language.listed([ordinal(at, language) for at in chosen])
    return AnswerText(language.as_sentence(listed), brief=listed)


def _in_both(intent: Intent, evidences: Sequence[Evidence]) -> AnswerText:
    language = intent.language
    yes = [answer_intent(intent, evidence).brief == language.say("yes") for evidence in evidences]
    if all(yes):
        return AnswerText(
            language.sentence("both_yes" if len(yes) == 2 else "all_yes"), brief=language.say("yes")
        )
    if not any(yes):
        return AnswerText(language.sentence("both_no"), brief=language.say("no"))
    if len(yes) == 2:
        phrase = "both_no_first" if yes[0] else "both_no_second"
        return AnswerText(language.sentence(phrase), brief=language.say("no"))
    only = language.listed([str(at + 1) for at, holds in enumerate(yes) if holds])
    return AnswerText(language.sentence("all_no", n=only), brief=language.say("no"))


COMPARING = frozenset({IntentKind.COMPARE, IntentKind.SAME})
LISTING = frozenset(
    {IntentKind.LIST, IntentKind.LIST_FIRST, IntentKind.TAGS, IntentKind.HASHTAGS, IntentKind.READ}
)


def reply(prompt: Prompt, models: VisionModels, languages: Languages) -> Iterator[str]:
    """Answer a prompt, stretch by stretch; models run when a stretch needs them.

    Raises:
        Unfillable: The response schema cannot be filled.
    """
    prompt, named = _named_picture(prompt, languages)
    intent = languages.parse(prompt)
    pictures = _pictures(prompt, intent)
    if named is not None and pictures and intent.kind not in COMPARING:
        if named >= len(pictures):
            return _words(_too_few(len(pictures), intent.language))
        pictures = [pictures[named]]
    evidences = [Evidence(picture, models) for picture in pictures]
    if prompt.output.schema is not None:
        return _structured(prompt.output.schema, prompt.output.format, intent, evidences, languages)
    return _unshaped(prompt, intent, evidences, languages)


def _too_few(count: int, language: Language) -> str:
    """That there is no such picture."""
    return language.sentence("one_picture" if count == 1 else "few_pictures", n=str(count))


def _unshaped(
    prompt: Prompt, intent: Intent, evidences: Sequence[Evidence], languages: Languages
) -> Iterator[str]:
    """An answer where no schema is given."""
    output = prompt.output
    if not evidences:
        text = intent.language.sentence("greeting" if intent.kind is IntentKind.GREETING else "no_picture")
        if output.format is TextFormat.JSON:
            text = json.dumps({"answer": text}, ensure_ascii=False)
        return _words(text)
    if intent.kind in {IntentKind.DETECT, IntentKind.POINT}:
        if output.format is not TextFormat.JSON and _is_plain_wish(intent):
            return _words(cannot_look(intent.entities, (), evidences[0], intent.language).text)
        return _located(intent, evidences)
    if output.format is TextFormat.JSON or intent.style.form is AnswerForm.JSON:
        shape = _described_shape(prompt, languages)
        if shape is not None and intent.kind not in COMPARING:
            return _structured(shape, TextFormat.JSON, replace(intent, entities=()), evidences, languages)
        return _words(json.dumps(_as_json(intent, evidences), ensure_ascii=False))
    return _prose(intent, evidences)


def _is_plain_wish(intent: Intent) -> bool:
    """Whether boxes are wanted of nothing that is known, by a prompt that asks for no JSON."""
    strange = bool(intent.entities) and all(each.unknown for each in intent.entities)
    asks_json = intent.style.form is AnswerForm.JSON or re.search(r"box_2d|\[", intent.text) is not None
    return strange and not asks_json and not word_named(intent)


def _named_picture(prompt: Prompt, languages: Languages) -> tuple[Prompt, int | None]:
    """The prompt without its pictures' labels, and which picture alone it asks about, from 0."""
    parts = prompt.turns[-1].parts if prompt.turns else ()
    every = tuple(languages.by_id.values())
    labels = _labels(parts, every)
    count = sum(isinstance(part, Picture) for part in parts) or _most_pictures(prompt)
    named: dict[int, list[PictureMention]] = {}
    for at, part in enumerate(parts):
        if isinstance(part, str) and at not in labels:
            text = part[:LONGEST_DESCRIBED].replace("İ", "i").lower()
            found = _labelled(text, labels.values(), languages.usual) or picture_mentions(text, every, count)
            named[at] = list(found)
    numbers = {each.at for found in named.values() for each in found}
    one = numbers.pop() if len(numbers) == 1 else None
    if not named or (not labels and one is None):
        return prompt, None
    kept = tuple(
        _of_this_picture(part, named[at]) if isinstance(part, str) and one is not None else part
        for at, part in enumerate(parts)
        if at not in labels
    )
    turns = (*prompt.turns[:-1], replace(prompt.turns[-1], parts=kept))
    return replace(prompt, turns=turns), one


_BRACKETS = " []<>().#-*"
"""What stands around a label."""

LONGEST_LABEL = 4
"""Words of a text before a picture that is its label."""


def _labels(parts: Sequence[object], languages: Sequence[Language]) -> dict[int, str]:
    """The texts that are labels of the pictures right behind them, bare, by their place among the parts."""
    labels: dict[int, str] = {}
    for at, (part, following) in enumerate(pairwise(parts)):
        if isinstance(part, str) and isinstance(following, Picture):
            bare = lowered(part).strip(_BRACKETS)
            words = bare.rstrip(":").rstrip(_BRACKETS)
            numbered = any(
                (each.start, each.stop) == (0, len(words)) for each in picture_mentions(words, languages, 1)
            )
            if numbered or (bare.endswith(":") and 0 < len(words.split()) <= LONGEST_LABEL):
                labels[at] = words
    return labels


def _labelled(text: str, labels: Iterable[str], language: Language) -> list[PictureMention]:
    """Where a text names pictures by their labels."""
    return [
        PictureMention(at, *match.span(), language)
        for at, label in enumerate(labels)
        for match in re.finditer(rf"\b{re.escape(label)}\b", text)
    ]


def _most_pictures(prompt: Prompt) -> int:
    """How many pictures the latest turn with any has."""
    counts = [sum(isinstance(part, Picture) for part in turn.parts) for turn in prompt.turns]
    return next((count for count in reversed(counts) if count), 0)


def _of_this_picture(text: str, mentions: Sequence[PictureMention]) -> str:
    """A question about "image 2" as one about "this image", so that the number is read for no more."""
    for each in sorted(mentions, key=lambda mention: -mention.start):
        text = f"{text[: each.start]}{each.language.say('this_picture')}{text[each.stop :]}"
    return text


def _described_shape(prompt: Prompt, languages: Languages) -> Schema | None:
    """The shape that the last turn, else the system instruction, describes in words."""
    last = prompt.turns[-1].parts if prompt.turns else ()
    asked = "\n".join(part[:LONGEST_DESCRIBED] for part in last if isinstance(part, str))
    return shape_in(asked, languages) or shape_in(prompt.system, languages)


def _pictures(prompt: Prompt, intent: Intent) -> list[Picture]:
    """The pictures a prompt is about: those of the latest turn that has any; to compare, all."""
    by_turn = [
        [part for part in turn.parts if isinstance(part, Picture)]
        for turn in prompt.turns
        if turn.role is Role.USER
    ]
    latest = next((pictures for pictures in reversed(by_turn) if pictures), [])
    if intent.kind in COMPARING and len(latest) < 2:
        return [picture for pictures in by_turn for picture in pictures]
    return latest


def _structured(
    schema: Schema, form: TextFormat, intent: Intent, evidences: Sequence[Evidence], languages: Languages
) -> Iterator[str]:
    check_size(schema)
    value = fill(schema, intent, evidences, languages) if evidences else minimal_value(schema)
    if form is TextFormat.ENUM and isinstance(value, str):
        return iter((value,))
    return _words(json.dumps(value, ensure_ascii=False))


def _located(intent: Intent, evidences: Sequence[Evidence]) -> Iterator[str]:
    """Boxes or points of the first picture; of several, a list for each."""
    lists = (located(wanted(intent, evidence), intent, evidence) for evidence in evidences)
    if len(evidences) == 1:
        yield from next(lists)
        return
    yield from array("".join(each) for each in lists)


def _prose(intent: Intent, evidences: Sequence[Evidence]) -> Iterator[str]:
    if intent.kind in COMPARING:
        together: AnswerText | None = compare(intent, evidences)
    else:
        together = over_all(intent, evidences)
    if together:
        yield from _words(styled(together, intent.style, intent.language))
        return
    for index, evidence in enumerate(evidences):
        text = _answer(intent, evidence)
        if len(evidences) > 1:
            text = intent.language.say("image_n", n=str(index + 1), answer=text)
            text = text if index == 0 else f"\n{text}"
        yield from _words(text)


def _answer(intent: Intent, evidence: Evidence) -> str:
    if intent.style.form is AnswerForm.PYTHON_LIST:
        return python_list(intent, evidence)
    return styled(answer_intent(intent, evidence), intent.style, intent.language)


def _as_json(intent: Intent, evidences: Sequence[Evidence]) -> JsonValue:
    """An answer as JSON where no schema says how: a list for what is listed, else an object of one member."""
    if intent.kind in COMPARING:
        return {"answer": compare(intent, evidences).text}
    values = [_value(intent, evidence) for evidence in evidences]
    return values[0] if len(values) == 1 else values


def _value(intent: Intent, evidence: Evidence) -> JsonValue:
    answer = answer_intent(intent, evidence)
    if answer.items and intent.kind in LISTING:
        return list(answer.items)
    if intent.kind in {IntentKind.CAPTION, IntentKind.ALT}:
        return {"caption": answer.text}
    if intent.kind is IntentKind.DESCRIBE:
        return {"description": answer.text}
    if intent.kind is IntentKind.COUNT and answer.brief.isdecimal():
        return {"count": int(answer.brief)}
    return {"answer": styled(answer, intent.style, intent.language)}


def _words(text: str) -> Iterator[str]:
    """A text in words, each with the blank after it."""
    return (match[0] for match in re.finditer(r"\s*\S+\s?|\s+", text))


class Lite:
    """Answers prompts from evidence."""

    def __init__(self, models: VisionModels, languages: Languages, *, slots: int) -> None:
        """Take the models and the words; `slots` prompts are answered at the same time."""
        self._models = models
        self._languages = languages
        self._card = replace(CARD, slots=slots)

    @property
    def card(self) -> ModelCard:
        """The model's card."""
        return self._card

    def count_tokens(self, headers: PromptHeaders) -> TokenCount:
        """Four characters a token, 258 tokens a picture."""
        return estimate_tokens(headers)

    def counts_at_once(self, headers: PromptHeaders) -> bool:
        """Always but with functions, which are written out to be counted."""
        return not headers.functions

    def answers_at_once(self, prompt: Prompt) -> bool:
        """Never: a picture may have to be looked at."""
        del prompt
        return False

    def generate(self, prompt: Prompt) -> Generator[Piece, None, None]:
        """Answer a prompt; each picture is looked at when its part of the answer is written.

        Raises:
            InvalidRequest: The response schema cannot be filled.
        """
        texts = reply(prompt, self._models, self._languages)
        yield from bounded(texts, prompt.sampling, limit=self._card.output_token_limit)

    def close(self) -> None:
        """Nothing is held that the collector does not free."""


def open_engine(context: EngineContext) -> Lite:
    """Open the built-in engine; fetches and converts its weights if they are missing.

    Raises:
        Unavailable: The weights are missing and cannot be fetched.
    """
    share_heap()
    weights = ensure(context)
    # The networks are loaded in native code while this thread reads words.
    with ThreadPoolExecutor() as aside:
        detector = aside.submit(Detector, weights.detector, context.threads)
        classifier = aside.submit(Classifier, weights.classifier, context.threads)
        world = load_world()
        languages = load_languages(world)
    models = VisionModels(detector.result(), classifier.result(), world, open_reader(context.threads))
    # One more than a run has threads: it works while another is between two runs (decision 14).
    return Lite(models, languages, slots=context.threads + 1)
