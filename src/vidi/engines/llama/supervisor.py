"""Keeps a model's process running: starts it, looks after it, and starts it again when it dies.

Who runs where: requests run on threads of their callers and only read where the process listens; one thread
(`_keep`) starts processes and waits for their end; one more for each process reads its log, so that a full
pipe never stops llama.cpp. `_changed` guards what they share and wakes who waits for it.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Generator, Iterable, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

from vidi.domain.errors import Unavailable
from vidi.engines.chat.connection import (
    TICK_SECONDS,
    ConnectFailed,
    ConnectionLost,
    Endpoint,
    HttpRefusal,
    post,
)

log = logging.getLogger(__name__)

NO_ENVIRONMENT: Mapping[str, str] = MappingProxyType({})

START_SECONDS = 600.0
"""How long a model may take to load; a large one comes from a slow disk."""

WAIT_SECONDS = 60.0
"""How long a request waits for a process that is being started again."""

_DEATHS = 2
"""How many deaths of its process a request may see; one that kills each is not tried for ever."""

_END_SECONDS = 3.0
_PING_PAUSE = 0.02
_KEPT_LINES = 5
_KEPT_CHARACTERS = 600
_LOGGED = re.compile(r"(?:[\d.]+ ([A-Z]) +)?(.*)")
"""A line of llama.cpp's log: the time, the level and what it says; other lines have neither of the two."""


