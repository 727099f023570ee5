"""Pictures painted from boxes, and models that find just those: the engine without its weights."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from vidi.domain.answer import Answer, fold
from vidi.domain.geometry import Box, Placement
from vidi.domain.prompt import Output, Picture, Prompt, Request, Role, Sampling, TextFormat, Turn
from vidi.domain.schema import Schema
from vidi.engines.lite.engine import Lite
from vidi.engines.lite.evidence import Evidence, ReadsText, VisionModels
from vidi.engines.lite.language.intents import load_languages
from vidi.engines.lite.vision.classifier import Classification
from vidi.engines.lite.vision.detector import Detection
from vidi.engines.lite.vision.ocr import TextLine
from vidi.engines.lite.world import load_world

WORLD = load_world()
LANGUAGES = load_languages(WORLD)
ENGLISH = LANGUAGES.by_id["en"]
TURKISH = LANGUAGES.by_id["tr"]

PAINTS = {
    "black": (10, 10, 10),
    "white": (245, 245, 245),
    "gray": (128, 128, 128),
    "red": (200, 20, 20),
    "orange": (250, 140, 20),
    "brown": (110, 70, 35),
    "yellow": (245, 225, 30),
    "green": (30, 150, 40),
    "blue": (30, 60, 200),
    "purple": (120, 30, 180),
    "pink": (250, 150, 190),
}
"""What the colours' names are painted with."""


@dataclass(frozen=True)
class Painted:
    """A thing to find: its class, where it is (box_2d, 0..1000), its colour and score."""

    label: str
    box: tuple[int, int, int, int]
    colour: str = "red"
    score: float = 0.9


@dataclass(frozen=True)
class Scene:
    """A picture and what the models will say of it."""

    things: tuple[Painted, ...] = ()
    labels: tuple[tuple[str, float], ...] = ()
    background: str = "white"
    embedding: tuple[float, ...] = (1.0, 0.0)
    text: tuple[TextLine, ...] = ()
    width: int = 200
    height: int = 200

    @property
    def picture(self) -> Picture:
        """The painting; small, the same for the same scene."""
        pixels = np.full((self.height, self.width, 3), PAINTS[self.background], np.uint8)
        for thing in reversed(self.things):
            ymin, xmin, ymax, xmax = thing.box
            rows = slice(ymin * self.height // 1000, max(1, ymax * self.height // 1000))
            columns = slice(xmin * self.width // 1000, max(1, xmax * self.width // 1000))
            pixels[rows, columns] = PAINTS[thing.colour]
        return picture_of(pixels, repr(self))


def picture_of(pixels: NDArray[np.uint8], name: str = "") -> Picture:
    """An array of shape (height, width, 3) as a picture."""
    height, width = pixels.shape[:2]
    digest = hashlib.sha256(pixels.tobytes() + name.encode()).hexdigest()
    placement = Placement(width, height, 0, 0, width, height)
    return Picture(width, height, pixels.tobytes(), placement, digest)


@dataclass
class FakeModels:
    """Detector, classifier and reader that know a few scenes; they count how often they look."""

    scenes: dict[str, Scene] = field(default_factory=dict)
    looks: int = 0
    classifications: int = 0
    readings: int = 0

    def know(self, scene: Scene) -> Picture:
        """The scene's picture, from now on recognised."""
        picture = scene.picture
        self.scenes[picture.digest] = scene
        return picture

    def detect(self, picture: Picture, *, floor: float = 0.15) -> tuple[Detection, ...]:
        self.looks += 1
        things = self._scene(picture).things
        found = (Detection(each.label, each.score, Box(*each.box)) for each in things if each.score >= floor)
        return tuple(sorted(found, key=lambda detection: -detection.score))

    def classify(self, picture: Picture) -> Classification:
        self.classifications += 1
        scene = self._scene(picture)
        return Classification(scene.labels, np.asarray(scene.embedding, np.float32))

    def read(self, picture: Picture) -> tuple[TextLine, ...]:
        self.readings += 1
        return self._scene(picture).text

    def _scene(self, picture: Picture) -> Scene:
        return self.scenes.get(picture.digest, Scene())


def vision_of(models: FakeModels, reader: ReadsText | None = None) -> VisionModels:
    """The fakes as the engine's vision models."""
    return VisionModels(models, models, WORLD, reader)


def evidence_of(scene: Scene, *, reads: bool = False) -> Evidence:
    """What is known about a scene."""
    models = FakeModels()
    picture = models.know(scene)
    return Evidence(picture, vision_of(models, models if reads else None))


def lite_of(models: FakeModels, *, reads: bool = False) -> Lite:
    """The engine over the fakes."""
    return Lite(vision_of(models, models if reads else None), LANGUAGES, slots=2)


def ask(
    scenes: Scene | Sequence[Scene],
    text: str,
    *,
    system: str = "",
    output: Output | None = None,
    reads: bool = False,
) -> str:
    """What the engine answers to one text about one or more scenes."""
    models = FakeModels()
    pictures = [models.know(each) for each in ([scenes] if isinstance(scenes, Scene) else scenes)]
    prompt: Prompt = Request(
        turns=(Turn(Role.USER, (*pictures, text)),), system=system, output=output or Output()
    )
    return told(lite_of(models, reads=reads), prompt).text


def ask_json(
    scenes: Scene | Sequence[Scene], text: str, schema: Schema | None = None, system: str = ""
) -> str:
    """What the engine answers when JSON is wanted."""
    return ask(scenes, text, system=system, output=Output(TextFormat.JSON, schema))


def told(engine: Lite, prompt: Prompt) -> Answer:
    """The one whole answer to a prompt."""
    (answer,) = fold(engine.generate(prompt))
    return answer


def limited(prompt: Prompt, sampling: Sampling) -> Prompt:
    """The prompt under other limits."""
    return replace(prompt, sampling=sampling)


BUS = Painted("bus", (300, 300, 700, 800), "red", 0.9)
CAR_LEFT = Painted("car", (600, 20, 700, 150), "blue", 0.8)
CAR_RIGHT = Painted("car", (600, 850, 700, 980), "blue", 0.7)
STREET = Scene(things=(BUS, CAR_LEFT, CAR_RIGHT), labels=(("trolleybus", 0.3),), background="gray")

DOG = Painted("dog", (500, 550, 800, 750), "brown", 0.8)
PERSON = Painted("person", (200, 200, 900, 450), "green", 0.9)
FRISBEE = Painted("frisbee", (350, 400, 400, 470), "yellow", 0.7)
PARK = Scene(things=(PERSON, DOG, FRISBEE), labels=(("golden retriever", 0.4), ("hay", 0.05)))

KITCHEN = Scene(
    things=(
        Painted("oven", (400, 100, 800, 400), "white", 0.8),
        Painted("refrigerator", (100, 600, 900, 850), "black", 0.7),
        Painted("sink", (450, 420, 550, 580), "gray", 0.6),
    ),
    labels=(("microwave", 0.3), ("stove", 0.3)),
)
NOTHING = Scene(labels=(("tench", 0.01),))
