"""Structured answers with instructor, by its default and by a schema: a line of JSON for each flow named."""

from __future__ import annotations

import json
import os
import sys
from typing import Any, Literal

# docs: begin
import instructor
from google import genai
from instructor.processing.multimodal import Image
from pydantic import BaseModel

gemini = genai.Client(api_key="any", http_options={"base_url": os.environ["VIDI"]})
client = instructor.from_genai(gemini)
# docs: end

MODEL = "gemini-3-flash-preview"


class Item(BaseModel):
    """Something in a picture."""

    label: str
    box_2d: list[int]


class Scene(BaseModel):
    """What a picture shows."""

    kind: Literal["photograph", "drawing"]
    items: list[Item]


def _scene(of: instructor.Instructor) -> dict[str, Any]:
    contents: Any = [Image.from_path(os.environ["PHOTO"]), os.environ["DETECT"]]
    scene = of.create(model=MODEL, messages=[{"role": "user", "content": contents}], response_model=Scene)
    return {"value": scene.model_dump()}


def called() -> dict[str, Any]:
    return _scene(client)


def structured() -> dict[str, Any]:
    return _scene(instructor.from_genai(gemini, mode=instructor.Mode.GENAI_STRUCTURED_OUTPUTS))


if __name__ == "__main__":
    flows = {flow.__name__: flow for flow in (structured, called)}
    for name in sys.argv[1:]:
        print(json.dumps(flows[name]()), flush=True)