# Here and not in `process`, which imports llama.cpp: a server must not load what may bring it down.
@dataclass(frozen=True, slots=True)
class Launch:
    """How to run a model.

    Attributes:
        text: Path of the language model (GGUF).
        vision: Path of the vision encoder and projector (GGUF).
        context: Longest prompt and answer together, in tokens, of one request.
        slots: How many requests are answered at the same time.
        threads: How many threads may be busy.
        min_image_tokens, max_image_tokens: Bounds on one picture's tokens; -1 leaves them to the file.
        memory: Most address space in bytes; 0 for no limit.
        key: What callers of its listener must show.
    """

    text: str
    vision: str
    context: int
    slots: int
    threads: int
    min_image_tokens: int = -1
    max_image_tokens: int = -1
    memory: int = 0
    key: str = ""

    def pack(self) -> bytes:
        """The message."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def unpack(cls, message: str) -> Launch:
        """Read the message; ValueError or TypeError if it is not one."""
        return cls(**json.loads(message))


@dataclass(frozen=True, slots=True)
class Pace:
    """How a supervisor goes about its work, in seconds.

    Attributes:
        first_pause: Before a dead process is started again; doubled each time it dies young.
        longest_pause: To which that grows at most.
        stable_after: A process that lived so long is started again after `first_pause`.
        ping_every: How often a process is asked whether it still answers, and how long it may take to.
        missed_pings: After so many pings without an answer it is taken for hung and killed.
    """

    first_pause: float = 0.1
    longest_pause: float = 30.0
    stable_after: float = 60.0
    ping_every: float = 10.0
    missed_pings: int = 3


class Supervisor:
    """One model's process for the life of its engine."""

    def __init__(
        self,
        launch: Launch,
        name: str,
        pace: Pace = Pace(),
        environment: Mapping[str, str] = NO_ENVIRONMENT,
    ) -> None:
        """Start the process, and wait until it listens.

        Args:
            launch: What to run; each process gets a key of its own.
            name: Of the model, for messages.
            pace: How soon it is started again, and how soon it is taken for hung.
            environment: Of its processes, the whole of it.

        Raises:
            Unavailable: It does not start; says what llama.cpp said.
        """
        self._launch = launch
        self._name = name
        self._pace = pace
        self._environment = environment
        self._changed = threading.Condition()
        self._endpoint: Endpoint | None = None
        self._process: subprocess.Popen[str] | None = None
        self._first_lines: list[str] = []
        self._last_lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._failure = ""
        self._starts = 0
        self._closed = False
        self._keep_thread = threading.Thread(target=self._keep, name=f"{name} supervisor", daemon=True)
        self._keep_thread.start()
        try:
            with closing(self.endpoint(START_SECONDS)) as waiting:
                for endpoint in waiting:
                    if endpoint is not None:
                        break
        except Unavailable:
            self.close()
            raise

    @property
    def starts(self) -> int:
        """How many times the process has been started."""
        return self._starts

    @property
    def listens(self) -> bool:
        """Whether requests can be sent to the process now."""
        return self._endpoint is not None

    @property
    def pid(self) -> int | None:
        """The process's number; None while there is none."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def endpoint(
        self, seconds: float = WAIT_SECONDS, *, dead: Endpoint | None = None
    ) -> Generator[Endpoint | None, None, None]:
        """Wait for the process: yields None for every tick of waiting, and last where it listens.

        Args:
            seconds: How long to wait.
            dead: Where nobody was found; another is waited for.

        Raises:
            Unavailable: It cannot be started, or not in time.
        """
        until = time.monotonic() + seconds
        while True:
            with self._changed:
                if self._endpoint in (None, dead) and not self._failure and not self._closed:
                    self._changed.wait(TICK_SECONDS)
                endpoint, failure, closed = self._endpoint, self._failure, self._closed
            if endpoint is not None and endpoint != dead:
                yield endpoint
                return
            if failure or closed or time.monotonic() > until:
                raise Unavailable(failure or f"{self._name} is not running. Try again.", retry_after=5.0)
            yield None

    def post(self, path: str, body: bytes) -> Generator[bytes, None, None]:
        """Send the process a request, as `connection.post` does, waiting for it if it is being started.

        A request that a dying process took with it is sent to the next one, for it may have come while the
        process died over another. It is not sent a third time: it may be what kills them.

        Raises:
            HttpRefusal: It answered with another status than 200.
            Unavailable: It cannot be started, or died over this request: in the middle of its answer, or
                twice before it.
        """
        dead: Endpoint | None = None
        deaths = 0
        while True:
            dead = yield from self._reached(dead)
            answered = False
            try:
                with closing(post(dead, path, body)) as parts:
                    for part in parts:
                        answered = answered or bool(part)
                        yield part
                return
            except ConnectFailed:
                # It died, and `_keep` has not seen it yet: nothing was asked, so nothing is lost.
                continue
            except ConnectionLost:
                deaths += 1
                if answered or deaths == _DEATHS:
                    raise _lost(self._name) from None

    def _reached(self, dead: Endpoint | None) -> Generator[bytes, None, Endpoint]:
        """Wait for the process; yields b"" meanwhile, and returns where it listens."""
        with closing(self.endpoint(dead=dead)) as waiting:
            for found in waiting:
                if found is not None:
                    return found
                yield b""
        raise _lost(self._name)

    def close(self) -> None:
        """End the process, and the thread that keeps it."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            process = self._process
        if process is not None:
            _end(process)
        self._keep_thread.join(timeout=_END_SECONDS)

    def _keep(self) -> None:
        pace, pause = self._pace, self._pace.first_pause
        while True:
            began = time.monotonic()
            started = self._run()
            if self._is_closed():
                return
            if not started and self._starts == 1:
                # It never ran here: wrong files or too little memory, which no further try mends.
                self._fail()
                return
            pause = pace.first_pause if time.monotonic() - began > pace.stable_after else pause
            self._report(started, pause)
            with self._changed:
                self._changed.wait_for(lambda: self._closed, pause)
            pause = min(2 * pause, pace.longest_pause)

    def _report(self, started: bool, pause: float) -> None:
        lines = _joined(self._last_lines)
        log.error("%s died; starting it again in %.1f s. Its last words: %s", self._name, pause, lines)
        if not started:
            self._fail()

    def _fail(self) -> None:
        with self._changed:
            self._failure = (
                f"{self._name} does not start. llama.cpp says: {self._cause()} "
                f"Pull the model again (`vidi pull {self._name}`), or give it more memory."
            )
            self._changed.notify_all()

    def _cause(self) -> str:
        """llama.cpp's first errors, from which the rest follow; callers are not told where files lie."""
        text, vision = self._launch.text, self._launch.vision
        return _joined(
            line.replace(text, Path(text).name).replace(vision, Path(vision).name)
            for line in self._first_lines
        )

    def _run(self) -> bool:
        """Start a process and stay with it until it ends; tells whether it ever listened."""
        launch = replace(self._launch, key=secrets.token_urlsafe(32))
        self._first_lines.clear()
        self._last_lines.clear()
        try:
            process = _spawn(self._environment)
        except OSError as error:
            # The system has no memory or no process to give; it may have at the next try.
            self._starts += 1
            self._keep_line(f"no process can be started: {error.strerror}")
            return False
        listener = threading.Thread(target=self._listen, args=(process,), daemon=True)
        listener.start()
        with self._changed:
            self._process = process
            self._starts += 1
        if self._is_closed():
            _end(process)  # `close` came before it could see this process.
        address = _hand_over(process, launch)
        if address:
            parts = urlsplit(address)
            endpoint = Endpoint(parts.hostname or "127.0.0.1", parts.port or 0, launch.key)
            # It listens a moment before it takes requests.
            while process.poll() is None and not self._answers_ping(endpoint):
                time.sleep(_PING_PAUSE)
            self._set_endpoint(endpoint)
            self._watch(process, endpoint)
        # Requests must not be sent there any more before the port can be anybody's again.
        self._set_endpoint(None)
        _end(process)
        listener.join(_END_SECONDS)
        return bool(address)

    def _is_closed(self) -> bool:
        with self._changed:
            return self._closed

    def _set_endpoint(self, endpoint: Endpoint | None) -> None:
        with self._changed:
            self._endpoint = endpoint
            self._failure = "" if endpoint is not None else self._failure
            self._changed.notify_all()

    def _watch(self, process: subprocess.Popen[str], endpoint: Endpoint) -> None:
        """Wait for the process's end; a process that no longer answers is killed."""
        missed = 0
        while missed < self._pace.missed_pings:
            try:
                process.wait(self._pace.ping_every)
            except subprocess.TimeoutExpired:
                # One may be missed while a long prompt is read; several in a row are a hang.
                missed = 0 if self._answers_ping(endpoint) else missed + 1
            else:
                return
        log.error("%s no longer answers and is killed", self._name)
        process.kill()
        process.wait()

    def _answers_ping(self, endpoint: Endpoint) -> bool:
        until = time.monotonic() + self._pace.ping_every
        try:
            with closing(post(endpoint, "/tokenize", b'{"content":""}')) as parts:
                return all(part or time.monotonic() < until for part in parts)
        except (ConnectFailed, ConnectionLost, HttpRefusal):
            return False

    def _listen(self, process: subprocess.Popen[str]) -> None:
        """Keep the last of what llama.cpp writes to its log."""
        assert process.stderr is not None
        with process.stderr as lines:
            for line in lines:
                log.debug("%s: %s", self._name, line.rstrip())
                logged = _LOGGED.match(line.strip())
                if logged and logged[2] and logged[1] != "W":  # A warning is never why it died.
                    self._keep_line(" ".join(logged[2].split()))

    def _keep_line(self, line: str) -> None:
        self._last_lines.append(line)
        if len(self._first_lines) < _KEPT_LINES and line not in self._first_lines:
            self._first_lines.append(line)


def _joined(lines: Iterable[str]) -> str:
    return "; ".join(lines)[:_KEPT_CHARACTERS] or "nothing."


def _lost(name: str) -> Unavailable:
    return Unavailable(
        f"{name} stopped in the middle of this request and is being started again. Please try again.",
        retry_after=1.0,
    )


def _spawn(environment: Mapping[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "vidi.engines.llama.process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env=environment,
    )


def _hand_over(process: subprocess.Popen[str], launch: Launch) -> str:
    """Tell the process what to run; gives where it listens, "" if it died over it."""
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(launch.pack().decode())
        process.stdin.flush()
        return process.stdout.readline().strip()
    except (OSError, ValueError):  # It died, or was ended meanwhile.
        return ""


def _end(process: subprocess.Popen[str]) -> None:
    """End a process and let go of its pipes."""
    process.terminate()
    try:
        process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except OSError:
                log.debug("a pipe to a dead process broke")
