"""`echo`: a deterministic engine without a model, for tests and documentation.

It says what it got:

    Echo: 1 image (640x480), text: Caption this image.

Sizes are those of the caller's upright images. The text is the last turn's; the answer streams word by
word. With JSON output it answers the same facts, `{"images": [{"width": 640, "height": 480}], "text": ""}`;
with a schema the value that says least among those that satisfy it (`engines/schemas.py`), which for
text/x.enum is the first option. Token limits and stop sequences hold.

Words in the last text steer it, for tests of long answers and of cancellation:

    echo words=5000     the answer is 5000 numbered words (`repeat 5000 words` does the same)
    echo sleep=0.01     each word waits 0.01 seconds
    echo fail=midway    after three words the engine breaks
    echo call=look {"at": 1}
                        it calls the function `look`, if there is one, with these arguments if they have the
                        shape that it declares, else with those that say least; several times if need be

It says what a function gave it instead of the text: `Echo: 0 images, text: look gave {"seen": true}`.
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from vidi.domain.answer import Finish, FunctionCall, Piece, TokenCount
from vidi.domain.errors import Unavailable
from vidi.domain.prompt import (
    FunctionResponse,
    Picture,
    Prompt,
    PromptHeaders,
    Sampling,
    TextFormat,
)
from vidi.domain.schema import JsonValue, Schema
from vidi.engines.base import EngineContext, ModelCard, ModelEntry
from vidi.engines.calls import ending, naming_functions
from vidi.engines.limits import bounded, estimate_tokens, tokens_in
from vidi.engines.schemas import check_size, minimal_value
from vidi.engines.validation import satisfies

_WORDS = re.compile(r"\bwords=(\d{1,7})\b|\brepeat (\d{1,7}) words\b")
_SLEEP = re.compile(r"\bsleep=(\d+(?:\.\d+)?)\b")
_CALL = re.compile(r"\bcall=([\w.:-]{1,64})\s*")
_FAIL = re.compile(r"\bfail=midway\b")
_STEERED = re.compile(r"[=\d]")
"""What no text is without that asks for a long or a slow answer."""
_WORDS_BEFORE_FAILURE = 3
_FEW_PARTS = 20
_SHORT_TEXT = 400
"""An answer of so many characters takes a tenth of a millisecond."""
_MOST_CALLS = 64
_LONGEST_TEXT = 1_000_000
"""Characters of a prompt that are searched and repeated; more than an answer may have tokens for."""

CARD = ModelCard(
    id="echo",
    display_name="Echo",
    description="Repeats what it was given. For tests and documentation; it sees nothing.",
    # It has no context window; a request's own limits come first.
    input_token_limit=100_000_000,
    calls=True,
    slots=64,
)


class Echo:
    """Repeats prompts."""

    @property
    def card(self) -> ModelCard:
        """The model's card."""
        return CARD

    def count_tokens(self, headers: PromptHeaders) -> TokenCount:
        """Four characters a token, 258 tokens a picture."""
        return estimate_tokens(headers)

    def counts_at_once(self, headers: PromptHeaders) -> bool:
        """Always but with functions, which are written out to be counted."""
        return not headers.functions

    def answers_at_once(self, prompt: Prompt) -> bool:
        """Whether the answer is short, and nothing has to be made up for it or waited for."""
        if prompt.functions or prompt.output.schema is not None or prompt.sampling.stop_sequences:
            return False
        parts = prompt.turns[-1].parts if prompt.turns else ()
        texts = [part for part in parts if isinstance(part, str)]
        if len(parts) > _FEW_PARTS or sum(map(len, texts)) > _SHORT_TEXT:
            return False
        return not any(_STEERED.search(text) for text in texts)

    def generate(self, prompt: Prompt) -> Generator[Piece, None, None]:
        """Say what the prompt holds.

        Raises:
            InvalidRequest: The response schema contradicts itself.
            Unavailable: The prompt asked for a failure.
        """
        given = _read(prompt)
        with naming_functions():
            calls = () if prompt.must_call else tuple(_calls(prompt))
        if calls:
            yield from _called(calls, prompt.sampling)
            return
        said = _reply(prompt, given)
        read_along = prompt.streamed or _STEERED.search(given.text)
        words = _paced(_words(said), given) if read_along else [said]
        yield from bounded(words, prompt.sampling, limit=CARD.output_token_limit)

    def close(self) -> None:
        """Nothing to free."""


