"""A world for `images/fetch`: a network namespace in which every address leads back to this process.

Run as `unshare --net --mount python -m tests.images.fetch_namespace FOLDER`; prints as JSON what came of each
request of `cases.json` and of each program of `programs.json`. Every IP address is this machine's here, so a
connection to a wrong one is seen and not lost: the listeners write down where each connection went. A name
server of our own lies as told in `NAMES`.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import picture
from tests.http.live import Live, live

PUBLIC, PUBLIC6 = "93.184.216.34", "2606:2800:220:1::34"
"""Where the only server is that may be asked; any other address is a trap."""

PORTS = (443, 80, 8080, 8443)
NEVER = b"never"

NAMES: dict[str, tuple[str, ...]] = {
    # What an A or AAAA question is answered, the n-th time the n-th entry, each a list with commas.
    "photos.example": (PUBLIC,),
    "six.example": (PUBLIC6,),
    "wrong.example": (PUBLIC,),  # not in the certificate
    "rebind.example": (PUBLIC, "10.0.0.5"),
    "mixed.example": (f"{PUBLIC},10.0.0.5",),
    "private.example": ("10.0.0.5",),
    "loopback.example": ("127.0.0.1",),
    "metadata.example": ("169.254.169.254",),
    "mapped.example": ("::ffff:10.0.0.5",),
    "nat64.example": ("64:ff9b::a00:5",),
    "sixtofour.example": ("2002:a00:5::1",),
    "teredo.example": ("2001:0:a00:5::1",),
    "unique.example": ("fd00:ec2::254",),
    "linklocal.example": ("fe80::1",),
    "silent.example": ("",),
}

PICTURE = picture(64, 48)


def in_namespace(
    folder: Path,
    *,
    cases: Sequence[Sequence[str]] = (),
    programs: Sequence[tuple[Sequence[str], dict[str, str]]] = (),
) -> Any:
    """What `main` tells of requests, each a list of addresses, and of programs with their environment.

    Skips the test where no namespace can be made.
    """
    if os.geteuid() or not all(map(shutil.which, ("unshare", "ip", "openssl"))):
        pytest.skip("a network namespace needs root, unshare, ip and openssl")
    if subprocess.run(["unshare", "--net", "--mount", "true"], capture_output=True).returncode:
        pytest.skip("this kernel lets us make no network namespace")
    (folder / "cases.json").write_text(json.dumps(cases))
    (folder / "programs.json").write_text(json.dumps(programs))
    ran = subprocess.run(
        ["unshare", "--net", "--mount", sys.executable, "-m", "tests.images.fetch_namespace", str(folder)],
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def main(folder: Path) -> None:
    """Build the world, ask each question of a server in it, tell what happened."""
    for command in (
        "ip link set lo up",
        "ip route add local 0.0.0.0/0 dev lo",
        "ip -6 route add local ::/0 dev lo",
        f"mount --bind {_written(folder / 'resolv.conf', 'nameserver 127.0.0.1')} /etc/resolv.conf",
    ):
        subprocess.run(command.split(), check=True)
    certificate = _certificate(folder)
    connections: list[str] = []
    for port in PORTS:
        _listen(port, certificate, connections)
    asked = _serve_names()
    cases = json.loads((folder / "cases.json").read_text())
    programs = json.loads((folder / "programs.json").read_text())
    with live(folder, SSL_CERT_FILE=str(certificate)) as server, ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda uris: _ask(server, uris), cases))
        said = [_run(server, folder, *program) for program in programs]
    told = {"answers": answers, "connections": connections, "names": asked, "said": said}
    json.dump(told, sys.stdout)


def _run(server: Live, folder: Path, command: list[str], environment: dict[str, str]) -> tuple[str, str]:
    """What a client's program says, and what it complains of."""
    where = {"VIDI": f"http://127.0.0.1:{server.port}", "HTTPS_URL": "https://photos.example/photo.png"}
    ran = subprocess.run(command, cwd=folder, env=environment | where, capture_output=True, text=True)
    return ran.stdout, ran.stderr[-4000:]


def _written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def _certificate(folder: Path) -> Path:
    """Key and certificate in one file; it vouches for itself."""
    path = folder / "server.pem"
    names = "subjectAltName=DNS:photos.example,DNS:six.example,DNS:rebind.example"
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=test "
        f"-addext {names} -keyout {path} -out {folder / 'cert.pem'}"
    )
    subprocess.run(command.split(), check=True, capture_output=True)
    path.write_text(path.read_text() + (folder / "cert.pem").read_text())
    return path


