"""README.tr.md says what README.md says: the same commands, links and parts."""

from __future__ import annotations

import re

from tests.docs.pages import ROOT, blocks
from tests.docs.reader import logical_lines

ENGLISH = ROOT / "README.md"
TURKISH = ROOT / "README.tr.md"

OF_ITS_OWN = "## Kılavuz, Türkçe istemlerle\n"
"""A part that README.md has no need of: the guide's samples with Turkish prompts."""


def _common(text: str) -> str:
    """The Turkish page without the part of its own."""
    before, _, rest = text.partition(OF_ITS_OWN)
    return before + "## " + rest.partition("\n## ")[2]


def _commands(lines: list[str]) -> list[str]:
    """Commands without comments and without what is said in the page's language."""
    return [re.sub(r'"[^"]*"', '"..."', re.sub(r"\s+#.*", "", line)) for line in lines]


def test_the_commands_are_those_of_the_english_page() -> None:
    english = [
        line for block in blocks(ENGLISH) if block.language == "sh" for line in logical_lines(block.text)
    ]
    turkish = [
        line for block in blocks(TURKISH) if block.language == "sh" for line in logical_lines(block.text)
    ]
    own = [line for line in turkish if line.startswith(("vidi ask cat.png", "vidi ask coffee.png"))]
    assert len(own) == 4
    assert _commands([line for line in turkish if line not in own]) == _commands(english)


def test_the_links_are_those_of_the_english_page() -> None:
    link = re.compile(r"\]\(([^)]+)\)")
    english = set(link.findall(ENGLISH.read_text("utf-8"))) - {"README.tr.md"}
    turkish = set(link.findall(_common(TURKISH.read_text("utf-8"))))
    assert english <= turkish
    assert turkish - english == {"README.md", "README.md#begin", "README.md#what-works"}


def test_the_parts_are_those_of_the_english_page() -> None:
    heading = re.compile(r"^## ", re.MULTILINE)
    assert len(heading.findall(_common(TURKISH.read_text("utf-8")))) == len(
        heading.findall(ENGLISH.read_text("utf-8"))
    )


def test_the_sample_is_that_of_the_english_page_in_another_language() -> None:
    english, turkish = (
        next(each for each in blocks(page) if each.language == "python") for page in (ENGLISH, TURKISH)
    )
    assert turkish.text.replace("Bu resmi açıkla.", "Caption this image.") == english.text
