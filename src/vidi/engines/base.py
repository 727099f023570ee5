"""The seam to everything that can look at a picture and answer.

An author writes a synchronous loop that yields pieces; threads, queues, deadlines and HTTP are not
their concern. An engine in full:

    class Parrot:
        card = ModelCard(id="parrot", display_name="Parrot", description="Repeats the last text.")

        def count_tokens(self, headers: PromptHeaders) -> TokenCount:
            return estimate_tokens(headers)

        def generate(self, prompt: Prompt) -> Generator[Piece, None, None]:
            for word in last_text(prompt).split(" "):
                yield Piece(word + " ", tokens=1)
            yield Piece("", finish=Finish.STOP)

        def close(self) -> None:
            pass

It is published as an entry point of the group `vidi.engines` that points to a function
`(EngineContext) -> Sequence[ModelEntry]`, light enough to be called whenever models are listed:

    def models(context: EngineContext) -> Sequence[ModelEntry]:
        return (ModelEntry(Parrot.card, factory="parrot.engine:open_engine", ready=True),)

The factory, `(EngineContext) -> Engine`, is imported when the model is first asked.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

from vidi.domain.answer import Piece, TokenCount
from vidi.domain.geometry import Fit
from vidi.domain.prompt import LEVEL_TOKENS, ImageDetail, MediaResolution, Prompt, PromptHeaders
from vidi.engines.profile import Dialect, Licence, Pictures

PICTURE_PIXELS_PER_REQUEST = 64_000_000
"""All prepared pictures of one request together: 192 MB of RGB. Many pictures are each made smaller."""


@dataclass(frozen=True, slots=True)
class PixelBudgets:
    """How many pixels a picture may have at each media resolution; larger ones are scaled down.

    Attributes:
        low, medium, high, ultra_high: Most pixels.
        least, multiple, square: As in `Fit`.
    """

    low: int = 512 * 512
    medium: int = 768 * 768
    high: int = 1024 * 1024
    ultra_high: int = 2048 * 2048
    least: int = 1
    multiple: int = 1
    square: int = 0

    @classmethod
    def of(cls, pictures: Pictures) -> PixelBudgets:
        """How large pictures are made for a family."""
        token = max(1, pictures.token_side) ** 2
        most = pictures.budgets
        return cls(
            low=most.low * token,
            medium=most.medium * token,
            high=most.high * token,
            ultra_high=most.ultra_high * token,
            least=max(1, pictures.min_tokens * token),
            multiple=max(1, pictures.token_side),
            square=pictures.square,
        )

    def at(self, resolution: ImageDetail) -> int:
        """The budget in pixels; UNSPECIFIED is HIGH, as for Gemini 3.

        A token stands for a square of `multiple` pixels a side; where sides are free, for its share of HIGH.
        """
        if isinstance(resolution, int):
            shared = self.high * resolution // LEVEL_TOKENS[MediaResolution.HIGH]
            pixels = resolution * self.multiple**2 if self.multiple > 1 else shared
            return max(1, min(pixels, self.ultra_high))
        return {
            MediaResolution.LOW: self.low,
            MediaResolution.MEDIUM: self.medium,
            MediaResolution.ULTRA_HIGH: self.ultra_high,
        }.get(resolution, self.high)

    def fit(self, resolution: ImageDetail, pictures: int) -> Fit:
        """What a picture is brought to at a resolution, if it is one of so many in its request."""
        share = PICTURE_PIXELS_PER_REQUEST // max(1, pictures)
        return Fit(min(share, self.at(resolution)), self.least, self.multiple, self.square)


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What the API tells about a model, and what the server needs to know to feed it.

    Attributes:
        id: The model's name without `models/`.
        display_name: For people.
        description: One or two sentences: what it is good for and what not.
        version: Changes when the same prompt may be answered differently.
        input_token_limit: Longest prompt in tokens, images included.
        output_token_limit: Longest answer in tokens.
        slots: How many prompts it answers at the same time.
        samples: Whether temperature, topP, topK, seed and penalties change the answer.
        thinks: Whether it can think before it answers.
        calls: Whether it decides by itself to call functions, several if need be. Of any other model a call
            can be demanded too (`engines/calls.py`), but where it has the choice it answers in text.
        pixels: Pixel budget of a picture at each media resolution.
        dialect: How it writes boxes and points; None if it writes them as the API does, or not at all.
    """

    id: str
    display_name: str
    description: str
    version: str = "1"
    input_token_limit: int = 1_048_576
    output_token_limit: int = 65_536
    slots: int = 1
    samples: bool = False
    thinks: bool = False
    calls: bool = False
    pixels: PixelBudgets = PixelBudgets()
    dialect: Dialect | None = None


class Engine(Protocol):
    """Answers prompts. Methods other than `generate` may be called from any thread."""

    @property
    def card(self) -> ModelCard:
        """The model behind this engine; does not change during its life."""
        ...

    def count_tokens(self, headers: PromptHeaders) -> TokenCount:
        """What a prompt costs under the model's own id, from headers alone: no pixel is needed.

        Raises:
            VidiError: Anything a caller should read.
        """
        ...

    def generate(self, prompt: Prompt) -> Generator[Piece, None, None]:
        """Answer, piece by piece; the last piece carries a `Finish`.

        Closing the generator cancels: it must return soon after its next yield. An engine that has nothing
        to say for a while yields an empty piece now and then, which goes nowhere but shows it whether anybody
        still waits. Up to `card.slots` generators run at the same time, each on a thread of its own.

        Raises:
            VidiError: Anything a caller should read; other exceptions become an internal error.
        """
        ...

    def close(self) -> None:
        """Free what the engine holds. Called once, when no generator runs."""
        ...


