"""The official Python SDK: streams, chats, asynchronous calls, and what goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from pathlib import Path
from typing import TypeVar

import httpx2
import pytest
from google import genai
from google.genai import errors, types

from tests.conftest import picture
from tests.http.live import live
from tests.sdk.asking import CAPTION, MODEL, contents_of, finish, part, usage
from tests.sdk.conftest import point_at
from tests.waiting import HANG_SECONDS

T = TypeVar("T")


def test_a_stream_adds_up_to_the_whole_answer(client: genai.Client) -> None:
    contents = contents_of(part(64, 48), "one two\u2028three\u0085four five")
    whole = client.models.generate_content(model=MODEL, contents=contents)
    chunks = list(client.models.generate_content_stream(model=MODEL, contents=contents))
    assert len(chunks) > 3
    assert "".join(chunk.text or "" for chunk in chunks) == whole.text
    assert [finish(chunk) for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert finish(chunks[-1]) == "STOP"
    assert usage(chunks[-1]) == usage(whole)


def test_the_asynchronous_client_asks_and_streams(client: genai.Client) -> None:
    contents = contents_of(part(64, 48), CAPTION)
    expected = f"Echo: 1 image (64x48), text: {CAPTION}"

    async def ask(aio: genai.client.AsyncClient) -> list[str | None]:
        whole = await aio.models.generate_content(model=MODEL, contents=contents)
        stream = await aio.models.generate_content_stream(model=MODEL, contents=contents)
        chunks = [chunk async for chunk in stream]
        counted = await aio.models.count_tokens(model=MODEL, contents=contents)
        assert counted.total_tokens == usage(chunks[-1]).prompt_token_count
        return [whole.text, "".join(chunk.text or "" for chunk in chunks)]

    assert _run(ask) == [expected, expected]


def test_many_asynchronous_calls_do_not_mix(client: genai.Client) -> None:
    async def ask(aio: genai.client.AsyncClient) -> list[str | None]:
        calls = (
            aio.models.generate_content(model=MODEL, contents=contents_of(part(40 + n, 30), f"n{n}"))
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
    assert chat.send_message([part(64, 48), "Look."]).text == "Echo: 1 image (64x48), text: Look."
    streamed = "".join(chunk.text or "" for chunk in chat.send_message_stream("And again?"))
    assert streamed == "Echo: 1 image (64x48), text: And again?"
    assert chat.send_message("Third.").text == "Echo: 1 image (64x48), text: Third."
    assert chat.get_history()[0].role == "user"


def test_an_asynchronous_chat_sends_its_history(client: genai.Client) -> None:
    async def talk(aio: genai.client.AsyncClient) -> str | None:
        chat = aio.chats.create(model=MODEL)
        await chat.send_message([part(64, 48), "Look."])
        async for _ in await chat.send_message_stream("And again?"):
            pass
        return (await chat.send_message("Third.")).text

    assert _run(talk) == "Echo: 1 image (64x48), text: Third."


def test_refusals_are_client_errors(client: genai.Client) -> None:
    with pytest.raises(errors.ClientError) as unknown:
        client.models.generate_content(model="no-such-model", contents="hi")
    assert (unknown.value.code, unknown.value.status) == (404, "NOT_FOUND")
    assert "models/no-such-model is not found for API version v1" in (unknown.value.message or "")

    broken = types.Part.from_bytes(data=picture(64, 48)[:60], mime_type="image/png")
    for ask in (client.models.generate_content, client.models.count_tokens):
        with pytest.raises(errors.ClientError) as refused:
            ask(model=MODEL, contents=contents_of("What is it?", broken))
        assert (refused.value.code, refused.value.status) == (400, "INVALID_ARGUMENT")
        assert "contents[0].parts[1].inline_data" in (refused.value.message or "")

    with pytest.raises(errors.ClientError, match="Unsupported MIME type: image/gif"):
        part = types.Part.from_bytes(data=b"GIF89a", mime_type="image/gif")
        client.models.generate_content(model=MODEL, contents=contents_of(part))


def test_what_is_not_served_is_refused(client: genai.Client) -> None:
    config = types.GenerateContentConfig(tools=[types.Tool(google_search=types.GoogleSearch())])
    with pytest.raises(errors.ClientError, match="google_search is not served") as refused:
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
    def within(seconds: int) -> types.GenerateContentConfig:
        return types.GenerateContentConfig(http_options=types.HttpOptions(timeout=1000 * seconds))

    assert client.models.generate_content(model=MODEL, contents="hi", config=within(HANG_SECONDS)).text
    # The client gives up after so long a silence: a busy machine gets more time to say its first word.
    for seconds in (1, 8, 64):
        chunks = client.models.generate_content_stream(
            model=MODEL, contents="echo words=100000 sleep=0.05", config=within(seconds)
        )
        try:
            with pytest.raises(errors.ServerError) as late:
                list(chunks)
        except httpx2.TimeoutException:
            continue
        break
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
