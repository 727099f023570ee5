"""What a prompt costs, asked of the server that runs the model, so that it is what the prompt will take."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field

from vidi.domain.answer import TokenCount
from vidi.domain.errors import Unavailable
from vidi.domain.prompt import Request, Role, Turn
from vidi.domain.schema import JsonValue
from vidi.engines.calls import instruction
from vidi.engines.chat.connection import HttpRefusal, Post
from vidi.engines.chat.messages import EncodedImage, Message, black_picture, function_tools, messages
from vidi.engines.chat.response import Explain, error_of
from vidi.engines.limits import tokens_in
from vidi.lru import LruCache

_SECONDS = 30.0
_KEPT_SIZES = 4096
_KEPT_PROMPTS = 4096
_AROUND_TURN = 8
"""Tokens that a chat template puts around a turn, where they cannot be counted."""

_MOST_BYTES = 1 << 24
"""Of an answer: vLLM lists the tokens that it counts."""

_PIXELS_PER_TOKEN = 28 * 28
"""What a picture is taken for while a server has no time to count it."""

Size = tuple[int, int]
"""Width and height in pixels."""


@dataclass(frozen=True, slots=True)
class CountStyle:
    """How a server is asked what a prompt takes; as it stands, llama.cpp.

    Attributes:
        path: Where.
        always: Fields of every request.
        member: Where the answer has the number, with dots between levels.
        pictures_only: Whether it can only be asked by having an answer made: pictures are, once a size, and
            texts are reckoned at four characters a token.
        explain: Puts the server's errors into words.
    """

    path: str = "/v1/chat/completions/input_tokens"
    always: Mapping[str, JsonValue] = field(default_factory=dict)
    member: str = "input_tokens"
    pictures_only: bool = False
    explain: Explain | None = None

    def number(self, answer: JsonValue) -> int:
        """The number in an answer; raises ValueError if there is none."""
        for step in self.member.split("."):
            answer = answer.get(step) if isinstance(answer, dict) else None
        if not isinstance(answer, int):
            raise ValueError("no number of tokens")
        return answer


class TokenCounter:
    """Counts a model's tokens.

    A picture's tokens depend on its size only, so each size is counted once. In a prompt every picture is
    replaced by the same small one, and the differences are added: the texts between the pictures are cut
    into tokens just as they will be, and no pixel has to be sent.
    """

    def __init__(self, post: Post, smallest: Size, style: CountStyle | None = None) -> None:
        """Take the way to the server.

        Args:
            post: Sends it a request.
            smallest: Size of a picture that the model takes as it is.
            style: How it is asked; None for llama.cpp.
        """
        self._post = post
        self._style = style or CountStyle()
        self._prompts: LruCache[bytes, int] = LruCache(_KEPT_PROMPTS)
        self._smallest = smallest
        self._lock = threading.Lock()
        self._costs: LruCache[Size, int] = LruCache(_KEPT_SIZES)
        self._stand_in = black_picture(*smallest)

    def count(self, request: Request[Size], options: Message, *, tools: bool = False) -> TokenCount:
        """What a prompt takes with pictures of these sizes.

        Args:
            request: The prompt; its images are the sizes in which the model gets them.
            options: Arguments of the chat template.
            tools: As for `messages`.

        Raises:
            InvalidRequest: The prompt cannot be put into the model's chat template.
            Unavailable: The server is not there.
        """
        sizes = list(request.images())
        if self._style.pictures_only:
            texts = sum(map(tokens_in, (*request.texts(), instruction(request))))
            texts += _AROUND_TURN * len(request.turns)
            return TokenCount(text=texts, image=sum(map(self._cost_or_guess, sizes)))
        costs = [self._cost(size) for size in sizes]
        small = self._cost(self._smallest) if sizes else 0
        total = self._tokens_of(request.with_images(self._stand_in for _ in sizes), options, tools=tools)
        image = sum(costs)
        return TokenCount(text=max(0, total - small * len(sizes)), image=image)

    def _cost_or_guess(self, size: Size) -> int:
        """What a picture takes; a guess while the server has others to answer."""
        try:
            return self._cost(size)
        except CountTimeout:
            return max(1, size[0] * size[1] // _PIXELS_PER_TOKEN)

    def _cost(self, size: Size) -> int:
        with self._lock:
            known = self._costs.get(size)
        if known is None:
            word = "x"
            alone: Request[EncodedImage] = Request(turns=(Turn(Role.USER, (word,)),))
            beside: Request[EncodedImage] = Request(turns=(Turn(Role.USER, (black_picture(*size), word)),))
            known = max(0, self._tokens_of(beside, {}) - self._tokens_of(alone, {}))
            with self._lock:
                self._costs.put(size, known)
        return known

    def _tokens_of(self, request: Request[EncodedImage], options: Message, *, tools: bool = False) -> int:
        payload: Message = {
            **self._style.always,
            "messages": messages(request, tools=tools),
            **({"tools": function_tools(request)} if tools else {}),
            **({"chat_template_kwargs": options} if options else {}),
        }
        body = json.dumps(payload, ensure_ascii=False).encode("utf-8", "replace")
        # A question that is asked of many pictures is counted once: its pictures are all the same here.
        key = hashlib.sha256(body).digest()
        with self._lock:
            known = self._prompts.get(key)
        if known is None:
            known = self._ask(body)
            with self._lock:
                self._prompts.put(key, known)
        return known

    def _ask(self, body: bytes) -> int:
        style = self._style
        until = time.monotonic() + _SECONDS
        received = bytearray()
        try:
            with closing(self._post(style.path, body)) as parts:
                for part in parts:
                    received += part
                    if time.monotonic() > until or len(received) > _MOST_BYTES:
                        raise CountTimeout
            return style.number(json.loads(received))
        except HttpRefusal as error:
            raise error_of(error, style.explain) from None
        except (ValueError, RecursionError):
            raise CountTimeout from None


class CountTimeout(Unavailable):
    """The server does not say, or not in time."""

    def __init__(self) -> None:
        super().__init__("The model does not count tokens now. Try again.", retry_after=1.0)
