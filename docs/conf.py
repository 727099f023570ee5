"""How Sphinx makes the site (`make docs`) of pages in plain Markdown, in the order of docs/README.md."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from posixpath import normpath

from sphinx.application import Sphinx

import vidi

ROOT = Path(__file__).parent.parent

project = "Vidi"
author = "Vidi"
version = release = vidi.__version__
root_doc = "README"
# Links in the pages go by the repository's own folders, so these are the site's too.
include_patterns = ["*.md", "docs/**.md", "bench/README.md"]
exclude_patterns = [".*", "build", "dist", "node_modules", "**/node_modules", "demo-output"]

extensions = ["myst_parser"]
myst_heading_anchors = 4
myst_enable_extensions = ["strikethrough"]
suppress_warnings = ["myst.strikethrough"]

html_theme = "furo"
html_title = "Vidi"
html_show_sourcelink = False
html_copy_source = False
html_show_copyright = False
html_use_index = False
# A summary is fetched, which no browser does of a file.
html_show_search_summary = False

CONTENTS = "docs/README"
_LINK = re.compile(r"\[([^\[\]]*)\]\(([^()\s:#]+)(#[^()\s]*)?\)")


def contents(text: str) -> list[tuple[str, list[tuple[str, str]]]]:
    """Each part of docs/README.md: its heading, and the title and path of its pages."""
    parts = []
    for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        heading, _, pages = part.partition("\n")
        parts.append((heading, re.findall(r"^- \[(.*?)\]\((.*?)\.md\)", pages, re.MULTILINE)))
    return parts


def _toctrees(text: str) -> str:
    """The order of the site as Sphinx wants it, from docs/README.md."""
    written = []
    for heading, pages in contents(text):
        lines = [f"{title} </{normpath(f'docs/{path}')}>" for title, path in pages]
        lines = ["Vidi <self>" if "</README>" in line else line for line in lines]
        written += ["", "```{toctree}", ":hidden:", f":caption: {heading}", "", *lines, "```", ""]
    return "\n".join(written)


def _without_folders(text: str, page: str) -> str:
    """A git host shows folders, a site has none: their names stay."""

    def shown(link: re.Match[str]) -> str:
        target = ROOT / normpath(f"{Path(page).parent.as_posix()}/{link[2]}")
        return link[1] if target.is_dir() else link[0]

    return _LINK.sub(shown, text)


def prepare(app: Sphinx, page: str, source: list[str]) -> None:
    """Give a page what a site needs and a git host would show as clutter."""
    del app
    source[0] = _without_folders(source[0], page)
    if page == CONTENTS:
        # Its links stand in the margin of every page.
        source[0] = "---\norphan: true\n---\n" + source[0]
    if page == root_doc:
        source[0] += _toctrees((ROOT / f"{CONTENTS}.md").read_text("utf-8"))
    if page == "docs/decisions/README":
        source[0] += "\n```{toctree}\n:hidden:\n:glob:\n\n0*\n```\n"


def finish(app: Sphinx, failure: Exception | None) -> None:
    """Browsers open `index.html`."""
    if failure is None:
        shutil.copy(app.outdir / f"{root_doc}.html", app.outdir / "index.html")


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("source-read", prepare)
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
