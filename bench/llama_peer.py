"""llama.cpp's own server, started as one would by hand: the peer of Vidi's engine for open models.

    python -m bench.llama_peer PORT LAUNCH LOADED

runs the files that LAUNCH names (`vidi.engines.llama.process`) with the same context, slots, threads and
bounds on pictures, and everything else as xllamacpp has it. LOADED is a file that gets the seconds that
loading took.
"""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import xllamacpp

from vidi.engines.llama.supervisor import Launch


def main() -> None:
    """Serve until stopped."""
    launch = Launch.unpack(Path(sys.argv[2]).read_text())
    chosen = xllamacpp.CommonParams()
    chosen.port = int(sys.argv[1])
    chosen.model.path = launch.text
    chosen.mmproj.path = launch.vision
    chosen.n_ctx = launch.context * launch.slots
    chosen.n_parallel = launch.slots
    chosen.cpuparams.n_threads = chosen.cpuparams_batch.n_threads = launch.threads
    chosen.image_min_tokens = launch.min_image_tokens
    chosen.image_max_tokens = launch.max_image_tokens
    chosen.verbosity = 2
    began = time.perf_counter()
    server = xllamacpp.Server(chosen)
    loaded = Path(sys.argv[3])
    started = loaded.with_suffix(".part")
    started.write_text(str(time.perf_counter() - began))
    started.rename(loaded)
    threading.Event().wait()
    del server


if __name__ == "__main__":
    main()
