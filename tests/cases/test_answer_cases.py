"""What people reported of answers, case by case: what `vidi-lite` says to prompts that they bring along.

The words for units, orders and names are read for every model: see `tests/engines/grounding`.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from starlette.testclient import TestClient

from tests.clients import photographs
from tests.conftest import inline, picture
from tests.images.drawn import DATA as HEICS
from vidi.app import create_app
from vidi.engines.lite.weights.assets import Weights
from vidi.settings import Settings, load

DATA = Path(__file__).parent / "data"
CALL = "/v1beta/models/vidi-lite:generateContent"
JSON = {"responseMimeType": "application/json"}
TOTAL = {"ymin": 141, "xmin": 86, "ymax": 293, "xmax": 337}
"""Where the word TOTAL stands in two-words.png, in thousandths."""

pytestmark = [pytest.mark.slow, pytest.mark.weights, photographs.needed]


@pytest.fixture(scope="module")
def lite(real_weights: Weights, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A client of the built-in engine."""
    data = tmp_path_factory.mktemp("data")
    settings = Settings(model="vidi-lite", data_dir=data, cache_dir=load({}).cache_dir)
    with TestClient(create_app(settings), base_url="http://localhost") as client:
        yield client


def _drawing(name: str) -> dict[str, object]:
    return inline((DATA / name).read_bytes())


def _photo(name: str) -> dict[str, object]:
    return inline((photographs.path_of(name)).read_bytes())


def _ask(client: TestClient, *parts: Any, system: str = "", schema: Any = None, **config: Any) -> str:
    body: dict[str, Any] = {"contents": [{"parts": list(parts)}]}
    if system:
        body["systemInstruction"] = {"parts": [{"text": system}]}
    if schema:
        config |= {**JSON, "responseJsonSchema": schema}
    reply = client.post(CALL, json={**body, "generationConfig": config})
    assert reply.status_code == 200, reply.text
    return str(reply.json()["candidates"][0]["content"]["parts"][0]["text"])


def _box(**members: Any) -> dict[str, Any]:
    return {"type": "array", "items": {"type": "object", "properties": members, "required": list(members)}}


X_FIRST = [TOTAL["xmin"], TOTAL["ymin"], TOTAL["xmax"], TOTAL["ymax"]]
Y_FIRST = [TOTAL["ymin"], TOTAL["xmin"], TOTAL["ymax"], TOTAL["xmax"]]
ORDER = "[xmin, ymin, xmax, ymax] normalized to 0-1000"


def test_02_boxes_in_the_order_that_is_spelt_out(lite: TestClient) -> None:
    words = _drawing("two-words.png")
    numbers = {"type": "array", "items": {"type": "integer"}, "description": f"A box, {ORDER}"}
    asked = (
        _ask(lite, words, {"text": f"Detect all text. The box_2d should be {ORDER}."}, **JSON),
        _ask(lite, words, {"text": "Detect all text."}, system=f"Boxes are box_2d as {ORDER}.", **JSON),
        _ask(
            lite, words, {"text": "Detect all text."}, schema=_box(box_2d=numbers, label={"type": "string"})
        ),
    )
    for text in asked:
        assert json.loads(text)[0] == {"box_2d": X_FIRST, "label": "TOTAL"}
    usual = _ask(lite, words, {"text": "Detect all text."}, **JSON)
    assert json.loads(usual)[0]["box_2d"] == Y_FIRST


def test_03_an_answer_in_one_word(lite: TestClient) -> None:
    cat = _photo("chelsea.png")
    for asked in ("What is in this image? Answer in one word.", "Respond in one word. What is it?"):
        assert _ask(lite, cat, {"text": asked}) == "cat"
    for asked in ("What is this? Answer with a single word.", "Answer with a single word: what is this?"):
        assert _ask(lite, cat, {"text": asked}) == "cat"
        assert _ask(lite, inline(picture(300, 200)), {"text": asked}) == "unknown"
    assert _ask(lite, cat, {"text": "What color is it? One word only."}) == "brown"
    assert _ask(lite, cat, {"text": "Describe the weather in one word."}) == "unknown"
    assert "cat" in _ask(lite, cat, {"text": "What is in this image? Answer in 5 words."})


def test_05_a_box_under_a_name_of_another_model(lite: TestClient) -> None:
    numbers = {"type": "array", "items": {"type": "number"}}
    for name in ("bbox_2d", "box2d", "bbox2d", "box_coordinates"):
        schema = _box(**{name: numbers, "text": {"type": "string"}})
        text = _ask(
            lite, _drawing("two-words.png"), {"text": "Extract every word with its box."}, schema=schema
        )
        assert json.loads(text)[0] == {name: Y_FIRST, "text": "TOTAL"}


def test_05_a_box_under_a_name_that_nobody_knows(lite: TestClient) -> None:
    words, text = _drawing("two-words.png"), {"type": "string"}
    numbers: dict[str, Any] = {"type": "array", "items": {"type": "number"}}
    edges = ("y1", "x1", "y2", "x2")
    extent = {"type": "object", "properties": {edge: {"type": "number"} for edge in edges}, "required": edges}
    for asked, kind, box in (
        ("Extract every word with its box.", numbers, Y_FIRST),
        ("Extract every word.", {**numbers, "minItems": 4, "maxItems": 4}, Y_FIRST),
        ("Extract every word.", {**numbers, "description": "Bounding box of the word"}, Y_FIRST),
        ("Extract every word.", {**numbers, "description": "As [x1, y1, x2, y2]"}, X_FIRST),
        ("Extract every word.", extent, dict(zip(edges, Y_FIRST, strict=True))),
    ):
        found = json.loads(_ask(lite, words, {"text": asked}, schema=_box(area=kind, text=text)))
        assert found[0] == {"area": box, "text": "TOTAL"}
    cat = _photo("chelsea.png")
    found = json.loads(_ask(lite, cat, {"text": "Detect it."}, schema=_box(kasten=numbers, label=text)))
    assert [len(each["kasten"]) for each in found] == [4]


