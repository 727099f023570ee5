"""Starting, failing to start, and what is said of it; tests/model/test_crash.py kills and stops processes."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from tests.model.random_gguf import write_text_model, write_vision_tower
from vidi.domain.errors import Unavailable
from vidi.engines.chat.connection import HttpRefusal
from vidi.engines.llama.supervisor import Launch, Supervisor
from vidi.settings import child_environment

pytest.importorskip("xllamacpp", reason="needs the extra `llama`")


def launch(folder: Path, memory: int = 0) -> Launch:
    write_text_model(folder / "text.gguf")
    write_vision_tower(folder / "vision.gguf")
    return Launch(str(folder / "text.gguf"), str(folder / "vision.gguf"), 512, 1, 1, memory=memory)


def children() -> set[int]:
    return {child.pid for child in psutil.Process().children(recursive=True)}


def test_it_listens_when_it_has_been_made_and_is_gone_when_it_was_closed(tmp_path: Path) -> None:
    before = children()
    supervisor = Supervisor(launch(tmp_path), "random")
    assert supervisor.starts == 1
    with closing(supervisor.post("/tokenize", b'{"content":"hi"}')) as parts:
        assert json.loads(b"".join(parts))["tokens"]
    supervisor.close()
    supervisor.close()
    assert supervisor.pid is None
    assert children() == before


def test_its_process_gets_the_environment_that_was_chosen_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIDI_API_KEYS", "a-secret-of-the-owner")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with closing(Supervisor(launch(tmp_path), "random", environment=child_environment())) as supervisor:
        environment = psutil.Process(supervisor.pid).environ()
    assert "VIDI_API_KEYS" not in environment
    assert "CUDA_VISIBLE_DEVICES" in environment


def test_a_refused_request_is_not_taken_for_a_death(tmp_path: Path) -> None:
    with closing(Supervisor(launch(tmp_path), "random")) as supervisor:
        with (
            pytest.raises(HttpRefusal),
            closing(supervisor.post("/v1/chat/completions", b"no json")) as parts,
        ):
            list(parts)
        assert supervisor.starts == 1


def test_what_does_not_start_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    before = children()
    bad = launch(tmp_path)
    Path(bad.vision).write_bytes(b"no model")
    with pytest.raises(
        Unavailable, match=r"random does not start. llama.cpp says: .*vidi pull random"
    ) as told:
        Supervisor(bad, "random")
    assert str(tmp_path) not in told.value.message
    assert children() == before


def test_a_system_that_gives_no_process_is_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", str(tmp_path / "no-python"))
    with pytest.raises(Unavailable, match="no process can be started: No such file"):
        Supervisor(launch(tmp_path), "random")


def test_it_does_not_start_in_less_memory_than_it_needs(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="does not start"):
        Supervisor(launch(tmp_path, memory=200 << 20), "random")
