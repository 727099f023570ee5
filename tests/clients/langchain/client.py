"""A caption, a structured answer and a stream with LangChain: a line of JSON for each flow named."""

from __future__ import annotations

import base64
import json
import os
import sys
from pathlib import Path
from typing import Any, Literal

from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from pydantic import BaseModel

# docs: begin
from langchain_google_genai import ChatGoogleGenerativeAI

model = ChatGoogleGenerativeAI(model="gemini-3-flash-preview", api_key="any", base_url=os.environ["VIDI"])
# docs: end

DATA = base64.b64encode(Path(os.environ["PHOTO"]).read_bytes()).decode()


class Item(BaseModel):
    """Something in a picture."""

    label: str
    box_2d: list[int]


class Scene(BaseModel):
    """What a picture shows."""

    kind: Literal["photograph", "drawing"]
    items: list[Item]


def _message(text: str) -> list[HumanMessage]:
    picture = {"type": "image_url", "image_url": f"data:image/jpeg;base64,{DATA}"}
    return [HumanMessage(content=[picture, {"type": "text", "text": text}])]


def caption() -> dict[str, Any]:
    return {"text": model.invoke(_message("Caption this image.")).text}


def structured() -> dict[str, Any]:
    scene = model.with_structured_output(Scene).invoke(_message(os.environ["DETECT"]))
    return {"value": scene.model_dump()}


def stream() -> dict[str, Any]:
    return {"chunks": [chunk.text for chunk in model.stream(_message("Caption this image."))]}


def called() -> dict[str, Any]:
    asked = model.bind_tools([Scene], tool_choice="any").invoke(_message(os.environ["DETECT"]))
    return {"value": Scene(**asked.tool_calls[0]["args"]).model_dump()}


@tool
def look(at: int) -> dict[str, int]:
    """Look at something."""
    return {"seen": at}


def tools() -> dict[str, Any]:
    able = model.bind_tools([look])
    messages: list[Any] = _message(os.environ["USE_A_TOOL"])
    asked = able.invoke(messages)
    messages += [asked, *(look.invoke(call) for call in asked.tool_calls)]
    return {"text": able.invoke(messages).text}


if __name__ == "__main__":
    flows = {flow.__name__: flow for flow in (caption, structured, stream, called, tools)}
    for name in sys.argv[1:]:
        print(json.dumps(flows[name]()), flush=True)
