"""What a prompt costs, asked of the server that runs the model, so that it is what the prompt will take."""

from __future__ import annotations

import json
import threading
import time
from contextlib import closing

from vidi.domain.answer import TokenCount
from vidi.domain.errors import Unavailable
from vidi.domain.prompt import Request, Role, Turn
from vidi.domain.schema import JsonValue
from vidi.engines.chat.connection import HttpRefusal, Post
from vidi.engines.chat.messages import EncodedImage, Message, black_picture, messages
from vidi.engines.chat.response import error_of
from vidi.lru import LruCache

_PATH = "/v1/chat/completions/input_tokens"
_SECONDS = 30.0
_KEPT_SIZES = 4096

Size = tuple[int, int]
"""Width and height in pixels."""


class TokenCounter:
    """Counts a model's tokens.

    A picture's tokens depend on its size only, so each size is counted once. In a prompt every picture is
    replaced by the same small one, and the differences are added: the texts between the pictures are cut
    into tokens just as they will be, and no pixel has to be sent.
    """

    def __init__(self, post: Post, smallest: Size) -> None:
        """Take the way to the process.

        Args:
            post: Sends it a request.
            smallest: Size of a picture that the model takes as it is.
        """
        self._post = post
        self._smallest = smallest
        self._lock = threading.Lock()
        self._costs: LruCache[Size, int] = LruCache(_KEPT_SIZES)
        self._stand_in = black_picture(*smallest)

    def count(self, request: Request[Size], options: Message) -> TokenCount:
        """What a prompt takes with pictures of these sizes.

        Args:
            request: The prompt; its images are the sizes in which the model gets them.
            options: Arguments of the chat template.

        Raises:
            InvalidRequest: The prompt cannot be put into the model's chat template.
            Unavailable: The process is not there.
        """
        sizes = list(request.images())
        costs = [self._cost(size) for size in sizes]
        small = self._cost(self._smallest) if sizes else 0
        total = self._tokens_of(request.with_images(self._stand_in for _ in sizes), options)
        image = sum(costs)
        return TokenCount(text=max(0, total - small * len(sizes)), image=image)

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

    def _tokens_of(self, request: Request[EncodedImage], options: Message) -> int:
        payload: Message = {"messages": messages(request), "chat_template_kwargs": options}
        body = json.dumps(payload, ensure_ascii=False).encode("utf-8", "replace")
        until = time.monotonic() + _SECONDS
        received = bytearray()
        try:
            with closing(self._post(_PATH, body)) as parts:
                for part in parts:
                    received += part
                    if time.monotonic() > until:
                        raise Unavailable("The model does not count tokens now. Try again.", retry_after=1.0)
        except HttpRefusal as error:
            raise error_of(error) from None
        answer: JsonValue = json.loads(received)
        tokens = answer.get("input_tokens") if isinstance(answer, dict) else None
        if not isinstance(tokens, int):
            raise Unavailable("The model does not count tokens now. Try again.", retry_after=1.0)
        return tokens
