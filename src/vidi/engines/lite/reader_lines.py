"""Finds the lines of text in a picture: a network that marks them, looked at in bands to save memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from vidi.engines.lite.reader_regions import regions
from vidi.engines.lite.weights_network import Floats, Network

_LEAST_PIXELS = 800_000
_LARGEST_GROWTH = 2.0
"""A smaller picture is enlarged to so many pixels, but not more than so many times."""

_MOST_PIXELS = 4_200_000
_BAND_PIXELS = 500_000
"""A band of so many pixels takes 130 MB while it is looked at."""

_OVERLAP = 64
_MULTIPLE = 32

_TOLD = 0.4
"""How much of a rectangle's growth is taken back where it is told: letters seldom fill it."""


@dataclass(frozen=True, slots=True)
class Line:
    """Where a line of text is; lengths in pixels of the picture.

    Attributes:
        corners: Left top, right top, right bottom, left bottom of the strip to read: (4, 2) of x and y.
        box: x0, y0, x1, y1 of the letters.
    """

    corners: Floats
    box: Floats


class Lines:
    """The network, ready to run; may be used from several threads."""

    def __init__(self, model: Path, threads: int) -> None:
        """Load the model; one run may keep `threads` cores busy."""
        self._network = Network(model, threads, hoard=False)

    def find(self, image: Image.Image) -> list[Line]:
        """The lines, in no particular order."""
        columns, rows = _size(image.width, image.height)
        probability = self._marked(image.resize((columns, rows), Image.Resampling.BILINEAR))
        scale = np.array([image.width / columns, image.height / rows], np.float32)
        lines = []
        for region in regions(probability):
            told = region.corners(region.growth * _TOLD) * scale
            lines.append(Line(region.corners() * scale, np.concatenate([told.min(axis=0), told.max(axis=0)])))
        return lines

    def _marked(self, image: Image.Image) -> Floats:
        """How sure the network is that each pixel is in a line, (rows, columns): the surest of two bands."""
        marked = np.zeros((image.height, image.width), np.float32)
        for band in _bands(image.width, image.height):
            left, top, right, bottom = band
            pixels = np.asarray(image.crop(band), np.float32) / 127.5 - 1
            # The network was trained on blue, green, red.
            tensor = np.ascontiguousarray(pixels[:, :, ::-1].transpose(2, 0, 1)[None])
            part = marked[top:bottom, left:right]
            np.maximum(part, self._network.run(tensor)[0][0, 0], out=part)
        return marked


def _size(width: int, height: int) -> tuple[int, int]:
    """The size at which a picture is looked at: sides that the network takes, within the limits."""
    pixels = width * height
    scale = min(_LARGEST_GROWTH, max(1.0, (_LEAST_PIXELS / pixels) ** 0.5))
    short = _rounded(min(width, height) * scale)
    long = min(_rounded(max(width, height) * scale), _rounded(_MOST_PIXELS / short))
    return (long, short) if width > height else (short, long)


def _rounded(side: float) -> int:
    return max(1, round(side / _MULTIPLE)) * _MULTIPLE


def _bands(width: int, height: int) -> Iterator[tuple[int, int, int, int]]:
    """Left, top, right and bottom of bands that cut the long side and overlap."""
    short, long = sorted((width, height))
    extent = max(4 * _OVERLAP, _BAND_PIXELS // short // _MULTIPLE * _MULTIPLE)
    start, end = 0, 0
    while end < long:
        end = min(long, start + extent)
        yield (start, 0, end, height) if width > height else (0, start, width, end)
        start = end - _OVERLAP
