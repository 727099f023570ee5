"""Models for tests, put on a disk through `vidi pull`, or past its checks."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.model.random_gguf import Sizes, write_text_model, write_vision_tower
from tests.waiting import HANG_SECONDS
from vidi.engines.llama import store
from vidi.engines.llama.store import Pulled, publish, pulling
from vidi.engines.profile import Licence, Model, WeightsFile

Spoil = Callable[[Path, Path], object]
"""Changes the language model's and the vision encoder's file."""

SHAPES = Path(__file__).parent / "shapes" / "shapes.toml"
"""The profile of the model that sees one shape; its files lie beside it."""

SMALL = Sizes()

RANDOM = """
family = "random-{id}"
display_name = "Random"
good_at = "Nothing: its weights are random."
bad_at = "Everything."

[licence]
name = "CC0-1.0"
url = "https://creativecommons.org/publicdomain/zero/1.0/"

[pictures]
token_side = 14
square = 0
min_tokens = 16

[pictures.budgets]
low = 64
medium = 256
high = 256
ultra_high = 256

[[models]]
id = "{id}"
display_name = "Random"
repository = ""
text = {{ name = "text.gguf" }}
vision = {{ name = "vision.gguf" }}
context = {context}
slots = {slots}
rank = -1
"""


def pull(folder: Path, *words: object) -> str:
    """Run `vidi pull ... --yes` with everything in `folder`; gives what it printed."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("VIDI_")}
    variables |= {"VIDI_DATA_DIR": str(folder / "data"), "VIDI_CACHE_DIR": str(folder / "cache")}
    command = [sys.executable, "-m", "vidi.cli.main", "pull", *map(str, words), "--yes"]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=HANG_SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def write_random(
    folder: Path, model: str = "random", *, context: int = 4096, slots: int = 2, sizes: Sizes = SMALL
) -> Path:
    """Write the files of a model of random weights into a new folder; gives its profile."""
    folder.mkdir(parents=True)
    write_text_model(folder / "text.gguf", sizes=sizes)
    write_vision_tower(folder / "vision.gguf", sizes=sizes)
    profile = folder / f"{model}.toml"
    profile.write_text(RANDOM.format(id=model, context=context, slots=slots), "utf-8")
    return profile


def _described(file: Path) -> WeightsFile:
    data = file.read_bytes()
    return WeightsFile(file.name, hashlib.sha256(data).hexdigest(), len(data))


def unspoilt(text: Path, vision: Path) -> None:
    """Leaves both files as they are."""


def publish_random(cache: Path, model: str, *, context: int = 512, spoil: Spoil = unspoilt) -> Path:
    """Put a model of random weights on the disk past all checks of `vidi pull`; gives its folder.

    Its manifest is true to the files that `spoil` leaves.
    """
    with pulling(cache, model, lambda step, done, total: None) as folder:
        text, vision = folder / store.TEXT, folder / store.VISION
        write_text_model(text)
        write_vision_tower(vision)
        spoil(text, vision)
        files = _described(text), _described(vision)
        licence = Licence("CC0-1.0", "https://creativecommons.org/publicdomain/zero/1.0/")
        told = Model(
            model, model, "", *files, revision="", context=context, slots=1, rank=-1, licence=licence
        )
        record = Pulled(told, f"random-{model}", "a test", store.now(), folder, own_profile=True)
        return publish(record, RANDOM.format(id=model, context=context, slots=1).encode()).folder
