"""What a Tab offers, and that it needs little for it."""

from __future__ import annotations

import json
import os
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import platformdirs
import pytest
from click.shell_completion import ShellComplete

from vidi.cli import COMMANDS, completion
from vidi.cli.main import main
from vidi.cli.pull import known_models
from vidi.settings import Settings

PLACES = {name: place for name, (place, _) in COMMANDS.items()}


@pytest.fixture(autouse=True)
def _own_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("VIDI_CACHE_DIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))


def _offered(*words: str) -> list[str]:
    """What is offered for the last word."""
    *before, incomplete = words
    found = ShellComplete(main, {}, "vidi", "_VIDI_COMPLETE").get_completions(before, incomplete)
    return [each.value if each.type == "plain" else f"<{each.type}>" for each in found]


def _paths(command: click.Command, *words: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """A command and all below it, each with the words that call it."""
    yield words, command
    if isinstance(command, click.Group):
        for name, each in command.commands.items():
            yield from _paths(each, *words, name)


def test_every_option_and_value_of_every_command_is_offered_as_click_itself_would() -> None:
    for name, place in PLACES.items():
        for words, command in _paths(pkgutil.resolve_name(place), name):
            theirs_of = ShellComplete(command, {"help_option_names": ["-h", "--help"]}, "vidi", "")
            asked = [[""], ["-"], *([option, ""] for each in command.params for option in each.opts)]
            for rest in asked:
                theirs = theirs_of.get_completions(rest[:-1], rest[-1])
                told = [each.value if each.type == "plain" else f"<{each.type}>" for each in theirs]
                assert _offered(*words, *rest) == told, (words, rest)


def test_models_are_offered_where_one_can_be_asked_and_where_one_can_be_pulled() -> None:
    assert _offered("caption", "--model", "vidi") == ["vidi-lite"]
    assert _offered("chat", "--model", "qwen3-vl") == []
    assert "qwen3-vl-4b" in _offered("pull", "qwen3-vl")
    assert "echo" in _offered("models", "rm", "")
    assert _offered("caption", "") == _offered("ask", "a.png", "") == ["<file>"]


def test_a_model_that_came_is_offered_once_models_were_listed_or_pulled(tmp_path: Path) -> None:
    assert _offered("ask", "--model", "mine") == []
    models = known_models(Settings(cache_dir=tmp_path))
    completion.remember_models({**models, "here": ["mine", *models["here"]]})
    assert _offered("ask", "--model", "mine") == ["mine"]


def test_a_mistyped_command_is_offered_nothing_and_fails_nothing() -> None:
    assert _offered("capshun", "--m") == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": "0"}'])
def test_a_damaged_or_older_list_is_made_anew(text: str) -> None:
    path = platformdirs.user_cache_path("vidi") / "completion.json"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert _offered("caption", "--model", "vidi") == ["vidi-lite"]
    assert json.loads(path.read_text())["commands"].keys() == COMMANDS.keys()


def test_without_a_folder_to_write_to_a_tab_works_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "XDG_CACHE_HOME").write_text("no folder")
    assert _offered("serve", "--log-format", "j") == ["json"]


LOADED = """
import sys
from vidi.cli.main import main
try:
    main(prog_name="vidi")
finally:
    print(*sorted(name for name in sys.modules if name.startswith("vidi.")))
"""


def test_only_the_first_tab_loads_the_commands() -> None:
    typed = {"_VIDI_COMPLETE": "bash_complete", "COMP_WORDS": "vidi caption --model vi", "COMP_CWORD": "3"}
    last = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", LOADED], env={**os.environ, **typed}, capture_output=True, text=True
        )
        assert done.stdout.splitlines()[0] == "plain,vidi-lite"
        last.append(done.stdout.splitlines()[-1])
    assert "vidi.cli.ask" in last[0].split()
    assert last[1] == "vidi.cli vidi.cli.completion vidi.cli.main"
