"""Finds everyday things in a picture: NanoDet-g over the 80 classes of COCO."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from vidi.domain.geometry import Box
from vidi.domain.prompt import MediaResolution, Picture
from vidi.engines.lite.detector_boxes import Floats, Found, decode, suppress
from vidi.engines.lite.detector_fusion import fuse, yield_to_better
from vidi.engines.lite.labels import COCO_CLASSES
from vidi.engines.lite.weights_network import Network, give_back

_ALONE = 512
_OVERVIEW = 448
_CLOSE_UP = {MediaResolution.LOW: _ALONE, MediaResolution.MEDIUM: 704}
_CLOSEST_UP = 1024
"""Long sides in pixels: of the only run, of the first of two, and of the second by media resolution."""

_SHARE_OF_FLOOR = 1 / 3
_MULTIPLE = 32
_MEAN = (103.53, 116.28, 123.675)
_SCALE = (1 / 57.375, 1 / 57.12, 1 / 58.395)
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
        self._network = Network(model, threads)

    def detect(self, picture: Picture, *, floor: float = 0.15) -> tuple[Detection, ...]:
        """Find things, in two looks: one over a small copy for large things, one over a large for small.

        With media resolution LOW there is one look, with MEDIUM the second is less close.

        Args:
            picture: Any size; it is scaled to the model's.
            floor: Lowest score that is worth reporting, above 0 and below 1.

        Returns:
            Every detection with a score of at least `floor`, best first, one for each thing and class.
        """
        found = self._find(picture, floor)
        give_back()
        found = found.at(found.scores >= floor)
        return tuple(
            Detection(COCO_CLASSES[label], float(score), picture.placement.box(*corners.tolist()))
            for label, score, corners in zip(found.labels, found.scores, found.corners, strict=True)
        )

    def _find(self, picture: Picture, floor: float) -> Found:
        long_side = max(picture.width, picture.height)
        # Enlarging a small picture further shows nothing more.
        largest = max(_ALONE, 2 * long_side)
        close_up = min(_CLOSE_UP.get(picture.resolution, _CLOSEST_UP), largest)
        if close_up <= _ALONE:
            return yield_to_better(self._look(picture, _ALONE, floor))
        # Two looks share a score, so either may be under the floor when their mean is not.
        floor *= _SHARE_OF_FLOOR
        overview = self._look(picture, _OVERVIEW, floor)
        return yield_to_better(fuse(overview, self._look(picture, close_up, floor), long_side))

    def _look(self, picture: Picture, long_side: int, floor: float) -> Found:
        """One run at one size; corners in pixels of the picture."""
        factor = long_side / max(picture.width, picture.height)
        width = max(1, round(picture.width * factor))
        height = max(1, round(picture.height * factor))
        outputs = self._network.run(_prepare(picture, width, height))
        found = suppress(decode([output[0] for output in outputs], floor))
        scale = np.array((picture.width / width, picture.height / height) * 2, np.float32)
        limits = np.array((picture.width, picture.height) * 2, np.float32)
        return Found(found.labels, found.scores, np.clip(found.corners * scale, 0, limits))


def _prepare(picture: Picture, width: int, height: int) -> Floats:
    """Scale, normalise, and fill up at the right and bottom to what the model's strides need."""
    image = Image.frombuffer("RGB", (picture.width, picture.height), picture.rgb)
    scaled = np.asarray(image.resize((width, height), Image.Resampling.HAMMING))
    rows, columns = (-(-side // _MULTIPLE) * _MULTIPLE for side in (height, width))
    tensor = np.zeros((1, 3, rows, columns), np.float32)
    for plane, channel, mean, scale in zip(tensor[0], (2, 1, 0), _MEAN, _SCALE, strict=True):
        part = plane[:height, :width]
        np.subtract(scaled[:, :, channel], np.float32(mean), out=part)
        part *= np.float32(scale)
    return tensor
