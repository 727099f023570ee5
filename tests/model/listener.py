"""llama.cpp's own server on `shapes`, in a process of its own: a real backend that starts in a second.

python -m tests.model.listener PORT
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.waiting import HANG_SECONDS

SHAPES = Path(__file__).parent / "shapes"
CONTEXT = 1024


@contextmanager
def shapes_listener(port: int = 0) -> Iterator[tuple[str, psutil.Process]]:
    """Run it; gives its address and its process."""
    command = [sys.executable, "-m", "tests.model.listener", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    try:
        address = process.stdout.readline().strip()
        assert address.startswith("http://"), "llama.cpp's server does not start"
        yield address, psutil.Process(process.pid)
    finally:
        process.kill()
        process.wait(HANG_SECONDS)
        process.stdout.close()


def main(port: int) -> None:
    """Serve until killed."""
    import xllamacpp  # noqa: PLC0415 (an extra: the tests that need it are skipped without)

    params = xllamacpp.CommonParams()
    params.model.path = str(SHAPES / "shapes.gguf")
    params.mmproj.path = str(SHAPES / "shapes-mmproj.gguf")
    params.hostnames = ["127.0.0.1"]
    params.port = port
    params.n_ctx = CONTEXT * 4
    params.n_parallel = 4
    params.cpuparams.n_threads = 1
    params.model_alias = {"shapes"}
    params.verbosity = 0
    server = xllamacpp.Server(params)
    sys.stdout.write(f"{server.listening_address}\n")
    sys.stdout.flush()
    threading.Event().wait()


if __name__ == "__main__":
    main(int(sys.argv[1]))
