"""`vidi models check`, as a command."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.engines.test_profile_files import WHOLE
from vidi.cli.main import main
from vidi.engines.profile_files import load_profiles

OWN = sorted(
    str(path) for path in files("vidi.engines").joinpath("profiles").iterdir() if path.name[-4:] == "toml"
)


def run(path: Path | str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["models", "check", str(path)])
    return result.exit_code, result.output


def test_a_good_profile_is_told_in_words(tmp_path: Path) -> None:
    file = tmp_path / "parrot.toml"
    file.write_text(WHOLE)
    code, told = run(file)
    assert code == 0
    assert "Parrot (parrot): good." in told
    assert "boxes as json, xyxy, pixels" in told
    assert "parrot-1b: parrot.gguf and eyes/parrot-mmproj.gguf from beside the profile" in told


def test_a_mistake_is_told_and_ends_with_an_error(tmp_path: Path) -> None:
    file = tmp_path / "parrot.toml"
    file.write_text(WHOLE.replace('order = "xyxy"', 'order = "xywh"'))
    code, told = run(file)
    assert code == 1
    assert "dialect.order is 'xywh'; it may be one of yxyx, xyxy" in told


@pytest.mark.parametrize(("mine", "taken"), [('"parrot"', '"qwen3.5"'), ('"parrot-1b"', '"gemma-4-e2b"')])
def test_a_taken_name_is_told(tmp_path: Path, mine: str, taken: str) -> None:
    file = tmp_path / "parrot.toml"
    file.write_text(WHOLE.replace(mine, taken))
    code, told = run(file)
    assert code == 1
    assert f"the name {taken[1:-1]} is taken by Vidi's own profile" in told


@pytest.mark.parametrize("path", OWN)
def test_vidi_s_own_profiles_are_good(path: str) -> None:
    code, told = run(path)
    assert code == 0, told


def test_every_family_of_vidi_s_own_has_a_file() -> None:
    assert len(OWN) == len(load_profiles())
