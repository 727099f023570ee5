"""The seam to everything that can tell which pixels of a box belong to the thing in it.

A model says where a thing is; a segmenter makes a mask of that. So any model gives masks, and a better
segmenter serves all of them. One in full:

    class WholeBox:
        def mask(self, picture: Picture, box: Box, label: str) -> MaskImage:
            return MaskImage(1, 1, bytes([255]))

        def close(self) -> None:
            pass

    def open_segmenter(context: EngineContext) -> Segmenter:
        return WholeBox()

It is published as an entry point of the group `vidi.segmenters`, and chosen by that name (`VIDI_SEGMENTER`);
`engines/registry.py` looks it up:

    [project.entry-points."vidi.segmenters"]
    whole-box = "whole_box:open_segmenter"
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pkgutil import resolve_name
from typing import Protocol, TypeVar

from vidi.domain.geometry import Box, MaskImage
from vidi.domain.prompt import Picture


class Segmenter(Protocol):
    """Makes masks. Methods may be called from any thread, several at the same time."""

    def mask(self, picture: Picture, box: Box, label: str) -> MaskImage:
        """The thing in a box, in milliseconds: an answer may hold thousands.

        Args:
            picture: As the model got it.
            box: Where the thing lies, on the caller's upright image; it has an area and lies within.
            label: What the model calls it; "" if it does not say.
        """
        ...

    def close(self) -> None:
        """Free what it holds. Called once, when no mask is being made."""
        ...


class OpenedLate:
    """A segmenter that is opened for the first mask: most servers never make one, and it loads much."""

    def __init__(self, opener: str, context: object) -> None:
        """Take where it lies, as module:function, and what that function gets."""
        self._opener = opener
        self._context = context

    @cached_property
    def opened(self) -> Segmenter:
        """The segmenter itself."""
        opener: Callable[[object], Segmenter] = resolve_name(self._opener)
        return opener(self._context)

    def mask(self, picture: Picture, box: Box, label: str) -> MaskImage:
        """As it does."""
        return self.opened.mask(picture, box, label)

    def close(self) -> None:
        """Close it, if it was opened."""
        if "opened" in self.__dict__:
            self.opened.close()


def open_colour(context: object) -> Segmenter:
    """The built-in segmenter, for the first mask."""
    return OpenedLate("vidi.engines.colour_segmenter:open_segmenter", context)


Result = TypeVar("Result")


class SegmenterThreads:
    """A segmenter with threads of its own, so that masks hold up neither the event loop nor other work."""

    def __init__(self, segmenter: Segmenter, threads: int) -> None:
        """Take charge of a segmenter; at most `threads` calls work with it at the same time."""
        self.segmenter = segmenter
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="masks")

    async def run(self, call: Callable[[], Result]) -> Result:
        """Do something that makes masks. A call that waits is dropped when its caller is cancelled."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    def close(self) -> None:
        """End what runs, and then the segmenter."""
        self._threads.shutdown(cancel_futures=True)
        self.segmenter.close()
