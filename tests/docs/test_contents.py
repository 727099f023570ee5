"""What the lists of pages name, and what is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import ROOT

DOCS = ROOT / "docs"
LINK = re.compile(r"^- \[[^\]]+\]\(([^)]+)\)", re.MULTILINE)


@pytest.mark.parametrize(
    ("folder", "pattern"), [(DOCS, "[!R]*.md"), (DOCS, "*/[!0]*.md"), (DOCS / "decisions", "0*.md")]
)
def test_every_page_is_listed_once(folder: Path, pattern: str) -> None:
    listed = LINK.findall((folder / "README.md").read_text("utf-8"))
    pages = {page.relative_to(folder).as_posix() for page in folder.glob(pattern)}
    assert len(pages) > 5
    assert len(listed) == len(set(listed))
    assert pages <= set(listed)


def test_decisions_have_numbers_of_their_own() -> None:
    numbers = [page.name[:4] for page in (DOCS / "decisions").glob("0*.md")]
    assert len(numbers) == len(set(numbers))
