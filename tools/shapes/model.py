"""The two networks as llama.cpp computes them: a small ViT with Gemma 3's projector, and a small Llama.

Weights are a flat dictionary under GGUF's names, matrices as (out, in), so that export is a copy.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

Weights = dict[str, jax.Array]
EPS = 1e-5
ROPE_BASE = 10000.0


@dataclass(frozen=True)
class Shape:
    """Sizes of both networks."""

    vocabulary: int
    side: int = 64
    patch: int = 8
    pool: int = 2
    vision: int = 96
    vision_hidden: int = 192
    vision_blocks: int = 3
    text: int = 96
    text_hidden: int = 192
    text_blocks: int = 3
    head: int = 32

    @property
    def patches(self) -> int:
        """Patches along one side of a picture."""
        return self.side // self.patch

    @property
    def picture_tokens(self) -> int:
        """Tokens that the language model gets for one picture."""
        return (self.patches // self.pool) ** 2


HEADS = {"colour": 6, "shape": 3, "x1": 17, "y1": 17, "x2": 17, "y2": 17}
"""Questions put to the mean of a picture's tokens in training only, with the number of answers."""
ASKED = {"asked_colour": 7, "asked_shape": 4, "seen_colour": 6, "seen_shape": 3}
"""Questions put, in training only, to the state before the last block where an answer about a name begins."""


def start(shape: Shape, seed: int) -> Weights:
    """Random weights."""
    rng = np.random.default_rng(seed)
    made: dict[str, np.ndarray] = {}

    def matrix(name: str, out: int, into: int, gain: float = 1.0) -> None:
        made[name] = rng.normal(0, gain / np.sqrt(into), (out, into))

    d, hidden = shape.vision, shape.vision_hidden
    matrix("v.patch_embd.weight", d, 3 * shape.patch**2)
    made["v.position_embd.weight"] = rng.normal(0, 0.1, (shape.patches**2, d))
    for n in range(shape.vision_blocks):
        at = f"v.blk.{n}."
        for part in ("attn_q", "attn_k", "attn_v", "attn_out"):
            matrix(f"{at}{part}.weight", d, d, 0.3 if part == "attn_out" else 1.0)
            made[f"{at}{part}.bias"] = np.zeros(d)
        matrix(f"{at}ffn_up.weight", hidden, d)
        made[f"{at}ffn_up.bias"] = np.zeros(hidden)
        matrix(f"{at}ffn_down.weight", d, hidden, 0.3)
        made[f"{at}ffn_down.bias"] = np.zeros(d)
    for norm in [f"v.blk.{n}.ln{i}" for n in range(shape.vision_blocks) for i in (1, 2)] + ["v.post_ln"]:
        made[f"{norm}.weight"], made[f"{norm}.bias"] = np.ones(d), np.zeros(d)
    made["mm.soft_emb_norm.weight"] = np.ones(d)
    made["mm.input_projection.weight"] = rng.normal(0, 1 / np.sqrt(d), (d, shape.text))

    d, hidden = shape.text, shape.text_hidden
    made["token_embd.weight"] = rng.normal(0, 0.1, (shape.vocabulary, d))
    made["output_norm.weight"] = np.ones(d)
    for n in range(shape.text_blocks):
        at = f"blk.{n}."
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            matrix(f"{at}{part}.weight", d, d, 0.3 if part == "attn_output" else 1.0)
        matrix(f"{at}ffn_gate.weight", hidden, d)
        matrix(f"{at}ffn_up.weight", hidden, d)
        matrix(f"{at}ffn_down.weight", d, hidden, 0.3)
        made[f"{at}attn_norm.weight"], made[f"{at}ffn_norm.weight"] = np.ones(d), np.ones(d)
    for name, answers in (HEADS | ASKED).items():
        made[f"head.{name}.weight"], made[f"head.{name}.bias"] = np.zeros((answers, d)), np.zeros(answers)
    return {name: jnp.asarray(value, jnp.float32) for name, value in made.items()}


def _layer_norm(w: Weights, name: str, x: jax.Array) -> jax.Array:
    x = x - x.mean(-1, keepdims=True)
    return x * jax.lax.rsqrt((x * x).mean(-1, keepdims=True) + EPS) * w[f"{name}.weight"] + w[f"{name}.bias"]


