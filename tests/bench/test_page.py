import shutil

import pytest

from bench import page, pictures
from tests.playground.browser import PROGRAMS


def test_the_page_is_measured_or_says_why_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "ROUNDS", 1)
    monkeypatch.setattr(pictures, "camera_jpeg", lambda: pictures.jpeg(400, 300, noise=1))
    size, *rows = page.run()
    assert size.met
    if not any(map(shutil.which, PROGRAMS["chromium"])) or shutil.which("npm") is None:
        pytest.skip("needs Chromium and npm")
    assert all(row.ours > 0 and row.theirs for row in rows)
    assert [row.figure.split(" ")[0] for row in rows] == ["drop", "drop", "200", "200"]


def test_without_a_browser_the_bytes_are_counted_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    size, rest = page.run()
    assert size.unit == "kB"
    assert "not installed" in rest.skipped
