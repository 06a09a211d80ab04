"""Everything that one process runs, wired; and how it starts, works and stops."""

import asyncio
import math
import signal
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from importlib.metadata import version
from typing import Final

import structlog
from fastapi import APIRouter
from procrastinate.exceptions import ConnectorException
from prometheus_client import CollectorRegistry

from memcubed.bootstrap.database import DatabaseUrls
from memcubed.bootstrap.readers import create_extractor, create_fetcher, create_parser, create_tracing, embeddings_name
from memcubed.bootstrap.revival import keep_database
from memcubed.bootstrap.worker import drained, ended, run_jobs
from memcubed.clock import utc_now
from memcubed.doctor.service import DoctorService
from memcubed.errors import ProviderError, ServiceUnavailableError
from memcubed.feedback.effect import RUN_FEEDBACK, FeedbackEffect
from memcubed.feedback.llm_reader import LlmReader
from memcubed.feedback.local_reader import LocalReader
from memcubed.http.app import create_health_app
from memcubed.http.health import Running, health_routes
from memcubed.http.readiness import PartMetrics, Readiness
from memcubed.http.server import open_socket, served
from memcubed.knowledge.jobs import KnowledgeQueue
from memcubed.knowledge.jobs import register_jobs as register_knowledge_jobs
from memcubed.knowledge.processing import FileProcessor
from memcubed.knowledge.service import KnowledgeService
from memcubed.language.redaction import redact_if_asked
from memcubed.memories.service import MemoryService
from memcubed.production.attachments.reader import AttachmentReader
from memcubed.production.attachments.service import AttachmentService
from memcubed.production.echo_guard import EchoGuard
from memcubed.production.embedding import EmbeddingService
from memcubed.production.jobs import (
    RUN_SHARE,
    ProductionQueue,
    register_embedding_jobs,
    register_share_job,
    rescue_stalled_jobs,
)
from memcubed.production.local import LocalExtractor
from memcubed.production.service import ProductionService
from memcubed.production.shares import Receipts, ShareService
from memcubed.production.tasks import TaskKind, TaskService
from memcubed.profiles.llm_filling import LlmFiller
from memcubed.profiles.local_filling import LocalFiller
from memcubed.profiles.service import ProfileService
from memcubed.projects.admin_keys import AdminKeyService
from memcubed.projects.input_limit import InputLimit
from memcubed.projects.jobs import ProjectJobs
from memcubed.projects.limits import Bucket
from memcubed.projects.refusals import Refusals
from memcubed.projects.service import ProjectService
from memcubed.providers.calls import ProviderCalls, ProviderMetrics, WatchedModel, WatchedVision
from memcubed.providers.configured import (
    create_embedder,
    create_model,
    create_vision_model,
)
from memcubed.providers.embeddings import Embedder
from memcubed.providers.llm.metering import MeteredModel, MeteredVision
from memcubed.providers.llm.protocol import LanguageModel
from memcubed.providers.redacting import RedactingEmbedder, RedactingModel
from memcubed.recall.calibrations import CalibrationService
from memcubed.recall.model import Calibration
from memcubed.recall.recalled import RecalledMemories
from memcubed.settings import Settings
from memcubed.skills.distilling import Distiller
from memcubed.skills.generation import SkillGenerator
from memcubed.skills.jobs import register_skill_jobs
from memcubed.skills.service import SkillService
from memcubed.skills.upload import SkillReader
from memcubed.skills.uploaded import UploadedSkills
from memcubed.store.job_watch import JobWatch
from memcubed.store.migrate import head_revision
from memcubed.store.queue import Backoff, create_queue, own_jobs
from memcubed.store.queue_state import StoreMetrics
from memcubed.store.session import UNAVAILABLE_ERRORS, Database
from memcubed.store.slots import DatabaseSlots
from memcubed.usage.jobs import JobAttribution
from memcubed.usage.service import UsageService

log = structlog.get_logger(__name__)

