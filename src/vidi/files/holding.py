"""Uploaded pictures that a request names, held until it is over even if somebody deletes them meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from vidi.domain.errors import InvalidImage, VidiError
from vidi.domain.prompt import Ask, Conversation, FileReference, ImageSource, MediaResolution
from vidi.files.catalogue import Lease
from vidi.files.desk import Desk

LARGEST_PICTURE_FILE = 100_000_000
"""Most bytes of an uploaded file that is used as a picture: as many as an inline request may have."""


@dataclass(frozen=True, slots=True)
class Held:
    """An uploaded picture that cannot go away."""

    lease: Lease
    where: str
    resolution: MediaResolution


Source = ImageSource | Held
"""A picture whose bytes can be had."""

Asked = Ask[Source]
"""A conversation whose files are held."""


@asynccontextmanager
async def hold(desk: Desk, conversation: Conversation, owner: str) -> AsyncIterator[Asked]:
    """Hold every file that a conversation names, until the block is left.

    Raises:
        PermissionDenied: A file is unknown, expired, deleted or not the owner's; names the part.
        InvalidImage: A file is too large for a picture; names the part.
    """
    references = [image for image in conversation.images() if isinstance(image, FileReference)]
    leases = await desk.run(_lease_all, desk, references, owner) if references else []
    held = iter(leases)
    try:
        yield conversation.with_images(
            Held(next(held), image.where, image.resolution) if isinstance(image, FileReference) else image
            for image in conversation.images()
        )
    finally:
        for lease in leases:
            lease.close()


async def load(desk: Desk, source: Source) -> ImageSource:
    """The bytes of a picture; a file's are read anew each time, so that few are in memory at once."""
    if isinstance(source, ImageSource):
        return source
    return ImageSource(await desk.run(source.lease.read), source.where, source.resolution)


def _lease_all(desk: Desk, references: Sequence[FileReference], owner: str) -> list[Lease]:
    leases: list[Lease] = []
    for reference in references:
        try:
            leases.append(desk.library.files.lease(owner, reference.uri))
            _refuse_huge(leases[-1], reference.where)
        except VidiError as error:
            for lease in leases:
                lease.close()
            error.where = reference.where
            raise
    return leases


def _refuse_huge(lease: Lease, where: str) -> None:
    size = lease.file.size_bytes
    if size > LARGEST_PICTURE_FILE:
        raise InvalidImage(
            f"The File {lease.file.id} has {size} bytes; a picture may have {LARGEST_PICTURE_FILE}.",
            where=where,
        )
