"""What is known about a picture: found by the models on demand, each part at most once.

Parts are remembered by the picture's digest and size, so that a second question about the same picture
costs no model time. The memory holds findings only, no pixels.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vidi.domain.geometry import GRID, Box
from vidi.domain.prompt import Picture
from vidi.engines.lite import colours, places
from vidi.engines.lite.classifier import Classification
from vidi.engines.lite.detector import Detection
from vidi.engines.lite.duplicates import Distinct, distinct
from vidi.engines.lite.memory import Memory
from vidi.engines.lite.world import World

REMEMBERED_PICTURES = 512
"""How many pictures' findings are kept; some 20 kB each."""

COLOURED = 0.2
"""Lowest score of a thing whose colour is looked for: of what is less sure no colour is told."""


class Detects(Protocol):
    """Finds things: `detector.Detector`, or a stand-in."""

    def detect(self, picture: Picture, *, floor: float = 0.15) -> tuple[Detection, ...]:
        """Everything with a score of at least `floor`, best first."""
        ...


class Classifies(Protocol):
    """Names the whole picture: `classifier.Classifier`, or a stand-in."""

    def classify(self, picture: Picture) -> Classification:
        """The likeliest classes and the embedding."""
        ...


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


class TextReader(Protocol):
    """Reads text: an optional sense."""

    def read(self, picture: Picture) -> tuple[TextLine, ...]:
        """All lines, in reading order."""
        ...


@dataclass(frozen=True, slots=True)
class Thing:
    """One thing in a picture.

    Attributes:
        label: One of the detector's classes.
        score: How sure the detector is, 0..1.
        box: Where it lies, on the caller's image.
        colour: One of `colours.COLOURS`, or "".
        also: Classes that it may be as well: the detector was nearly as sure of them.
    """

    label: str
    score: float
    box: Box
    colour: str = ""
    also: frozenset[str] = frozenset()

    @property
    def cell(self) -> str:
        """The cell of the picture that holds its middle."""
        return places.cell(self.box)

    @property
    def share(self) -> float:
        """The part of the picture that its box takes, 0..1."""
        return self.box.area() / (GRID * GRID)

    @property
    def prominence(self) -> float:
        """How much it stands out: score, size and nearness to the middle."""
        centre = self.box.centre()
        off = max(abs(centre.x - GRID / 2), abs(centre.y - GRID / 2)) / (GRID / 2)
        return self.score * float(np.sqrt(self.share)) * (1 - 0.3 * off)


@dataclass(frozen=True, slots=True)
class Sight:
    """What the detector and the pixels told.

    Attributes:
        things: Most prominent first, every score the detector reports.
        palette: The picture's main colours, most frequent first.
        sharpness: Variance of the Laplacian of a 256-pixel version; under about 50 is blurry.
        flat: Whether the picture is all but one colour.
    """

    things: tuple[Thing, ...]
    palette: tuple[str, ...]
    sharpness: float
    flat: bool


@dataclass(frozen=True, slots=True)
class Senses:
    """The models that look, and what they have found so far."""

    detector: Detects
    classifier: Classifies
    world: World
    sights: Memory[Sight]
    classifications: Memory[Classification]
    texts: Memory[tuple[TextLine, ...]]
    reader: TextReader | None = None


def open_senses(
    detector: Detects, classifier: Classifies, world: World, reader: TextReader | None = None
) -> Senses:
    """Senses with an empty memory."""
    sights = Memory[Sight](REMEMBERED_PICTURES)
    classifications = Memory[Classification](REMEMBERED_PICTURES)
    texts = Memory[tuple[TextLine, ...]](REMEMBERED_PICTURES)
    return Senses(detector, classifier, world, sights, classifications, texts, reader)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known about one picture; a part is found when it is first asked for."""

    picture: Picture
    senses: Senses

    @property
    def world(self) -> World:
        """The tables that tell what belongs to what."""
        return self.senses.world

    @property
    def _key(self) -> Hashable:
        return (self.picture.digest, self.picture.width, self.picture.height)

    @property
    def sight(self) -> Sight:
        """Things, main colours and sharpness."""
        return self.senses.sights.recall(self._key, self._look)

    @property
    def labels(self) -> tuple[tuple[str, float], ...]:
        """The classifier's likeliest classes, best first, with probabilities."""
        return self._classification.labels

    @property
    def embedding(self) -> NDArray[np.float32]:
        """The picture as a direction, for comparing: unit length."""
        return self._classification.embedding

    @property
    def text(self) -> tuple[TextLine, ...] | None:
        """The lines of text; None where nobody here can read."""
        reader = self.senses.reader
        if reader is None:
            return None
        return self.senses.texts.recall(self._key, lambda: reader.read(self.picture))

    @property
    def _classification(self) -> Classification:
        return self.senses.classifications.recall(
            self._key, lambda: self.senses.classifier.classify(self.picture)
        )

    def things(self, floor: float) -> tuple[Thing, ...]:
        """The things with a score of at least `floor`, most prominent first."""
        return tuple(thing for thing in self.sight.things if thing.score >= floor)

    def colour_around(self, rows: tuple[float, float], floor: float) -> str:
        """The commonest colour between two heights, 0..1 from the top, outside the things found."""
        boxes = [thing.box for thing in self.things(floor)]
        white = colours.white_point(self.picture)
        return colours.colour_around(self.picture, boxes, rows, white=white)

    def _look(self) -> Sight:
        white = colours.white_point(self.picture)
        found = self.senses.detector.detect(self.picture)
        things = [self._coloured(each, white) for each in distinct(found, self.world)]
        small = _shrunk(self.picture)
        return Sight(
            things=tuple(sorted(things, key=lambda thing: -thing.prominence)),
            palette=colours.palette(self.picture, white=white),
            sharpness=_sharpness(small),
            flat=float(small.std()) < 3,
        )

    def _coloured(self, found: Distinct, white: float) -> Thing:
        colour = self.world.known_colours.get(found.label, "")
        if not colour and found.score >= COLOURED:
            upper = found.label == "person"
            colour = colours.colour_of(self.picture, found.box, white=white, upper=upper)
        return Thing(found.label, found.score, found.box, colour, found.also)


def _shrunk(picture: Picture, side: int = 256) -> NDArray[np.float32]:
    """Brightness, at most about `side` pixels wide and high, by skipping."""
    pixels = colours.pixels_of(picture)
    step = max(1, max(picture.width, picture.height) // side)
    return np.asarray(pixels[::step, ::step].mean(axis=-1), np.float32)


def _sharpness(small: NDArray[np.float32]) -> float:
    if min(small.shape) < 3:
        return 0.0
    middle = small[1:-1, 1:-1]
    laplacian = small[:-2, 1:-1] + small[2:, 1:-1] + small[1:-1, :-2] + small[1:-1, 2:] - 4 * middle
    return float(laplacian.var())
