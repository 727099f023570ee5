"""What a shared storage stands on, started by the tests themselves: PostgreSQL, and an S3 server."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import psycopg
import pytest

from tests.waiting import HANG_SECONDS, until
from vidi.files.s3 import BlobCache, S3Blobs, open_bucket

if TYPE_CHECKING:
    from obstore.store import S3Config

GOFAKES3 = "github.com/johannesboyne/gofakes3/cmd/gofakes3@v1.2.0"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Program:
    """A server of somebody else's, which can be frozen, killed and started again on its port."""

    command: Sequence[str]
    port: int
    folder: Path
    user: str | None = None
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.folder / "output").open("ab") as output:
            self.process = subprocess.Popen(
                self.command, cwd=self.folder, stdout=output, stderr=output, user=self.user
            )
        until(self._answers)

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(HANG_SECONDS)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """It and its children stand still: connections are taken and nothing is answered."""
        assert self.process is not None
        parent = psutil.Process(self.process.pid)
        stopped = [parent, *parent.children(recursive=True)]
        for process in stopped:
            process.suspend()
        try:
            yield
        finally:
            for process in stopped:
                process.resume()

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "output").read_text()[-2000:]
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False


def _postgres_folder() -> Path | None:
    found = shutil.which("postgres")
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return Path(found).parent if found else next(iter(folders), None)


@contextmanager
def postgres() -> Iterator[Program]:
    """A PostgreSQL of its own; skips the test where none is installed."""
    programs = _postgres_folder()
    if programs is None:
        pytest.skip("needs PostgreSQL: apt-get install postgresql")
    # It refuses to run as root.
    user = "postgres" if os.getuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="vidi-pg-") as temporary:
        folder = Path(temporary)
        if user:
            os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
        made = ["--auth=trust", "--username=vidi", "--no-sync", "--encoding=UTF8", "--no-instructions"]
        subprocess.run(
            [programs / "initdb", *made, f"--pgdata={folder / 'data'}"],
            check=True,
            stdout=subprocess.DEVNULL,
            user=user,
            cwd=folder,
        )
        port = free_port()
        # Without syncs: no test cuts the power, and the disk has other work.
        command = [programs / "postgres", "-D", folder / "data", "-p", port, "-k", folder, "-c", "fsync=off"]
        server = Program([str(word) for word in command], port, folder, user)
        server.start()
        try:
            yield server
        finally:
            server.stop(signal.SIGQUIT)


def new_database(server: Program) -> str:
    """An empty database; returns its URL."""
    name = f"d{secrets.token_hex(8)}"
    url = f"postgresql://vidi@127.0.0.1:{server.port}"
    end = time.monotonic() + HANG_SECONDS
    while True:
        try:
            with psycopg.connect(f"{url}/postgres", autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE {name}")
            return f"{url}/{name}"
        except psycopg.OperationalError:
            assert time.monotonic() < end
            time.sleep(0.05)


def _s3_command(port: int) -> list[str]:
    """gofakes3, built once by Go and kept; else moto, which is slower and needs nothing."""
    kept = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "vidi-tests"
    program = shutil.which("gofakes3") or str(kept / "gofakes3")
    go = shutil.which("go")
    if go and not Path(program).exists():
        built = {**os.environ, "GOBIN": str(kept), "GOFLAGS": "-modcacherw"}
        subprocess.run([go, "install", GOFAKES3], env=built, check=False, capture_output=True)
    if Path(program).exists():
        return [program, "-host", f"127.0.0.1:{port}", "-backend", "memory", "-initialbucket", "vidi"]
    return [sys.executable, "-m", "moto.server", "-p", str(port)]


@contextmanager
def s3() -> Iterator[Program]:
    """An S3 server with a bucket `vidi`, which is gone with it."""
    with tempfile.TemporaryDirectory(prefix="vidi-s3-") as temporary:
        port = free_port()
        server = Program(_s3_command(port), port, Path(temporary))
        server.start()
        try:
            yield server
        finally:
            server.stop()


def s3_config(port: int) -> S3Config:
    """How `open_bucket` reaches an S3 server; any credentials will do."""
    return {
        "endpoint": f"http://127.0.0.1:{port}",
        "access_key_id": "test",
        "secret_access_key": "test",
        "region": "us-east-1",
    }


def new_bucket(server: Program, cache: Path, cache_bytes: int = 1 << 24) -> S3Blobs:
    """An empty store, in a prefix of its own."""
    cache.mkdir(parents=True, exist_ok=True)
    store = open_bucket(f"s3://vidi/{secrets.token_hex(8)}", **s3_config(server.port))
    return S3Blobs(store, BlobCache(cache, cache_bytes))
