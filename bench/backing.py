"""What several servers share, started on this machine: PostgreSQL and an S3 server."""

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
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
from psycopg.sql import SQL, Identifier

START_SECONDS = 300.0
"""What has not started by then never will, however busy the machine is."""

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
    variables: Mapping[str, str] | None = None
    process: subprocess.Popen[bytes] | None = None

    def launch(self) -> None:
        """Start it, and do not wait."""
        with (self.folder / "output").open("ab") as output:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.folder,
                stdout=output,
                stderr=output,
                user=self.user,
                env=self.variables,
            )

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        self.launch()
        self.wait()

    def wait(self) -> None:
        """Wait until it takes connections.

        Raises:
            OSError: It has ended.
        """
        assert self.process is not None
        end = time.monotonic() + START_SECONDS
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > end:
                said = (self.folder / "output").read_text(errors="replace")[-2000:]
                raise OSError(f"{self.command[0]} did not start: {said}")
            time.sleep(0.02)

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(START_SECONDS)

    def running(self) -> psutil.Process:
        """Its process."""
        assert self.process is not None
        return psutil.Process(self.process.pid)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """It and its children stand still: connections are taken and nothing is answered."""
        parent = self.running()
        stopped = [parent, *parent.children(recursive=True)]
        for process in stopped:
            process.suspend()
        try:
            yield
        finally:
            for process in stopped:
                process.resume()

    def answers(self) -> bool:
        """Whether it takes connections."""
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False


def _postgres_folder() -> Path | None:
    found = shutil.which("postgres")
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return Path(found).parent if found else next(iter(folders), None)


@contextmanager
def postgres() -> Iterator[Program]:
    """A PostgreSQL of its own.

    Raises:
        FileNotFoundError: None is installed.
    """
    programs = _postgres_folder()
    if programs is None:
        raise FileNotFoundError("needs PostgreSQL: apt-get install postgresql")
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
        # Without syncs: nobody cuts the power here, and the disk has other work.
        command = [programs / "postgres", "-D", folder / "data", "-p", port, "-k", folder, "-c", "fsync=off"]
        server = Program([str(word) for word in command], port, folder, user)
        server.start()
        try:
            yield server
        finally:
            server.stop(signal.SIGQUIT)


def go_program(module: str, name: str) -> str | None:
    """A program of a Go module, built once and kept; None where it cannot be built."""
    kept = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "vidi-tests"
    # The version is part of the name: another one is built anew.
    program = kept / f"{name}-{module.rpartition('@')[2]}"
    go = shutil.which("go")
    if go and not program.exists():
        kept.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept) as fresh:
            built = {**os.environ, "GOBIN": fresh, "GOFLAGS": "-modcacherw"}
            subprocess.run([go, "install", module], env=built, check=False, capture_output=True)
            for made in Path(fresh).iterdir():
                made.replace(program)
    return str(program) if program.exists() else None


def _s3_command(port: int, program: str | None) -> list[str]:
    """gofakes3; without Go moto, which is slower."""
    if program is None:
        return [sys.executable, "-m", "moto.server", "-p", str(port)]
    return [program, "-host", f"127.0.0.1:{port}", "-backend", "memory", "-initialbucket", "vidi"]


@contextmanager
def s3() -> Iterator[Program]:
    """An S3 server with a bucket `vidi`, which is gone with it."""
    with tempfile.TemporaryDirectory(prefix="vidi-s3-") as temporary:
        port = free_port()
        program = go_program(GOFAKES3, "gofakes3")
        server = Program(_s3_command(port, program), port, Path(temporary))
        server.start()
        try:
            if program is None:
                # moto begins without a bucket.
                made = urllib.request.Request(f"http://127.0.0.1:{port}/vidi", method="PUT")
                urllib.request.urlopen(made).close()
            yield server
        finally:
            server.stop()


def new_database(server: Program) -> str:
    """An empty database in a PostgreSQL that may still be starting; returns its URL."""
    name = f"d{secrets.token_hex(8)}"
    url = f"postgresql://vidi@127.0.0.1:{server.port}"
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            with psycopg.connect(f"{url}/postgres", autocommit=True) as connection:
                connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
            return f"{url}/{name}"
        except psycopg.OperationalError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
