from __future__ import annotations

import io
import os
import pickle
import struct
import sys
from collections import OrderedDict, deque
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnxruntime import InferenceSession

from vidi.engines.lite.weights import efficientnet
from vidi.engines.lite.weights.assets import Weights

Floats = npt.NDArray[np.float32]
HEADER = (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})


class Storage:
    """Pickles to the reference that torch writes for a storage."""

    def __init__(self, key: str, count: int) -> None:
        self.pid = ("storage", FloatStorage, key, "cpu", count, None)


class Tensor:
    """Pickles to the call that torch writes for a tensor."""

    def __init__(self, storage: Storage, offset: int, shape: tuple[int, ...], steps: tuple[int, ...]) -> None:
        self.view = (storage, offset, shape, steps)

    def __reduce__(self) -> tuple[Callable[..., None], tuple[object, ...]]:
        return _rebuild_tensor_v2, (*self.view, False, OrderedDict())


class FloatStorage:
    """Stands for torch's class of this name."""


def _rebuild_tensor_v2() -> None:
    """Stands for torch's function of this name."""


def load() -> None:
    """Stands for torch's function of this name."""


TORCH = {"torch": (FloatStorage, load), "torch._utils": (_rebuild_tensor_v2,)}


class Pickler(pickle.Pickler):
    def persistent_id(self, value: object) -> object:
        return value.pid if isinstance(value, Storage) else None


def dump(*values: object) -> bytes:
    """Pickle values one after another, as a process would that has torch."""
    file = io.BytesIO()
    with pytest.MonkeyPatch.context() as patch:
        for name, members in TORCH.items():
            patch.setitem(sys.modules, name, ModuleType(name))
            for member in members:
                patch.setattr(member, "__module__", name)
                patch.setattr(sys.modules[name], member.__name__, member, raising=False)
        for value in values:
            Pickler(file, protocol=2).dump(value)
    return file.getvalue()


def checkpoint(parameters: dict[str, Floats]) -> bytes:
    """A file as torch wrote it before 1.6."""
    tensors: OrderedDict[str, Tensor] = OrderedDict()
    for index, (name, values) in enumerate(parameters.items()):
        steps = tuple(step // 4 for step in np.ascontiguousarray(values).strides)
        tensors[name] = Tensor(Storage(str(index), values.size), 0, values.shape, steps)
    data = dump(*HEADER, tensors, [str(index) for index in range(len(parameters))])
    return data + b"".join(struct.pack("<q", v.size) + v.tobytes() for v in parameters.values())


def test_tensors_are_read_back() -> None:
    parameters: dict[str, Floats] = {
        "a": np.arange(6, dtype=np.float32).reshape(2, 3),
        "b": np.array([7], np.float32),
    }
    found = efficientnet.read_checkpoint(checkpoint(parameters))
    assert found.keys() == parameters.keys()
    for name, values in parameters.items():
        np.testing.assert_array_equal(found[name], values)


def test_tensors_may_share_a_storage_and_step_through_it() -> None:
    storage = Storage("s", 6)
    tensors = {"turned": Tensor(storage, 0, (3, 2), (1, 3)), "tail": Tensor(storage, 4, (2,), (1,))}
    data = dump(*HEADER, tensors, ["s"]) + struct.pack("<q", 6) + np.arange(6, dtype="<f4").tobytes()
    found = efficientnet.read_checkpoint(data)
    assert found["turned"].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert found["tail"].tolist() == [4, 5]


@pytest.mark.parametrize(
    ("offset", "shape", "steps"), [(0, (7,), (1,)), (5, (2,), (1,)), (-1, (2,), (1,)), (3, (3,), (-1,))]
)
def test_a_tensor_outside_its_storage_is_refused(
    offset: int, shape: tuple[int, ...], steps: tuple[int, ...]
) -> None:
    tensors = {"bad": Tensor(Storage("s", 6), offset, shape, steps)}
    data = dump(*HEADER, tensors, ["s"]) + struct.pack("<q", 6) + np.zeros(6, "<f4").tobytes()
    with pytest.raises(ValueError, match="outside its storage"):
        efficientnet.read_checkpoint(data)


@pytest.mark.parametrize("thing", [os.system, eval, deque, load], ids=lambda thing: str(thing.__name__))
def test_a_pickle_may_name_nothing_else(thing: object) -> None:
    with pytest.raises(ValueError, match="is not allowed"):
        efficientnet.read_checkpoint(dump(thing))


LYING = dump(*HEADER, {"a": Tensor(Storage("s", 6), 0, (6,), (1,))}, ["s"])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK\x03\x04zip",
        dump(1, 2, 3, {}, []),
        dump(*HEADER),
        dump(*HEADER, {}, ["nobody's"]),
        LYING,
        LYING + struct.pack("<q", 6),
        LYING + struct.pack("<q", -1),
    ],
)
def test_other_files_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="checkpoint"):
        efficientnet.read_checkpoint(data)


