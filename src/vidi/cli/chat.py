"""`vidi chat`: a conversation about pictures on the terminal."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack

import click

from vidi.cli.client import Client, Exchange, connect, named_picture
from vidi.cli.options import ClientError, Common, Wishes, answer_options, common_options
from vidi.cli.photos import Photo, expand_photos, photos_argument
from vidi.domain.errors import VidiError


@click.command()
@photos_argument
@common_options
@answer_options
def chat(photos: tuple[str, ...], wishes: Wishes, common: Common) -> None:
    """Talk about PHOTOs: each line is a question, and earlier ones are remembered.

    Ctrl-C stops an answer, or ends the conversation where a question is awaited; so does Ctrl-D.

    \b
    vidi chat street.jpg
    """
    opened = AsyncExitStack()
    # The loop runs while an answer is made, not while a person thinks: input() is read by this thread.
    with asyncio.Runner() as runner:
        try:
            client = runner.run(opened.enter_async_context(connect(common.settings, common.server)))
            _talk(runner, client, expand_photos(photos), wishes)
        except (ClientError, VidiError) as error:
            raise click.ClickException(str(error)) from None
        finally:
            runner.run(opened.aclose())


def _talk(runner: asyncio.Runner, client: Client, photos: Sequence[Photo], wishes: Wishes) -> None:
    pictures = [runner.run(named_picture(photo)) for photo in photos]
    past: list[Exchange] = []
    while True:
        try:
            question = input("> ").strip()
        except (EOFError, KeyboardInterrupt):
            click.echo()
            return
        if not question:
            continue
        asked = Exchange(question, () if past else pictures)
        try:
            answer = runner.run(_answer(client, [*past, asked], wishes))
        except KeyboardInterrupt:
            click.echo(" (stopped)")
            continue
        except ClientError as error:
            click.secho(str(error), fg="red", err=True)
            continue
        past.append(Exchange(asked.text, asked.pictures, answer))


async def _answer(client: Client, conversation: Sequence[Exchange], wishes: Wishes) -> str:
    pieces: list[str] = []
    async for piece in client.stream(conversation, wishes):
        click.echo(piece, nl=False)
        pieces.append(piece)
    click.echo()
    return "".join(pieces)
