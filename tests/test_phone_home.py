"""Nothing phones home: what every program of Vidi's does, seen from outside it.

Two watchers that know nothing of each other. `strace` sees each connection, look-up and file of every process
and library. A network of its own, whose only way out is counted, needs no strace and sees each packet.
Both are shown first that they catch who does phone home.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from platformdirs import user_cache_path

from tests.conftest import picture
from tests.model.pulling import SHAPES
from tests.waiting import HANG_SECONDS
from vidi.engines.lite.weights.assets import Weights

pytestmark = pytest.mark.slow

VIDI = (sys.executable, "-m", "vidi.cli.main")

SERVED = """
import subprocess, sys, urllib.request, json, base64, re
photo, *command = sys.argv[1:]
server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
greeting = (re.search(r"BASE_URL=http://127.0.0.1:([0-9]+)", line) for line in server.stderr)
port = next(found[1] for found in greeting if found)
data = base64.b64encode(open(photo, "rb").read()).decode()
parts = [{"text": "Caption this image."}, {"inlineData": {"mimeType": "image/png", "data": data}}]
for _ in range(3):
    body = json.dumps({"contents": [{"parts": parts}]}).encode()
    url = f"http://127.0.0.1:{port}/v1beta/models/gemini-3-flash-preview:generateContent"
    request = urllib.request.Request(url, body, {"content-type": "application/json"})
    assert b"candidates" in urllib.request.urlopen(request).read()
server.terminate()
server.stderr.read()
"""
"""Serves, asks for three captions and stops: the photo, then the command."""

LOOKS_UP = "import socket\ntry: socket.getaddrinfo('telemetry.example', 443)\nexcept OSError: pass"
CONNECTS = (
    "import socket\ns = socket.socket(type=socket.SOCK_DGRAM)\n"
    "try: s.sendto(b'me', ('192.0.2.1', 443))\nexcept OSError: pass"
)
REPORTS = "import onnxruntime"
"""Without Vidi, it writes a device id into the user's cache."""

ADDRESS = re.compile(r'sa_family=AF_INET6?, sin6?_port=htons\((\d+)\).*?(?:inet_addr\("|AF_INET6, ")([^"]+)"')
RESOLVER = re.compile(r'connect\(\d+, \{sa_family=AF_UNIX, sun_path="([^"]*(?:resolve|dbus)[^"]*)"')
OPENED = re.compile(r'openat\((?:AT_FDCWD|\d+)(?:<([^>]*)>)?, "([^"]*)", ([A-Z_|0-9]+)')
MADE = re.compile(r'(?:mkdir|mkdirat|rename|renameat2?|link|symlink)\((?:AT_FDCWD(?:<[^>]*>)?, )?"([^"]*)"')


@dataclass(frozen=True, slots=True)
class Seen:
    """What strace saw that must not be: addresses elsewhere, look-ups, files outside the own directories."""

    reached: list[str] = field(default_factory=list)
    written: list[str] = field(default_factory=list)


def traced(folder: Path, own: Sequence[Path], *command: str | Path) -> Seen:
    """Run a command under strace; `own` are the directories that it may write to."""
    log = folder / "strace.txt"
    calls = "connect,sendto,sendmsg,sendmmsg,openat,mkdir,mkdirat,rename,renameat,renameat2,link,symlink"
    flags = ["-f", "-qq", "-y", "-s", "4096", "-e", f"trace={calls}", "-o", log]
    _run(["strace", *map(str, flags), *command], folder)
    seen = Seen()
    for line in log.read_text(errors="replace").splitlines():
        for port, host in ADDRESS.findall(line):
            if port == "53" or not host.startswith(("127.", "::1", "::ffff:127.")):
                seen.reached.append(f"{host} port {port}")
        seen.reached.extend(RESOLVER.findall(line))
        # What failed to be opened was meant to be written all the same, but asks like mkdir -p do no harm.
        seen.written.extend(path for path in _written(line) if not _is_own(path, own))
    return seen


def _written(line: str) -> Iterator[str]:
    opened = OPENED.search(line)
    if opened and re.search(r"O_CREAT|O_WRONLY|O_RDWR", opened[3]):
        yield str(Path(opened[1] or "/") / opened[2])
    made = MADE.search(line)
    if made and "EEXIST" not in line:
        yield made[1]


def _is_own(path: str, own: Sequence[Path]) -> bool:
    # Devices and a process's own settings are no files; memory that is shared is not kept.
    # The folders above its own are made where there are none.
    return path.startswith(("/dev/", "/proc/")) or any(
        Path(path).is_relative_to(each) or each.is_relative_to(path) for each in own
    )


ROUTES = """
set -e
ip link set lo up
sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1 || true
ip link add out type veth peer name there
ip addr add 192.0.2.2/24 dev out; ip link set out up; ip link set there up
ip neigh add 192.0.2.9 lladdr 02:00:00:00:00:09 dev out
ip route add default via 192.0.2.9
echo "nameserver 192.0.2.9" > "$1/resolv.conf"; mount --bind "$1/resolv.conf" /etc/resolv.conf
sent() { awk '$1 == "out:" { print $11 }' /proc/self/net/dev; }
before=$(sent); folder=$1; shift
"$@"
echo $(($(sent) - before)) > "$folder/packets.txt"
"""
"""A network with loopback and a way out to nowhere; the packets that take it are counted."""

NAMESPACES = ("unshare", "--map-root-user", "--net", "--mount")