def test_06_numbers_between_0_and_1(lite: TestClient) -> None:
    words, parts = _drawing("two-words.png"), [edge / 1000 for edge in Y_FIRST]
    asked = "Detect all text. box_2d as [ymin, xmin, ymax, xmax] with coordinates between 0.0 and 1.0."
    assert json.loads(_ask(lite, words, {"text": asked}, **JSON))[0]["box_2d"] == parts
    edges = {name: {"type": "number"} for name in ("x_min", "y_min", "x_max", "y_max")}
    found = json.loads(_ask(lite, words, {"text": asked}, schema=_box(**edges, label={"type": "string"})))[0]
    assert [found[name] for name in ("y_min", "x_min", "y_max", "x_max")] == parts
    scored = "Detect all text as box_2d, with a confidence between 0 and 1."
    assert json.loads(_ask(lite, words, {"text": scored}, **JSON))[0]["box_2d"] == Y_FIRST


def test_07_labelled_pictures(lite: TestClient) -> None:
    cat, cup = _photo("chelsea.png"), _photo("coffee.png")
    for one, two in (("Image 1:", "Image 2:"), ("[Image 1]", "[Image 2]")):
        labelled = ({"text": one}, cat, {"text": two}, cup)
        second = _ask(lite, *labelled, {"text": "What is in image 2?"})
        assert "cup" in second and "cat" not in second
        assert "cat" in _ask(lite, *labelled, {"text": "What animal is in image 1?"})
        both = _ask(lite, *labelled, {"text": "Caption these images."})
        assert 0 <= both.find("cat") < both.find("cup")


def test_08_answers_for_each_picture_in_order(lite: TestClient) -> None:
    cat, cup = _photo("chelsea.png"), _photo("coffee.png")
    texts = {"type": "array", "items": {"type": "string"}}
    asked = {"text": "For each image return the main thing, in order."}
    assert json.loads(_ask(lite, cat, cup, asked, schema=texts)) == ["cat", "table"]
    assert json.loads(_ask(lite, cup, cat, asked, schema=texts)) == ["table", "cat"]
    drawings = (_drawing("total.png"), _drawing("receipt.png"))
    schema = _box(image={"type": "integer"}, text={"type": "string"})
    found = json.loads(_ask(lite, *drawings, {"text": "Read the text of each image."}, schema=schema))
    assert found == [{"image": 1, "text": "TOTAL"}, {"image": 2, "text": "RECEIPT"}]


def test_09_white_print_on_a_transparent_ground(lite: TestClient) -> None:
    asked = {"text": "What does the text in this image say?"}
    assert _ask(lite, _drawing("white-on-clear.png"), asked) == "INVOICE 4711"


def test_18_keys_and_pixels_that_only_words_describe(lite: TestClient) -> None:
    cat = _photo("chelsea.png")
    thousandths = json.loads(_ask(lite, cat, {"text": "Detect every cat."}, **JSON))[0]["box_2d"]
    asked = (
        'Detect every cat. Answer with a JSON list of objects with the keys "bbox" ([x1, y1, x2, y2] in '
        'pixels) and "name".'
    )
    [found] = json.loads(_ask(lite, cat, {"text": asked}, **JSON))
    assert found["name"] == "cat"
    ymin, xmin, ymax, xmax = thousandths
    sides = (451, 300, 451, 300)
    expected = [round(edge * side / 1000) for edge, side in zip((xmin, ymin, xmax, ymax), sides, strict=True)]
    assert found["bbox"] == expected


def test_23_a_heic_with_another_label(lite: TestClient) -> None:
    for data in ((HEICS / "plain.heic").read_bytes(), picture(96, 64, "JPEG")):
        assert _ask(lite, inline(data, "image/png"), {"text": "Caption this image."})


def test_25_hidden_colour_under_transparency(lite: TestClient) -> None:
    asked = {"text": "What does the text in this image say?"}
    assert _ask(lite, _drawing("black-on-hidden-red.png"), asked) == "INVOICE 4711"


def test_26_counting_for_a_home(lite: TestClient) -> None:
    asked = {
        "text": "Check to see if a cat is on the sofa. Return only the integer count of cats found. "
        "Return 0 if no cats are found."
    }
    schema = {"type": "object", "properties": {"count_cats": {"type": "number"}}}
    assert json.loads(_ask(lite, _photo("chelsea.png"), asked, schema=schema)) == {"count_cats": 1}
    assert _ask(lite, inline(picture(300, 200)), asked) == "0"


def test_28_specks_and_slivers(lite: TestClient) -> None:
    dot = io.BytesIO()
    Image.new("RGB", (1, 1), "teal").save(dot, "PNG")
    for speck in (_drawing("sliver.png"), inline(dot.getvalue()), inline(picture(26, 28))):
        assert _ask(lite, speck, {"text": "Caption this image."})
