"""Several servers of one backend: who is asked, who is left out, and what happens when one goes."""

from __future__ import annotations

import socket
import threading
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from tests.contract.engine_suite import prompt
from tests.engines.lite.fakes import PARK
from tests.engines.remote.fake import HELLO, Asked, FakeBackend, Reply, always, engine_on, fake
from tests.waiting import HANG_SECONDS, until
from vidi.domain.answer import fold
from vidi.domain.errors import Unavailable
from vidi.domain.prompt import Picture
from vidi.engines.base import Backend, SelfCheck
from vidi.engines.chat.connection import HttpMessage, Links, exchange
from vidi.engines.remote.pool import servers_of


def pictures(count: int) -> list[Picture]:
    return [replace(PARK.picture, digest=f"{number:064x}") for number in range(count)]


def chats_of(backends: list[FakeBackend]) -> list[int]:
    return [len(backend.chats()) for backend in backends]


def test_questions_about_a_picture_go_where_it_was_seen_and_pictures_are_spread(tmp_path: Path) -> None:
    with ExitStack() as stack:
        backends = [stack.enter_context(fake()) for _ in range(3)]
        engine = stack.enter_context(engine_on(backends[0], tmp_path, *backends[1:]))
        for picture in pictures(40):
            before = chats_of(backends)
            for question in ("What is this?", "And that?", "Where?"):
                fold(engine.generate(prompt(picture, question)))
            more = [after - past for past, after in zip(before, chats_of(backends), strict=True)]
            assert sorted(more) == [0, 0, 3]
        assert all(chats_of(backends))


def test_a_server_that_goes_takes_only_its_own_pictures_along(tmp_path: Path) -> None:
    def homes() -> list[int]:
        found = []
        for picture in pictures(8):
            before = chats_of(backends)
            fold(engine.generate(prompt(picture, "What is this?")))
            after = chats_of(backends)
            found.append(next(at for at in range(2) if after[at] > before[at]))
        return found

    with ExitStack() as stack:
        second, third = stack.enter_context(fake()), stack.enter_context(fake())
        with fake() as first:
            engine = stack.enter_context(engine_on(first, tmp_path, second, third))
            backends = [second, third, first]
            before = []
            for picture in pictures(8):
                counts = chats_of(backends)
                fold(engine.generate(prompt(picture, "What is this?")))
                before.append([a - b for a, b in zip(chats_of(backends), counts, strict=True)].index(1))
        until(engine.away)
        after = homes()
        assert all(new == old for new, old in zip(after, before, strict=True) if old != 2)


def test_prompts_without_pictures_go_to_who_has_least_to_do(tmp_path: Path) -> None:
    go = threading.Event()

    def slow(asked: Asked) -> Reply:
        go.wait(HANG_SECONDS)
        return Reply(parts=HELLO)

    with fake(chat=slow) as one, fake(chat=slow) as two, engine_on(one, tmp_path, two) as engine:
        threads = [
            threading.Thread(target=lambda: fold(engine.generate(prompt("Hi")))) for _ in range(6)
        ]  # fmt: skip
        for started, thread in enumerate(threads, start=1):
            thread.start()
            until(lambda started=started: sum(chats_of([one, two])) == started)  # type: ignore[misc]
        assert chats_of([one, two]) == [3, 3]
        go.set()
        for thread in threads:
            thread.join()


def test_a_dead_server_is_passed_over_at_once_and_comes_back(tmp_path: Path) -> None:
    with fake() as alive:
        with fake() as dies:
            port = dies.port
            with engine_on(dies, tmp_path, alive) as engine:
                assert engine.problem() == ""
                assert isinstance(engine, SelfCheck)
        with engine_on(alive, tmp_path, replace(alive, port=port)) as engine:
            for picture in pictures(32):
                assert fold(engine.generate(prompt(picture, "Hi")))[0].text == "A red circle."
            until(engine.away)
            assert engine.away() == (f"127.0.0.1:{port} is not there",)
            assert engine.problem() == ""
            with fake(port=port) as back:
                until(lambda: not engine.away())
                for picture in pictures(32):
                    fold(engine.generate(prompt(picture, "Hi")))
                assert back.chats()


def test_with_nobody_there_the_next_prompt_after_it_is_back_is_answered(tmp_path: Path) -> None:
    with fake() as first, engine_on(first, tmp_path) as opened:
        fold(opened.generate(prompt("Hi")))
        port = first.port
        # Its connections are kept, and are dead when it is gone.
        first.routes["/v1/chat/completions"] = always(Reply(parts=HELLO, hang_up=True))
        fold(opened.generate(prompt("Hi")))
    with pytest.raises(Unavailable, match="is not there"):
        list(opened.generate(prompt("Hi")))
    with fake(port=port):
        assert fold(opened.generate(prompt("Hi")))[0].text == "A red circle."


@pytest.mark.parametrize("flaps", [1, 5])
def test_a_server_that_flaps_loses_what_it_had_and_nothing_else(flaps: int, tmp_path: Path) -> None:
    with fake() as steady, fake() as flapping, engine_on(steady, tmp_path, flapping) as engine:
        routes = flapping.routes["/v1/chat/completions"]
        for _ in range(flaps):
            flapping.routes["/v1/chat/completions"] = always(Reply(hang_up=True))
            flapping.routes["/health"] = always(Reply(500))
            until(engine.away)
            for picture in pictures(4):
                assert fold(engine.generate(prompt(picture, "Hi")))[0].text == "A red circle."
            flapping.routes["/v1/chat/completions"] = routes
            flapping.routes["/health"] = always(Reply())
            until(lambda: not engine.away())


def test_a_connection_that_the_other_side_closed_meanwhile_is_not_used(tmp_path: Path) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    requests = []

    def serve() -> None:
        for _ in range(2):
            link, _address = listener.accept()
            with link:
                requests.append(link.recv(4096))
                link.sendall(answer)
                # Announced as kept, and closed: the next request meets a dead connection.

    thread = threading.Thread(target=serve)
    thread.start()
    (server,) = servers_of(Backend((f"http://127.0.0.1:{listener.getsockname()[1]}",)))
    links: Links = server.links
    for _ in range(2):
        assert b"".join(exchange(links, HttpMessage("/x"))) == b"ok"
    thread.join(HANG_SECONDS)
    links.close()
    listener.close()
    assert len(requests) == 2
