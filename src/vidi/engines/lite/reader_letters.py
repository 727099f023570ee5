"""Reads the letters of one line: a network over a strip of pixels, decoded by its blanks.

Source: Graves et al., "Connectionist Temporal Classification" (2006): in each column the likeliest sign; of
equal neighbours one; blanks left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from vidi.engines.lite.weights_network import Floats, Network

_HEIGHT = 48
_LONGEST = 3200
"""Widest strip that is read at once: the network's answer takes 30 MB for it."""

_MARGIN = 24
"""Empty columns after the text; without them the last letters of short words are misread."""

_NEAR = 96
"""How far from its middle a strip that is too long may be cut, in columns."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a strip says.

    Attributes:
        text: Its letters; "" where there are none.
        score: The mean of the letters' probabilities, 0..1.
    """

    text: str
    score: float


class Letters:
    """The network, ready to run; may be used from several threads."""

    def __init__(self, model: Path, threads: int) -> None:
        """Load the model, which carries the list of its signs; it reads `threads` cores busy."""
        self._network = Network(model, threads, hoard=False)
        self._signs = np.array(["", *self._network.notes["character"].splitlines(), " "])

    def read(self, strip: Image.Image) -> Reading:
        """Read a strip of one line, upright, of any height."""
        width = max(8, -(-_HEIGHT * strip.width // strip.height))
        pixels = np.asarray(strip.resize((width, _HEIGHT), Image.Resampling.BILINEAR), np.float32)
        readings = [self._read(part) for part in _parts(pixels / 127.5 - 1)]
        letters = sum(len(reading.text) for reading in readings)
        score = sum(reading.score * len(reading.text) for reading in readings) / max(1, letters)
        return Reading(" ".join(reading.text for reading in readings if reading.text), score)

    def _read(self, pixels: Floats) -> Reading:
        width = -(-(pixels.shape[1] + _MARGIN) // 8) * 8
        tensor = np.zeros((1, 3, _HEIGHT, width), np.float32)
        # The network was trained on blue, green, red.
        tensor[0, :, :, : pixels.shape[1]] = pixels[:, :, ::-1].transpose(2, 0, 1)
        probabilities = self._network.run(tensor)[0][0]
        likeliest, sure = probabilities.argmax(axis=1), probabilities.max(axis=1)
        said = likeliest != 0
        said[1:] &= likeliest[1:] != likeliest[:-1]
        text = "".join(self._signs[likeliest[said]])
        return Reading(text.strip(), float(sure[said].mean()) if said.any() else 0.0)


def _parts(pixels: Floats) -> list[Floats]:
    """A strip in parts of at most _LONGEST columns, cut where there is least ink near the middle."""
    width = pixels.shape[1]
    if width <= _LONGEST:
        return [pixels]
    middle = width // 2
    near = pixels[:, middle - _NEAR : middle + _NEAR].std(axis=(0, 2))
    # Over a stretch as wide as a blank, so that the cut falls between words.
    ink = np.convolve(near, np.ones(_HEIGHT // 4), "same")
    cut = middle - _NEAR + int(ink.argmin())
    return [*_parts(pixels[:, :cut]), *_parts(pixels[:, cut:])]
