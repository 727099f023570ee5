"""What size a picture is brought to for a model, and where it lies in it: pure arithmetic."""

from __future__ import annotations

import math

from vidi.domain.geometry import Placement
from vidi.domain.prompt import Fit


def place(width: int, height: int, fit: Fit) -> Placement:
    """Where a whole upright picture lies in the one that a model gets.

    Args:
        width: Columns of the picture, at least 1.
        height: Rows of the picture, at least 1.
        fit: What the model wants.

    Returns:
        A placement in whole pixels; `canvas` tells the size of the picture around it.
    """
    if fit.square:
        wide, high = _inside(width, height, fit.square)
        left, top = (fit.square - wide) // 2, (fit.square - high) // 2
        return Placement(width, height, left, top, wide, high)
    wide, high = target_size(width, height, fit.max_pixels)
    if fit.multiple > 1:
        wide, high = _whole_patches(width, height, fit)
    return Placement(width, height, 0, 0, wide, high)


def canvas(placement: Placement, fit: Fit) -> tuple[int, int]:
    """Width and height of the picture that a model gets."""
    return (fit.square, fit.square) if fit.square else (int(placement.width), int(placement.height))


def target_size(width: int, height: int, max_pixels: int) -> tuple[int, int]:
    """The largest size of the same ratio within `max_pixels`; never larger than the picture itself.

    Args:
        width: Columns of the picture, at least 1.
        height: Rows of the picture, at least 1.
        max_pixels: Most pixels that the result may have, at least 1.

    Returns:
        Width and height, each at least 1; their product is at most `max_pixels`. The ratio of a strip
        that would become thinner than a pixel is given up, not its length.
    """
    if width * height <= max_pixels:
        return width, height
    across = math.isqrt(max_pixels * width // height)
    down = math.isqrt(max_pixels * height // width)
    return max(1, min(across, width, max_pixels)), max(1, min(down, height, max_pixels))


def _inside(width: int, height: int, side: int) -> tuple[int, int]:
    """The size of the same ratio whose longer side is `side`."""
    longest = max(width, height)
    return max(1, round(width * side / longest)), max(1, round(height * side / longest))


def _whole_patches(width: int, height: int, fit: Fit) -> tuple[int, int]:
    """The size in whole patches nearest to the picture's own, within the budget.

    Source: `smart_resize` of Qwen2-VL's image processor; applied to its own result it changes nothing, so
    an engine that does the same leaves these pixels alone. Here a strip keeps a side of one patch, where
    the original refuses ratios over 200.
    """
    patch = fit.multiple
    wide, high = (max(1, round(side / patch)) for side in (width, height))
    most = max(1, fit.max_pixels // patch**2)
    least = min(most, -(-fit.min_pixels // patch**2))
    if wide * high > most:
        shrink = math.sqrt(fit.max_pixels / (width * height))
        wide, high = (max(1, int(side * shrink / patch)) for side in (width, height))
    elif wide * high < least:
        grow = math.sqrt(fit.min_pixels / (width * height))
        wide, high = (max(1, math.ceil(side * grow / patch)) for side in (width, height))
    if wide * high > most:
        wide, high = (most // high, high) if wide > high else (wide, most // wide)
    return max(1, wide) * patch, max(1, high) * patch
