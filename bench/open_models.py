"""Open models to measure with: one of a usual shape and random weights, built here, and a tiny trained one.

Both are pulled into a cache of their own, as a user pulls files of theirs.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench import pictures
from tests.model.random_gguf import Sizes, write_text_model, write_vision_tower
from vidi.engines.llama.supervisor import Launch
from vidi.settings import load

TEXT = Sizes(width=512, blocks=10, heads=8, hidden=2048, context=8192, half=True)
VISION = Sizes(width=512, blocks=6, heads=8, hidden=2048, image=448, half=True)
"""84 million weights in all; a token takes 10 to 20 ms of a core, and a picture several hundred."""

TEXT_FILE, VISION_FILE = "text.gguf", "vision.gguf"
LEAST_TOKENS = 16
WORDS = tuple(f" w{number}" for number in range(16_000))
SHAPES = Path(__file__).parents[1] / "tests" / "model" / "shapes"

_PROFILE = """
family = "{name}"
display_name = "{name}"
good_at = "Measuring."
bad_at = "Everything else."

[licence]
name = "Apache-2.0"
url = "https://www.apache.org/licenses/LICENSE-2.0"

[pictures]
token_side = {side}
square = {square}
min_tokens = {least}

[pictures.budgets]
low = {tokens}
medium = {tokens}
high = {tokens}
ultra_high = {tokens}

[[models]]
id = "{name}"
display_name = "{name}"
repository = ""
text = {{ name = "text.gguf" }}
vision = {{ name = "vision.gguf" }}
context = {context}
slots = {slots}
rank = -1
"""


@dataclass(frozen=True, slots=True)
class OpenModel:
    """A model, and what it is asked.

    Attributes:
        name: Its id, and its family's.
        write: Writes its two files.
        context: Longest prompt and answer together, in tokens.
        side, square, budget: How it takes pictures: `token_side`, `square` and all budgets of a profile.
        size: Width and height of the pictures that it is asked about.
        rounds, crowds: How many pictures are asked about one by one, and how many times several at once.
        questions: What is asked about each picture.
        tokens: Most tokens of an answer.
        slots: How many requests it answers at the same time.
    """

    name: str
    write: Callable[[Path, Path], None]
    context: int
    side: int
    square: int
    budget: int
    size: tuple[int, int]
    rounds: int
    crowds: int
    questions: tuple[str, str] = ("Describe this image.", "What is in the middle?")
    tokens: int = 32
    slots: int = 4

    def picture(self, seed: int) -> bytes:
        """A JPEG to ask about."""
        return pictures.jpeg(*self.size, noise=9.7, seed=seed)

    def launch(self, folder: Path) -> Launch:
        """What llama.cpp's own server is to run, as Vidi runs it; `folder` is that of `pull`."""
        free = not self.square
        return Launch(
            text=str(folder / TEXT_FILE),
            vision=str(folder / VISION_FILE),
            context=self.context,
            slots=self.slots,
            threads=load({}).threads,
            min_image_tokens=LEAST_TOKENS if free else -1,
            max_image_tokens=self.budget if free else -1,
        )

    def pull(self, folder: Path) -> Path:
        """Write the files and their profile into a folder, and pull them; returns the cache."""
        folder.mkdir()
        self.write(folder / TEXT_FILE, folder / VISION_FILE)
        profile = folder / f"{self.name}.toml"
        profile.write_text(
            _PROFILE.format(
                name=self.name,
                side=self.side,
                square=self.square,
                tokens=self.budget,
                least=LEAST_TOKENS,
                context=self.context,
                slots=self.slots,
            )
        )
        cache = folder / "cache"
        subprocess.run(
            [sys.executable, "-m", "vidi.cli.main", "pull", str(profile), "--yes"],
            env={**os.environ, "VIDI_CACHE_DIR": str(cache)},
            stdout=sys.stderr,
            check=True,
        )
        return cache


def _write_random(text: Path, vision: Path) -> None:
    write_text_model(text, sizes=TEXT, words=WORDS, endless=True)
    write_vision_tower(vision, sizes=VISION)


def _link_shapes(text: Path, vision: Path) -> None:
    text.symlink_to(SHAPES / "shapes.gguf")
    vision.symlink_to(SHAPES / "shapes-mmproj.gguf")


RANDOM = OpenModel(
    "random-84m",
    _write_random,
    context=2048,
    side=14,
    square=0,
    budget=256,
    size=(640, 480),
    rounds=9,
    crowds=4,
)
TINY = OpenModel(
    "shapes", _link_shapes, context=1024, side=8, square=64, budget=64, size=(96, 64), rounds=60, crowds=20
)
