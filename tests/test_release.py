"""What docs/release.md says is checked before something is published."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

import vidi
from tests.waiting import HANG_SECONDS
from vidi.engines.lite.weights.assets import Weights

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


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built as docs/release.md says."""
    return built("wheel", tmp_path_factory.mktemp("wheel"))


def built(kind: str, folder: Path) -> Path:
    """A `wheel` or `sdist` of this tree."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", kind, "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, timeout=HANG_SECONDS)
    (found,) = folder.glob("vidi-*")
    return found


@pytest.mark.slow
def test_the_wheel_holds_the_package_whole_and_nothing_else(wheel: Path) -> None:
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


@pytest.mark.slow
@pytest.mark.weights
def test_an_empty_environment_reads_text_once_the_wheel_or_the_sdist_is_installed(
    wheel: Path, tmp_path: Path, real_weights: Weights
) -> None:
    sdist = built("sdist", tmp_path / "sdist")
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True, timeout=HANG_SECONDS)
    sign = Image.new("RGB", (480, 120), "white")
    ImageDraw.Draw(sign).text((20, 30), "MARKET STREET", fill="black", font=ImageFont.load_default(44))
    sign.save(tmp_path / "sign.png")
    for package in (wheel, sdist):
        # The second replaces the first; what they depend on is the same.
        options = ["--force-reinstall", "--no-deps"] if package is sdist else []
        program(tmp_path, "pip", "install", "--quiet", *options, str(package))
        answer = program(
            tmp_path, "vidi", "ask", "sign.png", "What does the sign say?", "--model", "vidi-lite"
        )
        assert "MARKET STREET" in answer
    assert "No broken requirements" in program(tmp_path, "pip", "check")


def program(folder: Path, name: str, *arguments: str) -> str:
    """What a program of the environment in `folder` prints; it sees nothing of this tree's own."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VIRTUAL_ENV"))}
    command = [str(folder / "venv" / "bin" / name), *arguments]
    ended = subprocess.run(
        command, cwd=folder, env=kept, capture_output=True, text=True, timeout=HANG_SECONDS, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_nobody_is_told_to_install_from_an_index_where_vidi_is_not() -> None:
    texts = [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "src").rglob("*.py"),
        ROOT / "Makefile",
    ]
    index = re.compile(r"(?:pip|pipx|uv tool|uv pip) install [^\n`]*?(?<![\w/.-])['\"]?vidi(?:\[|['\"`\s]|$)")
    assert index.search("pip install 'vidi[llama]'")
    assert index.search("run `pip install vidi`")
    assert not index.search("pip install dist/vidi-0.1.0-py3-none-any.whl")
    assert [file.name for file in texts if index.search(file.read_text("utf-8"))] == []


def test_what_is_said_to_install_is_what_the_extras_hold() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    told = "".join(file.read_text("utf-8") for file in (ROOT / "src").rglob("*.py"))
    for extra in ("llama", "cluster", "traces"):
        for package in extras[extra]:
            assert re.search(rf"pip install [^`]*{re.escape(package.split('>=')[0])}[' `]", told), package


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
