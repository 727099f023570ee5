"""A download that breaks off: what is kept, what is asked for again, and when it is given up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import httpx2
import pytest

from vidi.engines.download import OpenStream, resume_download

CONTENT = bytes(range(256)) * 16
Answer = Callable[[int], httpx2.Response]
"""What a server answers to who has so many bytes."""


def rest(have: int, *, length: int = len(CONTENT)) -> httpx2.Response:
    headers = {"Content-Range": f"bytes {have}-{len(CONTENT) - 1}/{len(CONTENT)}"}
    return httpx2.Response(206, stream=httpx2.ByteStream(CONTENT[have : have + length]), headers=headers)


def failing(status: int, **headers: str) -> Answer:
    return lambda have: httpx2.Response(status, headers={**headers})


class Server:
    """Answers each request in turn, the last answer again and again; `asked` has the ranges."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked: list[int] = []
        self.client = httpx2.Client(transport=httpx2.MockTransport(self._answer))

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        have = int(request.headers["range"].removeprefix("bytes=").removesuffix("-"))
        assert request.headers["accept-encoding"] == "identity"
        self.asked.append(have)
        return (self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])(have)

    @property
    def open(self) -> OpenStream:
        def stream(headers: Mapping[str, str]) -> AbstractContextManager[httpx2.Response]:
            return self.client.stream("GET", "http://server/file", headers=dict(headers))

        return stream


def fetched(server: Server, target: Path) -> tuple[list[int], list[float]]:
    """What progress was told, and how long the waits were."""
    told: list[int] = []
    waits: list[float] = []
    resume_download(server.open, target, len(CONTENT), told.append, waits.append)
    assert target.read_bytes() == CONTENT
    return told, waits


def test_each_new_byte_starts_the_patience_over(tmp_path: Path) -> None:
    server = Server(lambda have: rest(have, length=500))
    told, waits = fetched(server, tmp_path / "file")
    assert server.asked == list(range(0, len(CONTENT), 500))
    assert told == [*server.asked[1:], len(CONTENT)]
    assert waits == [1.0] * (len(server.asked) - 1)


@pytest.mark.parametrize("status", [200, 206])
def test_what_begins_elsewhere_than_the_file_ends_replaces_it(tmp_path: Path, status: int) -> None:
    (tmp_path / "file").write_bytes(b"something else")
    headers = {"Content-Range": f"bytes 0-{len(CONTENT) - 1}/{len(CONTENT)}"} if status == 206 else {}
    fetched(
        Server(lambda have: httpx2.Response(status, stream=httpx2.ByteStream(CONTENT), headers=headers)),
        tmp_path / "file",
    )


def test_a_server_in_trouble_is_given_four_chances_and_longer_each_time(tmp_path: Path) -> None:
    server = Server(failing(503))
    waits: list[float] = []
    with pytest.raises(httpx2.HTTPStatusError):
        resume_download(server.open, tmp_path / "file", 9, lambda have: None, waits.append)
    assert (len(server.asked), waits) == (4, [1.0, 2.0, 4.0])


@pytest.mark.parametrize("answer", [failing(404), failing(416), failing(429, **{"Retry-After": "61"})])
def test_a_refusal_is_final(tmp_path: Path, answer: Answer) -> None:
    server = Server(answer)
    with pytest.raises(httpx2.HTTPStatusError):
        resume_download(
            server.open, tmp_path / "file", 9, lambda have: None, lambda seconds: pytest.fail("waited")
        )
    assert len(server.asked) == 1


def test_a_short_wait_that_a_server_asks_for_is_waited(tmp_path: Path) -> None:
    _, waits = fetched(Server(failing(429, **{"Retry-After": "60"}), rest), tmp_path / "file")
    assert waits == [60.0]


def test_a_whole_file_is_not_asked_for(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(CONTENT)
    server = Server(rest)
    fetched(server, tmp_path / "file")
    assert server.asked == []
