"""What comes out of a real decoder process, for every valid oddity of each format."""

from __future__ import annotations

import hashlib
import signal
import socket
import subprocess
import sys
import tempfile
import zlib

import pytest
from PIL import Image, ImageChops

from tests.images import drawn, hostile
from tests.images.conftest import WHERE, Prepare
from tests.waiting import HANG_SECONDS
from vidi.domain.errors import InvalidImage
from vidi.domain.geometry import Fit, Placement
from vidi.domain.prompt import ImageFormat, MediaResolution, Picture
from vidi.images.protocol import JOB_SIZE, RESULT_SIZE, DecodeResult, Job, Verdict

LOSSY = 40
"""Most that a lossy format may change a channel of the drawing."""


def _image(picture: Picture) -> Image.Image:
    return Image.frombytes("RGB", (picture.width, picture.height), picture.rgb)


def _difference(picture: Picture, expected: Image.Image) -> int:
    assert (picture.width, picture.height) == expected.size
    extrema = ImageChops.difference(_image(picture), expected).getextrema()
    return max(high for _, high in extrema)  # type: ignore[misc]


def _coarse_difference(picture: Picture, expected: Image.Image) -> int:
    """At a quarter of the size, where halved chroma does not blur the edges."""
    small = _image(picture).reduce(4)
    assert (picture.width, picture.height) == expected.size
    return max(high for _, high in ImageChops.difference(small, expected.reduce(4)).getextrema())  # type: ignore[misc]


def _with_chunk(chunk: bytes) -> bytes:
    data = drawn.encoded(drawn.drawing(), "PNG")
    return data[:33] + chunk + data[33:]


LOSSLESS = {
    "png": drawn.encoded(drawn.drawing(), "PNG"),
    "png palette": drawn.encoded(drawn.drawing().quantize(8), "PNG"),
    "png with alpha": drawn.encoded(drawn.drawing("RGBA"), "PNG"),
    "png animation": drawn.encoded(
        drawn.drawing(), "PNG", save_all=True, append_images=[Image.new("RGB", drawn.SIZE)]
    ),
    "webp": drawn.encoded(drawn.drawing(), "WEBP", lossless=True),
    "webp with alpha": drawn.encoded(drawn.drawing("RGBA"), "WEBP", lossless=True, exact=True),
    "webp animation": drawn.encoded(
        drawn.drawing(), "WEBP", lossless=True, save_all=True, append_images=[Image.new("RGB", drawn.SIZE)]
    ),
    "png with a long text": _with_chunk(drawn.chunk(b"tEXt", b"Comment\0" + b"x" * 3_000_000)),
    "png with a long packed text": _with_chunk(
        drawn.chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(3_000_000)))
    ),
    "png with a long profile": _with_chunk(
        drawn.chunk(b"iCCP", b"Icc\0\0" + zlib.compress(bytes(3_000_000)))
    ),
    "garbage for exif": drawn.encoded(drawn.drawing(), "PNG", exif=b"Exif\0\0garbage"),
    "impossible orientation": drawn.encoded(drawn.drawing(), "PNG", exif=drawn.exif(9)),
    "garbage for a colour profile": drawn.encoded(drawn.drawing(), "PNG", icc_profile=b"garbage" * 999),
}
LOSSLESS |= {
    "gif": drawn.encoded(drawn.drawing(), "GIF"),
    "gif animation": drawn.encoded(
        drawn.drawing(), "GIF", save_all=True, append_images=[Image.new("RGB", drawn.SIZE)]
    ),
    "bmp": drawn.encoded(drawn.drawing(), "BMP"),
    "bmp palette": drawn.encoded(drawn.drawing().quantize(8), "BMP"),
    "tiff": drawn.encoded(drawn.drawing(), "TIFF"),
    "tiff packed by libtiff": drawn.encoded(drawn.drawing(), "TIFF", compression="tiff_lzw"),
    "tiff of pages": drawn.encoded(
        drawn.drawing(), "TIFF", save_all=True, append_images=[Image.new("RGB", (9, 9))]
    ),
    "tiff with alpha": drawn.encoded(drawn.drawing("RGBA"), "TIFF"),
    **{f"tiff turned {turn}": drawn.turned("TIFF", turn) for turn in range(1, 9)},
}
NEARLY = {
    "jpeg": drawn.encoded(drawn.drawing(), "JPEG", quality=95),
    "jpeg progressive": drawn.encoded(drawn.drawing(), "JPEG", quality=95, progressive=True),
    "jpeg cmyk": drawn.encoded(drawn.drawing("CMYK"), "JPEG", quality=95),
    "jpeg garbage for exif": drawn.encoded(
        drawn.drawing(), "JPEG", quality=95, exif=b"Exif\0\0II*\0\xff\xff\xff\xff"
    ),
    "jpeg garbage for a colour profile": drawn.encoded(
        drawn.drawing(), "JPEG", quality=95, icc_profile=b"garbage" * 999
    ),
    "jpeg of several": drawn.encoded(
        drawn.drawing(), "MPO", quality=95, save_all=True, append_images=[Image.new("RGB", (9, 9))]
    ),
    "webp": drawn.encoded(drawn.drawing(), "WEBP", quality=95),
    "heic": drawn.heic("plain"),
    "heif": drawn.heic("plain").replace(b"ftypheic", b"ftypmif1"),
    "heic of ten bits": drawn.heic("ten-bits"),
    "heic of several": drawn.heic("second-of-two"),
    "tiff cmyk": drawn.encoded(drawn.drawing("CMYK"), "TIFF"),
    "tiff packed as a jpeg": drawn.encoded(drawn.drawing(), "TIFF", compression="jpeg", quality=95),
    "avif": drawn.encoded(drawn.drawing(), "AVIF", quality=95),
    "avif animation": drawn.encoded(
        drawn.drawing(), "AVIF", quality=95, save_all=True, append_images=[Image.new("RGB", drawn.SIZE)]
    ),
    **{f"avif turned {turn}": drawn.turned("AVIF", turn, quality=95) for turn in range(1, 9)},
}


