"""An open model as an engine: prompts go to its process as chat requests, tokens come back as pieces."""

from __future__ import annotations

import json
from collections.abc import Generator
from functools import partial
from importlib.util import find_spec

from vidi.domain.answer import Piece, TokenCount
from vidi.domain.errors import Unavailable
from vidi.domain.geometry import canvas, place
from vidi.domain.prompt import ImageHeader, MediaResolution, Output, Prompt, PromptHeaders, TextFormat
from vidi.engines.base import EngineContext, ModelCard
from vidi.engines.calls import MalformedCall, naming_functions, read_marked, sound_calls
from vidi.engines.chat.counting import Size, TokenCounter
from vidi.engines.chat.messages import (
    Message,
    encode_picture,
    function_tools,
    messages,
    sampling_options,
    should_think,
    template_options,
)
from vidi.engines.chat.response import (
    ChatStyle,
    ServerRefusal,
    UnreadableAnswer,
    shows_functions,
    stream_answer,
)
from vidi.engines.gbnf import ThinkingTags, compile_calls, compile_json, compile_schema
from vidi.engines.llama.catalog import KnownModel, known_models
from vidi.engines.llama.store import Pulled
from vidi.engines.llama.supervisor import Launch, Supervisor
from vidi.engines.machine import graphics_devices
from vidi.engines.profile import Template
from vidi.engines.validation import validated
from vidi.engines.weights import INSTALL_LLAMA

_ROOM = 8 << 30
"""Address space for context, buffers and libraries beside the files themselves, in bytes: far more than a
sound model needs, and far less than one that has run wild would take."""


