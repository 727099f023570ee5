"""A byte-level BPE tokenizer of a few hundred tokens (llama.cpp: model `gpt2`, pre `gpt-2`).

Every byte is a token, so that any prompt can be read; every chunk of the corpus becomes one token, so that an
answer takes few steps.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise

SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<start_of_image>", "<end_of_image>")
_SPLIT = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d| ?[^\W\d_]+| ?\d+| ?(?:[^\s\w]|_)+|\s+(?!\S)|\s+")


def _visible() -> dict[int, str]:
    """GPT-2's way to write each byte as one printable character."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = (byte for byte in range(256) if byte not in printable)
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + n) for n, byte in enumerate(others)}


VISIBLE = _visible()
Pair = tuple[str, str]


def chunks(text: str) -> list[str]:
    """The text cut where no token may cross, in visible characters."""
    return ["".join(VISIBLE[byte] for byte in chunk.encode()) for chunk in _SPLIT.findall(text)]


def learn(corpus: Iterable[str]) -> list[Pair]:
    """Merges, most frequent first, until each chunk of the corpus is a single token."""
    words = {chunk: tuple(chunk) for text in corpus for chunk in chunks(text)}
    merges: list[Pair] = []
    while True:
        pairs = Counter(pair for parts in words.values() for pair in pairwise(parts))
        if not pairs:
            return merges
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        words = {chunk: _merged(parts, best) for chunk, parts in words.items()}


def _merged(parts: Sequence[str], pair: Pair) -> tuple[str, ...]:
    done: list[str] = []
    for part in parts:
        if done and (done[-1], part) == pair:
            done[-1] += part
        else:
            done.append(part)
    return tuple(done)


class Tokenizer:
    """Text to token ids and back; ids are special tokens first, then bytes, then merges."""

    def __init__(self, merges: Sequence[Pair]) -> None:
        self.merges = tuple(merges)
        made = dict.fromkeys(left + right for left, right in merges)
        self.tokens = (*SPECIAL, *(VISIBLE[byte] for byte in range(256)), *made)
        self._ids = {token: number for number, token in enumerate(self.tokens)}
        self._ranks = {pair: rank for rank, pair in reversed(list(enumerate(merges)))}
        self._bytes = {character: byte for byte, character in VISIBLE.items()}
        self.encode = lru_cache(maxsize=65536)(self._encode)

    def special(self, name: str) -> int:
        """The id of one of `SPECIAL`."""
        return self._ids[name]

    def _encode(self, text: str) -> tuple[int, ...]:
        """Ids of plain text (the names of special tokens in it are read as plain text, too)."""
        return tuple(self._ids[part] for chunk in chunks(text) for part in self._parts(chunk))

    def _parts(self, chunk: str) -> tuple[str, ...]:
        parts = tuple(chunk)
        while True:
            known = [pair for pair in pairwise(parts) if pair in self._ranks]
            if not known:
                return parts
            parts = _merged(parts, min(known, key=self._ranks.__getitem__))

    def decode(self, ids: Iterable[int]) -> str:
        """The text of ids, special tokens left out."""
        plain = (self.tokens[number] for number in ids if number >= len(SPECIAL))
        return bytes(self._bytes[c] for token in plain for c in token).decode(errors="replace")
