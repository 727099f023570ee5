"""Output limits and token prices for engines that have no tokenizer of their own, and the smallest engine:
a function that says text (`TextEngine`)."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass

from vidi.domain.answer import Finish, Piece, TokenCount
from vidi.domain.errors import InvalidRequest
from vidi.domain.prompt import Prompt, PromptHeaders, Sampling, TextFormat
from vidi.engines.base import ModelCard
from vidi.engines.calls import declared

CHARACTERS_PER_TOKEN = 4
"""Google's rule of thumb for Gemini: "a token is equivalent to about 4 characters"."""

TOKENS_PER_IMAGE = 258
"""What a picture costs in an engine that looks at it once, whatever its size."""


def tokens_in(text: str) -> int:
    """How many tokens a text takes at four characters each, rounded up."""
    return -(-len(text) // CHARACTERS_PER_TOKEN)


def estimate_tokens(headers: PromptHeaders, *, per_image: int = TOKENS_PER_IMAGE) -> TokenCount:
    """Price a prompt: each text and all functions at four characters a token, each picture at `per_image`."""
    return TokenCount(
        text=sum(map(tokens_in, headers.texts())) + tokens_in(declared(headers.functions)),
        image=per_image * sum(1 for _ in headers.images()),
    )


def bounded(texts: Iterable[str], sampling: Sampling, *, limit: int) -> Generator[Piece, None, None]:
    """Stream texts as pieces, within the token limit and up to the first stop sequence.

    With `room` = 4 characters for each allowed token, the pieces concatenate to the first `room` characters
    of the texts, cut before the stop sequence that is the first to be complete within them. No piece holds
    a beginning of a stop sequence that may still be completed by the next text. Closing the stream closes
    `texts`.

    Args:
        texts: Stretches of the answer.
        sampling: Gives the stop sequences and the number of tokens asked for.
        limit: The model's own limit in tokens.

    Yields:
        Pieces with their tokens; the last, and only the last, has a finish: MAX_TOKENS if text was left over.
    """
    asked = limit if sampling.max_output_tokens is None else min(limit, sampling.max_output_tokens)
    gate = _Gate(room=asked * CHARACTERS_PER_TOKEN, stops=tuple(filter(None, sampling.stop_sequences)))
    sent = 0
    waiting = ""
    source = iter(texts)
    try:
        for text in source:
            passed = gate.push(text)
            if gate.finish is not None:
                break
            if waiting and passed:
                yield Piece(waiting, tokens=_price(sent, waiting))
                sent += len(waiting)
                waiting = ""
            # The last text goes with the finish, so each waits for the next one.
            waiting += passed
        else:
            passed = gate.flush()
        if waiting and passed:
            yield Piece(waiting, tokens=_price(sent, waiting))
            sent += len(waiting)
            waiting = ""
        last = waiting + passed
        yield Piece(last, tokens=_price(sent, last), finish=gate.finish or Finish.STOP)
    except Exception:
        # What was written before the engine broke is the caller's.
        if waiting:
            yield Piece(waiting, tokens=_price(sent, waiting))
        raise
    finally:
        _close(source)


@dataclass(frozen=True, slots=True)
class TextEngine:
    """A whole engine, made of a function that looks at a prompt and says text, piece by piece.

    Attributes:
        card: The model's card.
        answer: Called on a thread of its own for each prompt; closed where it is a generator and nobody
            waits any more.
    """

    card: ModelCard
    answer: Callable[[Prompt], Iterable[str]]

    def count_tokens(self, headers: PromptHeaders) -> TokenCount:
        """Four characters a token, 258 tokens a picture."""
        return estimate_tokens(headers)

    def generate(self, prompt: Prompt) -> Generator[Piece, None, None]:
        """What the function says, within the limits of the request.

        Raises:
            InvalidRequest: JSON or one of several words is asked for.
        """
        if prompt.output.schema is not None or prompt.output.format is not TextFormat.PLAIN:
            raise InvalidRequest(
                f"{self.card.id} answers in plain text only. Ask for text/plain, no schema and no functions.",
                where="generation_config.response_mime_type",
            )
        yield from bounded(self.answer(prompt), prompt.sampling, limit=self.card.output_token_limit)

    def close(self) -> None:
        """Nothing to free."""


def _price(sent: int, text: str) -> int:
    """Tokens that `text` adds to `sent` characters, so that the sum over pieces is the price of the whole."""
    return -(-(sent + len(text)) // CHARACTERS_PER_TOKEN) - -(-sent // CHARACTERS_PER_TOKEN)


def _close(source: Iterator[str]) -> None:
    if isinstance(source, Generator):
        source.close()


@dataclass(slots=True)
class _Gate:
    """Lets text pass while it fits, and keeps back what may be the beginning of a stop sequence."""

    room: int
    stops: tuple[str, ...]
    finish: Finish | None = None
    held: str = ""

    def push(self, text: str) -> str:
        if not self.stops and len(text) <= self.room:
            self.room -= len(text)
            return text
        fitting = text[: self.room]
        self.room -= len(fitting)
        self.held += fitting
        found = [(at + len(stop), at) for stop in self.stops if (at := self.held.find(stop)) >= 0]
        if found:
            self.finish = Finish.STOP
            return self._take(min(found)[1])
        if len(fitting) < len(text):
            self.finish = Finish.MAX_TOKENS
            return self._take(len(self.held))
        return self._take(len(self.held) - self._doubtful())

    def flush(self) -> str:
        return self._take(len(self.held))

    def _take(self, count: int) -> str:
        passed, self.held = self.held[:count], self.held[count:]
        return passed

    def _doubtful(self) -> int:
        """Length of the longest tail of the held text that begins a stop sequence."""
        lengths = (
            size
            for stop in self.stops
            for size in range(min(len(stop) - 1, len(self.held)), 0, -1)
            if self.held.endswith(stop[:size])
        )
        return max(lengths, default=0)
