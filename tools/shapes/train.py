"""Trains the model on one core: `python -m tools.shapes.train`, as README.md says."""

from __future__ import annotations

import argparse
import io
import re
import time
from collections.abc import Iterator
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib
from PIL import Image

from tests.model.scenes import COLOURS, GRID, SHAPES, Scene, as_sent, random_scene
from tools.shapes.dialogue import Teacher, pack, tokenizer
from tools.shapes.model import Shape, Weights, loss, start

POOL = 12_000  # pictures at hand; a few are drawn anew each step
WARM_UP = 200
MEAN_STEP = 0.005  # of the running mean of the weights, which is what is kept
MATRIX = re.compile(r"blk\.\d+\.(attn_(q|k|v|out|output)|ffn_(gate|up|down))\.weight$")


def photograph(scene: Scene, rng: np.random.Generator) -> np.ndarray:
    """What the vision tower gets of a scene: (64, 64, 3) uint8."""
    return np.asarray(Image.open(io.BytesIO(as_sent(scene, rng))).convert("RGB"))


def facts(scene: Scene) -> list[int]:
    """The right answers to `HEADS`."""
    corners = [px // GRID for px in scene.box]
    return [list(COLOURS).index(scene.colour), SHAPES.index(scene.shape), *corners]


def batches(size: int, fresh: int, seed: int, pool: int = POOL) -> Iterator[dict[str, np.ndarray]]:
    """Endless batches; `fresh` pictures of the pool are replaced after each."""
    rng = np.random.default_rng(seed)
    teacher = Teacher(tokenizer(), rng)
    scenes = [random_scene(rng) for _ in range(pool)]
    pictures = np.stack([photograph(scene, rng) for scene in scenes])
    old = 0
    while True:
        chosen = rng.integers(0, pool, size)
        shown = [scenes[n] for n in chosen]
        rows = [teacher.row(shown, n) for n in range(size)]
        yield {
            "pictures": pictures[chosen],
            "facts": np.array([facts(scene) for scene in shown], np.int32),
            **pack(rows),
        }
        for _ in range(fresh):
            scenes[old] = random_scene(rng)
            pictures[old] = photograph(scenes[old], rng)
            old = (old + 1) % pool


def optimizer(steps: int, descent: int, rate: float) -> optax.GradientTransformation:
    """Muon for matrices, Adam for the rest; warm-up, a plateau, and a descent to zero over the last steps."""
    parts = (
        optax.linear_schedule(0, rate, WARM_UP),
        optax.constant_schedule(rate),
        optax.linear_schedule(rate, 0, max(descent, 1)),
    )
    schedule = optax.join_schedules(parts, [WARM_UP, steps - descent])
    across = optax.contrib.MuonDimensionNumbers((1,), (0,))

    def hidden(weights: Weights) -> dict[str, optax.contrib.MuonDimensionNumbers | None]:
        return {name: across if MATRIX.search(name) else None for name in weights}

    muon = optax.contrib.muon(
        schedule,
        weight_decay=0.01,
        adam_b2=0.98,
        muon_weight_dimension_numbers=hidden,
        consistent_rms=0.2,
    )
    return optax.chain(optax.clip_by_global_norm(1.0), muon)


def train(args: argparse.Namespace, weights: Weights, shape: Shape) -> None:
    """Trains and keeps a running mean of the weights in `args.out`."""
    rule = optimizer(args.steps, args.descent, args.rate)
    state = rule.init(weights)

    @jax.jit
    def step(weights: Weights, mean: Weights, state: optax.OptState, batch: dict[str, jax.Array]) -> tuple:
        (_, parts), slope = jax.value_and_grad(loss, has_aux=True)(weights, shape, batch, args.text_only)
        change, state = rule.update(slope, state, weights)
        if args.text_only:
            change = {name: part * (not name.startswith(("v.", "mm."))) for name, part in change.items()}
        weights = optax.apply_updates(weights, change)
        mean = jax.tree.map(lambda old, new: old + (new - old) * MEAN_STEP, mean, weights)
        return weights, mean, state, parts

    mean, began, seen = weights, time.monotonic(), []
    for number, batch in zip(
        range(1, args.steps + 1), batches(args.batch, args.fresh, args.seed), strict=False
    ):
        weights, mean, state, parts = step(weights, mean, state, batch)
        seen.append(parts)
        if number % 100 == 0:
            means = (f"{key} {np.mean([float(p[key]) for p in seen]):.4f}" for key in parts)
            print(f"{number} {time.monotonic() - began:.0f}s", *means, flush=True)
            seen = []
        if number % 500 == 0 or number == args.steps:
            np.savez(args.out / "weights.npz", **{name: np.asarray(value) for name, value in mean.items()})


def main() -> None:
    """Reads the command line and trains."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=6_000)
    parser.add_argument("--descent", type=int, default=3_000, help="steps at the end that slow down")
    parser.add_argument("--start", type=Path, help="weights to go on from")
    parser.add_argument("--text-only", action="store_true", help="leave the vision tower as it is")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--fresh", type=int, default=4, help="pictures drawn anew after each step")
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, default=Path("build/shapes"))
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    shape = Shape(vocabulary=len(tokenizer().tokens))
    weights = start(shape, args.seed)
    if args.start:
        weights |= {name: jnp.asarray(value) for name, value in np.load(args.start).items()}
    print(f"{sum(value.size for value in weights.values()):,} weights", flush=True)
    train(args, weights, shape)


if __name__ == "__main__":
    main()
