"""Whether two GGUF files are a language model and its eyes, told from their headers in milliseconds.

llama.cpp answers a missing tensor with SIGSEGV or abort(); here it is a sentence, and in time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from vidi.domain.errors import InvalidRequest
from vidi.engines.llama.gguf_header import BadGguf, Header, read_header

_BLOCK = re.compile(r"(?:v\.)?blk\.(\d{1,5})\.")
_MOST_BLOCKS = 4096
_NO_BLOCKS = ("gemma3nv",)
"""Projectors whose encoder is no stack of equal blocks; their block count means nothing."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two files that fit each other.

    Attributes:
        text: Header of the language model.
        vision: Header of the vision encoder and projector.
    """

    text: Header
    vision: Header

    @property
    def context(self) -> int:
        """Longest prompt and answer that the model was trained for, in tokens; 0 if it does not say."""
        return self.text.number(f"{self.text.architecture}.context_length")

    @property
    def projector(self) -> str:
        """llama.cpp's name for the kind of projector, as `gemma4v`; "" if the file does not say."""
        return _projector(self.vision)


def check_pair(text: Path, vision: Path, names: tuple[str, str] | None = None) -> Pair:
    """Check a language model and its vision file: each whole, in its role, and fitting the other.

    Args:
        text: The language model.
        vision: The vision encoder and projector.
        names: What to call them in an error; None takes the files' own names.

    Raises:
        InvalidRequest: They are not; one sentence says why and what to do.
        OSError: A file cannot be read.
    """
    called, other = names or (text.name, vision.name)
    pair = Pair(read_header(text, called), read_header(vision, other))
    _check_text(pair.text, called)
    _check_vision(pair.vision, other)
    _check_fit(pair, called, other)
    return pair


def is_vision(header: Header) -> bool:
    """Whether a file is a vision file ("mmproj") by what it says of itself."""
    return header.architecture == "clip" or header.text("general.type") == "mmproj"


def _check_text(header: Header, name: str) -> None:
    architecture = header.architecture
    if is_vision(header):
        raise InvalidRequest(
            f"{name} is a vision file (mmproj), not a language model: give the language model with --from "
            "and this one with --mmproj."
        )
    if header.number("split.count") > 1:
        raise InvalidRequest(
            f"{name} is one part of several: join them with `llama-gguf-split --merge` of llama.cpp and "
            "give the whole file."
        )
    if not architecture or header.text("general.type") not in ("", "model"):
        raise BadGguf(f"{name} is no language model (its general.type is {header.text('general.type')!r}).")
    if not header.text("tokenizer.ggml.model"):
        raise BadGguf(
            f"{name} has no tokenizer: convert the model anew with a current convert_hf_to_gguf.py."
        )
    _need(header, name, "token_embd.weight", "output_norm.weight")
    _need_blocks(header, name, "blk.", header.number(f"{architecture}.block_count"))


def _check_vision(header: Header, name: str) -> None:
    if not is_vision(header):
        raise InvalidRequest(
            f"{name} is a language model ({header.architecture or 'of no known kind'}), not a vision file: "
            "give the model's mmproj file with --mmproj."
        )
    if header.metadata.get("clip.has_vision_encoder") is False or not any(
        tensor.startswith("v.") for tensor in header.tensors
    ):
        raise InvalidRequest(
            f"{name} has no eyes (no vision encoder), perhaps only ears: take the model's mmproj file for "
            "pictures."
        )
    if not _projector(header):
        raise BadGguf(
            f"{name} does not say its projector: convert it anew with a current convert_hf_to_gguf.py."
        )
    blocks = header.number("clip.vision.block_count")
    if blocks and _projector(header) not in _NO_BLOCKS:
        _need_blocks(header, name, "v.blk.", blocks)
        if not any(tensor.startswith("v.patch_embd") for tensor in header.tensors):
            _need(header, name, "v.patch_embd.weight")


def _check_fit(pair: Pair, text: str, vision: str) -> None:
    """The projector's output must be as wide as the language model's embeddings.

    Older converters wrote a wrong `projection_dim`, so the shapes of the projector's tensors count too.
    """
    width = pair.text.number(f"{pair.text.architecture}.embedding_length")
    told = pair.vision.number("clip.vision.projection_dim")
    shapes = {
        size
        for name, tensor in pair.vision.tensors.items()
        if name.startswith("mm.")
        for size in tensor.shape
    }
    if width and width != told and width not in shapes:
        raise InvalidRequest(
            f"{vision} belongs to another model: it makes embeddings of {told} numbers and {text} takes "
            f"{width}. Take both files from the same repository and of the same model size."
        )


def _projector(header: Header) -> str:
    return header.text("clip.vision.projector_type") or header.text("clip.projector_type")


def _need(header: Header, name: str, *tensors: str) -> None:
    for tensor in tensors:
        if tensor not in header.tensors:
            raise BadGguf(
                f"{name} is incomplete: the tensor {tensor} is missing. Fetch it again, or convert it anew."
            )


def _need_blocks(header: Header, name: str, prefix: str, count: int) -> None:
    """Every block from 0 to `count` - 1 has at least one tensor."""
    if not 0 < count <= _MOST_BLOCKS:
        raise BadGguf(f"{name} is incomplete: it claims {count} blocks. Fetch it again, or convert it anew.")
    present = {
        int(found[1])
        for tensor in header.tensors
        if tensor.startswith(prefix) and (found := _BLOCK.match(tensor))
    }
    for block in range(count):
        if block not in present:
            _need(header, name, f"{prefix}{block}.*")
