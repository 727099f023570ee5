"""The steps between a decoded picture and a prepared one."""

from __future__ import annotations

import io

import pytest
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageCms

from tests.images import drawn
from vidi.images.pipeline import STEPS, Frame, colour, fit, flatten, orient, pad, prepare, whole

SIDES = st.integers(1, 65_535)


def _frame(image: Image.Image, **more: object) -> Frame:
    image.load()
    return Frame(**{"image": image, "area": whole(image), "target": image.size, **more})  # type: ignore[arg-type]


def _png(*raw: object) -> Image.Image:
    return Image.open(io.BytesIO(drawn.png(*raw)))  # type: ignore[arg-type]


def test_the_steps_in_their_order() -> None:
    assert (fit, flatten, colour, orient, pad) == STEPS


class TestFit:
    def test_leaves_a_small_picture_alone(self) -> None:
        assert fit(_frame(drawn.drawing())).image.tobytes() == drawn.drawing().tobytes()

    def test_scales_to_the_target(self) -> None:
        image = fit(_frame(drawn.drawing().resize((960, 640)), target=(96, 64))).image
        assert image.size == (96, 64)
        assert image.getpixel((20, 10)) == drawn.RED

    def test_the_edges_of_the_area_become_those_of_the_picture(self) -> None:
        padded = Image.new("RGB", (100, 70), drawn.BLUE)
        padded.paste(drawn.drawing())
        image = fit(_frame(padded, area=(0, 0, 96, 64), target=(48, 32))).image
        expected = drawn.drawing().resize((48, 32), Image.Resampling.LANCZOS)
        assert image.crop((0, 0, 44, 28)).tobytes() == expected.crop((0, 0, 44, 28)).tobytes()

    def test_transparent_pixels_do_not_bleed(self) -> None:
        image = Image.new("RGBA", (64, 64), (255, 0, 0, 0))
        image.paste((0, 0, 255, 255), (0, 0, 33, 64))
        scaled = fit(_frame(image, target=(32, 32))).image
        assert scaled.getpixel((16, 16))[:3] == (0, 0, 255)  # type: ignore[index]

    @pytest.mark.parametrize(
        ("raw", "levels"),
        [
            ((2, 1, 16, 0, b"\0\x80\0\xff\xff"), [128, 255]),
            ((2, 1, 16, 0, b"\0\x01\xff\0\xff"), [1, 0]),
            ((8, 1, 1, 0, b"\0\xaa"), [255, 0] * 4),
            ((4, 1, 2, 0, b"\0\x1b"), [0, 85, 170, 255]),
        ],
        ids=["16-bit bright", "16-bit dark", "1-bit", "2-bit"],
    )
    def test_grey_of_any_depth_becomes_eight_bits(self, raw: tuple[object, ...], levels: list[int]) -> None:
        image = fit(_frame(_png(*raw))).image
        assert image.mode == "L"
        assert list(image.tobytes()) == levels

    def test_sixteen_bits_a_colour_become_eight(self) -> None:
        image = fit(_frame(_png(1, 1, 16, 2, b"\0\x80\0\xff\xff\x01\xff"))).image
        assert image.getpixel((0, 0)) == (128, 255, 1)


class TestFlatten:
    def test_opaque_pictures_pass(self) -> None:
        frame = _frame(drawn.drawing())
        assert flatten(frame) is frame

    @pytest.mark.parametrize(("alpha", "expected"), [(255, 0), (0, 255), (128, 127)])
    def test_alpha_lies_on_white(self, alpha: int, expected: int) -> None:
        assert (
            flatten(_frame(Image.new("RGBA", (1, 1), (0, 0, 0, alpha)))).image.getpixel((0, 0))
            == (expected,) * 3
        )
        assert flatten(_frame(Image.new("LA", (1, 1), (0, alpha)))).image.getpixel((0, 0)) == expected

    def test_grey_shows_what_neither_white_nor_black_shows_whole(self) -> None:
        image = Image.new("LA", (100, 2), (0, 0))
        image.paste((255, 255), (0, 0, 85, 1))
        image.paste((0, 255), (85, 0, 100, 1))
        assert flatten(_frame(image)).image.getpixel((5, 1)) == 127

    @pytest.mark.parametrize(
        ("prints", "ground"),
        [
            ([(255, 255, 255)], 0),  # White print on nothing.
            ([(255, 255, 200)], 0),
            ([(0, 0, 0)], 255),
            ([(0, 0, 0), (200, 30, 30), (90, 90, 90), (255, 255, 255)], 255),  # Little of it is white.
            ([(255, 255, 255), (0, 0, 0)], 255),
        ],
    )
    @pytest.mark.parametrize("mode", ["RGBA", "LA"])
    def test_the_ground_contrasts_with_what_is_opaque(
        self, mode: str, prints: list[tuple[int, int, int]], ground: int
    ) -> None:
        # What is transparent has a colour too, which does not count.
        image = Image.new("RGBA", (40, 40), (255, 0, 0, 0))
        for at, ink in enumerate(prints):
            image.paste((*ink, 255), (2 + 8 * at, 4, 8 + 8 * at, 30))
        flat = flatten(_frame(image.convert(mode))).image.convert("RGB")
        assert flat.getpixel((39, 39)) == (ground,) * 3
        assert flat.getpixel((4, 10)) == Image.new("RGB", (1, 1), prints[0]).convert(mode[:-1]).convert(
            "RGB"
        ).getpixel((0, 0))

    @pytest.mark.parametrize(
        ("image", "expected"),
        [
            (
                _png(
                    2,
                    1,
                    8,
                    3,
                    b"\0\0\1",
                    drawn.chunk(b"PLTE", b"\x10\x20\x30\x40\x50\x60"),
                    drawn.chunk(b"tRNS", b"\0"),
                ),
                [drawn.WHITE, (64, 80, 96)],
            ),
            (_png(2, 1, 8, 0, b"\0\x07\x09", drawn.chunk(b"tRNS", b"\0\x07")), [drawn.WHITE, (9, 9, 9)]),
            (
                _png(2, 1, 16, 0, b"\0\x80\x01\x80\x02", drawn.chunk(b"tRNS", b"\x80\x01")),
                [drawn.WHITE, (128, 128, 128)],
            ),
            (
                _png(2, 1, 8, 2, b"\0\1\2\3\4\5\6", drawn.chunk(b"tRNS", b"\0\1\0\2\0\3")),
                [drawn.WHITE, (4, 5, 6)],
            ),
            (_png(8, 1, 1, 0, b"\0\x80", drawn.chunk(b"tRNS", b"\0\1")), [drawn.WHITE, (0, 0, 0)]),
            (_png(1, 1, 16, 4, b"\0\x40\0\0\0"), [drawn.WHITE]),
            (_png(1, 1, 16, 6, b"\0" + b"\x40\0" * 3 + b"\xff\xff"), [(64, 64, 64)]),
        ],
        ids=[
            "palette",
            "grey",
            "16-bit grey",
            "colour",
            "1-bit",
            "16-bit grey and alpha",
            "16-bit colour and alpha",
        ],
    )
    def test_every_kind_of_transparency(
        self, image: Image.Image, expected: list[tuple[int, int, int]]
    ) -> None:
        prepared = prepare(_frame(image))
        assert [prepared.getpixel((x, 0)) for x in range(len(expected))] == expected


