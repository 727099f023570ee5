"""Reading text that Pillow has drawn; skipped where the models are not installed."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from vidi.domain.errors import Unavailable
from vidi.domain.geometry import Box, Placement
from vidi.domain.prompt import Picture
from vidi.engines.lite.vision.ocr import (
    INSTALL,
    OcrModel,
    OcrModels,
    TextReader,
    open_reader,
    published_models,
)

LINES = ("Please mind the gap", "Invoice 2024: 1,234.56 EUR", "Quartz & lazy dogs")


@pytest.fixture(scope="module")
def reader() -> TextReader:
    found = open_reader(threads=1)
    if found is None:
        pytest.skip(f"the models that read text are not installed: {INSTALL}")
    return found


def drawn(
    *lines: str, size: int = 24, at: tuple[int, int] = (30, 30), image: tuple[int, int] = (480, 200)
) -> tuple[Image.Image, list[Box]]:
    """Lines of black text on white, and the boxes of their ink."""
    canvas = Image.new("RGB", image, "white")
    draw, font, boxes = ImageDraw.Draw(canvas), ImageFont.load_default(size), []
    for row, line in enumerate(lines):
        origin = (at[0], at[1] + row * size * 1.8)
        draw.text(origin, line, font=font, fill="black")
        x0, y0, x1, y1 = draw.textbbox(origin, line, font=font)
        boxes.append(Placement(*image, 0, 0, *image).box(x0, y0, x1, y1))
    return canvas, boxes


def picture_of(image: Image.Image) -> Picture:
    pixels = image.convert("RGB").tobytes()
    placement = Placement(image.width, image.height, 0, 0, image.width, image.height)
    return Picture(image.width, image.height, pixels, placement, hashlib.sha256(pixels).hexdigest())


def lines_of(reader: TextReader, image: Image.Image) -> tuple[str, ...]:
    return tuple(line.text for line in reader.read(picture_of(image)))


@pytest.mark.parametrize("size", [14, 24, 40])
def test_lines_are_read_in_order_and_boxed(reader: TextReader, size: int) -> None:
    image, boxes = drawn(*LINES, size=size, image=(size * 20, size * 9))
    lines = reader.read(picture_of(image))
    assert tuple(line.text for line in lines) == LINES
    for line, box in zip(lines, boxes, strict=True):
        assert line.box.overlap(box) > 0.6
        assert 0.65 <= line.score <= 1


@pytest.mark.parametrize("turn", [90, 180, 270])
@pytest.mark.slow
def test_a_page_that_lies_or_stands_on_its_head_is_read(reader: TextReader, turn: int) -> None:
    assert lines_of(reader, drawn(*LINES)[0].rotate(turn, expand=True)) == LINES


@pytest.mark.parametrize("turn", [-12, 7, 30])
@pytest.mark.slow
def test_tilted_lines_are_read(reader: TextReader, turn: int) -> None:
    image = drawn(*LINES[:2], at=(60, 80), image=(500, 300))[0]
    assert lines_of(reader, image.rotate(turn, Image.Resampling.BICUBIC, fillcolor="white")) == LINES[:2]


def test_light_text_on_dark_colours_is_read(reader: TextReader) -> None:
    image = Image.new("RGB", (400, 120), (140, 20, 30))
    ImageDraw.Draw(image).text((40, 30), "STOP here", font=ImageFont.load_default(48), fill=(250, 240, 200))
    assert lines_of(reader, image) == ("STOP here",)


def test_boxes_are_on_the_callers_image(reader: TextReader) -> None:
    """The picture is the caller's image at half its size, with 40 rows of border above it."""
    image, boxes = drawn(*LINES)
    framed = Image.new("RGB", (480, 240), "white")
    framed.paste(image, (0, 40))
    picture = replace(picture_of(framed), placement=Placement(960, 400, 0, 40, 480, 200))
    for line, box in zip(reader.read(picture), boxes, strict=True):
        assert line.box.overlap(box) > 0.6


def test_text_at_the_edge_has_its_box_on_the_picture(reader: TextReader) -> None:
    image, _ = drawn("EDGE OF IT", size=40, at=(0, 0), image=(230, 40))
    for line in reader.read(picture_of(image)):
        assert min(line.box.box_2d()) >= 0
        assert max(line.box.box_2d()) <= 1000
        assert line.box.ymin >= 0


@pytest.mark.parametrize("size", [(1, 1), (5, 300), (640, 480), (20_000, 50), (50, 20_000), (100_000, 7)])
@pytest.mark.slow
def test_an_empty_picture_says_nothing(reader: TextReader, size: tuple[int, int]) -> None:
    assert lines_of(reader, Image.new("RGB", size, (200, 30, 60))) == ()


@pytest.mark.parametrize("grain", [1, 8, 40])
@pytest.mark.slow
def test_noise_says_nothing(reader: TextReader, grain: int) -> None:
    dots = np.random.default_rng(grain).integers(0, 256, (480 // grain, 640 // grain, 3), np.uint8)
    assert lines_of(reader, Image.fromarray(dots).resize((640, 480), Image.Resampling.NEAREST)) == ()


@pytest.mark.slow
def test_a_long_strip_is_read_to_its_end(reader: TextReader) -> None:
    sentence = " ".join(["the quick brown fox jumps over the lazy dog"] * 8)
    image, _ = drawn(sentence, at=(10, 10), image=(4200, 50))
    assert lines_of(reader, image) == (sentence,)


def test_a_column_is_read_before_the_next(reader: TextReader) -> None:
    image = Image.new("RGB", (760, 220), "white")
    left = ["one two three four", "five six seven eight", "nine ten eleven"]
    right = ["red orange yellow", "green blue violet", "black white brown"]
    for column, texts in ((30, left), (410, right)):
        for row, text in enumerate(texts):
            at = (column, 30 + row * 50)
            ImageDraw.Draw(image).text(at, text, font=ImageFont.load_default(26), fill="black")
    assert lines_of(reader, image) == (*left, *right)


@pytest.mark.slow
def test_several_threads_read_at_once(reader: TextReader) -> None:
    fresh = open_reader(threads=1)
    assert fresh is not None
    pages = [drawn(line)[0] for line in LINES]
    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(lambda page: lines_of(fresh, page), pages))
    assert results == [(line,) for line in LINES]


def test_a_damaged_model_is_told_and_how_to_mend_it(tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no model")
    image = drawn("text")[0]
    for path in (broken, tmp_path / "missing.onnx"):
        model = OcrModel(path, "0" * 64)
        with pytest.raises(Unavailable, match="Reinstall it: `pip install"):
            TextReader(OcrModels(model, model), threads=1).read(picture_of(image))


def test_nothing_is_loaded_for_a_picture_too_small_for_letters(tmp_path: Path) -> None:
    model = OcrModel(tmp_path / "missing.onnx", "")
    assert TextReader(OcrModels(model, model), threads=1).read(picture_of(Image.new("RGB", (300, 5)))) == ()


def test_without_the_package_there_is_no_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert published_models() is None
    assert open_reader(threads=1) is None