@runtime_checkable
class Instant(Protocol):
    """A further ability of an engine: some of its work takes less time than to give it to a thread.

    Whatever it says that of is done on the event loop, and everybody waits meanwhile: microseconds, or a
    millisecond where it is rare. It must never wait for anything itself.
    """

    def counts_at_once(self, headers: PromptHeaders) -> bool:
        """Whether `count_tokens` of this prompt is such work."""
        ...

    def answers_at_once(self, prompt: Prompt) -> bool:
        """Whether all of `generate` of this prompt is."""
        ...


@runtime_checkable
class SelfCheck(Protocol):
    """A further ability of an engine: to tell that what it stands on is away. `/ready` asks for it."""

    def problem(self) -> str:
        """What is wrong now, in a sentence for the operator; "" if all is well. Returns at once."""
        ...


@runtime_checkable
class Restarting(Protocol):
    """A further ability of an engine: its model may die, and comes back by itself."""

    @property
    def restarts(self) -> int:
        """How many times it has come back."""
        ...


@runtime_checkable
class OwnProcess(Protocol):
    """A further ability of an engine: its model runs in a process of its own, whose memory is told."""

    @property
    def pid(self) -> int | None:
        """Of that process; None while there is none."""
        ...


class Progress(Protocol):
    """Told about long work, so that a person sees that it moves."""

    def __call__(self, step: str, done: int, total: int) -> None:
        """`done` of `total` units of the named step (bytes for a download); total 0 means unknown."""
        ...


@dataclass(frozen=True, slots=True)
class Backend:
    """A server elsewhere that runs models, as its operator named it.

    Attributes:
        urls: Where it listens, with or without the `/v1` at the end; several are copies of one another.
        id: Under which name its model is offered; "" makes one of the model's own.
        key: What it wants to be shown; "" for nothing.
        model: The model's name there; "" for all that it serves.
        profile: The model's family, or the file of a profile; "" finds the family by the model's name.
        slots: How many prompts it is sent at the same time.
        kind: Which server it is, as `vllm`; "auto" finds out.
        affinity_header: Header that is the same for prompts over the same pictures, so that a router may
            send them where these are cached; "" for none.
    """

    urls: tuple[str, ...]
    id: str = ""
    key: str = field(default="", repr=False)
    model: str = ""
    profile: str = ""
    slots: int = 64
    kind: str = "auto"
    affinity_header: str = "x-session-id"


@dataclass(frozen=True, slots=True)
class EngineContext:
    """What a factory may use.

    Attributes:
        cache: Directory for weights and other things that can be fetched again.
        threads: How many threads the engine may keep busy.
        progress: Called during downloads and conversions.
        model: Id of the model to open or to fetch; "" while models are listed.
        environment: Of processes that the engine starts, the whole of it: without anybody's keys.
        backends: Servers elsewhere that run models.
        mirror: Address of a folder that holds the built-in engine's weights, file by file; "" for none.
    """

    cache: Path
    threads: int
    progress: Progress
    model: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    backends: tuple[Backend, ...] = ()
    mirror: str = ""


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model that an adapter can open.

    Attributes:
        card: What is known before anything is loaded.
        factory: `module:function` of an EngineFactory; imported on first use.
        fetcher: `module:function` of a WeightsFetcher; "" where nothing has to be fetched.
        ready: Whether its weights are on the disk, so that it opens without a network.
        rank: Which ready model `vidi serve` takes by default: the highest. One below 0 has to be asked for:
            installing a package changes no answers.
        remover: `module:function` of a WeightsRemover; "" where nothing is to be removed.
        auto_download: Whether missing weights may be fetched when they are first needed; otherwise only by
            `vidi pull`, which shows what that takes and asks.
        size: Bytes that fetching its weights takes, all of them; 0 if unknown.
        is_estimated: Whether `size` and `memory` are guesses.
        memory: Bytes that it needs to run; 0 if unknown.
        active: Parameters at work for each token, in billions; 0 where that says nothing of its speed.
        purpose: What it is for, in a few words.
        licence: Of its weights.
        runs_at: The server that runs it, in words; "" for this machine.
    """

    card: ModelCard
    factory: str
    ready: bool
    fetcher: str = ""
    rank: int = -1
    remover: str = ""
    auto_download: bool = True
    size: int = 0
    licence: Licence | None = None
    runs_at: str = ""
    is_estimated: bool = False
    memory: int = 0
    active: float = 0.0
    purpose: str = ""


EngineFactory = Callable[[EngineContext], Engine]
"""Opens an engine; downloads weights if they are missing. Raises Unavailable when they cannot be fetched."""

ModelLister = Callable[[EngineContext], Sequence[ModelEntry]]
"""Lists an adapter's models; what the entry points of the group `vidi.engines` point to."""
