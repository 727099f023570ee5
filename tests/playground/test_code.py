"""What the page gives to copy runs as copied, beside the pictures."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.clients.catalogue import BY_ID
from tests.clients.installers import install
from tests.conftest import picture
from tests.http.live import Live, live
from tests.playground.browser import Browser, Page
from tests.playground.conftest import program, url_of
from tests.waiting import HANG_SECONDS

# The code is the same whichever browser shows it, and compiling it twice would take long.
pytestmark = pytest.mark.parametrize("browser", ["chromium"], indirect=True)

KEY = "a-long-secret"
HARD = """It's "50%" of $HOME, a\\b `c` {d} – ünï\n\tEnd"""


def copied(page: Page, language: str) -> str:
    """Press the buttons of a person who copies the code."""
    if not page.look("document.querySelector('#code').open"):
        page.call("click", "#code summary")
    page.call("click", f"button:text-is('{language}')")
    page.call("click", "#copy")
    page.wait("document.querySelector('#copy').textContent === 'Copied'")
    return str(page.look("navigator.clipboard.readText()"))


def run(
    command: Sequence[str], folder: Path, text: str = "", variables: Mapping[str, str] | None = None
) -> str:
    """Run a program in a folder; gives what it prints."""
    kept = {name: value for name, value in os.environ.items() if not re.match("GEMINI|GOOGLE|VIDI", name)}
    done = subprocess.run(
        command,
        cwd=folder,
        input=text,
        capture_output=True,
        text=True,
        env={**kept, **(variables or {})},
        timeout=HANG_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def filled(browser: Browser, server: Live, photo: Path, tmp_path: Path) -> Page:
    """A page with two pictures and a question that is hard to quote."""
    page = browser.open(url_of(server), permissions=["clipboard-read", "clipboard-write"])
    second = tmp_path / "it's 2.png"
    second.write_bytes(picture(300, 200))
    page.drop(photo, second)
    page.call("fill", "#prompt", HARD)
    return page


SAID = f"Echo: 2 images (640x480, 300x200), text: {HARD}"


def test_python_runs_as_copied(filled: Page, tmp_path: Path) -> None:
    assert (
        run([sys.executable, "-W", "error::SyntaxWarning", "-"], tmp_path, copied(filled, "Python"))
        == SAID + "\n"
    )


def test_curl_runs_as_copied(filled: Page, tmp_path: Path) -> None:
    answer = run([program("bash"), "-eu"], tmp_path, copied(filled, "curl"))
    assert '"Echo: 2 images (640x480, 300x200), text: It' in answer
    assert '"STOP"' in answer


@pytest.mark.parametrize("language", ["Python", "curl"])
def test_boxes_and_resolution_are_in_the_code(
    filled: Page, photo: Path, tmp_path: Path, language: str
) -> None:
    filled.call("click", ".away[aria-label*='2.png']")
    filled.call("check", "[name=as][value=boxes]")
    filled.call("selectOption", "#resolution", "HIGH")
    command = {"Python": [sys.executable, "-"], "curl": [program("bash"), "-eu"]}[language]
    code = copied(filled, language)
    assert "MEDIA_RESOLUTION_HIGH" in code
    assert "[]" in run(command, tmp_path, code)  # The echo's answer to a schema of a list.


def test_the_key_comes_from_the_environment(browser: Browser, tmp_path: Path) -> None:
    with live(tmp_path, key=KEY, VIDI_API_KEYS=KEY) as server:
        page = browser.open(url_of(server), permissions=["clipboard-read", "clipboard-write"])
        page.call("fill", "#key", KEY)
        page.call("press", "#key", "Enter")
        page.wait("document.querySelector('#model').dataset.loaded")
        page.call("fill", "#prompt", "hi")
        code = copied(page, "Python")
        assert KEY not in code
        said = run([sys.executable, "-"], tmp_path, code, {"GEMINI_API_KEY": KEY})
        assert said == "Echo: 0 images, text: hi\n"
        shell = copied(page, "curl")
        assert KEY not in shell
        assert "Echo: 0 images" in run([program("bash"), "-eu"], tmp_path, shell, {"GEMINI_API_KEY": KEY})


def test_javascript_runs_as_copied(filled: Page, tmp_path: Path) -> None:
    node, script = install(BY_ID["javascript"])
    (tmp_path / "node_modules").symlink_to(Path(script).parent / "node_modules")
    (tmp_path / "ask.mjs").write_text(copied(filled, "JavaScript"), encoding="utf-8")
    assert run([node, "ask.mjs"], tmp_path) == SAID + "\n"


def go_program(code: str, folder: Path) -> Sequence[str]:
    """The code, vetted and compiled beside the pictures in `folder`: how to run it."""
    install(BY_ID["go"])
    module = folder / "module"
    module.mkdir(exist_ok=True)
    for name in ("go.mod", "go.sum"):
        shutil.copy(BY_ID["go"].source.with_name(name), module)
    (module / "main.go").write_text(code, encoding="utf-8")
    run(["go", "vet", "-C", str(module), "-mod=readonly", "."], folder)
    run(["go", "build", "-C", str(module), "-mod=readonly", "-o", str(folder / "ask"), "."], folder)
    return [str(folder / "ask")]


@pytest.mark.timeout(600)  # the first run compiles the SDK
@pytest.mark.parametrize("kind", ["text", "boxes"])
def test_go_runs_as_copied(filled: Page, tmp_path: Path, kind: str) -> None:
    if kind == "boxes":
        filled.call("click", ".away[aria-label*='2.png']")  # by schema: of one picture
    filled.call("check", f"[name=as][value={kind}]")
    said = run(go_program(copied(filled, "Go"), tmp_path), tmp_path)
    assert said.rstrip("\n") == (SAID if kind == "text" else "[]"), said


@pytest.mark.parametrize("kind", ["text", "json", "boxes"])
def test_go_is_formatted(filled: Page, tmp_path: Path, kind: str) -> None:
    filled.call("click", ".away[aria-label*='2.png']")
    filled.call("check", f"[name=as][value={kind}]")
    code = copied(filled, "Go")
    assert run([program("gofmt")], tmp_path, code) == code


@dataclass(frozen=True, slots=True)
class Recorder:
    """A server that answers every request alike and keeps the bodies."""

    url: str
    bodies: list[Any] = field(default_factory=list)


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    """Where programs of the page can be sent to see what they send."""
    bodies: list[Any] = []
    answer = json.dumps({"candidates": [{"content": {"parts": [{"text": "Recorded."}]}}]}).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield Recorder(f"http://127.0.0.1:{running.server_port}", bodies)
        running.shutdown()


def said_by(contents: Sequence[Any]) -> list[tuple[str, list[str]]]:
    """The roles of turns, and what their parts are: a picture's MIME type, or their text."""

    def said(part: Any) -> str:
        """SDKs differ in how they spell the names."""
        kinds = [part.get("inlineData", {}).get(name, "") for name in ("mimeType", "mime_type")]
        return str(part.get("text") or "".join(kinds))

    return [(turn["role"], [said(part) for part in turn["parts"]]) for turn in contents]


def command_for(language: str, code: str, folder: Path) -> Sequence[str]:
    """How to run code of the page, which stands in a file of `folder` afterwards."""
    if language == "Go":
        return go_program(code, folder)
    file = folder / {"Python": "ask.py", "JavaScript": "ask.mjs", "curl": "ask.sh"}[language]
    file.write_text(code, encoding="utf-8")
    if language != "JavaScript":
        return [sys.executable if language == "Python" else program("bash"), str(file)]
    node, script = install(BY_ID["javascript"])
    if not (modules := folder / "node_modules").exists():
        modules.symlink_to(Path(script).parent / "node_modules")
    return [node, str(file)]


@pytest.mark.timeout(600)  # the first run compiles the SDK
@pytest.mark.parametrize("language", ["Python", "JavaScript", "Go", "curl"])
def test_a_conversation_is_in_the_code(
    filled: Page, server: Live, recorder: Recorder, tmp_path: Path, language: str
) -> None:
    filled.call("click", "#send")
    answers = [filled.answer()]
    filled.call("fill", "#next", f"again: {HARD}")
    filled.call("press", "#next", "Enter")
    filled.wait("document.querySelector('#asked').textContent.startsWith('again')")
    answers.append(filled.answer())
    filled.call("fill", "#next", "and last?")
    code = copied(filled, language)
    said = run(command_for(language, code, tmp_path), tmp_path)
    assert "Echo: 2 images (640x480, 300x200), text: and last?" in said
    base = url_of(server).rstrip("/")
    assert base in code
    assert "Recorded." in run(command_for(language, code.replace(base, recorder.url), tmp_path), tmp_path)
    assert said_by(recorder.bodies[0]["contents"]) == [
        ("user", ["image/jpeg", "image/png", HARD]),
        ("model", [answers[0]]),
        ("user", [f"again: {HARD}"]),
        ("model", [answers[1]]),
        ("user", ["and last?"]),
    ]
    filled.call("fill", "#prompt", "something else")
    assert "and last?" not in copied(filled, language), "a new question begins anew"


def test_go_of_a_conversation_is_formatted(filled: Page, tmp_path: Path) -> None:
    filled.call("click", "#send")
    filled.ended()
    filled.call("fill", "#next", "further")
    code = copied(filled, "Go")
    assert "genai.RoleModel" in code
    assert run([program("gofmt")], tmp_path, code) == code
