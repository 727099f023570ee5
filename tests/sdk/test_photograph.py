"""The guide's flows on photographs: the official SDK against the built-in engine, as a newcomer meets it."""

from __future__ import annotations

import base64
import importlib.util
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import platformdirs
import pytest
from google import genai
from google.genai import types
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps
from pydantic import BaseModel

from tests.http.live import Live, live
from tests.sdk.conftest import point_at

PACKAGE = importlib.util.find_spec("skimage")
PHOTOS = [Path(folder) / "data" for folder in (PACKAGE and PACKAGE.submodule_search_locations) or ()]

pytestmark = [
    pytest.mark.weights,
    pytest.mark.skipif(
        not PHOTOS,
        reason="the photographs come with scikit-image, which is not installed (requirements/photos.txt)",
    ),
]

MODEL = "gemini-3-flash-preview"
CAPTION = "Caption this image."
DETECT = (
    "Detect the all of the prominent items in the image. "
    "The box_2d should be [ymin, xmin, ymax, xmax] normalized to 0-1000."
)
JSON = types.GenerateContentConfig(response_mime_type="application/json")

Box = tuple[int, int, int, int]
"""ymin, xmin, ymax, xmax in thousandths."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A photograph that scikit-image ships, what a caption of it must name, and where the thing is."""

    file: str
    names: tuple[str, ...]
    label: str
    box: Box


SCENES = [
    Scene("coffee.png", ("cup", "coffee"), "cup", (45, 288, 762, 690)),
    Scene("chelsea.png", ("cat",), "cat", (0, 0, 1000, 890)),
    Scene("astronaut.png", ("person", "people", "woman", "astronaut"), "person", (29, 39, 1000, 713)),
]


@pytest.fixture(params=SCENES, ids=lambda scene: scene.file)
def scene(request: pytest.FixtureRequest) -> Scene:
    chosen: Scene = request.param
    return chosen


@pytest.fixture
def photo(scene: Scene) -> Image.Image:
    return _photo(scene)


def _photo(scene: Scene) -> Image.Image:
    with Image.open(PHOTOS[0] / scene.file) as image:
        return image.convert("RGB")


@pytest.fixture(scope="module")
def lite_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """`vidi serve` on the weights in the user's own cache; `vidi pull` puts missing ones there."""
    cache = os.environ.get("VIDI_CACHE_DIR") or str(platformdirs.user_cache_path("vidi"))
    pull = [sys.executable, "-m", "vidi.cli.main", "pull", "vidi-lite"]
    pulled = subprocess.run(pull, capture_output=True, text=True, env=os.environ | {"VIDI_CACHE_DIR": cache})
    if pulled.returncode:
        pytest.skip(f"the weights of vidi-lite cannot be had here: {pulled.stderr.strip()}")
    folder = tmp_path_factory.mktemp("lite")
    with live(folder, "--model", "vidi-lite", VIDI_CACHE_DIR=cache) as started:
        yield started


@pytest.fixture
def client(lite_server: Live, monkeypatch: pytest.MonkeyPatch) -> Iterator[genai.Client]:
    point_at(lite_server, monkeypatch)
    with genai.Client() as made:
        yield made


def _part(image: Image.Image, kind: str, **options: object) -> types.Part:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return types.Part.from_bytes(data=buffer.getvalue(), mime_type=f"image/{kind.lower()}")


def _contents(*parts: types.PartUnionDict) -> list[types.PartUnionDict]:
    return list(parts)


def _caption(client: genai.Client, picture: types.PartUnionDict) -> str:
    return client.models.generate_content(model=MODEL, contents=_contents(picture, CAPTION)).text or ""


def _boxes(client: genai.Client, picture: types.PartUnionDict) -> list[tuple[str, Box]]:
    """What the guide's detection sample finds, each box checked."""
    response = client.models.generate_content(model=MODEL, contents=_contents(picture, DETECT), config=JSON)
    found = json.loads(response.text or "")
    assert found
    for each in found:
        assert set(each) >= {"box_2d", "label"}
        assert all(type(side) is int for side in each["box_2d"])
        top, left, bottom, right = each["box_2d"]
        assert 0 <= top < bottom <= 1000
        assert 0 <= left < right <= 1000
        assert each["label"].strip()
    return [(each["label"], (*each["box_2d"],)) for each in found]


def _overlap(one: Box, other: Box) -> float:
    """Intersection over union."""
    high = max(0, min(one[2], other[2]) - max(one[0], other[0]))
    wide = max(0, min(one[3], other[3]) - max(one[1], other[1]))
    areas = sum((each[2] - each[0]) * (each[3] - each[1]) for each in (one, other))
    return high * wide / (areas - high * wide)


