"""`vidi`: the commands by name, each loaded when it is called."""

from __future__ import annotations

import difflib
import os
import pkgutil
import signal
import sys
import threading
from collections.abc import Mapping

import click
from click.shell_completion import CompletionItem
from typing_extensions import override

from vidi import __version__
from vidi.cli import COMMANDS, INTERRUPTED, leave_quietly
from vidi.cli.completion import stand_in


class LazyGroup(click.Group):
    """A group that knows its commands by name, and imports the one that is called."""

    def __init__(self, *, lazy: Mapping[str, tuple[str, str]], **settings: object) -> None:
        """Take the commands: name -> (where it lies, as module:attribute; what it is for)."""
        super().__init__(**settings)  # type: ignore[arg-type]  # what click's decorator collects
        self._lazy = lazy

    @override
    def invoke(self, ctx: click.Context) -> object:
        """As click does, but Ctrl-C needs no comment."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            if any(thread.daemon for thread in threading.enumerate()):
                # An engine's, at work in native code: the interpreter's own end would abort it, and itself.
                sys.stdout.flush()
                os._exit(INTERRUPTED)
            ctx.exit(INTERRUPTED)

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every name, sorted."""
        return sorted(self._lazy)

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, loaded, or to be completed only; None if there is none."""
        if cmd_name not in self._lazy:
            return None
        if ctx.resilient_parsing:
            return stand_in(cmd_name, {name: place for name, (place, _) in self._lazy.items()})
        command: click.Command = pkgutil.resolve_name(self._lazy[cmd_name][0])
        if signal.getsignal(signal.SIGINT) is leave_quietly:
            # From here on there may be something to end, and something to say.
            signal.signal(signal.SIGINT, signal.default_int_handler)
        return command

    @override
    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The names that may be meant; options are completed as click does."""
        names = [name for name in self.list_commands(ctx) if name.startswith(incomplete)]
        if not incomplete.startswith("-"):
            return [CompletionItem(name, help=self._lazy[name][1]) for name in names]
        return click.Command.shell_complete(self, ctx, incomplete)

    @override
    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, but a name that is nearly right gets a hint."""
        mistyped = args and not args[0].startswith("-") and args[0] not in self._lazy
        if mistyped and not ctx.resilient_parsing:
            near = difflib.get_close_matches(args[0], self._lazy, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise click.UsageError(f"There is no command {args[0]!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)

    @override
    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from the table, so that none is loaded."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, self._lazy[name][1]) for name in self.list_commands(ctx)])


@click.group(
    cls=LazyGroup,
    lazy=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="vidi")
def main() -> None:
    """Google's Gemini API for image understanding, served from this machine.

    \b
    Look at a picture now:
      vidi caption photo.jpg
      vidi ask photo.jpg "How many people are there?"
      vidi detect photo.jpg --draw boxes.png
      vidi chat photo.jpg
    With a larger model, on a machine that reaches a model hub:
      vidi models --all
      vidi pull gemma-4-e2b
      vidi ask photo.jpg "What happens here?" --model gemma-4-e2b
    Serve the API:
      vidi serve
    In another terminal, point code written for Gemini at it:
      export GOOGLE_GEMINI_BASE_URL=http://127.0.0.1:8484 GEMINI_API_KEY=any

    Every setting can also be given in the environment (VIDI_PORT=9000) or in a TOML file (--config).
    """


if __name__ == "__main__":
    sys.exit(main())
