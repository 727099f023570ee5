"""A page in a headless browser, driven through `remote.mjs`: Playwright's methods under Python's names."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.waiting import HANG_SECONDS

FOLDER = Path(__file__).parent
PROGRAMS = {
    "chromium": ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"),
    "firefox": ("firefox", "firefox-esr"),
}
"""What each browser may be called on the disk."""

Json = Any
"""Whatever a page's expression gives."""


class BrowserError(Exception):
    """The browser could not do what it was asked."""


@dataclass(frozen=True, slots=True)
class Browser:
    """A running browser with at most one page; `name` is one of PROGRAMS."""

    name: str
    process: subprocess.Popen[str]

    def ask(self, **request: Json) -> Json:
        """Send one request and wait for its answer.

        Raises:
            BrowserError: It failed, or the browser has gone.
        """
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline() or '{"error": "the browser has gone"}')
        if "error" in answer:
            raise BrowserError(answer["error"])
        return answer["value"]

    def open(self, url: str, script: str = "", **options: Json) -> Page:
        """A fresh page; `script` runs before the page's own, `options` are those of a browser context."""
        self.ask(open={"viewport": {"width": 1280, "height": 900}, **options}, script=script)
        page = Page(self)
        page.call("goto", url)
        page.wait(
            "document.querySelector('#model').dataset.loaded || !document.querySelector('#notice').hidden"
        )
        return page


@dataclass(frozen=True, slots=True)
class Page:
    """What a person does on the page, and what it then shows."""

    browser: Browser

    def call(self, method: str, *args: Json) -> Json:
        """Call a method of Playwright's Page."""
        return self.browser.ask(call=method, args=args)

    def look(self, expression: str) -> Json:
        """The value of an expression in the page."""
        return self.call("evaluate", expression)

    def wait(self, condition: str) -> None:
        """Until the condition holds in the page."""
        self.browser.ask(wait=condition)

    def drop(self, *files: Path) -> None:
        """Drop files on the page, and wait until it has taken or refused them."""
        before = self.look("document.querySelectorAll('#thumbs li').length")
        self.browser.ask(drop=[str(file) for file in files])
        self.wait(
            f"document.querySelectorAll('#thumbs li').length === {before + len(files)}"
            " || !document.querySelector('#notice').hidden"
        )

    def ask(self, prompt: str, kind: str = "text") -> None:
        """Fill the form and press the button."""
        self.call("fill", "#prompt", prompt)
        self.call("check", f"[name=as][value={kind}]")
        self.call("click", "#send")

    def answer(self) -> str:
        """The answer's text when it has ended."""
        self.ended()
        return self.text("#answer")

    def ended(self) -> None:
        """Wait for the end of the answer."""
        self.wait("document.querySelector('#answer').ariaBusy === 'false'")

    def text(self, selector: str) -> str:
        """The text of an element."""
        return str(self.call("textContent", selector))

    def notice(self) -> str:
        """What the page says about what went wrong; waits until it says something."""
        self.wait("!document.querySelector('#notice').hidden")
        return self.text("#notice")

    def prompt(self) -> str:
        """What is written in the form."""
        return str(self.call("inputValue", "#prompt"))

    def thumbs(self) -> list[str]:
        """The names of the pictures in the form."""
        names: list[str] = self.look(
            "[...document.querySelectorAll('.away')].map((each) => each.ariaLabel.replace('Remove ', ''))"
        )
        return names

    def download(self, selector: str) -> tuple[str, bytes]:
        """Click there, and take the file that the page then offers: its name and its bytes."""
        name, content = self.browser.ask(download=selector)
        return str(name), base64.b64decode(content)

    def violations(self) -> list[str]:
        """What axe-core has against the page as it is now."""
        found: list[str] = self.browser.ask(violations=True)
        return found

    def shapes(self) -> list[DrawnShape]:
        """The boxes and points that are drawn, in thousandths of the picture as it lies on the screen."""
        drawn = self.look(
            """(() => {
              const frame = document.querySelector('#picture, #unseen').getBoundingClientRect();
              return [...document.querySelectorAll('.shape:not([hidden])')].map((node) => {
                const at = node.getBoundingClientRect();
                return [node.textContent, [
                  (at.top - frame.top) / frame.height, (at.left - frame.left) / frame.width,
                  (at.bottom - frame.top) / frame.height, (at.right - frame.left) / frame.width,
                ].map((each) => each * 1000)];
              });
            })()"""
        )
        return [DrawnShape(title, tuple(place)) for title, place in drawn]

    def slide(self, value: float) -> None:
        """Set the threshold."""
        self.call("fill", "#threshold", str(value))

    def complaints(self) -> list[str]:
        """Errors in the page's scripts, and refusals by its policy; not the server's own refusals."""
        errors: list[str] = self.browser.ask(seen=True)["errors"]
        return [error for error in errors if not error.startswith("Failed to load resource")]

    def asked(self) -> Sequence[str]:
        """The address of every request since the page was opened."""
        requests: list[str] = self.browser.ask(seen=True)["requests"]
        return requests


@dataclass(frozen=True, slots=True)
class DrawnShape:
    """Something drawn over the picture; `place` is top, left, bottom, right in thousandths."""

    title: str
    place: tuple[float, ...]


def driver(folder: Path) -> Path:
    """The packages that drive browsers, installed once into a folder of their own in `folder`.

    Raises:
        BrowserError: npm is not installed, or fails.
    """
    lock = FOLDER / "package-lock.json"
    room = folder / f"playground-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"
    modules = room / "node_modules"
    if not (modules / ".package-lock.json").exists():
        room.mkdir(parents=True, exist_ok=True)
        for file in (lock, FOLDER / "package.json"):
            shutil.copy(file, room)
        command = [shutil.which("npm") or "npm", "ci", "--no-audit", "--no-fund"]
        try:
            done = subprocess.run(command, cwd=room, capture_output=True, text=True, check=False)
        except OSError as error:
            raise BrowserError(f"npm does not run: {error}") from error
        if done.returncode:
            raise BrowserError(f"npm ci failed: {done.stderr.strip()[-300:]}")
    return modules


@contextmanager
def started(name: str, program: str, node: str, modules: Path) -> Iterator[Browser]:
    """Start a browser under `node`, with packages from `modules`, and end both."""
    script = modules.parent / "remote.mjs"
    script.write_bytes((FOLDER / "remote.mjs").read_bytes())
    process = subprocess.Popen(
        [node, str(script), name, program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        assert json.loads(process.stdout.readline() or "{}").get("version"), f"{name} does not start"
        yield Browser(name, process)
    finally:
        process.stdin.close()
        try:
            process.wait(HANG_SECONDS)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
