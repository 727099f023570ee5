"""From which score on something is said: the constants of the answers, in one table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Thresholds:
    """One table, so that each can be varied and judged; `python -m bench quality --curves` draws its curve.

    Scores are the detector's, 0..1; probabilities are the classifier's, summed over the classes meant.

    Attributes:
        shown: A thing that is counted, boxed or placed, where the prompt names none.
        prominent: The same, where only what stands out is asked for.
        named: A box of a class that the prompt names.
        fair: A named thing, as a part of the best score of its kind.
        there: A thing that answers "is there".
        kind_there: Probability of a classifier class that answers "is there".
        taken: A thing that stands in the way of a classifier class that it is often taken for.
        place_sure: Probability of a place, before the things are asked.
        place_likely: The same, after.
        telling: A thing that tells the place.
        told: A thing that a caption states, if there is one.
        guessed: The one thing that a caption states where none is better.
        agreed: Probability of its kinds that makes a doubtful thing worth telling.
        counted: A thing that counts in a caption's "two" or "several".
        leading: The thing that a caption is about, if there is a better one.
        notable: A thing that is worth a word however small it is.
        alone: The one thing in a picture that is not told as a maybe, though the classifier does not see it.
        alive: How much more prominent than a person or animal something else must be to lead a caption.
        minor: Prominence, as a part of the leading thing's, from which another thing is worth a word.
        detailed: A thing that a detailed description states.
        apart: A thing that someone is said to play with from afar.
        participant: Prominence, as a part of the leading one's, of one who is told to do something.
    """

    shown: float = 0.3
    prominent: float = 0.35
    named: float = 0.2
    fair: float = 0.3
    there: float = 0.22
    kind_there: float = 0.15
    taken: float = 0.35
    place_sure: float = 0.5
    place_likely: float = 0.25
    telling: float = 0.35
    told: float = 0.35
    guessed: float = 0.25
    agreed: float = 0.2
    counted: float = 0.4
    leading: float = 0.4
    notable: float = 0.42
    alone: float = 0.5
    alive: float = 3.0
    minor: float = 0.3
    detailed: float = 0.33
    apart: float = 0.5
    participant: float = 0.5
