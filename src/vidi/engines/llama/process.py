"""The process in which llama.cpp runs one model, and of which it may die.

Run as `python -m vidi.engines.llama.process`. One line of JSON on standard input says what to run
(`Launch`); one line on standard output says where it listens. When standard input ends, the server is gone
and the process ends too. llama.cpp's log goes to standard error.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import threading

import xllamacpp

from vidi.engines.llama.supervisor import Launch

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
