"""Pictures stored turned, as cameras store them."""

from __future__ import annotations

from PIL import Image

_BACK = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def turned_back(image: Image.Image, orientation: int) -> Image.Image:
    """The picture as it is stored, if EXIF's `orientation` (1..8) is to bring it upright."""
    return image.transpose(_BACK[orientation]) if orientation in _BACK else image
