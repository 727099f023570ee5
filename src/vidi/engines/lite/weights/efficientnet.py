"""EfficientNet-Lite2's torch checkpoint, rewritten as ONNX without torch.

A checkpoint is a pickle, and a pickle is a program: it is read by an unpickler that knows four
harmless names and refuses every other. Architecture: Tan and Le, "EfficientNet: Rethinking Model
Scaling for Convolutional Neural Networks" (2019), in its Lite form: no squeeze-and-excite, ReLU6.
"""

from __future__ import annotations

import io
import pickle
import sys
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vidi.engines.lite.weights.onnx_graph import GraphWriter

SIDE = 260
"""Rows and columns of the input picture."""

_HALVING_BLOCKS = frozenset({1, 4, 7, 15})
_EPSILON = 1e-3
_MAGIC = 0x1950A86A20F9469CFC6C
_STORED_TYPES = {"FloatStorage": "<f4", "LongStorage": "<i8"}

Array = npt.NDArray[np.float32]
Parameters = dict[str, Array]


def to_onnx(checkpoint: bytes) -> bytes:
    """Convert the checkpoint to an ONNX model, batch normalisation folded into the convolutions.

    Args:
        checkpoint: The `.pth` file, in torch's format from before 1.6.

    Returns:
        A serialised `ModelProto`: input `input` (1, 3, 260, 260), float32, RGB as (value - 127) / 128;
        outputs `logits` (1, 1000) and `features` (1, 1280), the last layer's input.

    Raises:
        ValueError: The file is no such checkpoint.
    """
    network = _GraphBuilder(read_checkpoint(checkpoint))
    axes = [1, 3, SIDE, SIDE]
    features = network.features("input")
    outputs = {"logits": (network.logits(features), [1, 1000]), "features": (features, [1, 1280])}
    return network.graph.serialise("efficientnet-lite2", ("input", axes), outputs)


@dataclass(frozen=True, slots=True)
class _GraphBuilder:
    """The layers, each adding itself to the graph and returning its output's name."""

    parameters: Parameters
    graph: GraphWriter = field(default_factory=GraphWriter)

    def features(self, tensor: str) -> str:
        tensor = self._convolution(tensor, "_conv_stem", "_bn0", stride=2)
        index = 0
        while f"_blocks.{index}._project_conv.weight" in self.parameters:
            tensor = self._block(tensor, index)
            index += 1
        tensor = self._convolution(tensor, "_conv_head", "_bn1")
        return self.graph.node("Flatten", [self.graph.node("GlobalAveragePool", [tensor])])

    def logits(self, features: str) -> str:
        weights = self.graph.constant(self.parameters["_fc.weight"])
        bias = self.graph.constant(self.parameters["_fc.bias"])
        return self.graph.node("Gemm", [features, weights, bias], transB=1)

    def _block(self, tensor: str, index: int) -> str:
        """Expand, look around within each channel, project back; added to its input where it fits."""
        name, stride, inner = f"_blocks.{index}", 2 if index in _HALVING_BLOCKS else 1, tensor
        if f"{name}._expand_conv.weight" in self.parameters:
            inner = self._convolution(inner, f"{name}._expand_conv", f"{name}._bn0")
        inner = self._convolution(inner, f"{name}._depthwise_conv", f"{name}._bn1", stride=stride)
        inner = self._convolution(inner, f"{name}._project_conv", f"{name}._bn2", clipped=False)
        before = self.parameters.get(f"{name}._expand_conv.weight")
        after = self.parameters[f"{name}._project_conv.weight"]
        fits = stride == 1 and before is not None and before.shape[1] == after.shape[0]
        return self.graph.node("Add", [inner, tensor]) if fits else inner

    def _convolution(
        self, tensor: str, layer: str, norm: str, *, stride: int = 1, clipped: bool = True
    ) -> str:
        kernel, bias = self._folded(layer, norm)
        tensor = self.graph.node(
            "Conv",
            [tensor, self.graph.constant(kernel), self.graph.constant(bias)],
            strides=[stride, stride],
            auto_pad="SAME_UPPER",
            group=kernel.shape[0] if "depthwise" in layer else 1,
        )
        if not clipped:
            return tensor
        zero, six = (self.graph.constant(np.array(limit, np.float32)) for limit in (0, 6))
        return self.graph.node("Clip", [tensor, zero, six])

    def _folded(self, layer: str, norm: str) -> tuple[Array, Array]:
        """Kernel and bias that do the work of a convolution and the batch normalisation behind it."""
        found = self.parameters
        scale = found[f"{norm}.weight"] / np.sqrt(found[f"{norm}.running_var"] + np.float32(_EPSILON))
        bias = found[f"{norm}.bias"] - found[f"{norm}.running_mean"] * scale
        return found[f"{layer}.weight"] * scale[:, None, None, None], bias


