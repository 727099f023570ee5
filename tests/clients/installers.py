"""Installs clients from their locks, once: what is installed stays in the user's cache for the next run."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import platformdirs
import pytest

from tests.clients.catalogue import ROOT, Client

CACHE = Path(platformdirs.user_cache_path("vidi-tests"))

NO_NETWORK = re.compile(  # as npm, pip, go and Maven say it
    r"ECONNREFUSED|ECONNRESET|ENETUNREACH|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ERR_SOCKET_TIMEOUT"
    r"|NewConnectionError|ReadTimeoutError|Name or service not known|Temporary failure in name resolution"
    r"|Unknown host|Connection refused|dial tcp[^\n]*|no such host|i/o timeout|module lookup disabled"
)

SHELL_TOOLS = ("bash", "curl", "jq", "base64", "file", "grep", "cut", "awk", "sed")

NPM = (
    "npm", "ci", "--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund", "--prefer-offline",
    "--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000",
    "--fetch-timeout=30000",
)  # fmt: skip


def install(client: Client) -> tuple[str, ...]:
    """The command that runs a client's program; skips the test where it cannot be installed here."""
    return _MANAGERS[client.manager](client)


def _need(*tools: str) -> None:
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"not installed here: {', '.join(missing)}")


def _of_these_checks(client: Client) -> tuple[str, ...]:
    return sys.executable, str(client.source)


def _of_the_system(client: Client) -> tuple[str, ...]:
    _need(*SHELL_TOOLS)
    return "bash", str(client.source)


def _venv(client: Client) -> tuple[str, ...]:
    lock = ROOT / client.lock
    python = _room(client, [lock], sys.version) / "bin" / "python"
    pip = (
        str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries=1",
        "--timeout=30", "--require-hashes", "--no-deps", "-r", str(lock),
    )  # fmt: skip
    _once(python.parents[1], [sys.executable, "-m", "venv", str(python.parents[1])], pip)
    return str(python), str(client.source)


def _npm(client: Client) -> tuple[str, ...]:
    _need("node", "npm", *filter(None, [client.browser]))
    lock = ROOT / client.lock
    files = [lock, lock.with_name("package.json")]
    room = _room(client, files, "")
    for file in files:
        room.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, room)
    _once(room, NPM)
    program = shutil.copy(client.source, room)  # modules are looked for beside the program
    return ("bash" if client.source.suffix == ".sh" else "node", str(program))


def _go(client: Client) -> tuple[str, ...]:
    _need("go")
    folder = client.source.parent
    room = _room(client, [client.source, folder / "go.mod", folder / "go.sum"], "")
    _once(room, ["go", "build", "-C", str(folder), "-mod=readonly", "-o", str(room / "client"), "."])
    return (str(room / "client"),)


def _maven(client: Client) -> tuple[str, ...]:
    _need("java", "javac", "mvn")
    lock = ROOT / client.lock
    room = _room(client, [client.source, lock], "")
    jars = (
        "mvn",
        "-q",
        "-B",
        "-f",
        str(lock),
        "dependency:copy-dependencies",
        f"-DoutputDirectory={room}/lib",
    )
    path = f"{room}/lib/*"
    _once(room, jars, ["javac", "-cp", path, "-d", str(room / "classes"), str(client.source)])
    return "java", "-cp", f"{room}/classes:{path}", client.source.stem


_MANAGERS: dict[str, Callable[[Client], tuple[str, ...]]] = {
    "checks": _of_these_checks,
    "system": _of_the_system,
    "venv": _venv,
    "npm": _npm,
    "go": _go,
    "maven": _maven,
}


def _room(client: Client, files: Iterable[Path], salt: str) -> Path:
    """A folder of the cache that belongs to exactly these files."""
    digest = hashlib.sha256(salt.encode())
    for file in files:
        digest.update(file.read_bytes())
    return CACHE / f"{client.folder}-{digest.hexdigest()[:12]}"


def _once(room: Path, *commands: Sequence[str]) -> None:
    """Run the commands that fill a room unless they have run; one that was broken off begins anew."""
    done = room / "installed.json"
    if done.exists():
        return
    room.mkdir(parents=True, exist_ok=True)
    for command in commands:
        ran = subprocess.run(
            command, cwd=room, capture_output=True, text=True, timeout=540, check=False, env=_plain()
        )
        if ran.returncode and (unreachable := NO_NETWORK.search(ran.stdout + ran.stderr)):
            pytest.skip(f"{command[0]} cannot reach its registry: {unreachable[0]}")
        assert ran.returncode == 0, f"{' '.join(command)}: {ran.stdout}{ran.stderr}"
    done.write_text(json.dumps([list(command) for command in commands]))


def _plain() -> dict[str, str]:
    """The environment without what would lead an interpreter elsewhere."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
