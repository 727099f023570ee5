"""`vidi models` as a person or a program uses it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from vidi.cli.main import main
from vidi.engines.base import EngineContext, ModelCard, ModelEntry
from vidi.engines.profile import Licence

LIMITED = Licence("Some-1.0", "https://example.org", "Not for large firms.")


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name in ("VIDI_DATA_DIR", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("VIDI_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that has to be pulled by a person."""

    def models(context: EngineContext) -> tuple[ModelEntry, ...]:
        card = ModelCard(id="large", display_name="Large", description="Sees everything.")
        return (
            ModelEntry(
                card,
                factory="x:y",
                ready=False,
                fetcher="x:y",
                rank=50,
                auto_download=False,
                size=4_200_000_000,
                licence=LIMITED,
                is_estimated=True,
                memory=4_500_000_000,
                active=7,
                purpose="seeing",
            ),
        )

    monkeypatch.setattr("vidi.engines.llama.catalog.models", models)


def _run(*words: str) -> Result:
    return CliRunner().invoke(main, ["models", *words], catch_exceptions=False)


def _pretend_lite(cache: Path) -> None:
    (cache / "vidi-lite").mkdir(parents=True)
    for name in ("nanodet-g.1.onnx", "efficientnet-lite2.1.onnx"):
        (cache / "vidi-lite" / name).write_bytes(bytes(600_000))


@pytest.mark.usefixtures("large")
def test_what_has_to_be_pulled_is_listed_only_with_all() -> None:
    assert "large" not in _run().output
    shown = _run("--all").output
    assert re.search(r"^large +~4\.2 GB +~4\.5 GB +slow +Some-1\.0 ! +seeing$", shown, re.MULTILINE)
    assert "! a licence with limits" in shown
    (told,) = [
        model
        for line in _run("--all", "--json").output.splitlines()
        if (model := json.loads(line))["size"] > 1e9
    ]
    assert (told["name"], told["ready"], told["default"]) == ("large", False, False)
    assert (told["licence"], told["limits"]) == ("Some-1.0", "Not for large firms.")


@pytest.mark.usefixtures("large")
def test_a_server_does_not_start_with_a_model_that_is_not_here() -> None:
    done = CliRunner().invoke(main, ["serve", "--port", "0", "--model", "large"], catch_exceptions=False)
    assert done.exit_code == 2
    assert "vidi pull large" in done.output


def test_the_weights_of_a_model_are_removed(cache: Path) -> None:
    _pretend_lite(cache)
    assert re.search(r"^vidi-lite +here, default +145 MB ", _run().output, re.MULTILINE)
    done = _run("rm", "vidi-lite")
    assert (done.exit_code, done.output) == (0, "vidi-lite is removed; 1.2 MB are free again.\n")
    assert re.search(r"^vidi-lite +fetched when asked, default ", _run().output, re.MULTILINE)
    assert _run("rm", "vidi-lite").exit_code == 1


def test_what_cannot_be_removed_is_said() -> None:
    assert "built in" in _run("rm", "echo").output
    assert "Did you mean gemma-4-e2b" in _run("rm", "gemma-e2b").output
    assert "There is no model 'absent'" in _run("rm", "absent").output
    assert "cannot be a model's name" in _run("rm", "../..").output
    assert _run("rm").exit_code == 2


def test_the_table_tells_of_every_model_what_fetching_it_takes() -> None:
    """Never the vision file alone, the one whose size a profile may know while the hub tells the rest."""
    told = [json.loads(line) for line in _run("--all", "--json").output.splitlines()]
    sizes = {model["name"]: model["size"] for model in told}
    assert all(sizes[name] for name in sizes if name != "echo")
    # The published sizes of both files together.
    published = {
        "gemma-4-e2b": 4.09,
        "gemma-4-e4b": 5.97,
        "qwen3.5-0.8b": 0.76,
        "qwen3.5-9b": 6.9,
        "qwen3-vl-8b": 6.19,
    }
    published |= {"gemma-4-31b": 19.5, "qwen3.6-35b-a3b": 23.3, "qwen2.5-vl-3b": 3.27}
    assert {name for name, size in published.items() if not 5 / 6 < sizes[name] / size / 1e9 < 7 / 6} == set()
    assert all(
        model["speed"] and model["purpose"] and model["memory"] for model in told if model["name"] != "echo"
    )


def test_one_model_is_recommended_where_one_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    def suits(cores: int, memory: float, card: float = 0) -> str:
        for name, value in (
            ("usable_cores", cores),
            ("machine_memory", memory * 1e9),
            ("graphics_memory", card * 1e9),
        ):
            monkeypatch.setattr(f"vidi.cli.models.{name}", lambda value=value: int(value))
        rows = [json.loads(line) for line in _run("--all", "--json").output.splitlines()]
        return " ".join(row["name"] for row in rows if row["recommended"])

    assert suits(cores=2, memory=0.5) == ""
    assert suits(cores=2, memory=8) == "qwen3.5-0.8b"
    assert suits(cores=8, memory=16) == "gemma-4-e2b"
    assert suits(cores=8, memory=16, card=24) == "qwen3.6-27b"
