"""The official Python SDK, unmodified, against a server: the guide's flows that send pictures inline."""

from __future__ import annotations

import asyncio
import enum
import io
import json
from collections.abc import Callable, Coroutine, Generator
from pathlib import Path
from typing import TypeVar

import pytest
from google import genai
from google.genai import errors, types
from PIL import Image
from pydantic import BaseModel, Field

from tests.conftest import picture
from tests.http.live import Live, live
from tests.sdk.conftest import point_at

MODEL = "gemini-3-flash-preview"
CAPTION = "Caption this image."
T = TypeVar("T")


class Box(BaseModel):
    """What the guide's detection answers consist of."""

    box_2d: list[int] = Field(min_length=4, max_length=4)
    label: str


class Season(enum.Enum):
    WINTER = "winter"
    SUMMER = "summer"


def _part(width: int, height: int, kind: str = "PNG") -> types.Part:
    return types.Part.from_bytes(data=picture(width, height, kind), mime_type=f"image/{kind.lower()}")


def _contents(*parts: types.PartUnionDict) -> list[types.PartUnionDict]:
    return list(parts)


def _usage(response: types.GenerateContentResponse) -> types.GenerateContentResponseUsageMetadata:
    assert response.usage_metadata is not None
    return response.usage_metadata


def _finish(response: types.GenerateContentResponse) -> str | None:
    assert response.candidates
    reason = response.candidates[0].finish_reason
    return None if reason is None else reason.value


# --- pictures


