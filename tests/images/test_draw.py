"""Boxes and tags land where they belong."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.conftest import examples
from vidi.domain.geometry import Box, MaskImage, Placement
from vidi.domain.prompt import Picture
from vidi.images.draw import Labelled, draw_boxes

GREY = (128, 128, 128)


def _picture(width: int = 600, height: int = 400) -> Picture:
    rgb = Image.new("RGB", (width, height), GREY).tobytes()
    return Picture(width, height, rgb, Placement(2 * width, 2 * height, 0, 0, width, height), "")


def _drawn(*boxes: Labelled, picture: Picture | None = None) -> Image.Image:
    data = draw_boxes(picture or _picture(), boxes)
    image = Image.open(io.BytesIO(data))
    assert image.format == "PNG"
    return image.convert("RGB")


def _colours(image: Image.Image) -> set[tuple[int, ...]]:
    """Colours of large areas: the grounds of tags and lines."""
    counted = image.getcolors(1 << 20) or []
    return {colour for count, colour in counted if count > 150 and isinstance(colour, tuple)} - {
        GREY,
        (0, 0, 0),
    }


def test_without_boxes_nothing_changes() -> None:
    assert _drawn().tobytes() == _picture().rgb


def test_the_line_follows_the_box_and_leaves_its_inside_alone() -> None:
    image = _drawn(Labelled("cat", Box(250, 250, 750, 750)))
    left, top, right, bottom = 150, 100, 450, 300
    for at in ((left + 2, 200), (right - 2, 200), (300, bottom - 2), (440, top + 2)):
        assert image.getpixel(at) != GREY
    inside = image.crop((left + 8, top + 8, right - 8, bottom - 8))
    assert inside.getcolors() == [(inside.width * inside.height, GREY)]


def test_one_colour_a_label() -> None:
    boxes = [Labelled(name, Box(300, 200 * n + 10, 900, 200 * n + 160)) for n, name in enumerate("abcb")]
    assert len(_colours(_drawn(*boxes))) == 3


@pytest.mark.parametrize(("opacity", "share"), [(0.0, 0.0), (0.4, 0.4), (1.0, 1.0)])
def test_a_mask_is_tinted_where_it_is_over_127(opacity: float, share: float) -> None:
    # The left half belongs to it, the right half nearly.
    mask = MaskImage(4, 1, bytes([255, 128, 127, 0]))
    box = Labelled("cat", Box(250, 250, 750, 750), mask=mask)
    image = Image.open(io.BytesIO(draw_boxes(_picture(), [box], opacity)))
    orange = (230, 159, 0)
    expected = tuple(ground + share * (tint - ground) for ground, tint in zip(GREY, orange, strict=True))
    assert image.getpixel((180, 200)) == pytest.approx(expected, abs=1)
    assert image.getpixel((430, 200)) == GREY
    assert image.getpixel((100, 200)) == GREY


def test_the_score_is_written_behind_the_label() -> None:
    plain, scored = (_drawn(Labelled("cat", Box(300, 100, 900, 900), score)) for score in (None, 0.87))
    row = 116
    assert _tag_width(scored, row) > _tag_width(plain, row) > 20


def _tag_width(image: Image.Image, row: int) -> int:
    return sum(image.getpixel((x, row)) != GREY for x in range(image.width))


def test_tags_keep_off_each_other() -> None:
    """Two tags on the same box take twice the ground of one."""
    box = Box(300, 300, 900, 700)
    one, two = (_drawn(*(Labelled(f"tag {n}", box) for n in range(count))) for count in (1, 2))
    outside = (0, 0, 600, 118)
    assert len(_colours(two)) == 2
    assert _painted(two, outside) >= 1.8 * _painted(one, outside)


def _painted(image: Image.Image, area: tuple[int, int, int, int]) -> int:
    return sum(count for count, colour in image.crop(area).getcolors(1 << 20) or [] if colour != GREY)


def test_a_box_outside_the_picture_is_drawn_at_its_edge() -> None:
    image = _drawn(Labelled("far away", Box(-500, -500, 2_000, 2_000)))
    assert image.getpixel((2, 300)) != GREY
    assert image.getpixel((597, 300)) != GREY


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (200, 3), (40, 30), (3_000, 20)])
def test_pictures_of_any_shape(size: tuple[int, int]) -> None:
    image = _drawn(Labelled("a rather long name", Box(100, 100, 900, 900), 0.5), picture=_picture(*size))
    assert image.size == size


edge = st.floats(-1_500, 2_500, allow_nan=False)


@settings(max_examples=examples(40))
@given(
    st.lists(
        st.builds(
            Labelled,
            st.text(max_size=30),
            st.builds(Box, edge, edge, edge, edge),
            st.none() | st.floats(0, 1),
        ),
        max_size=5,
    )
)
def test_any_boxes_can_be_drawn(boxes: list[Labelled]) -> None:
    picture = _picture(120, 80)
    assert _drawn(*boxes, picture=picture).size == (120, 80)
