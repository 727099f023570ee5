"""The pages of the documentation, and the blocks of code in them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

ROOT = Path(__file__).parents[2]

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "bench" / "README.md"])
"""Everything that is on the site, but for what only names a folder's contents."""

LANGUAGES = {
    "bash", "caddyfile", "go", "ini", "java", "javascript", "json", "nginx", "python", "sh", "text", "toml",
}  # fmt: skip

_FENCE = re.compile(r"^( *)```([^\n]*)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block.

    Attributes:
        page: The page's path in the repository.
        line: Number of its first line, the fence.
        language: What stands behind the fence; "" if nothing.
        text: Its lines.
        output: What the page says that it prints: the block of `text` that follows with nothing between;
            None if there is none.
    """

    page: str
    line: int
    language: str
    text: str
    output: str | None

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(page: Path) -> list[Block]:
    """All blocks of a page, in order."""
    source = page.read_text("utf-8")
    found = list(_FENCE.finditer(source))
    made = []
    for fence, following in zip_longest(found, found[1:]):
        shown = None
        if following and following[2] == "text" and not source[fence.end() : following.start()].strip():
            shown = following[3]
        line = source.count("\n", 0, fence.start()) + 1
        margin = fence[1]
        text = "\n".join(each.removeprefix(margin) for each in fence[3].split("\n"))
        made.append(Block(page.relative_to(ROOT).as_posix(), line, fence[2], text, shown))
    return made


def with_output(page: Path, line: int, output: str) -> None:
    """Write into a page what the block at that line prints."""
    source = page.read_text("utf-8")
    found = list(_FENCE.finditer(source))
    at = next(n for n, fence in enumerate(found) if source.count("\n", 0, fence.start()) + 1 == line)
    shown = found[at + 1]
    page.write_text(source[: shown.start(3)] + output + source[shown.end(3) :], "utf-8")
