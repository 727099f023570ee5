"""Names for colours: eleven of them, from the pixels of a region."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vidi.domain.geometry import Box
from vidi.domain.prompt import Picture

COLOURS = ("black", "white", "gray", "red", "orange", "brown", "yellow", "green", "blue", "purple", "pink")
"""The names, after Berlin and Kay's basic colour terms; languages translate them."""

INNER = 0.65
"""How much of a box, from its middle, is looked at: the edges are mostly background."""

FLAT = 3.0
"""Standard deviation of brightness, in steps of 255, under which a picture is of one brightness."""

_SAMPLES = 64

_BRIGHT_RULES = 6
_TINT_TAKEN = 0.5
_MOST_TINTED = 0.3
"""Power of the mean that tells the light; part of its tint that is taken away; its weakest channel, as a part
of the strongest, that is believed."""

_OWN_COLOUR = 0.7
_FEWEST_DULL = 0.05
"""Saturation from which a pixel does not tell the light; least part of the pixels that do."""

_HUES = (
    (14, "red"),
    (38, "orange"),
    (68, "yellow"),
    (165, "green"),
    (258, "blue"),
    (292, "purple"),
    (335, "pink"),
)

_GREYS = frozenset({"black", "white", "gray"})
_SKIN = frozenset({"brown", "orange", "red", "pink"})

_SEEN = 0.15
_TELLING = 0.35
"""Least part of a region that a colour takes, and as a part of black's, to outweigh it: shadows are black."""

Pixels = NDArray[np.uint8]
Numbers = NDArray[np.float32]


def pixels_of(picture: Picture) -> Pixels:
    """The picture as an array of shape (height, width, 3), without a copy."""
    return np.frombuffer(picture.rgb, np.uint8).reshape(picture.height, picture.width, 3)


@dataclass(frozen=True, slots=True)
class Illumination:
    """The light in which a picture was taken.

    Attributes:
        gains: What red, green and blue are multiplied with, 1 or more, to take half of the light's tint away.
        white: How bright white then is, 0..1.
    """

    gains: tuple[float, float, float] = (1.0, 1.0, 1.0)
    white: float = 1.0

    def corrected(self, rgb: Pixels) -> Numbers:
        """Pixels of shape (..., 3) as they are without the tint, 0..1."""
        gains = np.asarray(self.gains, np.float32) / np.float32(255)
        return np.minimum(rgb.astype(np.float32) * gains, np.float32(1))


def illumination_of(picture: Picture) -> Illumination:
    """Tell the light by the picture's bright parts; white is at least 0.5.

    A picture of one brightness has nothing to tell it by: there white is 1, and the light has no tint.
    """
    sample = _sample(pixels_of(picture))
    if float(sample.max(axis=-1).std()) < FLAT:
        return Illumination()
    # A high power mean of each channel is ruled by what is bright, which is more often white than not;
    # what has a strong colour of its own tells nothing.
    pixels = sample.reshape(-1, 3) / 255.0
    dull = pixels[pixels.min(axis=-1) > (1 - _OWN_COLOUR) * pixels.max(axis=-1)]
    if len(dull) < _FEWEST_DULL * len(pixels):
        return Illumination(white=max(0.5, float(np.percentile(pixels.max(axis=-1), 97))))
    means = (dull**_BRIGHT_RULES).mean(axis=0) ** (1 / _BRIGHT_RULES)
    red, green, blue = (
        float((means.max() / max(float(mean), _MOST_TINTED * float(means.max()))) ** _TINT_TAKEN)
        for mean in means
    )
    plain = Illumination((red, green, blue))
    white = float(np.percentile(plain.corrected(sample).max(axis=-1), 97))
    return Illumination(plain.gains, max(0.5, white))


Rows = tuple[float, float]
"""A stretch between two heights, 0..1 from the top."""

UPPER_BODY: Rows = (0.175, 0.55)
LOWER_BODY: Rows = (0.55, 0.9)
"""Where the clothes are in the box of a standing person."""


def colour_of(picture: Picture, box: Box, *, under: Illumination, worn: Rows | None = None) -> str:
    """Name the colour of the middle of a box.

    Args:
        picture: Where to look.
        box: What to look at, on the caller's image.
        under: The picture's `illumination_of`.
        worn: Look between these heights of the box only: at what a person wears there.
    """
    region = _inner(picture, box, worn)
    if region.size == 0:
        return ""
    names = names_of(_sample(region), under).ravel()
    parts = np.bincount(names, minlength=len(COLOURS)) / names.size
    best = COLOURS[int(parts.argmax())]
    bright = {
        name: float(parts[at])
        for at, name in enumerate(COLOURS)
        if name not in _unsaid(worn=worn is not None)
    }
    brightest = max(bright, key=lambda name: bright[name])
    shadow = best in {"black", "gray"} and bright[brightest] >= max(_SEEN, _TELLING * float(parts.max()))
    return brightest if shadow else best


def _unsaid(*, worn: bool) -> frozenset[str]:
    """Names that do not outweigh a dark colour: greys, and on a person the colours of skin and hair."""
    return _GREYS | _SKIN if worn else _GREYS


