"""How the light, the colours and the sharpness of a copy differ from those of its original.

Both pictures come as grids of mean colours that lie on each other: shape (rows, columns, 3), 0..255.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BRIGHTER = 14.0
"""Median difference of brightness, in steps of 255, that is told."""

BRIGHTER_TIMES = 1.15
"""Ratio of mean brightness that is told, where nearly all cells moved the same way."""

SAME_WAY = 0.8
"""Part of the cells that must get brighter for the light to have changed, and not only something in it."""

CONTRAST = 1.2
VIVID = 1.3
"""Slope of brightness, and of saturation, over that of the first picture, that is told; or one over it."""

COLOURLESS = 6.0
"""Mean chroma under which a picture is black and white."""

TINTED = 12.0
"""Difference of a channel's mean from the other channels', in steps of 255, that is told."""

BLURRED = 0.5
"""Ratio of fine detail, contrast apart, under which a copy is blurred; over one by it, it is sharper."""

Grid = NDArray[np.float32]


def light(grid: Grid) -> Grid:
    """Brightness of each cell."""
    return np.asarray(grid.mean(axis=-1), np.float32)


def tones(first: Grid, second: Grid, same: NDArray[np.bool_]) -> tuple[tuple[str, ...], str]:
    """Names of what changed over the whole picture, and the colour it is shifted toward, or "".

    Args:
        first: The original.
        second: The copy.
        same: Cells that show the same thing in both: by these the light is judged.
    """
    chroma = [float((grid.max(axis=-1) - grid.min(axis=-1)).mean()) for grid in (first, second)]
    if chroma[1] < COLOURLESS <= chroma[0] / 2:
        return ("grey",), ""
    if chroma[0] < COLOURLESS <= chroma[1] / 2:
        return ("coloured_back",), ""
    first, second = first[same], second[same]
    tint = _tint(first, second)
    brightness = _brightness(first, second)
    other = "tinted" if tint else "" if brightness else _spread(first, second)
    return tuple(filter(None, (brightness, other))), tint


def sharpness(first: Grid, second: Grid) -> str:
    """Whether the second is "blurred" or "sharper": told by its fine detail, in grids of many cells."""
    slope, _ = robust_line(light(first).ravel(), light(second).ravel())
    fine = _fineness(light(first)) * max(slope, 0.1)
    return _named(_fineness(light(second)) / fine, 1 / BLURRED, "sharper", "blurred") if fine else ""


def robust_line(a: Grid, b: Grid) -> tuple[float, float]:
    """A least-squares line through most points: fitted again without the tenth that lies farthest off."""
    keep = np.ones(a.shape, bool)
    slope, shift = 1.0, 0.0
    for _ in range(3):
        x, y = a[keep], b[keep]
        spread = float(x.var())
        slope = float(((x - x.mean()) * (y - y.mean())).mean() / spread) if spread > 0 else 1.0
        shift = float(y.mean() - slope * x.mean())
        off = np.abs(b - slope * a - shift)
        keep = off <= np.quantile(off, 0.9)
    return slope, shift


def _named(ratio: float, most: float, over: str, under: str) -> str:
    return over if ratio >= most else under if ratio <= 1 / most else ""


def _brightness(first: Grid, second: Grid) -> str:
    one, other = light(first), light(second)
    shift = float(np.median(other - one))
    if abs(shift) > BRIGHTER:
        return "brighter" if shift > 0 else "darker"
    ratio = float(other.mean()) / max(1.0, float(one.mean()))
    if float((other > one).mean()) >= SAME_WAY and ratio >= BRIGHTER_TIMES:
        return "brighter"
    return "darker" if float((other < one).mean()) >= SAME_WAY and ratio <= 1 / BRIGHTER_TIMES else ""


def _spread(first: Grid, second: Grid) -> str:
    """Whether contrast or colours got stronger or weaker; of both, the one that did more.

    Either draws the other with it, but for colours that get paler where contrast drives them to white.
    """
    contrast, _ = robust_line(light(first).ravel(), light(second).ravel())
    colour, _ = robust_line(_saturation(first).ravel(), _saturation(second).ravel())
    named = _named(contrast, CONTRAST, "more_contrast", "less_contrast")
    vivid = _named(colour, VIVID, "more_vivid", "paler")
    one_way = (contrast > 1) == (colour > 1)
    stronger = one_way and abs(np.log(max(colour, 1e-3))) > abs(np.log(max(contrast, 1e-3)))
    return vivid if vivid and (stronger or not named) else named


def _tint(first: Grid, second: Grid) -> str:
    """The colour that gained most, beyond what the change of brightness and contrast explains."""
    slope, shift = robust_line(light(first).ravel(), light(second).ravel())
    own = np.median((second - slope * first - shift).reshape(-1, 3), axis=0)
    own = own - own.mean()
    return ("red", "green", "blue")[int(own.argmax())] if float(own.max()) > TINTED else ""


def _saturation(grid: Grid) -> Grid:
    high = grid.max(axis=-1)
    return np.asarray((high - grid.min(axis=-1)) / np.maximum(high, 16), np.float32)


def _fineness(brightness: Grid) -> float:
    """How much a cell differs from its neighbours, where it does so most: the 90th percentile."""
    middle = brightness[1:-1, 1:-1]
    around = brightness[:-2, 1:-1] + brightness[2:, 1:-1] + brightness[1:-1, :-2] + brightness[1:-1, 2:]
    return float(np.percentile(np.abs(around - 4 * middle), 90))
