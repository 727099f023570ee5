"""Answers that are given again, places in the model's own terms, and what a picture costs to read.

All of it seen through the public API.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any, BinaryIO

import pytest
from starlette.testclient import TestClient

from tests.conftest import inline, picture
from tests.waiting import HANG_SECONDS, until
from vidi.app import create_app
from vidi.domain.answer import Finish, Piece, TokenCount
from vidi.domain.errors import Unavailable
from vidi.domain.prompt import Prompt, PromptHeaders
from vidi.domain.schema import Kind, Schema
from vidi.engines.base import EngineContext, ModelCard, ModelEntry
from vidi.engines.grounding.masks import MOST_PICTURES
from vidi.engines.grounding.schema import GroundingShape, shape_of
from vidi.engines.profile import Dialect, Form, Order
from vidi.engines.worker import PREPARED
from vidi.files.local import LocalBlobs
from vidi.http.body import UPLOAD_BUFFER
from vidi.settings import Settings

DIALECT = Dialect(Form.JSON, Order.XYXY, box_key="bbox_2d", boxes_prompt="Locate {targets}.")
CAT, DOG = inline(picture(64, 48)), inline(picture(48, 64))


class Drawing:
    """Says a new number each time it is asked, or a box; keeps what it was asked."""

    def __init__(self, card: ModelCard) -> None:
        self.card = card
        self.asked: list[Prompt] = []
        self.fails = False
        self.gate = threading.Event()
        self.gate.set()

    def count_tokens(self, headers: PromptHeaders) -> TokenCount:
        return TokenCount(text=3)

    def generate(self, prompt: Prompt) -> Generator[Piece, None, None]:
        self.asked.append(prompt)
        number = len(self.asked)
        self.gate.wait(HANG_SECONDS)
        text = f"number {number}"
        if "Locate" in " ".join(prompt.texts()):
            text = '[{"bbox_2d":[100,200,300,400],"label":"cat"}]'
        yield Piece(text[:4], tokens=1)
        if self.fails:
            raise Unavailable("It broke.")
        yield Piece(text[4:], tokens=2)
        yield Piece("", finish=Finish.STOP)

    def close(self) -> None:
        pass


ENGINES: dict[str, Drawing] = {}
"""The doubles by model; each test has its own."""


def open_drawing(context: EngineContext) -> Drawing:
    return ENGINES[context.model]


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> Mapping[str, Drawing]:
    """Two models, `one` and `two`, in the place of those that are installed."""
    made = {
        name: Drawing(ModelCard(name, name, "A double.", samples=True, dialect=DIALECT))
        for name in ("one", "two")
    }
    offers = {
        name: ModelEntry(engine.card, factory=f"{__name__}:open_drawing", ready=True)
        for name, engine in made.items()
    }
    monkeypatch.setattr("vidi.in_process.installed_models", lambda context: offers)
    for name, engine in made.items():
        monkeypatch.setitem(ENGINES, name, engine)
    return made


@contextmanager
def serving(settings: Settings, **chosen: object) -> Iterator[TestClient]:
    own = settings.model_copy(update={"model": "one", **chosen})
    with TestClient(create_app(own), base_url="http://localhost") as client:
        yield client


def ask(client: TestClient, *parts: object, model: str = "one", **config: object) -> Any:
    """The first candidate's text of an answer at temperature 0."""
    reply = client.post(
        f"/v1beta/models/{model}:generateContent",
        json={
            "contents": [{"parts": list(parts or ({"text": "hi"},))}],
            "generationConfig": {"temperature": 0, **config},
        },
    )
    assert reply.status_code == 200, reply.text
    return reply.json()["candidates"][0]["content"]["parts"][0]["text"]


