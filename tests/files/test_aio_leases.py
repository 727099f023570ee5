"""Files that a prompt names: held while it runs, refused by name, let go afterwards."""

from __future__ import annotations

import pytest

from tests.files.file_server import ME, YOU, FileServer
from vidi.domain.errors import InvalidImage, PermissionDenied
from vidi.domain.prompt import Conversation, FileReference, ImageSource, Request, Role, Turn
from vidi.files import aio
from vidi.files.aio import AsyncFiles, LeasedImage, lease_files

CONTENT = b"\x89PNG and so on"


def _naming(*images: FileReference | ImageSource) -> Conversation:
    return Request(turns=(Turn(Role.USER, ("Look:", *images)),))


def test_a_leased_file_deleted_meanwhile_can_be_read() -> None:
    server = FileServer()
    file = server.add(CONTENT)
    inline = ImageSource(b"inline", "contents[0].parts[2].inline_data")

    async def work(files: AsyncFiles) -> None:
        named = FileReference(f"files/{file.id}", "contents[0].parts[1].file_data")
        async with lease_files(files, _naming(named, inline), ME) as leased:
            server.files.delete(ME, file.id)
            first, second = leased.images()
            assert isinstance(first, LeasedImage)
            assert (await first.read(), first.where) == (CONTENT, named.where)
            assert second is inline
        with pytest.raises(PermissionDenied):
            async with lease_files(files, _naming(named), ME):
                pass

    server.run(work)


def test_lease_files_of_another_owner_names_the_part() -> None:
    server = FileServer()
    mine, theirs = server.add(CONTENT), server.add(CONTENT)

    async def work(files: AsyncFiles) -> None:
        first = FileReference(f"files/{mine.id}", "contents[0].parts[0].file_data")
        second = FileReference("files/zzzzzzzzzzzz", "contents[0].parts[1].file_data")
        with pytest.raises(PermissionDenied) as refused:
            async with lease_files(files, _naming(first, second), ME):
                pass
        assert refused.value.where == second.where
        with pytest.raises(PermissionDenied):
            async with lease_files(files, _naming(FileReference(f"files/{theirs.id}", "here")), YOU):
                pass

    server.run(work)


def test_lease_files_refuses_a_file_too_large_for_a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aio, "LARGEST_PICTURE_FILE", len(CONTENT) - 1)
    server = FileServer()
    file = server.add(CONTENT)

    async def work(files: AsyncFiles) -> None:
        with pytest.raises(InvalidImage, match=f"{len(CONTENT)} bytes") as refused:
            async with lease_files(files, _naming(FileReference(f"files/{file.id}", "here")), ME):
                pass
        assert refused.value.where == "here"

    server.run(work)
