"""Which model somebody means."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.engines.llama.families import LIMITS, family, member
from vidi.domain.errors import InvalidRequest, NotFound
from vidi.engines.llama.catalog import (
    HubRepository,
    ResolvedModel,
    family_of,
    repository_named,
    resolve_model,
)
from vidi.engines.profile import Licence, Profile
from vidi.engines.profile_files import load_profiles
from vidi.engines.weights import PullRequest

TINY = family(member("tiny-1b"), replace(member("tiny-2b"), licence=Licence("MIT", "")))
KNOWN = (TINY, family(name="unserved", unserved="It is written in another language."))
OWN = family(member("own-1b"), name="own")


def _read(path: Path) -> Profile:
    return OWN


def _resolve(model: str, source: str = "", profile: str = "") -> ResolvedModel:
    resolved = resolve_model(PullRequest(model, source=source, profile=profile), KNOWN, _read)
    assert resolved is not None
    return resolved


def test_a_known_member_comes_with_its_licence_or_its_familys() -> None:
    assert _resolve("tiny-1b").family == "tiny"
    assert _resolve("tiny-1b").licence.limits == LIMITS
    assert _resolve("tiny-2b").licence.name == "MIT"
    assert _resolve("tiny-2b", source="x.gguf").model.id == "tiny-2b"


def test_a_name_that_says_nothing_is_for_others() -> None:
    assert resolve_model(PullRequest("vidi-lite"), KNOWN, _read) is None


def test_files_under_a_new_name_need_a_family_and_go_by_its_first_member() -> None:
    with pytest.raises(InvalidRequest, match=r"--profile.*Families: tiny\."):
        _resolve("mine", source="x.gguf")
    mine = _resolve("mine", source="x.gguf", profile="tiny")
    assert (mine.model.id, mine.model.context, mine.model.slots) == ("mine", 512, 3)
    assert mine.own is None
    assert _resolve("tiny-1b", profile="tiny").model.repository == "someone/tiny-GGUF"


def test_what_does_not_exist_is_told_with_what_does() -> None:
    with pytest.raises(NotFound, match=r"'giant'\. Families: tiny"):
        _resolve("mine", profile="giant")
    with pytest.raises(NotFound, match=r"tiny has no model mine. Its models: tiny-1b, tiny-2b\."):
        _resolve("mine", profile="tiny")
    with pytest.raises(InvalidRequest, match="written in another language"):
        _resolve("mine", source="x.gguf", profile="unserved")
    with pytest.raises(InvalidRequest, match="cannot be a model's name"):
        _resolve("gemini-4", source="x.gguf", profile="tiny")


def test_a_profile_of_the_users_own_is_remembered() -> None:
    alone = _resolve("folder/own.toml")
    assert (alone.model.id, alone.family, alone.own) == ("own-1b", "own", Path("folder/own.toml"))
    assert _resolve("mine", source="x.gguf", profile="own.toml").model.id == "mine"
    assert _resolve("own-1b", profile="own.toml").model.repository == "someone/tiny-GGUF"


def test_a_profile_of_several_models_must_be_chosen_from() -> None:
    several = family(member("a"), member("b"), name="own")
    with pytest.raises(InvalidRequest, match=r"2 models.*vidi pull ID --profile own\.toml"):
        resolve_model(PullRequest("own.toml"), KNOWN, lambda path: several)


def test_no_own_model_takes_the_name_of_a_known_one() -> None:
    taken = family(member("tiny-1b"), name="own")
    with pytest.raises(InvalidRequest, match="another id"):
        resolve_model(PullRequest("own.toml"), KNOWN, lambda path: taken)
    with pytest.raises(InvalidRequest, match="another name"):
        resolve_model(PullRequest("tiny-1b", profile="other"), (*KNOWN, family(name="other")), _read)


@pytest.mark.parametrize(
    ("text", "name", "precision"),
    [
        ("hf.co/unsloth/Qwen3.5-4B-GGUF", "unsloth/Qwen3.5-4B-GGUF", ""),
        ("hf.co/unsloth/Qwen3.5-4B-GGUF:Q5_K_M", "unsloth/Qwen3.5-4B-GGUF", "Q5_K_M"),
        ("https://huggingface.co/unsloth/Qwen3.5-4B-GGUF/", "unsloth/Qwen3.5-4B-GGUF", ""),
    ],
)
def test_a_repository_of_the_hub_is_named_as_elsewhere(text: str, name: str, precision: str) -> None:
    assert repository_named(text) == HubRepository(name, precision)


@pytest.mark.parametrize(
    "text", ["qwen3.5-4b", "hf.co/x", "hf.co/../..", "hf.co/a/b/c", "evil.test/hf.co/a/b", "mine.toml"]
)
def test_what_names_no_repository(text: str) -> None:
    assert repository_named(text) is None


@pytest.mark.parametrize(
    ("repository", "family"),
    [
        ("bartowski/Qwen_Qwen3.5-4B-GGUF", "qwen3.5"),
        ("someone/gemma-4-E2B-it-heretic-GGUF", "gemma-4"),
        ("google/gemma-4-E4B-it-qat-q4_0-gguf", "gemma-4"),
        ("mradermacher/Qwen2.5-VL-7B-abliterated-GGUF", "qwen2.5-vl"),
        ("OpenBMB/MiniCPM-V-4_5-gguf", "minicpm-v-4"),
        ("someone/llava-GGUF", None),
    ],
)
def test_a_repositorys_name_tells_its_family(repository: str, family: str | None) -> None:
    found = family_of(repository, load_profiles())
    assert (found.family if found else None) == family


def test_the_usual_precision_is_taken_or_the_one_that_is_named() -> None:
    qwen = next(profile for profile in load_profiles() if profile.family == "qwen3.5")
    files = [f"Qwen_Qwen3.5-4B-{name}.gguf" for name in ("bf16", "Q4_K", "Q4_K_M", "Q5_K_M", "Q8_0")]
    files += ["mmproj-Qwen_Qwen3.5-4B-bf16.gguf", "mmproj-Qwen_Qwen3.5-4B-f16.gguf", "README.md"]
    repository = "bartowski/Qwen_Qwen3.5-4B-GGUF"

    def pair(precision: str) -> tuple[str, str, str]:
        model = HubRepository(repository, precision).model(files, qwen)
        return model.id, model.text.name[16:], model.vision.name[23:]

    assert pair("") == ("qwen_qwen3.5-4b", "Q4_K_M.gguf", "f16.gguf")
    assert pair("q5_k_m") == ("qwen_qwen3.5-4b-q5_k_m", "Q5_K_M.gguf", "f16.gguf")
    assert pair("Q4_K")[1] == "Q4_K.gguf"
    with pytest.raises(InvalidRequest, match=r"one GGUF file of Q2_K: .*Q4_K_M"):
        pair("Q2_K")
    with pytest.raises(InvalidRequest, match="no vision encoder"):
        HubRepository(repository, "").model(files[:5], qwen)
    with pytest.raises(InvalidRequest, match="no model in one GGUF file"):
        HubRepository(repository, "").model(["big-00001-of-00002.gguf", *files[5:]], qwen)


def test_a_repository_with_a_known_model_is_that_model_and_others_take_no_known_name() -> None:
    qwen = next(profile for profile in load_profiles() if profile.family == "qwen3.5")
    files = ["Qwen3.5-4B-Q4_K_M.gguf", "mmproj-F16.gguf"]
    known = next(model for model in qwen.models if model.id == "qwen3.5-4b")
    assert HubRepository(known.repository, "").model(files, qwen) is known
    assert HubRepository("someone/Qwen3.5-4B-GGUF", "").model(files, qwen).id == "someone-qwen3.5-4b"
