"""Tiny GGUF files with random weights: a text model over bytes, and a vision tower that goes with it.

They answer nonsense, but llama.cpp loads them as it loads any model, so its true paths can be driven without
a download. Under a grammar nonsense is an advantage: all that it allows will be said sooner or later.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import gguf
import numpy as np
from numpy.typing import NDArray

TEMPLATE = (
    "{% for message in messages %}[{{ message.role }}]{{ message.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}[assistant]{% endif %}"
)
WITH_TOOLS = (
    "{% if tools %}[tools]{{ tools | tojson }}\nCall as <tool_call>\n"
    '{"name": <function-name>, "arguments": <args-json-object>}\n</tool_call>\n{% endif %}'
    "{% for message in messages %}[{{ message.role }}]{{ message.content or '' }}"
    "{% for call in message.tool_calls or [] %}<tool_call>\n"
    '{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}\n</tool_call>'
    "{% endfor %}\n{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}"
)
"""A template with a place for functions, calls and what they gave."""

WORDS = (
    "{",
    "}",
    "[",
    "]",
    '"',
    ":",
    ",",
    '":',
    '","',
    '{"',
    '"}',
    "dog",
    "cat",
    "the",
    "12",
    "7",
    "true",
    "null",
)
"""Of several characters, so that a grammar's boundaries fall inside tokens, as with real vocabularies."""

