"""A crash and a fault at every single call of a server's life, and what its clients find afterwards."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.files.client_model import ClientModel, UploadRecord
from tests.files.file_server import FileServer
from tests.files.memory import MemoryIndex, no_fault
from tests.storage.simulated_disk import Crash, Cut, Fuse, SimulatedDisk
from vidi.domain.errors import VidiError
from vidi.files.local import LocalBlobs
from vidi.files.store import FileStorage


class World:
    """A server on a simulated disk, with one fault for disk and index together."""

    def __init__(self) -> None:
        self.disk = SimulatedDisk()
        self.index = MemoryIndex()
        self.server = FileServer(storage=self._storage())
        self.client = ClientModel(self.server)

    def arm(self, fault: Callable[[str], None]) -> None:
        self.disk.fault = self.index.fault = fault

    def restart(self, cut: Cut, rng: random.Random) -> None:
        self.arm(no_fault)
        self.disk.end(cut, rng)
        self.server.storage = self._storage()
        self.server.restart()

    def _storage(self) -> FileStorage:
        return FileStorage(LocalBlobs(Path("store"), self.disk, spare_bytes=8), self.index)


def live(client: ClientModel) -> None:
    """A life with every kind of call in it; goes on after errors, as clients do."""
    first = upload(client, b"first file", 4, 6)
    second = upload(client, b"second file, of unknown length", 30, declared=False)
    upload(client, b"left open", 5)
    upload(client, b"")
    doomed = upload(client, b"to be cancelled", 7)
    if doomed is not None and doomed.open:
        with suppress(VidiError):
            client.cancel(doomed)
    upload(client, b"third file", 10)
    for record in (first, second):
        if record is not None and record.file is not None:
            with suppress(VidiError):
                client.delete(record)
    with suppress(VidiError):
        client.server.aio.reconcile()
    upload(client, b"fourth file", 3, 3, 5)


def upload(client: ClientModel, content: bytes, *sizes: int, declared: bool = True) -> UploadRecord | None:
    """Send chunks of the given sizes, each repeating a byte, and finalize if that was all."""
    with suppress(VidiError):
        record = client.start(content, declared=declared)
        with suppress(VidiError):
            for size in sizes:
                client.chunk(record, size, back=1)
            if record.acknowledged == len(content):
                client.finalize(record)
        return record
    return None


def calls_of_a_life() -> int:
    """How many calls to the storage a life without faults makes."""
    made = 0

    def count(call: str) -> None:
        nonlocal made
        made += 1

    world = World()
    world.arm(count)
    live(world.client)
    assert sum(record.file is not None for record in world.client.records) == 5
    return made


CALLS = calls_of_a_life()


def test_a_whole_life_makes_many_storage_calls() -> None:
    assert CALLS > 100


@pytest.mark.parametrize("cut", Cut)
@pytest.mark.slow
def test_crash_at_every_storage_call(cut: Cut) -> None:
    for call in range(CALLS):
        for seed in range(5 if cut is Cut.MIXED else 1):
            world = World()
            world.arm(Fuse(call, Crash()))
            with pytest.raises(Crash):
                live(world.client)
            rng = random.Random(f"{call} {seed}")
            world.restart(cut, rng)
            check(world)
            world.restart(Cut.POWER, rng)
            check(world)


def test_crash_during_the_restart_after_a_crash() -> None:
    for first in range(0, CALLS, 7):
        for second in range(6):
            world = World()
            world.arm(Fuse(first, Crash()))
            with pytest.raises(Crash):
                live(world.client)
            world.restart(Cut.PROCESS, random.Random(first))
            world.arm(Fuse(second, Crash()))
            with suppress(Crash):
                world.client.check_reconciled()
            world.restart(Cut.POWER, random.Random(second))
            check(world)


@pytest.mark.parametrize("lasting", [False, True])
@pytest.mark.parametrize("number", [5, 28])
def test_storage_error_at_every_call(number: int, lasting: bool) -> None:
    for call in range(CALLS):
        world = World()
        world.arm(Fuse(call, OSError(number, "fault"), lasting=lasting))
        with suppress(VidiError):
            live(world.client)
        world.arm(no_fault)
        check(world)
        world.restart(Cut.POWER, random.Random(call))
        check(world)


def check(world: World) -> None:
    """All promises hold, uploads go on to their end, and when all has expired nothing is left."""
    client = world.client
    client.check()
    client.check_reconciled()
    client.check()
    client.finish_all()
    client.check()
    client.check_reconciled()


@pytest.mark.parametrize("call", range(0, CALLS, 10))
def test_after_a_crash_everything_expires(call: int) -> None:
    world = World()
    world.arm(Fuse(call, Crash()))
    with pytest.raises(Crash):
        live(world.client)
    world.restart(Cut.PROCESS, random.Random(call))
    world.server.clock.turn(hours=48, seconds=1)
    world.client.check_reconciled()
    assert world.index.blobs() == frozenset()
    assert list(world.server.storage.blobs.keys()) == []
    assert world.index.reserved() == 0
