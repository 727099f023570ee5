"""A backend that plays a part: any kind of server, with any fault, over real sockets."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from vidi.engines.base import Backend, EngineContext
from vidi.engines.remote.catalog import find_model
from vidi.engines.remote.engine import RemoteEngine
from vidi.engines.remote.pool import HealthPace

MODEL = "Qwen/Qwen3-VL-8B-Instruct"
FAST = HealthPace(every=0.05, soon=0.05, wait=0.5, missed=2, silent=0.1)


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    path: str
    headers: dict[str, str]
    body: Any


@dataclass(frozen=True)
class Reply:
    """An answer; `parts` are written one after another, then the connection may be closed."""

    status: int = 200
    parts: Iterable[bytes] = ()
    headers: tuple[tuple[str, str], ...] = ()
    hang_up: bool = False


Route = Callable[[Asked], Reply]


def as_json(value: object, status: int = 200) -> Reply:
    return Reply(status, (json.dumps(value).encode(),))


def sse(*messages: object, done: bool = True) -> tuple[bytes, ...]:
    lines = [b"data: " + json.dumps(each, ensure_ascii=False).encode() + b"\n\n" for each in messages]
    return (*lines, b"data: [DONE]\n\n") if done else tuple(lines)


def chunk(finish: str | None = None, usage: object = None, **delta: str) -> dict[str, object]:
    told: dict[str, object] = {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
    return told if usage is None else {**told, "usage": usage}


HELLO = sse(
    chunk(role="assistant", content=""),
    chunk(content="A red"),
    chunk(content=" circle."),
    chunk("stop"),
    {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 5}},
)


def always(reply: Reply) -> Route:
    return lambda _: reply


def once_then(first: Route, then: Route) -> Route:
    """The first time one, afterwards the other."""
    calls: Iterator[Route] = iter((first,))
    return lambda asked: next(calls, then)(asked)


KINDS: dict[str, dict[str, Route]] = {
    "vllm": {
        "/v1/models": always(
            as_json({"data": [{"id": "tiny", "owned_by": "vllm", "root": MODEL, "max_model_len": 4096}]})
        ),
        "/health": always(Reply()),
        "/tokenize": lambda asked: as_json({"count": 7, "max_model_len": 4096, "tokens": []}),
    },
    "sglang": {
        "/v1/models": always(
            as_json({"data": [{"id": MODEL, "owned_by": "sglang", "root": MODEL, "max_model_len": 4096}]})
        ),
        "/model_info": always(as_json({"model_path": MODEL, "has_image_understanding": True})),
    },
    "llama-server": {
        "/v1/models": always(
            as_json({"data": [{"id": "qwen3-vl-8b.gguf", "owned_by": "llamacpp", "meta": {"n_ctx": 4096}}]})
        ),
        "/health": always(as_json({"status": "ok"})),
        "/v1/chat/completions/input_tokens": always(as_json({"input_tokens": 7})),
    },
    "ollama": {
        "/v1/models": always(as_json({"data": [{"id": "qwen3-vl:8b"}, {"id": "llama3"}]})),
        "/api/version": always(as_json({"version": "0.17.4"})),
        "/api/ps": always(as_json({"models": [{"name": "qwen3-vl:8b", "context_length": 4096}]})),
        "/api/show": lambda asked: as_json(
            {
                "capabilities": ["completion", "vision"] if "vl" in asked.body["model"] else ["completion"],
                "model_info": {"qwen3vl.context_length": 262144},
            }
        ),
    },
    "lmstudio": {
        "/v1/models": always(as_json({"data": [{"id": "qwen3-vl-8b"}]})),
        "/api/v1/models": always(
            as_json(
                {
                    "models": [
                        {
                            "key": "qwen/qwen3-vl-8b",
                            "capabilities": {"vision": True},
                            "max_context_length": 262144,
                            "loaded_instances": [{"config": {"context_length": 4096}}],
                        },
                        {"key": "words-only", "capabilities": {"vision": False}},
                    ]
                }
            )
        ),
    },
    "openai": {
        "/v1/models": always(as_json({"data": [{"id": MODEL, "owned_by": "me", "max_model_len": 4096}]})),
    },
}
"""What each kind answers when it is asked who it is and what it has; and what it counts."""

NDJSON = (
    b'{"message":{"role":"assistant","content":"A red"},"done":false}\n',
    b'{"message":{"content":" circle."},"done":false}\n',
    b'{"message":{"content":""},"done":true,"done_reason":"stop","prompt_eval_count":9,"eval_count":5}\n',
)


@dataclass
class FakeBackend:
    """A server on a free port; `routes` may be changed while it runs."""

    port: int
    routes: dict[str, Route]
    asked: list[Asked] = field(default_factory=list)
    hung_up: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def chats(self) -> list[Asked]:
        """The answers that were asked for, without what was only counted."""
        chats = (each for each in self.asked if each.path in ("/v1/chat/completions", "/api/chat"))
        return [each for each in chats if each.body.get("stream")]


def chat_path(kind: str) -> str:
    return "/api/chat" if kind == "ollama" else "/v1/chat/completions"


def counting(reply: Route) -> Route:
    """Answers that are made only to count tokens have their usage, whatever `reply` says to others."""

    def route(asked: Asked) -> Reply:
        if asked.path == "/v1/chat/completions" and not asked.body.get("stream"):
            pictures = json.dumps(asked.body).count("image_url") // 2
            return as_json(
                {"choices": [], "usage": {"prompt_tokens": 4 + 3 * pictures, "completion_tokens": 1}}
            )
        return reply(asked)

    return route


@contextmanager
def fake(
    kind: str = "vllm",
    chat: Route | None = None,
    *,
    port: int = 0,
    routes: Mapping[str, Route] | None = None,
    tls: ssl.SSLContext | None = None,
) -> Iterator[FakeBackend]:
    """Run one; `chat` answers chats, `routes` gives or replaces what else is answered, by path."""
    told = chat or always(Reply(parts=NDJSON if kind == "ollama" else HELLO))
    answers = {**KINDS[kind], "/v1/chat/completions": counting(told), "/api/chat": told, **(routes or {})}
    server = _Server(("127.0.0.1", port), _Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    backend = FakeBackend(server.server_address[1], answers)
    server.backend = backend
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield backend
    finally:
        server.shutdown()
        server.server_close()
        server.hang_up()
        thread.join()


class _Server(ThreadingHTTPServer):
    backend: FakeBackend
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 512

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._open: set[socket.socket] = set()
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """Close what is still connected, as a process does that dies."""
        for link in tuple(self._open):
            with contextlib.suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        self._answer(None)

    def do_POST(self) -> None:
        self._answer(json.loads(self.rfile.read(int(self.headers["content-length"]))))

    def _answer(self, body: Any) -> None:
        backend = self.server.backend
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.path, headers, body)
        backend.asked.append(asked)
        route = backend.routes.get(self.path)
        reply = route(asked) if route else as_json({"detail": "Not Found"}, 404)
        try:
            self._write(reply)
        except OSError:
            backend.hung_up.set()
            self.close_connection = True

    def _write(self, reply: Reply) -> None:
        self.send_response_only(reply.status)
        for name, value in (*reply.headers, ("transfer-encoding", "chunked")):
            self.send_header(name, value)
        self.end_headers()
        for part in reply.parts:
            if part:
                self.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
        if reply.hang_up:
            self.close_connection = True
            return
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def context_of(cache: Path, *backends: Backend, model: str = "backend") -> EngineContext:
    return EngineContext(cache, 1, lambda step, done, total: None, model=model, backends=backends)


@contextmanager
def engine_on(
    backend: FakeBackend, cache: Path, *others: FakeBackend, pace: HealthPace = FAST, **told: Any
) -> Iterator[RemoteEngine]:
    """An engine for the first model of a backend, or of several that are copies."""
    urls = tuple(f"{each.url}/v1" for each in (backend, *others))
    engine = RemoteEngine(find_model(context_of(cache, Backend(urls, **told))), pace)
    try:
        yield engine
    finally:
        engine.close()
