"""How well a model answers: boxes, captions, questions, JSON and honesty over annotated photographs.

Run from the repository root; `bench/README.md` says what each figure means:

    python -m bench.quality --annotations annotations.json --photos photos/ --questions bench/questions.toml

Everything is asked through the public surface: the Gemini API over HTTP, by the official SDK.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from bench.answers import Verdict
from bench.asking import Ask, Asker, NoServer, Reply, serving
from bench.bank import bank
from bench.dataset import Photo, Question, load_photos, load_questions
from bench.folds import (
    DRAWINGS,
    Trials,
    boxes_by_threshold,
    captions,
    chosen,
    chosen_elsewhere,
    curve_lines,
    curves,
    folds,
    in_short,
    in_words,
    judged_together,
    marked,
    other_drawings,
    question_curves,
    spread,
)
from bench.inside import Inside
from bench.masks import mask_lines
from bench.phrasing import phrasings
from bench.report import Judged, as_json, by_fold, judged, report, table
from bench.vocabulary import Vocabulary

CAPTION = "Caption this image."
LIST = "What is in this picture?"
# The guide's own words.
DETECT = (
    "Detect the all of the prominent items in the image. "
    "The box_2d should be [ymin, xmin, ymax, xmax] normalized to 0-1000."
)
DESCRIBE = "Describe this picture."


class Item(BaseModel):
    """A kind of object in `Scene`."""

    model_config = ConfigDict(strict=True)
    label: str
    count: int


class Scene(BaseModel):
    """The shape asked for with `DESCRIBE`: what a schema usually holds."""

    model_config = ConfigDict(strict=True)
    caption: str
    place: Literal["indoors", "outdoors", "unknown"]
    has_people: bool
    main_colour: str | None
    items: list[Item]


def photo_asks(photos: Iterable[Photo], *, shaped: bool = True) -> list[Ask]:
    """The requests about each photograph: four, or three where none has a schema."""
    return [
        ask
        for photo in photos
        for ask in (
            Ask("caption", (photo.file,), CAPTION),
            Ask("list", (photo.file,), LIST),
            Ask("detect", (photo.file,), DETECT, json_wanted=True),
            Ask("structured", (photo.file,), DESCRIBE, json_wanted=True, schema=Scene),
        )
        if shaped or ask.schema is None
    ]


def question_ask(question: Question) -> Ask:
    """The request that a question makes."""
    return Ask("question", question.photos, question.ask, json_wanted=question.json_wanted)


def run(
    photos: Sequence[Photo],
    questions: Sequence[Question],
    ask: Callable[[Ask], Reply],
    *,
    shaped: bool = True,
) -> tuple[list[Reply], list[Judged]]:
    """Ask everything, photographs first, with a line of progress on stderr."""
    asks = [*photo_asks(photos, shaped=shaped), *map(question_ask, questions)]
    replies = list(_with_progress(map(ask, asks), len(asks)))
    about_questions = replies[len(asks) - len(questions) :]
    answers = [judged(question, reply) for question, reply in zip(questions, about_questions, strict=True)]
    return replies[: len(asks) - len(questions)], answers


def _with_progress(replies: Iterable[Reply], total: int) -> Iterator[Reply]:
    for number, reply in enumerate(replies, start=1):
        yield reply
        what = f"{number}/{total} {reply.ask.kind} {' '.join(reply.ask.photos)}"
        print(f"\r\x1b[K{what}" if sys.stderr.isatty() else what, end="", file=sys.stderr, flush=True)
        if reply.error or not sys.stderr.isatty():
            print(f" {reply.error}", file=sys.stderr)
    print(file=sys.stderr)


def write_answers(path: Path, replies: Iterable[Reply], answers: Iterable[Judged]) -> None:
    """Write every answer as a line of JSON, to read beside the photographs."""
    lines = [_line(reply, None) for reply in replies] + [_line(one.reply, one.verdict) for one in answers]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _line(reply: Reply, verdict: Verdict | None) -> str:
    fields = {
        "kind": reply.ask.kind,
        "photos": reply.ask.photos,
        "prompt": reply.ask.prompt,
        "answer": reply.text,
        "right": verdict and verdict.right,
        "cant_tell": verdict and verdict.cant_tell,
        "milliseconds": round(reply.milliseconds, 1),
        "error": reply.error,
    }
    return json.dumps(fields, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Options:
    """The command line, checked."""

    annotations: Path
    captions: Path | None
    photos: Path
    questions: Path | None
    server: str | None
    model: str
    limit: int | None
    answers: Path | None
    json: bool
    bank: bool
    language: list[str]
    again: bool
    inside: Path | None
    curves: bool


def parse(arguments: Sequence[str] | None) -> Options:
    """Read the command line; ends the program on a wrong one."""
    parser = argparse.ArgumentParser(prog="python -m bench.quality", description=__doc__.split("\n")[0])
    add = parser.add_argument
    add("--annotations", type=Path, required=True, help="COCO instances JSON, or the simple form")
    add("--captions", type=Path, help="COCO captions JSON for the same photographs")
    add("--photos", type=Path, required=True, help="the folder that holds the photographs")
    add("--questions", type=Path, help="TOML or JSON, as bench/questions.toml")
    add("--server", help="URL of a running server; without it one is started")
    add("--model", default="vidi-lite")
    add("--limit", type=int, help="only so many photographs, and the questions about them")
    add("--answers", type=Path, help="write every answer to this file, a line of JSON each")
    add("--json", action="store_true", help="print the figures as JSON instead of a table")
    add("--bank", action="store_true", help="ask the questions that annotations and captions answer too")
    add(
        "--language",
        action="append",
        choices=list(phrasings()),
        help="in which the bank asks [en]; may be repeated",
    )
    add("--again", action="store_true", help="the bank asks in other words")
    add("--inside", type=Path, metavar="DIR", help="vidi-lite in this process, looks kept in DIR")
    add(
        "--curves",
        action="store_true",
        help="with --inside: what captions and answers are worth by each constant",
    )
    given = vars(parser.parse_args(arguments))
    return Options(**{**given, "language": given["language"] or ["en"]})


def _load(options: Options) -> tuple[list[Photo], list[Question]]:
    """The photographs that are in the folder, and the questions about them alone."""
    annotated = load_photos(options.annotations, options.captions)
    photos = [photo for photo in annotated if (options.photos / photo.file).is_file()]
    missing = len(annotated) - len(photos)
    if missing:
        print(f"{missing} annotated photographs are not in the folder and are left out", file=sys.stderr)
    photos = photos[: options.limit]
    known = {photo.file for photo in photos}
    questions = load_questions(options.questions) if options.questions else ()
    asked = [question for question in questions if known.issuperset(question.photos)]
    if len(asked) < len(questions):
        print(f"{len(questions) - len(asked)} questions are about other photographs", file=sys.stderr)
    made = [
        each
        for language in options.language
        for each in bank(photos, language, again=options.again)
        if options.bank
    ]
    return photos, [*asked, *made]


def _inside(
    inside: Inside, photos: Sequence[Photo], questions: Sequence[Question], *, with_curves: bool
) -> Iterator[str]:
    """What only the engine in this process can tell, line by line."""
    vocabulary = Vocabulary.load()
    for name, true_boxes in (("found", False), ("true", True)):
        texts = captions(photos, CAPTION, inside.over(true_boxes=true_boxes))
        marks = marked(texts, photos, vocabulary)
        every = judged_together(photos, marks)
        parts = [judged_together(part, marks) for part in folds(photos)]
        yield (
            f"captions over {name} boxes   CIDEr-D {every.cider_d:.1f} ± "
            f"{spread(part.cider_d for part in parts):.1f}   faithfulness {every.faithful.share:.3f} ± "
            f"{spread(part.faithful.share for part in parts):.3f}"
        )
    found = {photo: tuple(inside.found(photo)) for photo in photos}
    yield from boxes_by_threshold(found)
    yield from mask_lines(photos, inside.pictures, found)
    if with_curves:
        yield from _choices(inside, photos)
        yield from question_curves(
            questions,
            lambda question, own: (
                judged(question, inside(question_ask(question), thresholds=own)).verdict.right
            ),
            inside.thresholds,
        )


def _choices(inside: Inside, photos: Sequence[Photo]) -> Iterator[str]:
    """Captions by constant, and with the constants that are chosen without the fold that is judged."""
    trials = Trials(photos, CAPTION, lambda own: inside.over(thresholds=own))
    for curve in curves(trials, photos, inside.thresholds):
        yield from curve_lines(curve)
    judged_folds = list(chosen_elsewhere(trials, photos, inside.thresholds))
    for at, (own, captioned) in enumerate(judged_folds, start=1):
        yield f"without fold {at} chosen: {in_words(own)}   on it {in_short([captioned])}"
    crossed = [captioned for _, captioned in judged_folds]
    yield (
        f"all chosen on other folds   {in_short(crossed)} ± {spread(each.cider_d for each in crossed):.1f}, "
        f"± {spread(each.faithful.share for each in crossed):.3f}"
    )
    drawn = other_drawings(trials, photos, inside.thresholds)
    yield f"the same, folds drawn otherwise {DRAWINGS} times   {drawn}"
    yield f"chosen on all: {in_words(chosen(trials, photos, inside.thresholds))}"


FEWEST = 20
"""Photographs from which figures are split into folds."""


def _through_a_server(
    options: Options, photos: Sequence[Photo], questions: Sequence[Question]
) -> tuple[list[Reply], list[Judged]]:
    server = contextlib.nullcontext(options.server) if options.server else serving(options.model)
    with server as url:
        asker = Asker(url, options.model, options.photos)
        asker.warm_up()
        return run(photos, questions, asker)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; 0 if all went well, 1 if requests failed, 2 if it could not start."""
    options = parse(arguments)
    try:
        photos, questions = _load(options)
    except (OSError, ValidationError, tomllib.TOMLDecodeError) as error:
        print(error, file=sys.stderr)
        return 2
    if not photos:
        print("none of the annotated photographs is in the folder", file=sys.stderr)
        return 2
    inside: Inside | None = None
    try:
        if options.inside:
            inside = Inside(photos, options.photos, options.inside)
            replies, answers = run(photos, questions, inside, shaped=False)
        else:
            replies, answers = _through_a_server(options, photos, questions)
    except NoServer as error:
        print(error, file=sys.stderr)
        return 2
    if options.answers:
        write_answers(options.answers, replies, answers)
    result = report(options.model, photos, replies, answers)
    if options.json:
        print(as_json(result))
    else:
        print(table(result, by_fold(result, photos, replies, answers) if len(photos) >= FEWEST else ()))
        for line in _inside(inside, photos, questions, with_curves=options.curves) if inside else ():
            print(line, flush=True)
    return 1 if result.errors else 0


if __name__ == "__main__":
    sys.exit(main())
