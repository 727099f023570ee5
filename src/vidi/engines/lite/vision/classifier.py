"""Says what a picture as a whole shows, and measures how alike two pictures are: EfficientNet-Lite2."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from vidi.domain.prompt import Picture
from vidi.engines.lite.vision.onnx import Floats, Network
from vidi.engines.lite.world import IMAGENET_CLASSES

_SIDE = 260
_SHOWN = 10


@dataclass(frozen=True, slots=True, eq=False)
class Classification:
    """What a picture shows.

    Attributes:
        labels: The ten likeliest of `IMAGENET_CLASSES`, best first, each with its probability, 0..1.
        embedding: 1,280 numbers, length 1; the dot product of two is their pictures' likeness, 0..1.
    """

    labels: tuple[tuple[str, float], ...]
    embedding: Floats


class Classifier:
    """The model, ready to run; may be used from several threads."""

    def __init__(self, model: Path, threads: int) -> None:
        """Load the model.

        Args:
            model: The ONNX file that `weights.ensure` names.
            threads: How many threads one run may keep busy.
        """
        self._network = Network(model, threads)

    def classify(self, picture: Picture) -> Classification:
        """Look at the whole picture, squeezed into a square."""
        logits, features = (output[0] for output in self._network.run(_prepare(picture)))
        weights = np.exp(logits - logits.max())
        probabilities = weights / weights.sum()
        best = np.argsort(-probabilities, kind="stable")[:_SHOWN]
        labels = tuple((IMAGENET_CLASSES[index], float(probabilities[index])) for index in best)
        return Classification(labels, features / max(float(np.linalg.norm(features)), 1e-9))


def _prepare(picture: Picture) -> Floats:
    image = Image.frombuffer("RGB", (picture.width, picture.height), picture.rgb)
    square = np.asarray(image.resize((_SIDE, _SIDE), Image.Resampling.BICUBIC), np.float32)
    return np.ascontiguousarray(((square - 127) / 128).transpose(2, 0, 1)[None])
