"""The API of a service, wired."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Final

from fastapi import FastAPI

from memcubed.admin.routes import admin_routes
from memcubed.bootstrap.service import Service
from memcubed.bootstrap.worker import drained
from memcubed.chat.routes import chat_routes
from memcubed.chat.service import ChatService
from memcubed.clock import utc_now
from memcubed.feedback.routes import feedback_routes
from memcubed.feedback.service import FeedbackService
from memcubed.http.app import BASE_PATH, Edge, create_app
from memcubed.http.links import PublicBase
from memcubed.knowledge.routes import knowledge_routes
from memcubed.knowledge.uploads import UploadLimits
from memcubed.language.redaction import redact_if_asked
from memcubed.memories.deleting import DeletionService
from memcubed.memories.library import MemoryLibrary
from memcubed.memories.routes import memory_routes
from memcubed.messages.attachments import FileLimits
from memcubed.messages.routes import message_routes
from memcubed.messages.service import MessageLimits, MessageService
from memcubed.production.preview import PreviewService
from memcubed.production.routes import preview_routes, task_routes
from memcubed.profiles.routes import profile_routes
from memcubed.projects.administration import ProjectAdministration
from memcubed.projects.authentication import AdminAuthentication, Gate, TokenAuthentication
from memcubed.projects.refusals import FailedKeys
from memcubed.providers.calls import ProviderCalls, WatchedReranker
from memcubed.providers.configured import (
    DEFAULT_RERANKER,
    create_reranker,
    create_rewriting_model,
)
from memcubed.providers.redacting import RedactingReranker
from memcubed.providers.rerank import Reranker
from memcubed.recall.cube_search import CubeSearch
from memcubed.recall.repository import RecallRepository
from memcubed.recall.rerank import LocalScorer, ModelScorer, RerankService
from memcubed.recall.reranking import Reranking
from memcubed.recall.rewriting import QueryRewriter
from memcubed.recall.routes import recall_routes
from memcubed.recall.service import RecallService
from memcubed.recall.stages import SearchStages
from memcubed.settings import Settings
from memcubed.skills.routes import skill_routes

_RERANK_SECONDS: Final = 30.0  # a search can do without a reranker, who asks for nothing else can wait


def create_http(service: Service, *, with_worker: bool) -> FastAPI:
    """The API of a service, and with `with_worker` its worker in the same process."""
    settings = service.settings
    messages = MessageService(
        service.database,
        service.memories,
        service.tasks,
        service.input_limit,
        service.knowledge,
        utc_now,
        MessageLimits(
            tokens=settings.add_max_tokens,
            files=FileLimits(
                count=settings.files_max_count,
                file_bytes=settings.document_max_bytes,
                total_bytes=settings.files_max_bytes,
            ),
            sync_wait_seconds=settings.sync_wait_seconds,
        ),
    )
    feedback = FeedbackService(
        service.database,
        messages,
        service.tasks,
        service.knowledge,
        service.input_limit.at_most(settings.add_max_tokens),
        utc_now,
        sync_wait_seconds=settings.sync_wait_seconds,
    )
    library = MemoryLibrary(
        service.database,
        service.memories,
        service.embedder,
        service.jobs.enqueue_embedding,
        utc_now,
        service.input_limit.at_most(settings.memory_max_tokens),
    )
    previews = PreviewService(service.extractor, service.input_limit, utc_now, max_tokens=settings.extract_max_tokens)
    rerank_calls = service.watched_calls("reranker", patience_seconds=settings.rerank_timeout_seconds)
    reranker = _watched(create_reranker(settings, timeout=settings.rerank_timeout_seconds), rerank_calls, settings)
    patient_reranker = _watched(create_reranker(settings, timeout=_RERANK_SECONDS), rerank_calls, settings)
    local_scorer = LocalScorer(service.embedder, service.calibrations)
    reranks = RerankService(
        local_scorer
        if patient_reranker is None
        else ModelScorer(patient_reranker, settings.rerank_model or DEFAULT_RERANKER),
        service.input_limit,
        max_tokens=settings.rerank_max_tokens,
        max_documents=settings.rerank_max_documents,
    )
    rewriting_calls = service.watched_calls("rewriting", patience_seconds=settings.query_rewrite_timeout_seconds)
    model = service.metered(create_rewriting_model(settings), rewriting_calls)
    recall = RecallService(
        CubeSearch(RecallRepository(service.database), service.knowledge),
        service.embedder,
        service.calibrations,
        service.input_limit.at_most(settings.query_max_tokens),
        utc_now,
        SearchStages(service.registry, service.tracing),
        service.recalled,
        rewriter=None
        if model is None
        else QueryRewriter(model, service.registry, timeout_seconds=settings.query_rewrite_timeout_seconds),
        reranking=None
        if reranker is None
        else Reranking(reranker, service.registry, timeout_seconds=settings.rerank_timeout_seconds),
    )
    chats = ChatService(
        service.model,
        recall,
        messages,
        service.input_limit,
        utc_now,
        max_tokens=settings.chat_max_tokens,
        other_models=frozenset(name.strip() for name in settings.chat_models.split(",") if name.strip()),
    )
    gate = Gate(FailedKeys(settings.failed_keys_per_minute), service.refusals)
    authenticate = TokenAuthentication(
        service.projects, gate, service.refusals, service.registry, base_path=BASE_PATH, redact=settings.redact
    )

    uploads = UploadLimits(
        files=settings.files_max_count, file_bytes=settings.document_max_bytes, all_bytes=settings.files_max_bytes
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await service.start()
        worker = asyncio.create_task(service.work(), name="worker") if with_worker else None
        try:
            yield
        finally:
            if worker is not None:
                await drained(worker)
            await service.stop()
            for provider in (reranker, patient_reranker, model):
                if provider is not None:
                    await provider.close()

    app = create_app(
        version=version("memcubed"),
        routers=[
            message_routes(messages, authenticate),
            task_routes(service.tasks, authenticate),
            preview_routes(previews, authenticate),
            recall_routes(recall, reranks, authenticate),
            chat_routes(chats, authenticate),
            profile_routes(service.profiles, authenticate),
            memory_routes(library, DeletionService(service.database, utc_now), authenticate),
            feedback_routes(feedback, authenticate),
            knowledge_routes(service.knowledge, authenticate, uploads),
            skill_routes(service.skills, authenticate),
        ],
        admin=admin_routes(
            ProjectAdministration(service.database),
            service.usage,
            service.doctor,
            AdminAuthentication(service.admin_keys, gate),
            utc_now,
            default_timezone=settings.default_timezone,
        ),
        health=service.health_routes(
            has_worker=with_worker, others={} if reranker is None else {"reranker": rerank_calls}
        ),
        lifespan=lifespan,
        registry=service.registry,
        tracing=service.tracing,
        edge=Edge(
            max_request_bytes=settings.max_request_bytes,
            max_upload_bytes=uploads.all_bytes * 4 // 3 + settings.max_request_bytes,  # in base64, with room around it
            cors_origins=[origin.strip() for origin in settings.cors_origins.split(",") if origin.strip()],
            has_docs=settings.api_docs,
        ),
    )
    app.add_middleware(PublicBase, public_url=settings.public_url)
    return app


def _watched(reranker: Reranker | None, calls: ProviderCalls, settings: Settings) -> Reranker | None:
    name = settings.rerank_model or DEFAULT_RERANKER
    return None if reranker is None else RedactingReranker(WatchedReranker(reranker, calls, name=name), redact_if_asked)
