import json

from starlette.testclient import TestClient

from bench import pictures
from bench.yardsticks import application, pillow_prepare, pillow_size, stdlib_decode


def test_the_yardsticks_do_the_work_that_they_are_named_for() -> None:
    (data,) = pictures.small_jpegs(1)
    assert stdlib_decode(pictures.request([data, data])) == [data, data]
    assert pillow_size(data) == (160, 120)
    assert len(pillow_prepare(data, (80, 60))) == 80 * 60 * 3


def test_every_handler_answers_what_it_was_given() -> None:
    body = pictures.request(pictures.small_jpegs(1))
    with TestClient(application(b'{"said": 1}')) as client:
        for path in ("/json", "/look", "/count", "/body", "/bodies"):
            assert client.post(path, content=body).json() == {"said": 1}


def test_a_handler_that_parses_refuses_what_is_no_json() -> None:
    with TestClient(application(b"{}"), raise_server_exceptions=False) as client:
        assert client.post("/json", content=json.dumps({})).status_code == 200
        assert client.post("/json", content=b"{").status_code == 500
