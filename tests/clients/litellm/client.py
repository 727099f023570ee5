"""A caption, a structured answer and a stream with LiteLLM: a line of JSON for each flow named."""

from __future__ import annotations

import base64
import json
import os
import sys
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

# docs: begin
import litellm

SERVER = {
    "model": "gemini/gemini-3-flash-preview",
    "api_key": "any",
    "api_base": f"{os.environ['VIDI']}/v1beta",
}
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


def _messages(text: str) -> list[dict[str, Any]]:
    picture = {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{DATA}"}}
    return [{"role": "user", "content": [picture, {"type": "text", "text": text}]}]


def caption() -> dict[str, Any]:
    answer = litellm.completion(messages=_messages("Caption this image."), **SERVER)
    return {"text": answer.choices[0].message.content}


def structured() -> dict[str, Any]:
    answer = litellm.completion(messages=_messages(os.environ["DETECT"]), response_format=Scene, **SERVER)
    return {"value": Scene.model_validate_json(answer.choices[0].message.content).model_dump()}


def stream() -> dict[str, Any]:
    answer = litellm.completion(messages=_messages("Caption this image."), stream=True, **SERVER)
    return {"chunks": [chunk.choices[0].delta.content or "" for chunk in answer]}


if __name__ == "__main__":
    flows = {flow.__name__: flow for flow in (caption, structured, stream)}
    for name in sys.argv[1:]:
        print(json.dumps(flows[name]()), flush=True)
