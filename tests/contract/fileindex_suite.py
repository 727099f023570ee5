"""What every FileIndex must do. Derive from the suite and give it an `index` fixture."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from vidi.domain.prompt import ImageFormat, ImageHeader
from vidi.files.store import FileIndex, FileState, OwnerTotals, Phase, Position, Session, StoredFile

NOON = datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC)
HOUR = timedelta(hours=1)


def session(number: int, length: int | None = 10, owner: str = "me") -> Session:
    return Session(
        id=f"upload{number}",
        owner=owner,
        blob=f"blob{number}",
        file_id="",
        display_name="a 'name' with \0 and \N{SNOWMAN}",
        mime_type="image/png",
        length=length,
        touched=NOON,
    )


def file(number: int, owner: str = "me", size: int = 10, created: datetime = NOON) -> StoredFile:
    return StoredFile(
        id=f"file{number:04}",
        owner=owner,
        blob=f"blob{number}",
        display_name="a 'name' with \0 and \N{SNOWMAN}",
        mime_type="image/png",
        size_bytes=size,
        sha256="ab" * 32,
        created=created,
        updated=created,
        expires=created + 48 * HOUR,
    )


def add(index: FileIndex, added: StoredFile) -> None:
    number = int(added.blob.removeprefix("blob"))
    index.start(session(number, added.size_bytes, added.owner))
    assert index.finish(f"upload{number}", added)


class FileIndexSuite:
    def test_an_empty_index(self, index: FileIndex) -> None:
        assert index.session("upload1") is None
        assert index.file("me", "file0001") is None
        assert index.holder("blob1") is None
        assert index.delete("me", "file0001") is None
        assert index.blobs() == frozenset()
        assert index.reserved() == 0
        assert list(index.page("me", None, 10, NOON)) == []
        assert list(index.idle(NOON)) == []
        assert list(index.expire(NOON, 10)) == []

    def test_session_roundtrip(self, index: FileIndex) -> None:
        known, unknown = session(1), session(2, None)
        index.start(known)
        index.start(unknown)
        assert index.session("upload1") == known
        assert index.session("upload2") == unknown

    def test_file_roundtrip(self, index: FileIndex) -> None:
        broken = replace(file(1), state=FileState.FAILED, error="no picture")
        add(index, broken)
        assert index.file("me", "file0001") == broken
        assert index.holder("blob1") == broken

    def test_a_files_header_comes_back_as_it_was(self, index: FileIndex) -> None:
        header = ImageHeader(ImageFormat.WEBP, 640, 480, frames=12, orientation=6)
        add(index, replace(file(1), header=header))
        found = index.file("me", "file0001")
        assert found is not None
        assert found.header == header

    def test_finish_adds_the_file_and_ends_the_session(self, index: FileIndex) -> None:
        index.start(session(1, None))
        assert index.finish("upload1", file(1, size=7, created=NOON + HOUR))
        ended = index.session("upload1")
        assert ended is not None
        assert ended.phase is Phase.FINAL
        assert (ended.file_id, ended.length, ended.touched) == ("file0001", 7, NOON + HOUR)

    def test_finish_refuses_a_taken_id_of_the_same_owner(self, index: FileIndex) -> None:
        add(index, file(1))
        index.start(session(2))
        assert not index.finish("upload2", replace(file(2), id="file0001"))
        waiting = index.session("upload2")
        assert waiting is not None
        assert waiting.phase is Phase.ACTIVE
        assert index.holder("blob2") is None
        index.start(session(3, owner="you"))
        assert index.finish("upload3", replace(file(3, owner="you"), id="file0001"))
        assert index.file("me", "file0001") == file(1)

    def test_finish_refuses_a_session_that_has_ended(self, index: FileIndex) -> None:
        add(index, file(1))
        assert not index.finish("upload1", replace(file(2), blob="blob1"))
        index.start(session(3))
        index.cancel("upload3", NOON)
        assert not index.finish("upload3", file(3))
        assert [found.id for found in index.page("me", None, 10, NOON)] == ["file0001"]

    def test_delete_returns_the_file_once(self, index: FileIndex) -> None:
        add(index, file(1))
        assert index.delete("you", "file0001") is None
        assert index.delete("me", "file0001") == file(1)
        assert index.delete("me", "file0001") is None
        assert index.file("me", "file0001") is None

    def test_cancel_ends_only_active_sessions(self, index: FileIndex) -> None:
        index.start(session(1))
        index.cancel("upload1", NOON + HOUR)
        cancelled = index.session("upload1")
        assert cancelled == replace(session(1), phase=Phase.CANCELLED, touched=NOON + HOUR)
        add(index, file(2))
        index.cancel("upload2", NOON + HOUR)
        final = index.session("upload2")
        assert final is not None
        assert final.phase is Phase.FINAL

    def test_touch_takes_a_session_out_of_idle(self, index: FileIndex) -> None:
        index.start(session(1))
        index.start(session(2))
        index.touch("upload2", NOON + HOUR)
        assert [idle.id for idle in index.idle(NOON)] == []
        assert [idle.id for idle in index.idle(NOON + HOUR)] == ["upload1"]
        assert sorted(idle.id for idle in index.idle(NOON + 2 * HOUR)) == ["upload1", "upload2"]
        index.forget("upload1")
        assert index.session("upload1") is None
        assert index.session("upload2") is not None

    def test_blobs_names_files_and_active_sessions(self, index: FileIndex) -> None:
        index.start(session(1))
        index.start(session(2))
        index.cancel("upload2", NOON)
        add(index, file(3))
        add(index, file(4))
        index.delete("me", "file0004")
        assert index.blobs() == {"blob1", "blob3"}

    def test_reserved_counts_every_byte_once(self, index: FileIndex) -> None:
        index.start(session(1, 100))
        index.start(session(2, None))
        assert index.reserved() == 100
        index.finish("upload1", file(1, size=100))
        assert index.reserved() == 100
        index.finish("upload2", file(2, size=7))
        assert index.reserved() == 107
        index.start(session(3, 1000))
        index.cancel("upload3", NOON)
        index.cancel("upload3", NOON)
        assert index.reserved() == 107
        index.start(session(4, 1000))
        index.forget("upload4")
        index.forget("upload3")
        index.forget("upload1")
        assert index.reserved() == 107
        index.delete("me", "file0001")
        assert index.reserved() == 7
        index.expire(NOON + 48 * HOUR, 10)
        assert index.reserved() == 0

    def test_totals_are_an_owners_own(self, index: FileIndex) -> None:
        assert index.totals("me") == OwnerTotals()
        index.start(session(1, 100))
        index.start(session(2, None))
        index.start(session(3, 5, owner="you"))
        add(index, file(4, size=7))
        add(index, file(5, owner="you", size=11))
        assert index.totals("me") == OwnerTotals(107, 2)
        assert index.totals("you") == OwnerTotals(16, 1)
        index.cancel("upload1", NOON)
        index.finish("upload2", file(2, size=1))
        index.delete("me", "file0004")
        assert index.totals("me") == OwnerTotals(1, 0)
        assert index.totals("") == OwnerTotals()

    def test_a_page_is_newest_first_and_by_id_within_a_moment(self, index: FileIndex) -> None:
        add(index, file(1, created=NOON + HOUR))
        add(index, file(2))
        add(index, file(3))
        add(index, file(4, owner="you"))
        add(index, file(5, created=NOON + timedelta(microseconds=1)))
        seen: list[str] = []
        place: Position | None = None
        while page := index.page("me", place, 2, NOON):
            seen += [found.id for found in page]
            place = Position(page[-1].created, page[-1].id)
        assert seen == ["file0001", "file0005", "file0003", "file0002"]

    def test_page_leaves_out_expired_files(self, index: FileIndex) -> None:
        add(index, file(1))
        last_moment = NOON + 48 * HOUR - timedelta(microseconds=1)
        assert len(index.page("me", None, 10, last_moment)) == 1
        assert len(index.page("me", None, 10, NOON + 48 * HOUR)) == 0

    def test_expire_takes_the_oldest_first_up_to_the_limit(self, index: FileIndex) -> None:
        for number in range(5):
            add(index, file(number, created=NOON + number * HOUR))
        expired = index.expire(NOON + 48 * HOUR + 2 * HOUR, 2)
        assert [found.id for found in expired] == ["file0000", "file0001"]
        expired = index.expire(NOON + 48 * HOUR + 2 * HOUR, 2)
        assert [found.id for found in expired] == ["file0002"]
        assert index.file("me", "file0002") is None
        assert index.file("me", "file0003") is not None

    def test_parallel_changes_lose_no_rows(self, index: FileIndex) -> None:
        def work(first: int) -> None:
            for number in range(first, first + 20):
                add(index, file(number))
                if number % 2:
                    index.delete("me", f"file{number:04}")

        threads = [threading.Thread(target=work, args=(first,)) for first in range(0, 160, 20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(index.page("me", None, 200, NOON)) == 80
        assert index.reserved() == 800
