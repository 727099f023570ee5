"""`vidi caption`, `ask` and `detect`: questions about pictures on the disk."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path

import click

from vidi.cli.client import ApiResponse, Client, connect
from vidi.cli.drawing import FoundBox, PictureDecoder, draw, parse_boxes, read
from vidi.cli.options import ClientError, Common, common_options, expand_photos, photos_argument
from vidi.domain.errors import VidiError

CAPTION = "Caption this image."
DETECT = (
    "Detect the all of the prominent items in the image. "
    "The box_2d should be [ymin, xmin, ymax, xmax] normalized to 0-1000."
)
DETECT_NAMED = "Detect {} in the image. The box_2d should be [ymin, xmin, ymax, xmax] normalized to 0-1000."

IN_FLIGHT = 4
"""How many photos are asked about at the same time."""

Show = Callable[[Path, ApiResponse], Awaitable[None]]


@click.command()
@photos_argument
@common_options
def caption(photos: tuple[Path, ...], common: Common) -> None:
    """Say what is in each PHOTO; a folder stands for the pictures in it.

    \b
    vidi caption holiday.jpg
    vidi caption photos/ --json > captions.jsonl
    """
    files = expand_photos(photos)

    async def show(file: Path, response: ApiResponse) -> None:
        if common.as_json:
            _print_json({"photo": str(file), **asdict(response)})
        else:
            click.echo(response.text if len(files) == 1 else f"{file}: {response.text}")

    _each(common, files, CAPTION, show)


@click.command()
@click.argument("words", nargs=-1, required=True, metavar="PHOTO... QUESTION")
@common_options
def ask(words: tuple[str, ...], common: Common) -> None:
    """Ask one QUESTION about one or several PHOTOs together.

    \b
    vidi ask street.jpg "How many cars are there?"
    vidi ask before.jpg after.jpg "What is different between these two images?"
    """
    *names, question = words
    files = [Path(name) for name in names]
    missing = [str(file) for file in files if not file.is_file()]
    if not files or missing:
        problem = f"There is no file {missing[0]}. " if missing else ""
        raise click.UsageError(f'{problem}Photos first, then the question: vidi ask photo.jpg "What is it?"')

    async def run() -> ApiResponse:
        async with connect(common.settings, common.server) as client:
            return await client.ask(common.model, [read(file).data for file in files], question)

    try:
        response = asyncio.run(run())
    except (ClientError, VidiError, OSError) as error:
        raise click.ClickException(str(error)) from None
    if common.as_json:
        _print_json({"photos": [str(file) for file in files], "question": question, **asdict(response)})
    else:
        click.echo(response.text)


@click.command()
@photos_argument
@click.option(
    "--draw",
    "target",
    type=click.Path(path_type=Path),
    help="Write an annotated PNG; with several photos, a folder of them.",
)
@click.option("--what", default="", metavar="WORDS", help='Only these, as in --what "the dogs and the ball".')
@common_options
def detect(photos: tuple[Path, ...], target: Path | None, what: str, common: Common) -> None:
    """Box the objects in each PHOTO.

    Boxes are [ymin, xmin, ymax, xmax] in 0..1000 of the upright picture.

    \b
    vidi detect street.jpg --draw boxes.png
    vidi detect photos/ --draw annotated/ --what cars --json
    """
    files = expand_photos(photos)
    drawings = _drawings(files, target)

    async def show(file: Path, response: ApiResponse) -> None:
        found = parse_boxes(response.text)
        if file in drawings:
            async with PictureDecoder.open(common.settings) as decoder:
                await draw(decoder, file, found, drawings[file])
        if common.as_json:
            _print_json(
                {"photo": str(file), "model": response.model, "objects": [asdict(item) for item in found]}
            )
        else:
            _print_boxes(file, found, drawings.get(file), headed=len(files) > 1)

    _each(common, files, DETECT_NAMED.format(what) if what else DETECT, show, json_only=True)


def _each(common: Common, files: list[Path], question: str, show: Show, *, json_only: bool = False) -> None:
    """Ask about each file, show the answers in order, and exit with 1 if one failed."""
    try:
        failed = asyncio.run(_ask_each(common, files, question, show, json_only=json_only))
    except VidiError as error:
        raise click.ClickException(error.message) from None
    sys.exit(1 if failed else 0)


async def _ask_each(common: Common, files: list[Path], question: str, show: Show, *, json_only: bool) -> bool:
    failed = False
    turns = asyncio.Semaphore(IN_FLIGHT)
    async with connect(common.settings, common.server) as client:
        answers = [
            asyncio.create_task(_ask_one(client, common.model, file, question, turns, json_only=json_only))
            for file in files
        ]
        progress = click.progressbar(
            zip(files, answers, strict=True),
            length=len(files),
            file=sys.stderr,
            hidden=len(files) == 1 or not sys.stderr.isatty(),
        )
        try:
            with progress as pairs:
                for file, answer in pairs:
                    failed |= not await _show_answer(file, answer, show)
        finally:
            for answer in answers:
                answer.cancel()
    return failed


async def _ask_one(
    client: Client, model: str, file: Path, question: str, turns: asyncio.Semaphore, *, json_only: bool
) -> ApiResponse:
    async with turns:
        return await client.ask(model, [read(file).data], question, json_only=json_only)


async def _show_answer(file: Path, answer: asyncio.Task[ApiResponse], show: Show) -> bool:
    try:
        await show(file, await answer)
    except BrokenPipeError:
        # Whoever read our output has gone: click ends the program quietly.
        raise
    except (ClientError, VidiError, OSError) as error:
        click.echo(f"{file}: {error}", err=True)
        return False
    return True


def _drawings(files: list[Path], target: Path | None) -> dict[Path, Path]:
    if target is None:
        return {}
    if len(files) == 1 and not target.is_dir():
        return {files[0]: target}
    if target.suffix:
        raise click.UsageError(f"Several photos need a folder for --draw, and {target} looks like a file.")
    return {file: target / f"{file.stem}.png" for file in files}


def _print_boxes(file: Path, found: list[FoundBox], drawing: Path | None, *, headed: bool) -> None:
    if headed:
        click.secho(str(file), bold=True)
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
