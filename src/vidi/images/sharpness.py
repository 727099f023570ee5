"""How crisp a picture is: one number, cheap and independent of size and contrast."""

from __future__ import annotations

import numpy as np
from PIL import Image

from vidi.domain.prompt import Picture

BLURRED_BELOW = 0.05
"""Below this a picture is worth a warning.

Measured on 26 photographs of 500 to 640 pixels: as they are 0.23 to 2.7; after a Gaussian blur with a
sigma of 1 pixel 0.04 to 0.5 (2 of 26 warned of), of 2 pixels 0.005 to 0.06 (25 of 26), of 3 pixels below
0.02 (all).
"""

_SIDE = 384
_NOISE = 25.0
"""Variance that a plain surface has from noise alone (5 grey levels, squared)."""


def sharpness(picture: Picture) -> float:
    """Variance of the Laplacian over the variance of the greys, on a copy with a long side of 384 pixels.

    The variance of the Laplacian is Pech-Pacheco's measure of focus (ICPR 2000); dividing by the variance
    of the picture itself keeps fog and dusk from counting as blur.

    Args:
        picture: Any prepared picture. Prepare it at 512 x 512 pixels or more: smaller copies look crisp.

    Returns:
        0 for a picture without any detail; 0.2 to 3 for crisp photographs. Compare with `BLURRED_BELOW`.
    """
    grey = Image.frombuffer("RGB", (picture.width, picture.height), picture.rgb).convert("L")
    scale = _SIDE / max(grey.size)
    if scale < 1:
        size = (max(1, round(grey.width * scale)), max(1, round(grey.height * scale)))
        grey = grey.resize(size, Image.Resampling.LANCZOS)
    if min(grey.size) < 3:
        return 0.0
    levels = np.asarray(grey, dtype=np.float32)
    around = levels[:-2, 1:-1] + levels[2:, 1:-1] + levels[1:-1, :-2] + levels[1:-1, 2:]
    laplacian = around - 4 * levels[1:-1, 1:-1]
    return float(laplacian.var() / (levels.var() + _NOISE))
