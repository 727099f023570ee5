"""Which model somebody means."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.engines.llama.families import LIMITS, family, member
from vidi.domain.errors import InvalidRequest, NotFound
from vidi.engines.llama.catalog import ResolvedModel, resolve_model
from vidi.engines.profile import Licence, Profile
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
