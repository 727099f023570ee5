"""Makes the small HEIC files that tests read, which nothing in the project's own environment can encode.

    python -m venv /some/where && /some/where/bin/pip install pillow-heif numpy
    /some/where/bin/python -m tools.make_heic

Those of tests/images/data all show the same drawing: red at the top left, blue at the bottom right, green in
the middle, on white. Those of tests/model/data are scenes of the model `shapes`; scenes.json tells the truth.
"""

from __future__ import annotations

import io
import json
import struct
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pillow_heif
from PIL import Image, ImageDraw

from tests.model.scenes import draw, random_scene
from tests.model.turned import turned_back

TESTS = Path(__file__).parent.parent / "tests"
DATA = TESTS / "images" / "data"
SCENES = TESTS / "model" / "data"
SIZE = (96, 64)


def drawing() -> Image.Image:
    """No two of the eight orientations of this picture look alike."""
    image = Image.new("RGB", SIZE, "white")
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, 40, 24), fill="red")
    draw.rectangle((60, 40, 95, 63), fill="blue")
    draw.ellipse((40, 20, 60, 40), fill="green")
    return image


def heic(image: Image.Image, **options: object) -> bytes:
    """The image as a HEIC file."""
    file = io.BytesIO()
    image.save(file, "HEIF", quality=70, **options)
    return file.getvalue()


def turned(orientation: int, image: Image.Image | None = None) -> bytes:
    """A file that asks for a turn twice: by EXIF and by HEIF properties. Only the latter count."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return heic(image or drawing(), exif=exif.tobytes())


def second_of_two() -> bytes:
    """Two pictures in a file, of which the second, the drawing, is the primary one."""
    return heic(
        Image.new("RGB", (80, 80), "black"), save_all=True, append_images=[drawing()], primary_index=1
    )


def ten_bits() -> bytes:
    """The drawing with ten bits a channel."""
    wide = b"".join(struct.pack("<H", value * 257) for value in drawing().tobytes())
    file = io.BytesIO()
    pillow_heif.encode("RGB;16", SIZE, wide, file, quality=70)
    return file.getvalue()


def transparent() -> bytes:
    """The drawing with its right half fully transparent."""
    image = drawing()
    alpha = Image.new("L", SIZE, 255)
    alpha.paste(0, (SIZE[0] // 2, 0, *SIZE))
    image.putalpha(alpha)
    return heic(image, enc_params={"lossless": "1"})


def box(kind: bytes, *content: bytes) -> bytes:
    """A box of the ISO base media file format."""
    body = b"".join(content)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def full(kind: bytes, version: int, *content: bytes) -> bytes:
    """A box with a version and no flags."""
    return box(kind, bytes([version, 0, 0, 0]), *content)


def grid() -> bytes:
    """Two by two tiles, all the same drawing. Source: ISO/IEC 23008-12, 6.6.2.3."""
    tile = heic(drawing())
    at = tile.index(b"hvcC") - 4
    decoder = tile[at : at + int.from_bytes(tile[at : at + 4], "big")]
    coded = tile[tile.index(b"mdat") + 4 :]
    width, height = SIZE
    infos = [(item, b"hvc1") for item in (1, 2, 3, 4)] + [(5, b"grid")]
    iinf = full(
        b"iinf",
        0,
        struct.pack(">H", len(infos)),
        *(full(b"infe", 2, struct.pack(">HH4sB", item, 0, kind, 0)) for item, kind in infos),
    )
    ispe = [
        full(b"ispe", 0, struct.pack(">II", *size)) for size in ((width, height), (2 * width, 2 * height))
    ]
    links = [struct.pack(">HBBB", item, 2, 0x81, 2) for item in (1, 2, 3, 4)] + [struct.pack(">HBB", 5, 1, 3)]
    iprp = box(
        b"iprp",
        box(b"ipco", decoder, *ispe),
        full(b"ipma", 0, struct.pack(">I", len(links)), *links),
    )
    iref = full(b"iref", 0, box(b"dimg", struct.pack(">HH4H", 5, 4, 1, 2, 3, 4)))
    layout = struct.pack(">BBBBHH", 0, 0, 1, 1, 2 * width, 2 * height)
    hdlr = full(b"hdlr", 0, struct.pack(">I4s12xB", 0, b"pict", 0))
    ftyp = box(b"ftyp", b"heic", bytes(4), b"mif1heic")

    def meta(start: int) -> bytes:
        tiles = [struct.pack(">HHHHII", item, 0, 0, 1, start, len(coded)) for item in (1, 2, 3, 4)]
        iloc = full(
            b"iloc",
            1,
            struct.pack(">BBH", 0x44, 0, 5),
            *tiles,
            struct.pack(">HHHHII", 5, 1, 0, 1, 0, len(layout)),
        )
        pitm = full(b"pitm", 0, struct.pack(">H", 5))
        return full(b"meta", 0, hdlr, pitm, iloc, iinf, iref, iprp, box(b"idat", layout))

    start = len(ftyp) + len(meta(0)) + 8
    return ftyp + meta(start) + box(b"mdat", coded)


def write_scenes() -> None:
    """One scene for each orientation, stored so that it stands upright once it is turned."""
    rng = np.random.default_rng(20)
    told = {}
    for orientation in range(1, 9):
        scene = random_scene(rng)
        name = f"scene-{orientation}.heic"
        data = turned(orientation, turned_back(draw(scene), orientation))
        (SCENES / name).write_bytes(data)
        told[name] = asdict(scene)
        print(f"{name}: {len(data):,} bytes")
    (SCENES / "scenes.json").write_text(json.dumps(told, indent=2) + "\n", "utf-8")


def main() -> None:
    """Write all files."""
    pillow_heif.register_heif_opener()
    files = {
        "plain": heic(drawing()),
        "grey": heic(drawing().convert("L")),
        "ten-bits": ten_bits(),
        "transparent": transparent(),
        "second-of-two": second_of_two(),
        "grid": grid(),
        **{f"turned-{orientation}": turned(orientation) for orientation in range(2, 9)},
    }
    for name, data in files.items():
        (DATA / f"{name}.heic").write_bytes(data)
        print(f"{name}.heic: {len(data):,} bytes")
    write_scenes()


if __name__ == "__main__":
    main()
