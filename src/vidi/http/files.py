"""/upload/... and /v1beta/files: start, upload, query, finalize, cancel, get, list, delete.

Every reply to an upload carries `x-goog-upload-status`, errors too: without it the SDKs send the same bytes
again. `docs/files.md` traces one upload.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request
from starlette.responses import Response

from vidi.domain.errors import FailedPrecondition, InvalidRequest, NotFound, VidiError
from vidi.files.aio import AsyncFiles
from vidi.files.metadata import UploadRequest
from vidi.files.store import WRONG_OFFSET, WRONG_SIZE, Phase
from vidi.files.uploads import UploadStatus
from vidi.http.access import base_url, caller_of
from vidi.http.body import BodyReader
from vidi.http.response import JSON, add_header, json_response
from vidi.wire.file import decode_file, encode_file, encode_files, encode_uploaded

GRANULARITY = 262_144
"""The chunk size that is announced, in bytes; chunks of any size are taken."""

_COMMAND = "X-Goog-Upload-Command"
_OFFSET = "X-Goog-Upload-Offset"
_LENGTH = "X-Goog-Upload-Header-Content-Length"

_HEADERS = {WRONG_OFFSET: _OFFSET, WRONG_SIZE: _COMMAND}
"""The header that carries what the upload state machine, which knows no HTTP, calls wrong."""


@dataclass(frozen=True, slots=True)
class FileRoutes:
    """Files that are stored."""

    files: AsyncFiles

    async def list(self, request: Request) -> Response:
        size = request.query_params.get("pageSize") or "0"
        if not size.isdecimal():
            raise InvalidRequest("page_size must be a whole number that is not negative.", where="page_size")
        token = request.query_params.get("pageToken", "")
        page = await self.files.run_in_thread(
            self.files.service.page, request.state.owner, int(size[:9]), token
        )
        return json_response(encode_files(page.files, page.next_token, base_url(request)))

    async def get(self, request: Request) -> Response:
        name: str = request.path_params["name"]
        if name.endswith(":download"):
            raise InvalidRequest("Uploaded files cannot be downloaded; only generated files can.")
        file = await self.files.run_in_thread(self.files.service.get, request.state.owner, name)
        return json_response(encode_file(file, base_url(request)))

    async def delete(self, request: Request) -> Response:
        name: str = request.path_params["name"]
        await self.files.run_in_thread(self.files.service.delete, request.state.owner, name)
        return json_response(b"{}")


@dataclass(frozen=True, slots=True)
class UploadRoutes:
    """Files that arrive: resumable, multipart or raw.

    A client that lost a reply asks where its upload stands, or sends the same bytes again. So each reply to a
    step, an error's too, says what the upload's state is once the step is over.

    Attributes:
        files: Where they go.
        body_reader: Reads the bodies that are not stored as they come.
        is_owner: Whether an owner's uploads may go on: not once its key is revoked or has expired.
    """

    files: AsyncFiles
    body_reader: BodyReader
    is_owner: Callable[[str], bool]

    async def receive(self, request: Request) -> Response:
        """One step of a resumable upload, or a whole upload in one request."""
        try:
            return await self._receive(request)
        except VidiError as error:
            error.where = _HEADERS.get(error.where, error.where)
            raise

    async def _receive(self, request: Request) -> Response:
        # Read where the caller was let in, and nowhere again: this id is all that it may touch.
        upload_id = caller_of(request).upload_id
        if upload_id:
            if not self.is_owner(await self.files.run_in_thread(self.files.uploads.owner, upload_id)):
                raise NotFound("No such upload: the key that began it is not valid any more.")
            return await self._step(request, upload_id)
        # Until `_start` has made an upload, an error leaves nothing that a client could continue.
        _add_status(request, Phase.FINAL)
        match _protocol(request):
            case "resumable" if _commands(request) == ["start", "upload", "finalize"]:
                return await self._raw(request)
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
        async with self.body_reader.read(request.scope, request.receive) as body:
            fields = await self.body_reader.decode(body, decode_file)
        headers = request.headers
        declared = headers.get("x-goog-upload-header-content-length")
        upload = UploadRequest(
            owner=request.state.owner,
            name=fields.name,
            display_name=fields.display_name,
            mime_type=fields.mime_type or headers.get("x-goog-upload-header-content-type", ""),
            length=fields.size_bytes if declared is None else _whole_number(request, _LENGTH),
        )
        started = await self.files.run_in_thread(self.files.uploads.start, upload)
        url = f"{base_url(request)}{request.url.path}?upload_id={started.upload_id}&upload_protocol=resumable"
        _add_status(request, started.phase)
        return Response(
            headers={
                "x-goog-upload-url": url,
                "x-goog-upload-control-url": url,
                "x-goog-upload-chunk-granularity": str(self._granularity()),
            },
            media_type=JSON,
        )

    def _granularity(self) -> int:
        """Of a store that several servers share, the size of its pieces: then no chunk makes a small one."""
        storage = self.files.service.storage
        return GRANULARITY if storage.shared is None else storage.block_bytes

    async def _step(self, request: Request, upload_id: str) -> Response:
        try:
            done = await self._command(request, upload_id)
        except VidiError:
            await self._add_state_after_error(request, upload_id)
            raise
        _add_state(request, done)
        return json_response(encode_uploaded(done.file, base_url(request)) if done.file else b"")

    async def _command(self, request: Request, upload_id: str) -> UploadStatus:
        uploads = self.files.uploads
        match _commands(request):
            case ["upload", *rest] if rest in ([], ["finalize"]):
                offset = _whole_number(request, _OFFSET)
                with self._content(request) as chunk:
                    return await self.files.receive_chunk(
                        upload_id, offset, chunk, _length(request), finalize=bool(rest)
                    )
            case ["finalize"]:
                with self._content(request) as content:
                    await _refuse_bytes(content)
                return await self.files.run_in_thread(uploads.finalize, upload_id)
            case ["query"]:
                return await self.files.run_in_thread(uploads.query, upload_id)
            case ["cancel"]:
                return await self.files.run_in_thread(uploads.cancel, upload_id)
            case ["start"]:
                raise FailedPrecondition("This upload has begun; send its bytes, or start a new one.")
        raise InvalidRequest(
            "X-Goog-Upload-Command must be upload, finalize, query, cancel, or `upload, finalize`.",
            where=_COMMAND,
        )

    async def _add_state_after_error(self, request: Request, upload_id: str) -> None:
        """The error may have ended the upload, so ask again; an upload that nobody knows is over."""
        try:
            state = await self.files.run_in_thread(self.files.uploads.query, upload_id)
        except VidiError:
            _add_status(request, Phase.FINAL)
        else:
            _add_state(request, state)

    async def _multipart(self, request: Request) -> Response:
        with self._content(request) as content:
            related = MultipartRelated(request.headers.get("content-type", ""), content)
            fields = await self.body_reader.decode(await related.metadata(), decode_file)
            upload = UploadRequest(
                owner=request.state.owner,
                name=fields.name,
                display_name=fields.display_name,
                mime_type=fields.mime_type or related.mime_type,
            )
            return await self._whole(request, upload, related.content())

    async def _raw(self, request: Request) -> Response:
        mime_type = request.headers.get("x-goog-upload-header-content-type", "")
        declared = request.headers.get("content-type", "")
        upload = UploadRequest(request.state.owner, mime_type=mime_type or declared, length=_length(request))
        with self._content(request) as content:
            return await self._whole(request, upload, content)

    def _content(self, request: Request) -> AbstractContextManager[AsyncIterator[bytes]]:
        buffer = 2 * self.files.service.storage.block_bytes
        return self.body_reader.upload(request.scope, request.receive, buffer)

    async def _whole(
        self, request: Request, upload: UploadRequest, content: AsyncIterator[bytes]
    ) -> Response:
        done = await self.files.receive_file(upload, content)
        if done.file is None:
            raise NotFound("The file was deleted while it was uploaded.")
        return json_response(encode_uploaded(done.file, base_url(request)))


def _add_status(request: Request, phase: Phase) -> None:
    add_header(request, "x-goog-upload-status", phase.value)


def _add_state(request: Request, state: UploadStatus) -> None:
    _add_status(request, state.phase)
    add_header(request, "x-goog-upload-size-received", str(state.received))


def _protocol(request: Request) -> str:
    """Which of the three protocols a request speaks; what says nothing and is JSON begins a resumable one."""
    query = request.query_params
    named = (
        request.headers.get("x-goog-upload-protocol")
        or query.get("upload_protocol")
        or {"media": "raw"}.get(query.get("uploadType", ""), query.get("uploadType", ""))
    )
    if named:
        return named.strip().lower()
    content_type = request.headers.get("content-type", "")
    if _commands(request) or content_type.startswith("application/json"):
        return "resumable"
    return "multipart" if content_type.startswith("multipart/") else "raw"


async def _refuse_bytes(content: AsyncIterator[bytes]) -> None:
    """What `finalize` alone brings would be lost, and the client would not know."""
    async for chunk in content:
        if chunk:
            raise InvalidRequest(
                f"`finalize` takes no bytes and this request has some. Send them with {_COMMAND}: "
                f"upload, finalize and {_OFFSET}.",
                where=_COMMAND,
            )


def _commands(request: Request) -> list[str]:
    commands = request.headers.get("x-goog-upload-command", "").lower()
    return [command.strip() for command in commands.split(",") if command.strip()]


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


async def refuse_missing_bytes(_: Request) -> Response:
    """A POST to the place where files are listed."""
    raise InvalidRequest("A file comes with its bytes: send them to /upload/v1beta/files.")


async def refuse_registration(_: Request) -> Response:
    """Files of Google Cloud Storage, which nothing here can read."""
    raise InvalidRequest(
        "files:register is not served by Vidi, which cannot read gs:// files. Upload the bytes to "
        "/upload/v1beta/files, or give a picture's https address as file_uri."
    )


MAX_METADATA = 1_000_000
"""Longest first part of a multipart upload in bytes."""


class MultipartRelated:
    """A body of two parts: `metadata` first, then `content`.

    The parser pushes what it finds into `_pieces`, each with the number of its part; `_more` feeds it until
    the part that is wanted has a piece. So a file of any size passes through without being gathered.
    """

    def __init__(self, content_type: str, chunks: AsyncIterator[bytes]) -> None:
        """Read `chunks` by the boundary in `content_type`.

        Raises:
            InvalidRequest: There is no boundary, or a longer one than the parser takes.
        """
        kind, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if kind == b"multipart/form-data":
            raise InvalidRequest(
                "multipart/form-data is not read here. Send multipart/related: a JSON note, then the file; "
                "or the bytes of the file alone with X-Goog-Upload-Protocol: raw."
            )
        if not kind.startswith(b"multipart/") or not boundary:
            raise InvalidRequest("A multipart upload needs Content-Type: multipart/related; boundary=...")
        self._chunks = chunks
        self._part = 0
        self._ended = False
        self._pieces: deque[tuple[int, bytes]] = deque()
        self._header = b""
        self._value = b""
        self.mime_type = ""
        """The second part's Content-Type, once `metadata` has been read."""
        try:
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
        except FormParserError:
            raise InvalidRequest("The boundary of a multipart upload has at most 256 bytes.") from None

    async def metadata(self) -> bytes:
        """The first part: JSON.

        Raises:
            InvalidRequest: The body is no multipart, or its first part is too long.
        """
        metadata = bytearray()
        while await self._more(part=1):
            metadata += self._pieces.popleft()[1]
            if len(metadata) > MAX_METADATA:
                raise InvalidRequest(
                    f"The first part of a multipart upload has at most {MAX_METADATA} bytes."
                )
        # The second part's headers have been read when its first bytes are here.
        await self._more(part=2)
        return bytes(metadata)

    async def content(self) -> AsyncIterator[bytes]:
        """The second part, after `metadata`.

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
