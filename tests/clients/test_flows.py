"""The guide's flows, and what other clients ask most, by the real clients against a real server process."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.clients import photographs
from tests.clients.catalogue import CLIENTS, Client
from tests.clients.conftest import Told

pytestmark = pytest.mark.timeout(700)  # the first run installs and compiles

Answer = dict[str, Any]

ECHO = "Echo: 1 image (451x300), text: Caption this image."
ECHO_START, _, ECHO_END = ECHO.partition("Caption")
CAT = (0, 0, 1000, 890)
"""ymin, xmin, ymax, xmax of the cat in thousandths."""


def _says_echo(answer: Answer) -> None:
    _is_echo(answer["text"])


def _streams_echo(answer: Answer) -> None:
    _is_echo("".join(answer["chunks"]))
    assert sum(map(bool, answer["chunks"])) > 3


def _is_echo(text: str) -> None:
    """One picture and the question, whatever words of its own an agent puts between them."""
    assert text.startswith(ECHO_START)
    assert "Caption" + ECHO_END in text


def _is_an_empty_scene(answer: Answer) -> None:
    assert answer["value"] == {"kind": "photograph", "items": []}


def _saw_both_sizes(answer: Answer) -> None:
    expected = "Echo: 2 images (451x300, 600x400), text: What is different between these two images?"
    assert answer["text"] == expected


def _counts_as_it_bills(answer: Answer) -> None:
    counted, billed = answer["value"]
    assert counted == billed >= 6 * 258


def _is_told_that_there_is_no_such_model(answer: Answer) -> None:
    code, message = answer["value"]
    assert code == 404
    assert "models/no-such-model is not found" in message


def _was_told_what_the_function_gave(answer: Answer) -> None:
    """The function ran at the client's, and the model tells what it gave: `{"seen": 7}`, or file names."""
    assert " gave {" in answer["text"]
    assert re.search(r"seen[^a-z]*7|photo\.jpg", answer["text"])


def _names_the_cat(answer: Answer) -> None:
    assert "cat" in answer["text"].lower()


def _streams_the_cat(answer: Answer) -> None:
    assert "cat" in "".join(answer["chunks"]).lower()
    assert sum(map(bool, answer["chunks"])) > 1


def _boxes_the_cat(items: list[Answer]) -> None:
    boxes = [item["box_2d"] for item in items if item["label"] == "cat"]
    assert boxes
    assert all(abs(side - other) < 100 for side, other in zip(boxes[0], CAT, strict=True)), boxes


def _is_a_scene_with_the_cat(answer: Answer) -> None:
    assert answer["value"]["kind"] == "photograph"
    _boxes_the_cat(answer["value"]["items"])


def _is_a_list_with_the_cat(answer: Answer) -> None:
    _boxes_the_cat(answer["value"])


def _tells_the_cat_from_the_cup(answer: Answer) -> None:
    assert 0 <= answer["text"].find("cat") < answer["text"].find("cup")


CHECKS: dict[str, dict[str, Callable[[Answer], None]]] = {
    "echo": {
        "caption": _says_echo,
        "fetched": _says_echo,
        "upload": _says_echo,
        "interaction": _says_echo,
        "vertex": _says_echo,
        "stream": _streams_echo,
        "structured": _is_an_empty_scene,
        "several": _saw_both_sizes,
        "tokens": _counts_as_it_bills,
        "refused": _is_told_that_there_is_no_such_model,
        "called": _is_an_empty_scene,
        "tools": _was_told_what_the_function_gave,
    },
    "vidi-lite": {
        "caption": _names_the_cat,
        "fetched": _names_the_cat,
        "upload": _names_the_cat,
        "interaction": _names_the_cat,
        "stream": _streams_the_cat,
        "structured": _is_a_scene_with_the_cat,
        "called": _is_a_scene_with_the_cat,
        "boxes": _is_a_list_with_the_cat,
        "several": _tells_the_cat_from_the_cup,
    },
}
"""What an engine's answer must be, by flow; a flow that is missing here is not for that engine."""


def _cases() -> list[Any]:
    """Every client, engine and flow, with the marks that say when it runs and what is expected."""
    return [
        pytest.param(client, engine, flow, id=f"{client.id}-{engine}-{flow}", marks=_marks(client, engine))
        for client in CLIENTS
        for engine, checks in CHECKS.items()
        for flow in client.flows
        if flow in checks
    ]


def _marks(client: Client, engine: str) -> list[pytest.MarkDecorator]:
    marks = [] if client.by_default else [pytest.mark.clients]
    if engine == "vidi-lite":
        marks += [pytest.mark.weights, photographs.needed]
    if client.barred:
        marks.append(pytest.mark.xfail(reason=client.barred))
    return marks


@pytest.mark.parametrize(("client", "engine", "flow"), _cases())
def test_flow(client: Client, engine: str, flow: str, request: pytest.FixtureRequest) -> None:
    told: Told = request.getfixturevalue(f"told_{engine.removeprefix('vidi-')}")
    asked = tuple(each for each in client.flows if each in CHECKS[engine])
    ran = told(client, asked)
    place = asked.index(flow)
    assert place < len(ran.lines), ran.complaint
    CHECKS[engine][flow](json.loads(ran.lines[place]))
