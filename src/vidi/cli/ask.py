"""`vidi caption`, `ask`, `detect` and `chat`: questions about pictures."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict
from pathlib import Path

import click

from vidi.cli.client import ApiResponse, Client, Exchange, NamedPicture, connect, named_picture
from vidi.cli.drawing import FoundBox, PictureDecoder, draw, parse_boxes, targets
from vidi.cli.options import ClientError, Common, Wishes, answer_options, common_options
from vidi.cli.photos import Photo, expand_photos, photos_argument
from vidi.domain.errors import VidiError

CAPTION = "Caption this image."
DETECT = (
    "Detect the all of the prominent items in the image. "
    "The box_2d should be [ymin, xmin, ymax, xmax] normalized to 0-1000."
)
MASKS = (
    "Give the segmentation masks for {}. Output a JSON list where each entry contains the 2D bounding box in "
    'the key "box_2d", the segmentation mask in key "mask", and the text label in the key "label".'
)
DETECT_NAMED = "Detect {} in the image. The box_2d should be [ymin, xmin, ymax, xmax] normalized to 0-1000."

IN_FLIGHT = 4
"""How many photos are asked about at the same time."""

Show = Callable[[Photo, ApiResponse], Awaitable[None]]


@click.command()
@photos_argument
@common_options
def caption(photos: tuple[str, ...], common: Common) -> None:
    """Say what is in each PHOTO: a file, a folder of pictures, an https address, or - for standard input.

    \b
    vidi caption holiday.jpg
    vidi caption photos/ --json > captions.jsonl
    """
    _each(common, expand_photos(photos), CAPTION, Wishes(common.model))


@click.command()
@click.argument("words", nargs=-1, required=True, type=click.Path(), metavar="PHOTO... QUESTION")
@click.option("--each", is_flag=True, help="Ask about each photo by itself, not about all together.")
@common_options
@answer_options
def ask(words: tuple[str, ...], each: bool, wishes: Wishes, common: Common) -> None:
    """Ask one QUESTION about PHOTOs together: files, folders, https addresses, or - for standard input.

    \b
    vidi ask street.jpg "How many cars are there?"
    vidi ask before.jpg after.jpg "What is different between these two images?"
    vidi ask receipts/ "What is the total?" --each --json
    vidi ask street.jpg "Count them." --schema '{"type":"object","properties":{"cars":{"type":"integer"}}}'
    """
    *names, question = words
    if not names:
        raise click.UsageError(
            'Photos first, then the question: vidi ask photo.jpg "What is it?"'
            + (f" {question} looks like a photo." if Path(question).is_file() else "")
        )
    photos = expand_photos(names)
    if each:
        _each(common, photos, question, wishes)
    try:
        asyncio.run(_together(common, photos, question, wishes))
    except (ClientError, VidiError) as error:
        raise click.ClickException(str(error)) from None


@click.command()
@photos_argument
@click.option(
    "--draw",
    "target",
    type=click.Path(path_type=Path),
    help="Write an annotated PNG; with several photos, a folder of them.",
)
@click.option("--what", default="", metavar="WORDS", help='Only these, as in --what "the dogs and the ball".')
@click.option("--masks", is_flag=True, help="Masks too: drawn, and in the JSON as PNGs in base64.")
@click.option(
    "--opacity", type=click.FloatRange(0, 1), default=0.5, show_default=True, help="Of masks in a drawing."
)
@common_options
def detect(
    photos: tuple[str, ...], target: Path | None, what: str, masks: bool, opacity: float, common: Common
) -> None:
    """Box the objects in each PHOTO: a file, a folder of pictures, an https address, or -.

    Boxes are [ymin, xmin, ymax, xmax] in 0..1000 of the upright picture. A drawing of sign.jpg in a folder is
    called sign.boxes.png, and no photo is ever written over.

    \b
    vidi detect street.jpg --draw boxes.png
    vidi detect photos/ --draw annotated/ --what cars --json
    vidi detect street.jpg --masks --draw masks.png --opacity 0.4
    """
    files = expand_photos(photos)
    drawings = targets(files, target) if target else {}

    async def show(photo: Photo, response: ApiResponse) -> None:
        found = parse_boxes(response.text)
        if photo in drawings:
            async with PictureDecoder.open(common.settings) as decoder:
                await draw(decoder, photo, found, drawings[photo], opacity)
        if common.as_json:
            boxes = [item.as_json() for item in found]
            _print_json({"photo": photo.name, "model": response.model, "objects": boxes})
        else:
            _print_boxes(photo, found, drawings.get(photo), headed=len(files) > 1)

    question = DETECT_NAMED.format(what) if what else DETECT
    question = MASKS.format(what or "all objects") if masks else question
    _each(common, files, question, Wishes(common.model, json_only=True), show)


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


async def _together(common: Common, photos: Sequence[Photo], question: str, wishes: Wishes) -> None:
    exchange = Exchange(question, [await named_picture(photo) for photo in photos])
    async with connect(common.settings, common.server) as client:
        if common.as_json:
            response = await client.ask([exchange], wishes)
            names = [photo.name for photo in photos]
            _print_json({"photos": names, "question": question, **asdict(response)})
            return
        async for piece in client.stream([exchange], wishes):
            click.echo(piece, nl=False)
        click.echo()


def _each(
    common: Common, photos: Sequence[Photo], question: str, wishes: Wishes, show: Show | None = None
) -> None:
    """Ask about each photo, show the answers in order, and exit with 1 if one failed."""

    async def plainly(photo: Photo, response: ApiResponse) -> None:
        if common.as_json:
            _print_json({"photo": photo.name, **asdict(response)})
        else:
            click.echo(response.text if len(photos) == 1 else f"{photo.name}: {response.text}")

    try:
        failed = asyncio.run(_ask_each(common, photos, question, wishes, show or plainly))
    except VidiError as error:
        raise click.ClickException(error.message) from None
    sys.exit(1 if failed else 0)


async def _ask_each(
    common: Common, photos: Sequence[Photo], question: str, wishes: Wishes, show: Show
) -> bool:
    failed = False
    turns = asyncio.Semaphore(IN_FLIGHT)
    async with connect(common.settings, common.server) as client:
        answers = [asyncio.create_task(_ask_one(client, photo, question, wishes, turns)) for photo in photos]
        progress = click.progressbar(
            zip(photos, answers, strict=True),
            length=len(photos),
            file=sys.stderr,
            # Where the answers themselves scroll by, a bar between them would only be in their way.
            hidden=len(photos) == 1 or sys.stdout.isatty() or not sys.stderr.isatty(),
        )
        try:
            with progress as pairs:
                for photo, answer in pairs:
                    failed |= not await _show_answer(photo, answer, show)
        finally:
            for answer in answers:
                answer.cancel()
    return failed


async def _ask_one(
    client: Client, photo: Photo, question: str, wishes: Wishes, turns: asyncio.Semaphore
) -> ApiResponse:
    async with turns:
        picture = NamedPicture(photo.name, await photo.read())
        return await client.ask([Exchange(question, [picture])], wishes)


async def _show_answer(photo: Photo, answer: asyncio.Task[ApiResponse], show: Show) -> bool:
    try:
        await show(photo, await answer)
    except BrokenPipeError:
        # Whoever read our output has gone: click ends the program quietly.
        raise
    except (ClientError, VidiError, OSError) as error:
        click.echo(f"{photo.name}: {error}", err=True)
        return False
    return True


def _print_boxes(photo: Photo, found: list[FoundBox], drawing: Path | None, *, headed: bool) -> None:
    if headed:
        click.secho(photo.name, bold=True)
    width = max((len(item.label) for item in found), default=0)
    for item in found:
        ymin, xmin, ymax, xmax = item.box_2d
        click.echo(f"{item.label:{width}}  [{ymin:4}, {xmin:4}, {ymax:4}, {xmax:4}]")
    if not found:
        click.echo("nothing found")
    if drawing is not None:
        click.echo(f"drawn: {drawing}", err=True)


def _print_json(value: dict[str, object]) -> None:
    click.echo(json.dumps(value, ensure_ascii=False))
