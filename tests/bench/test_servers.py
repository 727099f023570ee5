from pathlib import Path

import pytest

from bench import pictures
from bench.servers import COUNT, GENERATE, Broken, Connection, post, vidi


@pytest.mark.slow
def test_a_server_answers_many_times_on_one_connection_and_a_refusal_is_told(tmp_path: Path) -> None:
    with vidi("echo", tmp_path) as server, Connection(server) as connection:
        for _ in range(2):
            assert b"Echo: 0 images" in connection.ask(post(GENERATE, pictures.request([])))
        assert b"totalTokens" in connection.ask(post(COUNT, pictures.request(pictures.small_jpegs(2))))
        assert connection.is_quiet(0.01)
        with pytest.raises(Broken, match="400 Bad Request"):
            connection.ask(post(GENERATE, b"{"))


@pytest.mark.slow
def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(Broken, match="no-such-model"), vidi("no-such-model", tmp_path):
        pass
