"""What is known about a picture: found by the models on demand, each part at most once.

Parts are remembered by the picture's digest and size, so that a second question about the same picture
costs no model time. The memory holds findings only, no pixels.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from vidi.domain.geometry import GRID, Box
from vidi.domain.prompt import Picture
from vidi.engines.lite.vision import colours
from vidi.engines.lite.vision.classifier import Classification
from vidi.engines.lite.vision.detector import Detection
from vidi.engines.lite.vision.ocr import TextLine
from vidi.engines.lite.world import World, cell_of, shared
from vidi.lru import LruCache

SAME_THING = 0.5
SAME_PLACE = 0.85
"""Overlap from which two boxes of confusable classes, and of any two classes, are one thing."""

WITHIN = 0.75
"""A weaker box that lies in a stronger one of its class by this part is a piece of the same thing."""

NEARLY = 0.75
"""A class whose score is at least this part of the best one's is remembered as possible."""


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
        return cell_of(self.box)

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


def distinct(found: Sequence[Detection], world: World) -> tuple[Thing, ...]:
    """Join what is one thing; best first."""
    kept: list[Thing] = []
    for each in sorted(found, key=lambda detection: -detection.score):
        at = next((at for at, other in enumerate(kept) if _same(each, other, world)), None)
        if at is None:
            kept.append(Thing(each.label, each.score, each.box))
        elif each.label != kept[at].label and each.score >= NEARLY * kept[at].score:
            kept[at] = replace(kept[at], also=kept[at].also | {each.label})
    return tuple(kept)


def _same(weaker: Detection, stronger: Thing, world: World) -> bool:
    overlap = weaker.box.overlap(stronger.box)
    if weaker.label == stronger.label:
        # A person before another one lies in the other's box, and is no piece of it.
        piece = weaker.label != "person" and shared(weaker.box, stronger.box) > WITHIN
        return overlap > SAME_THING or piece
    if overlap > SAME_PLACE:
        return weaker.label != "person"
    return overlap > SAME_THING and world.confusable(weaker.label, stronger.label)


Value = TypeVar("Value")


class SharedPictures(Generic[Value]):
    """Values by key, the least recently used forgotten first. Safe to use from several threads."""

    def __init__(self, capacity: int) -> None:
        """Hold at most `capacity` values."""
        self._lock = threading.Lock()
        self._values = LruCache[Hashable, Future[Value]](capacity)

    def recall(self, key: Hashable, work_out: Callable[[], Value]) -> Value:
        """The value of a key; the first to ask works it out while others who ask for it wait.

        An error is raised to all who wait, and forgotten.
        """
        with self._lock:
            known = self._values.get(key)
            if known is None:
                promise = Future[Value]()
                self._values.put(key, promise)
        if known is not None:
            return known.result()
        try:
            promise.set_result(work_out())
        except BaseException as error:
            with self._lock:
                self._values.discard(key)
            promise.set_exception(error)
            raise
        return promise.result()


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From which score on something is said: in one table, so that each can be varied and judged.

    `python -m bench quality --curves` draws the curves.

    Scores are the detector's, 0..1; probabilities are the classifier's, summed over the classes meant.

    Attributes:
        shown: A thing that is counted, boxed or placed, where the prompt names none. What is less sure, and
            all that is seen, a caption tells as a maybe.
        named: A box of a class that the prompt names.
        fair: A named thing, as a part of the best score of its kind.
        there: A thing that answers "is there".
        hinted: A thing that looks a little like what is asked after: a no is then no firm one.
        numbered: A thing of a named class that is counted.
        supposed: A thing that a question presupposes: "where is the bicycle?".
        touched: A thing that someone touches who does something.
        kind_there: Probability of a classifier class that answers "is there".
        taken: A thing that stands in the way of a classifier class that it is often taken for.
        told: The thing that a caption states, if there is one; one of the many that are "several".
        others: A thing that a caption states beside it.
        clear: A thing that counts in a caption's "two", and that leads it before what is less sure.
        classified: Probability of a place, and of the kinds of a doubtful thing that make it worth telling.
        detailed: A thing that a detailed description states.
    """

    shown: float = 0.34
    named: float = 0.2
    fair: float = 0.3
    there: float = 0.26
    hinted: float = 0.18
    numbered: float = 0.25
    supposed: float = 0.15
    touched: float = 0.2
    kind_there: float = 0.15
    taken: float = 0.35
    told: float = 0.25
    others: float = 0.4
    clear: float = 0.5
    classified: float = 0.2
    detailed: float = 0.33


WILD = 0.65
"""Probability of a wild animal's classes from which an animal that the detector found is taken for it."""

SURE_ANIMAL = 0.7
"""Score from which the detector's word for an animal stands against the classifier's."""

REMEMBERED_PICTURES = 512
"""How many pictures' findings are kept; some 20 kB each."""


def _memory() -> SharedPictures[Value]:
    return SharedPictures(REMEMBERED_PICTURES)


