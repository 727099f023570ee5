"""How fast the built-in engine answers, through HTTP, on photographs; beside the bare runs of its models.

The photographs come with scikit-image (requirements/photos.txt), of which no code is used. Each request has
a file that the server has not seen, so that nothing is remembered.
"""

from __future__ import annotations

import importlib.util
import io
import itertools
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from bench import pictures
from bench.memory import footprint
from bench.servers import Connection, Server, on_cores, post, vidi
from bench.speed import in_turns
from bench.table import Row, Target
from vidi.cli.ask import IN_FLIGHT
from vidi.engines.lite.vision.ocr import INSTALL, published_models
from vidi.engines.lite.vision.onnx import Network
from vidi.engines.lite.weights.assets import Weights, ensure
from vidi.in_process import context, installed
from vidi.settings import load

MODEL = "vidi-lite"
GENERATE = f"/v1beta/models/{MODEL}:generateContent"
FILES = ("astronaut.png", "chelsea.png", "coffee.png", "motorcycle_left.png", "rocket.jpg")
SIZE = (640, 480)
LOOKS = ((3, 352, 448), (3, 544, 704))
"""What the detector is fed for a picture of SIZE: channels, rows, columns."""

GLANCE = (3, 260, 260)
"""What the classifier is fed."""

ROUNDS = 20
FOLDER = 100
BATCH = 20
"""How many photos are asked about together before as many are asked about one by one."""

FOLLOW_UP = "How many people are there?"
READ = "What does the text say?"


def photographs() -> list[bytes]:
    """The photographs as JPEGs of SIZE; none where scikit-image is not installed."""
    package = importlib.util.find_spec("skimage")
    folders = (package and package.submodule_search_locations) or ()
    return [_jpeg(Path(folder) / "data" / name) for folder in folders[:1] for name in FILES]


def _jpeg(file: Path) -> bytes:
    with Image.open(file) as image:
        fitted = ImageOps.fit(image.convert("RGB"), SIZE)
    written = io.BytesIO()
    fitted.save(written, "JPEG", quality=90)
    return written.getvalue()


def bare_runs(weights: Weights) -> Callable[[], None]:
    """What a caption of a picture of SIZE cannot do without: its models' runs, on one thread."""
    detector, classifier = Network(weights.detector, 1), Network(weights.classifier, 1)
    looks = [np.zeros((1, *shape), np.float32) for shape in LOOKS]
    glance = np.zeros((1, *GLANCE), np.float32)

    def run() -> None:
        for look in looks:
            detector.run(look)
        classifier.run(glance)

    return run


def one_photo(photos: Sequence[bytes], folder: Path) -> Iterator[Row]:
    """A caption on one core, and then another question about the same photo."""
    with on_cores(1), vidi(MODEL, folder) as server, Connection(server) as connection:
        fresh = _stamped(photos)
        seen: list[bytes] = []

        def caption() -> None:
            seen.append(next(fresh))
            connection.ask(post(GENERATE, pictures.request([seen[-1]])))

        def follow_up() -> None:
            connection.ask(post(GENERATE, pictures.request([seen[-1]], FOLLOW_UP)))

        bare = bare_runs(ensure(context(load({}))))
        ours, again, theirs = (float(np.median(own)) for own in in_turns(ROUNDS, caption, follow_up, bare))
        name = f"caption of a {SIZE[0]} x {SIZE[1]} photo, one core"
        yield Row(name, ours, theirs, "its models' bare runs", Target.RATIO, 1.25)
        yield Row("a second question about the same photo", again, most=5)


def a_folder(photos: Sequence[bytes], folder: Path) -> Iterator[Row]:
    """Many photos on two cores, as `vidi caption FOLDER` asks, beside one after the other; then memory."""
    fresh = _stamped(photos)
    with on_cores(2), vidi(MODEL, folder) as server:
        _caption_all(server, itertools.islice(fresh, IN_FLIGHT), IN_FLIGHT)
        together, alone = 0.0, 0.0
        for _ in range(FOLDER // BATCH):
            together += _caption_all(server, itertools.islice(fresh, BATCH), IN_FLIGHT)
            alone += _caption_all(server, itertools.islice(fresh, BATCH), 1)
        name = f"captions of {FOLDER} photos, two cores"
        yield Row(name, together, alone, "one by one", Target.RATIO, 0.6, unit="s")
        yield _memory(server, photos)


def _memory(server: Server, photos: Sequence[bytes]) -> Row:
    """What the server takes once it has read text too."""
    name = "  memory then, with text read"
    if published_models() is None:
        return Row(name, skipped=f"its models are not installed: `{INSTALL}`")
    for photo in photos:
        with Connection(server) as connection:
            connection.ask(post(GENERATE, pictures.request([photo], READ)))
    time.sleep(1)
    return Row(name, footprint(server), most=400, unit="MB")


def _caption_all(server: Server, files: Iterator[bytes], at_once: int) -> float:
    """Ask about some files, so many at once; how long it took, in seconds."""
    requests = [post(GENERATE, pictures.request([file])) for file in files]

    def ask(request: bytes) -> None:
        with Connection(server) as connection:
            connection.ask(request)

    with ThreadPoolExecutor(at_once) as threads:
        began = time.perf_counter()
        list(threads.map(ask, requests))
        return time.perf_counter() - began


def _stamped(photos: Sequence[bytes]) -> Iterator[bytes]:
    """The photographs in turn, for ever, each time as a new file."""
    for number, photo in enumerate(itertools.cycle(photos)):
        yield pictures.stamped(photo, number)


SECTIONS: Sequence[Callable[[Sequence[bytes], Path], Iterator[Row]]] = (one_photo, a_folder)


def run() -> Iterator[Row]:
    """Every figure. Raises Broken if something does not work."""
    photos = photographs()
    if not photos:
        yield Row(MODEL, skipped="the photographs are not there: `make .venv/.dev` installs scikit-image")
        return
    if not installed(load({}))[MODEL].ready:
        yield Row(MODEL, skipped="its weights are not in the cache: run `vidi pull vidi-lite` first")
        return
    for section in SECTIONS:
        print(f"{section.__name__.replace('_', ' ')} ...", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory() as folder:
            yield from section(photos, Path(folder))
