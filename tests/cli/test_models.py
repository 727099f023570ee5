"""`vidi models` as a person or a program uses it."""

from __future__ import annotations

import json
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
    assert "large  vidi pull large, 4.20 GB, Some-1.0 (with limits)" in shown
    assert "Sees everything." in shown
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
    assert "vidi-lite  ready" in _run().output
    done = _run("rm", "vidi-lite")
    assert (done.exit_code, done.output) == (0, "vidi-lite is removed; 1.2 MB are free again.\n")
    assert "vidi-lite  to be fetched" in _run().output
    assert _run("rm", "vidi-lite").exit_code == 1


def test_what_cannot_be_removed_is_said() -> None:
    assert "built in" in _run("rm", "echo").output
    assert "There is no model 'absent'" in _run("rm", "absent").output
    assert "cannot be a model's name" in _run("rm", "../..").output
    assert _run("rm").exit_code == 2
