"""The command line is one more client of the API: of a server, or of one inside this process."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pybase64

from vidi.app import create_app
from vidi.cli.main import INTERRUPTED
from vidi.cli.options import CONNECT_SECONDS, ClientError, answer_of, keys_of
from vidi.cli.progress import ProgressBars
from vidi.settings import Settings

DEFAULT_MODEL = "gemini-3-flash-preview"
"""Any Gemini name asks the server's default model."""


@dataclass(frozen=True, slots=True)
class ApiResponse:
    """An answer and who gave it."""

    text: str
    model: str
    prompt_tokens: int


@dataclass(frozen=True, slots=True)
class Client:
    """Speaks the Gemini API."""

    http: httpx2.AsyncClient

    async def ask(
        self, model: str, pictures: Sequence[bytes], question: str, *, json_only: bool = False
    ) -> ApiResponse:
        """Ask one question about pictures.

        Args:
            model: A model id, or "" for the server's default.
            pictures: Encoded files of any supported format.
            question: Placed after the pictures, as the guide advises.
            json_only: Whether the answer must be bare JSON.

        Raises:
            ClientError: No answer came.
        """
        images = [
            {"inlineData": {"mimeType": "image/jpeg", "data": pybase64.b64encode(picture).decode()}}
            for picture in pictures
        ]
        body: dict[str, object] = {"contents": [{"role": "user", "parts": [*images, {"text": question}]}]}
        if json_only:
            body["generationConfig"] = {"responseMimeType": "application/json"}
        match await self._call("POST", f"/v1beta/models/{model or DEFAULT_MODEL}:generateContent", body):
            case {
                "candidates": [{"content": {"parts": [*parts]}}, *_],
                "modelVersion": str(version),
                "usageMetadata": {"promptTokenCount": int(tokens)},
            }:
                return ApiResponse("".join(_text(part) for part in parts), version, tokens)
        raise ClientError("The server answered without a text.")

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
            why = str(error) or type(error).__name__
            raise ClientError(f"{self.http.base_url} cannot be reached: {why}") from None
        return answer_of(response)


def _text(part: object) -> str:
    match part:
        case {"text": str(text)}:
            return text
    return ""


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
        app = create_app(settings.model_copy(update={"data_dir": Path(folder)}), ProgressBars())
        inside = httpx2.ASGITransport(app=app)
        async with (
            app.router.lifespan_context(app),
            httpx2.AsyncClient(
                transport=inside, base_url="http://localhost", headers=keys, timeout=timeout
            ) as http,
        ):
            try:
                yield Client(http)
            except asyncio.CancelledError:
                # Engines get a moment to end. Who presses Ctrl-C again does not want to wait for them.
                signal.signal(signal.SIGINT, lambda _signal, _frame: os._exit(INTERRUPTED))
                raise
