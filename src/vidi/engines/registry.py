"""From a model id to a running engine, by entry point, imported on first use."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import entry_points
from pkgutil import resolve_name

from vidi.domain.errors import Unavailable
from vidi.engines.base import Engine, EngineContext, EngineFactory, ModelEntry, ModelLister
from vidi.engines.segmenter import Segmenter
from vidi.engines.weights import missing_packages_named, unknown_model
from vidi.engines.worker import Worker, WorkerState

GROUP = "vidi.engines"
"""The entry point group in which installed packages publish their models."""

SEGMENTER_GROUP = "vidi.segmenters"
"""The entry point group in which installed packages publish their segmenters."""

SegmenterFactory = Callable[[EngineContext], Segmenter]
"""Opens a segmenter; fetches its weights if they are missing. Raises Unavailable when it cannot."""

ALIAS = re.compile(r"(?!.*-(?:image|tts|live|embedding|audio)(?:-|$))gem(?:ini|ma)-[\w.-]{1,100}", re.ASCII)
"""A name like these runs the default model, so that code written for Gemini runs as it is.

Not so the names of models that do what nothing here does: such code would not get what it asks for.
"""


def installed_models(context: EngineContext) -> dict[str, ModelEntry]:
    """Every model that the installed adapters can open, by id, best rank first."""
    found: list[ModelEntry] = []
    for point in entry_points(group=GROUP):
        list_models: ModelLister = point.load()
        found.extend(list_models(context))
    # Of two with one name the better one is meant.
    ranked = sorted(found, key=lambda entry: entry.rank)
    return dict(reversed({entry.card.id: entry for entry in ranked}.items()))


def best_model(entries: Mapping[str, ModelEntry]) -> ModelEntry:
    """The model to use when none is named: the best one on the disk, else the best that can be fetched.

    Raises:
        Unavailable: If no adapter lists a model.
    """
    ranked = sorted((entry for entry in entries.values() if entry.rank >= 0), key=lambda entry: -entry.rank)
    ready = [entry for entry in ranked if entry.ready]
    for entry in (*ready, *(entry for entry in ranked if entry.auto_download)):
        return entry
    raise Unavailable("No model is installed. Reinstall Vidi, or install an engine package.")


def open_segmenter(name: str, context: EngineContext) -> Segmenter:
    """The segmenter that is published under a name.

    Raises:
        Unavailable: None is, or it cannot be opened; says which there are.
    """
    published = {point.name: point for point in entry_points(group=SEGMENTER_GROUP)}
    if name not in published:
        there = ", ".join(sorted(published)) or "none"
        raise Unavailable(f"There is no segmenter {name!r}. Installed: {there}.")
    with missing_packages_named():
        factory: SegmenterFactory = published[name].load()
    return factory(context)


@dataclass(frozen=True, slots=True)
class Resolved:
    """A model that is running.

    Attributes:
        worker: The way to its engine.
        alias: Whether it was asked for under a Gemini name, and so charges Gemini's prices for images.
    """

    worker: Worker
    alias: bool


class Registry:
    """Opens each engine once, when it is first asked, and closes them all."""

    def __init__(
        self, entries: Mapping[str, ModelEntry], *, default: str, context: EngineContext, queue: int
    ) -> None:
        """Take what can be opened.

        Args:
            entries: Every model by id.
            default: Id of the model behind every `gemini-` name; must be among `entries`.
            context: Handed to the engines' factories.
            queue: How many prompts may wait for each engine.

        Raises:
            NotFound: If `default` is not among the entries.
        """
        if default not in entries:
            raise unknown_model(default, entries)
        self._entries = entries
        self._default = default
        self._context = context
        self._queue = queue
        self._opening: dict[str, asyncio.Task[Worker]] = {}

    @property
    def default(self) -> ModelEntry:
        """The model behind every `gemini-` name."""
        return self._entries[self._default]

    def entries(self) -> tuple[ModelEntry, ...]:
        """Every model that can be asked for by its own name, the default first."""
        others = (entry for entry in self._entries.values() if entry.card.id != self._default)
        return (self.default, *others)

    def find(self, model: str) -> ModelEntry:
        """The entry behind a name, without opening it; a model's own name goes before an alias.

        Raises:
            NotFound: If the name is neither known nor one of Gemini's.
        """
        entry = self._entries.get(model)
        if entry is None and ALIAS.fullmatch(model):
            return self.default
        if entry is None:
            raise unknown_model(model, self._entries)
        return entry

    def states(self) -> dict[str, WorkerState]:
        """How each model is doing that has been opened."""
        opened = [task for task in self._opening.values() if task.done() and not task.cancelled()]
        workers = [task.result() for task in opened if task.exception() is None]
        return {worker.card.id: worker.state for worker in workers}

    async def open(self, model: str) -> Resolved:
        """The running model behind a name, opened now if it was not yet.

        Raises:
            NotFound: If the name is unknown.
            Unavailable: If its weights cannot be fetched or it does not start; a later call tries again.
        """
        entry = self.find(model)
        opening = self._begin(entry)
        worker = opening.result() if opening.done() else await asyncio.shield(opening)
        return Resolved(worker, alias=model not in self._entries)

    def check_room(self, model: str) -> None:
        """Refuse what the model behind a name would refuse; one that is not open yet refuses nothing.

        Raises:
            NotFound: If the name is unknown.
            Unavailable: If too many prompts are waiting already.
        """
        opening = self._opening.get(self.find(model).card.id)
        if opening and opening.done() and not (opening.cancelled() or opening.exception()):
            opening.result().check_room()

    def open_default(self) -> None:
        """Begin to open the default model if nobody has, or if that failed; not one without its weights.

        A backend that was away when the server started would else stay unknown until somebody asks.
        """
        if self.default.ready:
            self._begin(self.default)

    def _begin(self, entry: ModelEntry) -> asyncio.Task[Worker]:
        """The opening of a model: the one that runs, or that succeeded, or a new one."""
        opening = self._opening.get(entry.card.id)
        if opening is None or (opening.done() and (opening.cancelled() or opening.exception())):
            opening = asyncio.create_task(self._open(entry))
            self._opening[entry.card.id] = opening
        return opening

    async def _open(self, entry: ModelEntry) -> Worker:
        with missing_packages_named():
            factory: EngineFactory = resolve_name(entry.factory)
        context = replace(self._context, model=entry.card.id)
        engine: Engine = await asyncio.to_thread(factory, context)
        return Worker(engine, queue=self._queue)

    async def close(self) -> None:
        """Close every engine that was opened."""
        for opening in self._opening.values():
            if not opening.done():
                opening.cancel()
            elif not opening.cancelled() and opening.exception() is None:
                await opening.result().close()
        self._opening.clear()
