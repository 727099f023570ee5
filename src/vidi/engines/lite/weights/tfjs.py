"""A TensorFlow.js graph model, given as its two files, rewritten as ONNX.

TensorFlow works channels last and this family of graphs was exported from a channels-first source, so
that every other operation is a transpose or a padding. Neither needs to be computed: ONNX tensors are
kept channels first throughout, a transpose only flips how the graph sees its input, and a padding
waits until the convolution or pooling after it takes it in.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vidi.engines.lite.weights.onnx_graph import GraphWriter

Array = npt.NDArray[np.float32] | npt.NDArray[np.int32]

_TO_CHANNELS_LAST = [0, 2, 3, 1]
_TO_CHANNELS_FIRST = [0, 3, 1, 2]
_NO_PADS = (0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class _Operation:
    """One operation of the source graph; string attributes are decoded, lists flattened."""

    name: str
    op: str
    inputs: tuple[str, ...]
    text: dict[str, str]
    numbers: dict[str, tuple[int, ...]]
    alpha: float


@dataclass(frozen=True, slots=True)
class _Value:
    """A value of the source graph, and the ONNX tensor (batch, channels, rows, columns) that holds it.

    Attributes:
        name: The ONNX tensor.
        size: Rows and columns at the size that the source graph was exported for, padding included.
        channels_last: Whether the source graph sees it as (batch, rows, columns, channels).
        pads: Rows above, columns left, rows below, columns right that have yet to be added.
        fill: What the added rows and columns hold.
    """

    name: str
    size: tuple[int, int]
    channels_last: bool = False
    pads: tuple[int, int, int, int] = _NO_PADS
    fill: float = 0.0

    def axis(self, axis: int) -> int:
        """Where an axis of the source graph's view lies in the ONNX tensor."""
        return _TO_CHANNELS_LAST[axis] if self.channels_last else axis


def to_onnx(topology: bytes, weights: bytes, outputs: Sequence[str]) -> bytes:
    """Convert a graph model to an ONNX model for pictures of any size.

    Sizes that the export baked into bilinear resizes become scale factors, so the input may have any
    rows and columns that those factors keep whole.

    Args:
        topology: The model's JSON file, with one placeholder of shape (1, channels, rows, columns).
        weights: The model's weight file: all tensors of the manifest, one behind another.
        outputs: Names of the graph's nodes at which to cut; they become the outputs, in this order.

    Returns:
        A serialised `ModelProto`: input `input` (1, channels, height, width), float32, and one output
        (1, channels, rows, columns) for each name, called `output_0`, `output_1` and so on.

    Raises:
        ValueError: The graph uses something that this converter does not know.
    """
    document = json.loads(topology)
    nodes = {node["name"]: _parse(node) for node in document["modelTopology"]["node"]}
    constants = _read_weights(document["weightsManifest"], weights)
    builder = _Builder(constants)
    for node in _in_order(nodes, outputs):
        builder.add(node)
    return builder.model(outputs)


def _parse(node: dict[str, object]) -> _Operation:
    attributes = node.get("attr", {})
    inputs = node.get("input", [])
    if not isinstance(attributes, dict) or not isinstance(inputs, list):
        raise ValueError(f"{node['name']} is no graph node")
    text: dict[str, str] = {}
    numbers: dict[str, tuple[int, ...]] = {}
    for key, value in attributes.items():
        if "s" in value:
            text[key] = base64.b64decode(value["s"]).decode()
        elif "list" in value:
            numbers[key] = tuple(int(item) for item in value["list"].get("i", ()))
        elif "shape" in value:
            numbers[key] = tuple(int(axis["size"]) for axis in value["shape"].get("dim", ()))
        elif "b" in value:
            numbers[key] = (int(value["b"]),)
    alpha = float(attributes.get("alpha", {}).get("f", 0.0))
    return _Operation(str(node["name"]), str(node["op"]), tuple(inputs), text, numbers, alpha)


def _read_weights(manifest: list[dict[str, list[dict[str, object]]]], data: bytes) -> dict[str, Array]:
    constants: dict[str, Array] = {}
    offset = 0
    for group in manifest:
        for entry in group["weights"]:
            shape = entry["shape"]
            if not isinstance(shape, list):
                raise ValueError(f"{entry['name']} has no shape")
            stored, wanted = _types(entry)
            count = int(np.prod(shape, dtype=np.int64))
            stretch = np.frombuffer(data, stored, count, offset)
            values: Array = stretch.astype(wanted).reshape(tuple(shape))
            constants[str(entry["name"])] = values
            offset += stretch.nbytes
    if offset != len(data):
        raise ValueError(f"the manifest describes {offset} bytes of weights, the file has {len(data)}")
    return constants


