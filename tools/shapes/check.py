"""Scores the two files through llama.cpp on fresh scenes: `python -m tools.shapes.check --scenes 200`."""

from __future__ import annotations

import argparse
import base64
import io
import json
import re
import time
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from statistics import mean, median

import numpy as np
import xllamacpp
from PIL import Image

from tests.model.scenes import (
    COLOURS,
    SHAPES,
    Box,
    Kind,
    Scene,
    draw,
    encode,
    letterbox,
    per_mille,
    random_scene,
)
from tools.shapes import dialogue
from tools.shapes.export import TEXT, VISION

Message = dict[str, object]
GRAMMAR = r"""root ::= "[" (item ("," item)*)? "]"
item ::= "{\"bbox_2d\":[" number "," number "," number "," number "],\"label\":\"" [a-z ]+ "\"}"
number ::= [0-9]+
"""


class Engine:
    """llama.cpp in this process."""

    def __init__(self, folder: Path, threads: int) -> None:
        params = xllamacpp.CommonParams()
        params.model.path = str(folder / TEXT)
        params.mmproj.path = str(folder / VISION)
        params.n_ctx = 1024
        params.n_parallel = 1
        params.cpuparams.n_threads = threads
        params.cpuparams_batch.n_threads = threads
        params.warmup = False
        params.verbosity = 0
        params.ui = False
        self._server = xllamacpp.Server(params)

    def ask(self, messages: Sequence[Message], **more: object) -> str:
        """The answer to a conversation, greedily."""
        request = {
            "messages": list(messages),
            "temperature": 0,
            "max_tokens": 64,
            "cache_prompt": False,
            **more,
        }
        answer = self._server.handle_chat_completions(request)
        if "error" in answer:
            raise RuntimeError(str(answer["error"]))
        return str(answer["choices"][0]["message"]["content"])

    def stream(self, messages: Sequence[Message]) -> list[str]:
        """The pieces of the answer as they come."""
        pieces: list[str] = []

        def take(event: object) -> None:
            for one in event if isinstance(event, list) else [event]:
                pieces.extend(choice["delta"].get("content") or "" for choice in one.get("choices", ()))

        request = {"messages": list(messages), "temperature": 0, "max_tokens": 64, "stream": True}
        self._server.handle_chat_completions(request, take)
        return [piece for piece in pieces if piece]


def picture(file: bytes) -> Message:
    """A JPEG as a part of a message."""
    url = "data:image/jpeg;base64," + base64.b64encode(file).decode()
    return {"type": "image_url", "image_url": {"url": url}}


def user(text: str, *files: bytes, last: bool = False) -> Message:
    """A user's turn; the pictures come before the text, or after it (`last`)."""
    words: Message = {"type": "text", "text": text}
    pictures = [picture(file) for file in files]
    return {"role": "user", "content": [words, *pictures] if last else [*pictures, words]}


def fresh_scene(rng: np.random.Generator) -> Scene:
    """A scene such as training had, its picture up to five times larger."""
    scene = random_scene(rng)
    larger = int(rng.integers(1, 6))
    return replace(scene, size=(scene.size[0] * larger, scene.size[1] * larger))


def as_sent(scene: Scene, rng: np.random.Generator) -> bytes:
    """The JPEG that an engine gets of a scene whose picture came as PNG, JPEG or WEBP."""
    kinds: tuple[Kind, ...] = ("PNG", "JPEG", "WEBP")
    source = encode(draw(scene), kinds[int(rng.integers(len(kinds)))], quality=85)
    return encode(letterbox(Image.open(io.BytesIO(source)).convert("RGB")))


def overlap(one: Sequence[float], other: Sequence[float]) -> float:
    """Intersection over union of two boxes x1, y1, x2, y2."""
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(wide, 0) * max(high, 0)
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return shared / (areas - shared) if areas > shared else 0.0


def _numbers(answer: str) -> list[int]:
    return [int(found) for found in re.findall(r"\d+", answer.replace("_2d", ""))]


def _truth(box: Box) -> list[int]:
    return [per_mille(px) for px in box]


