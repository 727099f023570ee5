"""Flag over environment over file, checked once."""

from __future__ import annotations

from pathlib import Path

import pytest

from vidi.settings import (
    BESIDE_A_BODY,
    Settings,
    SettingsError,
    lm_studio_folders,
    load,
    ollama_folders,
    server_keys,
)


@pytest.fixture(autouse=True)
def _nobodys_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in (*Settings.model_fields, "config"):
        monkeypatch.delenv(f"VIDI_{name.upper()}", raising=False)


def _file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "vidi.toml"
    path.write_text(text)
    return path


def test_a_flag_beats_the_environment_beats_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = _file(tmp_path, 'port = 1\nqueue = 1\nmodel = "file"\n')
    monkeypatch.setenv("VIDI_PORT", "2")
    monkeypatch.setenv("VIDI_QUEUE", "2")
    settings = load({"port": 3, "queue": None}, config)
    assert (settings.port, settings.queue, settings.model) == (3, 2, "file")


def test_the_users_own_file_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = _file(tmp_path, "port = 7\n")
    monkeypatch.setenv("VIDI_CONFIG", str(config))
    assert load({}).port == 7


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("port = 70000", "port"),
        ("colour = 1", "colour"),
        ("port = ", "vidi.toml"),
        ('host = "0.0.0.0"', "VIDI_API_KEYS"),
        ('host = "0.0.0.0"\napi_keys = "sixteen-letters!,k"', "16 characters"),
        ('trusted_proxies = "10.0.0.1"\napi_keys = "k"', "16 characters"),
        ('trusted_proxies = "10.0.0.300"', "trusted_proxies"),
        ('trusted_proxies = "everyone"', "trusted_proxies"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        load({}, _file(tmp_path, text))


def test_a_missing_file_is_an_error_when_it_was_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"absent\.toml"):
        load({}, tmp_path / "absent.toml")


def test_keys_open_other_addresses_and_are_kept_as_digests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDI_API_KEYS", "one-of-the-keys-, two-of-the-keys-,")
    settings = load({"host": "0.0.0.0"})
    assert settings.api_keys == ("one-of-the-keys-", "two-of-the-keys-")
    keys = server_keys(settings)
    assert keys is not None
    assert len({key.sha256 for key in keys}) == len({key.owner for key in keys}) == 2
    assert "of-the-keys" not in repr(keys)


def test_there_are_few_settings_and_each_says_what_it_is() -> None:
    assert len(Settings.model_fields) <= 34
    assert all(field.description for field in Settings.model_fields.values())


def test_the_folders_of_other_programs_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("OLLAMA_MODELS", raising=False)
    assert ollama_folders()[0] == tmp_path / ".ollama" / "models"
    assert tmp_path / ".lmstudio" / "models" in lm_studio_folders()
    monkeypatch.setenv("OLLAMA_MODELS", "/elsewhere")
    assert ollama_folders() == (Path("/elsewhere"),)


def test_a_backend_is_an_address_or_tables_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDI_BACKEND", "http://one:8000/v1, https://two/gpu")
    monkeypatch.setenv("VIDI_BACKEND_KEY", "the-key")
    monkeypatch.setenv("OTHER_KEY", "another")
    (pool,) = (each.backend() for each in load({}).backend)
    assert (pool.urls, pool.key, pool.kind) == (("http://one:8000/v1", "https://two/gpu"), "the-key", "auto")
    assert "the-key" not in repr(pool)
    monkeypatch.delenv("VIDI_BACKEND")
    tables = (
        '[[backend]]\nid = "gpu"\nurl = "http://gpu:8000"\nkey_env = "OTHER_KEY"\nslots = 256\n'
        '[[backend]]\nurl = ["http://a", "http://b"]\nmodel = "m"\naffinity_header = ""\n'
    )
    first, second = (each.backend() for each in load({}, _file(tmp_path, tables)).backend)
    assert (first.id, first.urls, first.key, first.slots) == ("gpu", ("http://gpu:8000",), "another", 256)
    assert (second.urls, second.model, second.affinity_header) == (("http://a", "http://b"), "m", "")


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ('url = "gpu:8000"', "as http://gpu:8000/v1"),
        ('url = "file:///etc/passwd"', "no address of a server"),
        ('url = "http://gpu:port"', "no address of a server"),
        ('url = "http://me:secret@gpu"', "holds no password"),
        ('url = ""', "url"),
        ('id = "gpu"', "url"),
        ('url = "http://gpu"\nid = "A B"', "id"),
        ('url = "http://gpu"\nslots = 0', "slots"),
        ('url = "http://gpu"\nkey_env = "NOBODY_SETS_THIS"', "NOBODY_SETS_THIS"),
        ('url = "http://gpu"\naffinity_header = "a: b"', "affinity_header"),
        ('url = "http://gpu"\ncolour = 1', "colour"),
    ],
)
def test_a_wrong_backend_is_named(tmp_path: Path, table: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        load({}, _file(tmp_path, f"[[backend]]\n{table}\n"))


def test_the_memory_for_requests_takes_the_largest_request(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load({"max_request_bytes": 200_000_000}).memory_bytes == 4 * 200_000_000 + BESIDE_A_BODY
    monkeypatch.setenv("VIDI_MEMORY_BYTES", str(BESIDE_A_BODY))
    with pytest.raises(SettingsError, match=f"memory_bytes must be {BESIDE_A_BODY + 100_000_000} or more"):
        load({})
