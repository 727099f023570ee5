"""A picture that is still encoded, wherever it comes from: its bytes, its digest and its header.

    inline      the bytes came with the request; digest and header are worked out when first asked for
    uploaded    digest and header lie in the file's row; the bytes are read when the picture is decoded

So no picture is hashed or parsed twice. Bytes that can be read again are not kept: a prompt may name
thousands of uploaded pictures, and only those that are being decoded are in memory.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

from vidi.domain.prompt import ImageDetail, ImageHeader, ImageSource, MediaResolution
from vidi.images.formats import has_short_header
from vidi.images.header import ImageLimits, check_limits, read_header

_LARGE = 256 << 10
"""A file of more bytes is hashed on a thread; a smaller one takes well under a millisecond."""

_LONG = 16 << 10
"""A file of more bytes may have a header of very many parts: then it is read on a thread. A smaller one
takes three milliseconds at most."""


class PictureSource:
    """One picture of a prompt, on its way to the decoder. For one event loop."""

    def __init__(
        self,
        read: Callable[[], Awaitable[bytes]],
        where: str,
        resolution: ImageDetail = MediaResolution.UNSPECIFIED,
        *,
        stored: int = 0,
        digest: str = "",
        header: ImageHeader | None = None,
    ) -> None:
        """Say where the bytes come from, and what is known of them already.

        Args:
            read: Reads the whole encoded file, anew each time.
            where: Path of the part in the request.
            resolution: The part's own media resolution.
            stored: How many bytes `read` fetches into memory; 0 where they are there already.
            digest: SHA-256 of the file in hex; "" if not known.
            header: The file's header, checked when it came; None if not known.
        """
        self.read = read
        self.where = where
        self.resolution = resolution
        self.stored = stored
        self._digest = digest
        self._header = header
        self._size = 0

    @classmethod
    def inline(cls, image: ImageSource) -> PictureSource:
        """A picture whose bytes are in memory."""

        async def read() -> bytes:
            return image.data

        source = cls(read, image.where, image.resolution)
        source._size = len(image.data)
        return source

    @property
    def has_header(self) -> bool:
        """Whether `header` needs no reading."""
        return self._header is not None

    @property
    def has_quick_digest(self) -> bool:
        """Whether `digest` needs no thread and no disk."""
        return bool(self._digest) or 0 < self._size <= _LARGE

    async def digest(self) -> str:
        """SHA-256 of the encoded file in hex: the same file, the same digest."""
        if not self._digest:
            data = await self.read()
            large = len(data) > _LARGE
            self._digest = await asyncio.to_thread(_sha256, data) if large else _sha256(data)
        return self._digest

    async def header(
        self, limits: ImageLimits, resolution: ImageDetail = MediaResolution.UNSPECIFIED
    ) -> ImageHeader:
        """What the file's header says, with the media resolution in force.

        Raises:
            InvalidImage: As `read_header`.
        """
        if self._header is None:
            data = await self.read()
            read = partial(read_header, data, where=self.where, limits=limits)
            quick = len(data) <= _LONG or has_short_header(data, _LONG)
            self._header = read() if quick else await asyncio.to_thread(read)
        else:
            check_limits(self._header, limits, self.where)
        if self._header.resolution == resolution:
            # Spares a copy, of which a prompt with thousands of pictures would make thousands.
            return self._header
        return replace(self._header, resolution=resolution)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
