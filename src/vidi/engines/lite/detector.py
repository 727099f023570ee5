"""Finds everyday things in a picture: NanoDet-g over the 80 classes of COCO."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from vidi.domain.geometry import Box
from vidi.domain.prompt import Picture
from vidi.engines.lite.detector_boxes import Found, decode, suppress
from vidi.engines.lite.labels import COCO_CLASSES
from vidi.engines.lite.weights_session import open_session

_LONG_SIDE = 512
_MULTIPLE = 32
_MEAN = np.array((103.53, 116.28, 123.675), np.float32)
_SCALE = np.array((1 / 57.375, 1 / 57.12, 1 / 58.395), np.float32)
"""Per channel, blue first: the model's own."""


@dataclass(frozen=True, slots=True)
class Detection:
    """One thing that was found.

    Attributes:
        label: One of `COCO_CLASSES`.
        score: The model's confidence, 0..1.
        box: Where it lies, on the caller's upright image.
    """

    label: str
    score: float
    box: Box


class Detector:
    """The model, ready to run; may be used from several threads."""

    def __init__(self, model: Path, threads: int) -> None:
        """Load the model.

        Args:
            model: The ONNX file that `weights.ensure` names.
            threads: How many threads one run may keep busy.
        """
        self._session = open_session(model, threads)

    def detect(self, picture: Picture, *, floor: float = 0.15) -> tuple[Detection, ...]:
        """Find things.

        Args:
            picture: Any size; it is scaled to the model's.
            floor: Lowest score that is worth reporting, above 0.

        Returns:
            Every detection with a score of at least `floor`, best first, one for each thing and class.
        """
        found = suppress(self._look(picture, _LONG_SIDE, floor))
        return tuple(
            Detection(COCO_CLASSES[label], float(score), picture.placement.box(*corners.tolist()))
            for label, score, corners in zip(found.labels, found.scores, found.corners, strict=True)
        )

    def _look(self, picture: Picture, long_side: int, floor: float) -> Found:
        """One run at one size; corners in pixels of the picture."""
        factor = long_side / max(picture.width, picture.height)
        width = max(1, round(picture.width * factor))
        height = max(1, round(picture.height * factor))
        outputs = self._session.run(None, {"input": _prepare(picture, width, height)})
        found = decode([np.asarray(output)[0] for output in outputs], floor)
        scale = np.array((picture.width / width, picture.height / height) * 2, np.float32)
        limits = np.array((picture.width, picture.height) * 2, np.float32)
        return Found(found.labels, found.scores, np.clip(found.corners * scale, 0, limits))


def _prepare(picture: Picture, width: int, height: int) -> npt.NDArray[np.float32]:
    """Scale, normalise, and fill up at the right and bottom to what the model's strides need."""
    image = Image.frombuffer("RGB", (picture.width, picture.height), picture.rgb)
    scaled = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))
    rows, columns = (-(-side // _MULTIPLE) * _MULTIPLE for side in (height, width))
    tensor = np.zeros((1, 3, rows, columns), np.float32)
    tensor[0, :, :height, :width] = ((scaled[:, :, ::-1] - _MEAN) * _SCALE).transpose(2, 0, 1)
    return tensor