def _rms_norm(w: Weights, name: str, x: jax.Array) -> jax.Array:
    return x * jax.lax.rsqrt((x * x).mean(-1, keepdims=True) + EPS) * w[f"{name}.weight"]


def _affine(w: Weights, name: str, x: jax.Array) -> jax.Array:
    return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]


@jax.custom_vjp
def _mix(q: jax.Array, k: jax.Array, v: jax.Array, mask: jax.Array) -> jax.Array:
    """softmax(q k' / sqrt(head) + mask) v over (batch, heads, length, head)."""
    return _mix_forward(q, k, v, mask)[0]


def _mix_forward(q: jax.Array, k: jax.Array, v: jax.Array, mask: jax.Array) -> tuple[jax.Array, tuple]:
    scores = q @ k.transpose(0, 1, 3, 2) / np.sqrt(q.shape[-1]) + mask
    shares = jax.nn.softmax(scores, -1)
    return shares @ v, (q, k, v, shares)


def _mix_backward(kept: tuple, slope: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array, None]:
    # By hand, with the transposed matrices written out first: XLA's own takes twice as long on a CPU.
    q, k, v, shares = kept
    d_shares = slope @ v.transpose(0, 1, 3, 2)
    d_scores = shares * (d_shares - (d_shares * shares).sum(-1, keepdims=True)) / np.sqrt(q.shape[-1])
    turned, shares = jax.lax.optimization_barrier(
        (d_scores.transpose(0, 1, 3, 2), shares.transpose(0, 1, 3, 2))
    )
    return d_scores @ k, turned @ q, shares @ slope, None


_mix.defvjp(_mix_forward, _mix_backward)


