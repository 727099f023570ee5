"""The command line is one more client of the API: of a server, or of what answers in this process."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import Protocol

import pybase64

from vidi.cli import INTERRUPTED
from vidi.cli.options import ClientError, Wishes
from vidi.cli.photos import Photo
from vidi.cli.progress import ProgressBars
from vidi.domain.errors import VidiError
from vidi.generate import Generation
from vidi.in_process import Local, local
from vidi.settings import Settings
from vidi.wire.encode import message_of

_PART = re.compile(r"contents\[(\d+)\]\.parts\[(\d+)\](?:\.inline_data(?:\.data)?)?")
"""How an error of the server names a part of a question."""

DEFAULT_MODEL = "gemini-3-flash-preview"
"""Any Gemini name asks the server's default model."""


@dataclass(frozen=True, slots=True)
class ApiResponse:
    """An answer and who gave it."""

    text: str
    model: str
    prompt_tokens: int


@dataclass(frozen=True, slots=True)
class NamedPicture:
    """An encoded picture and what the person calls it."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question of a conversation, and its answer once it has one.

    Attributes:
        text: The question; placed after its pictures, as the guide advises.
        pictures: Of any format that the API takes.
        answer: What was answered; "" for the question that is asked now.
    """

    text: str
    pictures: Sequence[NamedPicture] = ()
    answer: str = ""


class Client(Protocol):
    """Who can be asked."""

    async def ask(self, conversation: Sequence[Exchange], wishes: Wishes) -> ApiResponse:
        """The answer to the last question of a conversation.

        Raises:
            ClientError: No answer came; pictures are named as the person names them.
        """
        ...

    def stream(self, conversation: Sequence[Exchange], wishes: Wishes) -> AsyncIterator[str]:
        """The same, piece by piece as it is made.

        Raises:
            ClientError: As `ask`; also in the middle of an answer.
        """
        ...


@dataclass(frozen=True, slots=True)
class LocalClient:
    """Asks what answers in this process, by the API's own request: so it answers and refuses as a server."""

    local: Local

    async def ask(self, conversation: Sequence[Exchange], wishes: Wishes) -> ApiResponse:
        """As `Client.ask`."""
        with _named(conversation):
            async with self._answer(conversation, wishes) as answer:
                texts = [piece.text async for piece in answer.pieces if not piece.thought]
        return ApiResponse("".join(texts), answer.card.id, answer.cost.total)

    async def stream(self, conversation: Sequence[Exchange], wishes: Wishes) -> AsyncIterator[str]:
        """As `Client.stream`."""
        with _named(conversation):
            async with self._answer(conversation, wishes) as answer:
                async for piece in answer.pieces:
                    if not piece.thought:
                        yield piece.text

    def _answer(
        self, conversation: Sequence[Exchange], wishes: Wishes
    ) -> AbstractAsyncContextManager[Generation]:
        body = json.dumps(request_body(conversation, wishes)).encode()
        return self.local.answer(wishes.model or DEFAULT_MODEL, body)


@contextmanager
def _named(conversation: Sequence[Exchange]) -> Iterator[None]:
    """What goes wrong in the block, in the words of a server and the names of a person."""
    try:
        yield
    except VidiError as error:
        raise ClientError(in_names(message_of(error).strip(), conversation)) from None


def request_body(conversation: Sequence[Exchange], wishes: Wishes) -> dict[str, object]:
    """The body of a generateContent request."""
    contents: list[object] = []
    for exchange in conversation:
        images = [
            {"inlineData": {"mimeType": "image/jpeg", "data": pybase64.b64encode(picture.data).decode()}}
            for picture in exchange.pictures
        ]
        contents.append({"role": "user", "parts": [*images, {"text": exchange.text}]})
        if exchange.answer:
            contents.append({"role": "model", "parts": [{"text": exchange.answer}]})
    generation: dict[str, object] = {}
    if wishes.temperature is not None:
        generation["temperature"] = wishes.temperature
    if wishes.json_only or wishes.schema is not None:
        generation["responseMimeType"] = "application/json"
    if wishes.schema is not None:
        generation["responseJsonSchema"] = wishes.schema
    body: dict[str, object] = {"contents": contents, "generationConfig": generation}
    if wishes.system:
        body["systemInstruction"] = {"parts": [{"text": wishes.system}]}
    return body


def in_names(message: str, conversation: Sequence[Exchange]) -> str:
    """An error of the server with the person's own names in the place of the request's fields."""
    turns: list[Exchange | None] = []
    for exchange in conversation:
        turns.extend([exchange, None] if exchange.answer else [exchange])

    def named(field: re.Match[str]) -> str:
        turn, part = int(field[1]), int(field[2])
        exchange = turns[turn] if turn < len(turns) else None
        pictures = exchange.pictures if exchange else ()
        return pictures[part].name if part < len(pictures) else field[0]

    return _PART.sub(named, message)


async def named_picture(photo: Photo) -> NamedPicture:
    """A photo as the API gets it.

    Raises:
        ClientError: It is not there or cannot be read; says which one.
    """
    try:
        return NamedPicture(photo.name, await photo.read())
    except ClientError as error:
        raise ClientError(f"{photo.name}: {error}") from None


def connect(settings: Settings, server: str) -> AbstractAsyncContextManager[Client]:
    """A client of the server at that URL, or, with "", of what answers in this process."""
    if not server:
        return _local(settings)
    # Loaded here, since a program that asks itself needs no HTTP.
    remote: Callable[[Settings, str], AbstractAsyncContextManager[Client]] = resolve_name(
        "vidi.cli.remote:connect_remote"
    )
    return remote(settings, server)


@asynccontextmanager
async def _local(settings: Settings) -> AsyncIterator[Client]:
    async with local(settings, ProgressBars()) as opened:
        try:
            yield LocalClient(opened)
        except asyncio.CancelledError:
            # Engines get a moment to end. Who presses Ctrl-C again does not want to wait for them.
            signal.signal(signal.SIGINT, lambda _signal, _frame: os._exit(INTERRUPTED))
            raise
