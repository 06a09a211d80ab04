"""The bodies and answers of the knowledge base routes."""

from typing import Annotated, Any, Final, Self
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from memcubed.clock import epoch_milliseconds
from memcubed.contract.request import Count, RequestModel, Text, documented
from memcubed.errors import (
    EmptyListError,
    InvalidRequestError,
    KnowledgeBaseNotFoundError,
    MissingFieldError,
    UnsupportedTypeError,
)
from memcubed.knowledge.model import File, FileStatus, FileType

MAX_NAME_CHARACTERS: Final = 200
MAX_DESCRIPTION_CHARACTERS: Final = 2000
MAX_FILE_IDS: Final = 100
MAX_PAGE_SIZE: Final = 100

ALL_BASES: Final = "all"
MAX_BASES: Final = 100

_EXAMPLE_ID: Final = "5d1f8a46-0b0f-4f3e-8b5c-6f7d8a9e0c11"
_BYTES_A_MEGABYTE: Final = 1_000_000
_MEGABYTE_DIGITS: Final = 3
_SMALLEST_MEGABYTES: Final = 0.001
_LARGEST_PAGE: Final = 1_000_000


def find_uuid(text: str) -> UUID | None:
    """The id, or None when nothing can have it."""
    try:
        return UUID(text)
    except ValueError:
        return None


def read_base_id(text: str) -> UUID:
    """The id of a knowledge base. Raises KnowledgeBaseNotFoundError when none can have it."""
    found = find_uuid(text)
    if found is None:
        raise KnowledgeBaseNotFoundError(f"There is no knowledge base {text[:100]!r}.")
    return found


def check_base_id(value: object) -> object:
    """A knowledge base's id in a request, given at all."""
    if not isinstance(value, str):
        raise InvalidRequestError("knowledgebase_id must be a string.")
    if not value.strip():
        raise MissingFieldError("knowledgebase_id must not be empty.")
    return value.strip()


def check_base_ids(value: object, field: ValidationInfo) -> object:
    """A list of knowledge bases' ids."""
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise InvalidRequestError(f"{field.field_name} must be a list of strings.")
    if len(value) > MAX_BASES:
        raise InvalidRequestError(f"{field.field_name} takes at most {MAX_BASES} ids; it has {len(value)}.")
    return value


def check_type(value: object, field: str) -> FileType:
    """What a file is for."""
    if not isinstance(value, str) or value not in set(FileType):
        raise UnsupportedTypeError(f"{field} must be one of {', '.join(FileType)}.")
    return FileType(value)


def _check_file_ids(value: object) -> object:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise InvalidRequestError("file_ids must be a list of strings.")
    if not value:
        raise EmptyListError("file_ids must hold at least one id.")
    if len(value) > MAX_FILE_IDS:
        raise InvalidRequestError(f"file_ids takes at most {MAX_FILE_IDS} ids; it has {len(value)}.")
    return value


BaseId = Annotated[str, BeforeValidator(check_base_id), documented(pattern=r"\S")]
FileIds = Annotated[list[str], BeforeValidator(_check_file_ids), documented(minItems=1, maxItems=MAX_FILE_IDS)]
BaseIds = Annotated[list[str], BeforeValidator(check_base_ids)]
"""Knowledge bases in other routes' requests, such as `allow_knowledgebase_ids`."""


class CreateBaseRequest(RequestModel):
    """A new, empty knowledge base."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"knowledgebase_name": "公司制度"}]})

    knowledgebase_name: Annotated[Text, documented(maxLength=MAX_NAME_CHARACTERS)]
    knowledgebase_description: str = ""

    @field_validator("knowledgebase_name")
    @classmethod
    def _has_a_name(cls, name: str) -> str:
        if not name.strip():
            raise MissingFieldError("knowledgebase_name must not be empty.")
        if len(name) > MAX_NAME_CHARACTERS:
            raise InvalidRequestError(f"knowledgebase_name must be at most {MAX_NAME_CHARACTERS} characters.")
        return name.strip()

    @field_validator("knowledgebase_description")
    @classmethod
    def _is_short(cls, text: str) -> str:
        if len(text) > MAX_DESCRIPTION_CHARACTERS:
            raise InvalidRequestError(
                f"knowledgebase_description must be at most {MAX_DESCRIPTION_CHARACTERS} characters."
            )
        return text


class CreateBaseData(BaseModel):
    """The new knowledge base."""

    id: str


class DeleteBaseRequest(RequestModel):
    """A knowledge base to delete with all that is in it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"knowledgebase_id": _EXAMPLE_ID}]})

    knowledgebase_id: BaseId


class DeletedData(BaseModel):
    """What was asked for is done."""

    success: bool = True


class FileIn(BaseModel):
    """A file in a JSON body."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    content: str
    """An http(s) URL, base64, or a data URL."""
    name: str | None = None
    """Its name with its ending; the URL's when absent."""
    type: FileType = FileType.DOCUMENT


