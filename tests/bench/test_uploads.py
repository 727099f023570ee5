import json
from pathlib import Path

import pytest

from bench import uploads
from bench.servers import Connection, vidi


@pytest.mark.slow
def test_files_go_over_several_connections_and_come_back_in_order(tmp_path: Path) -> None:
    files = [tmp_path / str(size) for size in (0, 1, 70_000, 5, 3, uploads.CHUNK_BYTES + 1)]
    for file in files:
        file.write_bytes(bytes(int(file.name)))
    with vidi("echo", tmp_path / "data") as server:
        names = uploads.upload_all(server, files, "text/plain", at_once=4)
        with Connection(server) as connection:
            sizes = [
                json.loads(
                    connection.ask(f"GET /v1beta/{name} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
                )["sizeBytes"]
                for name in names
            ]
            assert sizes == [file.name for file in files]
            uploads.delete_all(server, names)
            assert connection.ask(b"GET /v1beta/files HTTP/1.1\r\nhost: localhost\r\n\r\n") == b"{}"


@pytest.mark.slow
def test_every_row_that_is_made_is_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "LOOK_UPS", 5)
    start, get, page = uploads.many_rows(tmp_path, 0.0)
    assert start.figure.startswith("200 files")
    assert get.ours > 0
    assert page.ours > 0
