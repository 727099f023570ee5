"""The command line: a client of the API. Here are its beginning and the table of its commands."""

from __future__ import annotations

import atexit
import gc
import os
import pkgutil
import signal

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells expect it."""

COMMANDS = {
    "ask": ("vidi.cli.ask:ask", "Ask one question about one or several photos."),
    "caption": ("vidi.cli.ask:caption", "Say what is in each photo."),
    "chat": ("vidi.cli.ask:chat", "Talk about photos, question after question."),
    "detect": ("vidi.cli.ask:detect", "Box the objects in each photo, and draw them."),
    "doctor": ("vidi.cli.doctor:doctor", "Say what this machine has, and what to do."),
    "files": ("vidi.cli.files:files", "Upload files to a running server, and see what is there."),
    "inspect": ("vidi.cli.inspect:inspect", "Show format, size, token cost and sharpness."),
    "keys": ("vidi.cli.keys:keys", "Make, list and revoke the keys of a server."),
    "models": ("vidi.cli.models:models", "List the models; remove one; check a profile."),
    "ps": ("vidi.cli.ps:ps", "Show what runs in a server, and who waits."),
    "pull": ("vidi.cli.pull:pull", "Put a model's weights on this disk."),
    "serve": ("vidi.cli.serve:serve", "Serve the Gemini API until Ctrl-C."),
}
"""Where each command lies, and what it is for. Loading one costs half a second, so help and Tab load none."""


OBJECTS_PER_COLLECTION = 50_000
"""New objects until Python looks for rubbish: what is loaded stays, and by its own choice of 700 it would go
through all of that again and again."""


def leave_quietly(_number: int, _frame: object) -> None:
    """Answer Ctrl-C while a command is being loaded: nothing has begun, so nothing is said."""
    os._exit(INTERRUPTED)


def run() -> None:
    """Run the program: `vidi` on a shell.

    Ctrl-C is taken care of before anything else is loaded. Python's own start, some tens of milliseconds,
    is before that: what it prints when it is stopped there is not ours.
    """
    signal.signal(signal.SIGINT, leave_quietly)
    gc.set_threshold(OBJECTS_PER_COLLECTION)
    # Python looks for rubbish once more when it ends. All of it goes then.
    atexit.register(gc.freeze)
    pkgutil.resolve_name("vidi.cli.main:main")()
