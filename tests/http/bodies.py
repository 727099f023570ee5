"""Requests as trees of JSON, for tests that bend and stretch them."""

from __future__ import annotations

import base64
from typing import Any

from tests.conftest import picture

MODEL = "/v1beta/models/gemini-3-flash-preview"

Json = Any
"""A tree of JSON values, on purpose of any form."""

BIG = "@big@"
"""Stands for a number of 5,000 digits, which `json.dumps` cannot write."""


def text_request(text: str) -> Json:
    """A request of one text."""
    return {"contents": [{"parts": [{"text": text}]}]}


def configured(**config: Json) -> Json:
    """A request with a generationConfig."""
    return text_request("hi") | {"generationConfig": config}


def with_schema(schema: Json) -> Json:
    """A request for JSON in a responseSchema."""
    return configured(responseMimeType="application/json", responseSchema=schema)


def with_json_schema(schema: Json) -> Json:
    """A request for JSON in a responseJsonSchema."""
    return configured(responseMimeType="application/json", responseJsonSchema=schema)


BASE64 = base64.b64encode(picture(24, 16)).decode()
PICTURE = {"inlineData": {"mimeType": "image/png", "data": BASE64}}