WIDTHS = (4, 4, 6, 6)
"""Channels of the stem and after each of three blocks: plain, halving, and one that adds its input."""


def small_network() -> dict[str, Floats]:
    random = np.random.default_rng(3)
    parameters: dict[str, Floats] = {}

    def convolution(layer: str, norm: str, *shape: int) -> None:
        parameters[f"{layer}.weight"] = (random.normal(size=shape) / np.sqrt(shape[1])).astype(np.float32)
        for name, low in (("weight", 0.5), ("bias", -1), ("running_mean", -1), ("running_var", 0.5)):
            values = random.uniform(low, 1.5, size=shape[0])
            parameters[f"{norm}.{name}"] = values.astype(np.float32)

    convolution("_conv_stem", "_bn0", WIDTHS[0], 3, 3, 3)
    for index, (before, after) in enumerate(pairwise(WIDTHS)):
        name = f"_blocks.{index}"
        inner = before if index == 0 else 2 * before
        if index:
            convolution(f"{name}._expand_conv", f"{name}._bn0", inner, before, 1, 1)
        convolution(f"{name}._depthwise_conv", f"{name}._bn1", inner, 1, 3, 3)
        convolution(f"{name}._project_conv", f"{name}._bn2", after, inner, 1, 1)
    convolution("_conv_head", "_bn1", 8, WIDTHS[-1], 1, 1)
    parameters["_fc.weight"] = random.normal(size=(5, 8)).astype(np.float32)
    parameters["_fc.bias"] = random.normal(size=5).astype(np.float32)
    return parameters


class Reference:
    """The same network in numpy, batch normalisation not folded."""

    def __init__(self, parameters: dict[str, Floats]) -> None:
        self.parameters = parameters

    def run(self, picture: Floats) -> tuple[Floats, Floats]:
        tensor = self.layer(picture, "_conv_stem", "_bn0", 2)
        tensor = self.block(tensor, 0, 1)
        tensor = self.block(tensor, 1, 2)
        tensor = tensor + self.block(tensor, 2, 1)
        features = self.layer(tensor, "_conv_head", "_bn1", 1).mean(axis=(1, 2))
        return self.parameters["_fc.weight"] @ features + self.parameters["_fc.bias"], features

    def block(self, tensor: Floats, index: int, stride: int) -> Floats:
        name = f"_blocks.{index}"
        if index:
            tensor = self.layer(tensor, f"{name}._expand_conv", f"{name}._bn0", 1)
        tensor = self.layer(tensor, f"{name}._depthwise_conv", f"{name}._bn1", stride)
        return self.layer(tensor, f"{name}._project_conv", f"{name}._bn2", 1, clip=False)

    def layer(self, tensor: Floats, layer: str, norm: str, stride: int, *, clip: bool = True) -> Floats:
        kernel = self.parameters[f"{layer}.weight"]
        side = kernel.shape[2]
        rows = tensor.shape[1]
        missing = max((-(-rows // stride) - 1) * stride + side - rows, 0)
        pads = (missing // 2, missing - missing // 2)
        view = np.lib.stride_tricks.sliding_window_view(
            np.pad(tensor, ((0, 0), pads, pads)), (side, side), axis=(1, 2)
        )[:, ::stride, ::stride]
        if kernel.shape[1] == 1 and tensor.shape[0] > 1:
            result = np.einsum("cyxhw,chw->cyx", view, kernel[:, 0])
        else:
            result = np.einsum("cyxhw,dchw->dyx", view, kernel)
        mean, var, scale, shift = (
            self.parameters[f"{norm}.{name}"][:, None, None]
            for name in ("running_mean", "running_var", "weight", "bias")
        )
        normal: Floats = (result - mean) / np.sqrt(var + 1e-3) * scale + shift
        return np.clip(normal, 0, 6) if clip else normal


def test_the_graph_computes_what_the_network_means() -> None:
    parameters = small_network()
    model = efficientnet.to_onnx(checkpoint(parameters))
    session = InferenceSession(model, providers=["CPUExecutionProvider"])
    picture = np.random.default_rng(5).normal(size=(1, 3, 260, 260)).astype(np.float32)
    logits, features = session.run(["logits", "features"], {"input": picture})
    expected_logits, expected_features = Reference(parameters).run(picture[0])
    np.testing.assert_allclose(features[0], expected_features, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(logits[0], expected_logits, rtol=1e-3, atol=1e-3)


def test_equal_checkpoints_give_equal_bytes(tmp_path: Path) -> None:
    data = checkpoint(small_network())
    source, target = tmp_path / "checkpoint.pth", tmp_path / "model.onnx"
    source.write_bytes(data)
    efficientnet.main([str(source), str(target)])
    assert efficientnet.to_onnx(data) == target.read_bytes()


@pytest.mark.weights
def test_the_real_classifier_is_a_valid_model(real_weights: Weights) -> None:
    model = onnx.load(real_weights.classifier)
    onnx.checker.check_model(model)
    assert [output.name for output in model.graph.output] == ["logits", "features"]
