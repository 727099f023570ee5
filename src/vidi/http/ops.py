"""For those who run the server: /health, /ready and /metrics.

The engines, the decoders and the store count for themselves and know nothing of Prometheus; what they have
counted is read when somebody asks. Only what belongs to a request is counted here, when it is over.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

from vidi.domain.errors import VidiError
from vidi.engines.registry import Registry
from vidi.engines.worker import WorkerState
from vidi.files.aio import AsyncFiles
from vidi.files.service import StoreState
from vidi.http.access import caller_of
from vidi.http.keys import DayUsage, UsageBook
from vidi.http.logs import RequestRecord
from vidi.http.response import JSON
from vidi.http.stream import DRAIN
from vidi.images.pool import DecoderPool

SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 60, 120, 300, 600)


@dataclass(frozen=True, slots=True)
class _OfModel:
    """What is counted of one model's answers; to look these up by their labels takes longer than to count."""

    tokens_in: Counter
    tokens_out: Counter
    first: Histogram
    last: Histogram

    def count(self, record: RequestRecord) -> None:
        self.tokens_in.inc(record.tokens_in)
        self.tokens_out.inc(record.tokens_out)
        until = record.seconds - record.stages.get("rest", 0.0)
        if "answer" in record.stages:
            self.last.observe(until)
        if "first" in record.stages:
            self.first.observe(until - record.stages.get("answer", 0.0))