class Examiner:
    """Asks an engine about scenes and counts."""

    def __init__(self, engine: Engine, rng: np.random.Generator) -> None:
        self._engine = engine
        self._rng = rng
        self.marks: dict[str, list[float]] = {}
        self.times: list[float] = []
        self.wrong: list[str] = []

    def mark(self, name: str, value: float) -> None:
        """Notes one result, 0 to 1."""
        self.marks.setdefault(name, []).append(float(value))

    def _ask(self, *turns: Message) -> str:
        system: list[Message] = (
            [{"role": "system", "content": dialogue.SYSTEM}] if self._rng.random() < 0.5 else []
        )
        began = time.perf_counter()
        answer = self._engine.ask([*system, *turns])
        self.times.append((time.perf_counter() - began) * 1000)
        return answer

    def _same(self, name: str, wanted: str, answer: str) -> None:
        self.mark(name, wanted == answer)
        if wanted != answer:
            self.wrong.append(f"{name}: wanted {wanted!r}, got {answer!r}")

    def scene(self, scene: Scene, other: Scene) -> None:
        """All questions about one scene, and one about it and another."""
        file, second = as_sent(scene, self._rng), as_sent(other, self._rng)
        late = bool(self._rng.random() < 0.3)
        said: dict[str, str] = {}
        names: dict[str, str] = {
            dialogue.BOXES: "boxes exact",
            dialogue.POINTS: "points exact",
            dialogue.CAPTION: "captions",
            dialogue.COLOUR: "colours",
            dialogue.SHAPE: "shapes",
            dialogue.OBJECT: "objects",
        }
        for prompt, name in names.items():
            said[prompt] = self._ask(user(prompt, file, last=late))
            self._same(name, dialogue.ANSWERS[prompt](scene), said[prompt])
        found = _numbers(said[dialogue.BOXES])
        self.mark("box IoU", overlap(found, _truth(scene.box)) if len(found) == 4 else 0.0)
        self._same("yes", "Yes.", self._ask(user(dialogue.is_there(scene.name), file, last=late)))
        self._same("no", "No.", self._ask(user(dialogue.is_there(self._lie(scene)), file, last=late)))
        named, absent = (dialogue.BOXES.replace("shape", name) for name in (scene.name, self._lie(scene)))
        self._same("named, present", dialogue.boxes(scene), self._ask(user(named, file)))
        self._same("named, absent", dialogue.NOTHING, self._ask(user(absent, file)))
        wanted = dialogue.pair(scene, other)
        self._same("two pictures", wanted, self._ask(user(dialogue.PAIR, file, second, last=late)))
        turns = (user(dialogue.CAPTION, file), {"role": "assistant", "content": dialogue.caption(scene)})
        self._same("follow-up", scene.colour, self._ask(*turns, user(dialogue.COLOUR)))
        self._same("no picture", dialogue.BLIND, self._ask(user(dialogue.CAPTION)))

    def _lie(self, scene: Scene) -> str:
        colours = [colour for colour in COLOURS if colour != scene.colour]
        shapes = [shape for shape in SHAPES if shape != scene.shape]
        wrong = (f"{self._rng.choice(colours)} {scene.shape}", f"{scene.colour} {self._rng.choice(shapes)}")
        return wrong[int(self._rng.integers(2))]


def main() -> None:
    """Reads the command line, asks, and prints the scores as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("tests/model/shapes"))
    parser.add_argument("--scenes", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1_000_003)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--card", action="store_true", help="write card.json beside the files")
    args = parser.parse_args()
    began = time.perf_counter()
    engine = Engine(args.folder, args.threads)
    load = time.perf_counter() - began
    rng = np.random.default_rng(args.seed)
    examiner = Examiner(engine, rng)
    scenes = [fresh_scene(rng) for _ in range(args.scenes)]
    for number, scene in enumerate(scenes):
        examiner.scene(scene, scenes[number - 1])
    print("\n".join(examiner.wrong[:40]))
    file = as_sent(scenes[0], rng)
    print("streamed", engine.stream([user(dialogue.BOXES, file)]))
    print("by grammar", engine.ask([user(dialogue.BOXES, file)], grammar=GRAMMAR))
    path = args.folder / "card.json"
    card = {
        "about": "A test instrument, not a model to use: see tools/shapes/README.md.",
        "license": "Apache-2.0",
        "sha256": {name: sha256((args.folder / name).read_bytes()).hexdigest() for name in (TEXT, VISION)},
        "check": {"scenes": args.scenes, "seed": args.seed, "xllamacpp": version("xllamacpp")},
        "training": json.loads(path.read_text())["training"] if path.exists() else "",
        "load_ms": round(load * 1000),
        "request_ms": round(median(examiner.times), 1),
        "scores": {name: round(mean(values), 4) for name, values in examiner.marks.items()},
    }
    print(text := json.dumps(card, indent=2))
    if args.card:
        path.write_text(text + "\n")


if __name__ == "__main__":
    main()