@pytest.mark.parametrize("data", LOSSLESS.values(), ids=LOSSLESS)
def test_lossless_files_give_the_very_pixels(prepare: Prepare, data: bytes) -> None:
    assert _difference(prepare(data), drawn.drawing()) == 0


@pytest.mark.parametrize("data", NEARLY.values(), ids=NEARLY)
def test_lossy_files_give_nearly_the_pixels(prepare: Prepare, data: bytes) -> None:
    assert _coarse_difference(prepare(data), drawn.drawing()) < LOSSY


@pytest.mark.parametrize("mode", ["1", "L", "LA"])
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "JPEG"])
def test_grey_files(prepare: Prepare, mode: str, kind: str) -> None:
    if (mode, kind) == ("LA", "JPEG"):
        mode = "L"
    image = drawn.drawing("L").convert(mode)
    options = {"lossless": True} if kind == "WEBP" else {}
    assert _difference(prepare(drawn.encoded(image, kind, **options)), image.convert("RGB")) < LOSSY


@pytest.mark.parametrize("data", drawn.odd_jpegs().values(), ids=drawn.odd_jpegs())
def test_odd_jpegs_give_the_pixels_of_the_plain_one(prepare: Prepare, data: bytes) -> None:
    assert prepare(data).rgb == prepare(drawn.encoded(drawn.drawing(), "JPEG")).rgb


def test_white_print_on_nothing_is_seen(prepare: Prepare) -> None:
    image = Image.new("RGBA", (40, 20), (255, 255, 255, 0))
    image.paste((255, 255, 255, 255), (10, 5, 30, 15))
    seen = _image(prepare(drawn.encoded(image, "PNG")))
    assert (seen.getpixel((20, 10)), seen.getpixel((2, 2))) == ((255,) * 3, (0,) * 3)