class RequestMetrics:
    """What is counted of requests; an `Observer`. Costs some microseconds a request."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = Counter(
            "vidi_requests", "Requests that are over.", ("route", "model", "status"), registry=self.registry
        )
        self._first, self._last = (
            Histogram(name, text, ("model",), buckets=SECONDS, registry=self.registry)
            for name, text in (
                ("vidi_first_token_seconds", "From the request's first byte to the answer's first token."),
                ("vidi_last_token_seconds", "From the request's first byte to the answer's last token."),
            )
        )
        self._tokens = Counter(
            "vidi_tokens", "Tokens of prompts and answers.", ("model", "direction"), registry=self.registry
        )

        self._by_place: dict[tuple[str, str, int], Counter] = {}
        self._by_model: dict[str, _OfModel] = {}

    def __call__(self, record: RequestRecord) -> None:
        """Count a request that is over."""
        place = record.route, record.model, record.status
        count = self._by_place.get(place)
        if count is None:
            count = self._requests.labels(record.route, record.model, str(record.status))
            self._by_place[place] = count
        count.inc()
        if not record.tokens_in:
            return
        of_model = self._by_model.get(record.model)
        if of_model is None:
            tokens_in, tokens_out = (self._tokens.labels(record.model, way) for way in ("in", "out"))
            of_model = _OfModel(
                tokens_in, tokens_out, self._first.labels(record.model), self._last.labels(record.model)
            )
            self._by_model[record.model] = of_model
        of_model.count(record)


class OpsRoutes:
    """Tells how the server is doing."""

    def __init__(
        self,
        registry: Registry,
        decoders: DecoderPool,
        files: AsyncFiles,
        metrics: RequestMetrics,
        usage: UsageBook,
    ) -> None:
        """Ask these parts; none of them is closed here."""
        self._registry = registry
        self._decoders = decoders
        self._files = files
        self._metrics = metrics
        self._usage = usage

    async def health(self, _request: Request) -> Response:
        """Whether the server is alive: it answers."""
        return _json(200, {"status": "ok"})

    async def ready(self, request: Request) -> Response:
        """Whether a prompt would be answered and a file taken; 503 and why, if not.

        A storage that several servers share is away for all of them: none is better than another, and each
        goes on with prompts that bring their pictures. So that alone keeps no server from its work.
        """
        default = self._registry.default.card.id
        state = self._registry.states().get(default)
        if state is None:
            self._registry.open_default()
        problem = state.problem if state else f"{default} is not loaded."
        reasons = [problem] if problem else []
        if request.scope["state"][DRAIN].begun:
            reasons.append("The server is shutting down.")
        try:
            await self._files.run_in_thread(self._files.service.check)
        except VidiError as error:
            if self._files.service.storage.shared is not None and not reasons:
                return _json(200, {"status": "ready", "model": default, "reasons": [error.message]})
            reasons.append(error.message)
        if reasons:
            return _json(503, {"status": "not ready", "reasons": reasons})
        return _json(200, {"status": "ready", "model": default})

    async def metrics(self, request: Request) -> Response:
        """Everything that is counted, in Prometheus' text format.

        What keys have used is shown to this machine; a key sees its own, and nobody else any.
        """
        caller = caller_of(request)
        own = caller.key.name if caller.key else None
        usage = {name: used for name, used in self._usage.today().items() if caller.local or name == own}
        try:
            store: StoreState | None = await self._files.run_in_thread(self._files.service.check)
        except VidiError:
            store = None  # `ready` says why; a metric that is not there is better than a wrong one.
        asked = CollectorRegistry()
        asked.register(_Snapshot(self._registry.states(), self._decoders, store, usage))
        content = generate_latest(self._metrics.registry) + generate_latest(asked)
        return Response(content, media_type=CONTENT_TYPE_LATEST)


@dataclass(frozen=True, eq=False)
class _Snapshot(Collector):
    """What the parts have counted until now."""

    models: Mapping[str, WorkerState]
    decoders: DecoderPool
    store: StoreState | None
    usage: Mapping[str, DayUsage]

    def collect(self) -> Iterator[Metric]:
        """Each number with its name."""
        for name, text in (("waiting", "Prompts in the queue."), ("running", "Prompts in the model.")):
            gauge = GaugeMetricFamily(f"vidi_prompts_{name}", text, labels=("model",))
            for model, state in self.models.items():
                gauge.add_metric([model], state.waiting if name == "waiting" else state.running)
            yield gauge
        refused = CounterMetricFamily(
            "vidi_prompts_refused", "Prompts that found the queue full.", labels=("model",)
        )
        restarts = CounterMetricFamily(
            "vidi_model_restarts", "How often the model's process was started again.", labels=("model",)
        )
        for model, state in self.models.items():
            refused.add_metric([model], state.refused)
            restarts.add_metric([model], state.restarts)
        memory = GaugeMetricFamily(
            "vidi_model_memory_bytes", "Of the model's own process; 0 without one.", labels=("model",)
        )
        for model, state in self.models.items():
            memory.add_metric([model], state.memory)
        yield from (refused, restarts, memory)
        yield from self._usage_today()
        decoders = self.decoders
        yield CounterMetricFamily("vidi_pictures_decoded", "Pictures decoded.", decoders.decoded)
        yield CounterMetricFamily("vidi_picture_decode_seconds", "Time that took.", decoders.decode_seconds)
        if self.store is not None:
            yield GaugeMetricFamily(
                "vidi_store_bytes", "Of files, and announced for open uploads.", self.store.reserved
            )
            yield GaugeMetricFamily("vidi_upload_sessions", "Uploads that are open.", self.store.uploads)

    def _usage_today(self) -> Iterator[Metric]:
        requests = GaugeMetricFamily(
            "vidi_key_requests_today", "Requests since midnight UTC.", labels=("key",)
        )
        tokens = GaugeMetricFamily(
            "vidi_key_tokens_today", "Tokens since midnight UTC.", labels=("key", "direction")
        )
        for key, used in self.usage.items():
            requests.add_metric([key], used.requests)
            tokens.add_metric([key, "in"], used.prompt_tokens)
            tokens.add_metric([key, "out"], used.output_tokens)
        yield from (requests, tokens)


def _json(status: int, content: dict[str, object]) -> Response:
    return Response(json.dumps(content), status, media_type=JSON, headers={"cache-control": "no-store"})