def _types(entry: dict[str, object]) -> tuple[str, type[np.float32] | type[np.int32]]:
    """How a weight is stored (little endian) and what it is computed in."""
    quantization = entry.get("quantization")
    half = isinstance(quantization, dict) and quantization.get("dtype") == "float16"
    match entry["dtype"], half, quantization:
        case "float32", True, _:
            return "<f2", np.float32
        case "float32", _, None:
            return "<f4", np.float32
        case "int32", _, None:
            return "<i4", np.int32
    raise ValueError(f"{entry['name']} is stored in a way that is not known: {entry['dtype']}")


def _in_order(nodes: dict[str, _Operation], outputs: Sequence[str]) -> Iterator[_Operation]:
    """What the outputs need, inputs before their users. Iterative: graphs are deeper than the stack."""
    done: set[str] = set()
    waiting = list(reversed(outputs))
    while waiting:
        node = nodes[waiting[-1]]
        missing = [name for name in node.inputs if name not in done]
        if missing:
            waiting.extend(reversed(missing))
            continue
        waiting.pop()
        if node.name not in done:
            done.add(node.name)
            yield node


@dataclass(slots=True)
class _Builder:
    """Gathers ONNX nodes while the source graph is walked."""

    constants: dict[str, Array]
    tensors: dict[str, _Value] = field(default_factory=dict)
    graph: GraphWriter = field(default_factory=GraphWriter)
    channels: int = 0

    def add(self, node: _Operation) -> None:
        """Take in one operation."""
        if node.op == "Const":
            return
        convert = {
            "Placeholder": self._placeholder,
            "Transpose": self._transpose,
            "Pad": self._pad,
            "PadV2": self._pad,
            "Conv2D": self._convolution,
            "MaxPool": self._max_pool,
            "Add": self._add,
            "AddV2": self._add,
            "LeakyRelu": self._leaky_relu,
            "ConcatV2": self._concat,
            "ResizeBilinear": self._resize,
        }.get(node.op)
        if convert is None:
            raise ValueError(f"{node.name}: operation {node.op} is not known")
        self.tensors[node.name] = convert(node)

    def model(self, outputs: Sequence[str]) -> bytes:
        """Everything gathered, as a serialised model."""
        shown = {f"output_{index}": self._unpadded(name) for index, name in enumerate(outputs)}
        if any(tensor.channels_last for tensor in shown.values()):
            raise ValueError("an output must be channels first")
        return self.graph.serialise(
            "tfjs",
            ("input", [1, self.channels, "height", "width"]),
            {out: (tensor.name, [1, None, None, None]) for out, tensor in shown.items()},
        )

    def _unpadded(self, name: str) -> _Value:
        tensor = self.tensors[name]
        if tensor.pads != _NO_PADS:
            raise ValueError(f"{name}: only a convolution or a pooling may take a padded input")
        return tensor

    def _placeholder(self, node: _Operation) -> _Value:
        _, self.channels, rows, columns = node.numbers["shape"]
        return _Value("input", (rows, columns))

    def _transpose(self, node: _Operation) -> _Value:
        tensor, order = self.tensors[node.inputs[0]], self.constants[node.inputs[1]].tolist()
        if order != (_TO_CHANNELS_FIRST if tensor.channels_last else _TO_CHANNELS_LAST):
            raise ValueError(f"{node.name}: transposing by {order} is not known")
        return replace(tensor, channels_last=not tensor.channels_last)

    def _pad(self, node: _Operation) -> _Value:
        tensor = self._unpadded(node.inputs[0])
        pads = self.constants[node.inputs[1]]
        if tensor.channels_last:
            pads = pads[_TO_CHANNELS_FIRST]
        if pads[:2].any():
            raise ValueError(f"{node.name}: only rows and columns can be padded")
        fill = float(self.constants[node.inputs[2]]) if node.op == "PadV2" else 0.0
        (top, bottom), (left, right) = pads[2:].tolist()
        size = (tensor.size[0] + top + bottom, tensor.size[1] + left + right)
        return replace(tensor, size=size, pads=(top, left, bottom, right), fill=fill)

    def _convolution(self, node: _Operation) -> _Value:
        tensor = self._window_input(node, fill=0.0)
        kernel = self.constants[node.inputs[1]].astype(np.float32)  # rows, columns, in, out
        if node.numbers.get("dilations", (1, 1, 1, 1)) != (1, 1, 1, 1):
            raise ValueError(f"{node.name}: dilated convolutions are not known")
        strides = node.numbers["strides"][1:3]
        weights = self.graph.constant(kernel.transpose(3, 2, 0, 1))
        name = self.graph.node("Conv", [tensor.name, weights], strides=strides, pads=tensor.pads)
        return _Value(name, _slide(tensor.size, kernel.shape[:2], strides), channels_last=True)

    def _max_pool(self, node: _Operation) -> _Value:
        tensor = self._window_input(node, fill=-np.inf)
        kernel, strides = node.numbers["ksize"][1:3], node.numbers["strides"][1:3]
        name = self.graph.node(
            "MaxPool", [tensor.name], kernel_shape=kernel, strides=strides, pads=tensor.pads
        )
        return _Value(name, _slide(tensor.size, kernel, strides), channels_last=True)

    def _window_input(self, node: _Operation, fill: float) -> _Value:
        tensor = self.tensors[node.inputs[0]]
        if node.text.get("padding") != "VALID" or not tensor.channels_last:
            raise ValueError(f"{node.name}: only unpadded, channels-last windows are known")
        if tensor.pads != _NO_PADS and tensor.fill != fill:
            raise ValueError(f"{node.name}: padding with {tensor.fill} is not known here")
        return tensor

    def _add(self, node: _Operation) -> _Value:
        tensor = self._unpadded(node.inputs[0])
        bias = self.constants.get(node.inputs[1])
        if bias is None:
            other = self._unpadded(node.inputs[1])
            if other.channels_last != tensor.channels_last:
                raise ValueError(f"{node.name}: its inputs lie differently")
            return replace(tensor, name=self.graph.node("Add", [tensor.name, other.name]))
        if bias.ndim != 1 or not tensor.channels_last:
            raise ValueError(f"{node.name}: only one constant a channel can be added")
        constant = self.graph.constant(bias.astype(np.float32).reshape(1, -1, 1, 1))
        return replace(tensor, name=self.graph.node("Add", [tensor.name, constant]))

    def _leaky_relu(self, node: _Operation) -> _Value:
        tensor = self._unpadded(node.inputs[0])
        return replace(tensor, name=self.graph.node("LeakyRelu", [tensor.name], alpha=node.alpha))

    def _concat(self, node: _Operation) -> _Value:
        *names, axis = node.inputs
        tensors = [self._unpadded(name) for name in names]
        where = tensors[0].axis(int(self.constants[axis]))
        if where != 1 or len({tensor.channels_last for tensor in tensors}) != 1:
            raise ValueError(f"{node.name}: only channels can be joined")
        return replace(tensors[0], name=self.graph.node("Concat", [t.name for t in tensors], axis=where))

    def _resize(self, node: _Operation) -> _Value:
        tensor = self._unpadded(node.inputs[0])
        if node.numbers.get("half_pixel_centers") != (1,) or not tensor.channels_last:
            raise ValueError(f"{node.name}: only channels-last resizes by pixel centres are known")
        rows, columns = (int(side) for side in self.constants[node.inputs[1]])
        factors = np.array([1, 1, rows / tensor.size[0], columns / tensor.size[1]], np.float32)
        name = self.graph.node(
            "Resize",
            [tensor.name, "", self.graph.constant(factors)],
            mode="linear",
            coordinate_transformation_mode="half_pixel",
        )
        return replace(tensor, name=name, size=(rows, columns))


def _slide(size: tuple[int, int], kernel: Sequence[int], strides: Sequence[int]) -> tuple[int, int]:
    """Rows and columns that a window leaves of a padded input."""
    rows, columns = ((s - k) // step + 1 for s, k, step in zip(size, kernel, strides, strict=True))
    return (rows, columns)


def main(arguments: Sequence[str]) -> None:
    """Convert: TOPOLOGY WEIGHTS TARGET OUTPUT..., where an output is a node at which the graph is cut."""
    topology, weights, target = (Path(each) for each in arguments[:3])
    target.write_bytes(to_onnx(topology.read_bytes(), weights.read_bytes(), arguments[3:]))


if __name__ == "__main__":
    main(sys.argv[1:])
