"""Which server a backend is, and what is told of its models."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.engines.remote.fake import KINDS, MODEL, FakeBackend, Reply, always, as_json, context_of, fake
from vidi.domain.errors import InvalidRequest, Unavailable
from vidi.engines.base import Backend
from vidi.engines.profile_files import load_profiles
from vidi.engines.registry import best_model, installed_models
from vidi.engines.remote.catalog import family_of, find_model, models, slug
from vidi.engines.remote.kinds import load_kinds


def test_every_kind_has_a_part_in_these_tests() -> None:
    assert set(load_kinds()) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_is_told_apart_and_its_model_is_known(kind: str, tmp_path: Path) -> None:
    with fake(kind) as backend:
        (entry,) = models(context_of(tmp_path, Backend((backend.url,))))
        model = find_model(context_of(tmp_path, Backend((f"{backend.url}/v1/",)), model=entry.card.id))
    assert model.kind.id == kind
    assert model.profile is not None
    assert model.profile.family == "qwen3-vl"
    assert (entry.card.input_token_limit, entry.card.slots) == (4096, 64)
    assert entry.card.dialect is not None
    assert entry.runs_at == f"{backend.url} ({model.kind.title})"
    assert entry.ready


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("openai", "lmstudio", "ollama")])
def test_a_router_that_hides_the_owner_does_not_hide_the_kind(kind: str, tmp_path: Path) -> None:
    probe = load_kinds()[kind]
    told = always(as_json({"data": [{"id": MODEL}]}))
    routes = {"/v1/models": told, probe.probe: always(as_json({probe.probe_key: "1"}))}
    with fake(kind, routes=routes) as backend:
        assert find_model(context_of(tmp_path, Backend((backend.url,)))).kind.id == kind


def test_the_kind_may_be_chosen(tmp_path: Path) -> None:
    with fake("openai") as backend:
        chosen = Backend((backend.url,), kind="vllm")
        assert find_model(context_of(tmp_path, chosen)).kind.id == "vllm"
        with pytest.raises(InvalidRequest, match="none of auto, llama-server"):
            models(context_of(tmp_path, Backend((backend.url,), kind="gpt")))


def listing(*names: str) -> Reply:
    return as_json({"data": [{"id": name, "owned_by": "vllm", "max_model_len": 4096} for name in names]})


def test_every_model_of_a_backend_is_offered_or_the_chosen_one(tmp_path: Path) -> None:
    with fake(routes={"/v1/models": always(listing("A/One.gguf", "b/two", "c/one.GGUF"))}) as backend:
        one, two = models(context_of(tmp_path, Backend((backend.url,))))
        assert (one.card.id, one.card.display_name, two.card.id) == ("one", "A/One.gguf", "two")
        (named,) = models(context_of(tmp_path, Backend((backend.url,), id="gpu", model="b/two")))
        assert (named.card.id, named.card.display_name) == ("gpu", "b/two")
        with pytest.raises(Unavailable, match="and not three"):
            find_model(context_of(tmp_path, Backend((backend.url,), model="three"), model="three"))


def test_a_model_of_no_known_family_is_not_grounded_and_says_so(tmp_path: Path) -> None:
    with fake(routes={"/v1/models": always(listing("somebody/else"))}) as backend:
        (entry,) = models(context_of(tmp_path, Backend((backend.url,))))
        assert entry.card.dialect is None
        assert "no family that Vidi knows" in entry.card.description
        (chosen,) = models(context_of(tmp_path, Backend((backend.url,), profile="gemma-4")))
        assert chosen.card.dialect is not None
        with pytest.raises(InvalidRequest, match="no family; these are: "):
            models(context_of(tmp_path, Backend((backend.url,), profile="gemma-400")))


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("Qwen/Qwen3-VL-30B-A3B-Instruct-FP8", "qwen3-vl"),
        ("/models/qwen3_vl_8b", "qwen3-vl"),
        ("qwen3-vl:8b", "qwen3-vl"),
        ("Qwen2.5-VL-7B-Instruct-AWQ", "qwen2.5-vl"),
        ("google/gemma-4-E4B-it", "gemma-4"),
        ("OpenGVLab/InternVL3.5-8B", "internvl3.5"),
        ("Qwen/Qwen3-8B", None),
        ("meta-llama/Llama-5-8B", None),
    ],
)
def test_a_family_is_found_by_a_models_name(name: str, family: str | None) -> None:
    found = family_of(load_profiles(), name, "")
    assert (found.family if found else None) == family


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Qwen/Qwen3-VL-8B-Instruct", "qwen3-vl-8b-instruct"),
        (r"C:\models\My Model.GGUF", "my-model"),
        ("qwen3-vl:8b", "qwen3-vl-8b"),
        ("gemini-3-pro", "remote-gemini-3-pro"),
        ("模型", "backend"),
        ("x" * 200, "x" * 63),
    ],
)
def test_a_name_becomes_an_id(name: str, told: str) -> None:
    assert slug(name) == told


def nobody() -> str:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        return f"http://127.0.0.1:{gone.getsockname()[1]}"


def test_a_backend_that_is_away_keeps_its_place_and_is_found_when_it_is_back(tmp_path: Path) -> None:
    away = nobody()
    backend = Backend((away,))
    entries = installed_models(context_of(tmp_path, backend))
    default = best_model(entries)
    assert (default.card.id, default.runs_at) == ("backend", f"{away} (away)")
    with pytest.raises(Unavailable, match="is not there"):
        find_model(context_of(tmp_path, backend))
    with fake(port=int(away.rpartition(":")[2])):
        assert find_model(context_of(tmp_path, backend)).served.name == "tiny"


def test_a_copy_that_is_away_does_not_hide_the_others(tmp_path: Path) -> None:
    with fake() as backend:
        assert find_model(context_of(tmp_path, Backend((nobody(), backend.url)))).served.name == "tiny"


@pytest.mark.parametrize(
    "answer",
    [
        Reply(parts=(b"\xff\xfe{",)),
        Reply(parts=(b"[" * 100_000,)),
        as_json([]),
        as_json({"data": 7}),
        as_json({"data": [None, {"id": None}][:1]}),
        as_json({"error": "no"}, 500),
        as_json({}, 401),
        Reply(302, headers=(("location", "http://127.0.0.1:1/"),)),
    ],
)
def test_whatever_it_lists_it_is_only_away(answer: Reply, tmp_path: Path) -> None:
    with fake(routes={"/v1/models": always(answer)}) as backend, pytest.raises(Unavailable):
        find_model(context_of(tmp_path, Backend((backend.url,))))


def test_the_servers_key_is_shown(tmp_path: Path) -> None:
    with fake() as backend:
        find_model(context_of(tmp_path, Backend((backend.url,), key="the-key")))
        assert {each.headers.get("authorization") for each in backend.asked} == {"Bearer the-key"}


def test_a_path_before_the_protocols_own_is_kept(tmp_path: Path) -> None:
    told = {f"/gpu{path}": route for path, route in KINDS["vllm"].items()}
    with fake(routes=told) as backend:
        assert isinstance(backend, FakeBackend)
        assert find_model(context_of(tmp_path, Backend((f"{backend.url}/gpu/v1",)))).served.name == "tiny"
        assert all(each.path.startswith("/gpu/") for each in backend.asked)
