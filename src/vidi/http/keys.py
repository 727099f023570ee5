"""Keys of callers: which are valid now, what each may use, and what each has used.

A key is kept as its SHA-256 alone. Whoever made it a long random one needs nothing slower: there is nothing
to guess. What a key uses is counted by the day (UTC) in memory, and written down every second.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from vidi.domain.errors import PermissionDenied, QuotaExceeded, QuotaViolation
from vidi.storage.clock import Clock
from vidi.storage.disk import PosixDisk
from vidi.storage.errors import opening, storage_faults
from vidi.storage.sql import SqlDatabase
from vidi.storage.threads import StorageThreads
from vidi.wire.errors import expired_key, invalid_key

SAVE_EVERY = timedelta(seconds=1)
"""How much usage a killed server may forget."""

KEPT_DAYS = 400
"""How long usage is kept: a year and the month that a person takes to look at it."""

USAGE_FILE = "usage.sqlite3"
"""In the data directory."""

MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class Key:
    """A key that opens the server.

    Attributes:
        name: For people, logs and usage.
        owner: Whose files and interactions come with it.
        sha256: Of the secret, in hex.
        requests_per_minute: Most in any 60 seconds; None: no limit, as for the others.
        tokens_per_day: Of prompts and answers, from midnight to midnight UTC.
        stored_bytes: Of all its files and open uploads.
        models: Ids that it may ask, as it would write them; none: all.
        expires: From this moment on it opens nothing (aware).
    """

    name: str
    owner: str
    sha256: str
    requests_per_minute: int | None = None
    tokens_per_day: int | None = None
    stored_bytes: int | None = None
    models: tuple[str, ...] = ()
    expires: datetime | None = None

    @classmethod
    def of_secret(cls, secret: str) -> Key:
        """A key without a name or limits: its digest stands for both name and owner."""
        digest = sha256_hex(secret)
        return cls(f"key-{digest[:8]}", digest[:16], digest)

    def may_ask(self, model: str, answered_by: str) -> bool:
        """Whether it may ask for `model`, which the model `answered_by` answers."""
        return not self.models or model in self.models or answered_by in self.models


def sha256_hex(secret: str) -> str:
    """What is kept of a key."""
    return hashlib.sha256(secret.encode()).hexdigest()


def no_keys() -> None:
    """What an open server loads."""


class KeyRing:
    """The keys that are valid now. May be asked from any thread."""

    def __init__(self, load: Callable[[], Sequence[Key] | None], clock: Clock) -> None:
        """Load the keys; None means that the server is open.

        Raises:
            What `load` raises.
        """
        self._load = load
        self._clock = clock
        self.locked = False
        """Whether callers need keys. A server that was locked stays so until it ends, whatever is revoked."""
        self.reload()

    def reload(self) -> int:
        """Load the keys anew and return how many there are; what an error ends leaves all as it was.

        Raises:
            What `load` raises.
        """
        keys = self._load()
        self._by_digest = {key.sha256: key for key in keys or ()}
        self._by_owner = {key.owner: key for key in keys or ()}
        self.locked = self.locked or keys is not None
        return len(self._by_digest)

    def find(self, secret: str) -> Key:
        """The key of this secret. It is looked up by digest, so the time tells nothing of others.

        Raises:
            InvalidRequest: There is none, or its time is over.
        """
        key = self._by_digest.get(sha256_hex(secret))
        if key is None:
            raise invalid_key()
        if self._is_over(key):
            raise expired_key()
        return key

    def is_owner(self, owner: str) -> bool:
        """Whether a valid key has this owner; on an open server anybody is one."""
        key = self._by_owner.get(owner)
        return not self.locked or (key is not None and not self._is_over(key))

    def stored_bytes(self, owner: str) -> int | None:
        """How many bytes an owner may keep, if that is limited."""
        key = self._by_owner.get(owner)
        return key.stored_bytes if key else None

    def _is_over(self, key: Key) -> bool:
        return key.expires is not None and key.expires <= self._clock()


@dataclass(frozen=True, slots=True)
class DayUsage:
    """What one key used on one day; tokens as in the answers' `usageMetadata`."""

    requests: int = 0
    prompt_tokens: int = 0
    output_tokens: int = 0

    @property
    def tokens(self) -> int:
        """Of prompts and answers together."""
        return self.prompt_tokens + self.output_tokens

    def __add__(self, other: DayUsage) -> DayUsage:
        return DayUsage(
            self.requests + other.requests,
            self.prompt_tokens + other.prompt_tokens,
            self.output_tokens + other.output_tokens,
        )


SCHEMA = """
BEGIN IMMEDIATE;
CREATE TABLE usage (
    day TEXT NOT NULL, key TEXT NOT NULL,
    requests INTEGER NOT NULL, prompt_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL,
    PRIMARY KEY (day, key)
) WITHOUT ROWID;
PRAGMA user_version = 1;
COMMIT;
"""

Days = Mapping[tuple[str, str], DayUsage]
"""By day, as 2026-11-29 (UTC), and the key's name."""


class UsageStore:
    """Usage in a SQLite file, which a server writes and anybody may read beside it."""

    def __init__(self, path: Path) -> None:
        """Open the file, or make it.

        Raises:
            OSError: It cannot be opened, or a newer version made it.
        """
        self._database = SqlDatabase(path, (SCHEMA,))

    def close(self) -> None:
        self._database.close()

    def since(self, day: str) -> Days:
        """All usage from a day on, in order."""
        rows = self._database.read("SELECT * FROM usage WHERE day >= ? ORDER BY day, key", (day,))
        return {
            (row["day"], row["key"]): DayUsage(row["requests"], row["prompt_tokens"], row["output_tokens"])
            for row in rows
        }

    def put(self, days: Days, forget_before: str) -> None:
        """Replace these days of these keys, and forget what is old."""
        with self._database.transaction() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO usage VALUES (?, ?, ?, ?, ?)",
                [
                    (day, key, used.requests, used.prompt_tokens, used.output_tokens)
                    for (day, key), used in days.items()
                ],
            )
            connection.execute("DELETE FROM usage WHERE day < ?", (forget_before,))


