"""A model that sees, through the official SDK: what it says of real pixels, in every form that is asked for.

`shapes` has boxes x first, in thousandths of a square with grey bands, under a name of its own. Whatever is
right here went all the way: decoded, turned, fitted, asked in those terms, and brought back.
"""

from __future__ import annotations

import enum
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from google import genai
from google.genai import types
from PIL import Image
from pydantic import BaseModel, Field, TypeAdapter

from tests.model.scenes import COLOURS, Scene, draw, random_scene
from tests.model.turned import turned_back
from tests.sdk.asking import contents_of, finish, usage

DATA = Path(__file__).parent / "data"
MODEL = "gemini-3-flash-preview"
GUIDE = (
    "Detect the all of the prominent items in the image. The box_2d should be [ymin, xmin, ymax, xmax] "
    "normalized to 0-1000."
)
POINT = 'Point to the items. Answer as [{"point": [y, x], "label": ...}], normalized to 0-1000.'
CAPTION = "Caption this image."
COLOUR = "What color is the shape?"
LARGEST = 2000
"""Longer side of a picture in px."""

Box2d = Sequence[float]
"""ymin, xmin, ymax, xmax in thousandths of the upright picture."""


class Found(BaseModel):
    """The guide's."""

    box_2d: list[int] = Field(min_length=4, max_length=4)
    label: str


class Edges(BaseModel):
    """A caller's own names."""

    ymin: int
    xmin: int
    ymax: int
    xmax: int


class Thing(BaseModel):
    bounding_box: Edges
    name: str


class Things(BaseModel):
    objects: list[Thing]


class Colour(enum.Enum):
    RED = "red"
    ORANGE = "orange"
    YELLOW = "yellow"
    GREEN = "green"
    BLUE = "blue"
    PURPLE = "purple"


PLAIN = types.GenerateContentConfig()
LISTED = types.GenerateContentConfig(response_mime_type="application/json", response_schema=list[Found])
NAMED = types.GenerateContentConfig(response_mime_type="application/json", response_schema=list[Thing])
NESTED = types.GenerateContentConfig(response_mime_type="application/json", response_schema=Things)


@dataclass(frozen=True, slots=True)
class Seen:
    """A scene and the file that shows it."""

    scene: Scene
    part: types.Part


def scenes(seed: int, count: int) -> Iterator[Scene]:
    """Fresh scenes, 64 to 2,000 px a side."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        scene = random_scene(rng)
        most = LARGEST // max(scene.size)
        # Small ones are as common as large ones; a whole factor leaves the shape on its grid.
        factor = int(most ** rng.random())
        yield replace(scene, size=(scene.size[0] * factor, scene.size[1] * factor))


def seen(scene: Scene, kind: str = "PNG", orientation: int = 1) -> Seen:
    """A scene as a file, stored as `orientation` has it."""
    image = turned_back(draw(scene), orientation)
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    options: dict[str, object] = {"compress_level": 1} if kind == "PNG" else {"quality": 90}
    image.save(file, kind, exif=exif, **options)
    return Seen(scene, types.Part.from_bytes(data=file.getvalue(), mime_type=f"image/{kind.lower()}"))


def heics() -> list[Seen]:
    """The scenes that are kept as HEIC files, some of them turned."""
    told = TypeAdapter(dict[str, Scene]).validate_json((DATA / "scenes.json").read_bytes())
    return [
        Seen(scene, types.Part.from_bytes(data=(DATA / name).read_bytes(), mime_type="image/heic"))
        for name, scene in told.items()
    ]


def iou(a: Box2d, b: Box2d) -> float:
    """Intersection over union of two boxes."""
    high = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    wide = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return high * wide / (sum(areas) - high * wide)


def asked(client: genai.Client, one: Seen, config: types.GenerateContentConfig, *, streamed: bool) -> str:
    """The text of an answer to the guide's prompt."""
    contents = contents_of(one.part, GUIDE)
    if streamed:
        stream = client.models.generate_content_stream(model=MODEL, contents=contents, config=config)
        return "".join(chunk.text or "" for chunk in stream)
    return client.models.generate_content(model=MODEL, contents=contents, config=config).text or ""


def boxes(text: str, config: types.GenerateContentConfig) -> list[tuple[Box2d, str]]:
    """The boxes and labels of an answer; fails if it has another form than was asked for."""
    if config is NAMED:
        things = [Thing.model_validate(each) for each in json.loads(text)]
        return [(list(thing.bounding_box.model_dump().values()), thing.name) for thing in things]
    found = [Found.model_validate(each) for each in json.loads(text)]
    return [(each.box_2d, each.label) for each in found]


