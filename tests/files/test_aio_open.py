from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.files.file_server import ME, sha256
from vidi.domain.errors import Unavailable
from vidi.files.aio import AsyncFiles, open_files
from vidi.files.metadata import UploadRequest
from vidi.files.store import FileLimits
from vidi.files.uploads import trust_label
from vidi.storage.threads import StorageThreads


@contextmanager
def opened(directory: Path) -> Iterator[AsyncFiles]:
    threads = StorageThreads()
    with open_files(directory, FileLimits(), threads, inspect=trust_label) as files:
        yield files
    threads.close()


def send(files: AsyncFiles, data: bytes) -> str:
    upload = files.uploads.start(UploadRequest(ME, length=len(data))).upload_id
    files.uploads.write_block(upload, 0, data)
    return upload


def test_open_files_finds_files_and_uploads_again(tmp_path: Path) -> None:
    with opened(tmp_path) as files:
        file = files.uploads.finalize(send(files, b"whole")).file
        upload = send(files, b"half")
    assert file is not None
    with opened(tmp_path) as files:
        assert files.service.page(ME).files == (file,)
        with files.service.lease(ME, file.id) as lease:
            assert sha256(lease.read()) == file.sha256
        assert files.uploads.query(upload).received == 4
        assert files.uploads.finalize(upload).file is not None


def test_open_files_removes_leftovers(tmp_path: Path) -> None:
    with opened(tmp_path):
        pass
    (tmp_path / "parts" / "torn").write_bytes(b"x" * 1000)
    (tmp_path / "blobs" / "orphan").write_bytes(b"x" * 1000)
    with opened(tmp_path):
        assert list((tmp_path / "parts").iterdir()) == []
        assert list((tmp_path / "blobs").iterdir()) == []


def test_open_files_refuses_a_second_server(tmp_path: Path) -> None:
    with opened(tmp_path), pytest.raises(Unavailable), opened(tmp_path):
        pass
