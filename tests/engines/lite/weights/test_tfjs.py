from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnxruntime import InferenceSession

from vidi.engines.lite.weights import tfjs
from vidi.engines.lite.weights.assets import Weights

Floats = npt.NDArray[np.float32]
LAST, FIRST = [0, 2, 3, 1], [0, 3, 1, 2]


@dataclass
class Source:
    """A graph in TensorFlow.js's two files, written the way its exporter writes them."""

    channels: int = 2
    size: tuple[int, int] = (8, 6)
    nodes: list[dict[str, object]] = field(default_factory=list)
    manifest: list[dict[str, object]] = field(default_factory=list)
    data: bytes = b""

    def __post_init__(self) -> None:
        sides = [1, self.channels, *self.size]
        shape = {"shape": {"dim": [{"size": str(side)} for side in sides]}}
        self.nodes.append({"name": "x", "op": "Placeholder", "attr": {"shape": shape}})

    def constant(self, values: object, dtype: str = "float32", *, half: bool = False) -> str:
        array = np.array(values, np.int32 if dtype == "int32" else np.float32)
        name = f"const_{len(self.manifest)}"
        entry: dict[str, object] = {"name": name, "shape": list(array.shape), "dtype": dtype}
        if half:
            entry["quantization"] = {"dtype": "float16", "original_dtype": "float32"}
            array = array.astype(np.float16)
        self.manifest.append(entry)
        self.data += array.tobytes()
        self.nodes.append({"name": name, "op": "Const", "attr": {}})
        return name

    def node(self, op: str, *inputs: str, **attributes: object) -> str:
        name = f"node_{len(self.nodes)}"
        self.nodes.append({"name": name, "op": op, "input": list(inputs), "attr": attributes})
        return name

    def transpose(self, tensor: str, order: list[int]) -> str:
        return self.node("Transpose", tensor, self.constant(order, "int32"))

    def pad(self, tensor: str, rows: tuple[int, int], columns: tuple[int, int]) -> str:
        return self.node("Pad", tensor, self.constant([(0, 0), (0, 0), rows, columns], "int32"))

    def convolve(self, tensor: str, kernel: Floats, stride: int = 1, **more: object) -> str:
        return self.node(
            "Conv2D",
            tensor,
            self.constant(kernel),
            **{"strides": steps(stride), "dilations": steps(1), "padding": VALID, **more},
        )

    def topology(self) -> bytes:
        return json.dumps(
            {
                "modelTopology": {"node": self.nodes},
                "weightsManifest": [{"paths": ["w.bin"], "weights": self.manifest}],
            }
        ).encode()

    def run(self, output: str, picture: Floats) -> Floats:
        model = tfjs.to_onnx(self.topology(), self.data, [output])
        onnx.checker.check_model(model, full_check=True)
        session = InferenceSession(model, providers=["CPUExecutionProvider"])
        return cast(Floats, session.run(["output_0"], {"input": picture})[0])


VALID = {"s": base64.b64encode(b"VALID").decode()}


def steps(stride: int) -> dict[str, object]:
    return {"list": {"i": ["1", str(stride), str(stride), "1"]}}


def noise(*shape: int) -> Floats:
    return np.random.default_rng(7).normal(size=shape).astype(np.float32)


def windows(picture: Floats, rows: int, columns: int, stride: int) -> Floats:
    """(channels, out rows, out columns, rows, columns) of a picture (1, channels, ...)."""
    view = np.lib.stride_tricks.sliding_window_view(picture[0], (rows, columns), axis=(1, 2))
    return cast(Floats, view[:, ::stride, ::stride])


