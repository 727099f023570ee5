"""The clients that are tested, where their programs and locks are, and which versions the locks name."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

THREE = ("caption", "stream", "structured")
GUIDE = (*THREE, "fetched", "boxes", "upload", "several", "tokens", "refused")

CALLS = ("called", "tools")
"""A function that must be called, for the shape of its arguments; one that is called, runs, and is answered
for."""

HTTPS = "https"
"""A picture by its address, which the server fetches."""

TALKING = (*GUIDE, "interaction")
"""The Go SDK has no Interactions API."""


@dataclass(frozen=True, slots=True)
class Client:
    """A real client.

    Attributes:
        name: As people call it.
        language: What its users write.
        folder: Where its program is, under this one; also its identifier.
        manager: What installs it: `venv`, `npm`, `go`, `maven`, or nothing (`checks`, `system`).
        package: Whose version is the client's.
        lock: The file that pins it, under the repository's root.
        flows: What its program can do.
        program: The program's file name.
        by_default: Whether plain `make test` runs it.
        barred: Why it cannot work today; its flows are expected to fail.
        note: What its users should know, for the docs.
        browser: Which browser's page it runs in; nothing for a program of its own.
    """

    name: str
    language: str
    folder: str
    manager: str
    package: str
    lock: str
    flows: tuple[str, ...] = THREE
    program: str = "client.py"
    by_default: bool = False
    barred: str = ""
    note: str = ""
    browser: str = ""

    @property
    def id(self) -> str:
        """What tells it from the others in the table and in the names of tests."""
        return f"{self.folder}-{self.browser}" if self.browser else self.folder

    @property
    def source(self) -> Path:
        """The program."""
        return HERE / self.folder / self.program

    @property
    def version(self) -> str:
        """What the lock says; nothing where the system brings the client."""
        lock = ROOT / self.lock
        return _READERS[lock.name](lock, self.package) if self.lock else ""


def _of_requirements(lock: Path, package: str) -> str:
    found = re.search(rf"^{re.escape(package)}==(\S+)", lock.read_text(), re.MULTILINE)
    assert found, f"{lock} does not pin {package}"
    return found[1]


def _of_npm(lock: Path, package: str) -> str:
    return str(json.loads(lock.read_text())["packages"][f"node_modules/{package}"]["version"])


def _of_go(lock: Path, package: str) -> str:
    found = re.search(rf"^require {re.escape(package)} v(\S+)", lock.read_text(), re.MULTILINE)
    assert found, f"{lock} does not require {package}"
    return found[1]


def _of_maven(lock: Path, package: str) -> str:
    found = re.search(rf"<artifactId>{re.escape(package)}</artifactId>\s*<version>([^<]+)", lock.read_text())
    assert found, f"{lock} does not name {package}"
    return found[1]


_READERS: dict[str, Callable[[Path, str], str]] = {
    "requirements.txt": _of_requirements,
    "dev.txt": _of_requirements,
    "package-lock.json": _of_npm,
    "go.mod": _of_go,
    "pom.xml": _of_maven,
}


def _venv(folder: str, name: str, package: str, flows: tuple[str, ...] = THREE, note: str = "") -> Client:
    lock = f"tests/clients/{folder}/requirements.txt"
    return Client(name, "Python", folder, "venv", package, lock, flows, note=note)


def _browser(name: str, program: str) -> Client:
    flows = tuple(flow for flow in TALKING if flow != "fetched")
    lock = "tests/sdk/js/package-lock.json"
    return Client(
        f"@google/genai in {name}", "JavaScript", "browser", "npm", "@google/genai", lock, flows,
        "client.mjs", note=PAGES, browser=program,
    )  # fmt: skip


VERTEX = """
Any client in its Vertex mode finds its models here, with a key or with a project and a place; what these are
called does not matter. That mode of the SDKs has no Files and no Interactions.
"""

PAGES = """
A server without keys answers pages that this machine serves, at any port of `localhost`, `127.0.0.1` and
`[::1]`; pages of other sites need a server with keys, and one of them. A page shows its key to whoever opens
it. Files are uploaded as `Blob`s. [examples/caption.html](../examples/caption.html) is a whole page.
"""

CURL = """
The guide's own commands run as printed, apart from key, host and file name. Some put the picture on curl's
command line, where Linux takes 128 kB at most; send a larger one as the program does, through standard input.
"""

CALLED = """
Its default for structured answers, a function call, and `NativeOutput(Model)` both work.
"""

INSTRUCTED = """
Its default, `Mode.GENAI_TOOLS`, asks for a function call, `Mode.GENAI_STRUCTURED_OUTPUTS` for a schema; both
work.
"""

AIOHTTP = """
Asynchronous streams are read by aiohttp, another reader than that of the synchronous ones; the flow
`stream` is the asynchronous one.
"""

PRICES = """
The base ends in the API's version. Set `LITELLM_LOCAL_MODEL_COST_MAP=True`, or it asks the internet for a
list of prices when it is imported.
"""

BUILT_IN = """
`llm-gemini` has no setting for the address: `GeminiPro.execute` in `llm_gemini.py` asks
`https://generativelanguage.googleapis.com/v1beta/models/...` in so many letters. The program puts a
[sitecustomize.py](../tests/clients/llm/sitecustomize.py) of a dozen lines on the path, which sends what is
meant for that host to `VIDI`. Only synchronous models are redirected.
"""

VERCEL = """
The base ends in the API's version. The SDK has no call for uploads; it passes on the `uri` of a file only
if that begins with its own base, so upload to the very address that stands here.
"""

GEMINI_CLI = """
Copy [settings.json](../tests/clients/gemini-cli/settings.json) to `~/.gemini/settings.json`. It chooses the
key for authentication: with the variable alone the program chooses `gateway` and then ends with "Invalid
auth method selected." It also offers no tools; with `list_directory` among them the program uses it (flow
`tools`), while `vidi-lite` calls no function unless it must.
`GEMINI_SYSTEM_MD` replaces instructions of 27,000 characters, which are about programming and talk of JSON
often enough for `vidi-lite` to answer in it. There is no option for a schema.
"""

CLIENTS = (
    Client(
        "google-genai", "Python", "python", "checks", "google-genai", "requirements/dev.txt",
        (*TALKING, HTTPS, *CALLS), by_default=True,
    ),
    Client(
        "@google/genai", "JavaScript", "javascript", "npm", "@google/genai",
        "tests/sdk/js/package-lock.json", (*TALKING, HTTPS, *CALLS), "client.mjs", by_default=True,
    ),
    Client(
        "google-genai, Vertex express", "Python", "python-vertex", "checks", "google-genai",
        "requirements/dev.txt", (*THREE, "boxes", "tokens", "refused", HTTPS), note=VERTEX,
    ),
    *(_browser(name, program) for name, program in (("Chromium", "chromium"), ("Firefox", "firefox-esr"))),
    Client(
        "google.golang.org/genai", "Go", "go", "go", "google.golang.org/genai", "tests/clients/go/go.mod",
        (*GUIDE, HTTPS), "main.go", by_default=True,
    ),
    Client(
        "com.google.genai", "Java", "java", "maven", "google-genai", "tests/clients/java/pom.xml",
        (*TALKING, HTTPS), "Main.java",
    ),
    Client(
        "curl and jq", "shell", "curl", "system", "curl", "", (*TALKING, HTTPS), "client.sh", by_default=True,
        note=CURL,
    ),
    _venv("langchain", "LangChain", "langchain-google-genai", (*THREE, *CALLS)),
    _venv("pydantic-ai", "pydantic-ai", "pydantic-ai-slim", (*THREE, *CALLS), CALLED),
    _venv("instructor", "instructor", "instructor", ("structured", "called"), INSTRUCTED),
    _venv("llama-index", "LlamaIndex", "llama-index-llms-google-genai", note=AIOHTTP),
    _venv("litellm", "LiteLLM", "litellm", note=PRICES),
    _venv("llm", "llm with llm-gemini", "llm-gemini", note=BUILT_IN),
    Client(
        "Vercel AI SDK", "JavaScript", "vercel", "npm", "@ai-sdk/google",
        "tests/clients/vercel/package-lock.json", (*THREE, "upload"), "client.mjs", note=VERCEL,
    ),
    Client(
        "@google/generative-ai (retired)", "JavaScript", "generative-ai", "npm", "@google/generative-ai",
        "tests/clients/generative-ai/package-lock.json", (*THREE, "upload"), "client.mjs",
    ),
    Client(
        "gemini-cli", "shell", "gemini-cli", "npm", "@google/gemini-cli",
        "tests/clients/gemini-cli/package-lock.json", ("caption", "stream", "vertex", "tools"), "client.sh",
        note=GEMINI_CLI,
    ),
)  # fmt: skip

BY_ID = {client.id: client for client in CLIENTS}
