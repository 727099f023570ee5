"""The flows of `../python` in Vertex express mode: its paths, with a key alone."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "python"))

import client as guide

# docs: begin
from google import genai

client = genai.Client(vertexai=True, api_key="any", http_options={"base_url": os.environ["VIDI"]})
# docs: end

guide.client = client

if __name__ == "__main__":
    asyncio.run(guide.main())
