"""The command line is one more client of the API: of a server, or of one inside this process."""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import click
import httpx2
import pybase64

from vidi.app import create_app
from vidi.cli.options import CONNECT_SECONDS, ClientError, answer_of, keys_of
from vidi.settings import Settings

LINE_EVERY = 0.25
"""Without a terminal, one line for each quarter of a step."""

DRAW_EVERY = 0.2
"""On a terminal, seconds between two drawings of a bar."""

RATE_AFTER = 1.0
"""Seconds after which a rate is worth telling."""


class ProgressBars:
    """The `Progress` of engines, drawn as it is told. Safe to call from any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Draw nothing yet; `clock` tells seconds."""
        self._lock = threading.Lock()
        self._clock = clock
        self._step = ""
        self._drawn = -1.0
        self._drawn_at = 0.0
        self._begun = (0.0, 0)

    def __call__(self, step: str, done: int, total: int) -> None:
        """Show that `done` of `total` units of a step are over; total 0 means unknown."""
        share = done / total if total else 0.0
        with self._lock:
            now = self._clock()
            new = step != self._step
            finished = total > 0 and done >= total
            terminal = sys.stderr.isatty()
            if not (new or finished or self._is_due(share, now, terminal)):
                return
            if new:
                if self._step and terminal and self._drawn < 1:
                    click.echo(err=True)
                # What an earlier run left is no speed of this one.
                self._begun = (now, done)
            self._step, self._drawn, self._drawn_at = step, share, now
            if terminal:
                click.echo(_bar(step, done, total, self._rate(done, now)), nl=False, err=True)
            else:
                click.echo(f"{step}: {share:.0%}", nl=False, err=True)
            if finished or not terminal:
                click.echo(err=True)

    def _is_due(self, share: float, now: float, terminal: bool) -> bool:
        if terminal:
            return now - self._drawn_at >= DRAW_EVERY
        return share - self._drawn >= LINE_EVERY

    def _rate(self, done: int, now: float) -> float:
        """Units a second of this step so far; 0 while nobody can tell."""
        since, before = self._begun
        return (done - before) / (now - since) if now - since >= RATE_AFTER else 0.0


def _bar(step: str, done: int, total: int, rate: float) -> str:
    width = 28
    share = done / total if total else 0.0
    filled = round(share * width)
    size = f"{share:.0%}"
    if total > 1_000_000:
        size = f"{done / 1e6:.1f} of {total / 1e6:.1f} MB"
        if rate > 0:
            size += f", {rate / 1e6:.1f} MB/s, {_clock_time((total - done) / rate)} left"
    return f"\r{step}  [{'#' * filled}{'.' * (width - filled)}]  {size}\033[K"


def _clock_time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


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
            yield Client(http)
