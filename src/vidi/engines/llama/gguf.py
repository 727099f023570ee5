"""Reads what a GGUF file says of itself, from the front of the file and never more than a bounded part.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. The reader of the `gguf` package is
for files that one trusts: it makes a Python object of every token, and a count in a hostile file decides
how many (docs/decisions/0019-pulling-models.md has the figures).
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

from vidi.domain.errors import InvalidRequest

LARGEST_HEADER = 64 << 20
"""Bytes: four times the header of a model with 262,144 tokens and their merges."""

_MOST_KEYS = 2_000
_MOST_TENSORS = 100_000
_MOST_DIMENSIONS = 4
_LONGEST_NAME = 1024
_LONGEST_STRING = 1 << 20
_LONGEST_LIST = 1024
"""Longer lists (tokens, merges, scores) are passed over; per-layer settings are far shorter."""

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _LIST = 8, 9
_FIXED = struct.Struct("<4sIQQ")
_LENGTH = struct.Struct("<Q")
_KIND = struct.Struct("<I")

Value = str | int | float | bool | tuple[int | float | bool, ...]
"""A value of the metadata; lists of strings and long lists are left out."""


class BadGguf(InvalidRequest):
    """The file is not a whole GGUF file; the text says in what way."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor.

    Attributes:
        shape: As in the file: the innermost dimension first.
        end: Where its bytes end, counted from the start of the file; where they begin if its type is unknown.
    """

    shape: tuple[int, ...]
    end: int


@dataclass(frozen=True, slots=True)
class Header:
    """What a GGUF file says of itself.

    Attributes:
        metadata: Keys and their values.
        tensors: The tensors by name.
        size: Length of the file in bytes.
    """

    metadata: Mapping[str, Value]
    tensors: Mapping[str, Tensor]
    size: int

    @property
    def architecture(self) -> str:
        """`general.architecture`; "" if there is none."""
        return self.text("general.architecture")

    def text(self, key: str) -> str:
        """A string of the metadata; "" if it is missing or none."""
        value = self.metadata.get(key)
        return value if isinstance(value, str) else ""

    def number(self, key: str) -> int:
        """A whole number of the metadata; 0 if it is missing, negative or none."""
        return _whole(self.metadata.get(key, 0))

    def numbers(self, key: str, layers: int) -> Sequence[int]:
        """A setting of each layer: a list in the file, or one number for all; zeros where it is missing."""
        value = self.metadata.get(key, 0)
        if not isinstance(value, tuple):
            return [_whole(value)] * layers
        return [_whole(item) for item in value[:layers]] + [0] * (layers - len(value))


def _whole(value: Value) -> int:
    return max(int(value), 0) if isinstance(value, int) else 0


def read_header(path: Path, name: str = "") -> Header:
    """Read the front of a file; `name` is what an error calls it, where its own name tells nobody anything.

    Raises:
        BadGguf: It is not GGUF, damaged, or shorter than its own table of tensors says.
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        front = file.read(LARGEST_HEADER)
        size = path.stat().st_size
    # Running beyond the end of what was read shows as one of these errors, so nothing below checks for it.
    try:
        return _Front(front, name or path.name, size).header()
    except (struct.error, UnicodeDecodeError, OverflowError) as end:
        why = "its header is longer than 64 MB" if len(front) < size else "it ends within its header"
        raise BadGguf(f"{name or path.name} is damaged: {why}. Fetch it again.") from end