MARKS = UNKNOWN, BEGIN = 0, 1
END = 2
_FIRST_BYTE = 3


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large the files are; the defaults make 0.4 MB of text model and 0.4 MB of vision tower.

    Attributes:
        half: Whether matrices are 16-bit floats, as published weights are.
    """

    width: int = 64
    blocks: int = 2
    heads: int = 4
    hidden: int = 128
    context: int = 4096
    patch: int = 14
    image: int = 224
    half: bool = False

    def matrix(self, random: np.random.Generator, scale: float, *shape: int) -> NDArray[np.floating]:
        """Random weights, which keep their effect at any width: `scale` is their deviation at width 64."""
        weights = random.normal(0.0, scale * np.sqrt(64 / self.width), shape)
        return weights.astype(np.float16 if self.half else np.float32)


def write_text_model(
    path: Path,
    *,
    seed: int = 0,
    sizes: Sizes = Sizes(),
    words: tuple[str, ...] = WORDS,
    endless: bool = False,
    template: str = TEMPLATE,
) -> None:
    """Write a `llama` model of random weights whose tokens are the 256 bytes, three marks and some words.

    Args:
        path: Where to.
        seed: The same seed, the same file.
        sizes: Embedding width, blocks, heads, feed-forward width and context length in tokens.
        words: Tokens beside the bytes.
        endless: Whether its answers only end at their limit (at temperature 0).
        template: Its chat template.
    """
    random = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("random")
    writer.add_context_length(sizes.context)
    writer.add_embedding_length(sizes.width)
    writer.add_block_count(sizes.blocks)
    writer.add_feed_forward_length(sizes.hidden)
    writer.add_head_count(sizes.heads)
    writer.add_head_count_kv(sizes.heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(sizes.width // sizes.heads)
    count = _add_tokens(writer, words)
    writer.add_chat_template(template)
    writer.add_vocab_size(count)

    weights = partial(sizes.matrix, random, 0.5)
    writer.add_tensor("token_embd.weight", weights(count, sizes.width))
    writer.add_tensor("output_norm.weight", np.ones(sizes.width, np.float32))
    output = weights(count, sizes.width)
    if endless:
        output[END] = 0  # Of so many others one is always more likely.
    writer.add_tensor("output.weight", output)
    for block in range(sizes.blocks):
        name = f"blk.{block}"
        writer.add_tensor(f"{name}.attn_norm.weight", np.ones(sizes.width, np.float32))
        writer.add_tensor(f"{name}.ffn_norm.weight", np.ones(sizes.width, np.float32))
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            writer.add_tensor(f"{name}.{part}.weight", weights(sizes.width, sizes.width))
        writer.add_tensor(f"{name}.ffn_gate.weight", weights(sizes.hidden, sizes.width))
        writer.add_tensor(f"{name}.ffn_up.weight", weights(sizes.hidden, sizes.width))
        writer.add_tensor(f"{name}.ffn_down.weight", weights(sizes.width, sizes.hidden))
    _finish(writer)


def write_vision_tower(path: Path, *, seed: int = 0, sizes: Sizes = Sizes()) -> None:
    """Write a `pixtral` vision tower of random weights, as wide as the text model of the same sizes.

    Args:
        path: Where to.
        seed: The same seed, the same file.
        sizes: Width of both models, blocks, heads; sides of a patch and of the largest image in pixels.
    """
    random = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(path, "clip")
    writer.add_clip_has_vision_encoder(True)
    writer.add_clip_projector_type("pixtral")
    writer.add_vision_use_silu(True)
    writer.add_vision_image_size(sizes.image)
    writer.add_vision_patch_size(sizes.patch)
    writer.add_vision_embedding_length(sizes.width)
    writer.add_vision_feed_forward_length(sizes.hidden)
    writer.add_vision_block_count(sizes.blocks)
    writer.add_vision_projection_dim(sizes.width)
    writer.add_vision_head_count(sizes.heads)
    writer.add_vision_spatial_merge_size(1)
    writer.add_vision_attention_layernorm_eps(1e-5)
    writer.add_vision_image_mean([0.5, 0.5, 0.5])
    writer.add_vision_image_std([0.5, 0.5, 0.5])

    weights = partial(sizes.matrix, random, 0.1)
    writer.add_tensor("v.patch_embd.weight", weights(sizes.width, 3, sizes.patch, sizes.patch))
    writer.add_tensor("v.pre_ln.weight", np.ones(sizes.width, np.float32))
    for block in range(sizes.blocks):
        name = f"v.blk.{block}"
        writer.add_tensor(f"{name}.ln1.weight", np.ones(sizes.width, np.float32))
        writer.add_tensor(f"{name}.ln2.weight", np.ones(sizes.width, np.float32))
        for part in ("attn_q", "attn_k", "attn_v", "attn_out"):
            writer.add_tensor(f"{name}.{part}.weight", weights(sizes.width, sizes.width))
        writer.add_tensor(f"{name}.ffn_gate.weight", weights(sizes.hidden, sizes.width))
        writer.add_tensor(f"{name}.ffn_up.weight", weights(sizes.hidden, sizes.width))
        writer.add_tensor(f"{name}.ffn_down.weight", weights(sizes.width, sizes.hidden))
    for layer in ("mm.1", "mm.2"):
        writer.add_tensor(f"{layer}.weight", weights(sizes.width, sizes.width))
    writer.add_tensor("v.token_embd.img_break", weights(sizes.width).astype(np.float32))
    _finish(writer)


def token_of(byte: int) -> int:
    """The token that says one byte."""
    return _FIRST_BYTE + byte


def _add_tokens(writer: gguf.GGUFWriter, words: tuple[str, ...]) -> int:
    kind = gguf.TokenType
    marks = [("<unk>", kind.UNKNOWN), ("<s>", kind.CONTROL), ("</s>", kind.CONTROL)]
    tokens = marks + [(f"<0x{byte:02X}>", kind.BYTE) for byte in range(256)]
    tokens += [(word, kind.NORMAL) for word in words]
    writer.add_tokenizer_model("llama")
    writer.add_token_list([text for text, _ in tokens])
    writer.add_token_types([int(each) for _, each in tokens])
    writer.add_token_scores([0.0 if at < _FIRST_BYTE else -float(at) for at in range(len(tokens))])
    writer.add_unk_token_id(UNKNOWN)
    writer.add_bos_token_id(BEGIN)
    writer.add_eos_token_id(END)
    writer.add_add_bos_token(True)
    return len(tokens)


def _finish(writer: gguf.GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
