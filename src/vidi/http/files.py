"""/upload/... and /v1beta/files: start, upload, query, finalize, cancel, get, list, delete.

Every reply to an upload carries `x-goog-upload-status`, errors too: without it the SDKs send the same bytes
again. `docs/files.md` traces one upload.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from vidi.domain.errors import FailedPrecondition, InvalidRequest, NotFound, VidiError
from vidi.files.aio import AsyncFiles
from vidi.files.metadata import UploadRequest
from vidi.files.store import WRONG_OFFSET, WRONG_SIZE, Phase
from vidi.files.uploads import UploadStatus
from vidi.http.body import BodyReader, decompress, maximum_pause, receive_chunks
from vidi.http.middleware import JSON
from vidi.http.models import VERSIONS
from vidi.wire.file import FileFields, decode_file, encode_file, encode_files, encode_uploaded

MAX_NOTE = 1_000_000
"""Longest first part in bytes."""


class MultipartRelated:
    """A body of two parts: `note` first, then `content`."""

    def __init__(self, content_type: str, chunks: AsyncIterator[bytes]) -> None:
        """Read `chunks` by the boundary in `content_type`.

        Raises:
            InvalidRequest: There is no boundary.
        """
        kind, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if not kind.startswith(b"multipart/") or not boundary:
            raise InvalidRequest("A multipart upload needs Content-Type: multipart/related; boundary=...")
        self._chunks = chunks
        self._part = 0
        self._ended = False
        self._pieces: deque[tuple[int, bytes]] = deque()
        self._header = b""
        self._value = b""
        self.mime_type = ""
        """The second part's Content-Type, once the note has been read."""
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._on_part_begin,
                "on_header_field": self._on_header_field,
                "on_header_value": self._on_header_value,
                "on_header_end": self._on_header_end,
                "on_part_data": self._on_part_data,
                "on_end": self._on_end,
            },
        )

    async def note(self) -> bytes:
        """The first part: JSON.

        Raises:
            InvalidRequest: The body is no multipart, or its first part is too long.
        """
        note = bytearray()
        while await self._more(part=1):
            note += self._pieces.popleft()[1]
            if len(note) > MAX_NOTE:
                raise InvalidRequest(f"The first part of a multipart upload has at most {MAX_NOTE} bytes.")
        # The second part's headers have been read when its first bytes are here.
        await self._more(part=2)
        return bytes(note)

    async def content(self) -> AsyncIterator[bytes]:
        """The second part, after `note`.

        Raises:
            InvalidRequest: The body ends too early or has a third part.
        """
        while await self._more(part=2):
            yield self._pieces.popleft()[1]
        if not self._ended or self._part != 2:
            raise InvalidRequest("A multipart upload has two parts, a JSON note and the file, and an end.")

    async def _more(self, part: int) -> bool:
        """Read on until there is data; whether the next data belong to this part."""
        while not self._pieces and not self._ended and self._part <= part:
            chunk = await anext(self._chunks, None)
            if chunk is None:
                break
            try:
                self._parser.write(chunk)
            except FormParserError:
                raise InvalidRequest("The body is not the multipart that its Content-Type says.") from None
        return bool(self._pieces) and self._pieces[0][0] == part

    def _on_part_begin(self) -> None:
        self._part += 1

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        if self._part == 2 and self._header.lower() == b"content-type":
            self.mime_type = self._value.decode("latin-1").strip()
        self._header = self._value = b""

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        self._pieces.append((self._part, data[start:end]))

    def _on_end(self) -> None:
        self._ended = True


GRANULARITY = 262_144
"""The chunk size that is announced, in bytes; chunks of any size are taken."""


@dataclass(frozen=True, slots=True)
class FileRoutes:
    """Files that are there."""

    desk: AsyncFiles

    async def list(self, request: Request) -> Response:
        """ListFiles."""
        size = request.query_params.get("pageSize") or "0"
        if not size.isdecimal():
            raise InvalidRequest("page_size must be a whole number that is not negative.", where="page_size")
        token = request.query_params.get("pageToken", "")
        page = await self.desk.run_in_thread(
            self.desk.service.page, request.state.owner, int(size[:9]), token
        )
        return Response(encode_files(page.files, page.next_token, base_url(request)), media_type=JSON)

    async def get(self, request: Request) -> Response:
        """GetFile."""
        name: str = request.path_params["name"]
        if name.endswith(":download"):
            raise InvalidRequest("Uploaded files cannot be downloaded; only generated files can.")
        file = await self.desk.run_in_thread(self.desk.service.get, request.state.owner, name)
        return Response(encode_file(file, base_url(request)), media_type=JSON)

    async def delete(self, request: Request) -> Response:
        """DeleteFile."""
        name: str = request.path_params["name"]
        await self.desk.run_in_thread(self.desk.service.delete, request.state.owner, name)
        return Response(b"{}", media_type=JSON)


