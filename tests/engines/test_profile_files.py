"""Profiles read from files: those that come with Vidi, and a user's with and without mistakes."""

from __future__ import annotations

import json
from importlib.resources import as_file, files
from pathlib import Path

import pytest

from vidi.engines.profile import Dialect, Form, Licence, Order, Thinks
from vidi.engines.profile_files import ProfileError, load_profile, load_profiles

WHOLE = """
family = "parrot"
display_name = "Parrot"
good_at = "Repeating."
bad_at = "Thinking."

[licence]
name = "MIT"
url = "https://example.org/licence"

[pictures]
token_side = 28
square = 0
min_tokens = 4

[pictures.budgets]
low = 280
medium = 560
high = 1120
ultra_high = 2240

[dialect]
form = "json"
order = "xyxy"
scale = 0
boxes_prompt = "Find {targets}."

[[models]]
id = "parrot-1b"
display_name = "Parrot 1B"
repository = ""
text = { name = "parrot.gguf" }
vision = { name = "eyes/parrot-mmproj.gguf" }
"""

SERVED = {
    *("gemma-4-e2b", "gemma-4-e4b", "qwen3.5-0.8b", "qwen3.6-27b", "qwen3.8-27b", "qwen3-vl-4b"),
    *("qwen2.5-vl-7b", "internvl3.5-8b", "minicpm-v-4.5", "lfm2.5-vl-450m", "glm-4.6v-flash"),
    *("kimi-vl-a3b-thinking", "smolvlm2-2.2b", "deepseek-ocr-3b", "granite-docling-258m"),
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "parrot.toml"


def test_the_profiles_that_come_with_vidi_are_read() -> None:
    profiles = {profile.family: profile for profile in load_profiles()}
    models = {model.id: model for profile in profiles.values() for model in profile.models}
    assert set(models) >= SERVED
    for family in ("paligemma-2", "florence-2", "moondream2"):
        assert profiles[family].unserved
        assert profiles[family].dialect
    assert profiles["smolvlm2"].dialect is None
    assert profiles["kimi-vl"].template.thinks is Thinks.ALWAYS


def test_each_that_comes_with_vidi_is_one_that_a_user_could_bring() -> None:
    with as_file(files("vidi.engines") / "profiles") as folder:
        paths = sorted(folder.glob("*.toml"))
    assert tuple(map(load_profile, paths)) == load_profiles()


def test_only_one_family_writes_the_api_s_own_form() -> None:
    native = [each.family for each in load_profiles() if each.dialect and each.dialect.native]
    assert native == ["gemma-4"]


def test_the_default_among_small_models_is_gemma() -> None:
    ranks = {model.id: model.rank for profile in load_profiles() for model in profile.models}
    small = ("gemma-4-e2b", "qwen3.5-0.8b", "qwen3.5-2b", "qwen3-vl-2b", "lfm2.5-vl-450m", "smolvlm2-2.2b")
    assert max(small, key=lambda model: ranks[model]) == "gemma-4-e2b"


def test_a_file_becomes_a_profile_with_the_dataclasses_own_defaults(file: Path) -> None:
    file.write_text(WHOLE)
    profile = load_profile(file)
    assert profile.licence == Licence("MIT", "https://example.org/licence")
    assert profile.dialect == Dialect(Form.JSON, Order.XYXY, scale=0, boxes_prompt="Find {targets}.")
    (model,) = profile.models
    assert (model.revision, model.context, model.slots, model.rank, model.licence) == (
        "main",
        8192,
        2,
        10,
        None,
    )
    assert model.vision.name == "eyes/parrot-mmproj.gguf"
    assert profile.template.think_open == "<think>"


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ('family = "parrot"\n', "", "the file lacks the key 'family': Identifier in lower case"),
        ('good_at = "Repeating."', "goodat = 1", "unknown key 'goodat'. Known keys: family,"),
        ('family = "parrot"', 'family = "Parrot"', r"family is 'Parrot'; it must match"),
        ("token_side = 28", 'token_side = "28"', "pictures.token_side is '28'; it must be of type integer"),
        ("token_side = 28", "token_side = 0", "pictures.token_side is 0; it must be 1 or more"),
        ("medium = 560", "medium = 60", "must not fall; they are 4, 280, 60, 1120, 2240"),
        ('order = "xyxy"', 'order = "xywh"', "dialect.order is 'xywh'; it may be one of yxyx, xyxy"),
        ("{targets}", "{targets} {targets}", "dialect.boxes_prompt holds {targets} more than once"),
        ('boxes_prompt = "Find {targets}."', "", "dialect needs a boxes_prompt, a points_prompt or both"),
        (
            "scale = 0",
            'scale = 0\nmasks_prompt = "Draw {targets}."',
            "masks_prompt is read where form is loc-tokens",
        ),
        ("scale = 0", "scale = 0.5", "dialect.scale is 0.5; it may be 0 for pixels, or 1 or more"),
        ("scale = 0", "fractions = true\nscale = 1", "dialect.fractions is true"),
        ("scale = 0", 'scale = 0\nbox_key = "label"', "must differ; they are label, point, label"),
        ('id = "parrot-1b"', 'id = "gemini-parrot"', r"models\[0\].id is 'gemini-parrot'"),
        ('"eyes/parrot-mmproj.gguf"', '"parrot.gguf"', "which is also the text model's file"),
        ('"parrot.gguf"', '"../../etc/parrot.gguf"', r"models\[0\].text.name is '../../etc/parrot.gguf'"),
        ('"parrot.gguf"', '"/etc/parrot.gguf"', r"models\[0\].text.name"),
        ('"parrot.gguf"', '"parrot.pth"', r"models\[0\].text.name"),
        ('repository = ""', 'repository = "a/b/../c"', r"models\[0\].repository"),
        ('repository = ""', 'repository = ""\nrevision = "../x"', r"models\[0\].revision"),
        ("[pictures.budgets]", "[pictures.budgets", "is no TOML in UTF-8"),
    ],
)
def test_a_mistake_is_told_by_file_key_and_what_it_may_be(
    file: Path, before: str, after: str, told: str
) -> None:
    assert before in WHOLE
    file.write_text(WHOLE.replace(before, after, 1))
    with pytest.raises(ProfileError, match=told) as refusal:
        load_profile(file)
    assert str(file) in refusal.value.message


