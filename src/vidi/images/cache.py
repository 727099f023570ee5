"""Prepared pictures that may be asked about again, so that none is decoded twice.

A key says everything that a picture's pixels depend on: the digest of the encoded file and what it was
fitted to. Equal keys mean equal pixels, so nothing in here can be stale or somebody else's.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

from vidi.domain.prompt import Picture

_LARGEST_PART = 4
"""A picture over this part of the room is not kept: it would put out everything else."""


class PictureCache:
    """Pictures by key, the least recently used put out first. For one thread."""

    def __init__(self, room: int) -> None:
        """Keep at most `room` bytes of pixels; 0 keeps nothing."""
        self._room = room
        self._used = 0
        self._pictures: OrderedDict[Hashable, Picture] = OrderedDict()

    @property
    def used(self) -> int:
        """Bytes of pixels that are kept now."""
        return self._used

    def get(self, key: Hashable) -> Picture | None:
        """The picture that was kept under this key, if it still is."""
        picture = self._pictures.get(key)
        if picture is not None:
            self._pictures.move_to_end(key)
        return picture

    def put(self, key: Hashable, picture: Picture) -> None:
        """Keep a picture, unless it is too large, and put out others until there is room for it."""
        size = len(picture.rgb)
        if size * _LARGEST_PART > self._room:
            return
        self._forget(key)
        self._pictures[key] = picture
        self._used += size
        while self._used > self._room:
            self._forget(next(iter(self._pictures)))

    def _forget(self, key: Hashable) -> None:
        picture = self._pictures.pop(key, None)
        if picture is not None:
            self._used -= len(picture.rgb)
