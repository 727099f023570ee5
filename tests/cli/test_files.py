"""`vidi files` against a live server, over lines that hold and lines that are cut."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.conftest import picture
from tests.http.live import Live, live
from tests.http.wire_cutter import WireCutter, cutting
from tests.waiting import HANG_SECONDS
from vidi.cli import remote
from vidi.cli.files import guess_type
from vidi.cli.main import main

CHUNK = remote.CHUNK_BYTES
HEADERS = 20_000
"""Room for the headers of a few requests."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with live(tmp_path_factory.mktemp("server")) as started:
        yield started


@pytest.fixture(autouse=True)
def _own_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, server: Live) -> None:
    for name in ("VIDI_DATA_DIR", "VIDI_CACHE_DIR", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("VIDI_PORT", str(server.port))
    monkeypatch.setattr(remote, "PAUSES", ())


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    file = tmp_path / "ball.png"
    file.write_bytes(picture(320, 200))
    return file


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A file of several chunks."""
    file = tmp_path / "large.bin"
    file.write_bytes(random.Random(4).randbytes(2 * CHUNK + 1_000_000))
    return file


def _run(*words: object) -> Result:
    return CliRunner().invoke(main, ["files", *map(str, words)], catch_exceptions=False)


def _uploaded(*words: object) -> dict[str, Any]:
    done = _run("upload", "--json", *words)
    assert done.exit_code == 0, done.stderr
    file: dict[str, Any] = json.loads(done.stdout)
    return file


def _listed(*words: object) -> list[dict[str, Any]]:
    return [json.loads(line) for line in _run("list", "--json", *words).stdout.splitlines()]


def _holds(file: dict[str, Any], path: Path) -> bool:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return base64.b64decode(file["sha256Hash"]).decode() == digest


def _remembered() -> list[Path]:
    folder = Path(os.environ["VIDI_CACHE_DIR"]) / "uploads"
    return list(folder.iterdir()) if folder.exists() else []


def test_a_file_is_uploaded_listed_shown_and_deleted(photo: Path) -> None:
    file = _uploaded(photo)
    assert (file["displayName"], file["mimeType"], file["state"]) == ("ball.png", "image/png", "ACTIVE")
    assert _holds(file, photo)
    assert not _remembered()
    assert file in _listed()
    assert f"{file['name']}" in _run("list").stdout
    for spelling in (file["name"], file["name"].removeprefix("files/"), file["uri"]):
        assert json.loads(_run("show", spelling, "--json").stdout) == file
    assert "320" not in _run("show", file["name"]).stdout
    assert file["sha256Hash"] in _run("show", file["name"]).stdout
    assert _run("delete", file["name"]).stdout == f"deleted: {file['name']}\n"
    for command in ("show", "delete"):
        gone = _run(command, file["name"])
        assert gone.exit_code == 1
        assert "may not exist" in gone.stderr
    assert file not in _listed()


def test_an_empty_list_says_so(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with live(tmp_path / "empty") as empty:
        listed = _run("list", "--server", f"http://127.0.0.1:{empty.port}")
    assert listed.exit_code == 0
    assert (listed.stdout, "No files" in listed.stderr) == ("", True)


def test_all_pages_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "PAGE_SIZE", 3)
    photos = [tmp_path / f"{index}.txt" for index in range(7)]
    for index, each in enumerate(photos):
        each.write_text(str(index))
    sent = _run("upload", "--json", *photos)
    names = [json.loads(line)["name"] for line in sent.stdout.splitlines()]
    assert len(names) == 7
    assert {file["name"] for file in _listed()} >= set(names)
    assert _run("delete", *names).exit_code == 0


def test_names_and_types_may_be_chosen(photo: Path, tmp_path: Path) -> None:
    text = tmp_path / "notes"
    text.write_text("a ball")
    file = _uploaded(text, "--name", "files/my-notes", "--display-name", "Notes", "--mime-type", "text/plain")
    assert (file["name"], file["displayName"], file["mimeType"]) == ("files/my-notes", "Notes", "text/plain")
    taken = _run("upload", photo, "--name", "my-notes")
    assert taken.exit_code == 1
    assert "taken" in taken.stderr
    assert _run("upload", photo, text, "--name", "my-cat").exit_code == 2
    assert _run("delete", "my-notes").exit_code == 0


@pytest.mark.parametrize(
    ("name", "mime_type"),
    [
        ("a.JPG", "image/jpeg"),
        ("a.png", "image/png"),
        ("a.webp", "image/webp"),
        ("a.heic", "image/heic"),
        ("a.HEIF", "image/heif"),
        ("a.pdf", "application/pdf"),
        ("a.tar.gz", ""),
        ("a", ""),
    ],
)
def test_types_follow_from_endings(name: str, mime_type: str) -> None:
    assert guess_type(Path(name)) == mime_type


@pytest.mark.parametrize("size", [0, 1, CHUNK, CHUNK + 1])
def test_every_size_arrives(tmp_path: Path, size: int) -> None:
    path = tmp_path / "sized"
    path.write_bytes(random.Random(size).randbytes(size))
    file = _uploaded(path)
    assert file["sizeBytes"] == str(size)
    assert _holds(file, path)


def test_what_can_never_be_used_is_said(photo: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(photo.read_bytes()[:60])
    done = _run("upload", broken, photo)
    assert done.exit_code == 1
    assert "FAILED" in done.stdout
    assert "ball.png" in done.stdout
    assert str(broken) in done.stderr


@pytest.mark.parametrize("words", [["upload"], ["upload", "absent.png"], ["show"], ["delete"]])
def test_a_wrong_command_line_is_a_usage_error(words: list[str]) -> None:
    assert _run(*words).exit_code == 2


@pytest.mark.parametrize("server_url", ["http://127.0.0.1:1", "nonsense", "http://a:port"])
def test_a_server_that_is_not_there_is_named(photo: Path, server_url: str) -> None:
    for words in (("upload", photo), ("list",), ("show", "x"), ("delete", "x")):
        done = _run(*words, "--server", server_url)
        assert done.exit_code == 1
        assert server_url in done.stderr


@pytest.mark.slow
def test_a_locked_server_wants_the_key(tmp_path: Path, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with live(tmp_path, key="secret", VIDI_API_KEYS="secret") as locked:
        url = f"http://127.0.0.1:{locked.port}"
        refused = _run("upload", photo, "--server", url)
        assert refused.exit_code == 1
        assert "API Key" in refused.stderr
        assert "set VIDI_API_KEYS" in refused.stderr
        monkeypatch.setenv("VIDI_API_KEYS", "secret")
        assert _uploaded(photo, "--server", url) in _listed("--server", url)


@pytest.fixture
def cutter(server: Live) -> Iterator[WireCutter]:
    with cutting(server.port) as cutter:
        yield cutter


def test_cut_lines_are_bridged_in_one_run(
    large: Path, cutter: WireCutter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "PAUSES", (0.0, 0.0, 0.0))
    cutter.cuts = [3_000_000, 100, 5_000_000, CHUNK - 7_000_000, 400]
    file = _uploaded(large, "--server", f"http://127.0.0.1:{cutter.port}")
    assert not cutter.cuts
    assert _holds(file, large)
    assert [each["name"] for each in _listed() if each["displayName"] == "large.bin"].count(file["name"]) == 1
    _run("delete", file["name"])


def test_the_same_command_continues_where_an_earlier_one_was_cut(large: Path, cutter: WireCutter) -> None:
    words = (large, "--server", f"http://127.0.0.1:{cutter.port}")
    cutter.cuts = [CHUNK + 2_000_000]
    cut = _run("upload", *words)
    assert cut.exit_code == 1
    assert f"{CHUNK} of {large.stat().st_size} bytes have arrived; the same command" in cut.stderr
    [remembered] = _remembered()
    assert remembered.stat().st_mode & 0o777 == 0o600
    # Only the rest fits through now.
    cutter.cuts = [large.stat().st_size - CHUNK + HEADERS]
    file = _uploaded(*words)
    assert _holds(file, large)
    assert not _remembered()
    assert _uploaded(*words)["name"] != file["name"]


def test_a_changed_file_and_an_upload_that_is_gone_begin_anew(large: Path, cutter: WireCutter) -> None:
    words = (large, "--server", f"http://127.0.0.1:{cutter.port}")
    cutter.cuts = [CHUNK + 2_000_000]
    assert _run("upload", *words).exit_code == 1
    large.write_bytes(large.read_bytes()[::-1])
    assert _holds(_uploaded(*words), large)
    [forgotten] = _remembered()
    url = forgotten.read_text()
    cutter.cuts = [CHUNK + 2_000_000]
    assert _run("upload", *words).exit_code == 1
    [newer] = set(_remembered()) - {forgotten}
    newer.write_text(url.replace("upload_id=", "upload_id=not"))
    assert _holds(_uploaded(*words), large)


@pytest.mark.slow
def test_ctrl_c_leaves_an_upload_that_can_be_continued(large: Path, cutter: WireCutter) -> None:
    words = (str(large), "--server", f"http://127.0.0.1:{cutter.port}")
    cutter.cuts, cutter.hangs = [CHUNK + 2_000_000], True
    command = [sys.executable, "-m", "vidi.cli.main", "files", "upload", *words]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert cutter.reached.wait(HANG_SECONDS)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=HANG_SECONDS)
    assert process.returncode == 130
    assert "same command continues" in said
    assert len(_remembered()) == 1
    assert _holds(_uploaded(*words), large)
    assert not _remembered()


@pytest.mark.slow
def test_an_upload_continues_after_a_restart_of_the_server(tmp_path: Path, large: Path) -> None:
    with live(tmp_path) as first, cutting(first.port) as cutter:
        words = (large, "--server", f"http://127.0.0.1:{cutter.port}")
        cutter.cuts = [CHUNK + 2_000_000]
        assert _run("upload", *words).exit_code == 1
        first.process.kill()
        first.process.wait()
        with live(tmp_path) as second:
            cutter.server_port = second.port
            cutter.cuts = [large.stat().st_size - CHUNK + HEADERS]
            assert _holds(_uploaded(*words), large)
