"""A picture by its https address, as real clients name it: the server fetches it, in a network of its own."""

from __future__ import annotations

import json

import pytest

from tests.clients.catalogue import CLIENTS, HTTPS, Client
from tests.clients.conftest import environment_of
from tests.clients.installers import install
from tests.conftest import picture
from tests.images.fetch_namespace import PUBLIC, in_namespace

pytestmark = [pytest.mark.slow, pytest.mark.timeout(700)]


NAMING = [
    pytest.param(each, id=each.id, marks=() if each.by_default else pytest.mark.clients)
    for each in CLIENTS
    if HTTPS in each.flows
]


@pytest.mark.parametrize("engine", ["echo"])
@pytest.mark.parametrize("flow", [HTTPS])
@pytest.mark.parametrize("client", NAMING)
def test_a_client_names_a_picture_by_its_https_address(
    client: Client, flow: str, engine: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp(engine)
    (folder / "photo.jpg").write_bytes(picture(451, 300, "JPEG"))
    (folder / "second.png").write_bytes(picture(600, 400))
    program = ([*install(client), flow], environment_of(client, folder, ""))
    told = in_namespace(folder, programs=[program])
    [(said, complaint)] = told["said"]
    assert said, complaint
    assert json.loads(said)["text"] == "Echo: 1 image (64x48), text: Caption this image."
    assert set(told["connections"]) == {PUBLIC}