COLOURED = 0.15
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


class ReadsText(Protocol):
    """Reads text: `ocr.TextReader`, or a stand-in; may be missing."""

    def read(self, picture: Picture) -> tuple[TextLine, ...]:
        """All lines, in reading order."""
        ...


@dataclass(frozen=True, slots=True)
class Detections:
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
class VisionModels:
    """The models that look, and what they have found so far."""

    detector: Detects
    classifier: Classifies
    world: World
    reader: ReadsText | None = None
    thresholds: Thresholds = field(default_factory=Thresholds)
    detections: SharedPictures[Detections] = field(default_factory=_memory)
    classifications: SharedPictures[Classification] = field(default_factory=_memory)
    texts: SharedPictures[tuple[TextLine, ...]] = field(default_factory=_memory)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known about one picture; a part is found when it is first asked for."""

    picture: Picture
    models: VisionModels

    @property
    def world(self) -> World:
        """The tables that tell what belongs to what."""
        return self.models.world

    @property
    def least(self) -> Thresholds:
        """From which score on something is said."""
        return self.models.thresholds

    @property
    def _key(self) -> Hashable:
        return (self.picture.digest, self.picture.width, self.picture.height)

    @property
    def detections(self) -> Detections:
        """Things, main colours and sharpness."""
        return self.models.detections.recall(self._key, self._look)

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
        reader = self.models.reader
        if reader is None:
            return None
        return self.models.texts.recall(self._key, lambda: reader.read(self.picture))

    @property
    def _classification(self) -> Classification:
        return self.models.classifications.recall(
            self._key, lambda: self.models.classifier.classify(self.picture)
        )

    def things(self, floor: float | None = None) -> tuple[Thing, ...]:
        """The things with a score of at least `floor`, by default what is shown; most prominent first."""
        floor = self.least.shown if floor is None else floor
        return tuple(thing for thing in self.detections.things if thing.score >= floor)

    def colour_around(self, rows: tuple[float, float], floor: float) -> str:
        """The commonest colour between two heights, 0..1 from the top, outside the things found."""
        boxes = [thing.box for thing in self.things(floor)]
        return colours.colour_around(self.picture, boxes, rows, under=self._light)

    def share_of(self, colour: str, rows: tuple[float, float]) -> float:
        """The part that a colour takes between two heights, 0..1 from the top, things and all."""
        return colours.share_of(self.picture, colour, rows, under=self._light)

    def colour_worn(self, person: Thing, rows: colours.Rows) -> str:
        """The colour of what a person wears between two heights of the box, 0..1 from its top."""
        return colours.colour_of(self.picture, person.box, under=self._light, worn=rows)

    @property
    def _light(self) -> colours.Illumination:
        return colours.illumination_of(self.picture)

    def _look(self) -> Detections:
        light = self._light
        found = self._renamed(self.models.detector.detect(self.picture))
        things = [self._coloured(each, light) for each in distinct(found, self.world)]
        small = _shrunk(self.picture)
        return Detections(
            things=tuple(sorted(things, key=lambda thing: -thing.prominence)),
            palette=colours.palette(self.picture, under=light),
            sharpness=_sharpness(small),
            flat=float(small.std()) < 3,
        )

    def _renamed(self, found: Sequence[Detection]) -> Sequence[Detection]:
        """The same, but for animals of which the classifier knows better: the detector has no lions.

        What it is sure of, and what the classifier sees too, keeps its name.
        """
        animals = self.world.groups["animal"]
        if not any(each.label in animals and each.score >= self.least.told for each in found):
            return found
        kinds = defaultdict[str, float](float)
        for label, probability in self.labels:
            kinds[self.world.family.get(label, "")] += probability
        wild = max(self.world.wild, key=lambda name: kinds[name])
        if kinds[wild] < WILD:
            return found
        agreed = {label for label, probability in kinds.items() if probability >= self.least.classified}
        return [
            replace(each, label=wild)
            if each.label in animals and each.score < SURE_ANIMAL and each.label not in agreed
            else each
            for each in found
        ]

    def _coloured(self, found: Thing, light: colours.Illumination) -> Thing:
        colour = self.world.known_colours.get(found.label, "")
        if not colour and found.score >= COLOURED:
            worn = colours.UPPER_BODY if found.label == "person" else None
            colour = colours.colour_of(self.picture, found.box, under=light, worn=worn)
        return replace(found, colour=colour)


def _shrunk(picture: Picture, side: int = 256) -> NDArray[np.float32]:
    """Brightness, at most about `side` pixels wide and high, by skipping."""
    pixels = colours.pixels_of(picture)
    step = max(1, max(picture.width, picture.height) // side)
    return np.asarray(pixels[::step, ::step].mean(axis=-1), np.float32)


def _sharpness(small: NDArray[np.float32]) -> float:
    if min(small.shape) < 3:
        return 0.0
    return float(colours.laplacian(small).var())
