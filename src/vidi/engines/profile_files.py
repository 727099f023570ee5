"""Profiles read from their TOML files: those that come with Vidi, and those that a user adds.

A file is held against `profiles/profile.schema.json` and then against what a schema cannot say. Every error
names the file, the key and what it may be, so that a file can be mended without reading this.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from importlib.resources import as_file, files
from pathlib import Path
from pkgutil import resolve_name

from vidi.domain.errors import FailedPrecondition
from vidi.domain.schema import JsonValue
from vidi.engines.profile import (
    Dialect,
    Form,
    Licence,
    Model,
    Order,
    Pictures,
    Profile,
    Template,
    Thinks,
    TokenBudgets,
    WeightsFile,
)

TARGETS = "{targets}"
"""Stands in a native prompt for what is looked for."""

LARGEST_FILE = 1 << 20
"""Bytes of a profile; the largest that comes with Vidi has 4 kB."""

RESERVED = "gemini-"
"""What no model id may begin with: such a name runs the default model."""


def profiles_folder(cache: Path) -> Path:
    """Where a user's own profiles lie."""
    return cache / "models" / "profiles"


class ProfileError(FailedPrecondition):
    """A profile's file cannot be used; the text names the file, the key and what it may be."""


def load_profiles(folder: Path | None = None) -> tuple[Profile, ...]:
    """Every profile that comes with Vidi, and with `folder` the user's own, in order of their files.

    A user's file adds a family. It never replaces one: a family or a model id that is already taken is an
    error that names both files, so that an update of Vidi does not change silently which file is in force.

    Raises:
        ProfileError: A file is unreadable, or takes a name that is taken.
    """
    # What comes with Vidi is held against the schema by its tests, not at every start.
    ours = [(path, _profile(_Table(_read(path)))) for path in _built_in()]
    users = sorted(folder.glob("*.toml")) if folder and folder.is_dir() else ()
    taken: dict[str, Path] = {}
    found: list[Profile] = []
    for path, profile in (*ours, *((path, load_profile(path)) for path in users)):
        for name in (f"family {profile.family}", *(f"model {model.id}" for model in profile.models)):
            if name in taken:
                raise ProfileError(
                    f"{path}: the {name} is already told by {taken[name]}. Choose another name, or remove "
                    "this file."
                )
            taken[name] = path
        found.append(profile)
    return tuple(found)


def load_profile(path: Path) -> Profile:
    """One profile.

    Raises:
        ProfileError: The file is missing, is no TOML, or does not say what a profile must.
    """
    table = _read(path)
    # Loaded here, since only a user's own file needs it.
    advise: Callable[[JsonValue, Mapping[str, JsonValue]], str] = resolve_name("vidi.engines.mismatch:advise")
    if advice := advise(table, _schema()):
        raise ProfileError(f"{path}: {advice}")
    profile = _profile(_Table(table))
    for problem in _problems(profile):
        raise ProfileError(f"{path}: {problem}")
    return profile


def _built_in() -> Sequence[Path]:
    with as_file(files("vidi.engines") / "profiles") as folder:
        return sorted(folder.glob("*.toml"))


def _schema() -> dict[str, JsonValue]:
    text = files("vidi.engines").joinpath("profiles", "profile.schema.json").read_text("utf-8")
    schema: dict[str, JsonValue] = json.loads(text)
    return schema


def _read(path: Path) -> dict[str, JsonValue]:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
        if len(data) > LARGEST_FILE:
            raise ProfileError(f"{path} has more than {LARGEST_FILE} bytes; a profile is a page of TOML.")
        return tomllib.loads(data.decode("utf-8"))
    except OSError as error:
        raise ProfileError(f"{path} cannot be read: {error.strerror}.") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise ProfileError(f"{path} is no TOML in UTF-8: {error}") from error


def _problems(profile: Profile) -> Iterator[str]:
    """What a schema cannot say; each names the key and what it may be."""
    budgets = profile.pictures.budgets
    order = (profile.pictures.min_tokens, budgets.low, budgets.medium, budgets.high, budgets.ultra_high)
    if list(order) != sorted(order):
        yield (
            "pictures: min_tokens and the budgets low, medium, high, ultra_high must not fall; they are "
            f"{', '.join(map(str, order))}."
        )
    if not profile.models and not profile.unserved:
        yield "models: a family without models must say in 'unserved' why no engine runs it."
    yield from _problems_of_models(profile.models)
    if profile.dialect is not None:
        yield from _problems_of_dialect(profile.dialect)
        if profile.dialect.image_tokens > budgets.high:
            yield (
                f"dialect.image_tokens is {profile.dialect.image_tokens}, more than pictures.budgets.high, "
                "which is what a request gets that sets no media resolution."
            )


def _problems_of_models(models: Sequence[Model]) -> Iterator[str]:
    seen: set[str] = set()
    for index, model in enumerate(models):
        at = f"models[{index}]"
        if model.id in seen:
            yield f"{at}.id is {model.id!r}, which another member has already."
        seen.add(model.id)
        if model.id.startswith(RESERVED):
            yield f"{at}.id is {model.id!r}; names that begin with {RESERVED!r} run the default model."
        if model.text.name == model.vision.name:
            yield f"{at}.vision.name is {model.vision.name!r}, which is also the text model's file."


