"""What the notebooks of Google's cookbook ask of a model, of vidi-lite through the Python SDK."""

from __future__ import annotations

import ast
import base64
import enum
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google import genai
from google.genai import types
from PIL import Image
from pydantic import BaseModel

from tests.clients import photographs
from tests.http.live import Live

pytestmark = [pytest.mark.weights, photographs.needed]

MODEL = "gemini-3-flash-preview"

BOXES = """
Return bounding boxes as a JSON array with labels. Never return masks or code fencing. Limit to 25 objects.
If an object is present several times, name each by what makes it unique (colour, size, position, ...).
"""

POINTS = """
Point to no more than 10 items in the image, spread out.
The answer should follow the JSON format: [{"point": [y, x], "label": "the item"}, ...].
The points are in [y, x] format normalized to 0-1000.
"""

TAGS = """
You tag photographs: of each you return a list of keywords that describe it (things, animals, colours).
Answer with a list of strings, like ["car", "red"], and nothing else.
"""


@pytest.fixture
def client(lite: Live) -> Iterator[genai.Client]:
    options = types.HttpOptions(base_url=f"http://127.0.0.1:{lite.port}")
    with genai.Client(api_key="any", http_options=options) as made:
        yield made


@pytest.fixture
def cat() -> Image.Image:
    return photographs.photograph("chelsea.png")


@pytest.fixture
def cup() -> Image.Image:
    return photographs.photograph("coffee.png")


def _ask(client: genai.Client, contents: Any, **config: Any) -> str:
    options = types.GenerateContentConfig(**config)
    return client.models.generate_content(model=MODEL, contents=contents, config=options).text or ""


def _unfenced(text: str) -> Any:
    """As the notebook parses: what is between a line ```json and a line ```, or the whole text."""
    lines = text.splitlines()
    if "```json" in lines:
        lines = lines[lines.index("```json") + 1 :]
        lines = lines[: lines.index("```")] if "```" in lines else lines
    return json.loads("\n".join(lines))


def _inside(point: tuple[float, float], box: tuple[int, int, int, int]) -> bool:
    (y, x), (top, left, bottom, right) = point, box
    return top <= y <= bottom and left <= x <= right


def test_boxes_by_system_instruction(client: genai.Client, cup: Image.Image) -> None:
    prompt = 'Detect the 2d bounding boxes of the cups (with "label" as their description)'
    text = _ask(client, [prompt, cup], system_instruction=BOXES, temperature=0.5)
    width, height = cup.size
    found = _unfenced(text)
    assert found
    for each in found:
        assert "cup" in each["label"]
        y1, x1, y2, x2 = each["box_2d"]
        left, top = int(x1 / 1000 * width), int(y1 / 1000 * height)
        right, bottom = int(x2 / 1000 * width), int(y2 / 1000 * height)
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
    middles = [((box[0] + box[2]) / 2, (box[1] + box[3]) / 2) for box in (each["box_2d"] for each in found)]
    assert any(_inside(middle, (45, 288, 762, 690)) for middle in middles), found


def _interact(client: genai.Client, contents: Any, **fields: Any) -> str:
    """As the newer notebooks ask, which speak the Interactions API."""
    made: Any = client.interactions.create(model=MODEL, input=contents, **fields)
    text: str = made.steps[-1].content[0].text
    return text


