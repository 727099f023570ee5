"""Pictures made for timing: gradients under noise, always the same, of about the wanted number of bytes."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence

import numpy as np
from PIL import Image

PROMPT = "Caption this image."

_DATA = b'"data": "'
_STAMP_AT = 8
"""Where in a stamped picture's base64 its number begins: after the six bytes before it."""


def jpeg(
    width: int, height: int, *, noise: float, quality: int = 85, subsampling: int = 2, seed: int = 0
) -> bytes:
    """A baseline JPEG; `noise` in grey levels and `quality` decide its size, `seed` its content.

    Args:
        width: Columns.
        height: Rows.
        noise: Standard deviation of the noise, in levels of 0..255.
        quality: libjpeg's quality.
        subsampling: Pillow's number: 0 is 4:4:4, 2 is 4:2:0.
        seed: Of the noise.
    """
    generator = np.random.default_rng(seed)
    down = np.linspace(0, 160, height, dtype=np.float32)[:, None, None]
    across = np.linspace(0, 60, width, dtype=np.float32)[None, :, None]
    grain = generator.standard_normal((height, width, 3), dtype=np.float32) * np.float32(noise)
    tint = np.array([20, 0, 10], dtype=np.float32)
    pixels = np.clip(down + across + tint + grain, 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality, subsampling=subsampling)
    return file.getvalue()


def stamped(data: bytes, number: int) -> bytes:
    """A JPEG with a number in a comment: another file with the same pixels, which no server has seen yet."""
    return data[:2] + b"\xff\xfe\x00\x08" + _stamp(number) + data[2:]


def restamp(body: bytearray, number: int) -> None:
    """Change the number of the one stamped picture in a request."""
    at = body.index(_DATA) + len(_DATA) + _STAMP_AT
    body[at : at + 8] = base64.b64encode(_stamp(number))


def _stamp(number: int) -> bytes:
    return f"{number:06}".encode()


def camera_jpeg() -> bytes:
    """12 megapixels, 4:2:0, about 3 MB: what a telephone stores."""
    return jpeg(4000, 3000, noise=11.5)


def huge_jpeg() -> bytes:
    """12 megapixels, 4:4:4, about 15 MB: 20 MB as base64, the most that Gemini's API long took inline."""
    return jpeg(4000, 3000, noise=24, quality=92, subsampling=0)


def small_jpegs(count: int) -> list[bytes]:
    """Pictures of about 5 kB each; sixty show something else, each is a file of its own."""
    different = [jpeg(160, 120, noise=9.7, seed=seed) for seed in range(60)]
    return [stamped(different[index % 60], index) for index in range(count)]


def request(pictures: Sequence[bytes], prompt: str = PROMPT) -> bytes:
    """A GenerateContentRequest with inline JPEGs before a prompt, as the SDK writes it; countTokens' too."""
    parts: list[object] = [
        {"inlineData": {"mimeType": "image/jpeg", "data": base64.b64encode(data).decode()}}
        for data in pictures
    ]
    return json.dumps({"contents": [{"role": "user", "parts": [*parts, {"text": prompt}]}]}).encode()


def with_trailing_comma(body: bytes) -> bytes:
    """The same request as Google's curl samples write it: no strict JSON, for a comma at its very end."""
    return body.removesuffix(b"}") + b",}"