def test_two_members_need_two_ids(file: Path) -> None:
    file.write_text(WHOLE + WHOLE[WHOLE.index("[[models]]") :])
    with pytest.raises(ProfileError, match=r"models\[1\].id is 'parrot-1b', which another member has"):
        load_profile(file)


def test_a_family_without_models_says_why(file: Path) -> None:
    file.write_text(WHOLE[: WHOLE.index("[[models]]")])
    with pytest.raises(ProfileError, match="must say in 'unserved' why"):
        load_profile(file)
    file.write_text('unserved = "No engine can fly."\n' + WHOLE[: WHOLE.index("[[models]]")])
    assert load_profile(file).models == ()


@pytest.mark.parametrize("data", [b"\xff\xfe", b"a = [" * 5000, b"# " + b"x" * (1 << 20)])
def test_hostile_files_are_refused(file: Path, data: bytes) -> None:
    file.write_bytes(data)
    with pytest.raises(ProfileError):
        load_profile(file)


def test_a_missing_file_is_told(file: Path) -> None:
    with pytest.raises(ProfileError, match="cannot be read: No such file"):
        load_profile(file)


def test_a_user_adds_a_family(file: Path) -> None:
    file.write_text(WHOLE)
    assert [each.family for each in load_profiles(file.parent)] == [
        *(each.family for each in load_profiles()),
        "parrot",
    ]


def test_a_folder_that_is_not_there_adds_nothing(tmp_path: Path) -> None:
    assert load_profiles(tmp_path / "profiles") == load_profiles()


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ('family = "parrot"', 'family = "qwen3.5"', "the family qwen3.5 is already told by .*qwen3.5.toml"),
        ('id = "parrot-1b"', 'id = "qwen3.5-0.8b"', "the model qwen3.5-0.8b is already told by"),
    ],
)
def test_a_user_s_file_never_replaces_what_is_there(file: Path, before: str, after: str, told: str) -> None:
    file.write_text(WHOLE.replace(before, after))
    with pytest.raises(ProfileError, match=told):
        load_profiles(file.parent)


PAGE = Path(__file__).parents[2] / "docs" / "models" / "profiles.md"


def test_the_example_of_the_documentation_is_a_profile(file: Path) -> None:
    file.write_text(PAGE.read_text("utf-8").partition("```toml\n")[2].partition("```")[0])
    assert [model.id for model in load_profile(file).models] == ["my-family-2b"]


def _keys(node: object) -> set[str]:
    if not isinstance(node, dict):
        return set()
    own = set(node.get("properties", {}))
    return own.union(*(_keys(each) for each in [*node.get("properties", {}).values(), node.get("items")]))


def test_every_key_is_documented() -> None:
    text = files("vidi.engines").joinpath("profiles", "profile.schema.json").read_text("utf-8")
    page = PAGE.read_text("utf-8")
    missing = {key for key in _keys(json.loads(text)) if f"`{key}`" not in page and f"[{key}]" not in page}
    assert not missing
