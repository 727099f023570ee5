"""What several pictures have in common, and what not."""

from __future__ import annotations

from collections.abc import Sequence

from vidi.engines.lite.captions import caption
from vidi.engines.lite.evidence import Evidence
from vidi.engines.lite.intents import Intent
from vidi.engines.lite.said import Said


def compare(intent: Intent, evidences: Sequence[Evidence]) -> Said:
    """Compare pictures."""
    language = intent.language
    if len(evidences) < 2:
        return Said(language.sentence("one_picture"), known=False)
    sentences = [language.sentence("different_pictures")]
    for at, evidence in enumerate(evidences):
        sentences.append(language.say("image_n", n=str(at + 1), answer=caption(evidence, language).text))
    return Said(" ".join(sentences))