class TestColour:
    @pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
    def test_all_becomes_rgb(self, mode: str) -> None:
        image = colour(_frame(drawn.drawing(mode))).image
        assert image.mode == "RGB"
        assert image.getpixel((95, 0)) == drawn.WHITE

    @pytest.mark.parametrize(
        "profile",
        [
            b"garbage",
            b"\xff" * 5_000,
            bytes(36) + b"acsp" + bytes(100),
            bytes(16) + b"RGB " + bytes(16) + b"acsp" + bytes(9_000),
        ],
        ids=["short", "noise", "no space", "no tables"],
    )
    def test_a_broken_profile_is_ignored(self, profile: bytes) -> None:
        assert colour(_frame(drawn.drawing(), profile=profile)).image.tobytes() == drawn.drawing().tobytes()

    def test_a_profile_of_other_pixels_is_ignored(self) -> None:
        lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
        assert colour(_frame(drawn.drawing(), profile=lab)).image.tobytes() == drawn.drawing().tobytes()

    def test_srgb_is_left_alone(self) -> None:
        srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        assert colour(_frame(drawn.drawing(), profile=srgb)).image.tobytes() == drawn.drawing().tobytes()

    def test_another_profile_is_converted(self) -> None:
        """Red and blue change places in a profile whose primaries did."""
        srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        swapped = srgb.replace(b"rXYZ", b"?XYZ").replace(b"bXYZ", b"rXYZ").replace(b"?XYZ", b"bXYZ")
        swapped = swapped.replace(b"sRGB", b"xRGB").replace(
            "sRGB".encode("utf-16-be"), "xRGB".encode("utf-16-be")
        )
        image = colour(_frame(drawn.drawing(), profile=swapped)).image
        red, green, blue = image.getpixel((2, 2))  # type: ignore[misc]
        assert blue > 250
        assert max(red, green) < 5


class TestOrient:
    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_each_orientation_is_undone(self, orientation: int) -> None:
        turn = drawn.UNTURNS[orientation]
        stored = drawn.drawing() if turn is None else drawn.drawing().transpose(turn)
        upright = orient(_frame(stored, orientation=orientation))
        assert upright.image.tobytes() == drawn.drawing().tobytes()
        assert orient(upright).image.tobytes() == drawn.drawing().tobytes()


def test_all_steps_together() -> None:
    stored = drawn.drawing("RGBA").resize((960, 640)).transpose(Image.Transpose.ROTATE_90)
    prepared = prepare(_frame(stored, target=(64, 96), orientation=6))
    expected = drawn.drawing().resize((960, 640)).resize((96, 64), Image.Resampling.LANCZOS, reducing_gap=2)
    worst = max(high for _, high in ImageChops.difference(prepared, expected).getextrema())  # type: ignore[misc]
    assert prepared.size == (96, 64)
    assert worst <= 5


class TestPad:
    def test_a_strip_lies_in_the_middle_of_grey(self) -> None:
        image = prepare(_frame(Image.new("RGB", (8, 4), "red"), square=8))
        assert image.size == (8, 8)
        assert image.getpixel((3, 1)) == (127, 127, 127)
        assert image.getpixel((3, 2)) == image.getpixel((3, 5)) == (255, 0, 0)
        assert image.getpixel((3, 6)) == (127, 127, 127)

    def test_without_a_square_nothing_is_added(self) -> None:
        assert prepare(_frame(Image.new("RGB", (8, 4), "red"))).size == (8, 4)
