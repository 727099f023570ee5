"""A server elsewhere, spoken to over HTTP: asked, and given files by uploads that outlive a cut."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

import httpx2

from vidi.cli.client import DEFAULT_MODEL, ApiResponse, Exchange, in_names, request_body
from vidi.cli.options import CONNECT_SECONDS, KEY_HEADER, ClientError, Wishes, keys_of
from vidi.settings import Settings

LARGEST_FETCHED = 100_000_000

NO_KEY = " No key was shown: set VIDI_API_KEYS to one that this server knows."


def answer_of(response: httpx2.Response) -> object:
    """The JSON that a server answered; None if it is none.

    Raises:
        ClientError: It refused; the text is its own.
    """
    try:
        answer: object = response.json()
    except json.JSONDecodeError:
        answer = None
    if response.status_code != httpx2.codes.OK:
        match answer:
            case {"error": {"message": str(message)}}:
                shown = KEY_HEADER in response.request.headers
                locked = response.status_code == httpx2.codes.FORBIDDEN and not shown
                raise ClientError(message.strip() + (NO_KEY if locked else ""))
        raise ClientError(f"{response.url.copy_with(path='/', query=None)} answered {response.status_code}.")
    return answer


@dataclass(frozen=True, slots=True)
class RemoteClient:
    """Speaks the Gemini API."""

    http: httpx2.AsyncClient

    async def ask(self, conversation: Sequence[Exchange], wishes: Wishes) -> ApiResponse:
        """The answer to the last question of a conversation.

        Raises:
            ClientError: No answer came; pictures are named as the person names them.
        """
        body = request_body(conversation, wishes)
        try:
            answer = await self._call("POST", _method_path(wishes, "generateContent"), body)
        except ClientError as error:
            raise ClientError(in_names(str(error), conversation)) from None
        return _response(answer)

    async def stream(self, conversation: Sequence[Exchange], wishes: Wishes) -> AsyncIterator[str]:
        """The same, piece by piece as it is made.

        Raises:
            ClientError: As `ask`; also in the middle of an answer.
        """
        body = request_body(conversation, wishes)
        path = _method_path(wishes, "streamGenerateContent") + "?alt=sse"
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
            raise ClientError(in_names(str(error), conversation)) from None

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


def _method_path(wishes: Wishes, method: str) -> str:
    return f"/v1beta/models/{wishes.model or DEFAULT_MODEL}:{method}"


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


@asynccontextmanager
async def connect_remote(settings: Settings, server: str) -> AsyncIterator[RemoteClient]:
    """A client of the server at that URL."""
    timeout = httpx2.Timeout(settings.request_seconds, connect=CONNECT_SECONDS)
    async with httpx2.AsyncClient(base_url=server, headers=keys_of(settings), timeout=timeout) as http:
        yield RemoteClient(http)


async def fetch(address: str) -> bytes:
    """A photo at an https address, as it is stored there.

    Raises:
        ClientError: It cannot be had.
    """
    if address.startswith("http://"):
        raise ClientError("Only https addresses are fetched.")
    content = bytearray()
    try:
        async with (
            httpx2.AsyncClient(timeout=CONNECT_SECONDS, follow_redirects=True) as http,
            http.stream("GET", address) as response,
        ):
            if response.status_code != httpx2.codes.OK:
                raise ClientError(f"{response.url.host} answered {response.status_code}.")
            async for chunk in response.aiter_bytes():
                content += chunk
                if len(content) > LARGEST_FETCHED:
                    raise ClientError(f"Larger than {LARGEST_FETCHED // 1_000_000} MB.")
    except httpx2.HTTPError as error:
        raise ClientError(f"Cannot be fetched: {str(error) or type(error).__name__}.") from None
    return bytes(content)


@dataclass(frozen=True, slots=True)
class Upload:
    """A file of the disk, as it is to arrive at a server. Another size or time of change is another upload.

    Attributes:
        server: Its URL.
        path: The file, absolute.
        size: In bytes.
        modified: When the file was changed last, in nanoseconds since 1970.
        name: The name to take, `files/<id>` or `<id>`; "" takes any.
        display_name: What a listing shows.
        mime_type: "" leaves it to the bytes.
    """

    server: str
    path: Path
    size: int
    modified: int
    name: str = ""
    display_name: str = ""
    mime_type: str = ""


class ResumeRecord:
    """Upload URLs, one in a file each; such a URL is a secret, so only the user may read them."""

    def __init__(self, folder: Path) -> None:
        """Remember in `folder`, which is made when it is needed."""
        self._folder = folder

    def recall(self, upload: Upload) -> str:
        """Where the rest of an upload goes; "" if nothing is known of it."""
        try:
            return self._file(upload).read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return ""

    def remember(self, upload: Upload, url: str) -> None:
        """Keep an upload's URL.

        Raises:
            OSError: The folder cannot be written.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = self._file(upload)
        fresh = file.with_suffix(f".{os.getpid()}")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as writer:
            writer.write(f"{url}\n")
        fresh.replace(file)

    def forget(self, upload: Upload) -> None:
        """Know nothing of an upload."""
        self._file(upload).unlink(missing_ok=True)

    def _file(self, upload: Upload) -> Path:
        told = "\0".join(str(value) for value in astuple(upload))
        return self._folder / hashlib.sha256(told.encode(errors="surrogateescape")).hexdigest()[:32]