def colour_around(
    picture: Picture, boxes: Sequence[Box], rows: tuple[float, float], *, under: Illumination
) -> str:
    """Name the commonest colour between two heights, 0..1 from the top, outside all boxes; "" if none is."""
    pixels = _sample(pixels_of(picture))
    height, width = pixels.shape[:2]
    outside = np.zeros((height, width), bool)
    outside[int(rows[0] * height) : int(np.ceil(rows[1] * height))] = True
    for box in boxes:
        x0, y0, x1, y1 = picture.placement.pixels(box)
        down, across = height / picture.height, width / picture.width
        outside[_span(y0 * down, y1 * down), _span(x0 * across, x1 * across)] = False
    if not outside.any():
        return ""
    return COLOURS[int(np.bincount(names_of(pixels[outside], under), minlength=len(COLOURS)).argmax())]


def share_of(picture: Picture, colour: str, rows: tuple[float, float], *, under: Illumination) -> float:
    """The part, 0..1, that one of COLOURS takes between two heights, 0..1 from the top."""
    pixels = _sample(pixels_of(picture))
    stretch = pixels[int(rows[0] * len(pixels)) : int(np.ceil(rows[1] * len(pixels)))]
    return float((names_of(stretch, under) == COLOURS.index(colour)).mean()) if stretch.size else 0.0


def _span(start: float, stop: float) -> slice:
    return slice(max(0, int(start)), max(0, int(np.ceil(stop))))


def palette(picture: Picture, *, under: Illumination, least: float = 0.12) -> tuple[str, ...]:
    """The colours that take at least a part `least` of the picture, most frequent first."""
    names = names_of(_sample(pixels_of(picture)), under).ravel()
    parts = np.bincount(names, minlength=len(COLOURS)) / max(1, names.size)
    order = [index for index in np.argsort(-parts, kind="stable") if parts[index] >= least]
    return tuple(COLOURS[index] for index in order)


def names_of(rgb: Pixels, under: Illumination) -> NDArray[np.int64]:
    """Index into COLOURS for each pixel of an array of shape (..., 3)."""
    values = under.corrected(rgb)
    high, low = values.max(axis=-1), values.min(axis=-1)
    chroma = high - low
    saturation = np.where(high > 0, chroma / np.maximum(high, 1e-6), 0)
    brightness = np.minimum(high / np.float32(under.white), 1)
    hue = _hue(values, high, chroma)
    named = np.full(hue.shape, COLOURS.index("red"), np.int64)
    for (start, _), (stop, name) in pairwise(_HUES):
        named[(hue >= start) & (hue < stop)] = COLOURS.index(name)
    reddish, orange, olive = (hue < 14) | (hue >= 335), (hue >= 8) & (hue < 50), (hue >= 52) & (hue < 68)
    named[olive & (brightness < 0.65)] = COLOURS.index("green")
    named[orange & ((brightness < 0.68) | (saturation < 0.45))] = COLOURS.index("brown")
    named[(hue < 14) & (brightness < 0.45) & (saturation < 0.6)] = COLOURS.index("brown")
    named[reddish & (brightness > 0.8) & (saturation < 0.5)] = COLOURS.index("pink")
    # Lamps and walls tint white things yellow, and the sky those in the shade blue.
    tinted = (hue >= 40) & (hue < 80) & (saturation < 0.3) & (brightness > 0.5)
    shaded = (hue >= 170) & (hue < 292) & (saturation < 0.32)
    pale = (saturation < 0.26) & (brightness > 0.82)
    dull = (saturation < 0.16) | pale | (chroma < 0.06) | tinted | shaded
    named[dull] = COLOURS.index("gray")
    named[dull & (brightness > np.where(tinted, 0.62, 0.65))] = COLOURS.index("white")
    named[(brightness < 0.22) | (dull & (brightness < 0.24))] = COLOURS.index("black")
    return named


def _hue(values: Numbers, high: Numbers, chroma: Numbers) -> Numbers:
    """Hue in degrees, 0..360; 0 for greys."""
    red, green, blue = values[..., 0], values[..., 1], values[..., 2]
    safe = np.maximum(chroma, 1e-6)
    sector = np.select(
        [high == red, high == green],
        [((green - blue) / safe) % 6, (blue - red) / safe + 2],
        (red - green) / safe + 4,
    )
    return np.asarray(np.where(chroma > 0, sector * 60, 0), np.float32)


def _inner(picture: Picture, box: Box, rows: Rows | None) -> Pixels:
    x0, y0, x1, y1 = picture.placement.pixels(box)
    margin = (1 - INNER) / 2
    top, bottom = rows or (margin, 1 - margin)
    stretch = _span(y0 + (y1 - y0) * top, y0 + (y1 - y0) * bottom)
    return pixels_of(picture)[stretch, _span(x0 + (x1 - x0) * margin, x1 - (x1 - x0) * margin)]


def _sample(pixels: Pixels) -> Pixels:
    """At most _SAMPLES rows and columns, evenly spread."""
    step_y = -(-pixels.shape[0] // _SAMPLES)
    step_x = -(-pixels.shape[1] // _SAMPLES)
    return pixels[:: max(1, step_y), :: max(1, step_x)]


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


def lighting(first: Grid, second: Grid, same: NDArray[np.bool_]) -> tuple[tuple[str, ...], str]:
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
    return float(np.percentile(np.abs(laplacian(brightness)), 90))


def laplacian(brightness: Grid) -> Grid:
    """How much each cell that has four neighbours differs from them: what blur takes away first."""
    around = brightness[:-2, 1:-1] + brightness[2:, 1:-1] + brightness[1:-1, :-2] + brightness[1:-1, 2:]
    return around - 4 * brightness[1:-1, 1:-1]
