"""A crash and a fault at every single call of a server's life, and what its clients find afterwards."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.files.memory import MemoryIndex, no_fault
from tests.files.shelf import Shelf
from tests.files.simulated import Crash, Cut, Fuse, SimulatedDisk
from tests.files.story import Story, Told
from vidi.domain.errors import VidiError
from vidi.files.local import LocalBlobs
from vidi.files.store import Storage


class World:
    """A shelf on a simulated disk, with one fault for disk and index together."""

    def __init__(self) -> None:
        self.disk = SimulatedDisk()
        self.index = MemoryIndex()
        self.shelf = Shelf(storage=self._storage())
        self.story = Story(self.shelf)

    def arm(self, fault: Callable[[str], None]) -> None:
        self.disk.fault = self.index.fault = fault

    def restart(self, cut: Cut, rng: random.Random) -> None:
        self.arm(no_fault)
        self.disk.end(cut, rng)
        self.shelf.storage = self._storage()
        self.shelf.restart()

    def _storage(self) -> Storage:
        return Storage(LocalBlobs(Path("store"), self.disk, reserved_bytes=8), self.index)


def live(story: Story) -> None:
    """A life with every kind of call in it; goes on after errors, as clients do."""
    first = upload(story, b"first file", 4, 6)
    second = upload(story, b"second file, of unknown length", 30, declared=False)
    upload(story, b"left open", 5)
    upload(story, b"")
    doomed = upload(story, b"to be cancelled", 7)
    if doomed is not None and doomed.open:
        with suppress(VidiError):
            story.cancel(doomed)
    upload(story, b"third file", 10)
    for told in (first, second):
        if told is not None and told.file is not None:
            with suppress(VidiError):
                story.delete(told)
    with suppress(VidiError):
        story.shelf.library.reconcile()
    upload(story, b"fourth file", 3, 3, 5)


def upload(story: Story, content: bytes, *sizes: int, declared: bool = True) -> Told | None:
    """Send chunks of the given sizes, each repeating a byte, and finalize if that was all."""
    with suppress(VidiError):
        told = story.start(content, declared=declared)
        with suppress(VidiError):
            for size in sizes:
                story.chunk(told, size, back=1)
            if told.acknowledged == len(content):
                story.finalize(told)
        return told
    return None


def calls_of_a_life() -> int:
    """How many calls to the storage a life without faults makes."""
    made = 0

    def count(call: str) -> None:
        nonlocal made
        made += 1

    world = World()
    world.arm(count)
    live(world.story)
    assert sum(told.file is not None for told in world.story.told) == 5
    return made


CALLS = calls_of_a_life()


def test_a_life_has_many_calls() -> None:
    assert CALLS > 100


@pytest.mark.parametrize("cut", Cut)
@pytest.mark.slow
def test_a_crash_at_every_call(cut: Cut) -> None:
    for call in range(CALLS):
        for seed in range(5 if cut is Cut.MIXED else 1):
            world = World()
            world.arm(Fuse(call, Crash()))
            with pytest.raises(Crash):
                live(world.story)
            rng = random.Random(f"{call} {seed}")
            world.restart(cut, rng)
            check(world)
            world.restart(Cut.POWER, rng)
            check(world)


def test_a_crash_at_every_call_of_the_start_after_a_crash() -> None:
    for first in range(0, CALLS, 7):
        for second in range(6):
            world = World()
            world.arm(Fuse(first, Crash()))
            with pytest.raises(Crash):
                live(world.story)
            world.restart(Cut.PROCESS, random.Random(first))
            world.arm(Fuse(second, Crash()))
            with suppress(Crash):
                world.story.check_tidy()
            world.restart(Cut.POWER, random.Random(second))
            check(world)


@pytest.mark.parametrize("lasting", [False, True])
@pytest.mark.parametrize("number", [5, 28])
def test_a_fault_at_every_call(number: int, lasting: bool) -> None:
    for call in range(CALLS):
        world = World()
        world.arm(Fuse(call, OSError(number, "fault"), lasting=lasting))
        with suppress(VidiError):
            live(world.story)
        world.arm(no_fault)
        check(world)
        world.restart(Cut.POWER, random.Random(call))
        check(world)


def check(world: World) -> None:
    """All promises hold, uploads go on to their end, and when all has expired nothing is left."""
    story = world.story
    story.check()
    story.check_tidy()
    story.check()
    story.finish_all()
    story.check()
    story.check_tidy()


@pytest.mark.parametrize("call", range(0, CALLS, 10))
def test_nothing_is_left_in_the_end(call: int) -> None:
    world = World()
    world.arm(Fuse(call, Crash()))
    with pytest.raises(Crash):
        live(world.story)
    world.restart(Cut.PROCESS, random.Random(call))
    world.shelf.clock.turn(hours=48, seconds=1)
    world.story.check_tidy()
    assert world.index.blobs() == frozenset()
    assert list(world.shelf.storage.blobs.keys()) == []
    assert world.index.reserved() == 0
