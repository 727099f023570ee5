"""Spans of requests: their parents, their times, and that they reach a collector; none without one."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from starlette.testclient import TestClient

from vidi.app import create_app
from vidi.domain.errors import Unavailable
from vidi.http.logs import RequestRecord
from vidi.http.traces import Traces
from vidi.settings import Settings

TRACE, PARENT = 0xABCDEF0123456789ABCDEF0123456789, 0x1234567890ABCDEF


def test_a_request_is_a_span_with_its_stages_inside() -> None:
    exporter = InMemorySpanExporter()
    traces = Traces(exporter)
    record = RequestRecord(
        "id-1", f"00-{TRACE:032x}-{PARENT:016x}-01", "POST", "/models/{model}:generateContent"
    )
    record.model, record.status, record.tokens_in, record.began = "echo", 503, 7, 1_000_000_000
    record.stages = {"read": 0.5, "prepare": 0.25}
    traces(record)
    traces.close()
    read, prepare, whole = exporter.get_finished_spans()
    assert whole.context is not None
    assert whole.parent is not None
    assert (whole.context.trace_id, whole.parent.span_id) == (TRACE, PARENT)
    assert [span.parent and span.parent.span_id for span in (read, prepare)] == [whole.context.span_id] * 2
    assert (read.start_time, read.end_time) == (1_000_000_000, 1_500_000_000)
    assert (prepare.end_time, whole.end_time) == (1_750_000_000, 1_750_000_000)
    assert whole.name == "POST /models/{model}:generateContent"
    assert whole.attributes is not None
    assert whole.attributes["http.response.status_code"] == 503
    assert not whole.status.is_ok


@pytest.mark.parametrize("trace", ["", "nonsense", "00-0-0-00", "ff" * 500])
def test_a_caller_without_a_sound_trace_gets_one_of_its_own(trace: str) -> None:
    exporter = InMemorySpanExporter()
    traces = Traces(exporter)
    traces(RequestRecord("id-1", trace, "GET", "/models", stages={"rest": 0.1}))
    traces.close()
    assert exporter.get_finished_spans()[-1].parent is None


@contextmanager
def _collector() -> Iterator[tuple[str, list[ExportTraceServiceRequest]]]:
    """An address for spans, and what came there."""
    came: list[ExportTraceServiceRequest] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            came.append(ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Collector)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/traces", came
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_server_sends_them_to_its_collector(settings: Settings) -> None:
    with _collector() as (url, came):
        traced = create_app(settings.model_copy(update={"traces_url": url}))
        with TestClient(traced, base_url="http://localhost") as client:
            client.get("/v1beta/models?key=a-key-of-mine-that-is-long")
    (sent,) = came
    spans = [
        span for resource in sent.resource_spans for scope in resource.scope_spans for span in scope.spans
    ]
    assert {span.name for span in spans} == {"GET /v1beta/models", "rest"}
    assert b"a-key-of-mine" not in sent.SerializeToString()


def test_a_missing_package_is_named(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vidi.http.traces", None)
    with pytest.raises(Unavailable, match=r"opentelemetry-sdk"):
        create_app(settings.model_copy(update={"traces_url": "http://127.0.0.1:1/v1/traces"}))


def test_nothing_of_it_is_imported_unless_it_is_wanted() -> None:
    code = "import sys, vidi.cli.serve; assert not any('opentelemetry' in name for name in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
