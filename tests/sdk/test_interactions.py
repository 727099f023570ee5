"""The Interactions API by the official Python SDK, synchronous and asynchronous, pointed by environment."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google import genai

from tests.conftest import picture

MODEL = "gemini-3-flash-preview"
IMAGE = {
    "type": "image",
    "data": base64.b64encode(picture(640, 480, "JPEG")).decode(),
    "mime_type": "image/jpeg",
}
INPUT: Any = [{"type": "text", "text": "Caption this image."}, IMAGE]
ANSWER = "Echo: 1 image (640x480), text: Caption this image."


@pytest.fixture
def api(client: genai.Client) -> Any:
    """`client.interactions`: its overloads fit no fields that a test chooses."""
    return client.interactions


@pytest.fixture
def create(api: Any) -> Callable[..., Any]:
    """`client.interactions.create` about the picture, unless said otherwise."""

    def ask(**fields: Any) -> Any:
        return api.create(**{"model": MODEL, "input": INPUT, **fields})

    return ask


def test_it_is_created_looked_up_and_deleted(api: Any, create: Callable[..., Any]) -> None:
    made = create()
    assert made.output_text == made.steps[-1].content[0].text == ANSWER
    assert made.status == "completed"
    assert made.usage.total_input_tokens == 1037
    assert api.get(id=made.id).output_text == ANSWER
    whole = api.get(id=made.id, include_input=True)
    assert whole.input[0].content[1].data == IMAGE["data"]
    api.delete(id=made.id)
    with pytest.raises(Exception, match="There is no interaction") as gone:
        api.get(id=made.id)
    assert getattr(gone.value, "status_code", None) == 404


def test_it_goes_on_from_another(create: Callable[..., Any]) -> None:
    first = create()
    second = create(input="And the ball?", previous_interaction_id=first.id, system_instruction="Be brief.")
    assert second.output_text == "Echo: 1 image (640x480), text: And the ball?"
    assert second.previous_interaction_id == first.id


def test_it_is_streamed(create: Callable[..., Any]) -> None:
    with create(stream=True) as stream:
        events = list(stream)
    assert [event.event_type for event in events][:2] == ["interaction.created", "step.start"]
    assert "".join(event.delta.text for event in events if event.event_type == "step.delta") == ANSWER
    assert events[-1].event_type == "interaction.completed"
    assert events[-1].interaction.usage.total_input_tokens == 1037


def test_it_is_answered_by_schema(create: Callable[..., Any]) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    form = {"type": "text", "mime_type": "application/json", "schema": schema}
    assert isinstance(json.loads(create(response_format=form).output_text)["n"], int)


def test_a_file_is_named_by_its_uri(client: genai.Client, create: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "ball.png"
    path.write_bytes(picture(50, 40))
    file = client.files.upload(file=path)
    for kind in ("image", "document"):
        made = create(input=[{"type": kind, "uri": file.uri}, {"type": "text", "text": "hi"}])
        assert made.output_text == "Echo: 1 image (50x40), text: hi"


@pytest.mark.parametrize(
    ("fields", "status", "says"),
    [
        ({"model": "gpt"}, 404, "model_not_found"),
        ({"previous_interaction_id": "nope"}, 404, "previous_interaction_id"),
        ({"tools": [{"type": "google_search"}]}, 400, "google_search is not served"),
        ({"background": True}, 400, "background is not served"),
        ({"input": [{**IMAGE, "data": "AAAA"}]}, 400, r"input\[0\]"),
        (
            {"input": [{"type": "audio", "data": "AAAA", "mime_type": "audio/wav"}]},
            400,
            "audio is not served",
        ),
        ({"generation_config": {"max_output_tokens": -1}, "stream": True}, 400, "max_output_tokens"),
    ],
)
def test_a_refusal_is_the_clients_own_error(
    create: Callable[..., Any], fields: dict[str, Any], status: int, says: str
) -> None:
    with pytest.raises(Exception, match=says) as refused:
        create(**fields)
    assert getattr(refused.value, "status_code", None) == status


def test_it_is_the_same_asynchronously(client: genai.Client) -> None:
    async def ask() -> tuple[str, str]:
        made: Any = await client.aio.interactions.create(model=MODEL, input=INPUT)
        stream: Any = await client.aio.interactions.create(model=MODEL, input=INPUT, stream=True)
        texts = [event.delta.text async for event in stream if event.event_type == "step.delta"]
        await client.aio.aclose()
        return made.output_text, "".join(texts)

    assert asyncio.run(ask()) == (ANSWER, ANSWER)
