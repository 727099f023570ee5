"""The built-in segmenter: which pixels of a box differ in colour from what lies around it.

Of each place of the box it is known

- how far it is from the middle: things fill the middle of their boxes;
- whether its colour is more frequent in the middle than around the box, at three sizes of its surroundings;
- how much change of colour lies on the way to it from outside of the box, beside that from its middle.

A logistic regression over these seven numbers gives the mask. It is rough, and says nothing about where one
thing ends and another of its colour begins; `docs/segmentation.md` tells how good it is. It needs no weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vidi.domain.geometry import Box, MaskImage
from vidi.domain.prompt import Picture
from vidi.engines.base import EngineContext
from vidi.engines.segmenter import Segmenter

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]

SIDE = 48
"""Rows and columns of a mask."""

MARGIN = SIDE // 4
"""Rows and columns around the box that are looked at too, a quarter of it on each side."""

_WHOLE = SIDE + 2 * MARGIN

WEIGHTS: Final[Floats] = np.array(
    (2.4752, -0.9658, 0.2493, 1.5786, -1.2268, 0.3559, 3.5926, -4.0347), np.float32
)
"""Of the seven numbers, and the constant. `python -m bench quality --inside` fits and judges them."""

_BINS = 12
"""Steps of each of the three axes of colour."""

_LIGHT_SPAN, _TINT_SPAN = 100.0, 120.0
"""What the steps divide: lightness 0..100, the two tints -60..60."""

_LONGEST_RATIO = 4.0
"""Logarithms of ratios are cut to it: a colour that was met once proves little."""

_RARE = 1.5 / _BINS**3
"""Share that a colour has everywhere, so that one that was never met decides nothing."""

_BLURS = (1, 3, 6)
"""Cells to each side that count as a place's surroundings; the wider ones are smoothed twice."""

_SAMPLES = 2
"""Pixels of a cell along each side that are looked at, at least, where it has so many."""

_STEP = 0.5
"""What a step costs beside the change of colour: the way is not free on an even ground."""

_ROUNDS = 2
"""How often the ways are followed along rows and columns; more change nothing that can be seen."""


def _axis() -> Floats:
    """Middles of the cells, -1..1 from edge to edge of the box."""
    return ((np.arange(_WHOLE, dtype=np.float32) - MARGIN + 0.5) / SIDE * 2 - 1).astype(np.float32)


def _radius(power: float) -> Floats:
    """Distance from the middle in a rounded box, 1 at the edges' middles; an ellipse for a power of 2."""
    own = np.abs(_axis()) ** power
    return np.asarray((own[:, None] + own[None, :]) ** (1 / power), np.float32)


_ELLIPSE, _ROUNDED = _radius(2), _radius(2.5)
_MIDDLE: Flags = _ELLIPSE < 1
_CORE: Flags = _ELLIPSE < 0.25
_AROUND: Flags = _ROUNDED > 1.1
_OUTSIDE: Flags = _radius(8) > 1.12
_IN_BOX = (slice(MARGIN, MARGIN + SIDE),) * 2

_LINEAR = (lambda part: np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4))(
    np.arange(256) / 255
).astype(np.float32)
_TO_XYZ = (
    np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    / np.array([[0.9505], [1.0], [1.089]])
).astype(np.float32)


class ColourSegmenter:
    """Makes masks by colour and place."""

    def mask(self, picture: Picture, box: Box, label: str) -> MaskImage:
        """As `Segmenter.mask`; the label says nothing to it. A box under two pixels is its thing."""
        del label
        found = features(picture, box)
        if found is None:
            return MaskImage(1, 1, bytes([255]))
        return likely(found, WEIGHTS)

    def close(self) -> None:
        """It holds nothing."""


def open_segmenter(context: EngineContext) -> Segmenter:
    """Open the built-in segmenter; it needs nothing."""
    del context
    return ColourSegmenter()


def likely(numbers: Floats, weights: Floats) -> MaskImage:
    """The mask of a box by the numbers of its places and their weights, the constant last."""
    chance = 1 / (1 + np.exp(-np.clip(numbers @ weights[:-1] + weights[-1], -30, 30)))
    return MaskImage(SIDE, SIDE, np.rint(chance * 255).astype(np.uint8).tobytes())


def features(picture: Picture, box: Box) -> Floats | None:
    """The seven numbers of each place, of shape (SIDE, SIDE, 7); None for a box under two pixels a side."""
    x0, y0, x1, y1 = picture.placement.pixels(box)
    if min(x1 - x0, y1 - y0) < 2:
        return None
    colours, seen = _surroundings(picture, (x0, y0, x1, y1))
    ratio = _log_ratio(colours, middle=_MIDDLE & seen, around=_AROUND & seen)
    from_outside, from_core = _ways(colours, (_OUTSIDE & seen, _CORE))
    numbers = (
        _ELLIPSE,
        _ROUNDED**4,
        *(_blurred(ratio if cells == _BLURS[0] else _blurred(ratio, cells), cells) for cells in _BLURS),
        np.log1p(from_outside),
        from_outside / (from_outside + from_core + np.float32(1e-3)),
    )
    return np.stack([each[_IN_BOX] for each in numbers], axis=-1)