@dataclass(slots=True)
class _Window:
    """The times of a key's requests in the last minute."""

    times: deque[float] = field(default_factory=deque)

    def seconds_until_free(self, now: float, limit: int) -> float:
        """How long until one more fits; 0 for now."""
        while self.times and self.times[0] <= now - MINUTE:
            self.times.popleft()
        if len(self.times) < limit:
            return 0.0
        return self.times[len(self.times) - limit] + MINUTE - now


class UsageBook:
    """Counts what each key uses, and refuses what is over its limits. For the event loop, but for `save`.

    A request is counted when it is let in, tokens when an answer ends, however it ends. So answers that run
    side by side may take a key over its tokens a day, by what they cost.
    """

    def __init__(
        self, clock: Clock, store: UsageStore | None = None, ticks: Callable[[], float] = time.monotonic
    ) -> None:
        """Go on where `store` ends; without one nothing is kept.

        Raises:
            OSError: The store cannot be read.
        """
        self._clock = clock
        self._ticks = ticks
        self._store = store
        self._windows: dict[str, _Window] = {}
        self._today = dict(store.since(self._day()) if store else {})
        self._unsaved: dict[tuple[str, str], DayUsage] = {}
        self._lock = threading.Lock()
        self._saving = threading.Lock()

    def today(self) -> Mapping[str, DayUsage]:
        """What each key that was used today has used, by name."""
        day = self._day()
        return {key: used for (when, key), used in self._today.items() if when == day}

    def admit(self, key: Key) -> None:
        """Count a request.

        Raises:
            QuotaExceeded: It is one too many this minute; it is not counted.
        """
        limit = key.requests_per_minute
        if limit is not None:
            now = self._ticks()
            window = self._windows.setdefault(key.name, _Window())
            wait = window.seconds_until_free(now, limit)
            if wait > 0:
                quota = QuotaViolation("requests_per_minute", "RequestsPerMinutePerKey", limit)
                raise QuotaExceeded(quota, "Ask more slowly.", retry_after=wait, reason="RATE_LIMIT_EXCEEDED")
            window.times.append(now)
        self._add(key, DayUsage(requests=1))

    def check_tokens(self, key: Key | None) -> None:
        """Refuse a key that has used up its tokens.

        Raises:
            QuotaExceeded: Until midnight UTC.
        """
        if key is None or key.tokens_per_day is None:
            return
        used = self._today.get((self._day(), key.name), DayUsage())
        if used.tokens >= key.tokens_per_day:
            now = self._clock()
            midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
            quota = QuotaViolation("tokens_per_day", "TokensPerDayPerKey", key.tokens_per_day)
            raise QuotaExceeded(
                quota,
                "The day ends at midnight UTC.",
                retry_after=(midnight - now).total_seconds(),
                reason="RATE_LIMIT_EXCEEDED",
            )

    def charge(self, key: Key | None, prompt_tokens: int, output_tokens: int) -> None:
        """Count the tokens of an answer."""
        if key is not None:
            self._add(key, DayUsage(prompt_tokens=prompt_tokens, output_tokens=output_tokens))

    async def run_saving(self, threads: StorageThreads, every: timedelta = SAVE_EVERY) -> None:
        """Write down what is new, again and again until cancelled."""
        await threads.run_every(every, self.save, "usage could not be saved")

    def save(self) -> None:
        """Write down what is new. May be called from any thread.

        Raises:
            ResourceExhausted, Unavailable: The storage failed; what is new is kept for the next time.
        """
        with self._saving:
            with self._lock:
                new, self._unsaved = self._unsaved, {}
            if not new or self._store is None:
                return
            try:
                with storage_faults():
                    old = (self._clock() - timedelta(days=KEPT_DAYS)).date().isoformat()
                    self._store.put(new, old)
            except BaseException:
                with self._lock:
                    # Rows are replaced as a whole, so the newer one stands.
                    self._unsaved = {**new, **self._unsaved}
                raise

    def _day(self) -> str:
        return self._clock().date().isoformat()

    def _add(self, key: Key, used: DayUsage) -> None:
        place = (self._day(), key.name)
        if place not in self._today:
            # A new day, or a key's first request in it: the days before are over.
            self._today = {each: was for each, was in self._today.items() if each[0] == place[0]}
        self._today[place] = self._today.get(place, DayUsage()) + used
        with self._lock:
            self._unsaved[place] = self._today[place]


@contextmanager
def open_usage(directory: Path, clock: Clock) -> Iterator[UsageBook]:
    """The usage in a directory that this server has for itself; the last of it is saved at the end.

    Raises:
        Unavailable: It cannot be used.
    """
    with opening(directory):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        PosixDisk().create(directory / USAGE_FILE)
        store = UsageStore(directory / USAGE_FILE)
    with closing(store):
        with opening(directory):
            book = UsageBook(clock, store)
        try:
            yield book
        finally:
            book.save()


def check_model(key: Key | None, model: str, answered_by: str) -> None:
    """Refuse a model that a key may not ask.

    Raises:
        PermissionDenied: Its limits do not name it.
    """
    if key is not None and not key.may_ask(model, answered_by):
        allowed = ", ".join(key.models)
        raise PermissionDenied(f"This API key may not ask the model {model[:200]}. It may ask: {allowed}.")
