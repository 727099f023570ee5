"""Writes docs/settings.md and docs/cli.md from the settings and from the commands' own help.

.venv/bin/python tools/reference.py
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import get_origin

import click
from annotated_types import Ge, Gt, Le
from pydantic.fields import FieldInfo

from vidi.cli.main import main
from vidi.cli.serve import serve
from vidi.settings import PREFIX, Settings

DOCS = Path(__file__).parent.parent / "docs"
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

```
vidi serve --port 9000
VIDI_PORT=9000 vidi serve
echo 'port = 9000' > settings.toml && vidi serve --config settings.toml
```

| in a file | in the environment | flag of `vidi serve` | default | |
|---|---|---|---|---|"""

CLI_HEAD = f"""# Commands

{WRITTEN}

What `vidi COMMAND --help` says. Every setting, with and without a flag: [settings.md](settings.md).

A Tab completes commands, options, their values, file names and the ids of models, once the shell has been told:

```
echo 'eval "$(_VIDI_COMPLETE=bash_source vidi)"' >> ~/.bashrc
echo 'eval "$(_VIDI_COMPLETE=zsh_source vidi)"' >> ~/.zshrc
_VIDI_COMPLETE=fish_source vidi > ~/.config/fish/completions/vidi.fish
```

`vidi caption --model <Tab>` offers the models that can be asked, `vidi pull <Tab>` those that can be fetched. The first Tab
makes a list of all that (`completion.json` in the user's cache folder) and takes as long as a command takes to load; each
later one takes no longer than `vidi --help`. `vidi models`, `vidi models rm` and `vidi pull` bring the models up to date."""


def settings_page() -> str:
    """docs/settings.md as it must be."""
    rows = [_setting(name, field) for name, field in Settings.model_fields.items()]
    return "\n".join([SETTINGS_HEAD, *rows, ""])


def cli_page() -> str:
    """docs/cli.md as it must be."""
    return "\n".join([CLI_HEAD, *_commands("vidi", main), ""])


PAGES = {DOCS / "settings.md": settings_page, DOCS / "cli.md": cli_page}


def _setting(name: str, field: FieldInfo) -> str:
    flags = {parameter.name: parameter.opts[0] for parameter in serve.params}
    flag = f"`{flags[name]}`" if name in flags else ""
    about = " ".join(filter(None, [field.description, _range(field)]))
    return f"| `{name}` | `{PREFIX}{name.upper()}` | {flag} | {_default(name, field)} | {about} |"


def _default(name: str, field: FieldInfo) -> str:
    if name in DEPENDS:
        return DEPENDS[name]
    value = field.get_default()
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
    yield "\n".join(["", f"## {context.command_path}", "", "```", *lines, "```"])
    if isinstance(command, click.Group):
        for below in command.list_commands(context):
            found = command.get_command(context, below)
            assert found is not None
            yield from _commands(below, found, context)


if __name__ == "__main__":
    for file, written in PAGES.items():
        file.write_text(written(), "utf-8")
