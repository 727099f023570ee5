"""Photos as they are named on the command line, and what is drawn of them."""

from __future__ import annotations

import io
import json
from pathlib import Path

import PIL.Image
import pytest
from click.testing import CliRunner, Result

from tests.conftest import picture
from vidi.cli.main import main


@pytest.fixture(autouse=True)
def _own_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("VIDI_DATA_DIR", "VIDI_CACHE_DIR", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("VIDI_DECODERS", "1")
    monkeypatch.setenv("VIDI_MODEL", "echo")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two photos of one stem, and something that is no photo."""
    made = tmp_path / "photos"
    made.mkdir()
    (made / "sign.png").write_bytes(picture(40, 30))
    (made / "sign.jpg").write_bytes(picture(80, 60, "JPEG"))
    (made / "notes.txt").write_text("no photo")
    return made


def _run(*words: object, stdin: bytes | str | None = None) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words], input=stdin, catch_exceptions=False)


def test_a_missing_photo_costs_only_itself_and_near_names_are_told(folder: Path) -> None:
    done = _run("caption", folder / "sing.png", folder / "sign.png")
    assert done.exit_code == 1
    assert done.stderr == f"{folder}/sing.png: There is no such file. Did you mean {folder}/sign.png?\n"
    assert "40x30" in done.stdout
    asked = _run("ask", folder / "absent.heic", "What is it?")
    assert asked.exit_code == 1
    assert f"{folder}/absent.heic: There is no such file." in asked.stderr


def test_standard_input_is_a_photo(folder: Path) -> None:
    piped = _run("ask", "-", "What is it?", stdin=picture(64, 48))
    assert piped.output == "Echo: 1 image (64x48), text: What is it?\n"
    twice = _run("caption", "-", "-", stdin=picture(64, 48))
    assert twice.exit_code == 2
    assert "once" in twice.output


def test_a_folder_is_asked_about_together_or_each_by_itself(folder: Path) -> None:
    assert "2 images" in _run("ask", folder, "Which?").output
    lines = _run("ask", folder, "Which?", "--each", "--json").output.splitlines()
    assert [Path(json.loads(line)["photo"]).name for line in lines] == ["sign.jpg", "sign.png"]
    assert all("1 image" in json.loads(line)["text"] for line in lines)


@pytest.mark.parametrize("form", ["GIF", "BMP", "TIFF", "AVIF"])
def test_formats_that_the_api_refuses_are_converted(tmp_path: Path, form: str) -> None:
    file = tmp_path / f"old.{form.lower()}"
    PIL.Image.open(io.BytesIO(picture(64, 48))).convert("RGB").save(file, form)
    assert "(64x48)" in _run("caption", file).output


def test_a_turned_tiff_stands_upright(tmp_path: Path) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    PIL.Image.new("RGB", (64, 48)).save(tmp_path / "turned.tif", exif=exif)
    assert "(48x64)" in _run("caption", tmp_path / "turned.tif").output


def test_an_error_names_the_file_and_no_field(folder: Path) -> None:
    broken = folder / "broken.png"
    broken.write_bytes(picture(40, 30)[:60])
    done = _run("ask", folder / "sign.png", broken, "Which?")
    assert done.exit_code == 1
    assert str(broken) in done.stderr
    assert "contents[" not in done.stderr


def test_only_https_is_fetched(folder: Path) -> None:
    done = _run("caption", "http://127.0.0.1:9/photo.png", folder / "sign.png")
    assert "http://127.0.0.1:9/photo.png: Only https" in done.stderr
    assert "40x30" in done.stdout
    closed = _run("caption", "https://127.0.0.1:9/photo.png")
    assert "Cannot be fetched" in closed.stderr


def test_answers_follow_a_schema(folder: Path) -> None:
    schema = {"type": "object", "properties": {"cars": {"type": "integer"}}, "required": ["cars"]}
    inline = _run("ask", folder / "sign.png", "Count.", "--schema", json.dumps(schema))
    assert isinstance(json.loads(inline.output)["cars"], int)
    file = folder / "schema.json"
    file.write_text(json.dumps(schema))
    assert _run("ask", folder / "sign.png", "Count.", "--schema", file).output == inline.output
    assert "no JSON" in _run("ask", folder / "sign.png", "Count.", "--schema", "{").output
    assert "absent.json" in _run("ask", folder / "sign.png", "Count.", "--schema", "absent.json").output


def test_drawings_never_write_over_photos(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {file: file.read_bytes() for file in folder.iterdir()}
    wrong = _run("detect", folder / "sign.png", "--draw", folder / "sign.png")
    assert wrong.exit_code == 2
    assert "write over" in wrong.output
    assert "out.png" in _run("detect", folder / "sign.png", "--draw", folder / "out.jpg").output
    _run("detect", folder, "--draw", folder)
    assert {file: file.read_bytes() for file in before} == before


def test_a_conversation_remembers_and_ends_with_its_input(folder: Path) -> None:
    done = _run("chat", folder / "sign.png", stdin="What is it?\n\nAnd now?\n")
    assert done.exit_code == 0
    first, second = (line for line in done.output.splitlines() if "Echo" in line)
    assert first.endswith("Echo: 1 image (40x30), text: What is it?")
    assert second.endswith("text: And now?")
    assert "1 image" in second
