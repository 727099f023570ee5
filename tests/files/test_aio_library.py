from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.files.shelf import ME, sha256
from vidi.domain.errors import Unavailable
from vidi.files.aio import Library, open_library
from vidi.files.metadata import UploadRequest
from vidi.files.store import FileLimits
from vidi.files.uploads import trust_label
from vidi.storage.clock import utc_now


def opened(directory: Path) -> AbstractContextManager[Library]:
    return open_library(directory, FileLimits(), inspect=trust_label)


def send(library: Library, data: bytes) -> str:
    upload = library.uploads.start(UploadRequest(ME, length=len(data))).upload_id
    library.uploads.append(upload, 0, data)
    return upload


def test_files_and_uploads_outlive_the_server(tmp_path: Path) -> None:
    with opened(tmp_path) as library:
        file = library.uploads.finalize(send(library, b"whole")).file
        upload = send(library, b"half")
    assert file is not None
    with opened(tmp_path) as library:
        assert library.files.page(ME).files == (file,)
        with library.files.lease(ME, file.id) as lease:
            assert sha256(lease.read()) == file.sha256
        assert library.uploads.query(upload).received == 4
        assert library.uploads.finalize(upload).file is not None


def test_leftovers_go_at_the_start(tmp_path: Path) -> None:
    with opened(tmp_path):
        pass
    (tmp_path / "parts" / "torn").write_bytes(b"x" * 1000)
    (tmp_path / "blobs" / "orphan").write_bytes(b"x" * 1000)
    with opened(tmp_path):
        assert list((tmp_path / "parts").iterdir()) == []
        assert list((tmp_path / "blobs").iterdir()) == []


def test_one_server_a_directory(tmp_path: Path) -> None:
    with opened(tmp_path), pytest.raises(Unavailable), opened(tmp_path):
        pass


def test_the_clock_knows_its_zone() -> None:
    assert utc_now().utcoffset() is not None
