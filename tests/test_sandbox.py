"""What a confined process can still do, and what the kernel refuses it."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import HANG_SECONDS

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"),
    reason="needs Linux on x86-64 or arm64",
)

CONFINED = """
import ctypes, os, signal, socket, subprocess, sys, threading
from vidi.sandbox import confine
libc = ctypes.CDLL(None)
assert confine()
{body}
os.write(1, b"done")
os._exit(0)
"""


def _run(body: str) -> None:
    """A confined process must come to the end of `body`."""
    command = [sys.executable, "-c", CONFINED.format(body=body)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANG_SECONDS)
    assert done.stdout == "done", done.stderr


@pytest.mark.parametrize(
    "call",
    [
        "open('/etc/hostname')",
        "open('/tmp/vidi-confined', 'w')",
        "os.unlink('/tmp/absent')",
        "os.listdir('/')",
        "socket.socket()",
        "socket.socketpair()",
        "os.fork()",
        "subprocess.run(['true'])",
        "os.execv(sys.executable, ['python'])",
        "os.kill(os.getppid(), 0)",
        "os.memfd_create('more')",
        "os.setuid(0)",
    ],
)
def test_files_network_programs_and_signals_are_refused(call: str) -> None:
    _run(f"try:\n    {call}\nexcept OSError:\n    pass\nelse:\n    raise AssertionError")


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the numbers are those of x86-64")
@pytest.mark.parametrize("number", [101, 310, 321, 425, 437, 0x4000_0000 + 2], ids=hex)
def test_what_has_no_name_in_python_is_refused_too(number: int) -> None:
    """ptrace, process_vm_readv, bpf, io_uring_setup, openat2, and `open` in the table of another ABI."""
    _run(f"assert libc.syscall({number}, 0, 0, 0, 0) == -1")


def test_threads_memory_and_open_files_go_on(tmp_path: Path) -> None:
    _run(
        "seen = []\n"
        "threads = [threading.Thread(target=seen.append, args=(bytes(1 << 24),)) for _ in range(4)]\n"
        "for thread in threads: thread.start()\n"
        "for thread in threads: thread.join()\n"
        "assert len(seen) == 4\n"
        "assert os.urandom(4)"
    )
