from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance

from vidi.domain.geometry import Placement
from vidi.domain.prompt import Picture
from vidi.engines.lite.vision.classifier import Classifier
from vidi.engines.lite.weights.assets import Weights
from vidi.engines.lite.weights.onnx_graph import GraphWriter
from vidi.engines.lite.world import IMAGENET_CLASSES


def as_picture(image: Image.Image) -> Picture:
    width, height = image.size
    placement = Placement(width, height, 0, 0, width, height)
    return Picture(width, height, image.convert("RGB").tobytes(), placement, digest="")


@pytest.fixture(scope="module")
def three_colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose features are the mean red, green and blue; classes 0 to 2 name the strongest."""
    graph = GraphWriter()
    features = graph.node("Flatten", [graph.node("GlobalAveragePool", ["input"])])
    weights = np.zeros((1000, 3), np.float32)
    weights[:3] = 20 * np.eye(3)
    logits = graph.node("Gemm", [features, graph.constant(weights)], transB=1)
    outputs = {"logits": (logits, [1, 1000]), "features": (features, [1, 3])}
    path = tmp_path_factory.mktemp("model") / "colours.onnx"
    path.write_bytes(graph.serialise("colours", ("input", [1, 3, 260, 260]), outputs))
    return path


@pytest.mark.parametrize(("colour", "index"), [("red", 0), ("lime", 1), ("blue", 2)])
@pytest.mark.parametrize("size", [(1, 1), (300, 200), (5000, 20)])
def test_the_likeliest_class_comes_first(
    three_colours: Path, colour: str, index: int, size: tuple[int, int]
) -> None:
    seen = Classifier(three_colours, threads=1).classify(as_picture(Image.new("RGB", size, colour)))
    label, probability = seen.labels[0]
    assert label == IMAGENET_CLASSES[index]
    assert probability > 0.99
    assert len(seen.labels) == 10
    probabilities = [share for _, share in seen.labels]
    assert probabilities == sorted(probabilities, reverse=True)
    assert sum(probabilities) <= 1 + 1e-5


def test_values_are_scaled_as_the_model_was_trained(three_colours: Path) -> None:
    picture = as_picture(Image.new("RGB", (10, 10), (255, 127, 63)))
    embedding = Classifier(three_colours, threads=1).classify(picture).embedding
    raw = np.array([128, 0, -64]) / 128
    np.testing.assert_allclose(embedding, raw / np.linalg.norm(raw), atol=1e-6)
    assert embedding.dtype == np.float32


def test_a_picture_without_any_feature_has_an_embedding(three_colours: Path) -> None:
    picture = as_picture(Image.new("RGB", (10, 10), (127, 127, 127)))
    embedding = Classifier(three_colours, threads=1).classify(picture).embedding
    assert embedding.tolist() == [0, 0, 0]


def crossword() -> Image.Image:
    image = Image.new("RGB", (400, 400), "white")
    draw = ImageDraw.Draw(image)
    black = np.random.default_rng(1).random((15, 15)) < 0.2
    for row, column in np.ndindex(15, 15):
        left, top = 20 + column * 24, 20 + row * 24
        fill = "black" if black[row, column] else "white"
        draw.rectangle((left, top, left + 24, top + 24), outline="black", fill=fill, width=2)
    return image


@pytest.mark.weights
def test_the_real_model_knows_a_crossword(real_weights: Weights) -> None:
    labels = Classifier(real_weights.classifier, threads=1).classify(as_picture(crossword())).labels
    assert labels[0][0] == "crossword puzzle"


@pytest.mark.weights
def test_edited_pictures_stay_alike(real_weights: Weights) -> None:
    classifier = Classifier(real_weights.classifier, threads=1)

    def likeness(one: Image.Image, other: Image.Image) -> float:
        return float(
            classifier.classify(as_picture(one)).embedding @ classifier.classify(as_picture(other)).embedding
        )

    image = crossword()
    other = Image.radial_gradient("L").convert("RGB")
    assert likeness(image, image) == pytest.approx(1, abs=1e-5)
    assert likeness(image, ImageEnhance.Brightness(image).enhance(0.8)) > 0.8
    assert likeness(image, other) < 0.6
