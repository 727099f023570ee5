"""Writes ONNX graphs, node by node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from onnx import NodeProto, TensorProto, helper, numpy_helper

_OPSET = 17
_IR_VERSION = 8

Attribute = int | float | str | Sequence[int]
Axes = Sequence[int | str | None]
"""Lengths of a tensor's axes: a number, a name that the caller may choose, or None for what follows."""


@dataclass(slots=True)
class GraphWriter:
    """A graph in the making; tensors are known by the names that `node` and `constant` return."""

    _nodes: list[NodeProto] = field(default_factory=list)
    _constants: list[TensorProto] = field(default_factory=list)

    def node(self, operation: str, inputs: Sequence[str], **attributes: Attribute) -> str:
        """Add an operation with one output; an absent optional input is ""."""
        name = f"t{len(self._nodes)}"
        node = helper.make_node(operation, list(inputs), [name])
        node.attribute.extend(helper.make_attribute(key, value) for key, value in attributes.items())
        self._nodes.append(node)
        return name

    def constant(self, values: npt.NDArray[np.float32] | npt.NDArray[np.int64]) -> str:
        """Add a tensor that never changes."""
        name = f"c{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def serialise(
        self, name: str, source: tuple[str, Axes], outputs: Mapping[str, tuple[str, Axes]]
    ) -> bytes:
        """The finished model; equal graphs give equal bytes.

        Args:
            name: What the graph is called.
            source: The input's name and axes, float32.
            outputs: For each output's name, the tensor that it shows and its axes, float32.
        """
        shown = [helper.make_node("Identity", [tensor], [out]) for out, (tensor, _) in outputs.items()]
        graph = helper.make_graph(
            [*self._nodes, *shown],
            name,
            [helper.make_tensor_value_info(source[0], TensorProto.FLOAT, source[1])],
            [
                helper.make_tensor_value_info(out, TensorProto.FLOAT, axes)
                for out, (_, axes) in outputs.items()
            ],
            self._constants,
        )
        opset = [helper.make_opsetid("", _OPSET)]
        model = helper.make_model(graph, opset_imports=opset, ir_version=_IR_VERSION, producer_name="vidi")
        serialised: bytes = model.SerializeToString(deterministic=True)
        return serialised