def check_boxes(client: genai.Client, shown: Sequence[Seen]) -> None:
    """Ask for boxes in every manner in turn, and compare with the truth."""
    scores, named = [], []
    for index, one in enumerate(shown):
        config = (PLAIN, LISTED, NAMED)[index % 3]
        answer = boxes(asked(client, one, config, streamed=index % 2 == 0), config)
        scores.append(max((iou(box, one.scene.box_2d) for box, _ in answer), default=0.0))
        named.append(one.scene.name in [label for _, label in answer])
        assert all(0 <= number <= 1000 for box, _ in answer for number in box)
    assert np.mean(scores) > 0.9, scores
    assert np.mean(named) > 0.8, named


@pytest.mark.parametrize(("kind", "seed"), [("PNG", 1), ("JPEG", 2), ("WEBP", 3)])
def test_boxes_lie_on_the_shape(client: genai.Client, kind: str, seed: int) -> None:
    check_boxes(client, [seen(scene, kind) for scene in scenes(seed, 48)])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_are_upright_whichever_way_the_picture_is_stored(
    client: genai.Client, orientation: int
) -> None:
    check_boxes(client, [seen(scene, "JPEG", orientation) for scene in scenes(10 + orientation, 6)])


def test_boxes_of_a_heic_file_are_upright(client: genai.Client) -> None:
    check_boxes(client, heics())


def test_a_schema_that_nests_the_list_is_kept_to(client: genai.Client) -> None:
    # The model was never taught to write an object around its list, so only the form can be held against it.
    labels = []
    for scene in scenes(19, 10):
        contents = contents_of(seen(scene).part, GUIDE)
        answer = client.models.generate_content(model=MODEL, contents=contents, config=NESTED)
        assert isinstance(answer.parsed, Things)
        labels.append(scene.name in [thing.name for thing in answer.parsed.objects])
    assert any(labels)


def test_what_was_done_about_places_is_told_in_a_header(client: genai.Client) -> None:
    one = seen(next(scenes(20, 1)))
    for prompt, told in ((GUIDE, "re-asked; boxes"), (POINT, "re-asked; points"), (CAPTION, None)):
        answer = client.models.generate_content(model=MODEL, contents=contents_of(one.part, prompt))
        assert answer.sdk_http_response is not None
        assert (answer.sdk_http_response.headers or {}).get("x-vidi-grounding") == told


def test_points_lie_in_the_shapes_middle(client: genai.Client) -> None:
    misses = []
    for scene in scenes(21, 20):
        answer = client.models.generate_content(model=MODEL, contents=contents_of(seen(scene).part, POINT))
        (found,) = json.loads(answer.text or "")
        y, x = found["point"]
        top, left, bottom, right = scene.box_2d
        misses.append(max(abs(y - (top + bottom) / 2), abs(x - (left + right) / 2)))
    assert np.median(misses) < 20


def test_captions_and_colours_are_right(client: genai.Client) -> None:
    captions, colours = [], []
    for scene in scenes(22, 20):
        part = seen(scene, "WEBP").part
        caption = client.models.generate_content(model=MODEL, contents=contents_of(part, CAPTION))
        colour = client.models.generate_content(model=MODEL, contents=contents_of(part, COLOUR))
        captions.append(caption.text == f"A {scene.name} {scene.place}.".replace("A orange", "An orange"))
        colours.append(colour.text == scene.colour)
    assert np.mean(captions) >= 0.85
    assert np.mean(colours) >= 0.9


def test_two_pictures_keep_their_order(client: genai.Client) -> None:
    right = []
    pairs = list(scenes(23, 20))
    for first, second in zip(pairs[::2], pairs[1::2], strict=True):
        contents = contents_of(seen(first).part, seen(second, "JPEG").part, "What is in each image?")
        answer = client.models.generate_content(model=MODEL, contents=contents).text or ""
        right.append(first.name in answer.partition("Image 2")[0] and second.name in answer)
    assert np.mean(right) >= 0.8


def test_a_further_question_is_about_the_same_picture(client: genai.Client) -> None:
    right = []
    for scene in scenes(24, 10):
        chat = client.chats.create(model=MODEL)
        assert chat.send_message([seen(scene).part, CAPTION]).text
        right.append(chat.send_message(COLOUR).text == scene.colour)
    assert np.mean(right) >= 0.8


def test_an_uploaded_picture_is_seen(client: genai.Client) -> None:
    for scene, kind in zip(scenes(25, 3), ("PNG", "JPEG", "WEBP"), strict=True):
        blob = seen(scene, kind).part.inline_data
        assert blob is not None
        file = client.files.upload(
            file=io.BytesIO(blob.data or b""), config={"mime_type": f"image/{kind.lower()}"}
        )
        answer = client.models.generate_content(model=MODEL, contents=contents_of(file, GUIDE), config=LISTED)
        ((box, label),) = boxes(answer.text or "", LISTED)
        assert iou(box, scene.box_2d) > 0.6
        assert label == scene.name


@pytest.mark.parametrize("level", types.MediaResolution)
def test_any_media_resolution_is_taken(client: genai.Client, level: types.MediaResolution) -> None:
    scene = next(scenes(26, 1))
    config = types.GenerateContentConfig(media_resolution=level)
    answer = client.models.generate_content(
        model=MODEL, contents=contents_of(seen(scene).part, COLOUR), config=config
    )
    assert answer.text == scene.colour


