"""Hostile pictures, made on the spot: each has to be refused, quickly and politely."""

from __future__ import annotations

import base64
import random
import struct

from PIL import Image

from tests.images.drawn import box, chunk, drawing, encoded, heic, png

_PNG = b"\x89PNG\r\n\x1a\n"


def jpeg_of_size(width: int, height: int, **options: object) -> bytes:
    """A small JPEG whose frame header claims another size."""
    data = encoded(Image.new("L", (64, 64), 128), "JPEG", **options)
    at = next(data.index(mark) for mark in (b"\xff\xc0", b"\xff\xc2") if mark in data)
    return data[: at + 5] + struct.pack(">HH", height, width) + data[at + 9 :]


def jpeg_of_scans(width: int, height: int, scans: int) -> bytes:
    """A progressive JPEG with many empty scans after its own."""
    data = jpeg_of_size(width, height, progressive=True)
    end = data.rindex(b"\xff\xd9")
    return data[:end] + b"\xff\xda\x00\x08\x01\x01\x00\x01\x3f\x02\x00\x00" * scans + data[end:]


def webp_of_size(width: int, height: int) -> bytes:
    """A lossless WEBP that is a header and nothing else."""
    bits = (width - 1) | (height - 1) << 14
    body = struct.pack("<BI", 0x2F, bits) + b"\x88\x88\x08"
    return _riff(b"VP8L" + struct.pack("<I", len(body)) + body)


