"""`vidi-lite`: answers about everyday pictures from a detector, a classifier and rules; no language model."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

from vidi.domain.answer import Piece, TokenCount
from vidi.domain.prompt import Outline, Prompt
from vidi.engines.base import EngineContext, ModelCard
from vidi.engines.limits import bounded, estimate_tokens
from vidi.engines.lite.classifier import Classifier
from vidi.engines.lite.detector import Detector
from vidi.engines.lite.evidence import Senses, open_senses
from vidi.engines.lite.intents import Tongues, load_tongues
from vidi.engines.lite.offer import CARD
from vidi.engines.lite.reader import open_reader
from vidi.engines.lite.replies import reply
from vidi.engines.lite.weights import ensure
from vidi.engines.lite.weights_network import share_heap
from vidi.engines.lite.world import load_world


class Lite:
    """Answers prompts from evidence."""

    def __init__(self, senses: Senses, tongues: Tongues, *, slots: int) -> None:
        """Take the models and the words; `slots` prompts are answered at the same time."""
        self._senses = senses
        self._tongues = tongues
        self._card = replace(CARD, slots=slots)

    @property
    def card(self) -> ModelCard:
        """The model's card."""
        return self._card

    def count_tokens(self, outline: Outline) -> TokenCount:
        """Four characters a token, 258 tokens a picture."""
        return estimate_tokens(outline)

    def generate(self, prompt: Prompt) -> Generator[Piece, None, None]:
        """Answer a prompt; each picture is looked at when its part of the answer is written.

        Raises:
            InvalidRequest: The response schema cannot be filled.
        """
        texts = reply(prompt, self._senses, self._tongues)
        yield from bounded(texts, prompt.sampling, limit=self._card.output_token_limit)

    def close(self) -> None:
        """Nothing is held that the collector does not free."""


def open_engine(context: EngineContext) -> Lite:
    """Open the built-in engine; fetches and converts its weights if they are missing.

    Raises:
        Unavailable: The weights are missing and cannot be fetched.
    """
    share_heap()
    weights = ensure(context)
    world = load_world()
    senses = open_senses(
        Detector(weights.detector, context.threads),
        Classifier(weights.classifier, context.threads),
        world,
        open_reader(context.threads),
    )
    # One more than a run has threads: it works while another is between two runs (decision 14).
    return Lite(senses, load_tongues(world), slots=context.threads + 1)