def test_the_same_question_at_temperature_0_is_not_asked_twice(
    engines: Mapping[str, Drawing], settings: Settings
) -> None:
    with serving(settings) as client:
        assert [ask(client, CAT, {"text": "hi"}) for _ in range(3)] == ["number 1"] * 3
        # A Gemini name is the same model, and a stream the same answer.
        assert ask(client, CAT, {"text": "hi"}, model="gemini-3-flash") == "number 1"
        stream = client.post(
            "/v1beta/models/one:streamGenerateContent?alt=sse",
            json={"contents": [{"parts": [CAT, {"text": "hi"}]}], "generationConfig": {"temperature": 0}},
        )
        messages = [json.loads(line[6:]) for line in stream.text.split("\r\n") if line]
        said = [
            part.get("text", "") for each in messages for part in each["candidates"][0]["content"]["parts"]
        ]
        assert "".join(said) == "number 1"
        assert messages[-1]["usageMetadata"]["candidatesTokenCount"] == 3
    assert len(engines["one"].asked) == 1


def test_another_question_is_asked(engines: Mapping[str, Drawing], settings: Settings) -> None:
    with serving(settings) as client:
        told = [
            ask(client, CAT, {"text": "hi"}),
            ask(client, DOG, {"text": "hi"}),
            ask(client, CAT, {"text": "Hi"}),
            ask(client, CAT, {"text": "hi"}, maxOutputTokens=50),
            ask(client, CAT, {"text": "hi"}, mediaResolution="MEDIA_RESOLUTION_LOW"),
        ]
        assert told == [f"number {count}" for count in range(1, 6)]
        assert ask(client, CAT, {"text": "hi"}, model="two") == "number 1"


@pytest.mark.parametrize(
    ("config", "kept"),
    [
        ({"temperature": 0}, True),
        ({"temperature": 1, "seed": 3}, True),
        ({"temperature": 1}, False),
        ({"temperature": None}, False),
    ],
)
def test_where_chance_has_a_say_every_answer_is_new(
    engines: Mapping[str, Drawing], settings: Settings, config: dict[str, Any], kept: bool
) -> None:
    with serving(settings) as client:
        assert (ask(client, **config) == ask(client, **config)) is kept


def test_without_room_every_answer_is_new(engines: Mapping[str, Drawing], settings: Settings) -> None:
    with serving(settings, answer_cache_bytes=0) as client:
        assert [ask(client), ask(client)] == ["number 1", "number 2"]


def test_an_answer_that_broke_off_is_not_given_again(
    engines: Mapping[str, Drawing], settings: Settings
) -> None:
    with serving(settings) as client:
        engines["one"].fails = True
        body = {"contents": [{"parts": [{"text": "hi"}]}], "generationConfig": {"temperature": 0}}
        assert client.post("/v1beta/models/one:generateContent", json=body).status_code == 503
        engines["one"].fails = False
        assert [ask(client), ask(client)] == ["number 2", "number 2"]


def places(client: TestClient) -> tuple[str, str | None]:
    """What is told of boxes on a wide picture, and the header."""
    reply = client.post(
        "/v1beta/models/one:generateContent",
        json={
            "contents": [
                {"parts": [CAT, {"text": "Detect the cats. The box_2d should be [ymin, xmin, ymax, xmax]."}]}
            ],
            "generationConfig": {"temperature": 0},
        },
    )
    return (
        reply.json()["candidates"][0]["content"]["parts"][0]["text"],
        reply.headers.get("x-vidi-grounding"),
    )


def test_places_are_asked_for_in_the_models_terms_and_told_in_the_apis_also_from_memory(
    engines: Mapping[str, Drawing], settings: Settings
) -> None:
    with serving(settings) as client:
        for _ in range(2):
            text, header = places(client)
            assert json.loads(text) == [{"box_2d": [200, 100, 400, 300], "label": "cat"}]
            assert header == "re-asked; boxes"
    (asked,) = engines["one"].asked
    assert any("Locate" in text for text in asked.texts())


