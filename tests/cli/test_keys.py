"""`vidi keys`: the file that it writes, what it shows, and a running server that reads it again."""

from __future__ import annotations

import json
import signal
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.http.live import Live, live
from tests.waiting import until
from vidi.cli.main import main
from vidi.http.keys import DayUsage, Key, UsageStore, open_usage, sha256_hex
from vidi.settings import KeysFile, NamedKey, Settings, change_keys_file, read_keys_file


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder, which is not there yet."""
    monkeypatch.setenv("VIDI_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("VIDI_CONFIG", str(_empty(tmp_path)))
    monkeypatch.delenv("VIDI_API_KEYS", raising=False)
    return tmp_path / "data"


def _empty(folder: Path) -> Path:
    path = folder / "none.toml"
    path.touch()
    return path


def _keys(*words: str, code: int = 0) -> Result:
    done = CliRunner().invoke(main, ["keys", *words])
    assert done.exit_code == code, done.output
    return done


def test_a_key_is_shown_once_and_kept_as_a_digest(data: Path) -> None:
    secret = _keys("add", "lab").stdout.strip()
    assert len(secret) >= 32
    file = data / "keys.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert secret not in file.read_text()
    assert read_keys_file(file).keys == (NamedKey(name="lab", sha256=sha256_hex(secret)),)
    assert _keys("add", "other").stdout.strip() != secret
    assert [path.name for path in data.iterdir()] == ["keys.json"]


def test_limits_are_written_and_listed(data: Path) -> None:
    limits = ("--requests-per-minute", "60", "--tokens-per-day", "1000", "--stored-bytes", "5000000")
    _keys("add", "lab", *limits)
    _keys("add", "guest", "--model", "echo", "--model", "vidi-lite", "--expires", "2099-01-01")
    _keys("add", "gone", "--expires", "2020-01-01T12:00:00")
    lab, guest, _ = read_keys_file(data / "keys.json").keys
    assert (lab.requests_per_minute, lab.tokens_per_day, lab.stored_bytes) == (60, 1000, 5_000_000)
    assert (guest.models, guest.expires) == (("echo", "vidi-lite"), datetime(2099, 1, 1, tzinfo=UTC))
    lines = _keys("list").stdout.splitlines()
    assert "60 requests a minute, 1000 tokens a day, 5.0 MB stored" in lines[0]
    assert "expires 2099-01-01 00:00 UTC, models echo, vidi-lite" in lines[1]
    assert "expired 2020-01-01 12:00 UTC" in lines[2]
    told = [json.loads(line) for line in _keys("list", "--json").stdout.splitlines()]
    assert [key["name"] for key in told] == ["lab", "guest", "gone"]
    assert not any("sha256" in key for key in told)


def test_a_revoked_key_is_gone_and_the_file_stays(data: Path) -> None:
    _keys("add", "lab")
    _keys("revoke", "lab")
    assert read_keys_file(data / "keys.json") == KeysFile()
    assert Settings(data_dir=data).locked
    assert "There is no key 'lab'" in _keys("revoke", "lab", code=1).output


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("add", "a b"), "letters, digits"),
        (("add", "lab"), "more than one key lab"),
        (("add", "x", "--requests-per-minute", "0"), "requests_per_minute"),
        (("add", "x", "--expires", "tomorrow"), "expires"),
    ],
)
def test_a_wrong_key_changes_nothing(data: Path, words: tuple[str, ...], says: str) -> None:
    _keys("add", "lab")
    before = (data / "keys.json").read_bytes()
    done = CliRunner().invoke(main, ["keys", *words])
    assert done.exit_code in (1, 2)
    assert says in done.output
    assert (data / "keys.json").read_bytes() == before


def test_a_broken_file_is_told_and_left_alone(data: Path) -> None:
    data.mkdir()
    (data / "keys.json").write_text("{")
    for words in (("add", "x"), ("list",), ("revoke", "x")):
        assert "keys.json" in _keys(*words, code=1).output
    assert (data / "keys.json").read_text() == "{"


def test_a_server_does_not_start_on_a_broken_file(data: Path) -> None:
    data.mkdir()
    (data / "keys.json").write_text("{")
    done = CliRunner().invoke(main, ["serve", "--port", "0", "--model", "echo"])
    assert done.exit_code == 2
    assert "keys.json" in done.output


def test_keys_that_are_made_at_the_same_time_are_all_kept(data: Path) -> None:
    def add(number: int) -> None:
        new = NamedKey(name=f"key{number}", sha256=f"{number:064}")
        change_keys_file(data / "keys.json", lambda file: KeysFile(keys=(*file.keys, new)))

    threads = [threading.Thread(target=add, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {key.name for key in read_keys_file(data / "keys.json").keys} == {f"key{at}" for at in range(16)}


def test_usage_is_shown_by_the_day(data: Path) -> None:
    assert "No key was used" in _keys("usage").output
    data.mkdir()
    with open_usage(data, lambda: datetime.now(UTC)) as book:
        book.admit(Key("lab", "x", "y"))
    store = UsageStore(data / "usage.sqlite3")
    store.put({("2020-01-01", "lab"): DayUsage(1, 2, 3)}, "")
    store.close()
    (today,) = [json.loads(line) for line in _keys("usage", "--json").stdout.splitlines()]
    assert (today["key"], today["requests"], today["promptTokens"]) == ("lab", 1, 0)
    lines = _keys("usage", "--days", "100000").stdout.splitlines()
    assert lines[0].split() == [
        "2020-01-01",
        "lab",
        "1",
        "requests",
        "2",
        "promptTokens",
        "3",
        "outputTokens",
    ]


def _status(server: Live, key: str) -> bytes:
    head = f"x-goog-api-key: {key}\r\n" if key else ""
    body = b'{"contents": [{"parts": [{"text": "x"}]}]}'
    return server.post("/v1beta/models/echo:countTokens", body, head)[:12]


@pytest.mark.slow
def test_a_running_server_reads_the_keys_again_on_a_signal(tmp_path: Path) -> None:
    path = tmp_path / "data" / "keys.json"
    with live(tmp_path) as server:
        assert _status(server, "") == b"HTTP/1.1 200"
        change_keys_file(path, lambda _: KeysFile(keys=(NamedKey(name="lab", sha256=sha256_hex("lab-key")),)))
        server.process.send_signal(signal.SIGHUP)
        until(lambda: _status(server, "") == b"HTTP/1.1 403")
        assert _status(server, "lab-key") == b"HTTP/1.1 200"
        path.write_text("{")
        server.process.send_signal(signal.SIGHUP)
        until(lambda: "were not read again" in server.log.read_text())
        assert _status(server, "lab-key") == b"HTTP/1.1 200"
        change_keys_file(_broken(path), lambda _: KeysFile())
        server.process.send_signal(signal.SIGHUP)
        until(lambda: _status(server, "lab-key") == b"HTTP/1.1 400")
        assert _status(server, "") == b"HTTP/1.1 403"
        assert "Traceback" not in server.log.read_text()


def _broken(path: Path) -> Path:
    """The path, free for a new file."""
    path.unlink()
    return path
