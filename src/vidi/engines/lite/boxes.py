"""Boxes and points as the guide wants them: a bare JSON array, y first, plain integers 0..1000."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

from vidi.domain.geometry import Box
from vidi.engines.lite.evidence import Evidence, Thing
from vidi.engines.lite.inscriptions import as_things, wants_text
from vidi.engines.lite.intents import Intent
from vidi.engines.lite.lookup import SHOWN, find, kind_in
from vidi.engines.lite.mentions import Mention

NAMED = 0.2
"""Lowest score of a box whose class the prompt names."""

FAIR = 0.3
"""A named thing with less than this part of the best score of its kind is left out."""

MOST = 50
"""Most boxes where the prompt gives no limit."""

KIND_SURE = 0.2
"""Probability of a classifier class from which a box gets its name, as "golden retriever" for a dog."""


def wanted(intent: Intent, evidence: Evidence) -> tuple[Thing, ...]:
    """The things that a request for boxes or points means, most prominent first."""
    if wants_text(intent):
        return as_things(evidence)[: intent.manner.limit or MOST]
    named = [mention for mention in intent.mentions if mention.labels]
    if not named:
        things = () if _only_unknown(intent) else evidence.things(SHOWN)
    else:
        things = _named(named, evidence)
    return things[: intent.manner.limit or MOST]


def _named(mentions: Sequence[Mention], evidence: Evidence) -> tuple[Thing, ...]:
    """The things named, without those far weaker than the best of their kind; the best of each kind first."""
    found: dict[Box, Thing] = {}
    leading: list[Thing] = []
    for mention in mentions:
        things = find(mention, evidence, NAMED)
        best = max((thing.score for thing in things), default=0.0)
        fair = [thing for thing in things if thing.score >= FAIR * best]
        leading += fair[:1]
        found.update({thing.box: thing for thing in fair})
    first = {thing.box for thing in leading}
    return tuple(
        sorted(
            found.values(),
            key=lambda thing: (len(mentions) > 1 and thing.box not in first, -thing.prominence),
        )
    )


def label_of(thing: Thing, intent: Intent, evidence: Evidence) -> str:
    """What a box is called: the named kind where the classifier agrees, else the class."""
    for mention in intent.mentions:
        kinds = mention.kinds if mention.name in mention.kinds else frozenset()
        if kinds and thing.label in mention.labels and kind_in(mention, evidence) >= KIND_SURE:
            return mention.name
    return intent.language.noun(thing.label).one


def boxes(things: Iterable[Thing], intent: Intent, evidence: Evidence) -> Iterator[str]:
    """Boxes as JSON, object by object."""
    return array(
        json.dumps(
            {"box_2d": list(thing.box.box_2d()), "label": label_of(thing, intent, evidence)},
            ensure_ascii=False,
        )
        for thing in things
    )


def points(things: Iterable[Thing], intent: Intent, evidence: Evidence) -> Iterator[str]:
    """Middles of the boxes as JSON, object by object."""
    return array(
        json.dumps(
            {"point": list(thing.box.centre().point()), "label": label_of(thing, intent, evidence)},
            ensure_ascii=False,
        )
        for thing in things
    )


def array(objects: Iterable[str]) -> Iterator[str]:
    """A JSON array in stretches, one for each object."""
    before = "["
    for each in objects:
        yield before + each
        before = ", "
    yield "]" if before != "[" else "[]"


def _only_unknown(intent: Intent) -> bool:
    """Whether a request names things, but none that the detector knows."""
    return bool(intent.mentions)
