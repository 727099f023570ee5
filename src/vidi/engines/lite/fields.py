"""What a field of a schema is for: read from its name, as `car_color` or `isIndoors`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from vidi.engines.lite.choices import plain
from vidi.engines.lite.intents import Tongues
from vidi.engines.lite.language import Patterns
from vidi.engines.lite.mentions import Mention

_ASKING = re.compile(
    r"^(is|are|has|have|contains?|includes?|shows?|there (is|are)|any)\b"
    r"|^(number of|num|count of|total|how many)\b"
    r"|\b(present|visible|detected|exists?|found|count|total|colou?rs?|type|kind|name|names|list|class|species)$"
)


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a field is for.

    Attributes:
        role: A name of the languages' [fields], or "".
        edge: Which edge of a box it is, for the role box_edge.
        mention: The thing that the name speaks of, if any.
        words: The name as words.
    """

    role: str = ""
    edge: str = ""
    mention: Mention | None = None
    words: str = ""


def meaning_of(name: str, tongues: Tongues) -> Meaning:
    """Read a field's name."""
    words = plain(name)
    core = _ASKING.sub("", words).strip()
    mention: Mention | None = None
    role, edge = "", ""
    for language in tongues.languages.values():
        if not role:
            role, edge = _role(words, language.fields)
        mentions = tongues.lexicons[language.id].mentions(core or words)
        mention = mention or next((each for each in mentions if each.labels), None)
    return Meaning(role, edge, mention, words)


def _role(words: str, fields: Patterns) -> tuple[str, str]:
    for role, patterns in fields.items():
        for pattern in patterns:
            match = pattern.fullmatch(words)
            if match:
                return role, match.groupdict().get("edge") or ""
    return "", ""
