"""Runs one ONNX file on the CPU with little memory and no idle work."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from onnxruntime import InferenceSession, SessionOptions

from vidi.byte_budget import give_back

Floats = npt.NDArray[np.float32]


class Network:
    """A loaded model with one input; may be run from several threads."""

    def __init__(self, model: Path, threads: int, *, hoard: bool = True) -> None:
        """Load the model.

        Args:
            model: An ONNX file with one input.
            threads: How many threads one run may keep busy, at least 1.
            hoard: Keep a run's memory for the next run, a tenth faster; else `give_back` frees it.
        """
        options = SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Waiting threads sleep: a server shares its cores with decoding and with its neighbours.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # Pictures differ in shape; a memory plan for each shape costs more than it saves.
        options.enable_mem_pattern = False
        options.enable_cpu_mem_arena = hoard
        self._session = InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name
        give_back()

    @property
    def notes(self) -> dict[str, str]:
        """What the file's author wrote into it, by name."""
        return dict(self._session.get_modelmeta().custom_metadata_map)

    def run(self, tensor: Floats) -> list[Floats]:
        """The model's outputs for one input tensor, in the model's order."""
        outputs = self._session.run(None, {self._input: tensor})
        return [np.asarray(output, np.float32) for output in outputs]
