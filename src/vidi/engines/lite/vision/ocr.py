"""Reads text in pictures: PP-OCRv6 small (Apache-2.0), from the files of the Python package `rapidocr`.

Only the package's two models are used, none of its code: what that depends on need not be there. The models
are loaded when something is first read.
"""

from __future__ import annotations

import hashlib
import importlib.util
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from vidi.byte_budget import give_back
from vidi.domain.errors import Unavailable
from vidi.domain.geometry import Box
from vidi.domain.prompt import Picture
from vidi.engines.lite.vision.onnx import Floats, Network
from vidi.engines.lite.vision.text_regions import reading_order, regions

_HEIGHT = 48
_LONGEST = 3200
"""Widest strip that is read at once: the network's answer takes 30 MB for it."""

_MARGIN = 24
"""Empty columns after the text; without them the last letters of short words are misread."""

_NEAR = 96
"""How far from its middle a strip that is too long may be cut, in columns."""


@dataclass(frozen=True, slots=True)
class TextLine:
    """A line of text that was read.

    Attributes:
        text: As written.
        score: How sure the reader is, 0..1.
        box: Where it stands, on the caller's image.
    """

    text: str
    score: float
    box: Box


@dataclass(frozen=True, slots=True)
class Recognition:
    """What a strip says.

    Attributes:
        text: Its letters; "" where there are none.
        score: The mean of the letters' probabilities, 0..1.
    """

    text: str
    score: float


