from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from vidi.domain.geometry import Box, Placement
from vidi.domain.prompt import MediaResolution, Picture
from vidi.engines.lite.vision.detector import COCO_CLASSES, Detection, Detector
from vidi.engines.lite.weights.assets import Weights
from vidi.engines.lite.weights.onnx_graph import GraphWriter

CLOCK = COCO_CLASSES.index("clock")


@pytest.fixture(scope="module")
def bright_is_a_clock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with the detector's shapes: a bright cell is a clock that reaches half a cell to each side."""
    graph = GraphWriter()
    outputs = {}
    for index, stride in enumerate((8, 16, 32)):
        mean = graph.node("AveragePool", ["input"], kernel_shape=[stride, stride], strides=[stride, stride])
        weights = np.zeros((124, 3, 1, 1), np.float32)
        bias = np.full(124, -30, np.float32)
        # Only the middle level sees anything: white is about 2.6 once normalised, black about -2.
        weights[CLOCK] = 3 if index == 1 else 0
        bias[CLOCK] = -15 if index == 1 else -30
        bias[[80, 81, 91, 92, 102, 103, 113, 114]] = 10  # as likely 0 as 1 strides away
        tensor = graph.node("Conv", [mean, graph.constant(weights), graph.constant(bias)])
        outputs[f"output_{index}"] = (tensor, [1, 124, None, None])
    path = tmp_path_factory.mktemp("model") / "clock.onnx"
    path.write_bytes(graph.serialise("clock", ("input", [1, 3, "height", "width"]), outputs))
    return path


def white_square(width: int, height: int, corners: tuple[int, int, int, int]) -> Picture:
    image = Image.new("RGB", (width, height))
    image.paste((255, 255, 255), corners)
    placement = Placement(width, height, 0, 0, width, height)
    return Picture(width, height, image.tobytes(), placement, digest="square")


def spot(found: tuple[Detection, ...]) -> Box:
    """The area that all the boxes cover together."""
    boxes = [detection.box for detection in found]
    return Box(
        min(box.ymin for box in boxes),
        min(box.xmin for box in boxes),
        max(box.ymax for box in boxes),
        max(box.xmax for box in boxes),
    )


@pytest.mark.parametrize(
    ("width", "height"), [(512, 512), (640, 480), (480, 640), (200, 100), (1500, 900), (1000, 150)]
)
@pytest.mark.parametrize("resolution", list(MediaResolution))
def test_boxes_lie_on_the_picture_at_any_size(
    bright_is_a_clock: Path, width: int, height: int, resolution: MediaResolution
) -> None:
    quarter = (width // 2, height // 4, width * 3 // 4, height // 2)
    picture = replace(white_square(width, height, quarter), resolution=resolution)
    found = Detector(bright_is_a_clock, threads=1).detect(picture)
    assert {detection.label for detection in found} == {"clock"}
    near = 16 / 448 * 1000 * max(width / height, 1) + 1
    assert spot(found).box_2d() == pytest.approx((250, 500, 500, 750), abs=near)


def test_a_mirrored_look_finds_things_where_they_are(bright_is_a_clock: Path) -> None:
    detector = Detector(bright_is_a_clock, threads=1)
    picture = white_square(448, 448, (32, 64, 96, 128))
    plain, mirrored = (detector.look(picture, 448, 0.3, mirrored=mirrored) for mirrored in (False, True))
    assert len(plain.scores) == len(mirrored.scores) > 0
    assert sorted(plain.corners.tolist()) == sorted(mirrored.corners.tolist())


def test_boxes_come_back_to_the_caller_s_image(bright_is_a_clock: Path) -> None:
    picture = white_square(512, 512, (256, 128, 384, 256))
    plain = spot(Detector(bright_is_a_clock, threads=1).detect(picture))
    # The same pixels, but the caller's image is only the right half of them.
    half = replace(picture, placement=Placement(100, 200, left=256, top=0, width=256, height=512))
    found = spot(Detector(bright_is_a_clock, threads=1).detect(half))
    assert found.ymin == pytest.approx(plain.ymin)
    assert found.xmin == pytest.approx((plain.xmin - 500) * 2)


def test_the_floor_holds_and_the_best_come_first(bright_is_a_clock: Path) -> None:
    detector = Detector(bright_is_a_clock, threads=1)
    image = Image.linear_gradient("L").resize((512, 512)).convert("RGB")
    picture = Picture(512, 512, image.tobytes(), Placement(512, 512, 0, 0, 512, 512), digest="gradient")
    few, many = (detector.detect(picture, floor=floor) for floor in (0.6, 0.2))
    assert 0 < len(few) < len(many)
    scores = [detection.score for detection in many]
    assert scores == sorted(scores, reverse=True)
    assert min(scores) >= 0.2
    assert all(detection.score >= 0.6 for detection in few)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (3, 2000), (2000, 1)])
def test_odd_shapes_are_looked_at(bright_is_a_clock: Path, width: int, height: int) -> None:
    picture = white_square(width, height, (0, 0, 0, 0))
    assert Detector(bright_is_a_clock, threads=1).detect(picture) == ()


def test_boxes_do_not_leave_the_image(bright_is_a_clock: Path) -> None:
    picture = white_square(300, 200, (0, 0, 300, 200))
    for detection in Detector(bright_is_a_clock, threads=1).detect(picture):
        assert min(detection.box.ymin, detection.box.xmin) >= 0
        assert max(detection.box.ymax, detection.box.xmax) <= 1000 + 1e-3


def stop_sign() -> Picture:
    """A drawn stop sign: an octagon with its word, on a pole before a plain sky."""
    image = Image.new("RGB", (640, 480), (150, 190, 230))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 400, 640, 480), fill=(90, 130, 70))
    draw.rectangle((313, 250, 327, 430), fill=(120, 120, 120))
    draw.regular_polygon((320, 180, 100), 8, rotation=22, fill=(250, 250, 250))
    draw.regular_polygon((320, 180, 92), 8, rotation=22, fill=(190, 20, 30))
    draw.text((320, 180), "STOP", fill=(250, 250, 250), font_size=62, anchor="mm")
    return Picture(640, 480, image.tobytes(), Placement(640, 480, 0, 0, 640, 480), digest="stop")


@pytest.mark.weights
@pytest.mark.parametrize("resolution", list(MediaResolution))
def test_the_real_model_knows_a_stop_sign(real_weights: Weights, resolution: MediaResolution) -> None:
    picture = replace(stop_sign(), resolution=resolution)
    best = Detector(real_weights.detector, threads=1).detect(picture)[0]
    assert best.label == "stop sign"
    assert best.score > 0.5
    assert best.box.overlap(picture.placement.box(220, 80, 420, 280)) > 0.8