def _ask(server: Live, uris: list[str]) -> tuple[int, str]:
    """Status and text of a caption of the pictures at these addresses."""
    parts: list[object] = [{"fileData": {"fileUri": uri}} for uri in uris]
    body = json.dumps({"contents": [{"parts": [*parts, {"text": "Caption this."}]}]}).encode()
    url = f"http://127.0.0.1:{server.port}/v1beta/models/echo:generateContent"
    request = urllib.request.Request(url, body, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request) as reply:
            return 200, json.load(reply)["candidates"][0]["content"]["parts"][0]["text"]
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def _listen(port: int, certificate: Path, connections: list[str]) -> None:
    """Take every connection to the port, under whatever address, and answer only as the public server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    listener = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)

    def answer(connection: socket.socket) -> None:
        with suppress(OSError), connection, context.wrap_socket(connection, server_side=True) as secure:
            path = secure.recv(65536).split(b" ")[1].decode()
            for piece in _reply(path):
                secure.sendall(piece)

    def run() -> None:
        while True:
            connection, _ = listener.accept()
            address = ip_address(connection.getsockname()[0])
            connections.append(str(getattr(address, "ipv4_mapped", None) or address))
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    threading.Thread(target=run, daemon=True).start()


OK = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: image/png\r\n"
REPLIES: dict[str, tuple[bytes, bytes]] = {
    # What the public server says to a path, and what it goes on saying for ever.
    "/photo.png": (f"{OK}\r\n".encode() + PICTURE, b""),
    "/page": (f"{OK}\r\n<!doctype html><html>{'x' * 9000}".encode(), b""),
    "/endless": (f"{OK}\r\n".encode() + PICTURE, b"\0" * 65536),
    "/drip": (f"{OK}\r\n".encode() + PICTURE[:20], NEVER),
    "/headers": (OK.encode(), b"x-more: " + b"y" * 1000 + b"\r\n"),
    "/declared": (f"{OK}content-length: 30000000\r\n\r\n".encode() + PICTURE, b""),
    "/round": (b"HTTP/1.1 302 Found\r\nlocation: /about\r\ncontent-length: 0\r\n\r\n", b""),
    "/about": (b"HTTP/1.1 307 Moved\r\nlocation: /round\r\ncontent-length: 0\r\n\r\n", b""),
    "/gzip": (f"{OK}content-encoding: gzip\r\n\r\n".encode() + PICTURE, b""),
    "/broken": (b"nonsense\r\n\r\n", b""),
}
GONE = (b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", b"")


def _reply(path: str) -> Iterator[bytes]:
    """What the public server says to a path; `/to/X` leads on to X."""
    if path.startswith("/to/"):
        yield f"HTTP/1.1 302 Found\r\nlocation: {path[4:]}\r\ncontent-length: 0\r\n\r\n".encode()
        return
    once, again = REPLIES.get(path, GONE)
    yield once
    if again == NEVER:
        threading.Event().wait()
    while again:
        yield again


def _serve_names() -> dict[str, int]:
    """Answer DNS questions for addresses on port 53; counts the questions by name."""
    asked: dict[str, int] = defaultdict(int)
    turns: dict[tuple[str, int], int] = defaultdict(int)
    listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listener.bind(("127.0.0.1", 53))

    def run() -> None:
        while True:
            question, caller = listener.recvfrom(4096)
            name, end = _name(question)
            kind = int.from_bytes(question[end : end + 2], "big")
            asked[name] += 1
            echoed = question[12 : end + 4]
            if name not in NAMES:
                listener.sendto(question[:2] + b"\x81\x83\0\x01" + b"\0" * 6 + echoed, caller)
                continue
            given = NAMES[name][min(turns[name, kind], len(NAMES[name]) - 1)]
            turns[name, kind] += 1
            if not given:
                continue  # never answered
            wanted = 4 if kind == 1 else 6
            found = [ip_address(each) for each in given.split(",")]
            records = [
                b"\xc0\x0c"
                + question[end : end + 4]
                + b"\0\0\0\0"
                + len(each.packed).to_bytes(2, "big")
                + each.packed
                for each in found
                if each.version == wanted and kind in (1, 28)
            ]
            head = question[:2] + b"\x81\x80\0\x01" + len(records).to_bytes(2, "big") + b"\0\0\0\0"
            listener.sendto(head + echoed + b"".join(records), caller)

    threading.Thread(target=run, daemon=True).start()
    return asked


def _name(question: bytes) -> tuple[str, int]:
    """The name that is asked for, and where its type stands."""
    labels, at = [], 12
    while size := question[at]:
        labels.append(question[at + 1 : at + 1 + size].decode("latin-1").lower())
        at += size + 1
    return ".".join(labels), at + 1


if __name__ == "__main__":
    main(Path(sys.argv[1]))
