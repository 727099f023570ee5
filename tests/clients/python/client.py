"""The guide's flows with Google's Python SDK, asynchronously: a line of JSON for each flow named."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
import urllib.request
from pathlib import Path
from typing import Any, Literal

from google.genai import errors, types
from pydantic import BaseModel

# docs: begin
from google import genai

client = genai.Client(api_key="any", http_options={"base_url": os.environ["VIDI"]})
# docs: end

MODEL = "gemini-3-flash-preview"
PHOTO = types.Part.from_bytes(data=Path(os.environ["PHOTO"]).read_bytes(), mime_type="image/jpeg")
DRAWING = types.Part.from_bytes(data=Path(os.environ["DRAWING"]).read_bytes(), mime_type="image/png")
IMAGE: Any = {
    "type": "image",
    "data": base64.b64encode(Path(os.environ["PHOTO"]).read_bytes()).decode(),
    "mime_type": "image/jpeg",
}
CAPTION = "Caption this image."
DETECT = os.environ["DETECT"]


class Item(BaseModel):
    """Something in a picture."""

    label: str
    box_2d: list[int]


class Scene(BaseModel):
    """What a picture shows."""

    kind: Literal["photograph", "drawing"]
    items: list[Item]


async def _text(contents: Any, **config: Any) -> str:
    options = types.GenerateContentConfig(**config)
    answer = await client.aio.models.generate_content(model=MODEL, contents=contents, config=options)
    return answer.text or ""


def _fetch(url: str) -> bytes:
    with urllib.request.urlopen(url) as response:
        data: bytes = response.read()
    return data


async def caption() -> dict[str, Any]:
    return {"text": await _text([PHOTO, CAPTION])}


async def fetched() -> dict[str, Any]:
    data = await asyncio.to_thread(_fetch, os.environ["PHOTO_URL"])
    return {"text": await _text([types.Part.from_bytes(data=data, mime_type="image/jpeg"), CAPTION])}


async def https() -> dict[str, Any]:
    """The server fetches the picture."""
    there = types.Part.from_uri(file_uri=os.environ["HTTPS_URL"], mime_type="image/png")
    return {"text": await _text([there, CAPTION])}


async def stream() -> dict[str, Any]:
    answer = await client.aio.models.generate_content_stream(model=MODEL, contents=[PHOTO, CAPTION])
    return {"chunks": [chunk.text or "" async for chunk in answer]}


async def structured() -> dict[str, Any]:
    text = await _text([PHOTO, DETECT], response_mime_type="application/json", response_schema=Scene)
    return {"value": Scene.model_validate_json(text).model_dump()}


def look(at: int) -> dict[str, int]:
    """Look at something."""
    return {"seen": at}


async def tools() -> dict[str, Any]:
    """The SDK calls the function by itself, and sends what it gave."""
    return {"text": await _text([PHOTO, os.environ["USE_A_TOOL"]], tools=[look])}


async def called() -> dict[str, Any]:
    scene = types.FunctionDeclaration(name="scene", parameters_json_schema=Scene.model_json_schema())
    calling = types.FunctionCallingConfig(mode=types.FunctionCallingConfigMode.ANY)
    answer = await client.aio.models.generate_content(
        model=MODEL,
        contents=[PHOTO, DETECT],
        config=types.GenerateContentConfig(
            tools=[types.Tool(function_declarations=[scene])],
            tool_config=types.ToolConfig(function_calling_config=calling),
        ),
    )
    calls = answer.function_calls or []
    return {"value": Scene.model_validate(calls[0].args).model_dump()}


async def boxes() -> dict[str, Any]:
    return {"value": json.loads(await _text([PHOTO, DETECT], response_mime_type="application/json"))}


async def upload() -> dict[str, Any]:
    file = await client.aio.files.upload(file=os.environ["PHOTO"])
    text = await _text([file, CAPTION])
    await client.aio.files.delete(name=file.name or "")
    return {"text": text}


async def several() -> dict[str, Any]:
    file = await client.aio.files.upload(file=os.environ["PHOTO"])
    return {"text": await _text(["What is different between these two images?", file, DRAWING])}


async def tokens() -> dict[str, Any]:
    contents: Any = [PHOTO, CAPTION]
    counted = await client.aio.models.count_tokens(model=MODEL, contents=contents)
    answer = await client.aio.models.generate_content(model=MODEL, contents=contents)
    usage = answer.usage_metadata
    return {"value": [counted.total_tokens, usage.prompt_token_count if usage else None]}


async def refused() -> dict[str, Any]:
    try:
        await client.aio.models.generate_content(model="no-such-model", contents="hi")
    except errors.ClientError as refusal:
        return {"value": [refusal.code, refusal.message]}
    return {"value": None}


async def interaction() -> dict[str, Any]:
    first: Any = await client.aio.interactions.create(model=MODEL, input=[IMAGE])
    again: Any = await client.aio.interactions.create(
        model=MODEL, input=CAPTION, previous_interaction_id=first.id
    )
    await client.aio.interactions.delete(id=first.id)
    return {"text": again.output_text}


TALKS = (caption, fetched, stream, structured, boxes, upload, several, tokens, refused, interaction)
FLOWS = (*TALKS, https, called, tools)


async def main() -> None:
    """Run the flows that are named, in that order."""
    flows = {flow.__name__: flow for flow in FLOWS}
    for name in sys.argv[1:]:
        print(json.dumps(await flows[name]()), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
