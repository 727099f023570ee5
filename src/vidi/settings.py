"""Every setting, in one frozen value: flag over environment over file, checked once at start."""

from __future__ import annotations

import fcntl
import ipaddress
import os
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from platformdirs import user_cache_path, user_config_path, user_data_path
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from vidi.engines.base import Backend
from vidi.http.keys import Key

PREFIX = "VIDI_"
"""A setting `port` is read from the environment as VIDI_PORT."""

SHORTEST_KEY = 16
"""Fewest characters of a key where strangers can try to guess it."""

MEGABYTE = 1_000_000
GIBIBYTE = 1 << 30

YEAR_S = 366 * 24 * 3600
CENTURY_H = 100 * 366 * 24
"""What is longer would be no date any more."""

BESIDE_A_BODY = 500 * MEGABYTE
"""Memory that one request may need beside its body: 192 MB of pictures, and files while they are decoded."""


def _cores() -> int:
    """How many cores this process may use, which a container may make fewer than there are."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


class SettingsError(Exception):
    """A setting is wrong; the text says which, where it came from and what it may be."""


def _comma_separated(value: object) -> object:
    if isinstance(value, str):
        return tuple(item.strip() for item in value.split(",") if item.strip())
    return value


Names = Annotated[tuple[str, ...], BeforeValidator(_comma_separated)]
Networks = Annotated[
    tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...], BeforeValidator(_comma_separated)
]


BACKEND_KEY = PREFIX + "BACKEND_KEY"
"""Variable that holds a backend's key where the settings name no other."""


