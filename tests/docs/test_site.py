"""The site that `make docs` makes: whole, in order, and without a word to another host."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import ROOT
from tests.waiting import HANG_SECONDS

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as the Makefile builds it: a link or an anchor that leads nowhere fails."""
    (line,) = re.findall(
        r"^\t\$\(BIN\)/sphinx-build (.*) build/site$", (ROOT / "Makefile").read_text(), re.MULTILINE
    )
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "sphinx", *line.split(), str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        check=False,
    )
    assert not built.returncode, built.stderr
    return folder


def test_every_page_of_the_documentation_is_on_it(site: Path) -> None:
    pages = {page.relative_to(ROOT).with_suffix(".html") for page in (ROOT / "docs").rglob("*.md")}
    assert [page for page in pages if not (site / page).is_file()] == []
    assert (site / "index.html").read_bytes() == (site / "README.html").read_bytes()


def test_the_parts_stand_in_order(site: Path) -> None:
    captions = re.findall(r'class="caption-text">([^<]+)<', (site / "index.html").read_text("utf-8"))
    order = ["Begin", "Tasks", "Clients", "Models", "Running it for others", "Cluster", "Reference", "Inside"]
    assert captions[: len(order)] == order


def test_nothing_is_asked_of_another_host(site: Path) -> None:
    """No page, style or script loads anything from elsewhere; links that a reader may follow are no loads."""
    loads = re.compile(
        r"""<(?:script|img|iframe|source|video|audio|embed)\b[^>]*\bsrc="(?:https?:)?//[^"]*"""
        r"""|<link\b(?![^>]*rel="(?:canonical|license)")[^>]*\bhref="(?:https?:)?//[^"]*"""
        r"""|url\(\s*['"]?(?:https?:)?//[^)]*|@import\s+['"](?:https?:)?//[^'"]*""",
    )
    assert loads.search('<script src="https://cdn.example/x.js">')
    assert loads.search("@font-face { src: url(//fonts.example/x.woff) }")
    found = {}
    for file in site.rglob("*"):
        if file.suffix in {".html", ".css"} and (hit := loads.search(file.read_text("utf-8"))):
            found[file.relative_to(site).as_posix()] = hit[0]
    assert found == {}


def test_search_works_from_files(site: Path) -> None:
    """The index is a script, which a browser loads from a folder too; Turkish and code are in it."""
    index = (site / "searchindex.js").read_text("utf-8")
    assert index.startswith("Search.setIndex(")
    for word in ("kutula", "systemd", "box_2d", "media"):
        assert word in index, word
    assert "searchtools.js" in (site / "search.html").read_text("utf-8")