def test_bytes_are_captioned(client: genai.Client, tmp_path: Path) -> None:
    path = tmp_path / "small.jpg"
    path.write_bytes(picture(640, 480, "JPEG"))
    response = client.models.generate_content(
        model=MODEL,
        contents=_contents(types.Part.from_bytes(data=path.read_bytes(), mime_type="image/jpeg"), CAPTION),
    )
    assert response.text == f"Echo: 1 image (640x480), text: {CAPTION}"
    assert _finish(response) == "STOP"
    assert response.model_version == "echo"
    assert response.response_id


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_pillow_image_is_a_content(client: genai.Client, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "picture"
    path.write_bytes(picture(120, 90, kind))
    with Image.open(path) as image:
        response = client.models.generate_content(model=MODEL, contents=_contents(image, CAPTION))
    assert response.text == f"Echo: 1 image (120x90), text: {CAPTION}"


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_a_pillow_image_of_any_mode_is_taken(client: genai.Client, mode: str) -> None:
    response = client.models.generate_content(model=MODEL, contents=Image.new(mode, (40, 30)))
    assert response.text == "Echo: 1 image (40x30), text: "


@pytest.mark.parametrize("name", ["plain", "turned-6"])
def test_heic_bytes_are_taken(client: genai.Client, name: str) -> None:
    data = (Path(__file__).parents[1] / "images" / "data" / f"{name}.heic").read_bytes()
    part = types.Part.from_bytes(data=data, mime_type="image/heic")
    response = client.models.generate_content(model=MODEL, contents=_contents(part, CAPTION))
    assert (response.text or "").startswith("Echo: 1 image (")


def test_several_pictures_keep_their_order_among_the_texts(client: genai.Client) -> None:
    with Image.open(io.BytesIO(picture(30, 20))) as image:
        response = client.models.generate_content(
            model=MODEL,
            contents=_contents("What differs?", _part(64, 48), image, _part(16, 16, "WEBP"), "Be brief."),
        )
    assert response.text == "Echo: 3 images (64x48, 30x20, 16x16), text: What differs? Be brief."


def test_a_picture_with_exif_is_seen_upright(client: genai.Client) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    part = types.Part.from_bytes(data=picture(80, 50, "JPEG", exif=exif), mime_type="image/jpeg")
    response = client.models.generate_content(model=MODEL, contents=_contents(part, CAPTION))
    assert (response.text or "").startswith("Echo: 1 image (50x80)")


def test_a_conversation_may_be_spelled_out(client: genai.Client) -> None:
    response = client.models.generate_content(
        model=MODEL,
        contents=[
            types.Content(role="user", parts=[_part(20, 10), types.Part.from_text(text="First.")]),
            types.Content(role="model", parts=[types.Part.from_text(text="A ball.")]),
            types.Content(role="user", parts=[types.Part.from_text(text="Which colour?")]),
        ],
    )
    assert response.text == "Echo: 1 image (20x10), text: Which colour?"


# --- boxes and structured answers


def test_json_without_a_schema_is_bare(client: genai.Client) -> None:
    config = types.GenerateContentConfig(response_mime_type="application/json")
    response = client.models.generate_content(
        model=MODEL, contents=_contents(_part(640, 480), "List it."), config=config
    )
    assert json.loads(response.text or "") == {"images": [{"width": 640, "height": 480}], "text": "List it."}


def test_boxes_are_parsed_and_scaled_to_the_picture(client: genai.Client) -> None:
    class Found(BaseModel):
        boxes: list[Box] = Field(min_length=2)

    with Image.open(io.BytesIO(picture(640, 480))) as image:
        response = client.models.generate_content(
            model=MODEL,
            contents=_contents(image, "Detect all prominent items."),
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
        contents=_contents(_part(64, 48), "Detect."),
        config=types.GenerateContentConfig(response_mime_type="application/json", response_schema=list[Box]),
    )
    parsed: object = response.parsed
    assert parsed == [Box.model_validate(each) for each in json.loads(response.text or "")]


@pytest.mark.parametrize(("mime_type", "text"), [("text/x.enum", "winter"), ("application/json", '"winter"')])
def test_an_enum_is_parsed(client: genai.Client, mime_type: str, text: str) -> None:
    response = client.models.generate_content(
        model=MODEL,
        contents=_contents(_part(64, 48), "Which season?"),
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
        contents=_contents(_part(64, 48), "Describe."),
        config=types.GenerateContentConfig(
            response_mime_type="application/json", response_json_schema=Scene.model_json_schema()
        ),
    )
    assert len(Scene.model_validate_json(response.text or "").title) >= 3


# --- tokens and media resolution


@pytest.mark.parametrize(("width", "height", "tokens"), [(960, 540, 1548), (300, 300, 258)])
def test_counted_tokens_are_the_guides(client: genai.Client, width: int, height: int, tokens: int) -> None:
    alone = client.models.count_tokens(model=MODEL, contents=_contents(_part(width, height)))
    assert alone.total_tokens == tokens
    contents = _contents(_part(width, height), CAPTION)
    counted = client.models.count_tokens(model=MODEL, contents=contents)
    billed = _usage(client.models.generate_content(model=MODEL, contents=contents))
    assert counted.total_tokens == billed.prompt_token_count
    by_modality = {item.modality: item.token_count for item in billed.prompt_tokens_details or []}
    assert by_modality[types.MediaModality.IMAGE] == tokens
    assert billed.total_token_count == (billed.prompt_token_count or 0) + (billed.candidates_token_count or 0)


def test_a_media_resolution_of_the_request_sets_its_price(client: genai.Client) -> None:
    prices = [
        _usage(
            client.models.generate_content(
                model=MODEL,
                contents=_contents(_part(960, 540)),
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
    contents = _contents(fine, coarse, _part(960, 540))
    config = types.GenerateContentConfig(media_resolution=types.MediaResolution.MEDIA_RESOLUTION_HIGH)
    response = client.models.generate_content(model=MODEL, contents=contents, config=config)
    assert _usage(response).prompt_token_count == 2205 + 264 + 1100
    assert client.models.count_tokens(model=MODEL, contents=contents).total_tokens == 2205 + 264 + 1548


# --- streams, chats, asynchronous use


def test_a_stream_adds_up_to_the_whole_answer(client: genai.Client) -> None:
    contents = _contents(_part(64, 48), "one two\u2028three\u0085four five")
    whole = client.models.generate_content(model=MODEL, contents=contents)
    chunks = list(client.models.generate_content_stream(model=MODEL, contents=contents))
    assert len(chunks) > 3
    assert "".join(chunk.text or "" for chunk in chunks) == whole.text
    assert [_finish(chunk) for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert _finish(chunks[-1]) == "STOP"
    assert _usage(chunks[-1]) == _usage(whole)


def test_the_asynchronous_client_asks_and_streams(client: genai.Client) -> None:
    contents = _contents(_part(64, 48), CAPTION)
    expected = f"Echo: 1 image (64x48), text: {CAPTION}"

    async def ask(aio: genai.client.AsyncClient) -> list[str | None]:
        whole = await aio.models.generate_content(model=MODEL, contents=contents)
        stream = await aio.models.generate_content_stream(model=MODEL, contents=contents)
        chunks = [chunk async for chunk in stream]
        counted = await aio.models.count_tokens(model=MODEL, contents=contents)
        assert counted.total_tokens == _usage(chunks[-1]).prompt_token_count
        return [whole.text, "".join(chunk.text or "" for chunk in chunks)]

    assert _run(ask) == [expected, expected]


def test_many_asynchronous_calls_do_not_mix(client: genai.Client) -> None:
    async def ask(aio: genai.client.AsyncClient) -> list[str | None]:
        calls = (
            aio.models.generate_content(model=MODEL, contents=_contents(_part(40 + n, 30), f"n{n}"))
            for n in range(20)
        )
        return [reply.text for reply in await asyncio.gather(*calls)]

    assert _run(ask) == [f"Echo: 1 image ({40 + n}x30), text: n{n}" for n in range(20)]


def _run(work: Callable[[genai.client.AsyncClient], Coroutine[object, object, T]]) -> T:
    """Run with an asynchronous client of its own, which belongs to one event loop."""

    async def whole() -> T:
        async with genai.Client().aio as aio:
            return await work(aio)

    return asyncio.run(whole())


def test_a_chat_sends_its_history(client: genai.Client) -> None:
    chat = client.chats.create(model=MODEL)
    assert chat.send_message([_part(64, 48), "Look."]).text == "Echo: 1 image (64x48), text: Look."
    streamed = "".join(chunk.text or "" for chunk in chat.send_message_stream("And again?"))
    assert streamed == "Echo: 1 image (64x48), text: And again?"
    assert chat.send_message("Third.").text == "Echo: 1 image (64x48), text: Third."
    assert chat.get_history()[0].role == "user"


def test_an_asynchronous_chat_sends_its_history(client: genai.Client) -> None:
    async def talk(aio: genai.client.AsyncClient) -> str | None:
        chat = aio.chats.create(model=MODEL)
        await chat.send_message([_part(64, 48), "Look."])
        async for _ in await chat.send_message_stream("And again?"):
            pass
        return (await chat.send_message("Third.")).text

    assert _run(talk) == "Echo: 1 image (64x48), text: Third."


# --- configuration


def test_a_system_instruction_is_part_of_the_prompt(client: genai.Client) -> None:
    config = types.GenerateContentConfig(system_instruction="You are a cat. Your name is Neko.")
    bare = client.models.generate_content(model=MODEL, contents="hi")
    told = client.models.generate_content(model=MODEL, contents="hi", config=config)
    assert (_usage(told).prompt_token_count or 0) - (_usage(bare).prompt_token_count or 0) == 9


def test_the_task_may_stand_in_the_system_instruction_alone(client: genai.Client) -> None:
    config = types.GenerateContentConfig(system_instruction="Write a caption for each image.")
    response = client.models.generate_content(model=MODEL, contents=_contents(_part(64, 48)), config=config)
    assert response.text == "Echo: 1 image (64x48), text: "


def test_limits_of_the_answer_hold(client: genai.Client) -> None:
    config = types.GenerateContentConfig(max_output_tokens=2)
    short = client.models.generate_content(model=MODEL, contents="one two three", config=config)
    assert (short.text, _finish(short)) == ("Echo: 0 ", "MAX_TOKENS")
    config = types.GenerateContentConfig(stop_sequences=["three", "never"])
    stopped = client.models.generate_content(model=MODEL, contents="one two three", config=config)
    assert (stopped.text, _finish(stopped)) == ("Echo: 0 images, text: one two ", "STOP")
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


# --- models and versions


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


# --- what goes wrong


def test_refusals_are_client_errors(client: genai.Client) -> None:
    with pytest.raises(errors.ClientError) as unknown:
        client.models.generate_content(model="no-such-model", contents="hi")
    assert (unknown.value.code, unknown.value.status) == (404, "NOT_FOUND")
    assert "models/no-such-model is not found for API version v1" in (unknown.value.message or "")

    broken = types.Part.from_bytes(data=picture(64, 48)[:60], mime_type="image/png")
    for ask in (client.models.generate_content, client.models.count_tokens):
        with pytest.raises(errors.ClientError) as refused:
            ask(model=MODEL, contents=_contents("What is it?", broken))
        assert (refused.value.code, refused.value.status) == (400, "INVALID_ARGUMENT")
        assert "contents[0].parts[1].inline_data" in (refused.value.message or "")

    with pytest.raises(errors.ClientError, match="Unsupported MIME type: image/gif"):
        part = types.Part.from_bytes(data=b"GIF89a", mime_type="image/gif")
        client.models.generate_content(model=MODEL, contents=_contents(part))


def test_what_is_not_served_is_refused(client: genai.Client) -> None:
    config = types.GenerateContentConfig(tools=[types.Tool(google_search=types.GoogleSearch())])
    with pytest.raises(errors.ClientError, match="tools are not served") as refused:
        client.models.generate_content(model=MODEL, contents="hi", config=config)
    assert refused.value.code == 400


def test_a_refused_stream_raises_before_its_first_chunk(client: genai.Client) -> None:
    with pytest.raises(errors.ClientError) as refused:
        list(client.models.generate_content_stream(model="no-such-model", contents="hi"))
    assert refused.value.code == 404


def test_an_engine_that_breaks_is_a_server_error(client: genai.Client) -> None:
    with pytest.raises(errors.ServerError) as broken:
        client.models.generate_content(model=MODEL, contents="echo fail=midway words=9")
    assert (broken.value.code, broken.value.status) == (503, "UNAVAILABLE")


def test_a_stream_that_breaks_raises_after_what_it_said(client: genai.Client) -> None:
    said: list[str | None] = []
    stream = client.models.generate_content_stream(model=MODEL, contents="echo fail=midway words=9")
    with pytest.raises(errors.ServerError) as broken:
        said.extend(chunk.text for chunk in stream)
    assert said == ["word1 ", "word2 ", "word3 "]
    assert (broken.value.code, broken.value.status) == (503, "UNAVAILABLE")

    async def listen(aio: genai.client.AsyncClient) -> int:
        count = 0
        with pytest.raises(errors.ServerError):
            async for _ in await aio.models.generate_content_stream(
                model=MODEL, contents="echo fail=midway words=9"
            ):
                count += 1
        return count

    assert _run(listen) == 3


def test_a_timeout_of_the_client_is_the_servers_too(client: genai.Client) -> None:
    options = types.HttpOptions(timeout=1000)
    config = types.GenerateContentConfig(http_options=options)
    assert client.models.generate_content(model=MODEL, contents="hi", config=config).text
    chunks = client.models.generate_content_stream(
        model=MODEL, contents="echo words=1000 sleep=0.05", config=config
    )
    with pytest.raises(errors.ServerError) as late:
        list(chunks)
    assert (late.value.code, late.value.status) == (504, "DEADLINE_EXCEEDED")


def test_a_stream_may_be_left_early(client: genai.Client) -> None:
    stream = client.models.generate_content_stream(model=MODEL, contents="echo words=100000")
    assert next(iter(stream)).text == "word1 "
    assert isinstance(stream, Generator)
    stream.close()
    assert client.models.generate_content(model=MODEL, contents="hi").text


def test_a_locked_server_takes_the_key_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with live(tmp_path, key="any", VIDI_API_KEYS="any,other") as locked:
        point_at(locked, monkeypatch)
        with genai.Client() as client:
            assert client.models.generate_content(model=MODEL, contents="hi").text
        with genai.Client(api_key="wrong") as client, pytest.raises(errors.ClientError) as refused:
            client.models.generate_content(model=MODEL, contents="hi")
        assert refused.value.code == 400
        assert refused.value.message == "API key not valid. Please pass a valid API key."
