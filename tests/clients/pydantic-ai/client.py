"""A caption, a structured answer and a stream with pydantic-ai: a line of JSON for each flow named."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel
from pydantic_ai import Agent, BinaryContent, NativeOutput

# docs: begin
from pydantic_ai.models.google import GoogleModel
from pydantic_ai.providers.google import GoogleProvider

model = GoogleModel(
    "gemini-3-flash-preview", provider=GoogleProvider(api_key="any", base_url=os.environ["VIDI"])
)
# docs: end

PHOTO = BinaryContent(Path(os.environ["PHOTO"]).read_bytes(), media_type="image/jpeg")
CAPTION = "Caption this image."


class Item(BaseModel):
    """Something in a picture."""

    label: str
    box_2d: list[int]


class Scene(BaseModel):
    """What a picture shows."""

    kind: Literal["photograph", "drawing"]
    items: list[Item]


async def caption() -> dict[str, Any]:
    return {"text": (await Agent(model).run([PHOTO, CAPTION])).output}


async def structured() -> dict[str, Any]:
    agent = Agent(model, output_type=NativeOutput(Scene))
    return {"value": (await agent.run([PHOTO, os.environ["DETECT"]])).output.model_dump()}


async def stream() -> dict[str, Any]:
    async with Agent(model).run_stream([PHOTO, CAPTION]) as answer:
        return {"chunks": [piece async for piece in answer.stream_text(delta=True, debounce_by=None)]}


async def called() -> dict[str, Any]:
    """The default way to structure: a function that the model must call."""
    agent = Agent(model, output_type=Scene)
    return {"value": (await agent.run([PHOTO, os.environ["DETECT"]])).output.model_dump()}


def look(at: int) -> dict[str, int]:
    """Look at something."""
    return {"seen": at}


async def tools() -> dict[str, Any]:
    return {"text": (await Agent(model, tools=[look]).run([PHOTO, os.environ["USE_A_TOOL"]])).output}


async def main() -> None:
    """Run the flows that are named, in that order."""
    flows = {flow.__name__: flow for flow in (caption, structured, stream, called, tools)}
    for name in sys.argv[1:]:
        print(json.dumps(await flows[name]()), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
