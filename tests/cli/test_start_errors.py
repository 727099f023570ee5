"""`vidi serve` that cannot start: one line that says what and where, exit code 2, and nothing announced."""

from __future__ import annotations

import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.http.live import live
from tests.waiting import HANG_SECONDS

pytestmark = pytest.mark.slow

DATABASES = ("index.sqlite3", "interactions.sqlite3", "usage.sqlite3")
GARBAGE = b"no database at all. " * 300


def _start(*flags: str | Path, before: Sequence[str] = (), **environment: str) -> str:
    """What `vidi serve` says before it ends by itself, which it must do with exit code 2 and in one line."""
    command = [
        *before,
        sys.executable,
        "-m",
        "vidi.cli.main",
        "serve",
        "--model",
        "echo",
        "--port",
        "0",
        *flags,
    ]
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("VIDI_", "XDG_"))}
    done = subprocess.run(
        command, env=variables | environment, capture_output=True, text=True, timeout=HANG_SECONDS
    )
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stdout == ""
    assert re.fullmatch(r"Error: [^\n]+\n", done.stderr), done.stderr
    return done.stderr


def test_another_server_uses_the_directory(tmp_path: Path) -> None:
    with live(tmp_path):
        told = _start("--data-dir", tmp_path / "data")
    assert f"Another server uses the data directory {tmp_path / 'data'}" in told
    assert "--data-dir" in told


def test_a_directory_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    told = _start("--data-dir", tmp_path / "file/data")
    assert str(tmp_path / "file/data") in told
    assert "Not a directory" in told
    assert "VIDI_DATA_DIR" in told


def test_a_read_only_directory(tmp_path: Path) -> None:
    with live(tmp_path):
        pass
    data = tmp_path / "data"
    mount = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
    before = ("unshare", "--map-root-user", "--mount", "sh", "-c", mount, str(data))
    if shutil.which("unshare") is None or subprocess.run([*before, "true"], check=False).returncode:
        pytest.skip("needs unshare, and leave to mount a directory read-only")
    told = _start("--data-dir", data, before=before)
    assert f"The data directory {data} cannot be used" in told
    assert "Read-only file system. Make it writable" in told


@pytest.mark.parametrize("name", DATABASES)
def test_a_damaged_database(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(GARBAGE)
    told = _start("--data-dir", tmp_path)
    assert f"The data directory {tmp_path} cannot be used: {tmp_path / name}" in told
    assert "Restore a backup" in told


@pytest.mark.parametrize("name", DATABASES)
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["pipe", "folder"])
def test_a_database_that_is_no_file(make: Callable[[Path], None], name: str, tmp_path: Path) -> None:
    make(tmp_path / name)
    told = _start("--data-dir", tmp_path)
    assert f"{tmp_path / name}: it is no file. Restore a backup of it or move it away" in told


def test_a_link_that_leads_nowhere_or_a_file_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere/at/all")
    (tmp_path / "file").touch()
    for name in ("link", "file"):
        told = _start("--data-dir", tmp_path / name)
        assert "It is a file, or a link that leads nowhere: move it away, or choose another" in told


@pytest.mark.parametrize("name", DATABASES)
def test_a_database_that_is_damaged_further_in(name: str, tmp_path: Path) -> None:
    with live(tmp_path):
        pass
    database = tmp_path / "data" / name
    content = database.read_bytes()
    database.write_bytes(content[:100] + b"\xa5" * (len(content) - 100))
    told = _start("--data-dir", tmp_path / "data")
    assert f"The data directory {tmp_path / 'data'} cannot be used" in told
    assert "Restore a backup" in told


@pytest.mark.parametrize("name", DATABASES)
def test_a_directory_of_a_newer_version(name: str, tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / name)
    connection.execute("PRAGMA user_version = 9000")
    connection.close()
    told = _start("--data-dir", tmp_path)
    assert f"{tmp_path / name}: it was made by a newer version of Vidi. Start that version" in told


def test_a_home_that_cannot_be_written(tmp_path: Path) -> None:
    told = _start(HOME="/proc/nobody")
    assert "The data directory /proc/nobody/.local/share/vidi cannot be used" in told


def test_a_taken_port(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = _start("--port", str(port), "--data-dir", tmp_path)
    assert f"Cannot listen on 127.0.0.1:{port}: Address already in use. Stop what listens there" in told


def test_a_port_without_permission(tmp_path: Path) -> None:
    # Root in a user namespace of its own has no right to the machine's ports.
    before = ("unshare", "--map-root-user")
    probe = "import socket; socket.create_server(('127.0.0.1', 801))"
    if (
        shutil.which("unshare") is None
        or "Permission denied"
        not in subprocess.run(
            [*before, sys.executable, "-c", probe], check=False, capture_output=True, text=True
        ).stderr
    ):
        pytest.skip("needs a user without the right to low ports, or unshare")
    told = _start("--port", "801", "--data-dir", tmp_path, before=before)
    assert "Cannot listen on 127.0.0.1:801: Permission denied. Low ports" in told


def test_an_address_of_another_machine(tmp_path: Path) -> None:
    told = _start(
        "--host", "192.0.2.1", "--data-dir", tmp_path, VIDI_API_KEYS="a-key-of-sixteen-letters-or-more"
    )
    assert "Cannot listen on 192.0.2.1:0" in told
    assert "--host" in told


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"VIDI_DECODERS": "0"}, "decoders: "),
        ({"VIDI_QUEUE": "many"}, "queue: "),
        ({"VIDI_CONFIG": "/absent.toml"}, "/absent.toml: "),
        ({"VIDI_HOST": "0.0.0.0"}, "VIDI_API_KEYS"),
        ({"VIDI_REQUEST_SECONDS": "inf"}, "request_seconds: "),
        ({"VIDI_DRAIN_SECONDS": "1e300"}, "drain_seconds: "),
        ({"VIDI_DECODE_SECONDS": "inf"}, "decode_seconds: "),
        ({"VIDI_FILE_HOURS": "1e12"}, "file_hours: "),
        ({"VIDI_KEYS_FILE": "/" + "x" * 5000}, "File name too long"),
        ({"VIDI_KEYS_FILE": "/dev/null/keys.json"}, "Not a directory"),
    ],
)
def test_wrong_settings(environment: dict[str, str], told: str, tmp_path: Path) -> None:
    assert told in _start("--data-dir", tmp_path, **environment)


@pytest.mark.parametrize("text", ["port = " + "9" * 5000, "port = " + "[" * 5000, "port = [", "\xff"])
def test_a_file_of_settings_that_cannot_be_read(text: str, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(text, "latin-1")
    assert f"{file}: " in _start("--data-dir", tmp_path, "--config", file)


def test_a_directory_with_too_long_a_name(tmp_path: Path) -> None:
    told = _start("--data-dir", tmp_path / ("x" * 300))
    assert "cannot be used: File name too long" in told


def test_an_unknown_model(tmp_path: Path) -> None:
    assert "There is no model 'absent'" in _start("--data-dir", tmp_path, "--model", "absent")
