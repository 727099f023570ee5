"""Draws labelled boxes and masks on a picture, well enough to show to a colleague."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from vidi.domain.geometry import Box, MaskImage
from vidi.domain.prompt import ImageFormat, Picture

_Rect = tuple[float, float, float, float]
_Colour = tuple[int, int, int]

# Okabe and Ito's colours (2008), which people with any common colour blindness can tell apart, without
# their black; the order puts those that stand out most on photographs first.
_PALETTE: tuple[_Colour, ...] = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (213, 94, 0),
    (204, 121, 167),
    (0, 114, 178),
)
_TAG_WEIGHT = 5
"""How much worse it is to hide a tag than a box."""
_PREVIEW_QUALITY = 88
_MANY = 20
"""From this many boxes on, tags are written smaller."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """A box with its name.

    Attributes:
        label: What is in the box; one line of text.
        box: Where, in 0..1000 on the upright picture.
        score: Confidence 0..1, written as a percentage; None leaves it out.
        mask: What of the box belongs to it, tinted in the label's colour; None tints nothing.
    """

    label: str
    box: Box
    score: float | None = None
    mask: MaskImage | None = None


@dataclass(frozen=True, slots=True)
class _NameTag:
    text: str
    colour: _Colour
    frame: _Rect


@dataclass(frozen=True, slots=True)
class _DrawStyle:
    """Sizes in pixels that follow from the picture's size."""

    line: int
    padding: int
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont


def encode_picture(picture: Picture, form: ImageFormat) -> bytes:
    """A picture as a file: a JPEG with little loss, or a PNG, packed fast rather than small."""
    image = Image.frombytes("RGB", (picture.width, picture.height), picture.rgb)
    file = io.BytesIO()
    if form is ImageFormat.JPEG:
        image.save(file, "JPEG", quality=_PREVIEW_QUALITY)
    else:
        image.save(file, "PNG", compress_level=1)
    return file.getvalue()


def draw_boxes(picture: Picture, boxes: Sequence[Labelled], opacity: float = 0.5) -> bytes:
    """Draw boxes with name tags on a picture, and their masks below them.

    Every label has its own colour. Tags stay inside the picture and keep off each other where there is
    room.

    Args:
        picture: What to draw on; it is not changed.
        boxes: What to draw, in the frame of the caller's upright picture.
        opacity: Of the masks, 0 (not to be seen) to 1 (hides what is below).

    Returns:
        The drawn picture as a PNG file of the same size.
    """
    canvas = Image.frombytes("RGB", (picture.width, picture.height), picture.rgb)
    draw = ImageDraw.Draw(canvas)
    style = _draw_style(canvas.size, len(boxes))
    colours = _colours(item.label for item in boxes)
    for item in sorted(boxes, key=lambda item: -item.box.area()):
        _tint(canvas, item, colours[item.label], picture.placement.pixels(item.box), opacity)
    tags = [
        _NameTag(_text(item), colours[item.label], _inside(picture.placement.pixels(item.box), canvas.size))
        for item in sorted(boxes, key=lambda item: -item.box.area())
    ]
    for tag in tags:
        _draw_frame(draw, tag, style)
    taken = [(tag.frame, 1) for tag in tags]
    for tag in reversed(tags):
        taken.append((_draw_tag(canvas, tag, style, taken), _TAG_WEIGHT))
    encoded = io.BytesIO()
    canvas.save(encoded, "PNG")
    return encoded.getvalue()


def _draw_style(size: tuple[int, int], count: int) -> _DrawStyle:
    scale = (size[0] * size[1]) ** 0.5 / 600
    line = max(2, round(2.6 * scale))
    points = max(10.0, (12.5 if count > _MANY else 15.5) * scale)
    return _DrawStyle(line, max(2, round(points / 4)), ImageFont.load_default(points))


def _colours(labels: Iterable[str]) -> dict[str, _Colour]:
    """A colour for each label, in order of appearance; the palette repeats after its end."""
    return {label: _PALETTE[n % len(_PALETTE)] for n, label in enumerate(dict.fromkeys(labels))}


def _text(item: Labelled) -> str:
    label = " ".join(item.label.split())
    return label if item.score is None else f"{label} {item.score:.0%}".lstrip()


def _inside(rect: _Rect, size: tuple[int, int]) -> _Rect:
    """The part of a rectangle that lies on the picture, its corners in order."""
    (x0, x1), (y0, y1) = sorted(rect[0::2]), sorted(rect[1::2])
    right, bottom = size[0] - 1, size[1] - 1
    return (min(max(x0, 0), right), min(max(y0, 0), bottom), min(max(x1, 0), right), min(max(y1, 0), bottom))


