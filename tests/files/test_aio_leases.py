"""Files that a prompt names: leased while it runs, refused by name, let go afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.files.shelf import ME, YOU, Shelf
from vidi.domain.errors import InvalidImage, PermissionDenied
from vidi.domain.prompt import Conversation, FileReference, ImageSource, Request, Role, Turn
from vidi.files import aio
from vidi.files.aio import AsyncFiles, LeasedImage, lease_files

CONTENT = b"\x89PNG and so on"


def _naming(*images: FileReference | ImageSource) -> Conversation:
    return Request(turns=(Turn(Role.USER, ("Look:", *images)),))


def _on_desk(shelf: Shelf, work: Callable[[AsyncFiles], Awaitable[None]]) -> None:
    async def run() -> None:
        desk = AsyncFiles(shelf.library, threads=2)
        try:
            await work(desk)
        finally:
            desk.close()

    asyncio.run(run())


def test_a_file_that_is_deleted_meanwhile_can_still_be_read() -> None:
    shelf = Shelf()
    file = shelf.add(CONTENT)
    inline = ImageSource(b"inline", "contents[0].parts[2].inline_data")

    async def work(desk: AsyncFiles) -> None:
        named = FileReference(f"files/{file.id}", "contents[0].parts[1].file_data")
        async with lease_files(desk, _naming(named, inline), ME) as leased:
            shelf.library.files.delete(ME, file.id)
            first, second = leased.images()
            assert isinstance(first, LeasedImage)
            assert (await first.read(), first.where) == (CONTENT, named.where)
            assert second is inline
        with pytest.raises(PermissionDenied):
            async with lease_files(desk, _naming(named), ME):
                pass

    _on_desk(shelf, work)


def test_a_file_of_somebody_else_is_refused_and_the_part_is_named() -> None:
    shelf = Shelf()
    mine, theirs = shelf.add(CONTENT), shelf.add(CONTENT)

    async def work(desk: AsyncFiles) -> None:
        first = FileReference(f"files/{mine.id}", "contents[0].parts[0].file_data")
        second = FileReference("files/zzzzzzzzzzzz", "contents[0].parts[1].file_data")
        with pytest.raises(PermissionDenied) as refused:
            async with lease_files(desk, _naming(first, second), ME):
                pass
        assert refused.value.where == second.where
        with pytest.raises(PermissionDenied):
            async with lease_files(desk, _naming(FileReference(f"files/{theirs.id}", "here")), YOU):
                pass

    _on_desk(shelf, work)


def test_a_file_that_is_too_large_for_a_picture_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aio, "LARGEST_PICTURE_FILE", len(CONTENT) - 1)
    shelf = Shelf()
    file = shelf.add(CONTENT)

    async def work(desk: AsyncFiles) -> None:
        with pytest.raises(InvalidImage, match=f"{len(CONTENT)} bytes") as refused:
            async with lease_files(desk, _naming(FileReference(f"files/{file.id}", "here")), ME):
                pass
        assert refused.value.where == "here"

    _on_desk(shelf, work)