def _png(image: Image.Image) -> dict[str, str]:
    """A picture under the notebook's wrong label."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    data = base64.b64encode(buffer.getvalue()).decode()
    return {"type": "image", "data": data, "mime_type": "image/jpeg"}


def test_boxes_as_an_interaction(client: genai.Client, cup: Image.Image) -> None:
    prompt = 'Detect the 2d bounding boxes of the cups (with "label" as their description)'
    contents = [{"type": "text", "text": prompt}, _png(cup)]
    config = {"temperature": 0.5}
    text = _interact(client, contents, system_instruction=BOXES, generation_config=config)
    assert text == _ask(client, [prompt, cup], system_instruction=BOXES, temperature=0.5)
    assert all("cup" in each["label"] for each in _unfenced(text))


def test_an_upload_as_a_document(client: genai.Client, cat: Image.Image, tmp_path: Path) -> None:
    cat.save(tmp_path / "cat.jpg")
    file = client.files.upload(file=tmp_path / "cat.jpg")
    contents = [{"type": "text", "text": "Caption this image."}, {"type": "document", "uri": file.uri}]
    assert "cat" in _interact(client, contents)
    client.files.delete(name=file.name or "")


def test_points(client: genai.Client, cat: Image.Image) -> None:
    found = _unfenced(_ask(client, [cat, POINTS], temperature=0.5))
    assert 0 < len(found) <= 10
    for each in found:
        assert set(each) == {"point", "label"}
        assert all(type(side) is int and 0 <= side <= 1000 for side in each["point"])
    points = [each["point"] for each in found if each["label"] == "cat"]
    assert any(_inside((y, x), (0, 0, 1000, 917)) for y, x in points), found


def test_tags_of_a_picture_alone(client: genai.Client, cat: Image.Image) -> None:
    tags = ast.literal_eval(_ask(client, [cat], system_instruction=TAGS, temperature=0))
    assert isinstance(tags, list)
    assert all(isinstance(tag, str) for tag in tags)
    assert "cat" in tags


def test_a_caption_of_a_picture_alone(client: genai.Client, cat: Image.Image) -> None:
    task = "You describe photographs. Write one short caption of the picture that you are given."
    assert "cat" in _ask(client, [cat], system_instruction=task)


def test_counting_tokens_of_a_chat_and_a_picture(client: genai.Client, cat: Image.Image) -> None:
    chat = client.chats.create(model=MODEL)
    chat.send_message([cat, "Caption this image."])
    history: Any = chat.get_history()
    assert [content.role for content in history] == ["user", "model"]
    question = types.UserContent(parts=[types.Part(text="What colour is it?")])
    counted = client.models.count_tokens(model=MODEL, contents=[*history, question]).total_tokens
    usage = chat.send_message("What colour is it?").usage_metadata
    assert usage is not None
    assert counted == usage.prompt_token_count
    picture: Any = [cat]
    assert (counted or 0) > (client.models.count_tokens(model=MODEL, contents=picture).total_tokens or 0) > 0


def test_files_round_trip(client: genai.Client, cat: Image.Image, cup: Image.Image, tmp_path: Path) -> None:
    names = []
    for name, image in (("cat.jpg", cat), ("cup.jpg", cup)):
        image.save(tmp_path / name)
        config = types.UploadFileConfig(display_name=name)
        names.append(client.files.upload(file=tmp_path / name, config=config).name or "")
    files = [client.files.get(name=name) for name in names]
    assert [file.display_name for file in files] == ["cat.jpg", "cup.jpg"]
    # As the notebook does: by uri, without a MIME type.
    by_uri = [types.Part(file_data=types.FileData(file_uri=file.uri)) for file in files]
    assert "cat" in _ask(client, [by_uri[0], "Caption this image."])
    both = _ask(client, ["What is different between these two images?", *by_uri])
    assert 0 <= both.find("cat") < both.find("cup")
    for name in names:
        client.files.delete(name=name)
    assert not {file.name for file in client.files.list()} & set(names)


class Animal(enum.Enum):
    DOG = "dog"
    CAT = "cat"
    BIRD = "bird"


def test_an_enum_as_text(client: genai.Client, cat: Image.Image) -> None:
    asked = [cat, "What animal is this?"]
    assert _ask(client, asked, response_mime_type="text/x.enum", response_schema=Animal) == "cat"


def test_an_enum_as_json(client: genai.Client, cat: Image.Image) -> None:
    asked = [cat, "What animal is this?"]
    assert _ask(client, asked, response_mime_type="application/json", response_schema=Animal) == '"cat"'


class Described(BaseModel, extra="forbid"):
    animal: str
    colour: str
    count: int


def test_a_json_schema(client: genai.Client, cat: Image.Image) -> None:
    text = _ask(
        client,
        [cat, "Which animal is in the picture, what colour is it, and how many are there?"],
        response_mime_type="application/json",
        response_json_schema=Described.model_json_schema(),
    )
    assert Described.model_validate_json(text) == Described(animal="cat", colour="brown", count=1)
