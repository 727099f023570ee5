"""Says what a picture as a whole shows, and measures how alike two pictures are: EfficientNet-Lite2."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from vidi.domain.prompt import Picture
from vidi.engines.lite.labels import IMAGENET_CLASSES
from vidi.engines.lite.weights_session import open_session

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
    embedding: npt.NDArray[np.float32]


class Classifier:
    """The model, ready to run; may be used from several threads."""

    def __init__(self, model: Path, threads: int) -> None:
        """Load the model.

        Args:
            model: The ONNX file that `weights.ensure` names.
            threads: How many threads one run may keep busy.
        """
        self._session = open_session(model, threads)

    def classify(self, picture: Picture) -> Classification:
        """Look at the whole picture, squeezed into a square."""
        logits, features = self._session.run(["logits", "features"], {"input": _prepare(picture)})
        weights = np.exp(logits[0] - logits[0].max())
        probabilities = weights / weights.sum()
        best = np.argsort(-probabilities, kind="stable")[:_SHOWN]
        labels = tuple((IMAGENET_CLASSES[index], float(probabilities[index])) for index in best)
        return Classification(labels, features[0] / max(float(np.linalg.norm(features[0])), 1e-9))


def _prepare(picture: Picture) -> npt.NDArray[np.float32]:
    image = Image.frombuffer("RGB", (picture.width, picture.height), picture.rgb)
    square = np.asarray(image.resize((_SIDE, _SIDE), Image.Resampling.BICUBIC), np.float32)
    return np.ascontiguousarray(((square - 127) / 128).transpose(2, 0, 1)[None])