def _turned(image: Image.Image) -> tuple[Image.Image, Image.Exif]:
    """The picture as a camera held upright stores it, and the EXIF data that say so (orientation 6)."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return image.transpose(Image.Transpose.ROTATE_90), exif


def test_a_caption_names_the_thing(client: genai.Client, photo: Image.Image, scene: Scene) -> None:
    caption = _caption(client, _part(photo, "JPEG", quality=95))
    assert any(name in caption.lower() for name in scene.names), caption
    assert _caption(client, photo)


def test_boxes_are_on_the_thing(client: genai.Client, photo: Image.Image, scene: Scene) -> None:
    found = _boxes(client, photo)
    best = max((_overlap(box, scene.box) for label, box in found if label == scene.label), default=0.0)
    assert best > 0.5, found


SEGMENT = (
    "Give the segmentation masks for the {}. Output a JSON list of segmentation masks where each entry "
    'contains the 2D bounding box in the key "box_2d", the segmentation mask in key "mask", and the text '
    'label in the key "label". Use descriptive labels.'
)


def _masks(text: str, size: tuple[int, int]) -> list[tuple[str, Box, Image.Image]]:
    """The masks of an answer on the whole picture, read step by step as the cookbook does."""
    width, height = size
    found = []
    for item in json.loads(text):
        y0, x0, y1, x1 = (
            int(side / 1000 * (height, width)[at % 2]) for at, side in enumerate(item["box_2d"])
        )
        assert y0 < y1 and x0 < x1
        assert item["mask"].startswith("data:image/png;base64,")
        encoded = base64.b64decode(item["mask"].removeprefix("data:image/png;base64,"))
        mask = Image.open(io.BytesIO(encoded)).resize((x1 - x0, y1 - y0), Image.Resampling.BILINEAR)
        whole = Image.new("L", size)
        whole.paste(mask.point(lambda level: 255 if level > 127 else 0), (x0, y0))
        found.append((item["label"], tuple(item["box_2d"]), whole))
    return found


def test_masks_are_read_as_the_cookbook_reads_them(
    client: genai.Client, photo: Image.Image, scene: Scene
) -> None:
    prompt = SEGMENT.format(scene.label)
    response = client.models.generate_content(model=MODEL, contents=_contents(photo, prompt))
    masks = _masks(response.text or "", photo.size)
    box, mask = max(
        ((box, mask) for label, box, mask in masks if label == scene.label),
        key=lambda one: _overlap(one[0], scene.box),
    )
    # What is true of every thing in its box: it is in it, it takes much of it, and not all.
    edges = mask.getbbox()
    assert edges is not None
    inside = sum(mask.histogram()[128:])
    height, width = (box[2] - box[0]) / 1000 * photo.height, (box[3] - box[1]) / 1000 * photo.width
    assert 0.3 < inside / (height * width) < 0.97
    middle = ((box[1] + box[3]) / 2000 * photo.width, (box[0] + box[2]) / 2000 * photo.height)
    assert edges[0] < middle[0] < edges[2]
    assert edges[1] < middle[1] < edges[3]


@pytest.mark.parametrize("scene", SCENES[:1], ids=lambda scene: scene.file)
def test_masks_of_a_schema_and_of_a_stream_are_the_same(client: genai.Client, scene: Scene) -> None:
    class Segment(BaseModel):
        box_2d: list[int]
        mask: str
        label: str

    photo = _photo(scene)
    config = types.GenerateContentConfig(
        response_mime_type="application/json", response_schema=list[Segment], temperature=0.5
    )
    contents = _contents(photo, SEGMENT.format(scene.label))
    shaped = client.models.generate_content(model=MODEL, contents=contents, config=config)
    chunks = list(client.models.generate_content_stream(model=MODEL, contents=contents))
    streamed = json.loads("".join(chunk.text or "" for chunk in chunks))
    assert [Segment.model_validate(each) for each in streamed]
    assert json.loads(shaped.text or "") == streamed
    # A mask is no token of the model's.
    usage = chunks[-1].usage_metadata
    assert usage and usage.candidates_token_count and usage.candidates_token_count < 60 * len(streamed)


def test_boxes_fit_the_picture_when_scaled(client: genai.Client, photo: Image.Image) -> None:
    width, height = photo.size
    for _, (top, left, bottom, right) in _boxes(client, photo):
        assert 0 <= int(left / 1000 * width) <= int(right / 1000 * width) <= width
        assert 0 <= int(top / 1000 * height) <= int(bottom / 1000 * height) <= height


def test_a_turned_file_is_answered_like_its_upright_twin(client: genai.Client, photo: Image.Image) -> None:
    stored, exif = _turned(photo)
    file = io.BytesIO()
    stored.save(file, "JPEG", quality=90, exif=exif)
    with Image.open(file) as decoded:
        upright = decoded.transpose(Image.Transpose.ROTATE_270)
    turned = types.Part.from_bytes(data=file.getvalue(), mime_type="image/jpeg")
    # The same pixels, so that a difference of one in a thousand would be the server's.
    twin = _part(upright, "PNG")
    assert _caption(client, turned) == _caption(client, twin)
    assert _boxes(client, turned) == _boxes(client, twin)
    assert _boxes(client, _part(stored, "PNG", exif=exif)) == _boxes(client, _part(photo, "PNG"))


def test_a_webp_is_answered_like_its_png(client: genai.Client, photo: Image.Image) -> None:
    webp, png = _part(photo, "WEBP", lossless=True), _part(photo, "PNG")
    assert _caption(client, webp) == _caption(client, png)
    assert _boxes(client, webp) == _boxes(client, png)


@pytest.mark.parametrize("scene", SCENES[:2], ids=lambda scene: scene.file)
def test_a_lossy_twin_has_the_same_caption(client: genai.Client, scene: Scene) -> None:
    photo = _photo(scene)
    assert _caption(client, _part(photo, "WEBP", quality=90)) == _caption(client, photo)
    assert _caption(client, _part(photo, "JPEG", quality=90)) == _caption(client, photo)


def test_a_stream_adds_up_to_the_whole_answer(client: genai.Client, photo: Image.Image) -> None:
    chunks = list(client.models.generate_content_stream(model=MODEL, contents=_contents(photo, CAPTION)))
    assert "".join(chunk.text or "" for chunk in chunks) == _caption(client, photo)


def test_counted_tokens_are_billed(client: genai.Client, photo: Image.Image) -> None:
    contents = _contents(photo, CAPTION)
    for model in (MODEL, "vidi-lite"):
        counted = client.models.count_tokens(model=model, contents=contents).total_tokens
        usage = client.models.generate_content(model=model, contents=contents).usage_metadata
        assert usage is not None
        assert counted == usage.prompt_token_count


def test_boxes_are_parsed_into_a_model(client: genai.Client, photo: Image.Image, scene: Scene) -> None:
    class Item(BaseModel):
        box_2d: list[int]
        label: str

    config = types.GenerateContentConfig(response_mime_type="application/json", response_schema=list[Item])
    response = client.models.generate_content(model=MODEL, contents=_contents(photo, DETECT), config=config)
    parsed: object = response.parsed
    assert isinstance(parsed, list)
    assert scene.label in [item.label for item in parsed]


def test_several_pictures_are_each_looked_at(client: genai.Client) -> None:
    coffee, cat = map(_photo, SCENES[:2])
    question = "What is different between these two images?"
    answer = client.models.generate_content(model=MODEL, contents=_contents(question, coffee, cat)).text or ""
    assert "cup" in answer
    assert "cat" in answer
    assert answer.index("cup") < answer.index("cat")


def test_a_media_resolution_is_taken(client: genai.Client) -> None:
    config = types.GenerateContentConfig(media_resolution=types.MediaResolution.MEDIA_RESOLUTION_HIGH)
    contents = _contents(_photo(SCENES[1]), CAPTION)
    assert "cat" in (client.models.generate_content(model=MODEL, contents=contents, config=config).text or "")


def _created(client: genai.Client, **fields: Any) -> tuple[str, str]:
    """The id and the answer of a new interaction."""
    made: Any = client.interactions.create(model=MODEL, **fields)
    return made.id, made.output_text


def test_an_interaction_answers_like_generate_content(
    client: genai.Client, photo: Image.Image, scene: Scene
) -> None:
    part = _part(photo, "PNG")
    data = (part.inline_data and part.inline_data.data) or b""
    image = {"type": "image", "data": base64.b64encode(data).decode(), "mime_type": "image/png"}
    first, caption = _created(client, input=[{"type": "text", "text": CAPTION}, image])
    assert caption == _caption(client, part)
    box = {"type": "array", "items": {"type": "integer"}, "minItems": 4, "maxItems": 4}
    item = {"type": "object", "properties": {"label": {"type": "string"}, "box_2d": box}}
    schema = {"type": "array", "items": {**item, "required": ["label", "box_2d"]}}
    form = {"type": "text", "mime_type": "application/json", "schema": schema}
    _, text = _created(client, input=[{"type": "text", "text": DETECT}, image], response_format=form)
    boxes = [(each["label"], (*each["box_2d"],)) for each in json.loads(text)]
    assert max(_overlap(box, scene.box) for label, box in boxes if label == scene.label) > 0.5
    _, later = _created(client, input="Is there a cat?", previous_interaction_id=first)
    talk: list[tuple[str, list[Any]]] = [
        ("user", [part, CAPTION]),
        ("model", [caption]),
        ("user", ["Is there a cat?"]),
    ]
    contents: Any = [
        types.Content(
            role=role, parts=[types.Part(text=each) if isinstance(each, str) else each for each in said]
        )
        for role, said in talk
    ]
    assert later == client.models.generate_content(model=MODEL, contents=contents).text
    assert later.startswith("Yes" if scene.label == "cat" else "No")


DIFFERENT = "What is different between these two images?"
FARK = "Bu iki resim arasındaki fark nedir?"


def _pasted(photo: Image.Image) -> Image.Image:
    """With a cat at the left."""
    cat = _photo(SCENES[1]).crop((60, 0, 420, 300)).resize((180, 150))
    edited = photo.copy()
    edited.paste(cat, (10, photo.height - 160))
    return edited


def _lettered(photo: Image.Image, text: str) -> Image.Image:
    edited = photo.copy()
    pen = ImageDraw.Draw(edited)
    pen.rectangle((10, 10, 300, 70), fill="white")
    pen.text((20, 14), text, fill="black", font=ImageFont.load_default(44))
    return edited


def _cup_dyed(photo: Image.Image) -> Image.Image:
    """With the part where cup and saucer stand all in blue."""
    place = (170, 20, 420, 320)
    hue, saturation, value = photo.crop(place).convert("HSV").split()
    strong = saturation.point(lambda level: min(255, level + 90))
    edited = photo.copy()
    edited.paste(Image.merge("HSV", (hue.point(lambda _: 160), strong, value)).convert("RGB"), place[:2])
    return edited


EDITS = [
    ("crop", lambda photo: photo.crop((200, 40, photo.width, 380)), "part on the right", "sağda kalan"),
    ("mirror", ImageOps.mirror, "mirrored left to right", "aynalanmış"),
    (
        "turn",
        lambda photo: photo.transpose(Image.Transpose.ROTATE_270),
        "a quarter clockwise",
        "saat yönünde",
    ),
    ("grey", lambda photo: photo.convert("L"), "black and white", "siyah beyaz"),
    ("light", lambda photo: ImageEnhance.Brightness(photo).enhance(1.35), "brighter", "daha parlak"),
    ("contrast", lambda photo: ImageEnhance.Contrast(photo).enhance(1.6), "more contrast", "kontrastı"),
    ("blur", lambda photo: photo.filter(ImageFilter.GaussianBlur(3)), "blurred", "bulanık"),
    ("paste", _pasted, "cat added", "kedi eklenmiş"),
    ("dye", _cup_dyed, "to blue", "mavi olmuş"),
]


def _asked(client: genai.Client, one: Image.Image, other: Image.Image, question: str) -> str:
    parts = _contents(_part(one, "JPEG", quality=90), _part(other, "JPEG", quality=90), question)
    return client.models.generate_content(model=MODEL, contents=parts).text or ""


@pytest.mark.parametrize(
    ("edit", "english", "turkish"), [each[1:] for each in EDITS], ids=[each[0] for each in EDITS]
)
def test_an_edited_copy_is_told_by_its_edit(
    client: genai.Client, edit: Callable[[Image.Image], Image.Image], english: str, turkish: str
) -> None:
    photo = _photo(SCENES[0])
    told = _asked(client, photo, edit(photo), DIFFERENT)
    assert told.startswith("These are the same photo, but edited. ")
    assert english in told
    told = _asked(client, photo, edit(photo), FARK)
    assert told.startswith("Bunlar aynı fotoğraf, ama düzenlenmiş. ")
    assert turkish in told


def test_text_that_was_changed_is_read(client: genai.Client) -> None:
    photo = _photo(SCENES[0])
    old, new = _lettered(photo, "Price: 4.50"), _lettered(photo, "Price: 9.80")
    changed = 'The text in the top left changed from "Price: 4.50" to "Price: 9.80".'
    assert _asked(client, old, new, DIFFERENT).endswith(changed)
    assert '"Price: 4.50" iken "Price: 9.80" olmuş' in _asked(client, old, new, FARK)


def test_a_smaller_copy_is_no_edit(client: genai.Client) -> None:
    photo = _photo(SCENES[0])
    told = _asked(client, photo, photo.resize((300, 200)), DIFFERENT)
    assert told == "I see no difference: the two images look the same, apart from size or compression."


def test_two_views_of_one_thing_are_no_copies(client: genai.Client) -> None:
    left, right = (_photo(replace(SCENES[0], file=f"motorcycle_{side}.png")) for side in ("left", "right"))
    told = _asked(client, left, right, DIFFERENT)
    assert told.startswith("These two pictures show much the same scene. ")
    assert "Both show motorcycles" in told


def test_two_photographs_are_told_apart_in_turkish(client: genai.Client) -> None:
    told = _asked(client, _photo(SCENES[0]), _photo(SCENES[1]), FARK)
    assert told.startswith("Bunlar farklı resimler. ")
    assert told.index("bardak") < told.index("kedi")
