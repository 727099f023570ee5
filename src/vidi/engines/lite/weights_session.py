"""Opens the runtime for one ONNX file."""

from __future__ import annotations

import ctypes
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
    # The runtime's own pool costs 20 MB and no run is faster for it.
    options.enable_cpu_mem_arena = False
    # Waiting threads sleep: a server shares its cores with decoding and with its neighbours.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    _give_back()
    return session


def _give_back() -> None:
    """Return what loading has freed to the system (35 MB); only the GNU C library waits to be told."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
