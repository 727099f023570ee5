"""Writes the trained weights as the two files that llama.cpp reads: `python -m tools.shapes.export`."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import gguf
import numpy as np

from tools.shapes.dialogue import AFTER, BEFORE, END, START, STOP, tokenizer
from tools.shapes.model import EPS, ROPE_BASE, Shape
from tools.shapes.tokenizer import SPECIAL, Tokenizer

CONTEXT = 1024
TEMPLATE = (
    "{% for message in messages %}"
    "<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TEXT, VISION = "shapes.gguf", "shapes-mmproj.gguf"
NAME = "shapes"


def _put(file: gguf.GGUFWriter, weights: Mapping[str, np.ndarray]) -> None:
    """Adds the tensors, matrices at half precision, and writes the file."""
    for name, value in weights.items():
        half = value.ndim > 1 and "position" not in name
        file.add_tensor(name, np.ascontiguousarray(value, np.float16 if half else np.float32))
    file.write_header_to_file()
    file.write_kv_data_to_file()
    file.write_tensors_to_file()
    file.close()


def _put_words(file: gguf.GGUFWriter, words: Tokenizer) -> None:
    kinds = [gguf.TokenType.CONTROL] * len(SPECIAL) + [gguf.TokenType.NORMAL] * (
        len(words.tokens) - len(SPECIAL)
    )
    file.add_tokenizer_model("gpt2")
    file.add_tokenizer_pre("gpt-2")
    file.add_token_list(list(words.tokens))
    file.add_token_types(kinds)
    file.add_token_merges([" ".join(pair) for pair in words.merges])
    file.add_bos_token_id(words.special(START))
    file.add_eos_token_id(words.special(STOP))
    file.add_eot_token_id(words.special(STOP))
    file.add_pad_token_id(words.special(END))
    file.add_add_bos_token(False)
    file.add_chat_template(TEMPLATE)


def write_text(path: Path, shape: Shape, words: Tokenizer, weights: Mapping[str, np.ndarray]) -> None:
    """Writes the language model."""
    file = gguf.GGUFWriter(path, "llama")
    file.add_name(NAME)
    file.add_license("apache-2.0")
    file.add_context_length(CONTEXT)
    file.add_embedding_length(shape.text)
    file.add_block_count(shape.text_blocks)
    file.add_feed_forward_length(shape.text_hidden)
    file.add_head_count(shape.text // shape.head)
    file.add_head_count_kv(shape.text // shape.head)
    file.add_layer_norm_rms_eps(EPS)
    file.add_rope_dimension_count(shape.head)
    file.add_rope_freq_base(ROPE_BASE)
    file.add_vocab_size(shape.vocabulary)
    file.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    _put_words(file, words)
    _put(file, weights)


def write_vision(path: Path, shape: Shape, weights: Mapping[str, np.ndarray]) -> None:
    """Writes the vision tower and its projector."""
    file = gguf.GGUFWriter(path, "clip")
    file.add_name(NAME)
    file.add_license("apache-2.0")
    file.add_bool("clip.has_vision_encoder", True)
    file.add_string("clip.projector_type", "gemma3")
    file.add_bool("clip.use_silu", True)
    file.add_uint32("clip.vision.projection_dim", shape.text)
    file.add_uint32("clip.vision.image_size", shape.side)
    file.add_uint32("clip.vision.patch_size", shape.patch)
    file.add_uint32("clip.vision.embedding_length", shape.vision)
    file.add_uint32("clip.vision.feed_forward_length", shape.vision_hidden)
    file.add_uint32("clip.vision.block_count", shape.vision_blocks)
    file.add_uint32("clip.vision.attention.head_count", shape.vision // shape.head)
    file.add_float32("clip.vision.attention.layer_norm_epsilon", EPS)
    file.add_array("clip.vision.image_mean", [0.5, 0.5, 0.5])
    file.add_array("clip.vision.image_std", [0.5, 0.5, 0.5])
    file.add_uint32("clip.vision.projector.scale_factor", shape.pool)
    file.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    patches = weights["v.patch_embd.weight"].reshape(shape.vision, 3, shape.patch, shape.patch)
    _put(file, {**weights, "v.patch_embd.weight": patches})


def main() -> None:
    """Reads the command line and writes both files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, default=Path("build/shapes/weights.npz"))
    parser.add_argument("--out", type=Path, default=Path("tests/model/shapes"))
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    weights = dict(np.load(args.weights))
    words = tokenizer()
    shape = Shape(vocabulary=len(words.tokens))
    seeing = {name: value for name, value in weights.items() if name.startswith(("v.", "mm."))}
    reading = {n: value for n, value in weights.items() if n not in seeing and not n.startswith("head.")}
    write_text(args.out / TEXT, shape, words, reading)
    write_vision(args.out / VISION, shape, seeing)
    for name in (TEXT, VISION):
        print(
            f"{args.out / name}: {(args.out / name).stat().st_size:,} bytes; picture marks {BEFORE} {AFTER}"
        )


if __name__ == "__main__":
    main()
