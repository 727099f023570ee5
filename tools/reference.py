"""Writes docs/settings.md, docs/cli.md and docs/errors.md from what the program itself says.

.venv/bin/python tools/reference.py
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_origin

import click
from annotated_types import Ge, Gt, Le
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from vidi.cli.main import main
from vidi.cli.serve import serve
from vidi.domain import errors
from vidi.settings import PREFIX, Settings
from vidi.wire.errors import status_of
from vidi.wire.interaction_encode import encode_interaction_error

DOCS = Path(__file__).parent.parent / "docs"
SOURCE = DOCS.parent / "src" / "vidi"
COMMAND = ".venv/bin/python tools/reference.py"
WRITTEN = f"<!-- written by {COMMAND} -->"
WIDTH = 100

DEPENDS = {
    "data_dir": "the user's data folder",
    "cache_dir": "the user's cache folder",
    "decoders": "cores, at most 4",
    "threads": "cores - 1",
    "memory_bytes": "4 x `max_request_bytes` + 500 MB",
}
"""Defaults that are another on each machine, in words."""

SETTINGS_HEAD = f"""# Settings

{WRITTEN}

A setting is taken from the command line, else from the environment, else from a TOML file, else it has its
default. `--config FILE` or `VIDI_CONFIG` names the file; without them it is `config.toml` in the user's
configuration folder. A wrong name or value ends the program and says which. The flags: [cli.md](cli.md).

```sh
vidi serve --port 9000
VIDI_PORT=9000 vidi serve
echo 'port = 9000' > settings.toml && vidi serve --config settings.toml
```

| in a file | in the environment | flag of `vidi serve` | default | |
|---|---|---|---|---|"""

CLI_HEAD = f"""# Commands

{WRITTEN}

What `vidi COMMAND --help` says. Every setting, with and without a flag: [settings.md](settings.md).

A Tab completes commands, options, their values, file names and the ids of models, once the shell has been
told:

```sh
echo 'eval "$(_VIDI_COMPLETE=bash_source vidi)"' >> ~/.bashrc
echo 'eval "$(_VIDI_COMPLETE=zsh_source vidi)"' >> ~/.zshrc
mkdir -p ~/.config/fish/completions && _VIDI_COMPLETE=fish_source vidi > ~/.config/fish/completions/vidi.fish
```

