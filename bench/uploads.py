"""How fast and how small uploads, look-ups of files and prompts with uploaded pictures are.

Takes minutes, and 7 GB in the folder for temporary files (TMPDIR); a scale of 0.01 is a quick look.
"""

from __future__ import annotations

import http.client
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np

from bench import pictures
from bench.memory import settled, watching
from bench.servers import GENERATE, Broken, Connection, Server, post, vidi
from bench.speed import medians, versus
from bench.table import Row, Target
from vidi.files.local import open_local
from vidi.files.store import Phase, Session, StoredFile
from vidi.storage.sql import connect

LARGE_BYTES = 2_000_000_000
CHUNK_BYTES = 8 << 20
AT_ONCE = 8
ROUNDS = 3
ROWS = 100_000
LOOK_UPS = 300
PAGES = 60
PICTURES = 3600
PROMPT_ROUNDS = 15


class Uploader:
    """One connection that uploads as the SDKs do: a start, then chunks."""

    def __init__(self, server: Server) -> None:
        """Connect."""
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=600)

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def upload(self, file: Path, mime_type: str = "application/octet-stream") -> str:
        """Upload a file of the disk; returns its name."""
        size = file.stat().st_size
        url = self._start(size, mime_type)
        with file.open("rb") as reader:
            offset = 0
            while True:
                chunk = reader.read(CHUNK_BYTES)
                last = offset + len(chunk) >= size
                answer = self._chunk(url, "upload, finalize" if last else "upload", offset, chunk)
                offset += len(chunk)
                if last:
                    return str(json.loads(answer)["file"]["name"])

    def delete(self, name: str) -> None:
        """Delete a file."""
        self._ask("DELETE", f"/v1beta/{name}", b"", {})

    def _start(self, size: int, mime_type: str) -> str:
        headers = {
            "x-goog-upload-command": "start",
            "x-goog-upload-header-content-length": str(size),
            "x-goog-upload-header-content-type": mime_type,
        }
        told, _ = self._ask("POST", "/upload/v1beta/files", b"", headers)
        return told["x-goog-upload-url"]

    def _chunk(self, url: str, command: str, offset: int, chunk: bytes) -> bytes:
        headers = {"x-goog-upload-command": command, "x-goog-upload-offset": str(offset)}
        return self._ask("POST", url, chunk, headers)[1]

    def _ask(
        self, method: str, url: str, body: bytes, headers: dict[str, str]
    ) -> tuple[http.client.HTTPMessage, bytes]:
        self._connection.request(method, url, body, headers)
        reply = self._connection.getresponse()
        content = reply.read()
        if reply.status != http.client.OK:
            raise Broken(f"{method} was refused: {content[:600].decode(errors='replace')}")
        return reply.headers, content