_PREPARE_SECONDS: Final = 15.0


class Service:
    """Everything that one process runs, wired but not started; `embedder` replaces the one that the settings name."""

    def __init__(self, settings: Settings, urls: DatabaseUrls, *, embedder: Embedder | None = None) -> None:
        self.settings = settings
        self._urls = urls
        self._watch: asyncio.Task[None] | None = None
        self._writing: asyncio.Task[None] | None = None
        self._preparing: asyncio.Task[None] | None = None
        self.registry = CollectorRegistry()
        self.database = Database(urls.service, pool_size=settings.database_pool_size)
        self.tracing = create_tracing(settings)
        self.queue = create_queue(urls.service, self.tracing)
        self.usage = UsageService(self.database, self.registry, utc_now, daily_token_budget=settings.daily_token_budget)
        self.slots = DatabaseSlots(urls.service, settings.llm_total_concurrency, self.registry)
        self._provider_metrics = ProviderMetrics(self.registry)
        self._calls = {name: self.watched_calls(name) for name in ("llm", "embeddings", "vision")}
        self.embedder = self._created_embedder() if embedder is None else embedder
        self.model = self.metered(create_model(settings), self._calls["llm"])
        self.extractor = create_extractor(settings, self.model)
        self.fetcher = create_fetcher(settings, self.tracing)
        self.documents = create_parser(settings, self.tracing)
        self.projects = ProjectService(
            self.database,
            Bucket(settings.request_burst, per_second=settings.requests_per_second),
            redact=settings.redact,
        )
        self.admin_keys = AdminKeyService(self.database)
        self.refusals = Refusals(self.registry)
        self.input_limit = InputLimit(
            self.database,
            Bucket(settings.tokens_per_minute, per_second=settings.tokens_per_minute / 60),
            self.refusals,
        )
        self.memories = MemoryService(self.embedder, utc_now)
        self.calibrations = CalibrationService(self.database, self.embedder)
        self.jobs = ProductionQueue(self.queue, self.tracing)
        self.tasks = TaskService(
            self.database,
            {
                TaskKind.MESSAGES: self.jobs.enqueue_shares_as(RUN_SHARE),
                TaskKind.FEEDBACK: self.jobs.enqueue_shares_as(RUN_FEEDBACK),
            },
        )
        self.recalled = RecalledMemories(self.database, utc_now)
        shares = ShareService(self.database, utc_now, Receipts(self.registry, self.usage))
        embedding = EmbeddingService(self.database, self.memories, self.embedder)
        filler = LocalFiller() if self.model is None else LlmFiller(self.model)
        self.profiles = ProfileService(self.database, self.memories, filler, self.jobs.enqueue_embedding, utc_now)
        self.vision = self._metered_vision()
        attachments = AttachmentService(
            self.database,
            AttachmentReader(self.fetcher, self.documents, self.vision, file_bytes=settings.document_max_bytes),
            total_bytes=settings.files_max_bytes,
        )
        production = ProductionService(
            self.database,
            shares,
            self.memories,
            embedding,
            self.embedder,
            self.extractor,
            self.profiles,
            attachments,
            guard=EchoGuard(self.database, self.recalled, self.registry),
        )
        backoff = Backoff(attempts=settings.task_attempts, first_wait_seconds=settings.task_backoff_seconds)
        register_share_job(self.queue, RUN_SHARE, production.run_share, shares, self.projects, self.jobs, backoff)
        reader = LocalReader(LocalExtractor())
        feedback = FeedbackEffect(
            self.database,
            shares,
            self.memories,
            self.embedder,
            reader if self.model is None else LlmReader(self.model, reader),
        )
        register_share_job(self.queue, RUN_FEEDBACK, feedback.run_share, shares, self.projects, self.jobs, backoff)
        register_embedding_jobs(self.queue, embedding, self.projects, self.jobs, backoff)
        skills = SkillReader(utc_now)
        self.knowledge = KnowledgeService(
            self.database, self.memories, KnowledgeQueue(self.queue), utc_now, skills=skills
        )
        embed = self.jobs.enqueue_embedding
        self.doctor = DoctorService(
            self.database, self.projects, self.tasks, self.knowledge, self.usage, self.embedder, embed
        )
        self.files = FileProcessor(
            self.database,
            self.memories,
            embedding,
            self.documents,
            self.fetcher,
            utc_now,
            skills=skills,
        )
        register_knowledge_jobs(self.queue, self.files, self.jobs, backoff)
        self.skills = SkillService(self.database, self.memories, UploadedSkills(self.knowledge).find)
        self.skill_generator = SkillGenerator(
            self.database,
            self.memories,
            self.embedder,
            self.calibrations,
            None if self.model is None else Distiller(self.model),
            self.jobs.enqueue_embedding,
            self.usage,
        )
        register_skill_jobs(self.queue, self.skill_generator, self.projects, backoff)

    def metered(self, model: LanguageModel | None, calls: ProviderCalls) -> LanguageModel | None:
        """A model whose calls are watched and counted, within the project's budget and the bound of all processes.

        It is shown nothing that its project wants redacted.
        """
        if model is None:
            return None
        at_once = self.settings.llm_concurrency
        metered = MeteredModel(WatchedModel(model, calls), self.usage, self.slots, max_concurrency=at_once)
        return RedactingModel(metered, redact_if_asked)

    def _created_embedder(self) -> Embedder:
        embedder = create_embedder(self.settings, self.usage.add_embeddings, self._calls["embeddings"])
        # What the local model reads goes nowhere.
        return embedder if self.settings.embedding_base_url is None else RedactingEmbedder(embedder, redact_if_asked)

    def _metered_vision(self) -> MeteredVision | None:
        vision = create_vision_model(self.settings)
        if vision is None:
            return None
        watched = WatchedVision(vision, self._calls["vision"])
        return MeteredVision(watched, self.usage, self.slots, max_concurrency=self.settings.llm_concurrency)

    def watched_calls(self, provider: str, *, patience_seconds: float = math.inf) -> ProviderCalls:
        """What stands around the calls to an endpoint."""
        return ProviderCalls(provider, self._provider_metrics, self.tracing, patience_seconds=patience_seconds)

    def health_routes(self, *, has_worker: bool, others: Mapping[str, ProviderCalls] | None = None) -> APIRouter:
        """Health and metrics of this process; `others` are endpoints that only the API calls."""

        def describe() -> Running:
            return Running(
                version=version("memcubed"),
                extractor=self.extractor.name,
                embeddings=embeddings_name(self.embedder),
                database="bundled" if self.settings.uses_bundled_database else "external",
                worker=has_worker,
            )

        has_endpoint = self.settings.embedding_base_url is not None
        providers = {
            "embeddings": self._calls["embeddings"] if has_endpoint else None,
            "llm": None if self.model is None else self._calls["llm"],
            **({} if self.vision is None else {"vision": self._calls["vision"]}),
            **(others or {}),
        }
        readiness = Readiness(
            self.database,
            providers,
            revision=head_revision(),
            queue_age_seconds=self.settings.queue_age_seconds,
        )
        gauges = (PartMetrics(readiness, self.registry), StoreMetrics(self.database, self.registry))

        async def refresh() -> None:
            await asyncio.gather(*(gauge.refresh() for gauge in gauges))

        return health_routes(describe, readiness, self.registry, refresh)

    async def start(self) -> None:
        """Open the queue and warm the embedding model, so that the first request is as fast as the others.

        Raises ServiceUnavailableError when the database does not answer for half a minute.
        """
        await self._open_queue()
        self._writing = asyncio.create_task(self.usage.keep_writing(), name="writing of usage")
        if not await self._prepare_embeddings():
            self._preparing = asyncio.create_task(self._keep_preparing(), name="preparing of embeddings")
        if self.settings.uses_bundled_database:
            keep = keep_database(self.database, self.settings, self._urls)
            self._watch = asyncio.create_task(keep, name="watch of the database")
        if self.settings.llm_base_url is not None and self.settings.llm_model is None:
            log.warning("llm_not_used", reason="MEMCUBED_LLM_BASE_URL is set, but MEMCUBED_LLM_MODEL is not")
        log.info("memcubed_started", extractor=self.extractor.name, embeddings=embeddings_name(self.embedder))

    async def _open_queue(self) -> None:
        try:
            await self.queue.open_async()
        except (ConnectorException, *UNAVAILABLE_ERRORS) as error:
            raise ServiceUnavailableError(f"The database does not answer: {error.__cause__ or error}") from error

    async def _prepare_embeddings(self) -> bool:
        try:
            await self.embedder.load()
            await self.calibrations.prepare()
        except ProviderError as error:
            log.warning("embeddings_unavailable", reason=error.message)
            return False
        except UNAVAILABLE_ERRORS as error:
            log.warning("calibration_not_read", reason=str(error).splitlines()[0])
            return False
        return True

    async def _keep_preparing(self) -> None:
        """Until it succeeds: what did not answer at the start may well answer later."""
        are_prepared = False
        while not are_prepared:
            await asyncio.sleep(_PREPARE_SECONDS)
            are_prepared = await self._prepare_embeddings()

    async def stop(self) -> None:
        """Close every connection."""
        for task in (self._watch, self._writing, self._preparing):
            if task is not None:
                await ended(task)
        await self.usage.write()
        await self.slots.close()
        await self.queue.close_async()
        await self.recalled.drain()
        await self.database.close()
        for model in (self.embedder, self.model, self.vision):
            if model is not None:
                await model.close()
        await asyncio.to_thread(self.tracing.close)

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        """With the queue open and nothing else started, for commands; closed at the end of the block."""
        await self._open_queue()
        try:
            yield
        finally:
            await self.stop()

    async def run_worker(self) -> None:
        """Start, and run jobs until SIGINT or SIGTERM."""
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stopped.set)
        with self._metrics_socket() as listener:
            await self.start()
            worker = asyncio.create_task(self.work(), name="worker")
            async with self._measured(listener):
                await stopped.wait()
                await drained(worker)
        await self.stop()

    def _metrics_socket(self) -> AbstractContextManager[socket.socket | None]:
        port = self.settings.metrics_port
        if port is None:
            return nullcontext()
        return open_socket(self.settings.host, port, chosen_by="MEMCUBED_HOST or MEMCUBED_METRICS_PORT")

    @asynccontextmanager
    async def _measured(self, listener: socket.socket | None) -> AsyncIterator[None]:
        """With health and metrics served, where a worker without an API is to have them."""
        if listener is None:
            yield
            return
        app = create_health_app(self.health_routes(has_worker=True))
        log.info("metrics_served", port=listener.getsockname()[1])
        async with served(app, listener):
            yield

    async def work(self) -> None:
        """Run jobs until cancelled; running ones are finished, or given back to the queue, before it returns."""
        watch = JobWatch(self.registry, self.tracing, own_jobs(self.queue))
        projects = ProjectJobs(self.projects)
        rescue = asyncio.create_task(rescue_stalled_jobs(self.queue), name="rescue of stalled jobs")
        try:
            await run_jobs(
                self.queue,
                self.jobs.enqueue_embedding_of_all,
                concurrency=self.settings.worker_concurrency,
                middleware=[watch.run, JobAttribution(self.usage).run, projects.run],
            )
        finally:
            await ended(rescue)


async def calibrate(settings: Settings, urls: DatabaseUrls) -> Calibration:
    """Fit and store the calibration of the configured embedding model. Raises ProviderError."""
    service = Service(settings, urls)
    await service.start()
    try:
        return await service.calibrations.fit()
    finally:
        await service.stop()