`vidi caption --model <Tab>` offers the models that can be asked, `vidi pull <Tab>` those that can be fetched.
The first Tab makes a list of all that (`completion.json` in the user's cache folder) and takes as long as a
command takes to load; each later one takes no longer than `vidi --help`. `vidi models`, `vidi models rm` and
`vidi pull` bring the models up to date."""


KINDS = {
    name: kind
    for name, kind in vars(errors).items()
    if inspect.isclass(kind) and issubclass(kind, errors.VidiError) and kind is not errors.VidiError
}
"""Every class of errors by its name."""

TOLD_TO_OPERATORS = (
    "app.py",
    "cli/",
    "engines/lite/catalog.py",
    "engines/lite/weights/",
    "engines/llama/",
    "engines/profile",
    "engines/weights.py",
    "settings.py",
)
"""What these say is read where a command was typed or in the log."""

ERRORS_HEAD = f"""# Errors

{WRITTEN}

An error is `{{"error": {{"code", "message", "status", "details"}}}}` in Google's words where these are
known. `message` says what is wrong and what to change; nothing parses it, and it may change. `details`
hold `fieldViolations` (which field), an `ErrorInfo` with a `reason`, a `RetryInfo` or a `QuotaFailure`.
429 and 503 carry `Retry-After` where waiting helps. In mid-stream an error is a bare JSON line, the one
form that all SDKs raise on. Interactions have an error of their own form
([interactions.md](interactions.md#errors)), with the code of the third column.

| code | status | in interactions | when | what to do |
|---|---|---|---|---|"""

REASONS_HEAD = """
## Reasons

`reason` of the `ErrorInfo`, for programs:

| reason | with |
|---|---|"""

MESSAGES_HEAD = """
## Messages

What the server says, word for word; … stands for what is put in. One that begins with a small letter
comes behind the name of a field. Search this page for yours."""


def settings_page() -> str:
    """docs/settings.md as it must be."""
    rows = [_setting(name, field) for name, field in Settings.model_fields.items()]
    return "\n".join([SETTINGS_HEAD, *rows, ""])


def cli_page() -> str:
    """docs/cli.md as it must be."""
    return "\n".join([CLI_HEAD, *_commands("vidi", main), ""])


def errors_page() -> str:
    """docs/errors.md as it must be."""
    modules = (file for file in sorted(SOURCE.rglob("*.py")) if _answers(file))
    said = sorted({each for file in modules for each in _messages(ast.parse(file.read_text("utf-8")))})
    rows = map(_status_row, KINDS)
    parts = [ERRORS_HEAD, *rows, REASONS_HEAD, *_reasons(said), MESSAGES_HEAD]
    for code, name in sorted(set(map(_named, KINDS))):
        texts = sorted({text for kind, text, _ in said if text and _named(kind) == (code, name)})
        if texts:
            parts += ["", f"### {code} {name}", "", *(f"- {text}" for text in texts)]
    return "\n".join([*parts, ""])


PAGES = {DOCS / "settings.md": settings_page, DOCS / "cli.md": cli_page, DOCS / "errors.md": errors_page}


def _named(kind: str) -> tuple[int, str]:
    """The status under which a class of errors leaves the server: its code and its name."""
    status = status_of(_example(kind))
    return status.code, status.name


def _example(kind: str) -> errors.VidiError:
    """An error of the class, without what some of them take beside a message."""
    example = KINDS[kind].__new__(KINDS[kind])
    errors.VidiError.__init__(example, "")
    return example


def _status_row(kind: str) -> str:
    """What a class of errors is on the wire, when it comes, and what to do."""
    when, _, advice = (inspect.getdoc(KINDS[kind]) or "").partition("\n\n")
    code, name = _named(kind)
    return f"| {code} | `{name}` | `{_interaction_code(kind)}` | {when} | {' '.join(advice.split())} |"


def _interaction_code(kind: str) -> str:
    code = re.search(rb'"code":"(\w+)"', encode_interaction_error(_example(kind)))
    assert code is not None
    return code[1].decode()


def _answers(module: Path) -> bool:
    """Whether what it says can reach a caller of the API, and not only who types a command."""
    return not module.relative_to(SOURCE).as_posix().startswith(TOLD_TO_OPERATORS)


def _messages(tree: ast.AST) -> Iterator[tuple[str, str, str]]:
    """The errors that a module makes with a text of its own: class, text and reason."""
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call):
            continue
        name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
        texts = call.args[1:2] if name in {"fault", "FieldViolation"} else call.args[:1]
        kind = "InvalidRequest" if name in {"fault", "FieldViolation"} else name
        reasons = [key.value for key in call.keywords if key.arg == "reason"]
        reason = reasons[0].value if reasons and isinstance(reasons[0], ast.Constant) else ""
        if kind in KINDS:
            for text in filter(None, map(_in_words, texts)):
                yield kind, text, str(reason)
            if not texts or name == "QuotaExceeded":
                yield kind, "", str(reason)


def _in_words(text: ast.expr) -> str:
    """A text in Markdown, with … for what is put in; "" if it is made elsewhere."""
    match text:
        case ast.Constant(value=str(whole)):
            said = whole
        case ast.JoinedStr(values=values):
            said = "".join(str(each.value) if isinstance(each, ast.Constant) else "…" for each in values)
        case _:
            return ""
    words = " ".join(said.split())
    return re.sub(r"([\\`*_<>\[\]|#])", r"\\\1", words) if re.search(r"\w{3}", words) else ""


def _reasons(said: list[tuple[str, str, str]]) -> Iterator[str]:
    """With which status each reason comes."""
    for reason, (code, name) in sorted({(reason, _named(kind)) for kind, _, reason in said if reason}):
        yield f"| `{reason}` | {code} `{name}` |"


def _setting(name: str, field: FieldInfo) -> str:
    flags = {parameter.name: parameter.opts[0] for parameter in serve.params}
    flag = f"`{flags[name]}`" if name in flags else ""
    about = " ".join(filter(None, [field.description, _range(field)]))
    return f"| `{name}` | `{PREFIX}{name.upper()}` | {flag} | {_default(name, field)} | {about} |"


def _default(name: str, field: FieldInfo) -> str:
    if name in DEPENDS:
        return DEPENDS[name]
    value = field.get_default()
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if value is None:
        return "not set"
    if value in ("", ()):
        return "empty"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _range(field: FieldInfo) -> str:
    """The bounds of a number, in words; nothing for the rest."""
    if get_origin(field.annotation) is not None:
        return ""
    words = [
        f"{word} {bound}"
        for kind, name, word in ((Ge, "ge", "at least"), (Gt, "gt", "more than"), (Le, "le", "at most"))
        for known in field.metadata
        if isinstance(known, kind)
        for bound in [getattr(known, name)]
    ]
    sentence = ", ".join(words)
    return f"{sentence[0].upper()}{sentence[1:]}." if sentence else ""


def _commands(name: str, command: click.Command, parent: click.Context | None = None) -> Iterator[str]:
    """A section for a command and each of those below it."""
    settings = {**command.context_settings, "terminal_width": WIDTH, "max_content_width": WIDTH}
    context = click.Context(command, parent, name, **settings)
    lines = [line.rstrip() for line in command.get_help(context).splitlines()]
    yield "\n".join(["", f"## {context.command_path}", "", "```text", *lines, "```"])
    if isinstance(command, click.Group):
        for below in command.list_commands(context):
            found = command.get_command(context, below)
            assert found is not None
            yield from _commands(below, found, context)


if __name__ == "__main__":
    for file, written in PAGES.items():
        file.write_text(written(), "utf-8")
