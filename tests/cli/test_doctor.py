"""What `vidi doctor` finds, and what it advises."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from vidi.cli.main import main


@pytest.fixture(autouse=True)
def _own_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("VIDI_DATA_DIR", "VIDI_CACHE_DIR", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))


def _run() -> Result:
    return CliRunner().invoke(main, ["doctor"], catch_exceptions=False)


def test_a_machine_that_can_serve_gets_good_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDI_MODEL", "echo")
    done = _run()
    assert done.exit_code == 0
    assert {"processor", "memory", "default", "callers"} <= {
        line.split()[1] for line in done.output.splitlines()
    }


def test_missing_weights_are_a_note_with_the_command_that_brings_them() -> None:
    done = _run()
    assert done.exit_code == 0
    assert "vidi pull vidi-lite" in done.output


@pytest.mark.parametrize(("variable", "word"), [("VIDI_DATA_DIR", "data"), ("VIDI_CACHE_DIR", "cache")])
def test_a_folder_that_cannot_be_written_is_bad(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str, word: str
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(variable, str(tmp_path / "file" / "below"))
    done = _run()
    assert done.exit_code == 1
    (bad,) = (line for line in done.output.splitlines() if line.startswith("bad"))
    assert word in bad
    assert variable in done.output


def test_an_unknown_model_is_bad(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDI_MODEL", "absent")
    done = _run()
    assert done.exit_code == 1
    assert "absent" in done.output
