"""Opens the runtime for one ONNX file."""

from __future__ import annotations

from pathlib import Path

from onnxruntime import ExecutionMode, GraphOptimizationLevel, InferenceSession, SessionOptions


def open_session(model: Path, threads: int) -> InferenceSession:
    """Load a model for the CPU, with as little memory and idle work as the runtime allows.

    Args:
        model: An ONNX file.
        threads: How many threads one run may keep busy, at least 1.
    """
    options = SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = GraphOptimizationLevel.ORT_ENABLE_ALL
    # Waiting threads sleep: a server shares its cores with decoding and with its neighbours.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
