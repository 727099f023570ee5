"""The table of dialects in the documentation is the one that the profiles say."""

from __future__ import annotations

from tools.dialect_table import COMMAND, PAGE, page


def test_the_page_is_up_to_date() -> None:
    text = PAGE.read_text("utf-8")
    assert text == page(text), f"docs/grounding.md is stale. Run: {COMMAND}"
