"""How much memory a model takes, estimated from its headers."""

from __future__ import annotations

from collections.abc import Sequence

from vidi.engines.llama.catalog import WORKING
from vidi.engines.llama.gguf import Header, Pair

_NUMBER_BYTES = 2
"""Keys and values are kept as 16-bit floats."""

_BATCH = 512
"""Tokens that llama.cpp reads at once; a sliding window keeps that many beyond its length."""


def memory_needed(pair: Pair, context: int, slots: int) -> int:
    """Bytes that a model needs to run: its files, the cache of keys and values, and working memory.

    Args:
        pair: The headers.
        context: Longest prompt and answer of one request in tokens.
        slots: How many requests run at the same time.
    """
    return pair.text.size + pair.vision.size + cache_bytes(pair.text, context, slots) + WORKING


def cache_bytes(text: Header, context: int, slots: int) -> int:
    """Bytes of the keys and values of every layer that keeps them.

    A layer keeps `tokens * heads * (key length + value length)` numbers; one with a sliding window only
    that window's tokens; layers without attention, and those that share another's, none.
    """
    architecture = text.architecture
    layers = min(text.number(f"{architecture}.block_count"), 4096)
    heads = text.numbers(f"{architecture}.attention.head_count", layers)
    kv_heads = text.numbers(f"{architecture}.attention.head_count_kv", layers)
    if not any(kv_heads):
        kv_heads = heads
    per_head = _head_numbers(text, max(heads, default=0))
    total = 0
    for layer, tokens in enumerate(_kept_tokens(text, layers, context)):
        total += tokens * slots * kv_heads[layer] * per_head * _NUMBER_BYTES
    return total


def _head_numbers(text: Header, heads: int) -> int:
    """Numbers of one head's key and value together."""
    architecture = text.architecture
    usual = text.number(f"{architecture}.embedding_length") // heads if heads else 0
    key = text.number(f"{architecture}.attention.key_length") or usual
    return key + (text.number(f"{architecture}.attention.value_length") or key)


def _kept_tokens(text: Header, layers: int, context: int) -> Sequence[int]:
    """How many tokens of one request each layer keeps."""
    architecture = text.architecture
    window = text.number(f"{architecture}.attention.sliding_window")
    sliding = text.numbers(f"{architecture}.attention.sliding_window_pattern", layers)
    every = text.number(f"{architecture}.full_attention_interval") or 1
    shared = text.number(f"{architecture}.attention.shared_kv_layers")
    kept: list[int] = []
    for layer in range(layers):
        if layer >= layers - shared or (layer + 1) % every:
            kept.append(0)
        elif window and sliding[layer] == 1:
            kept.append(min(context, window + _BATCH))
        else:
            kept.append(context)
    return kept
