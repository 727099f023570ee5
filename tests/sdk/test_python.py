"""The official Python SDK, unmodified, against a server: the guide's flows that send pictures inline."""

from __future__ import annotations

import enum
import io
import json
from pathlib import Path

import pytest
from google import genai
from google.genai import types
from PIL import Image
from pydantic import BaseModel, Field

from tests.conftest import picture
from tests.http.live import Live
from tests.sdk.asking import CAPTION, MODEL, contents_of, finish, part, usage


class Box(BaseModel):
    """What the guide's detection answers consist of."""

    box_2d: list[int] = Field(min_length=4, max_length=4)
    label: str


class Season(enum.Enum):
    WINTER = "winter"
    SUMMER = "summer"


def test_bytes_are_captioned(client: genai.Client, tmp_path: Path) -> None:
    path = tmp_path / "small.jpg"
    path.write_bytes(picture(640, 480, "JPEG"))
    response = client.models.generate_content(
        model=MODEL,
        contents=contents_of(types.Part.from_bytes(data=path.read_bytes(), mime_type="image/jpeg"), CAPTION),
    )
    assert response.text == f"Echo: 1 image (640x480), text: {CAPTION}"
    assert finish(response) == "STOP"
    assert response.model_version == "echo"
    assert response.response_id


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_pillow_image_is_a_content(client: genai.Client, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "picture"
    path.write_bytes(picture(120, 90, kind))
    with Image.open(path) as image:
        response = client.models.generate_content(model=MODEL, contents=contents_of(image, CAPTION))
    assert response.text == f"Echo: 1 image (120x90), text: {CAPTION}"


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_a_pillow_image_of_any_mode_is_taken(client: genai.Client, mode: str) -> None:
    response = client.models.generate_content(model=MODEL, contents=Image.new(mode, (40, 30)))
    assert response.text == "Echo: 1 image (40x30), text: "


@pytest.mark.parametrize("name", ["plain", "turned-6"])
def test_heic_bytes_are_taken(client: genai.Client, name: str) -> None:
    data = (Path(__file__).parents[1] / "images" / "data" / f"{name}.heic").read_bytes()
    part = types.Part.from_bytes(data=data, mime_type="image/heic")
    response = client.models.generate_content(model=MODEL, contents=contents_of(part, CAPTION))
    assert (response.text or "").startswith("Echo: 1 image (")


def test_several_pictures_keep_their_order_among_the_texts(client: genai.Client) -> None:
    with Image.open(io.BytesIO(picture(30, 20))) as image:
        response = client.models.generate_content(
            model=MODEL,
            contents=contents_of("What differs?", part(64, 48), image, part(16, 16, "WEBP"), "Be brief."),
        )
    assert response.text == "Echo: 3 images (64x48, 30x20, 16x16), text: What differs? Be brief."


def test_a_picture_with_exif_is_seen_upright(client: genai.Client) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    part = types.Part.from_bytes(data=picture(80, 50, "JPEG", exif=exif), mime_type="image/jpeg")
    response = client.models.generate_content(model=MODEL, contents=contents_of(part, CAPTION))
    assert (response.text or "").startswith("Echo: 1 image (50x80)")


def test_a_conversation_may_be_spelled_out(client: genai.Client) -> None:
    response = client.models.generate_content(
        model=MODEL,
        contents=[
            types.Content(role="user", parts=[part(20, 10), types.Part.from_text(text="First.")]),
            types.Content(role="model", parts=[types.Part.from_text(text="A ball.")]),
            types.Content(role="user", parts=[types.Part.from_text(text="Which colour?")]),
        ],
    )
    assert response.text == "Echo: 1 image (20x10), text: Which colour?"


def test_json_without_a_schema_is_bare(client: genai.Client) -> None:
    config = types.GenerateContentConfig(response_mime_type="application/json")
    response = client.models.generate_content(
        model=MODEL, contents=contents_of(part(640, 480), "List it."), config=config
    )
    assert json.loads(response.text or "") == {"images": [{"width": 640, "height": 480}], "text": "List it."}


def test_boxes_are_parsed_and_scaled_to_the_picture(client: genai.Client) -> None:
    class Found(BaseModel):
        boxes: list[Box] = Field(min_length=2)

    with Image.open(io.BytesIO(picture(640, 480))) as image:
        response = client.models.generate_content(
            model=MODEL,
            contents=contents_of(image, "Detect all prominent items."),
            config=types.GenerateContentConfig(response_mime_type="application/json", response_schema=Found),
        )
        width, height = image.size
    assert isinstance(response.parsed, Found)
    for found in response.parsed.boxes:
        top, left, bottom, right = found.box_2d
        assert 0 <= int(top / 1000 * height) <= int(bottom / 1000 * height) <= height
        assert 0 <= int(left / 1000 * width) <= int(right / 1000 * width) <= width


def test_a_list_of_models_is_parsed(client: genai.Client) -> None:
    response = client.models.generate_content(
        model=MODEL,
        contents=contents_of(part(64, 48), "Detect."),
        config=types.GenerateContentConfig(response_mime_type="application/json", response_schema=list[Box]),
    )
    parsed: object = response.parsed
    assert parsed == [Box.model_validate(each) for each in json.loads(response.text or "")]


@pytest.mark.parametrize(("mime_type", "text"), [("text/x.enum", "winter"), ("application/json", '"winter"')])
def test_an_enum_is_parsed(client: genai.Client, mime_type: str, text: str) -> None:
    response = client.models.generate_content(
        model=MODEL,
        contents=contents_of(part(64, 48), "Which season?"),
        config=types.GenerateContentConfig(response_mime_type=mime_type, response_schema=Season),
    )
    assert response.text == text
    assert response.parsed == Season.WINTER


def test_a_json_schema_is_kept(client: genai.Client) -> None:
    class Scene(BaseModel):
        title: str = Field(min_length=3)
        boxes: list[Box]
        indoors: bool | None = None

    response = client.models.generate_content(
        model=MODEL,
        contents=contents_of(part(64, 48), "Describe."),
        config=types.GenerateContentConfig(
            response_mime_type="application/json", response_json_schema=Scene.model_json_schema()
        ),
    )
    assert len(Scene.model_validate_json(response.text or "").title) >= 3


@pytest.mark.parametrize(("width", "height", "tokens"), [(960, 540, 1548), (300, 300, 258)])
def test_counted_tokens_are_the_guides(client: genai.Client, width: int, height: int, tokens: int) -> None:
    alone = client.models.count_tokens(model=MODEL, contents=contents_of(part(width, height)))
    assert alone.total_tokens == tokens
    contents = contents_of(part(width, height), CAPTION)
    counted = client.models.count_tokens(model=MODEL, contents=contents)
    billed = usage(client.models.generate_content(model=MODEL, contents=contents))
    assert counted.total_tokens == billed.prompt_token_count
    by_modality = {item.modality: item.token_count for item in billed.prompt_tokens_details or []}
    assert by_modality[types.MediaModality.IMAGE] == tokens
    assert billed.total_token_count == (billed.prompt_token_count or 0) + (billed.candidates_token_count or 0)


def test_a_media_resolution_of_the_request_sets_its_price(client: genai.Client) -> None:
    prices = [
        usage(
            client.models.generate_content(
                model=MODEL,
                contents=contents_of(part(960, 540)),
                config=types.GenerateContentConfig(media_resolution=level),
            )
        ).prompt_token_count
        for level in (
            types.MediaResolution.MEDIA_RESOLUTION_LOW,
            types.MediaResolution.MEDIA_RESOLUTION_MEDIUM,
            types.MediaResolution.MEDIA_RESOLUTION_HIGH,
        )
    ]
    assert prices == [264, 527, 1100]


def test_a_media_resolution_of_a_part_goes_before_the_requests(client: genai.Client) -> None:
    fine = types.Part.from_bytes(
        data=picture(960, 540),
        mime_type="image/png",
        media_resolution=types.PartMediaResolutionLevel.MEDIA_RESOLUTION_ULTRA_HIGH,
    )
    coarse = types.Part(
        inline_data=types.Blob(data=picture(960, 540), mime_type="image/png"),
        media_resolution=types.PartMediaResolution(level=types.PartMediaResolutionLevel.MEDIA_RESOLUTION_LOW),
    )
    contents = contents_of(fine, coarse, part(960, 540))
    config = types.GenerateContentConfig(media_resolution=types.MediaResolution.MEDIA_RESOLUTION_HIGH)
    response = client.models.generate_content(model=MODEL, contents=contents, config=config)
    assert usage(response).prompt_token_count == 2205 + 264 + 1100
    assert client.models.count_tokens(model=MODEL, contents=contents).total_tokens == 2205 + 264 + 1548


def test_a_system_instruction_is_part_of_the_prompt(client: genai.Client) -> None:
    config = types.GenerateContentConfig(system_instruction="You are a cat. Your name is Neko.")
    bare = client.models.generate_content(model=MODEL, contents="hi")
    told = client.models.generate_content(model=MODEL, contents="hi", config=config)
    assert (usage(told).prompt_token_count or 0) - (usage(bare).prompt_token_count or 0) == 9


def test_the_task_may_stand_in_the_system_instruction_alone(client: genai.Client) -> None:
    config = types.GenerateContentConfig(system_instruction="Write a caption for each image.")
    response = client.models.generate_content(model=MODEL, contents=contents_of(part(64, 48)), config=config)
    assert response.text == "Echo: 1 image (64x48), text: "


def test_limits_of_the_answer_hold(client: genai.Client) -> None:
    config = types.GenerateContentConfig(max_output_tokens=2)
    short = client.models.generate_content(model=MODEL, contents="one two three", config=config)
    assert (short.text, finish(short)) == ("Echo: 0 ", "MAX_TOKENS")
    config = types.GenerateContentConfig(stop_sequences=["three", "never"])
    stopped = client.models.generate_content(model=MODEL, contents="one two three", config=config)
    assert (stopped.text, finish(stopped)) == ("Echo: 0 images, text: one two ", "STOP")
    config = types.GenerateContentConfig(candidate_count=2)
    assert (
        len(client.models.generate_content(model=MODEL, contents="hi", config=config).candidates or []) == 2
    )


def test_settings_that_a_model_may_ignore_are_taken(client: genai.Client) -> None:
    config = types.GenerateContentConfig(
        temperature=0.5,
        top_p=0.9,
        top_k=20,
        seed=7,
        presence_penalty=0.1,
        frequency_penalty=0.1,
        response_modalities=["TEXT"],
        safety_settings=[
            types.SafetySetting(
                category=types.HarmCategory.HARM_CATEGORY_HATE_SPEECH,
                threshold=types.HarmBlockThreshold.BLOCK_LOW_AND_ABOVE,
            ),
            types.SafetySetting(
                category=types.HarmCategory.HARM_CATEGORY_DANGEROUS_CONTENT,
                threshold=types.HarmBlockThreshold.OFF,
            ),
        ],
        tools=[],
    )
    assert client.models.generate_content(model=MODEL, contents="hi", config=config).text


@pytest.mark.parametrize(
    "thinking",
    [
        types.ThinkingConfig(thinking_budget=0),
        types.ThinkingConfig(thinking_budget=-1, include_thoughts=True),
        types.ThinkingConfig(thinking_level=types.ThinkingLevel.LOW),
        types.ThinkingConfig(thinking_level=types.ThinkingLevel.MINIMAL),
    ],
)
def test_thinking_may_be_configured(client: genai.Client, thinking: types.ThinkingConfig) -> None:
    config = types.GenerateContentConfig(thinking_config=thinking)
    assert client.models.generate_content(model=MODEL, contents="hi", config=config).text


def test_models_are_listed_and_described(client: genai.Client) -> None:
    names = [model.name for model in client.models.list()]
    assert names[0] == "models/echo"
    assert "models/vidi-lite" in names
    assert [model.name for model in client.models.list(config={"page_size": 1})] == names
    for name in ("echo", "models/echo", MODEL):
        model = client.models.get(model=name)
        assert model.name == f"models/{name.removeprefix('models/')}"
        assert {"generateContent", "countTokens"} <= set(model.supported_actions or [])
        assert model.input_token_limit


@pytest.mark.parametrize("version", ["v1", "v1alpha", "v1beta"])
def test_every_version_of_the_api_answers(client: genai.Client, version: str) -> None:
    with genai.Client(http_options=types.HttpOptions(api_version=version)) as versioned:
        assert versioned.models.generate_content(model="models/echo", contents="hi").text
        assert versioned.models.count_tokens(model=MODEL, contents="hi").total_tokens == 1
        assert [chunk.text for chunk in versioned.models.generate_content_stream(model=MODEL, contents="hi")]


def test_the_base_url_may_end_with_a_slash(
    client: genai.Client, monkeypatch: pytest.MonkeyPatch, echo_server: Live
) -> None:
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", f"http://localhost:{echo_server.port}/")
    with genai.Client() as slashed:
        assert slashed.models.generate_content(model=MODEL, contents="hi").text