def packets_out(folder: Path, *command: str | Path) -> int:
    """Run a command in a network of its own; gives the packets that wanted to leave the machine."""
    _run([*NAMESPACES, "bash", "-c", ROUTES, "bash", folder, *command], folder)
    return int((folder / "packets.txt").read_text())


def _run(command: Sequence[str | Path], folder: Path) -> None:
    """Everything that a user may have set is gone; what switches telemetry off by chance is too."""
    kept = {"PATH", "LANG", "LC_ALL", "VIRTUAL_ENV"}
    environment = {name: value for name, value in os.environ.items() if name in kept}
    # Byte code of Python's own is nothing that Vidi writes.
    environment |= {
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "tmp"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    for made in ("home", "tmp"):
        (folder / made).mkdir(exist_ok=True)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=HANG_SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def strace() -> None:
    """Skips where processes cannot be traced."""
    if (
        shutil.which("strace") is None
        or subprocess.run(["strace", "-o", os.devnull, "true"], check=False).returncode
    ):
        pytest.skip("needs strace, and leave to trace processes")


@pytest.fixture
def network(tmp_path: Path) -> None:
    """Skips where no network of one's own can be had."""
    try:
        packets_out(tmp_path, "true")
    except (AssertionError, OSError):
        pytest.skip("needs unshare and iproute2, and leave to make a network namespace")


Command = Callable[[Path], Sequence[str | Path]]
"""Gives a command, everything of which lies in a folder."""


def _photo(folder: Path) -> Path:
    path = folder / "photo.png"
    path.write_bytes(picture(320, 240))
    return path


def _help(folder: Path) -> Sequence[str | Path]:
    return (*VIDI, "--help")


def _doctor(folder: Path) -> Sequence[str | Path]:
    return (*VIDI, "doctor")


def _serve_echo(folder: Path) -> Sequence[str | Path]:
    return _serve(folder, "echo")


def _serve_lite(folder: Path) -> Sequence[str | Path]:
    _lend_weights(folder)
    return _serve(folder, "vidi-lite")


def _serve_shapes(folder: Path) -> Sequence[str | Path]:
    _run([*VIDI, "pull", SHAPES, "--yes"], folder)
    return _serve(folder, "shapes")


def _detect(folder: Path) -> Sequence[str | Path]:
    _lend_weights(folder)
    return (*VIDI, "detect", _photo(folder), "--model", "vidi-lite", "--draw", folder / "home/boxes.png")


def _pull(folder: Path) -> Sequence[str | Path]:
    return (*VIDI, "pull", SHAPES, "--yes")


def _lend_weights(folder: Path) -> None:
    """The weights that `real_weights` has seen to."""
    cache = folder / "home/.cache/vidi"
    cache.mkdir(parents=True)
    shutil.copytree(
        Path(os.environ.get("VIDI_CACHE_DIR") or user_cache_path("vidi")) / "vidi-lite", cache / "vidi-lite"
    )


def _serve(folder: Path, model: str) -> Sequence[str | Path]:
    served = (*VIDI, "serve", "--port", "0", "--model", model)
    return (sys.executable, "-c", SERVED, _photo(folder), *served)


PROGRAMS = (_help, _doctor, _serve_echo, _serve_lite, _serve_shapes, _detect, _pull)
NEEDS_WEIGHTS, NEEDS_LLAMA = (_serve_lite, _detect), (_serve_shapes, _pull)


@pytest.fixture(params=PROGRAMS, ids=lambda program: program.__name__.strip("_"))
def program(request: pytest.FixtureRequest) -> Command:
    """One after the other, with what it needs."""
    if request.param in NEEDS_WEIGHTS:
        found: Weights = request.getfixturevalue("real_weights")
        assert found.detector.exists()
    if request.param in NEEDS_LLAMA:
        pytest.importorskip("xllamacpp", reason="needs the extra `llama`")
    chosen: Command = request.param
    return chosen


@pytest.mark.usefixtures("strace")
def test_no_process_reaches_out_or_writes_elsewhere(program: Command, tmp_path: Path) -> None:
    """Vidi's own directories are its cache and its data; temporary files are gone at the end."""
    command = program(tmp_path)
    home = tmp_path / "home"
    own = [home / ".cache/vidi", home / ".local/share/vidi", home / "boxes.png", tmp_path / "tmp"]
    assert traced(tmp_path, own, *command) == Seen()
    left = [path for path in (tmp_path / "tmp").rglob("*") if path.is_file()]
    assert not left


@pytest.mark.usefixtures("network")
def test_no_packet_leaves_the_machine(program: Command, tmp_path: Path) -> None:
    assert packets_out(tmp_path, *program(tmp_path)) == 0


@pytest.mark.usefixtures("strace")
def test_strace_catches_who_phones_home(tmp_path: Path) -> None:
    for code in (LOOKS_UP, CONNECTS):
        assert traced(tmp_path, [tmp_path], sys.executable, "-c", code).reached
    reported = traced(tmp_path, [tmp_path / "tmp"], sys.executable, "-c", REPORTS).written
    assert any("deviceid" in path for path in reported), "onnxruntime reports no more: drop what stops it"


@pytest.mark.usefixtures("network")
def test_the_network_catches_who_phones_home(tmp_path: Path) -> None:
    for code in (LOOKS_UP, CONNECTS):
        assert packets_out(tmp_path, sys.executable, "-c", code) > 0