def _heads(x: jax.Array, batch: int, head: int) -> jax.Array:
    """(batch * length, width) to (batch, heads, length, head)."""
    return x.reshape(batch, -1, x.shape[-1] // head, head).transpose(0, 2, 1, 3)


def _flat(x: jax.Array) -> jax.Array:
    """Back from `_heads`; all else works on two dimensions, which XLA multiplies twice as fast as three."""
    return x.transpose(0, 2, 1, 3).reshape(x.shape[0] * x.shape[2], -1)


def see(w: Weights, shape: Shape, pictures: jax.Array) -> jax.Array:
    """Pictures (n, 64, 64, 3) in -1..1 to tokens (n, picture_tokens, text width)."""
    n, p, side = len(pictures), shape.patch, shape.patches
    x = (
        pictures.reshape(n, side, p, side, p, 3)
        .transpose(0, 1, 3, 5, 2, 4)
        .reshape(n * side * side, 3 * p * p)
    )
    x = x @ w["v.patch_embd.weight"].T
    x = (x.reshape(n, side * side, -1) + w["v.position_embd.weight"]).reshape(n * side * side, -1)
    mask = jnp.zeros((1, 1, 1, 1))
    for block in range(shape.vision_blocks):
        at = f"v.blk.{block}."
        h = _layer_norm(w, f"{at}ln1", x)
        q, k, v = (_heads(_affine(w, f"{at}attn_{part}", h), n, shape.head) for part in "qkv")
        x = x + _affine(w, f"{at}attn_out", _flat(_mix(q, k, v, mask)))
        h = _affine(w, f"{at}ffn_up", _layer_norm(w, f"{at}ln2", x))
        x = x + _affine(w, f"{at}ffn_down", jax.nn.silu(h))
    x = _layer_norm(w, "v.post_ln", x)
    few = side // shape.pool
    x = x.reshape(n, few, shape.pool, few, shape.pool, -1).mean((2, 4)).reshape(n * few * few, -1)
    x = _rms_norm(w, "mm.soft_emb_norm", x) @ w["mm.input_projection.weight"]
    return x.reshape(n, few * few, -1)


def _rotate(x: jax.Array) -> jax.Array:
    """Rotary positions on neighbouring pairs, as arch `llama` has them; (batch, heads, length, head)."""
    batch, heads, length, head = x.shape
    angle = np.arange(length)[:, None] * ROPE_BASE ** (-np.arange(0, head, 2) / head)
    cos, sin = (jnp.asarray(f(angle), jnp.float32) for f in (np.cos, np.sin))
    even, odd = jnp.moveaxis(x.reshape(batch, heads, length, head // 2, 2), -1, 0)
    return jnp.stack([even * cos - odd * sin, even * sin + odd * cos], -1).reshape(x.shape)


def read(
    w: Weights, shape: Shape, ids: jax.Array, slots: jax.Array, seen: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Rows (n, length) and the batch's picture tokens to the states after the last block and before it.

    Both are (n, length, text width).

    A row's own tokens look back only; the tokens of one picture also look at each other.
    """
    pictures = seen.reshape(-1, shape.text)
    x = jnp.where((slots >= 0)[..., None], pictures[jnp.maximum(slots, 0)], w["token_embd.weight"][ids])
    n, length = ids.shape
    x = x.reshape(n * length, -1)
    # A picture shown twice in one row is told apart by what lies between: count the starts.
    picture = jnp.where(slots >= 0, jnp.cumsum(slots < 0, 1), -1)
    together = (picture[:, :, None] == picture[:, None, :]) & (slots >= 0)[:, :, None]
    mask = jnp.where(jnp.tril(jnp.ones((length, length), bool)) | together, 0.0, -1e9)[:, None]
    before = x
    for block in range(shape.text_blocks):
        before = x
        at = f"blk.{block}."
        h = _rms_norm(w, f"{at}attn_norm", x)
        q, k, v = (_heads(h @ w[f"{at}attn_{part}.weight"].T, n, shape.head) for part in "qkv")
        x = x + _flat(_mix(_rotate(q), _rotate(k), v, mask)) @ w[f"{at}attn_output.weight"].T
        h = _rms_norm(w, f"{at}ffn_norm", x)
        gate = jax.nn.silu(h @ w[f"{at}ffn_gate.weight"].T)
        x = x + (gate * (h @ w[f"{at}ffn_up.weight"].T)) @ w[f"{at}ffn_down.weight"].T
    return _rms_norm(w, "output_norm", x).reshape(n, length, -1), before.reshape(n, length, -1)


def _surprise(logits: jax.Array, wanted: jax.Array) -> jax.Array:
    chosen = jnp.take_along_axis(logits, wanted[..., None], -1)[..., 0]
    return jax.nn.logsumexp(logits, -1) - chosen


def loss(
    w: Weights, shape: Shape, batch: dict[str, jax.Array], text_only: bool = False
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Mean surprise at what was to be said, plus what the training heads did not see.

    `batch` has pictures (n, 64, 64, 3) uint8, ids, slots (n, length), said and worth (n, most):
    where the learnt tokens stand and how much each counts, and facts (n, 6): the right answers of `HEADS`.
    """
    seen = see(w, shape, batch["pictures"].astype(jnp.float32) / 127.5 - 1)
    if text_only:
        seen = jax.lax.stop_gradient(seen)
    mean = seen.mean(1)
    facts = sum(
        _surprise(_affine(w, f"head.{name}", mean), batch["facts"][:, n]).mean()
        for n, name in enumerate(HEADS)
    )
    states, early = read(w, shape, batch["ids"], batch["slots"], seen)
    at = batch["said"]  # positions of learnt tokens; 0 pads
    wanted = jnp.take_along_axis(batch["ids"], at, 1)
    before = jnp.take_along_axis(states, jnp.maximum(at - 1, 0)[..., None], 1)
    before, wanted, worth = before.reshape(-1, shape.text), wanted.reshape(-1), batch["worth"].reshape(-1)
    surprise = _surprise(before @ w["token_embd.weight"].T, wanted)
    told = (surprise * worth).sum() / worth.sum()
    asked = _asked(w, batch, early)
    return told + 0.1 * (facts + asked), {"told": told, "facts": facts, "asked": asked}


def _asked(w: Weights, batch: dict[str, jax.Array], early: jax.Array) -> jax.Array:
    """Surprise of the heads ASKED."""
    at, *named = jnp.moveaxis(batch["asked"], -1, 0)
    states = jnp.take_along_axis(early, at[..., None], 1)
    states = states * jax.lax.rsqrt((states * states).mean(-1, keepdims=True) + EPS)
    seen = [jnp.broadcast_to(batch["facts"][:, n : n + 1], at.shape) for n in (0, 1)]
    surprise = sum(
        _surprise(_affine(w, f"head.{name}", states), right)
        for name, right in zip(ASKED, (*named, *seen), strict=True)
    )
    return (surprise * (at > 0)).sum() / jnp.maximum((at > 0).sum(), 1)