@dataclass(frozen=True, slots=True)
class _TorchStorage:
    """A run of numbers in the file, which several tensors may share."""

    key: str
    dtype: str


@dataclass(frozen=True, slots=True)
class _View:
    """A tensor: a storage seen through a shape and steps, both counted in numbers."""

    storage: _TorchStorage
    offset: int
    shape: tuple[int, ...]
    steps: tuple[int, ...]

    def read(self, storages: dict[str, npt.NDArray[np.float32]]) -> Array:
        """The numbers themselves."""
        values = storages[self.storage.key]
        last = self.offset + sum((n - 1) * step for n, step in zip(self.shape, self.steps, strict=True))
        if min((self.offset, *self.steps), default=0) < 0 or last >= len(values):
            raise ValueError("a tensor of the checkpoint lies outside its storage")
        steps = tuple(step * values.itemsize for step in self.steps)
        return np.lib.stride_tricks.as_strided(values[self.offset :], self.shape, steps)


def _rebuild(
    storage: _TorchStorage, offset: int, shape: tuple[int, ...], steps: tuple[int, ...], *_: object
) -> _View:
    return _View(storage, offset, shape, steps)


class _Unpickler(pickle.Unpickler):
    """Knows the names that a checkpoint of plain tensors needs, and no other."""

    def find_class(self, module: str, name: str) -> Callable[..., object] | str:
        match module, name:
            case "collections", "OrderedDict":
                return OrderedDict
            case "torch._utils", "_rebuild_tensor_v2":
                return _rebuild
            case "torch", "FloatStorage" | "LongStorage":
                return name
        raise pickle.UnpicklingError(f"{module}.{name} is not allowed in a checkpoint")

    def persistent_load(self, pid: tuple[str, str, str, str, int, None]) -> _TorchStorage:
        _, dtype, key, *_ = pid
        return _TorchStorage(key, _STORED_TYPES[dtype])


def read_checkpoint(data: bytes) -> Parameters:
    """Read the tensors of a torch checkpoint (the format from before 1.6), by name.

    Raises:
        ValueError: It is no such checkpoint, or holds more than plain tensors.
    """
    file = io.BytesIO(data)
    try:
        magic, _protocol, _system, views, keys = (_Unpickler(file).load() for _ in range(5))
        if magic != _MAGIC:
            raise pickle.UnpicklingError("its first number is not torch's")
        types = {view.storage.key: view.storage.dtype for view in views.values()}
        storages = {key: _read_storage(file, types[key]) for key in keys}
        return {name: view.read(storages) for name, view in views.items()}
    except (pickle.UnpicklingError, EOFError, AttributeError, LookupError, TypeError) as broken:
        raise ValueError(f"this is no checkpoint of plain tensors: {broken}") from broken


def _read_storage(file: io.BytesIO, dtype: str) -> npt.NDArray[np.float32]:
    """A count of eight bytes, then that many numbers."""
    count = int.from_bytes(file.read(8), "little")
    size = count * np.dtype(dtype).itemsize
    if file.tell() + size > file.getbuffer().nbytes:
        raise EOFError("it ends too early")
    return np.frombuffer(file.read(size), dtype).astype(np.float32)


def main(arguments: Sequence[str]) -> None:
    """Convert: CHECKPOINT TARGET."""
    checkpoint, target = map(Path, arguments)
    target.write_bytes(to_onnx(checkpoint.read_bytes()))


if __name__ == "__main__":
    main(sys.argv[1:])
