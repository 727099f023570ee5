"""Asking a server through the public surface: `vidi serve` on a free port, the official SDK on top."""

from __future__ import annotations

import contextlib
import io
import mimetypes
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx2
from google import genai
from google.genai import errors, types
from PIL import Image
from pydantic import BaseModel

START_LIMIT_S = 300
"""How long a server may take to answer its first request: the weights may have to be fetched."""

REQUEST_LIMIT_MS = 120_000


class NoServer(Exception):
    """There is no server to ask: not started, not reachable, or without the model."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One request to make.

    Attributes:
        kind: caption, list, detect, structured or question.
        photos: File names, in order.
        prompt: The text that goes with them.
        json_wanted: Ask for `application/json`.
        schema: The shape of the JSON, as a pydantic class; none for free JSON.
    """

    kind: str
    photos: tuple[str, ...]
    prompt: str
    json_wanted: bool = False
    schema: type[BaseModel] | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: the text (empty after an error), the wall time, the error if one came."""

    ask: Ask
    text: str
    milliseconds: float
    error: str = ""


class Asker:
    """Asks one model on one server, one request at a time."""

    def __init__(self, url: str, model: str, photos: Path) -> None:
        options = types.HttpOptions(base_url=url, timeout=REQUEST_LIMIT_MS)
        self._client = genai.Client(api_key="any", http_options=options)
        self._model = model
        self._photos = photos

    def __call__(self, ask: Ask) -> Reply:
        """Make one request; an error of the server is part of the reply.

        Raises:
            OSError: A photograph cannot be read.
        """
        parts = [self._part(file) for file in ask.photos]
        return self._ask(ask, parts)

    def warm_up(self) -> None:
        """Ask about a plain grey picture, so that the model is loaded before anything is timed.

        Raises:
            NoServer: Nothing answers there, or it has no such model.
        """
        file = io.BytesIO()
        Image.new("RGB", (64, 64), "grey").save(file, "PNG")
        picture = types.Part.from_bytes(data=file.getvalue(), mime_type="image/png")
        reply = self._ask(Ask("caption", (), "Caption this image."), [picture])
        if reply.error:
            raise NoServer(reply.error)

    def _ask(self, ask: Ask, parts: Sequence[types.Part]) -> Reply:
        config = types.GenerateContentConfig(
            response_mime_type="application/json" if ask.json_wanted else None, response_schema=ask.schema
        )
        contents: list[types.PartUnionDict] = [*parts, ask.prompt]
        start = time.perf_counter()
        try:
            answer = self._client.models.generate_content(model=self._model, contents=contents, config=config)
        except (errors.APIError, httpx2.HTTPError) as error:
            return Reply(ask, "", _milliseconds_since(start), str(error))
        return Reply(ask, answer.text or "", _milliseconds_since(start))

    def _part(self, file: str) -> types.Part:
        mime, _ = mimetypes.guess_type(file)
        return types.Part.from_bytes(data=(self._photos / file).read_bytes(), mime_type=mime or "image/jpeg")


def _milliseconds_since(start: float) -> float:
    return (time.perf_counter() - start) * 1000


@contextlib.contextmanager
def serving(model: str, flags: Sequence[str] = ()) -> Iterator[str]:
    """Run `vidi serve` on a free port for as long as the block lasts; gives its URL.

    Raises:
        NoServer: There is no `vidi` command, it ended, or it did not answer in time.
    """
    beside = Path(sys.executable).with_name("vidi")
    command = str(beside) if beside.exists() else shutil.which("vidi")
    if command is None:
        raise NoServer("there is no `vidi` command; install Vidi or name a running server with --server")
    port = _free_port()
    # Its output goes to our stderr: stdout is for the results.
    process = subprocess.Popen(
        [command, "serve", "--host", "127.0.0.1", "--port", str(port), "--model", model, *flags],
        stdout=sys.stderr,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_up(url, process)
        yield url
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_up(url: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_LIMIT_S
    while time.monotonic() < end:
        if process.poll() is not None:
            raise NoServer(f"`vidi serve` ended with exit code {process.returncode}")
        try:
            with urllib.request.urlopen(f"{url}/v1beta/models", timeout=10):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.2)
    raise NoServer(f"`vidi serve` did not answer within {START_LIMIT_S} s")