CHUNK_BYTES = 8 << 20
"""How much is sent in one request: what Google's own clients send."""

PAGE_SIZE = 100
"""How many files are asked for at once: the most that a server lists."""

PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds before each further try; any byte that gets through starts them over."""

ACTIVE = "active"

File = Mapping[str, object]
"""A File resource as the API's JSON."""

Report = Callable[[int], None]
"""Is told how many bytes of a file the server has acknowledged."""


class _ConnectionCut(Exception):
    """The connection broke, or the server was not able to answer: the upload itself may be well."""


class _UploadEnded(ClientError):
    """The server takes no more bytes for this upload."""


@dataclass(frozen=True, slots=True)
class _UploadResponse:
    """How far an upload is, by the server's word."""

    status: str
    received: int
    file: File | None = None


class FilesClient:
    """Speaks the Files API of one server."""

    def __init__(self, http: httpx2.Client, record: ResumeRecord, pauses: Sequence[float]) -> None:
        """Send with `http`, whose base URL is the server's; wait `pauses` seconds before further tries."""
        self._http = http
        self._record = record
        self._pauses = pauses

    def list(self) -> Iterator[File]:
        """All files, the newest first.

        Raises:
            ClientError: No answer came.
        """
        token = ""
        while True:
            match self._call("GET", f"/v1beta/files?pageSize={PAGE_SIZE}&pageToken={quote(token)}"):
                case {"files": [*files], **rest}:
                    yield from (file for file in files if isinstance(file, dict))
                    token = str(rest.get("nextPageToken", ""))
                case _:
                    return
            if not token:
                return

    def get(self, name: str) -> File:
        """One file, by its name or uri.

        Raises:
            ClientError: There is none, or no answer came.
        """
        answer = self._call("GET", _path(name))
        if not isinstance(answer, dict):
            raise ClientError("The server answered without a file.")
        return answer

    def delete(self, name: str) -> None:
        """Remove a file.

        Raises:
            ClientError: There is none, or no answer came.
        """
        self._call("DELETE", _path(name))

    def upload(self, upload: Upload, report: Report) -> File:
        """Send a file, or the rest of one that an earlier run began.

        Raises:
            ClientError: The server refused it, or could not be reached for too long; then the same call
                goes on where this one stopped.
            OSError: The file cannot be read, or its upload not be remembered.
        """
        with upload.path.open("rb") as reader:
            file = self._resume(upload, reader, report) or self._begin(upload, reader, report)
        self._record.forget(upload)
        return file

    def _resume(self, upload: Upload, reader: BinaryIO, report: Report) -> File | None:
        """Go on with an upload that an earlier run began; None if there is none or it is over."""
        url = self._record.recall(upload)
        if not url:
            return None
        try:
            return self._send(url, upload, reader, report, asking=True)
        except _UploadEnded:
            return None

    def _begin(self, upload: Upload, reader: BinaryIO, report: Report) -> File:
        url = self._start(upload)
        self._record.remember(upload, url)
        return self._send(url, upload, reader, report, asking=False)

    def _start(self, upload: Upload) -> str:
        names = {"name": upload.name, "displayName": upload.display_name, "mimeType": upload.mime_type}
        try:
            response = self._http.post(
                "/upload/v1beta/files",
                json={"file": {name: value for name, value in names.items() if value}},
                headers={
                    "x-goog-upload-protocol": "resumable",
                    "x-goog-upload-command": "start",
                    "x-goog-upload-header-content-length": str(upload.size),
                },
            )
        except httpx2.HTTPError as error:
            raise self._unreachable(error) from None
        answer_of(response)
        url = response.headers.get("x-goog-upload-url", "")
        if not url:
            raise ClientError(f"{self._http.base_url} gave no place to upload to.")
        # Only the way and the secret count: the host is the one that was reached.
        return str(self._http.base_url.copy_with(raw_path=httpx2.URL(url).raw_path))

    def _send(self, url: str, upload: Upload, reader: BinaryIO, report: Report, *, asking: bool) -> File:
        """Send what is missing; at first if `asking`, and after each cut, ask how much that is."""
        state = _UploadResponse(ACTIVE, 0)
        failures = 0
        while state.file is None:
            if state.status != ACTIVE:
                raise _UploadEnded("The server has ended this upload. The same command starts it anew.")
            before = state.received
            try:
                state = (
                    self._step(url, "query") if asking else self._chunk(url, upload, reader, state.received)
                )
            except _ConnectionCut as cut:
                if failures == len(self._pauses):
                    raise ClientError(
                        f"{cut} {state.received} of {upload.size} bytes have arrived; "
                        "the same command sends the rest."
                    ) from None
                time.sleep(self._pauses[failures])
                failures += 1
                asking = True
                continue
            asking = False
            if state.received > before:
                failures = 0
            report(state.received)
        return state.file

    def _chunk(self, url: str, upload: Upload, reader: BinaryIO, offset: int) -> _UploadResponse:
        """Send the bytes from `offset` on; the last ones end the upload."""
        reader.seek(offset)
        data = reader.read(min(CHUNK_BYTES, upload.size - offset))
        now = os.fstat(reader.fileno())
        if (now.st_size, now.st_mtime_ns) != (upload.size, upload.modified):
            with suppress(_ConnectionCut, ClientError):
                self._step(url, "cancel")
            raise ClientError("The file changed while it was uploaded. The same command starts anew.")
        last = offset + len(data) == upload.size
        return self._step(url, "upload, finalize" if last else "upload", offset, data)

    def _step(self, url: str, command: str, offset: int = 0, data: bytes = b"") -> _UploadResponse:
        """One request of an upload.

        Raises:
            _ConnectionCut: It may be worth another try.
            ClientError: The server refused; `_UploadEnded` if it knows no such open upload.
        """
        headers = {"x-goog-upload-command": command, "x-goog-upload-offset": str(offset)}
        try:
            response = self._http.post(url, content=data, headers=headers)
        except httpx2.TransportError as error:
            raise _ConnectionCut(str(self._unreachable(error))) from None
        status = response.headers.get("x-goog-upload-status", "")
        if response.is_server_error:
            raise _ConnectionCut(f"{self._http.base_url} answered {response.status_code}.")
        try:
            answer = answer_of(response)
        except ClientError as error:
            raise (error if status == ACTIVE else _UploadEnded(str(error))) from None
        received = response.headers.get("x-goog-upload-size-received", "0")
        size = int(received) if received.isdecimal() else 0
        match answer:
            case {"file": dict(file)}:
                return _UploadResponse(status, size, file)
        return _UploadResponse(status, size)

    def _call(self, method: str, path: str) -> object:
        try:
            return answer_of(self._http.request(method, path))
        except httpx2.HTTPError as error:
            raise self._unreachable(error) from None

    def _unreachable(self, error: httpx2.HTTPError) -> ClientError:
        why = (str(error) or type(error).__name__).rstrip(".")
        return ClientError(f"{self._http.base_url} cannot be reached: {why}.")


@contextmanager
def connect_files(settings: Settings, server: str) -> Iterator[FilesClient]:
    """A client of the files of the server at that URL.

    Raises:
        ClientError: It is no URL.
    """
    timeout = httpx2.Timeout(settings.request_seconds, connect=CONNECT_SECONDS)
    try:
        http = httpx2.Client(base_url=server, headers=keys_of(settings), timeout=timeout)
    except httpx2.InvalidURL as error:
        raise ClientError(f"{server} is no URL: {error}.") from None
    with http:
        yield FilesClient(http, ResumeRecord(settings.cache_dir / "uploads"), PAUSES)


def _path(name: str) -> str:
    return f"/v1beta/files/{quote(name.removeprefix('files/'), safe='/:')}"
