"""The converting process: `python -P -m vidi.engines.lite.weights.converter MODEL SOURCE... TARGET`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from vidi.engines.lite.weights import efficientnet, tfjs

_DETECTOR_OUTPUTS = tuple(f"PartitionedCall/transpose_{number}" for number in (99, 105, 111))
"""Where the graph is cut: behind these the export bakes in one picture size."""


def main(arguments: Sequence[str]) -> None:
    """Read the sources of `detector` or `classifier`, write its ONNX file."""
    model, *files = arguments
    *sources, target = (Path(file) for file in files)
    data = [source.read_bytes() for source in sources]
    match model, data:
        case "detector", [topology, weights]:
            target.write_bytes(tfjs.to_onnx(topology, weights, _DETECTOR_OUTPUTS))
        case "classifier", [checkpoint]:
            target.write_bytes(efficientnet.to_onnx(checkpoint))
        case _:
            raise SystemExit(f"{model} with {len(data)} files is not known")


if __name__ == "__main__":
    main(sys.argv[1:])