@given(
    kernel=st.sampled_from([(1, 1), (3, 3), (3, 1)]),
    stride=st.sampled_from([1, 2]),
    top=st.integers(0, 2),
    left=st.integers(0, 2),
    size=st.sampled_from([(8, 6), (5, 9)]),
)
def test_padded_convolution_with_bias(
    kernel: tuple[int, int], stride: int, top: int, left: int, size: tuple[int, int]
) -> None:
    source = Source()
    weights, bias = noise(*kernel, 2, 3), noise(3)
    tensor = source.transpose(source.pad("x", (top, 1), (left, 0)), LAST)
    tensor = source.convolve(tensor, weights, stride)
    tensor = source.transpose(source.node("AddV2", tensor, source.constant(bias)), FIRST)
    picture = noise(1, 2, *size)

    padded = np.pad(picture, ((0, 0), (0, 0), (top, 1), (left, 0)))
    expected = np.einsum("cyxhw,hwcd->dyx", windows(padded, *kernel, stride), weights)
    np.testing.assert_allclose(
        source.run(tensor, picture)[0], expected + bias[:, None, None], rtol=1e-4, atol=1e-5
    )


def test_pooling_takes_in_a_padding_of_minus_infinity() -> None:
    source = Source()
    pads = source.constant([(0, 0), (0, 0), (1, 1), (1, 1)], "int32")
    padded = source.node("PadV2", "x", pads, source.constant(-np.inf))
    pooled = source.node(
        "MaxPool", source.transpose(padded, LAST), ksize=steps(3), strides=steps(2), padding=VALID
    )
    picture = noise(1, 2, 8, 6) - 10
    edges = np.pad(picture, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    expected = windows(edges, 3, 3, 2).max(axis=(3, 4))
    np.testing.assert_array_equal(source.run(source.transpose(pooled, FIRST), picture)[0], expected)


@pytest.mark.parametrize("size", [(8, 6), (16, 2)])
def test_baked_sizes_of_resizes_become_factors(size: tuple[int, int]) -> None:
    source = Source()
    resize = {"half_pixel_centers": {"b": True}, "align_corners": {"b": False}}
    tensor = source.transpose("x", LAST)
    half = source.node("ResizeBilinear", tensor, source.constant([4, 3], "int32"), **resize)
    back = source.node("ResizeBilinear", half, source.constant([8, 6], "int32"), **resize)
    picture = noise(1, 2, *size)
    rows, columns = size
    expected_half = picture.reshape(1, 2, rows // 2, 2, columns // 2, 2).mean(axis=(3, 5))

    np.testing.assert_allclose(
        source.run(source.transpose(half, FIRST), picture), expected_half, rtol=1e-4, atol=1e-6
    )
    assert source.run(source.transpose(back, FIRST), picture).shape == picture.shape


def test_channels_are_joined_and_tensors_added_in_either_view() -> None:
    source = Source()
    leaky = source.node("LeakyRelu", "x", alpha={"f": 0.1})
    total = source.node("Add", leaky, "x")
    first = source.node("ConcatV2", total, "x", source.constant(1, "int32"))
    last = source.node(
        "ConcatV2",
        source.transpose(total, LAST),
        source.transpose("x", LAST),
        source.constant(3, "int32"),
    )
    picture = noise(1, 2, 8, 6)
    expected = np.concatenate([np.where(picture > 0, picture, picture * 0.1) + picture, picture], axis=1)
    np.testing.assert_allclose(source.run(first, picture), expected, rtol=1e-5)
    np.testing.assert_allclose(source.run(source.transpose(last, FIRST), picture), expected, rtol=1e-5)


def test_half_precision_weights_keep_their_values() -> None:
    source = Source(channels=1)
    name = source.constant(np.array([[[[0.333251953125]]]]), half=True)
    tensor = source.node(
        "Conv2D", source.transpose("x", LAST), name, strides=steps(1), padding=VALID, dilations=steps(1)
    )
    ones = np.ones((1, 1, 8, 6), np.float32)
    assert source.run(source.transpose(tensor, FIRST), ones)[0, 0, 0, 0] == np.float32(0.333251953125)


def test_equal_graphs_give_equal_bytes_and_outputs_keep_their_order() -> None:
    source = Source()
    first, second = source.node("LeakyRelu", "x", alpha={"f": 0.5}), "x"
    model = tfjs.to_onnx(source.topology(), source.data, [first, second])
    assert model == tfjs.to_onnx(source.topology(), source.data, [first, second])
    outputs = InferenceSession(model, providers=["CPUExecutionProvider"]).run(
        None, {"input": np.full((1, 2, 8, 6), -2, np.float32)}
    )
    assert [float(np.asarray(output).max()) for output in outputs] == [-1, -2]


def padded(source: Source) -> str:
    return source.pad("x", (1, 1), (1, 1))


def pooled(source: Source, tensor: str) -> str:
    return source.node("MaxPool", tensor, ksize=steps(3), strides=steps(2), padding=VALID)


def padded_channels(source: Source) -> str:
    pads = source.constant([(0, 0), (1, 0), (0, 0), (0, 0)], "int32")
    return source.node("Pad", "x", pads)


def resized_by_corners(source: Source) -> str:
    return source.node("ResizeBilinear", source.transpose("x", LAST), source.constant([4, 3], "int32"))


KERNEL = noise(1, 1, 2, 2)
REFUSED: dict[str, Callable[[Source], str]] = {
    "operation Softmax is not known": lambda s: s.node("Softmax", "x"),
    "transposing by": lambda s: s.transpose("x", [0, 1, 3, 2]),
    "an output must be channels first": lambda s: s.transpose("x", LAST),
    "only a convolution or a pooling": lambda s: s.node("LeakyRelu", padded(s)),
    "only unpadded, channels-last windows": lambda s: s.convolve("x", KERNEL),
    "dilated": lambda s: s.convolve(s.transpose("x", LAST), KERNEL, dilations=steps(2)),
    "only rows and columns can be padded": padded_channels,
    "only channels can be joined": lambda s: s.node("ConcatV2", "x", "x", s.constant(2, "int32")),
    "its inputs lie differently": lambda s: s.node("Add", "x", s.transpose("x", LAST)),
    "padding with 0.0 is not known here": lambda s: pooled(s, s.transpose(padded(s), LAST)),
    "only one constant a channel": lambda s: s.node("Add", "x", s.constant(noise(2))),
    "resizes by pixel centres": resized_by_corners,
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_not_known_is_refused_and_named(text: str) -> None:
    source = Source()
    output = REFUSED[text](source)
    with pytest.raises(ValueError, match=text):
        tfjs.to_onnx(source.topology(), source.data, [output])


def test_weights_must_fit_the_manifest() -> None:
    source = Source()
    output = source.node("Add", "x", source.constant(noise(2)))
    with pytest.raises(ValueError, match="the manifest describes 8 bytes"):
        tfjs.to_onnx(source.topology(), source.data + b"\0", [output])
    with pytest.raises(ValueError, match="buffer"):
        tfjs.to_onnx(source.topology(), source.data[:-1], [output])


def test_a_quantised_weight_is_refused() -> None:
    source = Source()
    output = source.node("Add", "x", source.constant(noise(2)))
    source.manifest[0]["quantization"] = {"dtype": "uint8", "scale": 0.1, "min": 0}
    with pytest.raises(ValueError, match="stored in a way that is not known"):
        tfjs.to_onnx(source.topology(), source.data, [output])


def test_the_converting_process_writes_the_same_model(tmp_path: Path) -> None:
    source = Source()
    output = source.node("LeakyRelu", "x", alpha={"f": 0.5})
    topology, weights, target = (tmp_path / name for name in ("model.json", "model.bin", "model.onnx"))
    topology.write_bytes(source.topology())
    weights.write_bytes(source.data)
    tfjs.main([str(topology), str(weights), str(target), output])
    assert target.read_bytes() == tfjs.to_onnx(source.topology(), source.data, [output])


@pytest.mark.weights
def test_the_detector_has_three_outputs_at_any_size(real_weights: Weights) -> None:
    session = InferenceSession(real_weights.detector, providers=["CPUExecutionProvider"])
    outputs = session.run(None, {"input": np.zeros((1, 3, 96, 160), np.float32)})
    assert [np.asarray(output).shape for output in outputs] == [
        (1, 124, 12, 20),
        (1, 124, 6, 10),
        (1, 124, 3, 5),
    ]