def test_grey_heic(prepare: Prepare) -> None:
    assert _difference(prepare(drawn.heic("grey")), drawn.drawing("L").convert("RGB")) < LOSSY


def test_transparent_heic_lies_on_white(prepare: Prepare) -> None:
    image = _image(prepare(drawn.heic("transparent")))
    assert image.getpixel((90, 60)) == drawn.WHITE
    assert image.getpixel((5, 5)) == pytest.approx(drawn.RED, abs=LOSSY)


def test_a_heic_of_tiles_is_put_together(prepare: Prepare) -> None:
    image = _image(prepare(drawn.heic("grid")))
    assert image.size == (192, 128)
    assert all(
        image.getpixel(at) == pytest.approx(drawn.RED, abs=LOSSY)
        for at in ((5, 5), (101, 5), (5, 69), (101, 69))
    )


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("kind", "options"), [("PNG", {}), ("WEBP", {"lossless": True})], ids=["png", "webp"]
)
def test_exif_turns_a_picture_upright_exactly(
    prepare: Prepare, kind: str, options: dict[str, object], orientation: int
) -> None:
    assert _difference(prepare(drawn.turned(kind, orientation, **options)), drawn.drawing()) == 0


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_turns_a_jpeg_upright(prepare: Prepare, orientation: int) -> None:
    data = drawn.turned("JPEG", orientation, quality=95, subsampling=0)
    assert _difference(prepare(data), drawn.drawing()) < LOSSY


@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_heic_is_turned_once_though_it_says_so_twice(prepare: Prepare, orientation: int) -> None:
    turn = drawn.TURNS[orientation]
    assert turn is not None
    upright = _image(prepare(drawn.heic("plain"))).transpose(turn)
    assert _difference(prepare(drawn.heic(f"turned-{orientation}")), upright) < LOSSY


def test_exif_alone_does_not_turn_a_heic(prepare: Prepare) -> None:
    data = drawn.heic("turned-6").replace(b"irot\x03", b"irot\x00")
    assert _coarse_difference(prepare(data), drawn.drawing()) < LOSSY


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_large_picture_is_scaled_and_placed(prepare: Prepare, kind: str) -> None:
    image = drawn.drawing().resize((2_883, 1_922), Image.Resampling.NEAREST)
    data = drawn.encoded(image.transpose(Image.Transpose.ROTATE_90), kind, exif=drawn.exif(6))
    picture = prepare(data, 96 * 64)
    assert picture.placement == Placement(2_883, 1_922, 0, 0, picture.width, picture.height)
    assert (picture.width, picture.height) == (96, 64)
    assert _image(picture).getpixel((38, 22)) == pytest.approx(drawn.RED, abs=LOSSY)
    assert _image(picture).getpixel((62, 42)) == pytest.approx(drawn.BLUE, abs=LOSSY)


def test_a_jpeg_scaled_while_it_is_decoded_keeps_its_edges(prepare: Prepare) -> None:
    """At an eighth, 801 columns become 101, of which the last is only an eighth part of one."""
    image = Image.new("RGB", (801, 801), "black")
    image.paste("white", (400, 0, 801, 801))
    picture = prepare(drawn.encoded(image, "JPEG", quality=95), 100 * 100)
    row = _image(picture).convert("L").crop((0, 50, picture.width, 51)).tobytes()
    assert sum(row) / 255 == pytest.approx(picture.width * 401 / 801, abs=0.2)