class _Front:
    """The first bytes of a file and how far they were read."""

    def __init__(self, data: bytes, name: str, size: int) -> None:
        self.data = data
        self.name = name
        self.size = size
        self.at = 0

    def header(self) -> Header:
        keys, tensors = self._counts()
        metadata = dict(filter(None, (self._entry() for _ in range(keys))))
        table = [self._tensor() for _ in range(tensors)]
        alignment = metadata.get("general.alignment", 32)
        if not isinstance(alignment, int) or not 0 < alignment <= 1 << 20:
            raise self._bad("its alignment makes no sense")
        start = -(-self.at // alignment) * alignment
        found = {name: Tensor(shape, start + end) for name, shape, end in table}
        if len(found) < len(table):
            raise self._bad("it holds two tensors of one name")
        longest = max((tensor.end for tensor in found.values()), default=0)
        if longest > self.size:
            raise BadGguf(
                f"{self.name} is cut off: its tensors end at byte {longest:,}, the file at byte "
                f"{self.size:,}. Fetch it again."
            )
        return Header(metadata, found, self.size)

    def _counts(self) -> tuple[int, int]:
        if self.data[:4] != b"GGUF":
            raise BadGguf(f"{self.name} is not a GGUF file: it does not begin with the letters GGUF.")
        _, version, tensors, keys = _FIXED.unpack_from(self.data)
        self.at = _FIXED.size
        if version not in (2, 3):
            raise BadGguf(
                f"{self.name} is GGUF of a version or byte order that is not known here; "
                "convert the model anew (little-endian GGUF 3)."
            )
        if keys > _MOST_KEYS or tensors > _MOST_TENSORS:
            raise self._bad(f"it claims {keys:,} settings and {tensors:,} tensors")
        return keys, tensors

    def _entry(self) -> tuple[str, Value] | None:
        """One setting; None where its value is not kept."""
        key = self._string(_LONGEST_NAME)
        value = self._value(self._unpack(_KIND))
        return None if value is None else (key, value)

    def _value(self, kind: int) -> Value | None:
        if kind == _STRING:
            return self._string(_LONGEST_STRING)
        if kind == _LIST:
            return self._list()
        value: int | float | bool = self._unpack(struct.Struct("<" + self._letter(kind)))
        return value

    def _list(self) -> tuple[int | float | bool, ...] | None:
        kind, length = self._unpack(_KIND), self._unpack(_LENGTH)
        if kind == _STRING:
            self._skip_strings(length)
            return None
        item = struct.Struct("<" + self._letter(kind))
        begin = self.at
        self._skip(length * item.size)
        if length > _LONGEST_LIST:
            return None
        return tuple(value for (value,) in item.iter_unpack(self.data[begin : self.at]))

    def _skip_strings(self, count: int) -> None:
        # A vocabulary: up to millions of texts of which none is needed, so no object is made of any.
        at, data, length_at = self.at, self.data, _LENGTH.unpack_from
        for _ in range(count):
            at += 8 + length_at(data, at)[0]
        self.at = at
        self._skip(0)  # Raises if the last one ended beyond the end.

    def _tensor(self) -> tuple[str, tuple[int, ...], int]:
        """Name, shape and end of a tensor, counted from where tensors begin."""
        name = self._string(_LONGEST_NAME)
        dimensions = self._unpack(_KIND)
        if not 0 < dimensions <= _MOST_DIMENSIONS:
            raise self._bad(f"tensor {name!r} has {dimensions} dimensions")
        shape = tuple(self._unpack(_LENGTH) for _ in range(dimensions))
        kind, offset = self._unpack(_KIND), self._unpack(_LENGTH)
        return name, shape, offset + _length_of(kind, shape)

    def _string(self, longest: int) -> str:
        length = self._unpack(_LENGTH)
        if length > longest:
            raise self._bad(f"a text in its header claims {length:,} bytes")
        begin = self.at
        self._skip(length)
        return self.data[begin : self.at].decode("utf-8", "replace")

    def _unpack(self, layout: struct.Struct) -> int:
        (value,) = layout.unpack_from(self.data, self.at)
        self.at += layout.size
        found: int = value
        return found

    def _skip(self, length: int) -> None:
        self.at += length
        if self.at > len(self.data):
            raise struct.error("beyond the end")

    def _letter(self, kind: int) -> str:
        if kind not in _SCALARS:
            raise self._bad(f"a setting is of kind {kind}, which does not exist")
        return _SCALARS[kind]

    def _bad(self, why: str) -> BadGguf:
        return BadGguf(f"{self.name} is damaged: {why}. Fetch it again.")


def _length_of(kind: int, shape: tuple[int, ...]) -> int:
    """Bytes of a tensor; 0 for a type newer than the `gguf` package, of which only the begin is checked."""
    try:
        block, size = GGML_QUANT_SIZES[GGMLQuantizationType(kind)]
    except ValueError:
        return 0
    return math.prod(shape) // block * size


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
