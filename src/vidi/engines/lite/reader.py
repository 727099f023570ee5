"""Reads text in pictures: PP-OCRv6 small (Apache-2.0), from the files of the Python package `rapidocr`.

Only the package's two models are used, none of its code: what it depends on need not be there. The models
are loaded when something is first read.
"""

from __future__ import annotations

import hashlib
import importlib.util
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from vidi.domain.errors import Unavailable
from vidi.domain.prompt import Picture
from vidi.engines.lite.evidence import TextLine
from vidi.engines.lite.reader_letters import Letters, Reading
from vidi.engines.lite.reader_lines import Line, Lines
from vidi.engines.lite.reader_order import reading_order
from vidi.engines.lite.weights_network import Floats, give_back

SURE = 0.65
"""Lowest score of a line that is told; what lies below is mostly no text at all."""

INSTALL = "pip install --no-deps rapidocr==3.10.0"
"""How to get the models; what the package depends on (195 MB) is not needed."""

_SHORT = 3
_SHORT_SURE = 0.9
"""A line of fewer letters needs this score: handles, tiles and bars look like letters."""

_CLEAR = 0.8
"""A reading of this score is taken without trying the line another way up."""

_TALL = 1.5
_TALLEST = 2.5
"""How many times as high as wide a strip is that may be turned, and one that must be."""

_LEGIBLE = 6
"""Smallest side of a picture in which there can be letters, in pixels."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model's file in the package, and the SHA-256 that it must have, in hex."""

    path: Path
    sha256: str


@dataclass(frozen=True, slots=True)
class Models:
    """One finds lines, the other reads their letters."""

    lines: Model
    letters: Model


@dataclass(frozen=True, slots=True)
class _Read:
    """A line, what it says, and by how many quarters, counter-clockwise, it was turned to be read."""

    line: Line
    reading: Reading
    turn: int


class Reader:
    """The models, loaded when first needed; may be used from several threads."""

    def __init__(self, models: Models, threads: int) -> None:
        """Remember where the models are; one run may keep `threads` cores busy."""
        self._models = models
        self._threads = threads
        self._lock = threading.Lock()
        self._loaded: tuple[Lines, Letters] | None = None

    def read(self, picture: Picture) -> tuple[TextLine, ...]:
        """All legible lines of text, in reading order.

        Raises:
            Unavailable: The models are damaged.
        """
        if min(picture.width, picture.height) < _LEGIBLE:
            return ()
        lines, letters = self._load()
        image = Image.frombuffer("RGB", (picture.width, picture.height), picture.rgb)
        read = [_read(letters, image, line) for line in lines.find(image)]
        give_back()
        told = [each for each in read if _legible(each.reading)]
        return tuple(_told(each, picture) for each in _ordered(told))

    def _load(self) -> tuple[Lines, Letters]:
        with self._lock:
            if self._loaded is None:
                lines, letters = _intact(self._models.lines), _intact(self._models.letters)
                self._loaded = Lines(lines, self._threads), Letters(letters, self._threads)
            return self._loaded


def published_models() -> Models | None:
    """The models in the installed package, found without running its code; None if it is not there."""
    spec = importlib.util.find_spec("rapidocr")
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(spec.submodule_search_locations[0]) / "models"
    lines = Model(
        folder / "PP-OCRv6_det_small.onnx", "090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f"
    )
    letters = Model(
        folder / "PP-OCRv6_rec_small.onnx", "6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884"
    )
    return Models(lines, letters) if lines.path.is_file() and letters.path.is_file() else None


def open_reader(threads: int) -> Reader | None:
    """A reader; None where the models are not installed. Loads nothing yet."""
    models = published_models()
    return Reader(models, threads) if models else None


def _intact(model: Model) -> Path:
    try:
        with model.path.open("rb") as file:
            intact = hashlib.file_digest(file, "sha256").hexdigest() == model.sha256
    except OSError:
        intact = False
    if not intact:
        raise Unavailable(
            "The Python package rapidocr, with which vidi-lite reads text, is damaged or not the one that is "
            f"needed. Reinstall it: `{INSTALL} --force-reinstall`."
        )
    return model.path


def _read(letters: Letters, image: Image.Image, line: Line) -> _Read:
    """Read a line, the likeliest way up first; the others only if that is not clear."""
    strip = _strip(image, line.corners)
    best = _Read(line, Reading("", 0.0), 0)
    for turn in _turns(strip):
        reading = letters.read(strip.rotate(90 * turn, expand=True))
        # A 6 is no 9.
        believed = turn != 2 or len(reading.text) >= _SHORT
        if believed and reading.score > best.reading.score:
            best = _Read(line, reading, turn)
        if best.reading.score >= _CLEAR:
            break
    return best


def _legible(reading: Reading) -> bool:
    return reading.score >= (SURE if len(reading.text) >= _SHORT else _SHORT_SURE)


def _turns(strip: Image.Image) -> tuple[int, ...]:
    """The ways up to try, in quarter turns counter-clockwise; a narrow letter is high too."""
    tall = strip.height / strip.width
    if tall < _TALL:
        return (0, 2)
    return (0, 1, 3) if tall < _TALLEST else (1, 3)


def _strip(image: Image.Image, corners: Floats) -> Image.Image:
    """Cut out a tilted rectangle, at the picture's own scale."""
    left_top, right_top, right_bottom, left_bottom = corners
    size = np.linalg.norm(right_top - left_top), np.linalg.norm(left_bottom - left_top)
    quad = np.concatenate([left_top, left_bottom, right_bottom, right_top])
    return image.transform(
        (max(1, round(float(size[0]))), max(1, round(float(size[1])))),
        Image.Transform.QUAD,
        [float(value) for value in quad],
        Image.Resampling.BICUBIC,
    )


def _ordered(lines: Sequence[_Read]) -> list[_Read]:
    """In reading order, as seen by who turns the picture as most of its letters want."""
    if not lines:
        return []
    letters = Counter[int]()
    for each in lines:
        letters[each.turn] += len(each.reading.text)
    boxes = np.stack([each.line.box for each in lines])
    for _ in range(letters.most_common(1)[0][0]):
        # A quarter turn counter-clockwise: what was at the right is on top.
        x0, y0, x1, y1 = boxes.T
        boxes = np.stack([y0, -x1, y1, -x0], axis=1)
    return [lines[index] for index in reading_order(boxes)]


def _told(each: _Read, picture: Picture) -> TextLine:
    x0, y0, x1, y1 = np.clip(each.line.box, 0, [picture.width, picture.height] * 2)
    box = picture.placement.box(float(x0), float(y0), float(x1), float(y1))
    return TextLine(each.reading.text, each.reading.score, box)