def _tint(canvas: Image.Image, item: Labelled, colour: _Colour, rect: _Rect, opacity: float) -> None:
    """Colour what belongs to a thing: its mask scaled to the box and cut at 127, as clients do."""
    left, top, right, bottom = (round(edge) for edge in rect)
    if item.mask is None or left >= right or top >= bottom:
        return
    grey = Image.frombytes("L", (item.mask.width, item.mask.height), item.mask.grey)
    scaled = grey.resize((right - left, bottom - top), Image.Resampling.BILINEAR)
    share = round(255 * opacity)
    canvas.paste(colour, (left, top, right, bottom), scaled.point(lambda level: share if level > 127 else 0))


def _draw_frame(draw: ImageDraw.ImageDraw, tag: _NameTag, style: _DrawStyle) -> None:
    """The box in its colour, with a dark hairline on both sides that keeps it visible on any ground."""
    x0, y0, x1, y1 = tag.frame
    shade = (0, 0, 0)
    hair = max(1, style.line // 3)
    draw.rounded_rectangle(tag.frame, style.line, outline=shade, width=style.line + 2 * hair)
    if min(x1 - x0, y1 - y0) > 2 * (style.line + hair):
        inner = (x0 + hair, y0 + hair, x1 - hair, y1 - hair)
        draw.rounded_rectangle(inner, style.line, outline=tag.colour, width=style.line)


def _draw_tag(
    canvas: Image.Image, tag: _NameTag, style: _DrawStyle, taken: Sequence[tuple[_Rect, int]]
) -> _Rect:
    """Write a tag where it hides least of what is taken, boxes and tags; returns where that was."""
    draw = ImageDraw.Draw(canvas)
    text = _shortened(draw, tag.text, style, canvas.width)
    left, _, right, _ = draw.textbbox((0, 0), text, font=style.font)
    _, top, _, bottom = draw.textbbox((0, 0), "Ag", font=style.font)
    size = (right - left + 2 * style.padding, bottom - top + 2 * style.padding)
    spots = _spots(tag.frame, size, canvas.size)
    spot = min(spots, key=lambda spot: sum(weight * _hidden(other, spot) for other, weight in taken))
    draw.rounded_rectangle(spot, style.padding, fill=tag.colour)
    ink = (0, 0, 0) if _luminance(tag.colour) > 0.2 else (255, 255, 255)
    draw.text(
        (spot[0] + style.padding - left, spot[1] + style.padding - top), text, fill=ink, font=style.font
    )
    return spot


def _shortened(draw: ImageDraw.ImageDraw, text: str, style: _DrawStyle, width: int) -> str:
    """The text, cut with an ellipsis if it is wider than the picture."""
    room = width - 2 * style.padding
    shown = text
    while len(text) > 1 and draw.textlength(shown, font=style.font) > room:
        text = text[: max(1, len(text) * 9 // 10)]
        shown = text.rstrip() + "…"
    return shown


def _spots(frame: _Rect, size: tuple[float, float], picture: tuple[int, int]) -> Iterator[_Rect]:
    """Places for a tag at its box, the best first, all inside the picture."""
    x0, y0, x1, y1 = frame
    width, height = size
    for x, y in (
        (x0, y0 - height),
        (x0, y0),
        (x1 - width, y0 - height),
        (x1 - width, y0),
        (x0, y1 - height),
        (x1 - width, y1 - height),
        (x0, y1),
        (x1 - width, y1),
        (x0, y0 + height),
        (x0, y0 + 2 * height),
    ):
        left = max(0, min(x, picture[0] - 1 - width))
        top = max(0, min(y, picture[1] - 1 - height))
        yield (left, top, left + width, top + height)


def _hidden(rect: _Rect, by: _Rect) -> float:
    """Which part of a rectangle, 0..1, another one hides."""
    across = min(rect[2], by[2]) - max(rect[0], by[0])
    down = min(rect[3], by[3]) - max(rect[1], by[1])
    area = (rect[2] - rect[0]) * (rect[3] - rect[1])
    if across <= 0 or down <= 0 or area <= 0:  # The product of tiny sides is 0 too.
        return 0.0
    return across * down / area


def _luminance(colour: _Colour) -> float:
    """Relative luminance 0..1. Source: WCAG 2.2; black text reads better than white above 0.18."""
    linear = [(c / 255 / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4) for c in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
