"""Adding the answers up: verdicts, the figures of a run, and how they are printed."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import ValidationError

from bench.answers import Verdict, is_json, judge, read_boxes, says_cant_tell
from bench.asking import Reply
from bench.dataset import Photo, Question
from bench.folds import folds, spread
from bench.scores import Detection, Truth, average_precision, bleu4, cider_d
from bench.vocabulary import Faithfulness, Vocabulary


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many."""

    count: int
    of: int

    @property
    def value(self) -> float:
        """0..1; NaN of nothing."""
        return self.count / self.of if self.of else math.nan


@dataclass(frozen=True, slots=True)
class Kind:
    """How the questions of one kind went."""

    right: Share
    cant_tell: Share


@dataclass(frozen=True, slots=True)
class Times:
    """Wall time a request, in milliseconds."""

    median: float
    p95: float


@dataclass(frozen=True, slots=True)
class Judged:
    """A question's reply and its verdict."""

    question: Question
    reply: Reply
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Report:
    """All figures of a run; shares are 0..1, NaN where nothing was asked.

    Attributes:
        model: The model that was asked.
        photos: How many photographs.
        mean_ap: COCO mAP of the detection answers.
        ap50: COCO AP50 of the same.
        cider_d: CIDEr-D of the captions, times 100 as papers print it.
        bleu4: BLEU-4 of the captions, times 100.
        faithfulness: Objects stated in captions and lists that are in the picture.
        accuracy: Questions answered rightly, of those that the picture answers.
        cant_tell: "I can't tell", of the same questions.
        admitted: "I can't tell" where the picture does not answer the question.
        kinds: Accuracy and can't-tell by the questions' kind.
        json_validity: JSON answers that are what was asked for.
        milliseconds: Median and 95th percentile a request, by kind of request.
        errors: Requests that the server refused or failed.
    """

    model: str
    photos: int
    mean_ap: float
    ap50: float
    cider_d: float
    bleu4: float
    faithfulness: Share
    accuracy: Share
    cant_tell: Share
    admitted: Share
    kinds: dict[str, Kind]
    json_validity: Share
    milliseconds: dict[str, Times]
    errors: int


def judged(question: Question, reply: Reply) -> Judged:
    """A question's reply, judged; JSON that was wanted must also be JSON."""
    if question.cant_tell:
        admitted = says_cant_tell(reply.text)
        return Judged(question, reply, Verdict(right=admitted, cant_tell=admitted))
    verdict = judge(reply.text, question.accept, question.reject, question.language)
    if question.json_wanted and not is_valid(reply):
        verdict = dataclasses.replace(verdict, right=False)
    return Judged(question, reply, verdict)


def is_valid(reply: Reply) -> bool:
    """Whether a JSON reply is what was asked for: boxes, the schema's shape, or JSON at all."""
    if reply.ask.kind == "detect":
        return read_boxes(reply.text) is not None
    if reply.ask.schema is None:
        return is_json(reply.text)
    try:
        reply.ask.schema.model_validate_json(reply.text)
    except ValidationError:
        return False
    return True


def report(
    model: str,
    photos: Sequence[Photo],
    replies: Sequence[Reply],
    answers: Sequence[Judged],
    corpus: Sequence[Photo] | None = None,
) -> Report:
    """Add everything up; captions' words are weighed by their rarity in `corpus`, by default `photos`."""
    vocabulary = Vocabulary.load()
    precision = average_precision(_truths(photos), _detections(photos, replies, vocabulary))
    captions = {reply.ask.photos[0]: reply.text for reply in replies if reply.ask.kind == "caption"}
    captioned = [photo for photo in photos if photo.captions]
    hypotheses = [captions[photo.file] for photo in captioned]
    references = [photo.captions for photo in captioned]
    weighed = [photo.captions for photo in corpus or photos if photo.captions]
    faithful = _faithfulness(photos, replies, vocabulary)
    answered = [one for one in answers if not one.question.cant_tell]
    unanswerable = [one for one in answers if one.question.cant_tell]
    everything = [*replies, *(one.reply for one in answers)]
    wanted = [reply for reply in everything if reply.ask.json_wanted]
    return Report(
        model=model,
        photos=len(photos),
        mean_ap=precision.mean,
        ap50=precision.at_50,
        cider_d=100 * cider_d(hypotheses, references, weighed) if captioned else math.nan,
        bleu4=100 * bleu4(hypotheses, references) if captioned else math.nan,
        faithfulness=Share(faithful.true, faithful.stated),
        accuracy=_right(answered),
        cant_tell=_cant_tell(answered),
        admitted=_right(unanswerable),
        kinds={
            kind: Kind(_right(some), _cant_tell(some))
            for kind in sorted({one.question.kind for one in answered})
            for some in [[one for one in answered if one.question.kind == kind]]
        },
        json_validity=Share(sum(map(is_valid, wanted)), len(wanted)),
        milliseconds=_times(everything),
        errors=sum(bool(reply.error) for reply in everything),
    )


