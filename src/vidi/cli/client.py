"""The command line is one more client of the API: of a server, or of one inside this process."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pybase64

from vidi.app import create_app
from vidi.cli import INTERRUPTED
from vidi.cli.options import CONNECT_SECONDS, ClientError, Wishes, answer_of, keys_of
from vidi.cli.photos import Photo
from vidi.cli.progress import ProgressBars
from vidi.http.in_process import InProcess
from vidi.settings import Settings

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


@dataclass(frozen=True, slots=True)
class Client:
    """Speaks the Gemini API."""

    http: httpx2.AsyncClient

    async def ask(self, conversation: Sequence[Exchange], wishes: Wishes) -> ApiResponse:
        """The answer to the last question of a conversation.

        Raises:
            ClientError: No answer came; pictures are named as the person names them.
        """
        body = _request(conversation, wishes)
        try:
            answer = await self._call("POST", _path(wishes, "generateContent"), body)
        except ClientError as error:
            raise ClientError(_in_names(str(error), conversation)) from None
        return _response(answer)

    async def stream(self, conversation: Sequence[Exchange], wishes: Wishes) -> AsyncIterator[str]:
        """The same, piece by piece as it is made.

        Raises:
            ClientError: As `ask`; also in the middle of an answer.
        """
        body = _request(conversation, wishes)
        path = _path(wishes, "streamGenerateContent") + "?alt=sse"
        try:
            async with self.http.stream("POST", path, json=body) as response:
                if response.status_code != httpx2.codes.OK:
                    await response.aread()
                    answer_of(response)
                async for line in response.aiter_lines():
                    if line.startswith("data: "):
                        yield _piece(json.loads(line.removeprefix("data: ")))
        except httpx2.HTTPError as error:
            raise self._lost(error) from None
        except ClientError as error:
            raise ClientError(_in_names(str(error), conversation)) from None

    async def models(self) -> list[Mapping[str, object]]:
        """Every model of the server, as the API describes it, the default first.

        Raises:
            ClientError: No answer came.
        """
        match await self._call("GET", "/v1beta/models?pageSize=1000", None):
            case {"models": [*models]}:
                return [model for model in models if isinstance(model, dict)]
        raise ClientError("The server answered without models.")

    async def _call(self, method: str, path: str, body: object) -> object:
        try:
            response = await self.http.request(method, path, json=body)
        except httpx2.HTTPError as error:
            raise self._lost(error) from None
        return answer_of(response)

    def _lost(self, error: httpx2.HTTPError) -> ClientError:
        return ClientError(f"{self.http.base_url} cannot be reached: {str(error) or type(error).__name__}")


def _path(wishes: Wishes, method: str) -> str:
    return f"/v1beta/models/{wishes.model or DEFAULT_MODEL}:{method}"


def _request(conversation: Sequence[Exchange], wishes: Wishes) -> dict[str, object]:
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


def _in_names(message: str, conversation: Sequence[Exchange]) -> str:
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


def _response(answer: object) -> ApiResponse:
    match answer:
        case {
            "candidates": [{"content": {"parts": [*parts]}}, *_],
            "modelVersion": str(version),
            "usageMetadata": {"promptTokenCount": int(tokens)},
        }:
            return ApiResponse("".join(_text(part) for part in parts), version, tokens)
    raise ClientError("The server answered without a text.")


def _piece(event: object) -> str:
    match event:
        case {"error": {"message": str(message)}}:
            raise ClientError(message.strip())
        case {"candidates": [{"content": {"parts": [*parts]}}, *_]}:
            return "".join(_text(part) for part in parts)
    return ""


def _text(part: object) -> str:
    match part:
        case {"text": str(text), **rest} if not rest.get("thought"):
            return text
    return ""


async def named_picture(photo: Photo) -> NamedPicture:
    """A photo as the API gets it.

    Raises:
        ClientError: It is not there or cannot be read; says which one.
    """
    try:
        return NamedPicture(photo.name, await photo.read())
    except ClientError as error:
        raise ClientError(f"{photo.name}: {error}") from None


@asynccontextmanager
async def connect(settings: Settings, server: str) -> AsyncIterator[Client]:
    """A client of the server at that URL, or, with "", of one inside this process."""
    keys = keys_of(settings)
    timeout = httpx2.Timeout(settings.request_seconds, connect=CONNECT_SECONDS)
    if server:
        async with httpx2.AsyncClient(base_url=server, headers=keys, timeout=timeout) as http:
            yield Client(http)
        return
    with tempfile.TemporaryDirectory(prefix="vidi-") as folder:
        # A server may be using the data directory; here nothing is kept.
        app = create_app(
            settings.model_copy(update={"data_dir": Path(folder), "keys_file": None}), ProgressBars()
        )
        async with (
            app.lifespan.router.lifespan_context(app),
            httpx2.AsyncClient(
                transport=InProcess(app), base_url="http://localhost", headers=keys, timeout=timeout
            ) as http,
        ):
            try:
                yield Client(http)
            except asyncio.CancelledError:
                # Engines get a moment to end. Who presses Ctrl-C again does not want to wait for them.
                signal.signal(signal.SIGINT, lambda _signal, _frame: os._exit(INTERRUPTED))
                raise
