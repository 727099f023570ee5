"""Runs what a page tells its reader to type, in the order of the page, in a folder of the reader's own."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from tests.conftest import picture
from tests.docs.pages import Block
from tests.waiting import HANG_SECONDS

BIN = Path(sys.executable).parent
PRELUDE = Path(__file__).with_name("vidi.sh")
BEGIN = Path(__file__).parents[2] / "docs" / "begin.md"
HEIC = Path(__file__).parents[1] / "images" / "data" / "plain.heic"

_COPIED = re.compile(r"^cp \.venv/lib/python3\*/(\S+) (\S+)$", re.MULTILINE)
"""The photographs of the pages on tasks: where they come from, and what they are called."""

_FILE = re.compile(r"# ([\w.-]+/?[\w.-]*\.(?:py|toml|json))\n")
"""First line of a block that is a file's content, and no program by itself."""


def folder_of(path: Path) -> Path:
    """What a reader has: photographs under the names of the pages, and a checkout's environment."""
    path.mkdir(parents=True)
    for name in ("holiday", "street", "before", "after", "photo", "receipts/one"):
        file = path / f"{name}.jpg"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(picture(320, 240, "JPEG"))
    shutil.copy(HEIC, path / "scan.heic")
    for source, name in _COPIED.findall(BEGIN.read_text("utf-8")):
        for found in Path(sys.prefix, "lib").glob(f"python3*/{source}"):
            shutil.copy(found, path / name)
    (path / ".venv").mkdir()
    (path / ".config" / "fish" / "completions").mkdir(parents=True)
    (path / ".venv" / "lib").symlink_to(Path(sys.prefix) / "lib")
    return path


def logical_lines(text: str) -> list[str]:
    """Lines of a shell: one goes on behind a backslash, and within quotation marks."""
    lines, begun = [], ""
    for line in text.splitlines():
        begun += line
        if line.endswith("\\") or not _is_closed(begun):
            begun += "\n"
        elif begun:
            lines.append(begun)
            begun = ""
    return lines


def _is_closed(line: str) -> bool:
    try:
        shlex.split(line, comments=True)
    except ValueError:
        return False
    return True


def file_name(block: Block) -> str:
    """The file that a block is, by its first line; "" if it is something to run."""
    named = _FILE.match(block.text)
    return named[1] if named else ""


def run(
    blocks: Iterable[Block], folder: Path, changed: Callable[[Block], str], environment: Mapping[str, str]
) -> dict[int, str]:
    """Run a page's blocks in one bash, so that what one exports is there for the next.

    Args:
        blocks: Of one page, in order.
        folder: Where they run.
        changed: A block's text as it is run here.
        environment: What the reader has set before.

    Returns:
        What each block wrote to standard output, by its line in the page.

    Raises:
        AssertionError: One of them failed; says which, and its standard error.
    """
    said = folder / ".said"
    said.mkdir()
    script = ["set -eu", f". '{PRELUDE}'"]
    run_blocks = []
    for block in blocks:
        name, text = file_name(block), changed(block)
        if name:
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text)
            continue
        if block.language == "python":
            program = said / f"{block.line}.py"
            program.write_text(text)
            text = f"python '{program}'\n"
        script += [f"exec >'{said}/{block.line}.out' 2>'{said}/{block.line}.err'", text]
        run_blocks.append(block)
    (said / "script").write_text("\n".join(script))
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("VIDI_", "GEMINI_"))}
    ended = subprocess.run(
        ["bash", str(said / "script")],
        cwd=folder,
        env=kept
        | {"HOME": str(folder), "PATH": f"{BIN}:{os.environ['PATH']}", "TERM": "dumb"}
        | dict(environment),
        stdin=subprocess.DEVNULL,
        timeout=HANG_SECONDS,
        check=False,
    )
    began = [block for block in run_blocks if (said / f"{block.line}.err").exists()]
    if ended.returncode:
        last = began[-1]
        raise AssertionError(
            f"{last.place} ended with {ended.returncode}:\n{(said / f'{last.line}.err').read_text()}"
        )
    return {block.line: (said / f"{block.line}.out").read_text() for block in run_blocks}
