"""A caption, a structured answer and a stream with `llm`: a line of JSON for each flow named."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

# docs: begin
HERE = Path(__file__).parent  # where sitecustomize.py is
os.environ |= {"PYTHONPATH": str(HERE), "LLM_GEMINI_KEY": "any"}
LLM = [sys.executable, "-m", "llm", "-m", "gemini-3-flash-preview", "-a", os.environ["PHOTO"]]
# docs: end

SCENE = {
    "type": "object",
    "properties": {
        "kind": {"type": "string", "enum": ["photograph", "drawing"]},
        "items": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "label": {"type": "string"},
                    "box_2d": {"type": "array", "items": {"type": "integer"}},
                },
                "required": ["label", "box_2d"],
            },
        },
    },
    "required": ["kind", "items"],
}

STREAM = """
import json, os, llm
photo = llm.Attachment(path=os.environ["PHOTO"])
model = llm.get_model("gemini-3-flash-preview")
print(json.dumps(list(model.prompt("Caption this image.", attachments=[photo], key="any"))))
"""


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def caption() -> dict[str, Any]:
    return {"text": _run(*LLM, "Caption this image.")}


def structured() -> dict[str, Any]:
    return {"value": json.loads(_run(*LLM, "--schema", json.dumps(SCENE), os.environ["DETECT"]))}


def stream() -> dict[str, Any]:
    return {"chunks": json.loads(_run(sys.executable, "-c", STREAM))}


if __name__ == "__main__":
    flows = {flow.__name__: flow for flow in (caption, structured, stream)}
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LLM_USER_PATH"] = folder
        for name in sys.argv[1:]:
            print(json.dumps(flows[name]()), flush=True)
