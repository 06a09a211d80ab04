"""docs/api.md: its examples run, and it leaves out no field, no route and no error."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from memcubed.chat.schemas import ChatData, ChatEvent, ChatRequest
from memcubed.errors import ConfigurationError, MemcubedError, ProviderError
from memcubed.feedback.schemas import AddFeedbackRequest
from memcubed.knowledge.schemas import (
    AddedFile,
    AddFilesRequest,
    CreateBaseData,
    CreateBaseRequest,
    DeleteBaseRequest,
    DeleteFilesRequest,
    FileDetail,
    FileIn,
    GetFilesData,
    GetFilesRequest,
)
from memcubed.memories.requests import (
    DeleteMemoryRequest,
    GetMemoryData,
    GetMemoryRequest,
    SuccessData,
    UpdateMemoryRequest,
)
from memcubed.memories.schemas import (
    DocumentPlace,
    EventDetail,
    MemoryDetail,
    PreferenceDetail,
    ProfileDetail,
    SkillDetail,
    SkillValue,
    SourceDetail,
    ToolMemoryDetail,
    ToolUse,
    VersionDetail,
)
from memcubed.messages.schemas import AddMessageData, AddMessageRequest, GetMessageData, GetMessageRequest, MessageIn
from memcubed.production.schemas import (
    ExtractedMemory,
    ExtractedPreference,
    ExtractMemoryData,
    ExtractMemoryRequest,
    GetStatusRequest,
    TaskData,
)
from memcubed.profiles.schemas import (
    AddTemplateRequest,
    BindRequest,
    EditProfileRequest,
    ListTemplatesRequest,
    ProfileData,
    ProfileRequest,
    TemplateData,
    TemplatesData,
    UpdateTemplateRequest,
)
from memcubed.recall.schemas import RerankAnswer, RerankRequest, RerankResult, RerankUsage, SearchData, SearchRequest

DOCUMENT = Path(__file__).parents[2] / "docs" / "api.md"
MODELS: tuple[type[BaseModel], ...] = (
    AddMessageRequest,
    MessageIn,
    AddMessageData,
    AddFeedbackRequest,
    GetStatusRequest,
    TaskData,
    SearchRequest,
    SearchData,
    MemoryDetail,
    PreferenceDetail,
    SkillDetail,
    SkillValue,
    SourceDetail,
    ToolMemoryDetail,
    ToolUse,
    EventDetail,
    GetMessageRequest,
    GetMessageData,
    DocumentPlace,
    CreateBaseRequest,
    CreateBaseData,
    DeleteBaseRequest,
    AddFilesRequest,
    FileIn,
    AddedFile,
    GetFilesRequest,
    GetFilesData,
    FileDetail,
    DeleteFilesRequest,
    GetMemoryRequest,
    GetMemoryData,
    VersionDetail,
    UpdateMemoryRequest,
    DeleteMemoryRequest,
    SuccessData,
    ExtractMemoryRequest,
    ExtractMemoryData,
    ExtractedMemory,
    ExtractedPreference,
    RerankRequest,
    RerankAnswer,
    RerankResult,
    RerankUsage,
    ProfileDetail,
    AddTemplateRequest,
    TemplateData,
    ListTemplatesRequest,
    TemplatesData,
    UpdateTemplateRequest,
    BindRequest,
    EditProfileRequest,
    ProfileRequest,
    ProfileData,
    ChatRequest,
    ChatData,
    ChatEvent,
)


def test_every_example_answers_what_it_shows(run_document: Callable[..., None]) -> None:
    run_document("docs/api.md")


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_field_is_described(model: type[BaseModel]) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    for field in model.model_fields:
        assert re.search(rf"`{field}(\[\])?`", text), field


def errors(root: type[MemcubedError]) -> Iterator[type[MemcubedError]]:
    yield root
    for error in root.__subclasses__():
        yield from errors(error)


def test_every_error_is_in_the_table() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    never_answered = {ConfigurationError, ProviderError}
    for error in set(errors(MemcubedError)) - never_answered:
        assert f"| {error.code} | {error.status.value} |" in text, error.__name__