@dataclass(frozen=True, slots=True)
class UploadRoutes:
    """Files that come: resumable, multipart or raw."""

    desk: AsyncFiles
    bodies: BodyReader

    async def receive(self, request: Request) -> Response:
        """One step of a resumable upload, or a whole upload in one request."""
        try:
            return await self._receive(request)
        except VidiError as error:
            error.where = _HEADERS.get(error.where, error.where)
            raise

    async def _receive(self, request: Request) -> Response:
        upload_id = request.query_params.get("upload_id", "")
        if upload_id:
            return await self._step(request, upload_id)
        _say(request, Phase.FINAL)
        match _protocol(request):
            case "resumable":
                return await self._start(request)
            case "multipart":
                return await self._multipart(request)
            case "raw":
                return await self._raw(request)
        raise InvalidRequest("X-Goog-Upload-Protocol must be resumable, multipart or raw.")

    async def _start(self, request: Request) -> Response:
        commands = _commands(request)
        if commands and commands != ["start"]:
            raise InvalidRequest("An upload begins with X-Goog-Upload-Command: start.", where=_COMMAND)
        async with self.bodies.read(request.scope, request.receive) as body:
            note = decode_file(body)
        headers = request.headers
        declared = headers.get("x-goog-upload-header-content-length")
        announcement = UploadRequest(
            owner=request.state.owner,
            name=note.name,
            display_name=note.display_name,
            mime_type=note.mime_type or headers.get("x-goog-upload-header-content-type", ""),
            length=note.size_bytes if declared is None else _whole_number(request, _LENGTH),
        )
        begun = await self.desk.run_in_thread(self.desk.uploads.start, announcement)
        url = f"{base_url(request)}{request.url.path}?upload_id={begun.upload_id}&upload_protocol=resumable"
        _say(request, begun.phase)
        return Response(
            headers={
                "x-goog-upload-url": url,
                "x-goog-upload-control-url": url,
                "x-goog-upload-chunk-granularity": str(GRANULARITY),
            },
            media_type=JSON,
        )

    async def _step(self, request: Request, upload_id: str) -> Response:
        try:
            done = await self._command(request, upload_id)
        except VidiError:
            await self._say_where_it_stands(request, upload_id)
            raise
        _say(request, done.phase)
        request.state.added_headers["x-goog-upload-size-received"] = str(done.received)
        if done.file is None:
            return Response(media_type=JSON)
        return Response(encode_uploaded(done.file, base_url(request)), media_type=JSON)

    async def _command(self, request: Request, upload_id: str) -> UploadStatus:
        uploads = self.desk.uploads
        match _commands(request):
            case ["upload", *rest] if rest in ([], ["finalize"]):
                offset = _whole_number(request, _OFFSET)
                chunk = _arriving(request)
                return await self.desk.receive_chunk(
                    upload_id, offset, chunk, _length(request), finalize=bool(rest)
                )
            case ["finalize"]:
                return await self.desk.run_in_thread(uploads.finalize, upload_id)
            case ["query"]:
                return await self.desk.run_in_thread(uploads.query, upload_id)
            case ["cancel"]:
                return await self.desk.run_in_thread(uploads.cancel, upload_id)
            case ["start"]:
                raise FailedPrecondition("This upload has begun; send its bytes, or start a new one.")
        raise InvalidRequest(
            "X-Goog-Upload-Command must be upload, finalize, query, cancel, or `upload, finalize`.",
            where=_COMMAND,
        )

    async def _say_where_it_stands(self, request: Request, upload_id: str) -> None:
        """Put the upload's state beside an error; an upload that nobody knows is over."""
        try:
            stands = await self.desk.run_in_thread(self.desk.uploads.query, upload_id)
        except VidiError:
            _say(request, Phase.FINAL)
        else:
            _say(request, stands.phase)
            request.state.added_headers["x-goog-upload-size-received"] = str(stands.received)

    async def _multipart(self, request: Request) -> Response:
        related = MultipartRelated(request.headers.get("content-type", ""), _arriving(request))
        note = decode_file(await related.note())
        return await self._whole(request, note, related.mime_type, None, related.content())

    async def _raw(self, request: Request) -> Response:
        mime_type = request.headers.get("x-goog-upload-header-content-type", "")
        declared = request.headers.get("content-type", "")
        return await self._whole(
            request, FileFields(), mime_type or declared, _length(request), _arriving(request)
        )

    async def _whole(
        self,
        request: Request,
        note: FileFields,
        mime_type: str,
        length: int | None,
        content: AsyncIterator[bytes],
    ) -> Response:
        announcement = UploadRequest(
            owner=request.state.owner,
            name=note.name,
            display_name=note.display_name,
            mime_type=note.mime_type or mime_type,
            length=length,
        )
        done = await self.desk.receive_file(announcement, content)
        if done.file is None:
            raise NotFound("The file was deleted while it was uploaded.")
        return Response(encode_uploaded(done.file, base_url(request)), media_type=JSON)


