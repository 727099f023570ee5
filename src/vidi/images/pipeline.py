"""From a decoded picture to one that a model can look at: five small, pure steps.

`fit` comes first: whatever follows then touches at most `max_pixels` and costs next to nothing, and no
full-size copy is made for alpha, colour or orientation.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from PIL import Image, ImageCms

Rect = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture on its way.

    Attributes:
        image: The pixels so far, as stored in the file until `orient` has run.
        area: The part of `image` that is the picture; a scaled JPEG decode may carry a fraction of a
            pixel more.
        target: Stored width and height to scale to.
        square: Side of the square to lay the picture on; 0 for none.
        orientation: EXIF orientation 1..8 still to be applied.
        profile: ICC profile of the pixels; empty for sRGB.
    """

    image: Image.Image
    area: Rect
    target: tuple[int, int]
    orientation: int = 1
    profile: bytes = b""
    square: int = 0


Step = Callable[[Frame], Frame]


def fit(frame: Frame) -> Frame:
    """Scale to the target size, if the picture has another."""
    image = _continuous(frame.image)
    if image.size != frame.target or frame.area != whole(image):
        image = image.resize(frame.target, Image.Resampling.LANCZOS, box=frame.area, reducing_gap=2.0)
    return replace(frame, image=image, area=whole(image))


def whole(image: Image.Image) -> Rect:
    """The area of a picture that has nothing around it."""
    return (0.0, 0.0, float(image.width), float(image.height))


def _continuous(image: Image.Image) -> Image.Image:
    """The same picture in a mode that can be scaled: L, LA, RGB, RGBA or CMYK, 8 bits a channel."""
    if image.mode in ("I;16", "I;16B", "I;16L", "I"):
        return _eight_bits(image)
    clear = image.info.get("transparency")
    if clear is not None and image.mode in ("1", "L", "P", "RGB"):
        return image.convert("RGBA")
    if image.mode in ("1", "F"):
        return image.convert("L")
    if image.mode in ("L", "LA", "RGB", "RGBA", "CMYK"):
        return image
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    """16-bit grey as 8-bit grey, transparent where it has the announced transparent level."""
    wide = image if image.mode == "I" else image.convert("I")
    grey = wide.point([level >> 8 for level in range(1 << 16)], "L")
    clear = image.info.get("transparency")
    if not isinstance(clear, int):
        return grey
    opaque = [255] * (1 << 16)
    opaque[clear & 0xFFFF] = 0
    return Image.merge("LA", (grey, wide.point(opaque, "L")))


WHITE, MIDDLE, BLACK = 255, 127, 0
"""Grounds for a picture with alpha, the usual one first."""

_CONTRAST = 64
"""Grey levels by which something has to differ from the ground to be seen."""

_ENOUGH = 0.2
"""Where so much of what is opaque is seen on white, as in a page with print on it, white is kept."""


def flatten(frame: Frame) -> Frame:
    """Lay a picture with alpha on white; on black or grey where white would hide it, as white print."""
    image = frame.image
    if image.mode not in ("LA", "RGBA"):
        return frame
    colour = image.convert(image.mode.removesuffix("A"))
    alpha = image.getchannel("A")
    level = _ground(colour, alpha)
    ground = Image.new(colour.mode, image.size, level if colour.mode == "L" else (level,) * 3)
    ground.paste(colour, mask=alpha)
    return replace(frame, image=ground)


def _ground(colour: Image.Image, alpha: Image.Image) -> int:
    """The grey level on which most of what is rather opaque is seen."""
    opaque = alpha.point([0] * 128 + [255] * 128)
    levels = colour.convert("L").histogram(opaque)
    total = sum(levels)
    seen = {
        ground: sum(count for level, count in enumerate(levels) if abs(level - ground) >= _CONTRAST)
        for ground in (WHITE, BLACK, MIDDLE)
    }
    if seen[WHITE] >= _ENOUGH * total:
        return WHITE
    return max(seen, key=seen.__getitem__)


_PROFILE_SPACES: Mapping[str, str] = MappingProxyType({"L": "GRAY", "RGB": "RGB ", "CMYK": "CMYK"})
_MAX_PROFILE = 4 << 20
_SRGB_NAMES = (b"sRGB", "sRGB".encode("utf-16-be"))


def colour(frame: Frame) -> Frame:
    """Bring the colours to sRGB by the embedded profile; a profile that makes no sense is ignored."""
    image = frame.image
    if _worth_converting(frame.profile, image.mode):
        try:
            converted = ImageCms.profileToProfile(
                image,
                ImageCms.ImageCmsProfile(io.BytesIO(frame.profile)),
                ImageCms.createProfile("sRGB"),
                outputMode="RGB",
            )
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            converted = None
        if converted is not None:
            return replace(frame, image=converted, profile=b"")
    return replace(frame, image=image.convert("RGB"), profile=b"")


def _worth_converting(profile: bytes, mode: str) -> bool:
    """Whether a profile is sane, belongs to pixels of this mode and is not sRGB already.

    Source: ICC.1:2022, 7.2 (bytes 16 to 19 name the colour space, 36 to 39 are the signature).
    """
    if not 128 <= len(profile) <= _MAX_PROFILE or profile[36:40] != b"acsp":
        return False
    if profile[16:20] != _PROFILE_SPACES.get(mode, "").encode():
        return False
    return not any(name in profile for name in _SRGB_NAMES)


_TURNS: Mapping[int, Image.Transpose] = MappingProxyType(
    {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
)


def orient(frame: Frame) -> Frame:
    """Turn the picture upright. Source: EXIF 2.32, tag 0x0112."""
    image = upright(frame.image, frame.orientation)
    return frame if image is frame.image else replace(frame, image=image, area=whole(image), orientation=1)


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """A picture turned by its EXIF orientation; the same one if that is 1."""
    turn = _TURNS.get(orientation)
    return image if turn is None else image.transpose(turn)


GREY = (127, 127, 127)
"""Nothing to a model that takes -1..1, and the same on all sides."""


def pad(frame: Frame) -> Frame:
    """Lay the picture in the middle of its square, if it is to have one."""
    side, image = frame.square, frame.image
    if not side or image.size == (side, side):
        return frame
    square = Image.new(image.mode, (side, side), GREY)
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return replace(frame, image=square, area=whole(square))


STEPS: tuple[Step, ...] = (fit, flatten, colour, orient, pad)


def prepare(frame: Frame) -> Image.Image:
    """Run all steps: an upright, opaque RGB picture of the target size, on its square if it has one."""
    for step in STEPS:
        frame = step(frame)
    return frame.image
