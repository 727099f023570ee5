"""What the servers that run models are like: a kind is a TOML file in `kinds/`, and no code.

Which server a backend is, what its request fields are called, and what its errors mean to a caller.
"""

from __future__ import annotations

import logging
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from http import HTTPStatus
from importlib.resources import files

from vidi.domain.errors import Internal, InvalidImage, InvalidRequest, Unavailable, VidiError
from vidi.domain.schema import JsonValue
from vidi.engines.chat.response import BackendFailure

log = logging.getLogger(__name__)

AUTO = "auto"
"""The kind that is found out."""

PLAIN = "openai"
"""The kind of a server that cannot be told."""

RETRY_SECONDS = 2.0
"""What a caller is told to wait for a backend that is busy or away."""


class Counting(Enum):
    """How a server tells what a prompt takes."""

    INPUT_TOKENS = "input_tokens"
    """`POST /v1/chat/completions/input_tokens`"""
    TOKENIZE = "tokenize"
    """`POST /tokenize`"""
    USAGE = "usage"
    """Only as the usage of an answer."""


class Listing(Enum):
    """How a server lists its models and tells their limits."""

    OPENAI = "openai"
    """`GET /v1/models`, with `max_model_len`, or `meta.n_ctx`"""
    OLLAMA = "ollama"
    """`GET /v1/models`, `POST /api/show` for each, and `GET /api/ps`"""
    LM_STUDIO = "lm-studio"
    """`GET /api/v1/models`"""


class Switch(Enum):
    """How a server is told to think or not."""

    TEMPLATE = "template"
    """By arguments of the model's chat template."""
    EFFORT = "effort"
    """By `reasoning_effort`, or `think` in Ollama's own chat."""
    NONE = "none"
    """Not at all."""


@dataclass(frozen=True, slots=True)
class ServerKind:
    """One kind of server.

    Attributes:
        id: Name of its file.
        title: For people.
        health: What is asked to see whether it is there.
        count: How it tells what a prompt takes.
        thinking: How it is told to think or not.
        listing: How it lists its models.
        owned_by: What its list of models says; "" if nothing that tells it apart.
        probe, probe_key: A path that answers with an object that has that member; "" if there is none.
        grammar: The field that takes a grammar, with dots between levels; "" if it takes only a JSON Schema.
        thoughts_in_grammar: Whether the grammar is held against thoughts too.
        json_object: Whether it can be asked for JSON of any shape; else that is checked only.
        picture_key: The field of a picture that takes a name to cache it by; "" if there is none.
        native_chat: Whether it is spoken to in Ollama's own protocol.
        always: Fields of every request.
    """

    id: str
    title: str
    health: str
    count: Counting
    thinking: Switch
    listing: Listing = Listing.OPENAI
    owned_by: str = ""
    probe: str = ""
    probe_key: str = ""
    grammar: str = ""
    thoughts_in_grammar: bool = False
    json_object: bool = True
    picture_key: str = ""
    native_chat: bool = False
    always: Mapping[str, JsonValue] = field(default_factory=dict)

    def with_grammar(self, grammar: str) -> dict[str, JsonValue]:
        """The field that holds an answer to a grammar."""
        outer, _, inner = self.grammar.partition(".")
        return {outer: {inner: grammar} if inner else grammar}


def load_kinds() -> dict[str, ServerKind]:
    """Every kind, by id."""
    found = {}
    for file in (files("vidi.engines") / "remote" / "kinds").iterdir():
        table = tomllib.loads(file.read_text("utf-8"))
        enums = {
            "count": Counting(table["count"]),
            "thinking": Switch(table["thinking"]),
            "listing": Listing(table.get("listing", "openai")),
        }
        name = file.name.removesuffix(".toml")
        found[name] = ServerKind(**{**table, **enums, "id": name})
    return dict(sorted(found.items()))


_REFUSED = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
)
_TOO_LONG = re.compile(
    r"longer than the model's context|maximum context length|exceeds? the (available )?context|"
    r"context (length|window|size)",
    re.IGNORECASE,
)
_TOO_MANY_PICTURES = re.compile(r"at most (\d+) image", re.IGNORECASE)
_PICTURE = re.compile(r"image|picture|multimodal|Processor", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Failures:
    """What a caller is told of a server's errors: never in the server's own words, which hold paths and code.

    The log says more, with the id under which the server knows the request.

    Attributes:
        name: The server, for the log.
        limit: Longest prompt in tokens.
    """

    name: str
    limit: int

    def explain(self, error: JsonValue) -> VidiError:
        """The error for the fields of one that a server sent, of a refusal with its `status`."""
        fields = error if isinstance(error, dict) else {}
        status = fields.get("status", fields.get("code"))
        code = int(status) if isinstance(status, int) else HTTPStatus.INTERNAL_SERVER_ERROR
        message = str(fields.get("message") or fields.get("detail") or "")[:500]
        log.warning("%s answered %d: %s", self.name, code, message)
        if code in _REFUSED:
            return self._refused(fields, message)
        if code in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS):
            return Unavailable(
                "The model's server is busy or still loading. Please try again later.",
                retry_after=RETRY_SECONDS,
            )
        if code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return BackendFailure(
                "The model's server failed over this request. Please try again.", retry_after=RETRY_SECONDS
            )
        return self._misconfigured(code)

    def _refused(self, fields: dict[str, JsonValue], message: str) -> VidiError:
        if fields.get("type") == "exceed_context_size_error" or _TOO_LONG.search(message):
            return self._too_long(fields, message)
        many = _TOO_MANY_PICTURES.search(message)
        if many:
            return InvalidRequest(f"This model takes at most {many[1]} pictures in one request. Send fewer.")
        if _PICTURE.search(message):
            return InvalidImage("Unable to process input image. The model's server cannot read it.")
        return Internal("The model's server refused this request. The server's log says more.")

    def _too_long(self, fields: dict[str, JsonValue], message: str) -> VidiError:
        """Google's sentence, with both numbers where they are known."""
        told = fields.get("n_prompt_tokens")
        numbers = [told] if isinstance(told, int) else [int(each) for each in re.findall(r"\d+", message)]
        count = next((f" ({each})" for each in numbers if each > self.limit), "")
        return InvalidRequest(
            f"The input token count{count} exceeds the maximum number of tokens allowed ({self.limit})."
        )

    def _misconfigured(self, code: int) -> VidiError:
        """What only the operator can mend."""
        match code:
            case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
                log.error("%s refuses the key that it is shown: set the one in key_env", self.name)
            case HTTPStatus.NOT_FOUND:
                log.error("%s does not know the model, or the path: is its address right?", self.name)
                return Unavailable(
                    "The model's server does not offer this model now. Please try again later.",
                    retry_after=RETRY_SECONDS,
                )
            case _ if 300 <= code < 400:
                log.error("%s sends on to another address: give that one", self.name)
        return Internal("The model's server refuses this server. The log says more.")
