"""Asking the built-in engine in this process, its models' looks remembered in a folder.

What the models see in a photograph is written down once. After that a change of rules or thresholds is
judged in seconds, over the boxes that were found or over the true ones. Text is not read here.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from bench.asking import Ask, NoServer, Reply
from bench.dataset import Photo
from vidi.domain.geometry import Placement
from vidi.domain.prompt import Output, Picture, Prompt, Request, Role, TextFormat, Turn
from vidi.engines.lite.engine import reply
from vidi.engines.lite.evidence import Evidence, Thresholds, VisionModels
from vidi.engines.lite.language.intents import load_languages
from vidi.engines.lite.vision.classifier import Classification, Classifier
from vidi.engines.lite.vision.detector import COCO_CLASSES, Detection, Detector, RawBoxes
from vidi.engines.lite.weights.assets import ensure
from vidi.engines.lite.world import load_world
from vidi.in_process import context, installed
from vidi.settings import load

MODEL = "vidi-lite"
LOWEST = 0.03
"""Score from which a look's boxes are written down; no rule asks for less."""


class RememberedDetector(Detector):
    """The detector; each look at each picture is made once for all runs."""

    def __init__(self, model: Path, folder: Path) -> None:
        """Load the model; looks are kept in `folder`, which must exist."""
        super().__init__(model, threads=1)
        self._folder = folder

    def look(self, picture: Picture, long_side: int, floor: float, *, mirrored: bool = False) -> RawBoxes:
        """A look as the detector makes it, from the folder if it lies there."""
        file = self._folder / f"{picture.digest[:32]}-{long_side}{'m' * mirrored}.npz"
        if not file.exists():
            found = super().look(picture, long_side, LOWEST, mirrored=mirrored)
            np.savez(file, labels=found.labels, scores=found.scores, corners=found.corners)
        with np.load(file) as kept:
            every = RawBoxes(kept["labels"], kept["scores"], kept["corners"])
        return every.at(every.scores >= max(floor, LOWEST))


class RememberedClassifier(Classifier):
    """The classifier; each picture is classified once for all runs."""

    def __init__(self, model: Path, folder: Path) -> None:
        """Load the model; what it says is kept in `folder`, which must exist."""
        super().__init__(model, threads=1)
        self._folder = folder

    def classify(self, picture: Picture) -> Classification:
        """What the classifier says, from the folder if it lies there."""
        file = self._folder / f"{picture.digest[:32]}-classes.npz"
        if not file.exists():
            found = super().classify(picture)
            names, shares = zip(*found.labels, strict=True)
            np.savez(file, names=np.array(names), shares=np.array(shares), embedding=found.embedding)
        with np.load(file) as kept:
            pairs = zip(kept["names"].tolist(), kept["shares"].tolist(), strict=True)
            return Classification(tuple(pairs), kept["embedding"])


class TrueBoxes:
    """A detector that sees what the annotation has, and nothing else; of a crowd, its one box."""

    def __init__(self, photos: Mapping[str, Photo]) -> None:
        """Take the photographs by their pictures' digests."""
        self._photos = photos

    def detect(self, picture: Picture, *, floor: float = 0.15) -> tuple[Detection, ...]:
        """Every annotated thing, as sure as can be."""
        things = self._photos[picture.digest].things
        known = (thing for thing in things if thing.label in COCO_CLASSES)
        return tuple(
            Detection(thing.label, max(floor, 0.99), picture.placement.box(*thing.box)) for thing in known
        )


class Inside:
    """Asks the engine as `asking.Asker` asks a server."""

    def __init__(self, photos: Sequence[Photo], folder: Path, kept: Path) -> None:
        """Load models and photographs.

        Args:
            photos: What will be asked about.
            folder: Where the photographs are.
            kept: Where the looks are kept; made if it is missing.

        Raises:
            NoServer: The weights are not in the cache.
        """
        settings = load({})
        if not installed(settings)[MODEL].ready:
            raise NoServer("the weights are not in the cache: run `vidi pull vidi-lite` first")
        weights = ensure(context(settings))
        kept.mkdir(parents=True, exist_ok=True)
        self.pictures = {photo.file: picture_of(folder / photo.file) for photo in photos}
        world = load_world()
        self._languages = load_languages(world)
        detector = RememberedDetector(weights.detector, kept)
        self._models = VisionModels(detector, RememberedClassifier(weights.classifier, kept), world)
        by_digest = {self.pictures[photo.file].digest: photo for photo in photos}
        self._true = VisionModels(TrueBoxes(by_digest), self._models.classifier, world)

    @property
    def thresholds(self) -> Thresholds:
        """The engine's own."""
        return self._models.thresholds

    def __call__(self, ask: Ask, *, thresholds: Thresholds | None = None, true_boxes: bool = False) -> Reply:
        """Answer one request, over other thresholds or over the true boxes if that is asked."""
        models = self._true if true_boxes else self._models
        models = replace(models, thresholds=thresholds or models.thresholds)
        parts: tuple[str | Picture, ...] = (*(self.pictures[file] for file in ask.photos), ask.prompt)
        output = Output(TextFormat.JSON if ask.json_wanted else TextFormat.PLAIN)
        prompt: Prompt = Request(turns=(Turn(Role.USER, parts),), output=output)
        start = time.perf_counter()
        text = "".join(reply(prompt, models, self._languages))
        return Reply(ask, text, (time.perf_counter() - start) * 1000)

    def found(self, photo: Photo) -> Iterator[tuple[str, tuple[float, float, float, float], float]]:
        """What is seen in a photograph after every rule: label, corners in pixels, score."""
        picture = self.pictures[photo.file]
        for thing in Evidence(picture, self._models).detections.things:
            yield thing.label, picture.placement.pixels(thing.box), thing.score

    def over(self, *, thresholds: Thresholds | None = None, true_boxes: bool = False) -> partial[Reply]:
        """Asks over other thresholds, or over the true boxes."""
        return partial(self, thresholds=thresholds, true_boxes=true_boxes)


def picture_of(file: Path) -> Picture:
    """A photograph as the engine gets it where it is within the pixel budget: unscaled."""
    content = file.read_bytes()
    with Image.open(file) as image:
        rgb = image.convert("RGB")
    placement = Placement(rgb.width, rgb.height, 0, 0, rgb.width, rgb.height)
    return Picture(rgb.width, rgb.height, rgb.tobytes(), placement, hashlib.sha256(content).hexdigest())