def _surroundings(picture: Picture, corners: tuple[float, float, float, float]) -> tuple[Floats, Flags]:
    """The box with its margin in Lab, of shape (_WHOLE, _WHOLE, 3), and which of it lies in the image."""
    placement = picture.placement
    left, right, columns = _stretch(*corners[0::2], placement.left, placement.left + placement.width)
    top, bottom, rows = _stretch(*corners[1::2], placement.top, placement.top + placement.height)
    whole = np.frombuffer(picture.rgb, np.uint8).reshape(picture.height, picture.width, 3)
    # Of what is far larger than the mask every other pixel, or fewer, will do.
    every = max(1, int(min((right - left) / _WHOLE, (bottom - top) / _WHOLE) / _SAMPLES))
    x, y = int(left), int(top)
    part = np.ascontiguousarray(whole[y : int(np.ceil(bottom)) : every, x : int(np.ceil(right)) : every])
    size = (columns.stop - columns.start, rows.stop - rows.start)
    box = (
        (left - x) / every,
        (top - y) / every,
        min(part.shape[1], (right - x) / every),
        min(part.shape[0], (bottom - y) / every),
    )
    pixels = np.zeros((_WHOLE, _WHOLE, 3), np.uint8)
    pixels[rows, columns] = np.asarray(Image.fromarray(part).resize(size, Image.Resampling.BOX, box=box))
    seen = np.zeros((_WHOLE, _WHOLE), np.bool_)
    seen[rows, columns] = True
    return _lab(pixels), seen


def _stretch(near: float, far: float, start: float, end: float) -> tuple[float, float, slice]:
    """One side of a box with its margins, cut to the image, and the cells that this takes."""
    margin = (far - near) * MARGIN / SIDE
    first, cell = near - margin, (far - near) / SIDE
    low, high = max(start, first), min(end, far + margin)
    return low, high, slice(round((low - first) / cell), round((high - first) / cell))


def _lab(pixels: NDArray[np.uint8]) -> Floats:
    """sRGB as CIE Lab under daylight, without its straight part near black."""
    x, y, z = np.moveaxis(np.cbrt(_LINEAR[pixels] @ _TO_XYZ.T), -1, 0)
    return np.asarray(np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1), np.float32)


def _log_ratio(colours: Floats, *, middle: Flags, around: Flags) -> Floats:
    """How much more frequent each place's colour is in the middle than around, as a logarithm."""
    shifted = colours / (_LIGHT_SPAN, _TINT_SPAN, _TINT_SPAN) + (0, 0.5, 0.5)
    steps = np.clip((shifted * _BINS).astype(np.int64), 0, _BINS - 1)
    index = (steps[..., 0] * _BINS + steps[..., 1]) * _BINS + steps[..., 2]
    own, other = _shares(index, middle), _shares(index, around)
    ratio = np.log((own + _RARE) / (other + _RARE))[index]
    return np.asarray(np.clip(ratio, -_LONGEST_RATIO, _LONGEST_RATIO), np.float32)


def _shares(index: NDArray[np.int64], where: Flags) -> NDArray[np.float64]:
    """How frequent each colour is there, each lending a half to its neighbours along every axis."""
    shares = np.bincount(index[where], minlength=_BINS**3).reshape((_BINS,) * 3) / max(1, where.sum())
    for axis in range(3):
        along = np.moveaxis(shares, axis, 0)
        before = np.concatenate([along[:1], along[:-1]])
        after = np.concatenate([along[1:], along[-1:]])
        shares = np.moveaxis(before / 4 + along / 2 + after / 4, 0, axis)
    return np.asarray(shares.ravel(), np.float64)


def _blurred(values: Floats, cells: int) -> Floats:
    """The mean over so many cells to each side; what lies beyond the edge is as the edge."""
    side = 2 * cells + 1
    sums = np.pad(values, (cells + 1, cells), mode="edge").cumsum(axis=0, dtype=np.float64).cumsum(axis=1)
    squares = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    return np.asarray(squares / side**2, np.float32)


def _ways(colours: Floats, starts: Sequence[Flags]) -> Floats:
    """The length of the shortest way to each place from each start, nearly; a change of colour is long.

    Returns:
        Of shape (starts, _WHOLE, _WHOLE), in units of Lab.
    """
    found = np.where(np.stack(starts), np.float32(0), np.float32(1e4))
    lines = [(1, _line_sums(colours, 1)), (0, _line_sums(colours, 0))]
    for axis, sums in lines * _ROUNDS:
        # The best way along a whole line in one step: the least of what lies before it, shifted.
        forth = sums + np.minimum.accumulate(found - sums, axis=axis + 1)
        back = np.minimum.accumulate((found + sums)[_REVERSED[axis]], axis=axis + 1)[_REVERSED[axis]] - sums
        found = np.minimum(np.minimum(found, forth), back)
    return found


def _line_sums(colours: Floats, axis: int) -> Floats:
    """The length of the straight way from the edge to each place, along one axis."""
    change = np.diff(colours, axis=axis)
    sums = np.zeros(colours.shape[:2], np.float32)
    np.cumsum(np.sqrt((change * change).sum(axis=-1)) + _STEP, axis=axis, out=sums[_AFTER_FIRST[axis]])
    return sums


_REVERSED = (np.s_[:, ::-1], np.s_[:, :, ::-1])
_AFTER_FIRST = (np.s_[1:], np.s_[:, 1:])
