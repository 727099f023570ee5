"""A world of one shape on a plain ground: what `shapes.gguf` was taught on, and what tests ask it about.

A scene is described in the square that the model sees: 64 x 64 px, the picture fitted in and centred, with
grey bands at two sides. `draw` makes the picture that a user would send, of any size and aspect.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw

Colour = tuple[int, int, int]
Box = tuple[int, int, int, int]
Kind = Literal["JPEG", "PNG", "WEBP"]

SIDE = 64  # of the square, px
GRID = 4  # corners of a box lie on multiples of this, px
BANDS = (127, 127, 127)
SMALLEST, LARGEST = 12, 40  # side of a shape, px
SHAPES = ("circle", "square", "triangle")
COLOURS: dict[str, Colour] = {
    "red": (215, 35, 35),
    "orange": (248, 140, 20),
    "yellow": (245, 222, 45),
    "green": (40, 155, 60),
    "blue": (40, 80, 210),
    "purple": (140, 50, 170),
}
CELLS = (
    ("at the top left", "at the top", "at the top right"),
    ("on the left", "in the middle", "on the right"),
    ("at the bottom left", "at the bottom", "at the bottom right"),
)


def content(size: tuple[int, int]) -> Box:
    """Where a picture of `size` (width, height in px) comes to lie in the square: x1, y1, x2, y2 in px."""
    longer = max(size)
    width, height = (max(1, round(side * SIDE / longer)) for side in size)
    left, top = (SIDE - width) // 2, (SIDE - height) // 2
    return left, top, left + width, top + height


def per_mille(px: float) -> int:
    """Pixels of the square in the model's own unit, 0..1000, halves rounded up."""
    return int(np.floor(px * 1000 / SIDE + 0.5))


@dataclass(frozen=True)
class Scene:
    """One shape; `box` is x1, y1, x2, y2 in px of the square, `size` the picture's width and height in px."""

    colour: str
    shape: str
    box: Box
    size: tuple[int, int] = (256, 256)
    ground: Colour = (255, 255, 255)
    paint: Colour | None = None

    @property
    def name(self) -> str:
        """For example `red circle`."""
        return f"{self.colour} {self.shape}"

    @property
    def centre(self) -> tuple[float, float]:
        """x and y in px of the square."""
        x1, y1, x2, y2 = self.box
        return (x1 + x2) / 2, (y1 + y2) / 2

    @property
    def place(self) -> str:
        """The ninth of the square that holds the centre, in words."""
        column, row = (int(px * 3 // SIDE) for px in self.centre)
        return CELLS[row][column]

    @property
    def box_2d(self) -> tuple[float, float, float, float]:
        """y1, x1, y2, x2 in thousandths of the picture itself, as Gemini gives boxes (not rounded)."""
        left, top, right, bottom = content(self.size)
        x1, y1, x2, y2 = self.box
        wide, high = 1000 / (right - left), 1000 / (bottom - top)
        return (y1 - top) * high, (x1 - left) * wide, (y2 - top) * high, (x2 - left) * wide


def draw(scene: Scene) -> Image.Image:
    """The picture, RGB, of the scene's size; edges are smooth."""
    width, height = scene.size
    finer = max(1, 256 // max(scene.size))
    left, top, right, bottom = content(scene.size)
    x1, y1, x2, y2 = scene.box
    wide, high = width * finer / (right - left), height * finer / (bottom - top)
    a, c = round((x1 - left) * wide), round((x2 - left) * wide) - 1
    b, d = round((y1 - top) * high), round((y2 - top) * high) - 1
    image = Image.new("RGB", (width * finer, height * finer), scene.ground)
    brush = ImageDraw.Draw(image)
    paint = scene.paint or COLOURS[scene.colour]
    if scene.shape == "square":
        brush.rectangle((a, b, c, d), fill=paint)
    elif scene.shape == "circle":
        brush.ellipse((a, b, c, d), fill=paint)
    else:
        brush.polygon([((a + c) / 2, b), (c, d), (a, d)], fill=paint)
    return image.reduce(finer) if finer > 1 else image


def letterbox(image: Image.Image) -> Image.Image:
    """The square that the model sees of an RGB picture."""
    left, top, right, bottom = content(image.size)
    square = Image.new("RGB", (SIDE, SIDE), BANDS)
    fitted = image.resize((right - left, bottom - top), Image.Resampling.LANCZOS, reducing_gap=2.0)
    square.paste(fitted, (left, top))
    return square


def encode(image: Image.Image, kind: Kind = "JPEG", quality: int = 92) -> bytes:
    """The picture as a file; JPEG without chroma subsampling at 92 is how an engine gets it."""
    file = io.BytesIO()
    finest = {"subsampling": 0} if kind == "JPEG" else {}
    image.save(file, kind, quality=quality, **finest)
    return file.getvalue()


def as_sent(scene: Scene, rng: np.random.Generator) -> bytes:
    """The JPEG that an engine gets of a scene whose picture came without loss or, one time in three, with."""
    image = draw(scene)
    if rng.random() < 0.3:
        image = Image.open(io.BytesIO(encode(image, "JPEG", int(rng.integers(80, 96))))).convert("RGB")
    return encode(letterbox(image))


def random_scene(rng: np.random.Generator) -> Scene:
    """Any scene of the world: colours and grounds vary a little, two pictures of three are not square."""
    longer = int(rng.integers(SIDE, 400))
    shorter = longer if rng.random() < 0.35 else int(longer * rng.uniform(0.3, 1.0))
    size = (longer, shorter) if rng.random() < 0.5 else (shorter, longer)
    left, top, right, bottom = content(size)
    room = min(right - left, bottom - top) - GRID + 1  # the bands need not end on the grid
    side = GRID * int(rng.integers(SMALLEST // GRID, min(LARGEST, max(room, SMALLEST)) // GRID + 1))
    x1 = GRID * int(rng.integers(-(-left // GRID), (right - side) // GRID + 1))
    y1 = GRID * int(rng.integers(-(-top // GRID), (bottom - side) // GRID + 1))
    colour = str(rng.choice(list(COLOURS)))
    return Scene(
        colour=colour,
        shape=str(rng.choice(SHAPES)),
        box=(x1, y1, x1 + side, y1 + side),
        size=size,
        ground=_random_ground(rng),
        paint=_jitter(rng, COLOURS[colour], 18),
    )


def _random_ground(rng: np.random.Generator) -> Colour:
    plain: tuple[Colour, ...] = ((255, 255, 255), (0, 0, 0), (211, 211, 211))
    if rng.random() < 0.5:
        return plain[int(rng.integers(len(plain)))]
    level = int(rng.integers(180, 256)) if rng.random() < 0.65 else int(rng.integers(0, 60))
    return _jitter(rng, (level, level, level), 8)


def _jitter(rng: np.random.Generator, colour: Colour, most: int) -> Colour:
    red, green, blue = (int(c) for c in np.clip(np.array(colour) + rng.integers(-most, most + 1, 3), 0, 255))
    return red, green, blue
