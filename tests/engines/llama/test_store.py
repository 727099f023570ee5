"""Models on the disk: whole or not at all."""

from __future__ import annotations

import hashlib
import logging
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.waiting import HANG_SECONDS
from vidi.domain.errors import FailedPrecondition, InvalidRequest, NotFound
from vidi.engines.llama import store
from vidi.engines.llama.store import (
    Pulled,
    find_pulled,
    publish,
    pulled,
    pulling,
    remove,
    sha256_of,
    unfinished_bytes,
)
from vidi.engines.profile import Licence, Model, WeightsFile

TEXT, VISION = b"language" * 100, b"sight" * 100


def quiet(step: str, done: int, total: int) -> None:
    pass


def _file(name: str, content: bytes) -> WeightsFile:
    return WeightsFile(name, hashlib.sha256(content).hexdigest(), len(content))


def _model(name: str = "tiny", text: bytes = TEXT) -> Model:
    return Model(
        id=name,
        display_name="Tiny, with ümlaut",
        repository="someone/tiny",
        revision="c0ffee",
        text=_file("../../etc/tiny.gguf", text),
        vision=_file("mmproj.gguf", VISION),
        memory=7,
        context=512,
        slots=3,
        rank=4,
        licence=Licence("Apache-2.0", "https://www.apache.org/licenses/LICENSE-2.0"),
    )


def _pull(cache: Path, name: str = "tiny", *, text: bytes = TEXT, profile: bytes | None = None) -> Pulled:
    with pulling(cache, name, quiet) as folder:
        (folder / store.TEXT).write_bytes(text)
        (folder / store.VISION).write_bytes(VISION)
        when = datetime(2026, 11, 28, tzinfo=UTC)
        return publish(Pulled(_model(name, text), "family", "the hub", when, folder), profile)


def test_what_was_published_is_read_back_from_the_manifest(tmp_path: Path) -> None:
    made = _pull(tmp_path)
    assert pulled(tmp_path) == (made,)
    assert find_pulled(tmp_path, "tiny") == made
    assert made.folder == tmp_path / "models" / "tiny"
    assert made.text.read_bytes() == TEXT
    assert made.vision.read_bytes() == VISION
    assert made.model == _model()
    assert made.profile is None
    assert find_pulled(tmp_path, "other") is None


def test_a_profile_of_the_users_own_is_kept_beside_the_files(tmp_path: Path) -> None:
    made = _pull(tmp_path, profile=b"family = 'mine'")
    assert made.profile is not None
    assert made.profile.read_bytes() == b"family = 'mine'"
    assert pulled(tmp_path) == (made,)
    made.profile.unlink()
    assert pulled(tmp_path) == ()


def test_a_pull_that_did_not_end_looks_like_nothing_and_is_gone_on_with(tmp_path: Path) -> None:
    with pulling(tmp_path, "tiny", quiet) as folder:
        (folder / "text.part").write_bytes(b"half")
    assert pulled(tmp_path) == ()
    assert unfinished_bytes(tmp_path, "tiny") == 4
    with pulling(tmp_path, "tiny", quiet) as again:
        assert (again / "text.part").read_bytes() == b"half"
    made = _pull(tmp_path)
    assert sorted(file.name for file in made.folder.iterdir()) == [
        "manifest.json",
        "text.gguf",
        "vision.gguf",
    ]
    assert unfinished_bytes(tmp_path, "tiny") == 0


def test_a_newer_pull_takes_the_place_of_an_older_one(tmp_path: Path) -> None:
    _pull(tmp_path)
    newer = _pull(tmp_path, text=b"better" * 50)
    assert pulled(tmp_path) == (newer,)
    assert newer.text.read_bytes() == b"better" * 50
    assert not list((tmp_path / "models").glob(".tiny.old"))


def test_a_kill_between_the_two_renames_of_a_replacement_loses_nothing(tmp_path: Path) -> None:
    made = _pull(tmp_path)
    made.folder.rename(made.folder.with_name(".tiny.old"))
    assert pulled(tmp_path) == ()
    with pulling(tmp_path, "tiny", quiet):
        pass
    assert pulled(tmp_path) == (made,)