def open_engine(context: EngineContext) -> Echo:
    """Open the echo; it needs nothing."""
    del context
    return Echo()


def models(context: EngineContext) -> Sequence[ModelEntry]:
    """The one model of this adapter; never a default."""
    del context
    return (ModelEntry(CARD, factory="vidi.engines.echo:open_engine", ready=True, rank=-1),)


@dataclass(frozen=True, slots=True)
class _Input:
    pictures: tuple[Picture, ...]
    text: str


def _read(prompt: Prompt) -> _Input:
    """Every picture of the conversation, and the beginning of the texts and responses of its last turn."""
    said: list[str] = []
    for part in prompt.turns[-1].parts if prompt.turns else ():
        match part:
            case str():
                said.append(part)
            case FunctionResponse():
                said.append(f"{part.name} gave {part.response}")
    return _Input(pictures=tuple(prompt.images()), text=" ".join(said)[:_LONGEST_TEXT])


def _calls(prompt: Prompt) -> Iterator[FunctionCall]:
    """The calls that the last turn's texts ask for."""
    functions = {each.name: each for each in prompt.functions}
    last = prompt.turns[-1].parts if prompt.turns else ()
    for text in (part for part in last if isinstance(part, str)):
        for asked in islice(_CALL.finditer(text, 0, _LONGEST_TEXT), _MOST_CALLS):
            function = functions.get(asked[1])
            if function is not None:
                args = _arguments(text, asked.end(), function.parameters)
                yield FunctionCall(function.name, json.dumps(args, ensure_ascii=False))


def _arguments(text: str, at: int, schema: Schema) -> JsonValue:
    """What a text goes on with, if it has the shape; else the value that says least."""
    try:
        value: JsonValue = json.JSONDecoder().raw_decode(text, at)[0]
        if satisfies(value, schema):
            return value
    except (ValueError, RecursionError):
        pass
    check_size(schema)
    return minimal_value(schema)


def _called(calls: Sequence[FunctionCall], sampling: Sampling) -> Iterator[Piece]:
    """The calls, unless they take more tokens than the answer may."""
    tokens = sum(tokens_in(call.name + call.args) for call in calls)
    if tokens > (sampling.max_output_tokens or CARD.output_token_limit):
        yield Piece("", finish=Finish.MAX_TOKENS)
    else:
        yield from ending(Piece("", tokens=tokens, finish=Finish.STOP), calls)


def _reply(prompt: Prompt, given: _Input) -> str:
    schema = prompt.output.schema
    if schema is not None:
        check_size(schema)
        value = minimal_value(schema)
        bare = prompt.output.format is TextFormat.ENUM and isinstance(value, str)
        return str(value) if bare else json.dumps(value, ensure_ascii=False)
    if prompt.output.format is TextFormat.JSON:
        return json.dumps(_facts(given), ensure_ascii=False)
    repeated = _WORDS.search(given.text)
    if repeated:
        return " ".join(f"word{index}" for index in range(1, int(repeated[1] or repeated[2]) + 1))
    return f"Echo: {_images_in_words(given.pictures)}, text: {given.text}"


def _facts(given: _Input) -> JsonValue:
    sizes: list[JsonValue] = [
        {"width": picture.placement.source_width, "height": picture.placement.source_height}
        for picture in given.pictures
    ]
    return {"images": sizes, "text": given.text}


def _images_in_words(pictures: tuple[Picture, ...]) -> str:
    count = len(pictures)
    if not count:
        return "0 images"
    sizes = Counter(f"{each.placement.source_width}x{each.placement.source_height}" for each in pictures)
    listed = ", ".join(size if times == 1 else f"{times} of {size}" for size, times in sizes.items())
    return f"{count} image{'s' if count > 1 else ''} ({listed})"


def _words(text: str) -> Iterator[str]:
    """The text in words, each with the space after it."""
    return (match[0] for match in re.finditer(r"\s*\S+\s?|\s+", text))


def _paced(words: Iterator[str], given: _Input) -> Iterator[str]:
    pause = _SLEEP.search(given.text)
    fails = _FAIL.search(given.text) is not None
    for index, word in enumerate(words):
        if fails and index == _WORDS_BEFORE_FAILURE:
            raise Unavailable("The echo was asked to fail.")
        if pause:
            time.sleep(float(pause[1]))
        yield word
