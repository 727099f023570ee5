"""The yardstick of a caption is the runs that a caption makes."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench import lite
from vidi.domain.geometry import Placement
from vidi.domain.prompt import Picture
from vidi.engines.lite.vision import classifier, detector
from vidi.engines.lite.vision.onnx import Floats

PHOTOS = lite.photographs()


class Fed:
    """A network that notes what it is fed, and sees nothing."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def run(self, tensor: Floats) -> list[Floats]:
        self.shapes.append(tensor.shape[1:])
        _, _, rows, columns = tensor.shape
        levels = [
            np.full((1, 124, rows // stride, columns // stride), -99, np.float32) for stride in (8, 16, 32)
        ]
        return levels if tensor.shape[1:] in lite.LOOKS else [np.zeros((1, 1000), np.float32)] * 2


def test_the_bare_runs_are_those_of_a_caption(monkeypatch: pytest.MonkeyPatch) -> None:
    fed = Fed()
    for module in (detector, classifier):
        monkeypatch.setattr(module, "Network", lambda *_: fed)
    width, height = lite.SIZE
    plain = Picture(
        width, height, bytes(width * height * 3), Placement(width, height, 0, 0, width, height), "x"
    )
    detector.Detector(Path("m"), 1).detect(plain)
    classifier.Classifier(Path("m"), 1).classify(plain)
    assert fed.shapes == [*lite.LOOKS, lite.GLANCE]


@pytest.mark.skipif(not PHOTOS, reason="scikit-image is not installed (requirements/photos.txt)")
def test_the_photographs_have_the_size_that_rows_name() -> None:
    assert len(PHOTOS) == len(lite.FILES)
    for photo in PHOTOS:
        with Image.open(io.BytesIO(photo)) as image:
            assert (image.format, image.size) == ("JPEG", lite.SIZE)