class Llama:
    """One model, run by llama.cpp in a process of its own."""

    def __init__(self, card: ModelCard, template: Template, supervisor: Supervisor) -> None:
        """Take the parts.

        Args:
            card: What the model is.
            template: What its chat template wants to know.
            supervisor: Keeps its process; closed by `close`.
        """
        self._card = card
        self._template = template
        self._supervisor = supervisor
        self._shows_functions: bool | None = None
        fit = card.pixels.fit(MediaResolution.LOW, 1)
        self._counter = TokenCounter(supervisor.post, canvas(place(1, 1, fit), fit))

    @property
    def card(self) -> ModelCard:
        """The model's card."""
        return self._card

    @property
    def supervisor(self) -> Supervisor:
        """What keeps the model's process."""
        return self._supervisor

    @property
    def restarts(self) -> int:
        """How many times the process has been started again."""
        return self._supervisor.starts - 1

    @property
    def pid(self) -> int | None:
        """Of the model's process."""
        return self._supervisor.pid

    def problem(self) -> str:
        """What is wrong with the process; "" if it listens."""
        return "" if self._supervisor.listens else f"{self._card.id}'s process is being started again."

    def count_tokens(self, headers: PromptHeaders) -> TokenCount:
        """What llama.cpp will take for the prompt.

        Raises:
            InvalidRequest: The prompt cannot be put into the model's chat template.
            Unavailable: The process is not there.
        """
        images = list(headers.images())
        sizes = headers.with_images(self._size(image, len(images)) for image in images)
        return self._counter.count(sizes, self._options(headers), tools=self._calls_natively(headers))

    def generate(self, prompt: Prompt) -> Generator[Piece, None, None]:
        """Answer, token by token.

        Raises:
            InvalidRequest: The prompt is too long, or its schema cannot be satisfied.
            Unavailable: The process died, does not start, or failed over the request twice.
        """
        # A stop sequence may end an answer anywhere, so its form is not held against it.
        form = Output() if prompt.sampling.stop_sequences else prompt.output
        if prompt.functions and not prompt.must_call:
            yield from self._text_or_calls(prompt, form)
            return
        body = _encoded(self._request(prompt, self._grammar(prompt)))
        yield from validated(lambda: stream_answer(self._supervisor.post, body), form)

    def close(self) -> None:
        """End the process."""
        self._supervisor.close()

    def _text_or_calls(self, prompt: Prompt, form: Output) -> Generator[Piece, None, None]:
        """An answer in which the model may call: in its template's own way first, if it has one.

        llama.cpp reads that way, but its grammars hold less than ours and refuse some schemas. So a call that
        is not what was declared, or that it did not take, is asked for once more under our grammar.
        """
        with naming_functions():
            grammar = compile_calls(prompt, thinking=self._thinking(prompt))
        own = partial(validated, partial(self._answer, self._request(prompt, grammar), prompt), form)
        native = partial(self._native_answer, prompt)
        yield from sound_calls([native if self._calls_natively(prompt) else own, own])

    def _answer(
        self, request: Message, prompt: Prompt, style: ChatStyle | None = None
    ) -> Generator[Piece, None, None]:
        answer = stream_answer(self._supervisor.post, _encoded(request), style)
        return read_marked(answer, prompt.functions)

    def _native_answer(self, prompt: Prompt) -> Generator[Piece, None, None]:
        try:
            yield from self._answer(self._request(prompt, "", tools=True), prompt, ChatStyle(calls=True))
        except (ServerRefusal, UnreadableAnswer) as failure:
            raise MalformedCall(failure.message) from failure

    def _calls_natively(self, prompt: Prompt | PromptHeaders) -> bool:
        """Whether functions go through the chat template: it has a place for them, and any text will do.

        Raises:
            Unavailable: The process is not there.
        """
        if prompt.must_call or not prompt.functions or prompt.output != Output():
            return False
        if self._shows_functions is None:
            self._shows_functions = shows_functions(self._supervisor.post)
        return self._shows_functions

    def _request(self, prompt: Prompt, grammar: str, *, tools: bool = False) -> Message:
        encoded = prompt.with_images(encode_picture(picture) for picture in prompt.images())
        return {
            "messages": messages(encoded, tools=tools),
            **({"tools": function_tools(prompt), "parallel_tool_calls": True} if tools else {}),
            "chat_template_kwargs": self._options(prompt),
            **sampling_options(prompt.sampling, self._card.output_token_limit),
            **({"grammar": grammar} if grammar else {}),
            "stream": True,
            "stream_options": {"include_usage": True},
            "timings_per_token": True,
            "cache_prompt": True,
        }

    def _options(self, prompt: Prompt | PromptHeaders) -> Message:
        return template_options(self._template, thinks=should_think(prompt.thinking, self._template))

    def _thinking(self, prompt: Prompt) -> ThinkingTags | None:
        """How the model marks what it thinks first; None if it is not to think."""
        template = self._template
        tags = ThinkingTags(template.think_open, template.think_close, template.opened)
        return tags if should_think(prompt.thinking, template) else None

    def _grammar(self, prompt: Prompt) -> str:
        """The grammar that holds the answer to its form; "" for plain text."""
        output, thinking = prompt.output, self._thinking(prompt)
        if output.schema is not None:
            return compile_schema(output.schema, output.format, thinking=thinking)
        return compile_json(thinking=thinking) if output.format is TextFormat.JSON else ""

    def _size(self, header: ImageHeader, pictures: int) -> Size:
        """The size in which the model gets a picture."""
        fit = self._card.pixels.fit(header.resolution, pictures)
        return canvas(place(*header.upright_size, fit), fit)


def _encoded(request: Message) -> bytes:
    return json.dumps(request, ensure_ascii=False).encode("utf-8", "replace")


def open_engine(context: EngineContext) -> Llama:
    """Start the process of a model that is on the disk, and wait until it listens.

    Raises:
        Unavailable: The model or llama.cpp is not on this machine, or does not start; says what to do.
    """
    known = next((each for each in known_models(context.cache) if each.model.id == context.model), None)
    if known is None or known.files is None:
        raise Unavailable(f"{context.model} is not on this disk. Fetch it first: vidi pull {context.model}")
    if find_spec("xllamacpp") is None:
        raise Unavailable(f"llama.cpp is not installed. {INSTALL_LLAMA}")
    card = known.card()
    launch = _launch(known, known.files, context.threads)
    return Llama(card, known.profile.template, Supervisor(launch, card.id, environment=context.environment))


def _launch(known: KnownModel, files: Pulled, threads: int) -> Launch:
    pictures, model = known.profile.pictures, known.model
    free = not pictures.square
    sizes = files.text.stat().st_size + files.vision.stat().st_size
    return Launch(
        text=str(files.text),
        vision=str(files.vision),
        context=model.context,
        slots=model.slots,
        threads=threads,
        min_image_tokens=pictures.min_tokens if free else -1,
        max_image_tokens=pictures.budgets.ultra_high if free else -1,
        memory=0 if graphics_devices() else 2 * sizes + max(model.memory, _ROOM),
    )
