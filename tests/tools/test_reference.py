"""The pages of settings, commands and errors are what the program itself says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.reference import COMMAND, DEPENDS, PAGES, cli_page, errors_page, settings_page
from vidi.settings import Settings
from vidi.wire.errors import invalid_key, missing_key


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_page_is_up_to_date(page: Path) -> None:
    written = PAGES[page]()
    assert page.read_text("utf-8") == written, f"docs/{page.name} is stale. Run: {COMMAND}"


def test_no_page_says_what_is_true_of_this_machine_only() -> None:
    assert str(Path.home()) not in settings_page() + cli_page()
    of_this_machine = {name for name, field in Settings.model_fields.items() if field.default_factory}
    assert of_this_machine == set(DEPENDS)


def test_every_status_has_its_messages() -> None:
    page = errors_page()
    assert "| 400 | `INVALID_ARGUMENT` | `invalid_request` | The request is wrong" in page
    assert "| `API_KEY_INVALID` | 400 `INVALID_ARGUMENT` |" in page
    assert invalid_key().message in page
    assert missing_key().message in page
    assert page.index("### 503 UNAVAILABLE") < page.index(
        "The server is shutting down. Please try again later."
    )


def test_the_pages_do_not_depend_on_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    before = cli_page()
    monkeypatch.setenv("COLUMNS", "40")
    assert cli_page() == before