def test_candidates_are_as_many_as_asked_for_and_the_same_under_the_same_seed(client: genai.Client) -> None:
    config = types.GenerateContentConfig(candidate_count=2, seed=7, temperature=1.0)
    contents = contents_of(seen(next(scenes(27, 1))).part, GUIDE)
    told = [
        [
            (candidate.content.parts or [])[0].text
            for candidate in client.models.generate_content(
                model=MODEL, contents=contents, config=config
            ).candidates
            or []
            if candidate.content
        ]
        for _ in range(2)
    ]
    assert told[0] == told[1]
    assert len(told[0]) == 2
    for text in told[0]:
        assert boxes(text or "", PLAIN)


def test_a_stop_sequence_ends_the_answer_and_is_not_in_it(client: genai.Client) -> None:
    scene = next(scenes(28, 1))
    config = types.GenerateContentConfig(stop_sequences=[f" {scene.shape}"])
    answer = client.models.generate_content(
        model=MODEL, contents=contents_of(seen(scene).part, CAPTION), config=config
    )
    assert (answer.text or "").endswith(scene.colour)
    assert finish(answer) == "STOP"


@pytest.mark.parametrize("config", [PLAIN, LISTED, NAMED], ids=["plain", "listed", "named"])
@pytest.mark.parametrize("limit", [1, 3, 5, 9])
def test_places_that_a_limit_cuts_off_are_whole_json_all_the_same(
    client: genai.Client, config: types.GenerateContentConfig, limit: int
) -> None:
    answer = client.models.generate_content(
        model=MODEL,
        contents=contents_of(seen(next(scenes(29, 1))).part, GUIDE),
        config=config.model_copy(update={"max_output_tokens": limit}),
    )
    assert finish(answer) == "MAX_TOKENS"
    assert usage(answer).candidates_token_count == limit
    assert boxes(answer.text or "", config) == []


def test_other_json_that_a_limit_cuts_off_says_so(client: genai.Client) -> None:
    config = types.GenerateContentConfig(response_mime_type="application/json", max_output_tokens=3)
    contents = contents_of(seen(next(scenes(30, 1))).part, "Name the color and the shape as JSON.")
    answer = client.models.generate_content(model=MODEL, contents=contents, config=config)
    assert finish(answer) == "MAX_TOKENS"
    assert (answer.text or "").startswith("{")


def test_an_enum_is_answered_bare(client: genai.Client) -> None:
    config = types.GenerateContentConfig(response_mime_type="text/x.enum", response_schema=Colour)
    right = []
    for scene in scenes(31, 10):
        answer = client.models.generate_content(
            model=MODEL, contents=contents_of(seen(scene).part, COLOUR), config=config
        )
        assert answer.text in COLOURS
        right.append(answer.parsed == Colour(scene.colour))
    assert np.mean(right) >= 0.8


def test_json_without_a_schema_is_bare(client: genai.Client) -> None:
    config = types.GenerateContentConfig(response_mime_type="application/json")
    right = []
    for scene in scenes(32, 10):
        contents = contents_of(seen(scene).part, "Name the color and the shape as JSON.")
        answer = client.models.generate_content(model=MODEL, contents=contents, config=config)
        right.append(json.loads(answer.text or "") == {"color": scene.colour, "shape": scene.shape})
    assert np.mean(right) >= 0.8


@pytest.mark.parametrize(
    "thinking",
    [
        types.ThinkingConfig(thinking_budget=0),
        types.ThinkingConfig(thinking_budget=-1, include_thoughts=True),
        types.ThinkingConfig(thinking_level=types.ThinkingLevel.HIGH),
    ],
)
def test_thinking_may_be_configured_although_it_never_thinks(
    client: genai.Client, thinking: types.ThinkingConfig
) -> None:
    scene = next(scenes(33, 1))
    answer = client.models.generate_content(
        model=MODEL,
        contents=contents_of(seen(scene).part, COLOUR),
        config=types.GenerateContentConfig(thinking_config=thinking),
    )
    assert answer.text == scene.colour
    assert not usage(answer).thoughts_token_count


@pytest.mark.parametrize("prompt", [CAPTION, GUIDE, "naïve 🐈 " * 20])
@pytest.mark.parametrize("pictures", [0, 1, 3])
def test_what_is_counted_is_what_is_billed(client: genai.Client, prompt: str, pictures: int) -> None:
    contents = contents_of(*(seen(scene).part for scene in scenes(34, pictures)), prompt)
    counted = client.models.count_tokens(model="shapes", contents=contents).total_tokens
    billed = usage(client.models.generate_content(model="shapes", contents=contents))
    assert counted == billed.prompt_token_count
    details = {each.modality: each.token_count for each in billed.prompt_tokens_details or []}
    # 16 patches, and a mark at either end.
    assert details.get(types.MediaModality.IMAGE, 0) == 18 * pictures