@pytest.mark.parametrize(("kind", "longest"), [("PNG", 65_535), ("JPEG", 65_500), ("WEBP", 16_383)])
@pytest.mark.parametrize(("width", "height"), [(99_999, 1), (1, 99_999), (20_000, 50), (1, 1), (3, 2)])
def test_extreme_shapes(prepare: Prepare, kind: str, longest: int, width: int, height: int) -> None:
    width, height = min(width, longest), min(height, longest)
    picture = prepare(drawn.encoded(Image.new("RGB", (width, height), "red"), kind), 10_000)
    assert picture.width * picture.height <= 10_000
    assert picture.placement == Placement(width, height, 0, 0, picture.width, picture.height)
    assert _image(picture).getpixel((0, 0)) == pytest.approx(drawn.RED, abs=LOSSY)


def test_the_picture_carries_digest_and_resolution(prepare: Prepare) -> None:
    data = drawn.encoded(drawn.drawing(), "PNG")
    picture = prepare(data)
    assert picture.digest == hashlib.sha256(data).hexdigest()
    assert picture.resolution is MediaResolution.LOW


@pytest.mark.parametrize("data", hostile.broken_data().values(), ids=hostile.broken_data())
def test_broken_data_are_refused_and_the_next_picture_is_taken(prepare: Prepare, data: bytes) -> None:
    with pytest.raises(InvalidImage) as caught:
        prepare(data)
    assert caught.value.where == WHERE
    assert caught.value.message.startswith("Unable to process input image. ")
    assert _difference(prepare(LOSSLESS["png"]), drawn.drawing()) == 0


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "HEIC"])
def test_every_prefix_is_decoded_or_refused(prepare: Prepare, kind: str) -> None:
    data = drawn.heic("plain") if kind == "HEIC" else drawn.encoded(drawn.drawing().resize((24, 16)), kind)
    for length in range(0, len(data), 7):
        try:
            assert prepare(data[:length]).width in (24, 96)
        except InvalidImage as error:
            assert error.where == WHERE


class TestProcess:
    """The process itself, without the pool."""

    def _start(
        self, shared: int, deadline: float = HANG_SECONDS
    ) -> tuple[subprocess.Popen[bytes], socket.socket]:
        ours, theirs = socket.socketpair()
        ours.settimeout(HANG_SECONDS)
        with theirs:
            process: subprocess.Popen[bytes] = subprocess.Popen(
                [sys.executable, "-P", "-m", "vidi.images.decoder", str(shared), str(1 << 30), str(deadline)],
                stdin=theirs.fileno(),
                pass_fds=[shared],
            )
        assert DecodeResult.unpack(ours.recv(RESULT_SIZE)).verdict is Verdict.READY
        return process, ours

    def test_ends_when_the_server_is_gone(self) -> None:
        with tempfile.TemporaryFile() as shared:
            process, channel = self._start(shared.fileno())
            channel.close()
            assert process.wait(HANG_SECONDS) == 0

    def test_leaves_interrupts_to_the_server(self) -> None:
        with tempfile.TemporaryFile() as shared:
            process, channel = self._start(shared.fileno())
            process.send_signal(signal.SIGINT)
            channel.send(Job(ImageFormat.PNG, 1, 1, 1, Fit(1)).pack())
            assert DecodeResult.unpack(channel.recv(RESULT_SIZE)).verdict is Verdict.BROKEN
            channel.close()
            assert process.wait(HANG_SECONDS) == 0

    def test_ends_itself_when_nobody_stops_it(self) -> None:
        with tempfile.TemporaryFile() as shared:
            data = hostile.jpeg_of_scans(8_000, 6_000, 20_000)
            shared.write(data)
            shared.flush()
            process, channel = self._start(shared.fileno(), deadline=-1.9)
            channel.send(Job(ImageFormat.JPEG, 1, 8_000, 6_000, Fit(1 << 20)).pack())
            channel.close()
            assert process.wait(HANG_SECONDS) == -signal.SIGALRM

    def test_a_job_is_never_read_by_half(self) -> None:
        with tempfile.TemporaryFile() as shared:
            process, channel = self._start(shared.fileno())
            channel.send(bytes(JOB_SIZE - 1))
            channel.close()
            assert process.wait(HANG_SECONDS) == 0
