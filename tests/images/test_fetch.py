"""Pictures by their https address: which addresses are asked, and what is refused before anything is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.conftest import inline, picture
from tests.images.fetch_namespace import PUBLIC, PUBLIC6, in_namespace
from vidi.app import create_app
from vidi.images.fetch import MOST_REDIRECTS, FetchLimits, is_public
from vidi.settings import Settings

REFUSED = (
    "0.0.0.0", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.0.1", "169.254.169.254",
    "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1",
    "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "168.63.129.16",
    "::", "::1", "::127.0.0.1", "::ffff:10.0.0.1", "::ffff:93.184.216.34", "::ffff:0:10.0.0.1",
    "64:ff9b::a00:1", "64:ff9b:1::a00:1", "100::1", "2001::1", "2001:0:5ef5:79fd::1", "2001:db8::1",
    "2002:7f00:1::", "2606:2800:220:1:0:5efe:a00:1", "2606:2800:220:1:200:5efe:a00:1", "3fff::1", "5f00::1",
    "fc00::1", "fd00:ec2::254", "fd20:ce::254", "fe80::1", "fe80::1%1", "fec0::1", "ff02::1",
)  # fmt: skip


@pytest.mark.parametrize("address", REFUSED)
def test_a_special_address_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", [PUBLIC, PUBLIC6, "8.8.8.8", "1.1.1.1", "172.32.0.1", "2a00:1450::8"])
def test_an_address_that_anyone_may_ask_is_public(address: str) -> None:
    assert is_public(address)


def _post(client: TestClient, *uris: str) -> Any:
    parts = [
        inline(picture(8, 8)),
        *({"fileData": {"fileUri": uri}} for uri in uris),
        {"text": "What is it?"},
    ]
    return client.post("/v1beta/models/echo:generateContent", json={"contents": [{"parts": parts}]})


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        ("https://user:secret@photos.example/a.png", "holds credentials"),
        ("https://:443/a.png", "names no host"),
        ("https://photos.example:0/", "no port that there is"),
        ("https://photos.example:99999/", "no port that there is"),
        ("https://[::1/", "is no URL"),
        ("https://photos.example/" + "a" * 3000, "more than 2048 characters"),
        ("https://127.0.0.1/a.png", "has no address that may be asked"),
        ("https://0x7f.1/a.png", "has no address that may be asked"),
        ("https://2130706433/a.png", "has no address that may be asked"),
        ("https://[::ffff:169.254.169.254]/latest/meta-data", "has no address that may be asked"),
        ("HTTPS://LOCALHOST/a.png", "has no address that may be asked"),
        ("https://%00/", "has no address that may be asked"),
    ],
)
def test_a_url_that_is_not_asked_names_its_part(client: TestClient, uri: str, why: str) -> None:
    reply = _post(client, uri)
    assert reply.status_code == 400, reply.text
    error = reply.json()["error"]
    assert "contents[0].parts[1].file_data" in error["message"]
    assert why in error["message"]
    assert "secret" not in reply.text


@pytest.mark.parametrize(
    "uri", ["http://photos.example/a.png", "file:///etc/passwd", "gs://bucket/a.png", "ftp://h/a"]
)
def test_another_scheme_names_its_part_and_what_to_do(client: TestClient, uri: str) -> None:
    error = _post(client, uri).json()["error"]
    assert error["code"] == 400
    assert "Unsupported file URI type" in error["message"] and "https address" in error["message"]
    assert "contents[0].parts[1].file_data" in json.dumps(error["details"])


@pytest.mark.parametrize(
    ("count", "why"),
    [
        (3_000, f"the one at contents[0].parts[{FetchLimits().urls + 1}].file_data is too many"),
        (10_000, "Please use fewer than 3600 images"),
    ],
)
def test_too_many_urls_are_refused_before_any_is_looked_up(client: TestClient, count: int, why: str) -> None:
    reply = _post(client, *(f"https://photos.example/{n}.png" for n in range(count)))
    assert reply.status_code == 400
    assert why in reply.json()["error"]["message"]


def test_an_interaction_names_its_part(client: TestClient) -> None:
    body = {"model": "echo", "input": [{"type": "image", "uri": "https://10.0.0.1/a.png"}]}
    reply = client.post("/v1beta/interactions", json=body)
    assert reply.status_code == 400
    assert "input[0] cannot be fetched" in reply.json()["error"]["message"]


@pytest.mark.parametrize(
    ("chosen", "allowed"),
    [
        ({}, True),
        ({"allow_urls": False}, False),
        ({"api_keys": ("a-key-of-sixteen",)}, False),
        ({"api_keys": ("a-key-of-sixteen",), "host": "0.0.0.0"}, False),
        ({"api_keys": ("a-key-of-sixteen",), "allow_urls": True}, True),
    ],
)
def test_strangers_have_nothing_fetched_unless_the_owner_says_so(
    tmp_path: Path, chosen: dict[str, Any], allowed: bool
) -> None:
    settings = Settings(data_dir=tmp_path / "data", cache_dir=tmp_path / "cache", model="echo", **chosen)
    with TestClient(
        create_app(settings), base_url="http://localhost", headers={"x-goog-api-key": "a-key-of-sixteen"}
    ) as client:
        error = _post(client, "https://10.0.0.1/a.png").json()["error"]
    assert error["code"] == 400
    assert ("has no address" in error["message"]) is allowed
    assert ("VIDI_ALLOW_URLS" in error["message"]) is not allowed


# --- in a network of its own


@dataclass(frozen=True, slots=True)
class World:
    """What a server in the namespace answered to each case, and which addresses were connected to."""

    answers: dict[tuple[str, ...], tuple[int, str]]
    connections: list[str]
    names: dict[str, int]


PHOTO = "https://photos.example/photo.png"
FETCHED = (
    (PHOTO,),
    ("https://six.example/photo.png",),
    ("https://photos.example:8443/photo.png",),
    ("https://photos.example/to//photo.png",),
    ("https://photos.example/to/https://six.example/photo.png",),
    (PHOTO, PHOTO, PHOTO),
)
TRAPS = tuple(
    f"https://{host}{port}/photo.png"
    for port in ("", ":80", ":8080", ":8443")
    for host in (
        "mixed.example", "private.example", "loopback.example", "metadata.example", "mapped.example",
        "nat64.example", "sixtofour.example", "teredo.example", "unique.example", "linklocal.example",
        "10.0.0.5", "127.1", "0x7f000001", "0177.0.0.1", "169.254.169.254", "100.100.100.200",
        "168.63.129.16", "[::1]", "[::ffff:10.0.0.5]", "[64:ff9b::a00:5]", "[fd00:ec2::254]",
        "unknown.example",
    )
)  # fmt: skip
WRONG = {
    "https://photos.example/to/https://photos.example/to/https://private.example/photo.png": "has no address",
    "https://photos.example/to/https://169.254.169.254/latest/meta-data": "has no address",
    "https://photos.example/to/http://photos.example/photo.png": "only https is asked",
    "https://photos.example/to/file:///etc/passwd": "only https is asked",
    "https://photos.example/to/https://a:b@photos.example/photo.png": "holds credentials",
    "https://photos.example/to/" * 9 + "x": f"more than {MOST_REDIRECTS} times",
    "https://photos.example/round": f"more than {MOST_REDIRECTS} times",
    "https://photos.example/page": "what came is an HTML page",
    "https://photos.example/endless": "more than 20000000 bytes",
    "https://photos.example/declared": "more than 20000000 bytes",
    "https://photos.example/drip": "within 20 seconds",
    "https://photos.example/headers": "could not be asked",
    "https://photos.example/gzip": "compressed it",
    "https://photos.example/broken": "could not be asked",
    "https://photos.example/gone": "answered 404",
    "https://wrong.example/photo.png": "CERTIFICATE_VERIFY_FAILED",
    f"https://{PUBLIC}/photo.png": "CERTIFICATE_VERIFY_FAILED",
    "https://silent.example/photo.png": "has no address",
}
REBIND = ("https://rebind.example/photo.png",)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    cases = [*FETCHED, *((each,) for each in (*TRAPS, *WRONG)), REBIND]
    told = in_namespace(tmp_path_factory.mktemp("namespace"), cases=cases)
    answers = {case: (code, text) for case, (code, text) in zip(cases, told["answers"], strict=True)}
    return World(answers, told["connections"], told["names"])


@pytest.mark.slow
@pytest.mark.parametrize("case", FETCHED)
def test_a_public_picture_is_fetched(world: World, case: tuple[str, ...]) -> None:
    code, text = world.answers[case]
    assert code == 200, text
    assert text.startswith(f"Echo: {len(case)} image") and "64x48" in text


@pytest.mark.slow
def test_nothing_but_the_public_server_is_ever_connected_to(world: World) -> None:
    assert world.connections
    assert set(world.connections) == {PUBLIC, PUBLIC6}


@pytest.mark.slow
@pytest.mark.parametrize("uri", TRAPS)
def test_a_name_or_address_that_is_not_public_is_refused(world: World, uri: str) -> None:
    code, text = world.answers[uri,]
    assert code == 400
    assert "contents[0].parts[0].file_data" in text
    assert "has no address that may be asked" in text or "its address is no URL" in text


@pytest.mark.slow
@pytest.mark.parametrize("uri", WRONG)
def test_what_a_public_server_may_do_wrong_names_its_part(world: World, uri: str) -> None:
    code, text = world.answers[uri,]
    assert code == 400, text
    assert "contents[0].parts[0].file_data" in text and WRONG[uri] in text


@pytest.mark.slow
def test_a_name_server_that_answers_differently_the_next_time_changes_nothing(world: World) -> None:
    code, text = world.answers[REBIND]
    assert code == 200, text
    assert world.names["rebind.example"] == 2  # one question for each kind of address
