"""Takes from a process what it will never need again: files, network, other programs, new rights.

No library that is kept up does this from Python (docs/decisions/0026-confined-decoders.md), and the kernel's
interface takes few lines. Sources: prctl(2), seccomp(2), linux/filter.h, linux/seccomp.h, linux/audit.h, and
the tables of system calls of x86-64 and of arm64.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct
import sys
from collections.abc import Sequence
from types import MappingProxyType

_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 22, 2
_PR_SET_NO_NEW_PRIVS = 38

_ALLOW = 0x7FFF0000
_REFUSE = 0x00050000 | errno.ENOSYS
"""As by a kernel that does not know the call: callers fall back, or fail in good order."""

_LOAD, _IF_EQUAL, _IF_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
"""Steps of a filter: load a word of the call, skip some steps if it is equal or has a bit, give a verdict."""

_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
"""Where they lie in what a filter sees of a call, in bytes."""

_CLONE_THREAD = 0x00010000

_COLUMNS = MappingProxyType({"x86_64": (0xC000003E, 1), "aarch64": (0xC00000B7, 2)})
"""By machine: the kernel's number for it, and its column in the table."""

_CLONE = "clone 56 220"

_CALLS = """
    read 0 63              write 1 64            close 3 57             fstat 5 80
    lseek 8 62             mmap 9 222            mprotect 10 226        munmap 11 215
    brk 12 214             rt_sigaction 13 134   rt_sigprocmask 14 135  rt_sigreturn 15 139
    pread64 17 67          pwrite64 18 68        readv 19 65            writev 20 66
    sched_yield 24 124     mremap 25 216         madvise 28 233         dup 32 23
    nanosleep 35 101       setitimer 38 103      getpid 39 172          exit 60 93
    uname 63 160           fcntl 72 25           fsync 74 82            ftruncate 77 46
    getcwd 79 17           gettimeofday 96 169   getrusage 98 165       sysinfo 99 179
    times 100 153          getuid 102 174        getgid 104 176         geteuid 107 175
    getegid 108 177        sigaltstack 131 132   gettid 186 178         futex 202 98
    sched_getaffinity 204 123                    restart_syscall 219 128
    clock_gettime 228 113  clock_getres 229 114  clock_nanosleep 230 115  exit_group 231 94
    newfstatat 262 79      ppoll 271 73          set_robust_list 273 99  getrandom 318 278
    membarrier 324 283     rseq 334 293
"""
"""What works on from here: memory, threads, time, and files that are open already. Name, x86-64, arm64."""


def confine(calls: str = _CALLS) -> bool:
    """Let this process, and its threads to come, make no system calls but `calls` and threads.

    Returns:
        Whether the system can do that; where it cannot, only new rights are given up, or nothing.
    """
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    given_up: int = libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    column = _COLUMNS.get(platform.machine())
    if given_up != 0 or column is None:
        return False
    architecture, at = column
    words = calls.split()
    steps = _filter(architecture, [int(word) for word in words[at::3]], int(_CLONE.split()[at]))
    code = ctypes.create_string_buffer(b"".join(steps))
    program = struct.pack("HxxxxxxP", len(steps), ctypes.addressof(code))
    refused: int = libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, program, 0, 0)
    return refused == 0


def _filter(architecture: int, allowed: Sequence[int], clone: int) -> list[bytes]:
    """The filter's steps; a skip counts the steps that are left out."""
    count = len(allowed)
    return [
        _step(_LOAD, _ARCHITECTURE),
        _step(_IF_EQUAL, architecture, otherwise=count + 5),
        _step(_LOAD, _NUMBER),
        *(_step(_IF_EQUAL, number, then=count + 2 - place) for place, number in enumerate(allowed)),
        _step(_IF_EQUAL, clone, otherwise=3),
        _step(_LOAD, _FIRST_ARGUMENT),
        _step(_IF_BIT, _CLONE_THREAD, otherwise=1),
        _step(_RETURN, _ALLOW),
        _step(_RETURN, _REFUSE),
    ]


def _step(code: int, value: int, *, then: int = 0, otherwise: int = 0) -> bytes:
    return struct.pack("HBBI", code, then, otherwise, value)
