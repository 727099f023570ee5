"""`vidi ps` before a running server and before none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.http.live import live
from vidi.cli.main import main
from vidi.cli.ps import read

METRICS = """\
# TYPE vidi_prompts_waiting gauge
vidi_prompts_waiting{model="gemma-4-e2b"} 3.0
vidi_prompts_waiting{model="echo"} 0.0
# TYPE vidi_prompts_running gauge
vidi_prompts_running{model="gemma-4-e2b"} 2.0
# TYPE vidi_model_memory_bytes gauge
vidi_model_memory_bytes{model="gemma-4-e2b"} 4.5e+09
# TYPE vidi_model_restarts_total counter
vidi_model_restarts_total{model="gemma-4-e2b"} 1.0
# TYPE process_resident_memory_bytes gauge
process_resident_memory_bytes 1.5e+08
# TYPE vidi_store_bytes gauge
vidi_store_bytes 7.0
"""


def _ps(*words: str) -> Result:
    return CliRunner().invoke(main, ["ps", *words], catch_exceptions=False)


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("VIDI_API_KEYS", raising=False)


def test_metrics_are_gathered_by_model() -> None:
    models, memory = read(METRICS)
    assert models["gemma-4-e2b"] == {"running": 2, "waiting": 3, "memory": 4_500_000_000, "restarts": 1}
    assert models["echo"] == {"running": 0, "waiting": 0, "memory": 0, "restarts": 0}
    assert memory == 150_000_000


def test_without_a_server_it_says_where_it_asked() -> None:
    done = _ps("--server", "http://127.0.0.1:1")
    assert done.exit_code == 1
    assert "No server answers at http://127.0.0.1:1" in done.output


@pytest.mark.slow
def test_a_running_server_tells_what_it_runs(tmp_path: Path) -> None:
    with live(tmp_path) as server:
        assert server.works()
        url = f"http://127.0.0.1:{server.port}"
        shown = _ps("--server", url).output.splitlines()
        assert shown[0].startswith(f"{url} is ready; the server itself takes ")
        assert shown[1].split() == ["MODEL", "MEMORY", "RUNNING", "WAITING", "RESTARTS"]
        assert shown[2].split() == ["echo", "in", "the", "server's", "0", "0", "0"]
        (told,) = [json.loads(line) for line in _ps("--server", url, "--json").output.splitlines()]
        assert told == {"model": "echo", "running": 0, "waiting": 0, "memory": 0, "restarts": 0}