def _problems_of_dialect(dialect: Dialect) -> Iterator[str]:
    prompts = {
        "boxes_prompt": dialect.boxes_prompt,
        "points_prompt": dialect.points_prompt,
        "masks_prompt": dialect.masks_prompt,
    }
    for key, prompt in prompts.items():
        if prompt.count(TARGETS) > 1:
            yield f"dialect.{key} holds {TARGETS} more than once; it may hold it once or not at all."
    if not dialect.boxes_prompt and not dialect.points_prompt:
        yield "dialect needs a boxes_prompt, a points_prompt or both."
    if dialect.masks_prompt and dialect.form is not Form.LOC_TOKENS:
        yield f"dialect.masks_prompt is read where form is {Form.LOC_TOKENS.value} only."
    if 0 < dialect.scale < 1:
        yield f"dialect.scale is {dialect.scale}; it may be 0 for pixels, or 1 or more."
    if dialect.fractions and dialect.scale <= 1:
        yield "dialect.fractions is true; that needs a scale larger than 1."
    keys = (dialect.box_key, dialect.point_key, dialect.label_key)
    if dialect.form is Form.JSON and len(set(keys)) < len(keys):
        yield f"dialect: box_key, point_key and label_key must differ; they are {', '.join(keys)}."


@dataclass(frozen=True, slots=True)
class _Table:
    """A table that has passed the schema; a missing key is the dataclass's own default."""

    values: Mapping[str, JsonValue]

    def has(self, key: str) -> bool:
        return key in self.values

    def text(self, key: str, default: str = "") -> str:
        return str(self.values.get(key, default))

    def number(self, key: str, default: float = 0.0) -> float:
        value = self.values.get(key, default)
        assert isinstance(value, int | float)
        return value

    def whole(self, key: str, default: int = 0) -> int:
        return int(self.number(key, default))

    def table(self, key: str) -> _Table:
        value = self.values.get(key, {})
        assert isinstance(value, dict)
        return _Table(value)

    def tables(self, key: str) -> Iterable[_Table]:
        value = self.values.get(key, [])
        assert isinstance(value, list)
        for each in value:
            assert isinstance(each, dict)
            yield _Table(each)


def _default(kind: type, key: str) -> JsonValue:
    """The default of a dataclass's field, so that it is written down once."""
    value = next(each.default for each in fields(kind) if each.name == key)
    assert value is not MISSING
    assert isinstance(value, str | int | float | bool)
    return value


def _profile(table: _Table) -> Profile:
    return Profile(
        family=table.text("family"),
        display_name=table.text("display_name"),
        good_at=table.text("good_at"),
        bad_at=table.text("bad_at"),
        licence=_licence(table.table("licence")),
        template=_template(table.table("template")),
        pictures=_pictures(table.table("pictures")),
        dialect=_dialect(table.table("dialect")) if table.has("dialect") else None,
        models=tuple(_model(each) for each in table.tables("models")),
        unserved=table.text("unserved"),
        purpose=table.text("purpose"),
    )


def _licence(table: _Table) -> Licence:
    return Licence(name=table.text("name"), url=table.text("url"), limits=table.text("limits"))


def _template(table: _Table) -> Template:
    return Template(
        options=dict(table.table("options").values),
        thinks=Thinks(table.text("thinks", "never")),
        switch=table.text("switch", str(_default(Template, "switch"))),
        think_open=table.text("think_open", str(_default(Template, "think_open"))),
        think_close=table.text("think_close", str(_default(Template, "think_close"))),
        opened=bool(table.values.get("opened", False)),
    )


def _pictures(table: _Table) -> Pictures:
    budgets = table.table("budgets")
    return Pictures(
        token_side=table.whole("token_side"),
        square=table.whole("square"),
        min_tokens=table.whole("min_tokens"),
        budgets=TokenBudgets(
            budgets.whole("low"), budgets.whole("medium"), budgets.whole("high"), budgets.whole("ultra_high")
        ),
    )


def _dialect(table: _Table) -> Dialect:
    scale = table.values.get("scale", _default(Dialect, "scale"))
    assert isinstance(scale, int | float)

    def text(key: str) -> str:
        return table.text(key, str(_default(Dialect, key)))

    return Dialect(
        form=Form(table.text("form")),
        order=Order(table.text("order")),
        scale=scale,
        centred=bool(table.values.get("centred", False)),
        fractions=bool(table.values.get("fractions", False)),
        box_key=text("box_key"),
        point_key=text("point_key"),
        label_key=text("label_key"),
        label_first=bool(table.values.get("label_first", False)),
        boxes_prompt=text("boxes_prompt"),
        points_prompt=text("points_prompt"),
        masks_prompt=text("masks_prompt"),
        everything=text("everything"),
        image_tokens=table.whole("image_tokens"),
        source=text("source"),
    )


def _model(table: _Table) -> Model:
    def whole(key: str) -> int:
        return table.whole(key, int(str(_default(Model, key))))

    return Model(
        id=table.text("id"),
        display_name=table.text("display_name"),
        repository=table.text("repository"),
        revision=table.text("revision", str(_default(Model, "revision"))),
        text=_weights(table.table("text")),
        vision=_weights(table.table("vision")),
        memory=whole("memory"),
        context=whole("context"),
        slots=whole("slots"),
        rank=whole("rank"),
        licence=_licence(table.table("licence")) if table.has("licence") else None,
        parameters=table.number("parameters"),
        active=table.number("active"),
    )


def _weights(table: _Table) -> WeightsFile:
    return WeightsFile(name=table.text("name"), sha256=table.text("sha256"), size=table.whole("size"))