class BackendSettings(BaseModel):
    """One backend; `vidi.engines.base.Backend` says what each field means."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: Names = Field(min_length=1)
    id: str = Field("", pattern=r"^([a-z0-9][a-z0-9._-]{0,62})?$")
    key_env: str = BACKEND_KEY
    model: str = ""
    profile: str = ""
    slots: int = Field(64, ge=1, le=1024)
    kind: str = "auto"
    affinity_header: str = Field("x-session-id", pattern=r"^[A-Za-z0-9-]*$")

    @field_validator("url")
    @classmethod
    def _check_urls(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        for url in urls:
            try:
                parts = urlsplit(url)
                wrong = parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0
            except ValueError:
                wrong = True
            if wrong or not url.isascii() or parts.query or parts.fragment:
                raise ValueError(f"{url!r} is no address of a server, as http://gpu:8000/v1")
            if parts.username or parts.password:
                raise ValueError("an address holds no password; key_env names the variable for it")
        return urls

    @model_validator(mode="after")
    def _check_key(self) -> Self:
        if self.key_env != BACKEND_KEY and self.key_env not in os.environ:
            raise ValueError(f"key_env names {self.key_env}, which is not set")
        return self

    def backend(self) -> Backend:
        """The backend, with its key out of the environment."""
        told = self.model_dump(exclude={"url", "key_env"})
        return Backend(self.url, key=os.environ.get(self.key_env, ""), **told)


def _as_backends(value: object) -> object:
    """A URL, or several with commas between them, is one backend."""
    if isinstance(value, str):
        return ({"url": value},) if value.strip() else ()
    return (value,) if isinstance(value, dict) else value


class Settings(BaseModel):
    """What the owner of the server may choose."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    host: str = Field("127.0.0.1", description="Address to listen on; other than loopback needs api_keys.")
    port: int = Field(8484, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    model: str = Field("", description="Default model; empty takes the best one on the disk.")
    api_keys: Names = Field((), description="Keys that callers must show, separated by commas; none: open.")
    keys_file: Path | None = Field(
        None, description="Named keys, as `vidi keys` writes them; not set: keys.json in the data folder."
    )
    allowed_hosts: Names = Field(
        (), description="Host names under which an open server may be called, beside loopback's."
    )
    backend: Annotated[tuple[BackendSettings, ...], BeforeValidator(_as_backends)] = Field(
        (),
        description="Server elsewhere that runs models, as http://gpu:8000/v1; several with commas are "
        "copies of one. Its key: VIDI_BACKEND_KEY. More in a file: docs/backends.md.",
    )
    trusted_proxies: Networks = Field(
        (),
        description="Addresses or networks of the reverse proxies whose X-Forwarded-* headers are believed.",
    )
    data_dir: Path = Field(
        default_factory=lambda: user_data_path("vidi"), description="Where uploaded files live."
    )
    cache_dir: Path = Field(
        default_factory=lambda: user_cache_path("vidi"), description="Where weights live; may be deleted."
    )
    weights_mirror: str = Field(
        "",
        pattern=r"^(https?://\S+)?$",
        description="Web folder with vidi-lite's nanodet.json and nanodet.bin: 8 MB, not npm's 144.",
    )
    max_request_bytes: int = Field(
        100 * MEGABYTE, ge=1000, description="Largest request body, after decompression, in bytes."
    )
    memory_bytes: int = Field(
        default_factory=lambda given: 4 * given["max_request_bytes"] + BESIDE_A_BODY,
        ge=0,
        description="Most memory in bytes that all requests together may hold: bodies, files that are read, "
        "pictures, interactions.",
    )
    max_images: int = Field(3600, ge=1, description="Most pictures in one request.")
    allow_urls: bool | None = Field(
        None,
        description="Whether pictures are fetched from https addresses that requests name; "
        "if not said, only by a server without api_keys on loopback.",
    )
    max_image_pixels: int = Field(
        64 * 2**20,
        ge=1,
        description="Largest picture, by the width and height in its header; "
        "four times as many for a JPEG in one scan.",
    )
    decoders: int = Field(
        default_factory=lambda: min(4, _cores()),
        ge=1,
        le=64,
        description="Processes that decode pictures.",
    )
    decode_seconds: float = Field(
        10.0, gt=0, le=YEAR_S, description="How long one picture may take to decode."
    )
    threads: int = Field(
        default_factory=lambda: max(1, _cores() - 1),
        ge=1,
        description="Threads that one answer may keep busy; vidi-lite answers one more at the same time.",
    )
    file_hours: float = Field(
        48.0, gt=0, le=CENTURY_H, description="How long an uploaded file or an interaction is kept."
    )
    max_file_bytes: int = Field(2 * GIBIBYTE, ge=0, description="Largest uploaded file in bytes.")
    max_storage_bytes: int = Field(
        20 * GIBIBYTE, ge=0, description="Most bytes of all uploaded files together."
    )
    queue: int = Field(64, ge=0, description="How many prompts may wait for a model; one more gets 503.")
    grounding: bool = Field(
        True,
        description="Whether boxes and points are asked for in the model's own way, and masks made of boxes.",
    )
    segmenter: str = Field(
        "colour", description="Who makes masks of boxes: `colour` is built in, packages may bring others."
    )
    answer_cache_bytes: int = Field(
        32 * MEGABYTE,
        ge=0,
        description="Room for answers to give again at temperature 0 or with a seed; 0: off.",
    )
    log_format: Literal["text", "json"] = Field(
        "text", description="How log lines look; `json` has one a request, `text` with --verbose only."
    )
    open_monitoring: bool = Field(
        False, description="Whether /health, /ready and /metrics need no key from other machines either."
    )
    traces_url: str = Field(
        "", description="OpenTelemetry collector, as http://127.0.0.1:4318/v1/traces; empty: no traces."
    )
    database_url: SecretStr = Field(
        SecretStr(""),
        description="PostgreSQL that several servers share, as postgresql://user:password@host/database; "
        "empty keeps everything in data_dir, for one server. Needs blob_url.",
    )
    blob_url: str = Field(
        "",
        description="Where servers with a database_url keep the bytes of files: s3://bucket/prefix. "
        "AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID and so on are read as the AWS tools read them.",
    )
    blob_cache_bytes: int = Field(
        GIBIBYTE, ge=0, description="Room in data_dir for copies of files that lie at blob_url; 0: off."
    )
    request_seconds: float = Field(
        600.0, gt=0, le=YEAR_S, description="How long one request may take in all."
    )
    drain_seconds: float = Field(
        30.0, ge=0, le=YEAR_S, description="How long running answers may take to end after Ctrl-C or SIGTERM."
    )

    @model_validator(mode="after")
    def _check_open_server(self) -> Self:
        if not self.locked and not is_loopback(self.host):
            raise ValueError(
                f"host {self.host} can be reached by others, so there must be keys: `vidi keys add NAME`, or "
                f"{PREFIX}API_KEYS=some-long-secret. Or keep the host at 127.0.0.1"
            )
        return self

    @model_validator(mode="after")
    def _check_shared_storage(self) -> Self:
        if bool(self.database_url.get_secret_value()) != bool(self.blob_url):
            raise ValueError("database_url and blob_url go together: set both, or neither")
        return self

    @model_validator(mode="after")
    def _check_memory(self) -> Self:
        least = self.max_request_bytes + BESIDE_A_BODY
        if self.memory_bytes < least:
            raise ValueError(f"memory_bytes must be {least} or more, so that the largest request fits")
        return self

    @model_validator(mode="after")
    def _check_short_keys(self) -> Self:
        reachable = not is_loopback(self.host) or self.trusted_proxies
        if reachable and any(len(key) < SHORTEST_KEY for key in self.api_keys):
            raise ValueError(
                f"api_keys: strangers can reach this server, so a key has {SHORTEST_KEY} characters or more; "
                "`openssl rand -hex 24` makes a good one"
            )
        return self

    @property
    def urls_allowed(self) -> bool:
        """Whether https pictures are fetched: as chosen, else where no stranger can ask for them."""
        if self.allow_urls is not None:
            return self.allow_urls
        return not self.locked and is_loopback(self.host)

    @property
    def keys_path(self) -> Path:
        """Where the named keys are."""
        return self.keys_file or self.data_dir / "keys.json"

    @property
    def locked(self) -> bool:
        """Whether callers need keys: some are set, or a file of them is named or there, even an empty one.

        A link that leads nowhere counts as there: what it should lead to may be mounted late.
        """
        return bool(self.api_keys) or self.keys_file is not None or os.path.lexists(self.keys_path)


def _checked_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", name):
        raise ValueError("a key's name is 1 to 63 letters, digits, dots, dashes or underscores")
    return name


class NamedKey(BaseModel):
    """One key of the file; see `http.keys.Key` for what each limit means."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, AfterValidator(_checked_name)]
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    requests_per_minute: int | None = Field(None, ge=1, le=100_000)
    tokens_per_day: int | None = Field(None, ge=1)
    stored_bytes: int | None = Field(None, ge=0)
    models: tuple[str, ...] = ()
    expires: AwareDatetime | None = None

    def key(self) -> Key:
        """As the server takes it. The owner is made from the name, in a form that no digest has."""
        return Key(owner=f"name:{self.name}", **self.model_dump())


class KeysFile(BaseModel):
    """All named keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    keys: tuple[NamedKey, ...] = ()

    @model_validator(mode="after")
    def _check_twins(self) -> Self:
        for values in ([key.name for key in self.keys], [key.sha256 for key in self.keys]):
            if twins := sorted(value for value, count in Counter(values).items() if count > 1):
                raise ValueError(f"there is more than one key {twins[0]}")
        return self


def read_keys_file(path: Path) -> KeysFile:
    """The named keys; none if there is no file.

    Raises:
        SettingsError: It cannot be read, or something in it is wrong.
    """
    try:
        return KeysFile.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return KeysFile()
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from None
    except ValidationError as error:
        raise SettingsError(f"{path}: {_problems(error)}") from None


def change_keys_file(path: Path, change: Callable[[KeysFile], KeysFile]) -> None:
    """Replace the file by what `change` makes of it, all at once; only its owner may read it.

    Raises:
        SettingsError: It cannot be read or written, or the new one is wrong.
        What `change` raises; then all stays as it was.
    """
    text = path.with_name(path.name + ".new")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            new = change(read_keys_file(path)).model_dump_json(indent=2, exclude_defaults=True)
            text.touch(mode=0o600)
            with text.open("w", encoding="utf-8") as file:
                file.write(new + "\n")
                file.flush()
                os.fsync(file.fileno())
            text.replace(path)
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from None
    except ValidationError as error:
        raise SettingsError(_problems(error).removeprefix("settings: ")) from None


def server_keys(settings: Settings) -> list[Key] | None:
    """All keys that open the server; None for an open one.

    Raises:
        SettingsError: As `read_keys_file`.
    """
    if not settings.locked:
        return None
    named = [each.key() for each in read_keys_file(settings.keys_path).keys]
    return [*map(Key.of_secret, settings.api_keys), *named]


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def ollama_folders() -> tuple[Path, ...]:
    """Where Ollama may keep its models: as OLLAMA_MODELS says, else the user's folder and the service's."""
    chosen = os.environ.get("OLLAMA_MODELS")
    if chosen:
        return (Path(chosen),)
    return (Path.home() / ".ollama" / "models", Path("/usr/share/ollama/.ollama/models"))


def lm_studio_folders() -> tuple[Path, ...]:
    """Where LM Studio may keep its models: its folder of today, and that of before 2025."""
    return (Path.home() / ".lmstudio" / "models", Path.home() / ".cache" / "lm-studio" / "models")


CHILD_VARIABLES = re.compile(
    r"PATH|HOME|TMPDIR|LANG|LC_\w+|TZ|PYTHON\w+|LD_LIBRARY_PATH|VIRTUAL_ENV|COVERAGE_\w+"
    r"|(CUDA|NVIDIA|HIP|HSA|ROCR|GGML|OMP|VK|MESA)_\w+"
)
"""Names that a program needs to run at all, that tell where libraries lie, or that choose a graphics card."""


def child_environment() -> dict[str, str]:
    """What processes for decoders and models get of this process's environment: no keys and no tokens."""
    return {name: value for name, value in os.environ.items() if CHILD_VARIABLES.fullmatch(name)}


def load(flags: Mapping[str, object], config: Path | None = None) -> Settings:
    """Read the settings: `flags` (None values are absent) over the environment over the file.

    Args:
        flags: Values from the command line by setting name.
        config: A TOML file; None takes config.toml in the user's configuration folder, if it is there.

    Raises:
        SettingsError: A value or a name is wrong, or the named file cannot be read.
    """
    chosen: dict[str, object] = {
        **_from_file(config or _from_environment().get("config")),
        **{name: value for name, value in _from_environment().items() if name != "config"},
        **{name: value for name, value in flags.items() if value is not None},
    }
    try:
        return Settings.model_validate(chosen)
    except ValidationError as error:
        raise SettingsError(_problems(error)) from None


def _problems(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(str(step) for step in problem['loc']) or 'settings'}: "
        f"{problem['msg'].removeprefix('Value error, ')}"
        for problem in error.errors()
    )


def _from_environment() -> dict[str, str]:
    names = {PREFIX + name.upper(): name for name in (*Settings.model_fields, "config")}
    return {names[key]: value for key, value in os.environ.items() if key in names and value != ""}


def _from_file(path: Path | str | None) -> dict[str, object]:
    default = user_config_path("vidi") / "config.toml"
    if path is None and not default.exists():
        return {}
    file = Path(path) if path is not None else default
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except RecursionError:
        raise SettingsError(f"{file}: it is nested too deeply") from None
    except (OSError, ValueError) as error:
        raise SettingsError(f"{file}: {error}") from None
