"""A caption, a structured answer and a stream with LlamaIndex: a line of JSON for each flow named."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any, Literal

from llama_index.core.llms import ChatMessage, ImageBlock, TextBlock
from pydantic import BaseModel

# docs: begin
from llama_index.llms.google_genai import GoogleGenAI

llm = GoogleGenAI(
    model="gemini-3-flash-preview", api_key="any", http_options={"base_url": os.environ["VIDI"]}
)
# docs: end


class Item(BaseModel):
    """Something in a picture."""

    label: str
    box_2d: list[int]


class Scene(BaseModel):
    """What a picture shows."""

    kind: Literal["photograph", "drawing"]
    items: list[Item]


def _messages(text: str) -> list[ChatMessage]:
    picture = ImageBlock(path=Path(os.environ["PHOTO"]), image_mimetype="image/jpeg")
    return [ChatMessage(role="user", blocks=[picture, TextBlock(text=text)])]


def caption() -> dict[str, Any]:
    return {"text": llm.chat(_messages("Caption this image.")).message.content}


def structured() -> dict[str, Any]:
    answer = llm.as_structured_llm(Scene).chat(_messages(os.environ["DETECT"]))
    return {"value": json.loads(answer.message.content or "")}


def stream() -> dict[str, Any]:
    """Asynchronously, since that is another reader of streams (aiohttp)."""

    async def chunks() -> list[str]:
        answer = await llm.astream_chat(_messages("Caption this image."))
        return [chunk.delta or "" async for chunk in answer]

    return {"chunks": asyncio.run(chunks())}


if __name__ == "__main__":
    flows = {flow.__name__: flow for flow in (caption, structured, stream)}
    for name in sys.argv[1:]:
        print(json.dumps(flows[name]()), flush=True)
