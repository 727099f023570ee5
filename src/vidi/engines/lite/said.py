"""An answer to one question about one picture."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Said:
    """What is answered.

    Attributes:
        text: The answer in sentences.
        brief: The answer in a word or two: "yes", "3", "red"; "" where there is none.
        known: Whether the evidence answers the question.
        items: The answer's things, one by one, for lists.
    """

    text: str
    brief: str = ""
    known: bool = True
    items: tuple[str, ...] = ()
