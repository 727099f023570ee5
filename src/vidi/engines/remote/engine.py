"""A model that a server elsewhere runs, as an engine: prompts go there as chat requests.

What is sent is the prompt and nothing else of the caller's: pictures as bytes, never an address or a path;
no header, no key of the caller's.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Generator
from contextlib import closing
from dataclasses import replace
from functools import partial

from vidi.domain.answer import Finish, Piece, TokenCount
from vidi.domain.geometry import canvas, place
from vidi.domain.prompt import (
    ImageHeader,
    MediaResolution,
    Output,
    Picture,
    Prompt,
    PromptHeaders,
    Request,
    TextFormat,
)
from vidi.domain.schema import JsonValue, Schema
from vidi.engines.base import EngineContext, ModelCard
from vidi.engines.calls import instruction, naming_functions, read_marked, sound_calls
from vidi.engines.chat.counting import CountStyle, Size, TokenCounter
from vidi.engines.chat.messages import (
    EncodedImage,
    Message,
    encode_picture,
    messages,
    sampling_options,
    should_think,
    template_options,
)
from vidi.engines.chat.response import ChatStyle, stream_answer
from vidi.engines.gbnf import ThinkingTags, compile_calls, compile_json, compile_schema
from vidi.engines.profile import Template, Thinks
from vidi.engines.remote import ollama
from vidi.engines.remote.catalog import RemoteModel, find_model
from vidi.engines.remote.kinds import Counting, Failures, ServerKind, Switch
from vidi.engines.remote.pool import HealthPace, Pool
from vidi.engines.validation import to_json_schema, validated

_AROUND_TURN = 64
"""More tokens than any chat template puts around a turn."""

_SPARE_TOKENS = 16
_CHARACTERS_PER_TOKEN = 64
"""An answer that goes on beyond its limit by so much, or has so many characters a token, has no end."""

_FENCE = re.compile(r"\s*```\w*\n(.*?)\n?```\s*", re.DOTALL)
"""Marks in which a model that is held to nothing likes to write JSON."""


class RemoteEngine:
    """One model of a backend's."""

    def __init__(self, model: RemoteModel, pace: HealthPace | None = None) -> None:
        """Begin to look after its servers.

        Args:
            model: Which, and where.
            pace: How often its servers are looked after; None for the usual.
        """
        self._model = model
        self._card = card = model.card()
        self._kind = kind = model.kind
        self._template = model.profile.template if model.profile else Template()
        self._pool = Pool(model.backend, kind.health, pace or HealthPace())
        failures = Failures(model.backend.urls[0], card.input_token_limit)
        self._style = (
            ChatStyle(ollama.PATH, ollama.read_line, failures.explain)
            if kind.native_chat
            else ChatStyle(explain=failures.explain)
        )
        fit = card.pixels.fit(MediaResolution.LOW, 1)
        style = _count_style(kind, model.served.name, failures)
        self._counter = TokenCounter(self._pool.post(), canvas(place(1, 1, fit), fit), style)

    @property
    def card(self) -> ModelCard:
        """The model's card."""
        return self._card

    def away(self) -> tuple[str, ...]:
        """Which of its servers are away, and why."""
        return self._pool.away()

    def problem(self) -> str:
        """Which servers are away, if all of them are; as long as one is there it can answer."""
        away = self.away()
        return f"{'; '.join(away)}." if len(away) == len(self._model.backend.urls) else ""

    def count_tokens(self, headers: PromptHeaders) -> TokenCount:
        """What the server will take for the prompt.

        Raises:
            InvalidRequest: The prompt cannot be put into the model's chat template.
            Unavailable: The server is not there.
        """
        images = list(headers.images())
        sizes = headers.with_images(self._size(image, len(images)) for image in images)
        return self._counter.count(sizes, self._template_options(headers))

    def generate(self, prompt: Prompt) -> Generator[Piece, None, None]:
        """Answer, token by token.

        Raises:
            InvalidRequest: The prompt is too long, or the server cannot read one of its pictures.
            Internal: The server does not take Vidi's requests, or the answer never has its form.
            Unavailable: The server is away or busy, or failed over the request twice.
        """
        limit = self._limit(prompt)
        body = json.dumps(self._request(prompt, limit), ensure_ascii=False).encode("utf-8", "replace")
        post = self._pool.post(_affinity(prompt))
        # A stop sequence may end an answer anywhere, so its form is not held against it.
        form = Output() if prompt.sampling.stop_sequences else prompt.output

        grammar, may_call = self._kind.grammar, bool(prompt.functions) and not prompt.must_call
        if not grammar and form.format is TextFormat.JSON and form.schema is None:
            form = replace(form, schema=Schema())

        def answer() -> Generator[Piece, None, None]:
            pieces = ended(stream_answer(post, body, self._style), limit)
            pieces = pieces if grammar else bare(pieces, form)
            return read_marked(pieces, prompt.functions) if may_call else pieces

        attempt = partial(validated, answer, form, hold_back=not grammar)
        yield from sound_calls([attempt, attempt]) if may_call else attempt()

    def close(self) -> None:
        """Hang up."""
        self._pool.close()

    def _request(self, prompt: Prompt, limit: int) -> Message:
        encoded = prompt.with_images(self._encoded(picture) for picture in prompt.images())
        sampling = sampling_options(replace(prompt.sampling, max_output_tokens=limit), limit)
        name, kind = self._model.served.name, self._kind
        thinking = self._thinking(prompt)
        if kind.native_chat:
            form = _schema_of(prompt.output) if prompt.output.format is not TextFormat.PLAIN else None
            context = self._card.input_token_limit
            chat = ollama.chat_request(name, encoded, sampling, context=context, form=form or None)
            return {**chat, **thinking}
        return {
            "model": name,
            "messages": messages(encoded),
            **sampling,
            **self._form(prompt),
            **thinking,
            "stream": True,
            "stream_options": {"include_usage": True},
            **kind.always,
        }

    def _encoded(self, picture: Picture) -> EncodedImage:
        """A picture's bytes, with the name by which the server may cache it."""
        image = encode_picture(picture)
        # The same file in the same size is the same picture.
        name = hashlib.sha256(f"{picture.digest} {picture.width}x{picture.height}".encode()).hexdigest()
        match self._kind.picture_key:
            case "uuid":
                return replace(image, uuid=name)
            case "content_hash":
                return replace(image, content_hash=f"sha256:{name}")
        return image

    def _thinks(self, prompt: Prompt | PromptHeaders) -> bool:
        return should_think(prompt.thinking, self._template)

    def _template_options(self, prompt: Prompt | PromptHeaders) -> Message:
        if self._kind.thinking is not Switch.TEMPLATE:
            return {}
        return template_options(self._template, thinks=self._thinks(prompt))

    def _thinking(self, prompt: Prompt) -> Message:
        """The fields that switch thinking on or off."""
        if self._kind.thinking is Switch.TEMPLATE:
            options = self._template_options(prompt)
            return {"chat_template_kwargs": options} if options else {}
        if self._kind.thinking is Switch.NONE or self._template.thinks is not Thinks.SWITCHED:
            return {}
        thinks = self._thinks(prompt)
        if self._kind.native_chat:
            return {"think": thinks}
        return {"reasoning_effort": "medium" if thinks else "none"}

    def _form(self, prompt: Prompt) -> Message:
        """The fields that hold the answer to its form."""
        output, kind = prompt.output, self._kind
        calls = kind.grammar and prompt.functions and not prompt.must_call
        if not calls and output.format is TextFormat.PLAIN and output.schema is None:
            return {}
        if not kind.grammar:
            return _response_format(output) if output.schema is not None or kind.json_object else {}
        template = self._template
        tags = ThinkingTags(template.think_open, template.think_close, template.opened)
        thinking = tags if kind.thoughts_in_grammar and self._thinks(prompt) else None
        if calls:
            with naming_functions():
                return kind.with_grammar(compile_calls(prompt, thinking=thinking))
        if output.schema is not None:
            return kind.with_grammar(compile_schema(output.schema, output.format, thinking=thinking))
        return kind.with_grammar(compile_json(thinking=thinking))

    def _limit(self, prompt: Prompt) -> int:
        """Most tokens of the answer: what is asked for, as far as the window has room for it."""
        asked = prompt.sampling.max_output_tokens
        most = self._card.output_token_limit
        wanted = most if asked is None else max(1, min(asked, most))
        window = self._card.input_token_limit
        # No text has more tokens than bytes; only where that does not settle it the server is asked.
        pictures = list(prompt.images())
        side = self._card.pixels.multiple if self._model.profile else 14
        bound = sum(-(-picture.width * picture.height // side**2) for picture in pictures)
        bound += sum(len(text.encode("utf-8", "replace")) for text in prompt.texts())
        bound += len(instruction(prompt).encode("utf-8", "replace"))
        bound += _AROUND_TURN * (len(prompt.turns) + len(pictures) + 1)
        if bound + wanted <= window:
            return wanted
        sizes: Request[Size] = prompt.with_images((picture.width, picture.height) for picture in pictures)
        taken = self._counter.count(sizes, self._template_options(prompt)).total
        return max(1, min(wanted, window - taken))

    def _size(self, header: ImageHeader, pictures: int) -> Size:
        """The size in which the model gets a picture."""
        fit = self._card.pixels.fit(header.resolution, pictures)
        return canvas(place(*header.upright_size, fit), fit)


def open_engine(context: EngineContext) -> RemoteEngine:
    """Find a model on its backend.

    Raises:
        Unavailable: The backend is away, or serves the model no longer.
        InvalidRequest: The settings of the backend are wrong.
    """
    return RemoteEngine(find_model(context))


def _count_style(kind: ServerKind, model: str, failures: Failures) -> CountStyle:
    match kind.count:
        case Counting.INPUT_TOKENS:
            return CountStyle(explain=failures.explain)
        case Counting.TOKENIZE:
            return CountStyle("/tokenize", {"model": model}, "count", explain=failures.explain)
        case Counting.USAGE:
            return CountStyle(
                "/v1/chat/completions",
                {"model": model, "max_tokens": 1, "stream": False},
                "usage.prompt_tokens",
                pictures_only=True,
                explain=failures.explain,
            )


def _affinity(prompt: Prompt) -> str:
    """The same for prompts over the same pictures; "" without any."""
    digests = [picture.digest for picture in prompt.images()]
    return hashlib.sha256(" ".join(digests).encode()).hexdigest()[:32] if digests else ""


def _schema_of(output: Output) -> JsonValue:
    """An answer's form as JSON Schema; "json" if it is just JSON."""
    return "json" if output.schema is None else to_json_schema(output.schema)


def _response_format(output: Output) -> Message:
    if output.schema is None:
        return {"response_format": {"type": "json_object"}}
    named: Message = {"name": "answer", "schema": to_json_schema(output.schema), "strict": True}
    return {"response_format": {"type": "json_schema", "json_schema": named}}


def ended(pieces: Generator[Piece, None, None], limit: int) -> Generator[Piece, None, None]:
    """An answer, ended where it is far beyond its limit: a server may be broken, and go on for ever.

    Args:
        pieces: The answer; closed with this.
        limit: Most tokens that were asked for.
    """
    tokens = characters = 0
    with closing(pieces):
        for piece in pieces:
            tokens += piece.tokens
            characters += len(piece.text)
            yield piece
            endless = characters > (limit + _SPARE_TOKENS) * _CHARACTERS_PER_TOKEN
            if piece.finish is None and (endless or tokens > limit + _SPARE_TOKENS):
                yield Piece("", finish=Finish.MAX_TOKENS)
                return


def bare(pieces: Generator[Piece, None, None], form: Output) -> Generator[Piece, None, None]:
    """A structured answer of a server that holds to nothing: without marks around it, an enum's value bare.

    Its text comes at once, with its last piece.
    """
    texts: list[str] = []
    with closing(pieces):
        for piece in pieces:
            if piece.thought or form.schema is None:
                yield piece
                continue
            texts.append(piece.text)
            yield replace(piece, text=_bare("".join(texts), form) if piece.finish else "")


def _bare(text: str, form: Output) -> str:
    fenced = _FENCE.fullmatch(text)
    text = fenced[1] if fenced else text
    if form.format is not TextFormat.ENUM:
        return text
    try:
        value: JsonValue = json.loads(text)
    except (ValueError, RecursionError):
        return text.strip()
    return value if isinstance(value, str) else text.strip()