def _riff(chunks: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WEBP" + chunks


def heic_of_size(width: int, height: int) -> bytes:
    """A good HEIC whose header claims another size."""
    data = heic("plain")
    at = data.index(b"ispe") + 8
    return data[:at] + struct.pack(">II", width, height) + data[at + 8 :]


def nested_boxes(depth: int) -> bytes:
    """A HEIC with boxes within boxes within boxes."""
    inner = b""
    for _ in range(depth):
        inner = box(b"meta", bytes(4), inner)
    return box(b"ftyp", b"heic", bytes(4), b"mif1heic") + inner


def avif() -> bytes:
    """A file of AV1 items under the brand of HEIF."""
    return (
        heic("plain")
        .replace(b"ftypheic", b"ftypmif1")
        .replace(b"mif1heic", b"mif1miaf")
        .replace(b"hvc1", b"av01")
    )


def webp_of_frames(count: int) -> bytes:
    """An animation of empty frames."""
    header = b"VP8X" + struct.pack("<I", 10) + bytes([2, 0, 0, 0]) + b"\x0f\0\0\x0f\0\0"
    return _riff(header + (b"ANMF" + struct.pack("<I", 16) + bytes(16)) * count)


def foreign() -> dict[str, bytes]:
    """Files in other formats, by a word of the name under which they are refused."""
    image = drawing()
    return {
        "GIF": encoded(image, "GIF"),
        "BMP": encoded(image, "BMP"),
        "TIFF": encoded(image, "TIFF"),
        "ICO": encoded(image, "ICO"),
        "PDF": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj",
        "SVG": b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
        "HTML": b"\n<!DOCTYPE html><html><body>404</body></html>",
        "Photoshop": b"8BPS\0\1" + bytes(40),
        "JPEG XL": b"\xff\x0a" + bytes(40),
        "JPEG 2000": b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(40),
        "AVIF": box(b"ftyp", b"avif", bytes(4), b"avifmif1miaf") + bytes(40),
        "video": box(b"ftyp", b"isom", bytes(4), b"isomiso2avc1mp41") + bytes(40),
    }


def broken_headers() -> dict[str, bytes]:
    """Files that the header reader refuses, no decoder needed."""
    good_png, good_jpeg, good_webp = (encoded(drawing(), kind) for kind in ("PNG", "JPEG", "WEBP"))
    good_heic = heic("plain")
    quantisation = good_jpeg.index(b"\xff\xdb")
    return {
        "empty": b"",
        "zeroes": bytes(4096),
        "one byte": b"\xff",
        "random": random.Random(7).randbytes(4096),
        "text": b"this is not a picture",
        "encoded twice": base64.b64encode(encoded(drawing(), "PNG")),
        "data URL": b"data:image/png;base64,iVBORw0KGgo=",
        "png: signature only": _PNG,
        "png: no header chunk": _PNG + chunk(b"IDAT", b"x"),
        "png: two headers": good_png[:33] + good_png[8:33] + good_png[33:],
        "png: no width": png(0, 5, 8, 2, b""),
        "png: endless chunk": good_png[:33] + b"\xff\xff\xff\xffIDAT" + bytes(99),
        "png: no end": good_png[:-12],
        "jpeg: start only": good_jpeg[:3],
        "jpeg: empty segment": good_jpeg[:quantisation] + b"\xff\xdb\0\0" + good_jpeg[quantisation:],
        "jpeg: long segment": good_jpeg[:quantisation] + b"\xff\xe1\xff\xff" + bytes(99),
        "jpeg: only fill": b"\xff\xd8" + b"\xff" * 100_000,
        "jpeg: many segments": b"\xff\xd8" + b"\xff\xfe\0\2" * 20_000 + good_jpeg[2:],
        "jpeg: many segments after a scan": encoded(drawing(), "JPEG", progressive=True)[:-2]
        + b"\xff\xfe\0\2" * 20_000,
        "jpeg: no height": jpeg_of_size(64, 0),
        "jpeg: no frame": b"\xff\xd8\xff\xda\0\x08\1\1\0\0\x3f\0" + bytes(99),
        "jpeg: two frames": good_jpeg[:quantisation]
        + b"\xff\xc0\0\x0b\x08\0\1\0\1\1\1\x11\0" * 2
        + good_jpeg[quantisation:],
        "jpeg: too long for any decoder": jpeg_of_size(65_535, 1),
        "jpeg: ends at once": b"\xff\xd8\xff\xd9\0\0",
        "webp: container only": good_webp[:12],
        "webp: foreign chunk": good_webp[:12] + b"JUNK" + good_webp[16:],
        "webp: no start code": good_webp[:23] + b"\0\0\0" + good_webp[26:],
        "webp: no signature": webp_of_size(9, 9).replace(b"\x2f", b"\0", 1),
        "webp: many chunks": _riff(b"VP8X" + struct.pack("<I", 10) + bytes(10) + b"JUNK\0\0\0\0" * 20_000),
        "heic: type box only": good_heic[:28],
        "heic: no size": good_heic.replace(b"ispe", b"skip"),
        "heic: no primary item": good_heic.replace(b"pitm", b"skip"),
        "heic: no properties": good_heic.replace(b"iprp", b"skip"),
        "heic: box without length": good_heic.replace(
            struct.pack(">I", 33) + b"hdlr", struct.pack(">I", 3) + b"hdlr"
        ),
        "heic: many boxes": good_heic[:28] + b"\0\0\0\x08free" * 20_000,
        "heic: many items": good_heic.replace(b"ipma\0\0\0\0\0\0\0\1", b"ipma\0\0\0\0\xff\xff\xff\xff"),
        "heic: nested boxes": nested_boxes(5_000),
    }


def over_limits() -> dict[str, bytes]:
    """Small files that would grow, or take for ever."""
    return {
        "png: 900 megapixels": png(30_000, 30_000, 1, 0, b""),
        "png: largest numbers": png(0x7FFFFFFF, 0x7FFFFFFF, 16, 6, b""),
        "png: a line": png(1_000_000, 1, 8, 0, b""),
        "png: frames": png(9, 9, 8, 0, b"", chunk(b"acTL", struct.pack(">II", 1 << 31, 0))),
        "jpeg: 4,225 megapixels": jpeg_of_size(65_000, 65_000),
        "jpeg: 5,000 scans": jpeg_of_scans(8_000, 6_000, 5_000),
        "webp: 268 megapixels": webp_of_size(16_384, 16_384),
        "webp: frames": webp_of_frames(9_000),
        "heic: 1,024 megapixels": heic_of_size(32_000, 32_000),
        "heic: largest numbers": heic_of_size(0xFFFFFFFF, 0xFFFFFFFF),
    }


def broken_data() -> dict[str, bytes]:
    """Files with a good header that only a decoder finds out."""
    noise = Image.effect_noise((200, 200), 90).convert("RGB")
    good_png, good_jpeg, good_webp = (encoded(noise, kind) for kind in ("PNG", "JPEG", "WEBP"))
    good_heic = heic("plain")
    middle = good_png.index(b"IDAT") + 2_000
    return {
        "png: garbled data": good_png[:middle] + bytes(2_000) + good_png[middle + 2_000 :],
        "png: wrong header checksum": good_png[:29] + b"\0\0\0\0" + good_png[33:],
        "png: no data": png(200, 200, 8, 2, b""),
        "png: impossible depth": png(9, 9, 3, 2, bytes(900)),
        "png: palette picture without one": png(9, 9, 8, 3, bytes(90)),
        "jpeg: half": good_jpeg[: len(good_jpeg) // 2],
        "jpeg: no tables": b"\xff\xd8"
        + good_jpeg[good_jpeg.index(b"\xff\xc0") :].replace(b"\xff\xc4", b"\xff\xfe"),
        "jpeg: taller than its data": jpeg_of_size(3_000, 3_000)[:-2],
        "webp: half": good_webp[: len(good_webp) // 2],
        "webp: no frames": webp_of_frames(0),
        "heic: half": good_heic[: len(good_heic) - 200],
        "heic: endless box": good_heic[:28] + b"\0\0\0\1meta" + b"\xff" * 8 + good_heic[36:],
        "heic: no data": good_heic[: good_heic.index(b"mdat") + 4],
        "heic: no decoder settings": good_heic.replace(b"hvcC", b"skip"),
        "heic: smaller than its header": heic_of_size(32, 32),
        "heic: foreign codec": good_heic.replace(b"hvc1", b"av01"),
    }
