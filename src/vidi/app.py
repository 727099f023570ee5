"""The composition root: the one place that picks implementations and wires them together."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pkgutil import resolve_name
from typing import TYPE_CHECKING

from starlette.applications import Starlette

from vidi.byte_budget import ByteBudget
from vidi.domain.errors import Unavailable
from vidi.engines.answer_cache import AnswerCache
from vidi.engines.base import Progress
from vidi.engines.registry import Registry
from vidi.engines.segmenter import SegmenterThreads
from vidi.files.aio import LARGEST_PICTURE_FILE, AsyncFiles, files_over, lease_files, open_files
from vidi.files.metadata import find_id
from vidi.files.service import FileService
from vidi.files.store import FileLimits, SharedPlace
from vidi.generate import GenerateOptions, GenerateService, References
from vidi.http import playground
from vidi.http.access import Access, AccessPolicy
from vidi.http.body import BodyReader
from vidi.http.files import FileRoutes, UploadRoutes
from vidi.http.interactions import InteractionEndpoint, InteractionLookup, InteractionRoutes
from vidi.http.keys import KeyRing, UsageBook, open_usage
from vidi.http.logs import ClosingObserver, Observer, log_request
from vidi.http.middleware import Gateway
from vidi.http.models import GenerateEndpoint, ModelRoutes
from vidi.http.ops import OpsRoutes, RequestMetrics
from vidi.http.routes import Endpoints, RouteTable, route_table
from vidi.http.stream import Drain
from vidi.images.fetch import UrlFetcher
from vidi.images.header import inspect_upload
from vidi.images.pool import DecoderPool
from vidi.in_process import decoder_pool, engines, image_limits, quiet, segmenter_threads
from vidi.interactions.service import InteractionService, interactions_over, open_interactions
from vidi.interactions.store import InteractionLimits
from vidi.settings import Settings, SettingsError, server_keys
from vidi.storage.clock import utc_now
from vidi.storage.threads import StorageThreads

if TYPE_CHECKING:
    from vidi.interactions.postgres import SharedStorage

log = logging.getLogger(__name__)

LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")
"""Names under which a server without keys may be called."""


def create_app(
    settings: Settings,
    progress: Progress = quiet,
    drain: Drain | None = None,
    registry: Registry | None = None,
) -> Gateway:
    """The server as an ASGI application; what it opens is closed when its lifespan ends.

    Args:
        settings: What the owner chose.
        progress: Told about long work.
        drain: Who ends the server tells it; None if nobody does.
        registry: The models, if they were looked up already.

    Raises:
        NotFound: The chosen model is unknown.
        Unavailable: No model is installed, or no such segmenter, or another server uses the data directory.
        SettingsError: The file of keys cannot be read.
    """
    registry = registry or engines(settings, progress)
    budget = ByteBudget(settings.memory_bytes)
    decoders = decoder_pool(settings, budget)
    opened = contextlib.ExitStack()
    threads = StorageThreads()
    urls = opened.enter_context(
        contextlib.closing(
            UrlFetcher(budget, allowed=settings.urls_allowed, is_file=lambda uri: find_id(uri) is not None)
        )
    )
    keys = KeyRing(partial(server_keys, settings), utc_now)
    files, interactions = opened.enter_context(storage(settings, threads, keys))
    usage = opened.enter_context(open_usage(settings.data_dir, utc_now))
    metrics = RequestMetrics()
    segmenter = opened.enter_context(contextlib.closing(segmenter_threads(settings, progress)))
    parts = Parts(
        budget,
        registry,
        decoders,
        segmenter,
        threads,
        urls,
        files,
        interactions,
        metrics,
        keys,
        usage,
        opened,
    )
    policy = access_policy(settings, keys, usage)
    return Gateway(
        Starlette(lifespan=lifespan(parts)),
        policy=policy,
        resolve=routes(settings, parts).resolve,
        drain=drain or Drain(settings.drain_seconds),
        observers=(log_request, metrics, *opened.enter_context(tracing(settings.traces_url))),
    )


@dataclass(frozen=True, slots=True)
class Parts:
    """What runs as long as the server does; `opened` closes what lies on the disk."""

    budget: ByteBudget
    registry: Registry
    decoders: DecoderPool
    segmenter: SegmenterThreads
    threads: StorageThreads
    urls: UrlFetcher
    files: AsyncFiles
    interactions: InteractionService
    metrics: RequestMetrics
    keys: KeyRing
    usage: UsageBook
    opened: contextlib.ExitStack


@contextlib.contextmanager
def storage(
    settings: Settings, threads: StorageThreads, keys: KeyRing
) -> Iterator[tuple[AsyncFiles, InteractionService]]:
    """What is kept, on this server's disk or where it shares it with others, within the limits of each key.

    The threads end first: what they still write must lie there before another server may take the directory.
    """
    lifetime = timedelta(hours=settings.file_hours)
    limits = FileLimits(
        file_bytes=settings.max_file_bytes,
        total_bytes=settings.max_storage_bytes,
        owner_bytes=keys.stored_bytes,
        lifetime=lifetime,
        readers_ttl=timedelta(seconds=settings.request_seconds + 60),
    )
    inspect = partial(
        inspect_upload, limits=image_limits(settings), largest=LARGEST_PICTURE_FILE, alone=threading.Lock()
    )
    interaction_limits = InteractionLimits(lifetime=lifetime)
    if settings.blob_url:
        with shared_storage(settings) as shared, contextlib.closing(threads):
            service = FileService(shared.files, limits, shared.clock)
            yield (
                files_over(service, threads, inspect),
                interactions_over(shared.interactions, interaction_limits, shared.clock),
            )
        return
    with (
        open_files(settings.data_dir, limits, threads, inspect=inspect) as files,
        open_interactions(settings.data_dir, interaction_limits) as interactions,
        contextlib.closing(threads),
    ):
        yield files, interactions


@contextlib.contextmanager
def tracing(url: str) -> Iterator[Sequence[Observer]]:
    """What sends traces to a collector; nothing where none is named.

    Raises:
        Unavailable: OpenTelemetry is not installed.
    """
    if not url:
        yield ()
        return
    try:
        open_traces: Callable[[str], ClosingObserver] = resolve_name("vidi.http.traces:open_traces")
    except ModuleNotFoundError as missing:
        raise Unavailable(
            "Traces need OpenTelemetry: "
            "`pip install opentelemetry-exporter-otlp-proto-http opentelemetry-sdk`."
        ) from missing
    with contextlib.closing(open_traces(url)) as traces:
        yield (traces,)


def shared_storage(settings: Settings) -> contextlib.AbstractContextManager[SharedStorage]:
    """The database and the bucket that this server shares with others; their packages are an extra."""
    try:
        opener: Callable[[SharedPlace], contextlib.AbstractContextManager[SharedStorage]] = resolve_name(
            "vidi.interactions.postgres:open_shared"
        )
    except ModuleNotFoundError as missing:
        raise Unavailable(
            f"A shared storage needs the Python package {missing.name}: "
            "`pip install obstore 'psycopg[binary,pool]'`."
        ) from missing
    return opener(
        SharedPlace(
            database=settings.database_url.get_secret_value(),
            blobs=settings.blob_url,
            cache=settings.data_dir,
            cache_bytes=settings.blob_cache_bytes,
        )
    )


def routes(settings: Settings, parts: Parts) -> RouteTable:
    """The endpoints, built and put behind their paths."""
    body_reader = BodyReader(settings.max_request_bytes, parts.budget)
    service = GenerateService(
        parts.registry,
        parts.decoders,
        References(parts.urls.fetched, partial(lease_files, parts.files)),
        AnswerCache(settings.answer_cache_bytes),
        GenerateOptions(image_limits(settings), parts.budget, parts.segmenter, settings.grounding),
    )
    generate = GenerateEndpoint(
        service=service,
        registry=parts.registry,
        usage=parts.usage,
        body_reader=body_reader,
        max_images=settings.max_images,
        seconds=settings.request_seconds,
    )
    stored = InteractionRoutes(parts.threads, parts.interactions)
    interact = InteractionEndpoint(
        service=service,
        registry=parts.registry,
        usage=parts.usage,
        body_reader=body_reader,
        stored=stored,
        max_images=settings.max_images,
        seconds=settings.request_seconds,
    )
    return route_table(
        Endpoints(
            models=ModelRoutes(parts.registry),
            generate=generate,
            interact=interact,
            interaction=InteractionLookup(stored, parts.budget),
            interactions=stored,
            files=FileRoutes(parts.files),
            uploads=UploadRoutes(parts.files, body_reader, parts.keys.is_owner),
            page=playground.load(),
            preview=playground.PreviewEndpoint(
                parts.decoders, body_reader, image_limits(settings), settings.request_seconds
            ),
            ops=OpsRoutes(parts.registry, parts.decoders, parts.files, parts.metrics, parts.usage),
        ),
        Access.PUBLIC if settings.open_monitoring else Access.LOCAL_OR_KEY,
    )


def access_policy(settings: Settings, keys: KeyRing, usage: UsageBook) -> AccessPolicy:
    """Who may call."""
    hosts = (*LOCAL_HOSTS, settings.host, *settings.allowed_hosts)
    return AccessPolicy(keys, usage, frozenset(name.lower() for name in hosts), settings.trusted_proxies)


def lifespan(parts: Parts) -> Callable[[Starlette], contextlib.AbstractAsyncContextManager[None]]:
    """Opens the default model and the janitors at the start, closes every part at the end."""

    @contextlib.asynccontextmanager
    async def run(_: Starlette) -> AsyncIterator[None]:
        if threading.current_thread() is threading.main_thread():
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reload_keys, parts.keys)
        janitors = [
            asyncio.create_task(parts.files.run_janitor()),
            asyncio.create_task(parts.interactions.run_janitor(parts.threads)),
            asyncio.create_task(parts.usage.run_saving(parts.threads)),
        ]
        default = parts.registry.default
        try:
            if default.ready:
                try:
                    await parts.registry.open(default.card.id)
                except Unavailable as error:
                    log.warning("%s", error.message)
            yield
        finally:
            # However it ends: an engine's thread that is left in native code would abort the program's exit.
            for janitor in janitors:
                janitor.cancel()
            await parts.registry.close()
            await parts.decoders.close()
            parts.opened.close()

    return run


def reload_keys(keys: KeyRing) -> None:
    """Read the keys again; if they cannot be read, those that were read last stay."""
    try:
        log.warning("%d keys are valid now", keys.reload())
    except SettingsError as error:
        log.warning("The keys were not read again, the old ones stay: %s", error)