def by_fold(
    result: Report, photos: Sequence[Photo], replies: Sequence[Reply], answers: Sequence[Judged]
) -> list[Report]:
    """A report for each fold; questions about photographs of several folds are in none."""
    reports = []
    for part in folds(photos):
        files = {photo.file for photo in part}
        own = [reply for reply in replies if files.issuperset(reply.ask.photos)]
        judged_here = [one for one in answers if files.issuperset(one.question.photos)]
        reports.append(report(result.model, part, own, judged_here, corpus=photos))
    return reports


def _truths(photos: Iterable[Photo]) -> Iterable[Truth]:
    return (
        Truth(photo.file, thing.label, thing.box, thing.crowd) for photo in photos for thing in photo.things
    )


def _detections(
    photos: Iterable[Photo], replies: Iterable[Reply], vocabulary: Vocabulary
) -> Iterable[Detection]:
    """Detection answers in pixels. The format has no score: where an answer gives none, its order counts."""
    sizes = {photo.file: (photo.width, photo.height) for photo in photos}
    for reply in replies:
        if reply.ask.kind != "detect":
            continue
        file = reply.ask.photos[0]
        width, height = sizes[file]
        for rank, box in enumerate(read_boxes(reply.text) or ()):
            ymin, xmin, ymax, xmax = (edge / 1000 for edge in box.box_2d)
            corners = (xmin * width, ymin * height, xmax * width, ymax * height)
            score = 1 - rank / 1000 if box.score is None else box.score
            yield Detection(file, vocabulary.class_of(box.label), corners, score)


def _faithfulness(photos: Iterable[Photo], replies: Iterable[Reply], vocabulary: Vocabulary) -> Faithfulness:
    by_file = {photo.file: photo for photo in photos}
    total = Faithfulness(0, 0)
    for reply in replies:
        photo = by_file[reply.ask.photos[0]]
        if reply.ask.kind in {"caption", "list"} and (photo.things or photo.captions):
            labels = (thing.label for thing in photo.things)
            total += vocabulary.faithfulness(reply.text, labels, photo.captions)
    return total


def _right(some: Sequence[Judged]) -> Share:
    return Share(sum(one.verdict.right for one in some), len(some))


def _cant_tell(some: Sequence[Judged]) -> Share:
    return Share(sum(one.verdict.cant_tell for one in some), len(some))


def _times(replies: Sequence[Reply]) -> dict[str, Times]:
    kinds = dict.fromkeys(reply.ask.kind for reply in replies)
    return {
        kind: Times(float(np.median(taken)), float(np.percentile(taken, 95)))
        for kind in kinds
        for taken in [[reply.milliseconds for reply in replies if reply.ask.kind == kind]]
    }


def table(result: Report, parts: Sequence[Report] = ()) -> str:
    """The figures as text, one a line; with their standard deviation over the reports of folds, if any."""
    rows = _rows(result)
    fields = [{name: value for name, value, _ in _rows(part)} for part in parts]
    left = max(len(name) for name, _, _ in rows)
    head = f"{result.model} on {result.photos} photographs"
    lines = [
        f"{name:<{left}}  {shown}"
        + (f"  ± {spread(part.get(name, math.nan) for part in fields):.3f}" if parts else "")
        for name, _, shown in rows
    ]
    return "\n".join([head, *lines])


def _rows(result: Report) -> list[tuple[str, float, str]]:
    """Each figure's name, its value and how it is shown."""
    return [
        ("mAP", result.mean_ap, f"{result.mean_ap:.3f}"),
        ("AP50", result.ap50, f"{result.ap50:.3f}"),
        ("CIDEr-D", result.cider_d, f"{result.cider_d:.1f}"),
        ("BLEU-4", result.bleu4, f"{result.bleu4:.1f}"),
        ("faithfulness", result.faithfulness.value, _written(result.faithfulness)),
        ("JSON validity", result.json_validity.value, _written(result.json_validity)),
        ("question accuracy", result.accuracy.value, _written(result.accuracy)),
        ("can't tell", result.cant_tell.value, _written(result.cant_tell)),
        ("admits what is not to be seen", result.admitted.value, _written(result.admitted)),
        *(
            (f"  {name}", kind.right.value, f"{_written(kind.right)}   can't tell {kind.cant_tell.count}")
            for name, kind in result.kinds.items()
        ),
        *(
            (f"ms, {name}", times.median, f"{times.median:.1f} median, {times.p95:.1f} p95")
            for name, times in result.milliseconds.items()
        ),
        ("errors", result.errors, str(result.errors)),
    ]


def _written(share: Share) -> str:
    return f"{share.value:.3f} ({share.count} of {share.of})"


def as_json(result: Report) -> str:
    """The same figures for programs; null where nothing was asked."""

    def plain(value: object) -> object:
        if isinstance(value, dict):
            return {key: plain(one) for key, one in value.items()}
        return None if isinstance(value, float) and math.isnan(value) else value

    return json.dumps(plain(dataclasses.asdict(result)), indent=1)
