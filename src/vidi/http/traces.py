"""Traces of requests by OpenTelemetry: the extra `traces`, imported only when a collector is named.

A span a request, with a child for each of its stages, made when the request is over. A caller's `traceparent`
makes it part of the caller's trace. Spans hold what the log's line holds, and go to that collector alone.
"""

from __future__ import annotations

from itertools import accumulate

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import SpanKind, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from vidi import __version__
from vidi.http.logs import RequestRecord

SEND_SECONDS = 5.0
"""How long the collector may take for a batch; what it does not take is lost, and no request waits for it."""


class Traces:
    """An `Observer` that makes spans; a thread of its own sends them."""

    def __init__(self, exporter: SpanExporter) -> None:
        """Send spans by an exporter, which `close` closes."""
        resource = Resource.create({SERVICE_NAME: "vidi", SERVICE_VERSION: __version__})
        self._provider = TracerProvider(resource=resource)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("vidi", __version__)
        self._propagator = TraceContextTextMapPropagator()

    def __call__(self, record: RequestRecord) -> None:
        """Make the spans of a request that is over."""
        caller = self._propagator.extract({"traceparent": record.trace}) if record.trace else None
        marks = [record.began + round(end * 1e9) for end in accumulate(record.stages.values(), initial=0.0)]
        span = self._tracer.start_span(
            f"{record.method} {record.route}".strip(), caller, SpanKind.SERVER, start_time=record.began
        )
        span.set_attributes(
            {
                "http.request.method": record.method,
                "http.route": record.route,
                "http.response.status_code": record.status,
                "gen_ai.response.model": record.model,
                "gen_ai.usage.input_tokens": record.tokens_in,
                "gen_ai.usage.output_tokens": record.tokens_out,
                "vidi.request_id": record.id,
                "vidi.key": record.key,
            }
        )
        if record.status >= 500:
            span.set_status(StatusCode.ERROR)
        inside = set_span_in_context(span)
        for stage, began, ended in zip(record.stages, marks, marks[1:], strict=False):
            self._tracer.start_span(stage, inside, start_time=began).end(ended)
        span.end(marks[-1])

    def close(self) -> None:
        """Send what is left; waits for the collector for SEND_SECONDS at most."""
        self._provider.shutdown()


def open_traces(url: str) -> Traces:
    """Traces to the collector at `url`; OTEL_EXPORTER_OTLP_HEADERS may hold what it wants to see."""
    return Traces(OTLPSpanExporter(endpoint=url, timeout=SEND_SECONDS))