@pytest.mark.parametrize(
    "manifest",
    [
        "",
        "[]",
        "{",
        "[" * 60_000,
        "\udcff",
        '{"format": 2}',
        '{"format": 1, "family": "f", "origin": "o", "pulled_at": "", "own_profile": false,'
        '"model": {"id": "tiny"}}',
    ],
)
def test_a_broken_manifest_costs_its_own_model_only(
    tmp_path: Path, manifest: str, caplog: pytest.LogCaptureFixture
) -> None:
    broken = _pull(tmp_path)
    whole = _pull(tmp_path, "whole")
    (broken.folder / "manifest.json").write_bytes(manifest.encode("utf-8", "surrogateescape"))
    with caplog.at_level(logging.WARNING):
        assert pulled(tmp_path) == (whole,)
    assert "Pull tiny again" in caplog.text
    assert find_pulled(tmp_path, "tiny") is None
    assert _pull(tmp_path) in pulled(tmp_path)


def test_a_model_with_a_missing_or_shortened_file_is_none(tmp_path: Path) -> None:
    made = _pull(tmp_path)
    made.text.write_bytes(TEXT[:-1])
    assert pulled(tmp_path) == ()
    made.text.unlink()
    assert pulled(tmp_path) == ()


def test_a_copied_folder_is_not_a_second_model(tmp_path: Path) -> None:
    made = _pull(tmp_path)
    made.folder.rename(made.folder.with_name("renamed"))
    assert pulled(tmp_path) == ()


def test_removing_frees_the_files_and_what_is_unfinished(tmp_path: Path) -> None:
    made = _pull(tmp_path)
    with pulling(tmp_path, "tiny", quiet) as folder:
        (folder / "text.part").write_bytes(b"1234")
    assert remove(tmp_path, "tiny") >= len(TEXT) + len(VISION) + 4
    assert pulled(tmp_path) == ()
    assert not made.folder.exists()
    assert not folder.exists()
    with pytest.raises(NotFound, match="vidi models"):
        remove(tmp_path, "tiny")


@pytest.mark.parametrize(
    "name", ["", "..", "a/b", ".hidden", "gemini-3", "a b", "ä", "a" * 101, "a\n", "profiles"]
)
def test_names_that_would_choose_a_path_or_never_be_found_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidRequest, match="name"):
        remove(tmp_path, name)
    with pytest.raises(InvalidRequest), pulling(tmp_path, name, quiet):
        pass


_HOLDER = """
import sys, time
from pathlib import Path
from vidi.engines.llama.store import pulling
with pulling(Path(sys.argv[1]), "tiny", lambda step, done, total: None):
    print("held", flush=True)
    time.sleep(3600)
"""


def test_a_second_pull_waits_until_the_first_one_is_dead_and_removing_is_refused(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", _HOLDER, str(tmp_path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(FailedPrecondition, match="being pulled"):
            remove(tmp_path, "tiny")
        told: list[str] = []

        def progress(step: str, done: int, total: int) -> None:
            told.append(step)
            os.kill(holder.pid, signal.SIGKILL)

        with pulling(tmp_path, "tiny", progress):
            assert told[0] == "Waiting for another process"
            # It would have held the lock for an hour.
            assert holder.wait(HANG_SECONDS) == -signal.SIGKILL


def test_a_file_is_read_in_steps_that_are_told(tmp_path: Path) -> None:
    content = bytes(range(256)) * 10_000
    (tmp_path / "x").write_bytes(content)
    told: list[tuple[str, int, int]] = []
    digest = sha256_of(tmp_path / "x", lambda *step: told.append(step), "Checking x")
    assert digest == hashlib.sha256(content).hexdigest()
    assert [done for _, done, _ in told] == [1 << 20, 2 << 20, len(content)]
    assert told[-1] == ("Checking x", len(content), len(content))
