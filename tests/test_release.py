"""What docs/release.md says is checked before something is published."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import vidi
from tests.waiting import HANG_SECONDS

ROOT = Path(__file__).parents[1]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))


def test_the_version_is_the_same_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["version"] == vidi.__version__


def test_the_changelog_begins_with_what_is_not_released() -> None:
    parts = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert parts[0] == "Unreleased"
    assert all(re.fullmatch(r"\d+\.\d+\.\d+ - \d{4}-\d\d-\d\d", part) for part in parts[1:])


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_has_hashes_and_names_no_index(lock: Path) -> None:
    text = lock.read_text("utf-8")
    assert not re.search(r"https?:|^--|@ ", text, re.MULTILINE)
    pins = re.findall(r"^[a-z0-9][^\n]*\\\n(?: +--hash=sha256:[0-9a-f]{64}(?: \\)?\n?)+", text, re.MULTILINE)
    assert len(pins) == len(re.findall(r"^[a-z0-9]", text, re.MULTILINE)) > 0


@pytest.mark.slow
def test_the_wheel_holds_the_package_whole_and_nothing_else(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-deps"]
    command += ["--no-build-isolation", "--wheel-dir", str(tmp_path), str(ROOT)]
    subprocess.run(command, check=True, timeout=HANG_SECONDS)
    (wheel,) = tmp_path.glob("vidi-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    source = ROOT / "src" / "vidi"
    ours = {
        f"vidi/{file.relative_to(source).as_posix()}"
        for file in source.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert ours <= held
    assert {name.split("/")[0] for name in held} == {"vidi", f"vidi-{vidi.__version__}.dist-info"}
    assert any(name.endswith("/LICENSE") for name in held)


@pytest.mark.parametrize(("page", "rows"), [("docs/threat-model.md", 40), ("docs/keys.md", 15)])
def test_every_promise_names_a_test_that_is_there(page: str, rows: int) -> None:
    """Under the heading of promises each row of the table ends with names of tests and nothing else."""
    table = re.split(r"\n## .*promise.*\n", (ROOT / page).read_text("utf-8"), flags=re.IGNORECASE)[1]
    proofs = [line.rsplit("|", 2)[1] for line in table.split("\n## ")[0].splitlines() if line[:2] == "| "][1:]
    assert len(proofs) >= rows
    for proof in proofs:
        assert re.fullmatch(r" `tests/[\w/]+\.py::test_\w+`(, `tests/[\w/]+\.py::test_\w+`)* ", proof), proof
        for file, name in re.findall(r"`([\w/.]+)::(\w+)`", proof):
            assert re.search(rf"^(async )?def {name}\(", (ROOT / file).read_text("utf-8"), re.MULTILINE), (
                proof
            )
