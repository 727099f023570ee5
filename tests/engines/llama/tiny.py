"""Pairs of GGUF files of a few kilobytes, whole in form and without sense, for everything but answering."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from gguf import GGUFWriter

WIDTH = 64


def write_text(
    path: Path, *, width: int = WIDTH, blocks: int = 2, leave_out: str = "", seed: int = 0
) -> Path:
    """A language model of the architecture `llama`; a tensor of the name `leave_out` is left out."""
    random = np.random.default_rng(seed)
    writer = GGUFWriter(path, "llama")
    writer.add_type("model")
    writer.add_context_length(512)
    writer.add_embedding_length(width)
    writer.add_block_count(blocks)
    writer.add_feed_forward_length(2 * width)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list([f"token {index}" for index in range(32)])
    shapes = {"token_embd.weight": (32, width), "output_norm.weight": (width,)}
    for block in range(blocks):
        shapes[f"blk.{block}.attn_norm.weight"] = (width,)
        shapes[f"blk.{block}.attn_q.weight"] = (width, width)
    _finish(writer, random, shapes, leave_out)
    return path


def write_vision(
    path: Path, *, width: int = WIDTH, told: int | None = None, blocks: int = 2, leave_out: str = ""
) -> Path:
    """A vision encoder whose projector (`gemma3`) makes `width` numbers and says that it makes `told`."""
    random = np.random.default_rng(1)
    writer = GGUFWriter(path, "clip")
    writer.add_type("mmproj")
    writer.add_clip_has_vision_encoder(True)
    writer.add_clip_projector_type("gemma3")
    writer.add_vision_projection_dim(width if told is None else told)
    writer.add_vision_block_count(blocks)
    writer.add_vision_embedding_length(48)
    shapes = {"v.patch_embd.weight": (48, 3, 4, 4), "mm.input_projection.weight": (width, 48)}
    for block in range(blocks):
        shapes[f"v.blk.{block}.attn_q.weight"] = (48, 48)
    _finish(writer, random, shapes, leave_out)
    return path


def _finish(
    writer: GGUFWriter, random: np.random.Generator, shapes: dict[str, tuple[int, ...]], leave_out: str
) -> None:
    for name, shape in shapes.items():
        if name != leave_out:
            writer.add_tensor(name, random.standard_normal(shape, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
