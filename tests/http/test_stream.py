"""Clients that do not read what they asked for."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path

import pytest
from starlette.types import Message

from tests.conftest import inline, picture
from tests.http.live import live
from tests.waiting import until
from vidi.byte_budget import ByteBudget
from vidi.domain.errors import Cancelled
from vidi.http.stream import PIECE_BYTES, send_content


def test_a_large_reply_is_sent_in_pieces_and_whole() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    content = bytes(range(250)) * 1000
    with ByteBudget(1000).transfer() as transfer:
        asyncio.run(send_content(content, transfer, send))
    start, *bodies = sent
    assert dict(start["headers"])[b"content-length"] == b"250000"
    assert b"".join(body["body"] for body in bodies) == content
    assert max(len(body["body"]) for body in bodies) == PIECE_BYTES
    assert [body["more_body"] for body in bodies] == [True] * (len(bodies) - 1) + [False]


def test_a_reader_that_stands_still_gives_its_place_when_memory_is_short() -> None:
    """The clock of the budget is the test's: the reader is stalled as soon as it says so."""

    async def run() -> None:
        now = 0.0
        budget = ByteBudget(1000, lambda: now)
        blocked = asyncio.Event()

        async def send(_: Message) -> None:
            blocked.set()
            await asyncio.Event().wait()

        async def reply() -> None:
            with budget.transfer() as transfer:
                transfer.add(900)
                await send_content(bytes(900), transfer, send)

        reading = asyncio.create_task(reply())
        await blocked.wait()
        now = 100.0
        with budget.hold(200), pytest.raises(Cancelled):
            await reading
        assert budget.used == 0

    asyncio.run(run())


@pytest.mark.slow
def test_the_connection_of_a_client_that_does_not_read_is_cut(tmp_path: Path) -> None:
    """It hangs up never, and waits for ever."""
    with live(tmp_path) as server:
        photo = inline(picture(64, 48, "JPEG") + bytes(20_000_000), "image/jpeg")["inlineData"]
        assert isinstance(photo, dict)
        asked = {
            "model": "echo",
            "input": [{"type": "image", "mime_type": "image/jpeg", "data": photo["data"]}],
        }
        made = server.post("/v1beta/interactions", json.dumps(asked).encode())
        name = json.loads(made.partition(b"\r\n\r\n")[2])["id"]
        before = server.process.num_fds()
        with socket.socket() as idle:
            idle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            idle.connect(("127.0.0.1", server.port))
            path = f"/v1beta/interactions/{name}?include_input=true"
            idle.sendall(f"GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
            until(lambda: server.process.num_fds() > before)
            until(lambda: server.process.num_fds() <= before)
        assert server.works()
        assert "Traceback" not in server.log.read_text()
