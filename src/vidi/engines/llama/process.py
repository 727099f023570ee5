"""The process in which llama.cpp runs one model, and of which it may die.

Run as `python -m vidi.engines.llama.process`. One line of JSON on standard input says what to run
(`Launch`); one line on standard output says where it listens. When standard input ends, the server is gone
and the process ends too. llama.cpp's log goes to standard error.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import threading
from dataclasses import asdict, dataclass

import xllamacpp


@dataclass(frozen=True, slots=True)
class Launch:
    """How to run a model.

    Attributes:
        text: Path of the language model (GGUF).
        vision: Path of the vision encoder and projector (GGUF).
        context: Longest prompt and answer together, in tokens, of one request.
        slots: How many requests are answered at the same time.
        threads: How many threads may be busy.
        min_image_tokens, max_image_tokens: Bounds on one picture's tokens; -1 leaves them to the file.
        memory: Most address space in bytes; 0 for no limit.
        key: What callers of its listener must show.
    """

    text: str
    vision: str
    context: int
    slots: int
    threads: int
    min_image_tokens: int = -1
    max_image_tokens: int = -1
    memory: int = 0
    key: str = ""

    def pack(self) -> bytes:
        """The message."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def unpack(cls, message: str) -> Launch:
        """Read the message; ValueError or TypeError if it is not one."""
        return cls(**json.loads(message))


PROMPT_CACHE_MIB = 512
"""Memory for the states of earlier prompts, so that a further question does not read its pictures again."""

QUIET = 2
"""Of llama.cpp's levels: warnings and errors."""


def main() -> None:
    """Entry point; see the module's text."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which then ends this process.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    launch = Launch.unpack(sys.stdin.readline())
    if launch.memory and sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (launch.memory, launch.memory))
    watcher = threading.Thread(target=_end_with_the_server, name="watcher", daemon=True)
    watcher.start()
    try:
        server = xllamacpp.Server(parameters(launch))
    except RuntimeError as error:
        sys.exit(str(error))
    sys.stdout.write(f"{server.listening_address}\n")
    sys.stdout.flush()
    watcher.join()


def _end_with_the_server() -> None:
    """Wait for the end of standard input; then go at once, whatever native code is doing."""
    while os.read(0, 1024):
        pass
    os._exit(0)


def parameters(launch: Launch) -> xllamacpp.CommonParams:
    """What llama.cpp's server is told of a launch; the rest is left as it has it."""
    chosen = xllamacpp.CommonParams()
    chosen.model.path = launch.text
    chosen.mmproj.path = launch.vision
    chosen.n_ctx = launch.context * launch.slots
    chosen.n_parallel = launch.slots
    chosen.cpuparams.n_threads = chosen.cpuparams_batch.n_threads = launch.threads
    chosen.image_min_tokens = launch.min_image_tokens
    chosen.image_max_tokens = launch.max_image_tokens
    # A picture that is seen as a whole, and not token by token, must fit into one step, or llama.cpp aborts.
    chosen.n_ubatch = max(chosen.n_ubatch, min(launch.max_image_tokens, chosen.n_batch))
    chosen.cache_ram_mib = PROMPT_CACHE_MIB
    chosen.verbosity = QUIET
    # Whoever finds the listener gets nothing from it: no page, no states, no answer without the key.
    chosen.api_keys = [launch.key]
    chosen.ui = False
    chosen.endpoint_slots = False
    return chosen


if __name__ == "__main__":
    main()
