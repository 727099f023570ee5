"""Bodies as they come: pauses, rates, room."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable, Coroutine, Iterable

import pytest
from starlette.types import Message, Scope

from vidi.byte_budget import RECENT_S, ByteBudget
from vidi.domain.errors import SlowRequest, Unavailable
from vidi.http.body import GRACE_S, LONGEST_PAUSE_S, MIN_BYTES_PER_S, UPLOAD_BUFFER, BodyReader, is_quick

SCOPE: Scope = {"type": "http", "headers": []}
LIMIT = 1_000_000

Receive = Callable[[], Awaitable[Message]]


class JumpingSelector(selectors.DefaultSelector):
    """Where a loop would wait for its next timer, time jumps there."""

    passed = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.passed += timeout or 0.0
        return super().select(0)


class JumpingLoop(asyncio.SelectorEventLoop):
    """Hours in milliseconds."""

    def __init__(self) -> None:
        self._jumping = JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.passed


def _run(story: Callable[[], Coroutine[None, None, None]]) -> None:
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        runner.run(story())


def _reader(total: int = 2 * LIMIT) -> BodyReader:
    return BodyReader(LIMIT, ByteBudget(total, lambda: asyncio.get_running_loop().time()))


def _client(pieces: Iterable[tuple[float, int]], *, ends: bool = True) -> Receive:
    """Waits and then sends so many bytes, again and again; then it ends, or says no more."""
    left = iter(pieces)

    async def receive() -> Message:
        wait, size = next(left, (0.0 if ends else 1e9, -1))
        await asyncio.sleep(wait)
        return {"type": "http.request", "body": bytes(max(0, size)), "more_body": size >= 0}

    return receive


async def _read(reader: BodyReader, client: Receive, scope: Scope = SCOPE) -> int:
    async with reader.read(scope, client) as body:
        return len(body)


async def _upload(reader: BodyReader, client: Receive) -> int:
    with reader.upload(SCOPE, client) as chunks:
        return sum([len(chunk) async for chunk in chunks])


def test_what_came_fast_earns_no_long_pause() -> None:
    async def story() -> None:
        reader = _reader()
        with pytest.raises(SlowRequest, match="too slowly"):
            await _read(reader, _client([(0, LIMIT - 1)], ends=False))
        assert asyncio.get_running_loop().time() == pytest.approx(GRACE_S)
        assert reader.budget.used == 0

    _run(story)


def test_a_drip_is_cut_however_fast_it_began() -> None:
    async def story() -> None:
        drip = [(GRACE_S - 1, 1)] * 1000
        with pytest.raises(SlowRequest):
            await _read(_reader(), _client([(0, LIMIT // 2), *drip]))
        assert asyncio.get_running_loop().time() < 3 * GRACE_S

    _run(story)


def test_a_slow_line_may_take_its_time_and_an_upload_may_pause() -> None:
    async def story() -> None:
        steady = [(1.0, MIN_BYTES_PER_S + 1)] * 500
        assert await _read(_reader(), _client(steady)) == 500 * (MIN_BYTES_PER_S + 1)
        pauses = [(LONGEST_PAUSE_S - 1, 10)] * 50
        assert await _upload(_reader(), _client(pauses)) == 500
        with pytest.raises(SlowRequest):
            await _upload(_reader(), _client([(LONGEST_PAUSE_S + 1, 10)]))

    _run(story)


def test_stalled_bodies_give_their_place_to_the_next_and_are_told_when_to_come_back() -> None:
    """However many they are: all the memory is held by clients that stopped short of the end."""

    async def story() -> None:
        reader = _reader(4 * LIMIT)
        stalled = [
            asyncio.create_task(_read(reader, _client([(0, LIMIT - 1)], ends=False))) for _ in range(4)
        ]
        await asyncio.sleep(0.1)
        with pytest.raises(Unavailable, match="too many"):
            await _read(reader, _client([(0, LIMIT)]))
        await asyncio.sleep(RECENT_S)
        assert await _read(reader, _client([(0, LIMIT)])) == LIMIT
        refused = await asyncio.gather(*stalled, return_exceptions=True)
        out = [error for error in refused if isinstance(error, SlowRequest) and error.retry_after]
        assert len(out) == 1
        assert reader.budget.used == 0

    _run(story)


def test_a_body_whose_announced_length_has_no_room_is_refused_before_it_comes() -> None:
    async def story() -> None:
        reader = _reader(LIMIT)
        announced: Scope = {"type": "http", "headers": [(b"content-length", b"%d" % LIMIT)]}
        asked = False

        async def receive() -> Message:
            nonlocal asked
            asked = True
            return {"type": "http.request"}

        with reader.budget.hold(1), pytest.raises(Unavailable):
            await _read(reader, receive, announced)
        assert not asked

    _run(story)


def test_a_refused_body_is_gone_before_its_error_is() -> None:
    """The error travels on for as long as the client takes to read it."""

    async def story() -> None:
        reader = _reader()
        kept: list[bytearray] = []
        try:
            async with reader.read(SCOPE, _client([(0, LIMIT)])) as body:
                kept.append(body)
                raise KeyError
        except KeyError:
            assert kept == [bytearray()]

    _run(story)


def test_an_upload_counts_no_more_than_its_buffers() -> None:
    async def story() -> None:
        reader = _reader(UPLOAD_BUFFER + 10)
        with reader.upload(SCOPE, _client([(0, LIMIT)] * 20)) as chunks:
            async for _ in chunks:
                assert reader.budget.used <= UPLOAD_BUFFER
        assert reader.budget.used == 0
        assert reader.budget.peak == UPLOAD_BUFFER

    _run(story)


_PICTURE = b'{"contents": [{"parts": [{"inlineData": {"mimeType": "image/png", "data": "%s"}}]}]}'


@pytest.mark.parametrize(
    ("body", "quick"),
    [
        (_PICTURE % (b"ref0" * 90_000), True),
        (_PICTURE % (b"A" * 1_100_000), False),
        (b'{"a": [' + b"0," * 4_000 + b"0]}", False),
        (b'{"a": [' + b'"x",' * 4_000 + b"0]}", False),
        (b'{"a": "' + b"A" * 5_000 + b'", "$ref": "#/b"}', False),
        (b'{"a": "' + b"A" * 5_000 + b'", "\\u0024\\u0072ef": "#/b"}', False),
        (b'{"a": "' + b"A" * 5_000, False),
        (b'"' * 900_000, False),
        (b'{"a": [' + b"0," * 4_000 + b'0], "b": 1}', False),
        (b"""{'a"': [""" + b"0," * 4_000 + b"""0], 'b"': 1}""", False),
        (b'{"a\\"": [' + b"0," * 4_000 + b'0], "b\\"": 1}', False),
        (b'{"a": "' + b"\\q" * 4_000 + b'"}', False),
        (b'{"a": "' + b"A" * 5_000 + b'", "b": "what\'s this?"}', True),
    ],
)
def test_what_is_parsed_on_the_loop_is_short_but_for_long_strings(body: bytes, quick: bool) -> None:
    assert is_quick(body) is quick
    assert is_quick(bytearray(body)) is quick
