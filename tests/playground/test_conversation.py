"""A conversation about pictures: asked further, stopped, edited, with settings, a schema and thoughts."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.http.live import Live
from tests.playground.browser import Browser, Page
from tests.playground.conftest import program, url_of
from tests.playground.test_code import copied, run
from tests.playground.test_languages import SENT

FAULTS = [
    ("{", "This is no JSON yet: look at line 1."),
    ('{\n "type": object\n}', "This is no JSON yet: look at line 2."),
    ("[1]", "$ must be an object in braces."),
    ('{"type": "strin"}', '$ has a type that no schema has: "strin".'),
    ('{"properties": {"a": {"items": {"enum": []}}}}', "The enum of $.a[] must be a list"),
    ('{"type": "object", "properties": {"a": {}}, "required": ["b"]}', '$ requires "b", which is none'),
    ('{"properties": []}', "$.properties must be an object in braces."),
]


@pytest.fixture
def watched(browser: Browser, server: Live, photo: Path) -> Page:
    """A page with a picture whose requests can be read."""
    page = browser.open(url_of(server), script=SENT, permissions=["clipboard-read", "clipboard-write"])
    page.drop(photo)
    return page


def sent(page: Page) -> Any:
    """The body of the last request for an answer."""
    return json.loads(page.look("globalThis.sent"))


def turns(page: Page) -> list[tuple[str, Sequence[str]]]:
    """The roles of that request, and what its parts are: "picture", or their text."""
    return [
        (turn["role"], [part.get("text", "picture") for part in turn["parts"]])
        for turn in sent(page)["contents"]
    ]


def further(page: Page, question: str) -> str:
    """Ask further; gives the answer."""
    page.call("fill", "#next", question)
    page.call("press", "#next", "Enter")
    page.wait(f"document.querySelector('#asked').textContent.startsWith({json.dumps(question)})")
    return page.answer()


def test_four_turns_keep_the_picture(watched: Page) -> None:
    watched.ask("one")
    answers = [watched.answer(), *(further(watched, question) for question in ("two", "three", "four"))]
    assert turns(watched) == [
        ("user", ["picture", "one"]),
        ("model", [answers[0]]),
        ("user", ["two"]),
        ("model", [answers[1]]),
        ("user", ["three"]),
        ("model", [answers[2]]),
        ("user", ["four"]),
    ]
    assert "four" in answers[3]
    assert watched.look("[...document.querySelectorAll('#thread b')].map((each) => each.textContent)") == [
        "one",
        "two",
        "three",
    ]
    assert watched.look("document.querySelectorAll('#history li').length") == 1, "one conversation"
    watched.ask("afresh")
    watched.ended()
    assert turns(watched) == [("user", ["picture", "afresh"])]


def test_a_question_in_the_middle_is_edited_and_asked_again(watched: Page) -> None:
    watched.ask("one")
    watched.ended()
    for question in ("two", "three"):
        further(watched, question)
    watched.call("click", "[aria-label='Edit “two” and ask again']")
    assert watched.call("inputValue", "#next") == "two"
    further(watched, "two, better")
    texts = [text for _, parts in turns(watched) for text in parts]
    assert (texts[:2], texts[-1], len(texts)) == (["picture", "one"], "two, better", 4)
    watched.call("click", "[aria-label='Edit “one” and ask again']")
    assert watched.look("document.activeElement.id") == "prompt"
    assert watched.prompt() == "one"


def test_a_stopped_answer_can_be_asked_again_and_further(watched: Page) -> None:
    watched.ask("echo words=3000 sleep=0.01")
    watched.wait("document.querySelector('#answer').textContent.includes('word3')")
    watched.call("click", "#stop")
    assert watched.notice() == "Stopped."
    assert watched.prompt() == "echo words=3000 sleep=0.01"
    assert "and then" in further(watched, "and then")


def test_another_picture_does_not_slip_into_a_conversation(watched: Page, photo: Path) -> None:
    watched.ask("one")
    watched.ended()
    watched.drop(photo)
    further(watched, "two")
    assert turns(watched)[0] == ("user", ["picture", "one"])
    assert watched.thumbs() == ["photo.jpg"]


def test_settings_are_sent_and_are_in_the_code(watched: Page, tmp_path: Path) -> None:
    watched.call("click", "#more summary")
    watched.call("fill", "#system", 'Say "Ahoy" \\ ünï')
    watched.call("fill", "#temperature", "0.5")
    watched.call("check", "#thinking")
    watched.call("check", "[name=as][value=json]")
    watched.call("click", "#schemas button:first-child")
    watched.ask("what?", "json")
    answer = json.loads(watched.answer())
    assert set(answer) >= {"caption", "indoors", "people"}
    body = sent(watched)
    assert body["systemInstruction"] == {"parts": [{"text": 'Say "Ahoy" \\ ünï'}]}
    config = body["generationConfig"]
    assert (config["temperature"], config["thinkingConfig"]) == (0.5, {"includeThoughts": True})
    assert config["responseJsonSchema"]["required"] == ["caption", "indoors", "people"]
    code = copied(watched, "Python")
    assert "Ahoy" in code
    assert json.loads(run([sys.executable, "-"], tmp_path, code)) == answer
    shown = json.loads(run([program("bash"), "-eu"], tmp_path, copied(watched, "curl")))
    assert json.loads(shown["candidates"][0]["content"]["parts"][0]["text"]) == answer
    go = copied(watched, "Go")
    assert run([program("gofmt")], tmp_path, go) == go
    assert "Ahoy" in copied(watched, "JavaScript")


@pytest.mark.parametrize(("typed", "says"), FAULTS)
def test_a_schema_is_checked_while_it_is_typed(page: Page, typed: str, says: str) -> None:
    page.call("check", "[name=as][value=json]")
    page.call("fill", "#schema", typed)
    assert page.text("#schema-state").startswith(says)
    page.call("fill", "#prompt", "what?")
    page.call("click", "#send")
    assert page.notice().startswith(says)
    page.call("fill", "#schema", '{"type": "STRING"}')
    assert page.text("#schema-state") == "This is a schema."


THINKS = """
  const real = fetch;
  const said = [
    {"text": "It may be", "thought": true}, {"text": " a dog.", "thought": true}, {"text": "A dog."},
  ];
  globalThis.fetch = async (url, options) => (String(url).includes('stream')
    ? new Response(
        `data: ${JSON.stringify({candidates: [{content: {parts: said}, finishReason: 'STOP'}]})}\\n\\n`)
    : real(url, options));
"""


def test_thoughts_are_shown_apart_from_the_answer(browser: Browser, server: Live) -> None:
    page = browser.open(url_of(server), script=THINKS)
    page.ask("what?")
    assert page.answer() == "A dog."
    assert page.text("#thoughts p") == "It may be a dog."
    assert page.call("isVisible", "#thoughts summary")
