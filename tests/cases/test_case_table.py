"""Which cases there are; each has tests that begin with its number, in the two modules beside this one."""

from __future__ import annotations

import re
from pathlib import Path

CASES = (
    "Clients in their Vertex mode find models",
    "Boxes are written in the order that is spelt out, x first too",
    "An answer in one word is one word",
    "Web pages of the same machine call an open server",
    "A box is written under any name",
    "Numbers between 0 and 1 are heard",
    "Labelled pictures are told apart",
    "Several pictures are answered for in their order",
    "White print on a transparent ground is seen",
    "An upload in one request",
    "Bytes that come with a finalize are not lost",
    "The version twice in the path, or not at all",
    "A data URL in the place of base64",
    "Large phone photos and panoramas",
    "A host's other name in a container",
    "Which picture has the wrong type",
    "A field in both spellings",
    "Keys and pixels that only words describe",
    "Streams of one very long line",
    "A slash at the end, and Gemma's names",
    "A picture by its https address",
    "A picture as a tool's answer, and tools at all",
    "HEIC with another label",
    "Base64 of base64",
    "Hidden colour under transparency",
    "Counting for a home",
    "Names beyond ASCII",
    "Specks and slivers",
    "A form with the file alone",
    "A system prompt as a turn",
)
"""What people reported, in the order of the tests' numbers, as it has to be: 1 to 11 were faults, 12 to 20
could have been better, 21 and 22 were missing, 23 to 30 worked."""


def test_every_case_has_its_test() -> None:
    here = Path(__file__).parent
    texts = [(here / f"test_{kind}_cases.py").read_text() for kind in ("wire", "answer")]
    numbers = {int(found) for text in texts for found in re.findall(r"^def test_(\d\d)_", text, re.MULTILINE)}
    assert numbers == set(range(1, len(CASES) + 1))
