"""What each kind of server is sent, kept as files: `tests/golden/backends/KIND.json`.

A file holds the bodies of the requests that a plain question, one about a picture with a schema, and one that
is to be thought over become; pictures and long grammars stand there as the digests of what was sent.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.contract.engine_suite import SHAPE, prompt
from tests.engines.lite.fakes import PARK
from tests.engines.remote.fake import KINDS, Reply, always, chat_path, chunk, engine_on, fake, sse
from vidi.domain.answer import fold
from vidi.domain.prompt import Output, Prompt, Request, Role, Sampling, TextFormat, Thinking, Turn

GOLDEN = Path(__file__).parents[2] / "golden" / "backends"
UPDATE = "UPDATE_GOLDEN=1 pytest tests/engines/remote/test_golden.py"
REFRESH = f"If the change is meant: {UPDATE}, then read the diff."
LONG = 200
BOXES = '[{"label": "dog", "box_2d": [1, 2, 3, 4]}]'

EVERYTHING = Sampling(
    temperature=0.5,
    top_p=0.9,
    top_k=40,
    seed=-1,
    max_output_tokens=100,
    stop_sequences=("STOP",),
    presence_penalty=0.1,
    frequency_penalty=0.2,
)
QUESTIONS: dict[str, Prompt] = {
    "a plain question": Request(
        turns=(
            Turn(Role.USER, ("Who are you?",)),
            Turn(Role.MODEL, ("Vidi.",)),
            Turn(Role.USER, ("And who is that? ", "🐈")),
        ),
        system="Be short.",
        sampling=EVERYTHING,
    ),
    "boxes in a picture": prompt(
        "Before. ", PARK.picture, "Detect all items.", output=Output(TextFormat.JSON, SHAPE)
    ),
    "any JSON": prompt("Tell me.", output=Output(TextFormat.JSON)),
    "thinking": Request(turns=(Turn(Role.USER, ("Why?",)),), thinking=Thinking(include=True)),
}


def shortened(value: Any) -> Any:
    """The same, with long texts as their digests."""
    if isinstance(value, dict):
        return {name: shortened(each) for name, each in value.items()}
    if isinstance(value, list):
        return [shortened(each) for each in value]
    if isinstance(value, str) and len(value) > LONG:
        return f"{value[:24]}... sha256 {hashlib.sha256(value.encode()).hexdigest()[:16]}"
    return value


def answer(kind: str, text: str) -> Reply:
    if kind != "ollama":
        return Reply(parts=sse(chunk(content=text), chunk("stop")))
    line = {"message": {"content": text}, "done": True, "done_reason": "stop", "eval_count": 1}
    return Reply(parts=(json.dumps(line).encode() + b"\n",))


@pytest.mark.parametrize("kind", KINDS)
def test_requests_are_what_they_were(kind: str, tmp_path: Path) -> None:
    sent = {}
    # A family that can think, so that it has to be told whether to.
    with fake(kind) as backend, engine_on(backend, tmp_path, profile="qwen3.5") as engine:
        for name, question in QUESTIONS.items():
            said = BOXES if name in ("boxes in a picture", "any JSON") else "x"
            backend.routes[chat_path(kind)] = always(answer(kind, said))
            fold(engine.generate(question))
            (asked,) = backend.chats()
            backend.asked.clear()
            sent[name] = shortened(asked.body)
    file = GOLDEN / f"{kind}.json"
    if os.environ.get("UPDATE_GOLDEN"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(sent, indent=1, ensure_ascii=False) + "\n", "utf-8")
    assert sent == json.loads(file.read_text("utf-8")), REFRESH


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_of_the_callers_but_the_prompt_is_sent(kind: str, tmp_path: Path) -> None:
    with fake(kind) as backend, engine_on(backend, tmp_path, key="the-servers") as engine:
        fold(engine.generate(prompt(PARK.picture, "What is this?")))
        (asked,) = backend.chats()
    text = json.dumps(asked.body)
    assert "http:" not in text
    assert "file:" not in text
    if kind != "ollama":
        assert text.count("data:image/jpeg;base64,") == 1
    assert set(asked.headers) == {
        "host", "authorization", "content-type", "content-length", "x-request-id", "x-session-id"
    }  # fmt: skip
    assert asked.headers["authorization"] == "Bearer the-servers"