def upload_all(server: Server, files: Sequence[Path], mime_type: str = "", at_once: int = 1) -> list[str]:
    """Upload files, so many at the same time; returns their names, in order."""
    uploaders = [Uploader(server) for _ in range(at_once)]

    def lane(index: int) -> list[str]:
        return [uploaders[index].upload(file, mime_type) for file in files[index::at_once]]

    with ThreadPoolExecutor(at_once) as threads:
        lanes = list(threads.map(lane, range(at_once)))
    for uploader in uploaders:
        uploader.close()
    return [lanes[index % at_once][index // at_once] for index in range(len(files))]


def delete_all(server: Server, names: Sequence[str]) -> None:
    """Delete files."""
    uploader = Uploader(server)
    for name in names:
        uploader.delete(name)
    uploader.close()


def large_files(folder: Path, scale: float) -> Iterator[Row]:
    """A large upload against `cp` and `sha256sum` of the same file, and eight small ones at once."""
    size = max(CHUNK_BYTES, round(LARGE_BYTES * scale))
    whole = _random_file(folder / "whole", size)
    parts = [_random_file(folder / f"part{index}", size // AT_ONCE) for index in range(AT_ONCE)]
    name = f"{size / 1e6:,.0f} MB upload in 8 MiB chunks"
    with vidi("echo", folder / "data") as server:
        idle = settled(server)
        with watching(server) as peak:
            delete_all(server, upload_all(server, [whole]))
        yield Row(f"{name}: peak above idle", peak.size - idle, most=32, unit="MB")
        with watching(server) as peak:
            delete_all(server, upload_all(server, parts, at_once=AT_ONCE))
        yield Row(f"  as {AT_ONCE} files at once", peak.size - idle, unit="MB")
        alone, copied, parallel = _in_turns(
            server,
            partial(upload_all, server, [whole]),
            partial(_copy_and_hash, whole, folder / "copy"),
            partial(upload_all, server, parts, at_once=AT_ONCE),
        )
        yield Row(name, alone, copied, "cp, then sha256sum", Target.RATIO, 2.0, "s")
        yield Row(f"  as {AT_ONCE} files at once", parallel, alone, "as one", Target.RATIO, 1.25, "s")


def many_rows(folder: Path, scale: float) -> Iterator[Row]:
    """Look-ups and pages among very many files, through HTTP."""
    count = max(200, round(ROWS * scale))
    names = _fill(folder, count)
    chosen = random.Random(0)
    began = time.perf_counter()
    with vidi("echo", folder) as server, Connection(server) as connection:
        yield Row(f"{count:,} files: start, with sweep", time.perf_counter() - began, unit="s")
        (one,) = medians(LOOK_UPS, lambda: connection.ask(_get(f"/v1beta/files/{chosen.choice(names)}")))
        yield Row(f"{count:,} files: get", one, most=2)
        token = ""

        def page() -> None:
            nonlocal token
            body = json.loads(connection.ask(_get(f"/v1beta/files?pageSize=100&pageToken={token}")))
            if len(body["files"]) != 100:
                raise Broken("a page is not full")
            token = body.get("nextPageToken", "")

        (many,) = medians(min(PAGES, count // 100 - 1), page)
        yield Row(f"{count:,} files: a page of 100", many, most=10)


def prompts(folder: Path, scale: float) -> Iterator[Row]:
    """Prompts that name files: one large one against the same bytes inline, and very many small ones."""
    with vidi("echo", folder / "data") as server:
        picture = folder / "picture.jpg"
        picture.write_bytes(pictures.jpeg(3300, 2500, noise=24, quality=92, subsampling=0))
        names = upload_all(server, [picture], "image/jpeg")
        inline = post(GENERATE, pictures.request([picture.read_bytes()]))
        named = post(GENERATE, _naming(names))
        with Connection(server) as first, Connection(server) as second:
            times = versus(PROMPT_ROUNDS, lambda: first.ask(named), lambda: second.ask(inline))
        name = f"a prompt that names a {picture.stat().st_size / 1e6:.0f} MB file"
        yield Row(name, *times, "the same bytes inline", Target.RATIO, 1.0)
        count = max(60, round(PICTURES * scale))
        different = [pictures.jpeg(1000, 750, noise=11, quality=89, seed=seed) for seed in range(60)]
        small = [folder / f"{index}.jpg" for index in range(count)]
        for index, file in enumerate(small):
            file.write_bytes(pictures.stamped(different[index % 60], index))
        began = time.perf_counter()
        names = upload_all(server, small, "image/jpeg", at_once=AT_ONCE)
        size = f"{small[0].stat().st_size / 1e3:.0f} kB"
        took = (time.perf_counter() - began) * 1000
        yield Row(f"an upload of {size}, {AT_ONCE} at once", took / count)
        began = time.perf_counter()
        with watching(server) as peak, Connection(server) as connection:
            connection.ask(post(GENERATE, _naming(names)))
        name = f"a prompt that names {count:,} pictures of {size}"
        yield Row(name, time.perf_counter() - began, unit="s")
        yield Row("  peak memory of all processes", peak.size, most=1500, unit="MB")


def _in_turns(server: Server, *actions: Callable[[], list[str]]) -> list[float]:
    """Medians in seconds; what an action uploaded is deleted, and the disk is quiet before the next."""
    times: list[list[float]] = [[] for _ in actions]
    for _ in range(ROUNDS):
        for action, own in zip(actions, times, strict=True):
            subprocess.run(["sync"], check=True)
            began = time.perf_counter()
            names = action()
            own.append(time.perf_counter() - began)
            delete_all(server, names)
    return [float(np.median(own)) for own in times]


def _copy_and_hash(source: Path, target: Path) -> list[str]:
    subprocess.run(["cp", source, target], check=True)
    subprocess.run(["sha256sum", target], check=True, stdout=subprocess.DEVNULL)
    target.unlink()
    return []


def _random_file(path: Path, size: int) -> Path:
    generator = np.random.default_rng(size)
    with path.open("wb") as writer:
        for at in range(0, size, CHUNK_BYTES):
            writer.write(generator.bytes(min(CHUNK_BYTES, size - at)))
    return path


def _fill(folder: Path, count: int) -> list[str]:
    """Make so many empty files in a data directory that no server uses; returns their ids.

    One is made by the index; the others are copies of its row, made at once.
    """
    now = datetime.now(UTC)
    end = now + timedelta(hours=48)
    first = StoredFile("f0", "", "b0", "a picture of a ball", "image/jpeg", 0, "0" * 64, now, now, end)
    session = Session("s", "", "b0", "", "", "", 0, now, Phase.ACTIVE)
    with open_local(folder) as storage:
        storage.index.start(session)
        for number in range(count):
            storage.blobs.create(f"b{number}")
        storage.index.finish("s", first)
    database = connect(folder / "index.sqlite3")
    columns = [str(row["name"]) for row in database.execute("PRAGMA table_info(files)")]
    changed = {"id": "'f' || n", "blob": "'b' || n", "created": "created - n * 1000"}
    selected = ", ".join(changed.get(column, column) for column in columns)
    database.execute(
        f"WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count - 1}) "
        f"INSERT INTO files SELECT {selected} FROM files, numbers WHERE id = 'f0'"
    )
    database.close()
    return [f"f{number}" for number in range(count)]


def _get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode()


def _naming(names: Sequence[str]) -> bytes:
    """A GenerateContentRequest that names uploaded JPEGs before a prompt."""
    parts: list[object] = [{"fileData": {"mimeType": "image/jpeg", "fileUri": name}} for name in names]
    return json.dumps({"contents": [{"role": "user", "parts": [*parts, {"text": pictures.PROMPT}]}]}).encode()


SECTIONS: Sequence[Callable[[Path, float], Iterator[Row]]] = (large_files, many_rows, prompts)


def run(scale: float = 1.0) -> Iterator[Row]:
    """Every figure, of sizes and counts times `scale`. Raises Broken if something does not work."""
    for section in SECTIONS:
        print(f"{section.__name__.replace('_', ' ')} ...", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory() as folder:
            yield from section(Path(folder), scale)