def _check_files(files: object) -> object:
    if isinstance(files, dict):  # as a single file is often sent
        files = [files]
    if not isinstance(files, list):
        raise InvalidRequestError("file must be a list of objects with `content`.")
    if not files:
        raise EmptyListError("file must hold at least one file.")
    for index, file in enumerate(files):
        path = f"file[{index}]"
        if not isinstance(file, dict):
            raise InvalidRequestError(f"{path} must be an object with `content`.")
        content = file.get("content")
        if content is None or content == "":
            raise MissingFieldError(f"{path}.content is required: an http(s) URL, base64 or a data URL.")
        if not isinstance(content, str):
            raise InvalidRequestError(f"{path}.content must be a string.")
        if not isinstance(file.get("name", ""), str):
            raise InvalidRequestError(f"{path}.name must be a string.")
        check_type(file.get("type", FileType.DOCUMENT), f"{path}.type")
    return files


class AddFilesRequest(RequestModel):
    """Files to add to a knowledge base."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "knowledgebase_id": "0b42a1f4-6a29-4a3c-9a77-f34d0a3ef6a4",
                    "file": [{"name": "hello.txt", "content": "aGVsbG8="}],
                }
            ]
        }
    )

    knowledgebase_id: BaseId
    file: Annotated[list[FileIn], BeforeValidator(_check_files)]


class AddedFile(BaseModel):
    """A file that was accepted. `sizeMB` is null until a file from a URL was fetched."""

    id: str
    name: str
    sizeMB: float | None  # noqa: N815 - the contract's name
    status: FileStatus

    @classmethod
    def of(cls, file: File) -> "AddedFile":
        """The file, as the answer to its upload shows it."""
        size = None
        if file.size is not None:
            size = max(round(file.size / _BYTES_A_MEGABYTE, _MEGABYTE_DIGITS), _SMALLEST_MEGABYTES)
        return cls(id=str(file.id), name=file.name, sizeMB=size, status=file.status)


class GetFilesRequest(RequestModel):
    """Files by their ids, or those of a knowledge base."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"file_ids": [_EXAMPLE_ID]}, {"knowledgebase_id": _EXAMPLE_ID, "page": 1, "page_size": 10}]
        }
    )

    file_ids: FileIds | None = None
    knowledgebase_id: BaseId | None = None
    type: FileType | None = None
    """Only these files of the knowledge base."""
    page: Annotated[Count, documented(minimum=1, maximum=_LARGEST_PAGE)] = 1
    page_size: Annotated[Count, documented(minimum=1, maximum=MAX_PAGE_SIZE)] = 10

    @model_validator(mode="before")
    @classmethod
    def _empty_means_absent(cls, body: Any) -> Any:  # noqa: ANN401 - whatever was sent
        if isinstance(body, dict) and body.get("file_ids") == [] and body.get("knowledgebase_id"):
            return {name: value for name, value in body.items() if name != "file_ids"}
        return body

    @field_validator("type", mode="before")
    @classmethod
    def _known_type(cls, value: object) -> FileType:
        return check_type(value, "type")

    @field_validator("page")
    @classmethod
    def _within_pages(cls, page: int) -> int:
        if not 1 <= page <= _LARGEST_PAGE:
            raise InvalidRequestError(f"page must be from 1 to {_LARGEST_PAGE}.")
        return page

    @field_validator("page_size")
    @classmethod
    def _within_sizes(cls, size: int) -> int:
        if not 1 <= size <= MAX_PAGE_SIZE:
            raise InvalidRequestError(f"page_size must be from 1 to {MAX_PAGE_SIZE}.")
        return size

    @model_validator(mode="after")
    def _one_of_the_two(self) -> Self:
        if self.file_ids is None and self.knowledgebase_id is None:
            raise MissingFieldError("file_ids is required (or knowledgebase_id).")
        if self.file_ids is not None and self.knowledgebase_id is not None:
            raise InvalidRequestError("file_ids and knowledgebase_id exclude each other; give one of them.")
        return self


class FileDetail(BaseModel):
    """A file of a knowledge base. `size` is in bytes, null until a file from a URL was fetched."""

    id: str
    name: str
    size: int | None
    status: FileStatus
    reason: str | None
    """Why it failed, or why it is being tried again."""
    type: FileType
    knowledgebase_id: str
    memory_count: int | None
    """How many memories were made of it; null until it was read."""
    create_time: int
    update_time: int

    @classmethod
    def of(cls, file: File) -> "FileDetail":
        """The file, as the API shows it."""
        return cls(
            id=str(file.id),
            name=file.name,
            size=file.size,
            status=file.status,
            reason=file.reason,
            type=file.type,
            knowledgebase_id=str(file.knowledge_base_id),
            memory_count=file.pieces,
            create_time=epoch_milliseconds(file.created_at),
            update_time=epoch_milliseconds(file.updated_at),
        )


class GetFilesData(BaseModel):
    """Files, and for those of a knowledge base the page that they are of."""

    file_detail_list: list[FileDetail]
    total: int
    page: int
    page_size: int


class DeleteFilesRequest(RequestModel):
    """Files to delete with the memories that were made of them."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"file_ids": [_EXAMPLE_ID]}]})

    file_ids: FileIds = Field()