_COMMAND = "X-Goog-Upload-Command"
_OFFSET = "X-Goog-Upload-Offset"
_LENGTH = "X-Goog-Upload-Header-Content-Length"

_HEADERS = {WRONG_OFFSET: _OFFSET, WRONG_SIZE: _COMMAND}
"""The header of what the files call by a name of their own."""


def base_url(request: Request) -> str:
    """Scheme, host and path prefix under which the client knows this server, without a slash at the end.

    A proxy tells them in X-Forwarded-Proto, -Host and -Prefix.
    """
    headers = request.headers
    scheme = _first(headers.get("x-forwarded-proto", "")) or request.url.scheme
    host = _first(headers.get("x-forwarded-host", "")) or headers.get("host", "") or request.url.netloc
    prefix = _first(headers.get("x-forwarded-prefix", "")).strip("/")
    return f"{scheme}://{host}" + (f"/{prefix}" if prefix else "")


def _first(value: str) -> str:
    return value.partition(",")[0].strip()


def _say(request: Request, phase: Phase) -> None:
    request.state.added_headers["x-goog-upload-status"] = phase.value


def _protocol(request: Request) -> str:
    """Which of the three protocols a request speaks; what says nothing and is JSON begins a resumable one."""
    query = request.query_params
    told = (
        request.headers.get("x-goog-upload-protocol")
        or query.get("upload_protocol")
        or {"media": "raw"}.get(query.get("uploadType", ""), query.get("uploadType", ""))
    )
    if told:
        return told.strip().lower()
    content_type = request.headers.get("content-type", "")
    if _commands(request) or content_type.startswith("application/json"):
        return "resumable"
    return "multipart" if content_type.startswith("multipart/") else "raw"


def _commands(request: Request) -> list[str]:
    told = request.headers.get("x-goog-upload-command", "").lower()
    return [command.strip() for command in told.split(",") if command.strip()]


def _whole_number(request: Request, name: str) -> int:
    text = request.headers.get(name, "").strip()
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        raise InvalidRequest(f"{name} must be a whole number of bytes, 0 or more.", where=name)
    return int(text)


def _length(request: Request) -> int | None:
    """How many bytes the request brings, if it says so and they are not compressed."""
    declared = request.headers.get("content-length", "")
    plain = request.headers.get("content-encoding", "identity").lower() in ("", "identity")
    return int(declared) if declared.isdecimal() and plain else None


def _arriving(request: Request) -> AsyncIterator[bytes]:
    return decompress(request.scope, receive_chunks(request.receive, maximum_pause))


async def _nowhere(request: Request) -> Response:
    raise InvalidRequest("A file comes with its bytes: send them to /upload/v1beta/files.")


def routes(shelf: FileRoutes, intake: UploadRoutes) -> list[BaseRoute]:
    """The routes of files, under every version, and the paths that SDKs make by accident."""
    taken: list[BaseRoute] = [
        Route(path, intake.receive, methods=["POST", "PUT"])
        for version in VERSIONS
        for path in (
            f"/upload/{version}/files",
            f"/resumable/upload/{version}/files",
            *(f"/{outer}/upload/{version}/files" for outer in VERSIONS),
        )
    ]
    kept = [
        route
        for version in VERSIONS
        for route in (
            Route(f"/{version}/files", shelf.list, methods=["GET"]),
            Route(f"/{version}/files", _nowhere, methods=["POST"]),
            Route(f"/{version}/files/{{name:path}}", shelf.get, methods=["GET"]),
            Route(f"/{version}/files/{{name:path}}", shelf.delete, methods=["DELETE"]),
        )
    ]
    return [*taken, *kept]