def test_the_shape_of_a_schema_is_computed_once_a_request(
    engines: Mapping[str, Drawing], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed: list[Schema] = []

    def counted(schema: Schema, dialect: Dialect, *, asked: bool = False) -> GroundingShape | None:
        computed.append(schema)
        return shape_of(schema, dialect, asked=asked)

    # The function calls itself by its name, so what is below the caller's own schema is counted too.
    for module in ("schema", "request"):
        monkeypatch.setattr(f"vidi.engines.grounding.{module}.shape_of", counted)
    item = {"type": "object", "properties": {"box_2d": {"type": "array", "items": {"type": "integer"}}}}
    with serving(settings) as client:
        reply = client.post(
            "/v1beta/models/one:generateContent",
            json={
                "contents": [{"parts": [CAT, {"text": "Detect the cats."}]}],
                "generationConfig": {
                    "responseMimeType": "application/json",
                    "responseJsonSchema": {"type": "array", "items": item},
                    "candidateCount": 3,
                },
            },
        )
    texts = [each["content"]["parts"][0]["text"] for each in reply.json()["candidates"]]
    assert [json.loads(text) for text in texts] == [[{"box_2d": [200, 100, 400, 300]}]] * 3
    assert [schema.kinds for schema in computed] == [{Kind.ARRAY}, {Kind.OBJECT}]


def test_places_are_asked_for_as_they_stand_where_the_owner_says_so(
    engines: Mapping[str, Drawing], settings: Settings
) -> None:
    with serving(settings, grounding=False) as client:
        assert places(client) == ("number 1", None)
    (asked,) = engines["one"].asked
    assert "box_2d" in " ".join(asked.texts())


SEGMENT = {"text": "Give the segmentation masks for the cats."}


def test_a_mask_is_made_for_each_box_also_from_memory(
    engines: Mapping[str, Drawing], settings: Settings
) -> None:
    with serving(settings) as client:
        for _ in range(2):
            (found,) = json.loads(ask(client, CAT, SEGMENT))
            assert found["mask"].startswith("data:image/png;base64,")
            assert {**found, "mask": ""} == {"box_2d": [200, 100, 400, 300], "mask": "", "label": "cat"}
    (asked,) = engines["one"].asked
    assert "mask" not in " ".join(asked.texts())


def test_masks_of_too_many_pictures_are_refused_by_the_first_that_is_too_many(
    engines: Mapping[str, Drawing], settings: Settings
) -> None:
    body = {"contents": [{"parts": [*([CAT] * (MOST_PICTURES + 1)), SEGMENT]}]}
    with serving(settings) as client:
        for method in ("generateContent", "countTokens"):
            error = client.post(f"/v1beta/models/one:{method}", json=body).json()["error"]
            assert error["status"] == "INVALID_ARGUMENT"
            (violation,) = error["details"][0]["fieldViolations"]
            assert violation["field"] == f"contents[0].parts[{MOST_PICTURES}].inline_data"
            assert "at most 100 pictures" in error["message"]
        body["contents"][0]["parts"].pop(0)
        assert client.post("/v1beta/models/one:generateContent", json=body).status_code == 200


def test_without_grounding_no_masks_are_made(engines: Mapping[str, Drawing], settings: Settings) -> None:
    with serving(settings, grounding=False) as client:
        assert ask(client, CAT, SEGMENT) == "number 1"


def test_a_server_says_that_its_segmenter_is_missing(
    engines: Mapping[str, Drawing], settings: Settings
) -> None:
    with pytest.raises(Unavailable, match="no segmenter 'sam'"), serving(settings, segmenter="sam"):
        pass


PHOTO = picture(80, 60)


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often a stored file was opened ("reads") and a whole picture was hashed ("hashes")."""
    done: Counter[str] = Counter()
    opened, sha256 = LocalBlobs.open, hashlib.sha256

    def counting_open(blobs: LocalBlobs, key: str, size: int | None = None) -> BinaryIO:
        done["reads"] += 1
        return opened(blobs, key, size)

    def counting_sha256(data: bytes = b"", **options: Any) -> Any:
        done["hashes"] += data == PHOTO
        return sha256(data, **options)

    monkeypatch.setattr(LocalBlobs, "open", counting_open)
    monkeypatch.setattr(hashlib, "sha256", counting_sha256)
    return done


def uploaded(client: TestClient, work: Counter[str]) -> dict[str, object]:
    """A part that names an uploaded photo; what the upload cost is not counted."""
    reply = client.post("/upload/v1beta/files", content=PHOTO, headers={"content-type": "image/png"})
    work.clear()
    return {"fileData": {"fileUri": reply.json()["file"]["uri"]}}


@pytest.mark.parametrize("config", [{"temperature": 0}, {"temperature": 1}])
def test_an_uploaded_picture_is_read_once_a_prompt_and_never_hashed(
    engines: Mapping[str, Drawing], settings: Settings, work: Counter[str], config: dict[str, Any]
) -> None:
    with serving(settings) as client:
        ask(client, uploaded(client, work), **config)
        assert (work["reads"], work["hashes"]) == (1, 0)


def test_an_uploaded_picture_whose_pixels_are_kept_is_not_read_again(
    engines: Mapping[str, Drawing], settings: Settings, work: Counter[str]
) -> None:
    with serving(settings) as client:
        photo = uploaded(client, work)
        ask(client, photo, temperature=1)
        ask(client, photo, {"text": "another question"}, temperature=1)
        assert (work["reads"], work["hashes"]) == (1, 0)


def test_tokens_of_an_uploaded_picture_are_counted_without_reading_it(
    engines: Mapping[str, Drawing], settings: Settings, work: Counter[str]
) -> None:
    with serving(settings) as client:
        photo = uploaded(client, work)
        for model in ("one", "gemini-3-flash"):
            reply = client.post(
                f"/v1beta/models/{model}:countTokens", json={"contents": [{"parts": [photo]}]}
            )
            assert reply.status_code == 200, reply.text
        assert (work["reads"], work["hashes"]) == (0, 0)


def test_an_uploaded_picture_of_an_older_version_is_read_for_its_header_too(
    engines: Mapping[str, Drawing], settings: Settings, work: Counter[str]
) -> None:
    with serving(settings) as client:
        photo = uploaded(client, work)
    with closing(sqlite3.connect(settings.data_dir / "index.sqlite3")) as database, database:
        assert database.execute("UPDATE files SET header = NULL").rowcount == 1
    with serving(settings) as client:
        assert ask(client, photo) == "number 1"
        assert (work["reads"], work["hashes"]) == (2, 0)
    assert [image.placement.source_width for image in engines["one"].asked[0].images()] == [80]


def test_an_uploaded_picture_is_held_to_the_limits_of_today(
    engines: Mapping[str, Drawing], settings: Settings, work: Counter[str]
) -> None:
    with serving(settings) as client:
        photo = uploaded(client, work)
    with serving(settings, max_image_pixels=80 * 60 - 1) as client:
        for method in ("generateContent", "countTokens"):
            reply = client.post(f"/v1beta/models/one:{method}", json={"contents": [{"parts": [photo]}]})
            assert reply.status_code == 400
            assert "contents[0].parts[0].file_data is 80 x 60 pixels" in reply.json()["error"]["message"]


@pytest.mark.parametrize("config", [{"temperature": 0}, {"temperature": 1}])
def test_an_inline_picture_is_hashed_once_a_prompt(
    engines: Mapping[str, Drawing], settings: Settings, work: Counter[str], config: dict[str, Any]
) -> None:
    with serving(settings) as client:
        ask(client, inline(PHOTO), **config)
        assert (work["reads"], work["hashes"]) == (0, 1)


def test_a_file_that_is_named_eight_times_is_read_and_prepared_once(
    engines: Mapping[str, Drawing], settings: Settings, work: Counter[str]
) -> None:
    with serving(settings) as client:
        ask(client, *[uploaded(client, work)] * 8, temperature=1)
        assert work["reads"] == 1
    (asked,) = engines["one"].asked
    assert len({id(image.rgb) for image in asked.images()}) == 1


def test_a_file_that_is_no_picture_counts_while_its_header_is_looked_for(
    engines: Mapping[str, Drawing], settings: Settings
) -> None:
    text = bytes(UPLOAD_BUFFER + 100)
    with serving(settings, memory_bytes=len(text) - 1) as client:
        reply = client.post("/upload/v1beta/files", content=text, headers={"content-type": "text/plain"})
        part = {"fileData": {"fileUri": reply.json()["file"]["uri"]}}
        reply = client.post("/v1beta/models/one:generateContent", json={"contents": [{"parts": [part]}]})
        assert (reply.status_code, reply.headers.get("retry-after")) == (503, "1")


def test_prepared_pictures_count_before_the_first_one_is_decoded(
    engines: Mapping[str, Drawing], settings: Settings, work: Counter[str]
) -> None:
    """Each is 64 x 48: 9,216 bytes of RGB."""
    body = {"contents": [{"parts": [CAT] * 3}]}
    with serving(settings, memory_bytes=len(json.dumps(body)) + 3 * 9216 - 1) as client:
        reply = client.post("/v1beta/models/one:generateContent", json=body)
        assert (reply.status_code, reply.headers.get("retry-after")) == (503, "1")
        assert reply.json()["error"]["details"][0]["retryDelay"] == "1s"
        assert ask(client, CAT) == "number 1"


@pytest.mark.parametrize("temperature", [0, 1])
def test_whom_the_queue_has_no_place_for_is_refused_before_anything_is_done(
    engines: Mapping[str, Drawing], settings: Settings, work: Counter[str], temperature: int
) -> None:
    engines["one"].gate.clear()
    with serving(settings, queue=0) as client, ThreadPoolExecutor(1) as thread:
        photo = uploaded(client, work)
        running = thread.submit(ask, client, {"text": "hi"}, temperature=temperature)
        until(lambda: engines["one"].asked)
        body = {"contents": [{"parts": [photo, inline(PHOTO)]}], "generationConfig": {"temperature": 1}}
        for method in ("generateContent", "streamGenerateContent"):
            reply = client.post(f"/v1beta/models/one:{method}", json=body)
            assert (reply.status_code, reply.headers.get("retry-after")) == (503, "2")
        counted = client.post("/v1beta/models/one:countTokens", json={"contents": body["contents"]})
        assert counted.status_code == 200
        interaction = client.post(
            "/v1beta/interactions", json={"model": "one", "input": [{"type": "text", "text": "hi"}]}
        )
        assert (interaction.status_code, interaction.headers.get("retry-after")) == (503, "2")
        assert work == Counter()
        engines["one"].gate.set()
        assert running.result(HANG_SECONDS) == "number 1"


def test_few_of_those_that_wait_have_their_pictures_prepared(
    engines: Mapping[str, Drawing], settings: Settings, work: Counter[str]
) -> None:
    engines["one"].gate.clear()
    with serving(settings, queue=20) as client, ThreadPoolExecutor(12) as threads:
        photo = uploaded(client, work)
        replies = [
            threads.submit(ask, client, photo, {"text": f"{index}"}, temperature=1, mediaResolution=level)
            for index, level in enumerate(("MEDIA_RESOLUTION_LOW", "MEDIA_RESOLUTION_HIGH") * 6)
        ]
        until(lambda: work["reads"] and engines["one"].asked)
        time.sleep(0.5)
        assert work["reads"] <= PREPARED
        engines["one"].gate.set()
        assert len({reply.result(HANG_SECONDS) for reply in replies}) == 12