class TextRecognizer:
    """The network, ready to run; may be used from several threads."""

    def __init__(self, model: Path, threads: int) -> None:
        """Load the model, which carries the list of its signs; it reads `threads` cores busy."""
        self._network = Network(model, threads, hoard=False)
        self._signs = np.array(["", *self._network.notes["character"].splitlines(), " "])

    def read(self, strip: Image.Image) -> Recognition:
        """Read a strip of one line, upright, of any height."""
        width = max(8, -(-_HEIGHT * strip.width // strip.height))
        pixels = np.asarray(strip.resize((width, _HEIGHT), Image.Resampling.BILINEAR), np.float32)
        readings = [self._read(part) for part in _parts(pixels / 127.5 - 1)]
        letters = sum(len(reading.text) for reading in readings)
        score = sum(reading.score * len(reading.text) for reading in readings) / max(1, letters)
        return Recognition(" ".join(reading.text for reading in readings if reading.text), score)

    def _read(self, pixels: Floats) -> Recognition:
        width = -(-(pixels.shape[1] + _MARGIN) // 8) * 8
        tensor = np.zeros((1, 3, _HEIGHT, width), np.float32)
        # The network was trained on blue, green, red.
        tensor[0, :, :, : pixels.shape[1]] = pixels[:, :, ::-1].transpose(2, 0, 1)
        probabilities = self._network.run(tensor)[0][0]
        likeliest, sure = probabilities.argmax(axis=1), probabilities.max(axis=1)
        written = likeliest != 0
        written[1:] &= likeliest[1:] != likeliest[:-1]
        text = "".join(self._signs[likeliest[written]])
        return Recognition(text.strip(), float(sure[written].mean()) if written.any() else 0.0)


def _parts(pixels: Floats) -> list[Floats]:
    """A strip in parts of at most _LONGEST columns, cut where there is least ink near the middle."""
    width = pixels.shape[1]
    if width <= _LONGEST:
        return [pixels]
    middle = width // 2
    near = pixels[:, middle - _NEAR : middle + _NEAR].std(axis=(0, 2))
    # Over a stretch as wide as a blank, so that the cut falls between words.
    ink = np.convolve(near, np.ones(_HEIGHT // 4), "same")
    cut = middle - _NEAR + int(ink.argmin())
    return [*_parts(pixels[:, :cut]), *_parts(pixels[:, cut:])]


_LEAST_PIXELS = 800_000
_LARGEST_GROWTH = 2.0
"""A smaller picture is enlarged to so many pixels, but not more than so many times."""

_MOST_PIXELS = 4_200_000
_BAND_PIXELS = 500_000
"""A band of so many pixels takes 130 MB while it is looked at."""

_OVERLAP = 64
_MULTIPLE = 32

_TOLD = 0.4
"""How much of a rectangle's growth is taken back where it is told: letters seldom fill it."""


@dataclass(frozen=True, slots=True)
class LineRegion:
    """Where a line of text is; lengths in pixels of the picture.

    Attributes:
        corners: Left top, right top, right bottom, left bottom of the strip to read: (4, 2) of x and y.
        box: x0, y0, x1, y1 of the letters.
    """

    corners: Floats
    box: Floats


class LineFinder:
    """The network, ready to run; may be used from several threads."""

    def __init__(self, model: Path, threads: int) -> None:
        """Load the model; one run may keep `threads` cores busy."""
        self._network = Network(model, threads, hoard=False)

    def find(self, image: Image.Image) -> list[LineRegion]:
        """The lines, in no particular order."""
        columns, rows = _size(image.width, image.height)
        probability = self._marked(image.resize((columns, rows), Image.Resampling.BILINEAR))
        scale = np.array([image.width / columns, image.height / rows], np.float32)
        lines = []
        for region in regions(probability):
            told = region.corners(region.growth * _TOLD) * scale
            lines.append(
                LineRegion(region.corners() * scale, np.concatenate([told.min(axis=0), told.max(axis=0)]))
            )
        return lines

    def _marked(self, image: Image.Image) -> Floats:
        """How sure the network is that each pixel is in a line, (rows, columns): the surest of two bands."""
        marked = np.zeros((image.height, image.width), np.float32)
        for band in _bands(image.width, image.height):
            left, top, right, bottom = band
            pixels = np.asarray(image.crop(band), np.float32) / 127.5 - 1
            # The network was trained on blue, green, red.
            tensor = np.ascontiguousarray(pixels[:, :, ::-1].transpose(2, 0, 1)[None])
            part = marked[top:bottom, left:right]
            np.maximum(part, self._network.run(tensor)[0][0, 0], out=part)
        return marked


def _size(width: int, height: int) -> tuple[int, int]:
    """The size at which a picture is looked at: sides that the network takes, within the limits."""
    pixels = width * height
    scale = min(_LARGEST_GROWTH, max(1.0, (_LEAST_PIXELS / pixels) ** 0.5))
    short = _rounded(min(width, height) * scale)
    long = min(_rounded(max(width, height) * scale), _rounded(_MOST_PIXELS / short))
    return (long, short) if width > height else (short, long)


def _rounded(side: float) -> int:
    return max(1, round(side / _MULTIPLE)) * _MULTIPLE


def _bands(width: int, height: int) -> Iterator[tuple[int, int, int, int]]:
    """Left, top, right and bottom of bands that cut the long side and overlap."""
    short, long = sorted((width, height))
    extent = max(4 * _OVERLAP, _BAND_PIXELS // short // _MULTIPLE * _MULTIPLE)
    start, end = 0, 0
    while end < long:
        end = min(long, start + extent)
        yield (start, 0, end, height) if width > height else (0, start, width, end)
        start = end - _OVERLAP


SURE = 0.65
"""Lowest score of a line that is told; what lies below is mostly no text at all."""

INSTALL = "pip install --no-deps rapidocr==3.10.0"
"""How to get the models back, where Vidi was installed without what it depends on."""

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
class OcrModel:
    """A model's file in the package, and the SHA-256 that it must have, in hex."""

    path: Path
    sha256: str


@dataclass(frozen=True, slots=True)
class OcrModels:
    """One finds lines, the other reads their letters."""

    lines: OcrModel
    letters: OcrModel


@dataclass(frozen=True, slots=True)
class _RecognizedLine:
    """A line, what it says, and by how many quarters, counter-clockwise, it was turned to be read."""

    line: LineRegion
    reading: Recognition
    turn: int


class TextReader:
    """The models, loaded when first needed; may be used from several threads."""

    def __init__(self, models: OcrModels, threads: int) -> None:
        """Remember where the models are; one run may keep `threads` cores busy."""
        self._models = models
        self._threads = threads
        self._lock = threading.Lock()
        self._loaded: tuple[LineFinder, TextRecognizer] | None = None

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

    def _load(self) -> tuple[LineFinder, TextRecognizer]:
        with self._lock:
            if self._loaded is None:
                lines, letters = _intact(self._models.lines), _intact(self._models.letters)
                self._loaded = LineFinder(lines, self._threads), TextRecognizer(letters, self._threads)
            return self._loaded


def published_models() -> OcrModels | None:
    """The models in the installed package, found without running its code; None if it is not there."""
    spec = importlib.util.find_spec("rapidocr")
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(spec.submodule_search_locations[0]) / "models"
    lines = OcrModel(
        folder / "PP-OCRv6_det_small.onnx", "090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f"
    )
    letters = OcrModel(
        folder / "PP-OCRv6_rec_small.onnx", "6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884"
    )
    return OcrModels(lines, letters) if lines.path.is_file() and letters.path.is_file() else None


def open_reader(threads: int) -> TextReader | None:
    """A reader; None where the models are not installed. Loads nothing yet."""
    models = published_models()
    return TextReader(models, threads) if models else None


def _intact(model: OcrModel) -> Path:
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


def _read(letters: TextRecognizer, image: Image.Image, line: LineRegion) -> _RecognizedLine:
    """Read a line, the likeliest way up first; the others only if that is not clear."""
    strip = _strip(image, line.corners)
    best = _RecognizedLine(line, Recognition("", 0.0), 0)
    for turn in _turns(strip):
        reading = letters.read(strip.rotate(90 * turn, expand=True))
        # A 6 is no 9.
        believed = turn != 2 or len(reading.text) >= _SHORT
        if believed and reading.score > best.reading.score:
            best = _RecognizedLine(line, reading, turn)
        if best.reading.score >= _CLEAR:
            break
    return best


def _legible(reading: Recognition) -> bool:
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


def _ordered(lines: Sequence[_RecognizedLine]) -> list[_RecognizedLine]:
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


def _told(each: _RecognizedLine, picture: Picture) -> TextLine:
    x0, y0, x1, y1 = np.clip(each.line.box, 0, [picture.width, picture.height] * 2)
    box = picture.placement.box(float(x0), float(y0), float(x1), float(y1))
    return TextLine(each.reading.text, each.reading.score, box)
