"""Files as requests bring them: in a JSON body or in parts of a form, checked before anything is stored."""

import io
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import BinaryIO, Final
from urllib.parse import unquote, urlsplit

from starlette.datastructures import UploadFile

from memcubed.documents import DocumentType
from memcubed.documents.detection import detect
from memcubed.documents.fetch import check_url
from memcubed.documents.inline import is_url, read_inline
from memcubed.errors import (
    FileFormatError,
    FilesTooLargeError,
    FileTooLargeError,
    InvalidRequestError,
    MissingFieldError,
    TooManyFilesError,
    UnsupportedFileTypeError,
)
from memcubed.knowledge.model import FileType, Upload
from memcubed.knowledge.schemas import FileIn
from memcubed.language.redaction import file_name_if_asked

MAX_FILE_NAME_CHARACTERS: Final = 255
FORMATS: Final = "PDF, DOCX, DOC, TXT, JSON, MD and XML"

_IN_MEMORY_BYTES: Final = 1_000_000
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """Of one request: how many files, and how many bytes one of them and all together may have."""

    files: int
    file_bytes: int
    all_bytes: int


def uploads_of_json(files: Sequence[FileIn], limits: UploadLimits) -> list[Upload]:
    """The files of a JSON body; what is large lies on disk afterwards, and no longer in the body. Blocks."""
    _check_count(len(files), limits)
    uploads: list[Upload] = []
    left = limits.all_bytes
    for index, file in enumerate(files):
        path = f"file[{index}]"
        if is_url(file.content):
            url = check_url(file.content.strip(), f"{path}.content")
            name = file.name or unquote(urlsplit(url).path.rpartition("/")[2])
            uploads.append(Upload(_clean_name(name, path) or "file", file.type, url=url))
            continue
        inline = read_inline(file.content, f"{path}.content", max_bytes=limits.file_bytes)
        file.content = ""  # bodies may be large: not the text and the bytes of all files at once
        left = _rest(left, len(inline.content), limits)
        uploads.append(
            _upload(
                _spooled(inline.content),
                len(inline.content),
                file.type,
                name=_clean_name(file.name or "", path),
                media_type=inline.media_type,
                path=path,
            )
        )
    return uploads


def uploads_of_form(files: Sequence[UploadFile], kind: FileType, limits: UploadLimits) -> list[Upload]:
    """The files of a form; their content stays where the form keeps it. Blocks."""
    _check_count(len(files), limits)
    uploads: list[Upload] = []
    left = limits.all_bytes
    for index, file in enumerate(files):
        path = f"file[{index}]"
        size = file.size or 0
        if size > limits.file_bytes:
            raise FileTooLargeError(f"{path} is larger than {limits.file_bytes} bytes.")
        left = _rest(left, size, limits)
        name = _clean_name(file.filename or "", path)
        uploads.append(_upload(file.file, size, kind, name=name, media_type=file.content_type or "", path=path))
    return uploads


def require_format(content: BinaryIO, *, name: str, media_type: str, path: str) -> DocumentType:
    """The format of a document. Raises UnsupportedFileTypeError, naming the field."""
    found = detect(content, name=name, media_type=media_type)
    if found is None:
        suffix = PurePath(name).suffix
        called = f", although it is named {suffix[:20]}" if suffix else ""
        raise UnsupportedFileTypeError(f"{path} is in none of the formats that are read{called}; these are {FORMATS}.")
    return found


def _upload(  # the parts of a file, wherever it came from
    content: BinaryIO, size: int, kind: FileType, *, name: str, media_type: str, path: str
) -> Upload:
    if not size:
        raise FileFormatError(f"{path} is empty.")
    if kind is FileType.SKILL:
        return Upload(name or "SKILL.md", kind, content, size)
    found = require_format(content, name=name, media_type=media_type, path=path)
    return Upload(name or f"file.{found}", kind, content, size, found)


def _spooled(content: bytes) -> BinaryIO:
    if len(content) <= _IN_MEMORY_BYTES:
        return io.BytesIO(content)
    file = tempfile.TemporaryFile()  # noqa: SIM115 - it is gone when nobody refers to it any more
    file.write(content)
    file.seek(0)
    return file


def _check_count(count: int, limits: UploadLimits) -> None:
    if not count:
        raise MissingFieldError("file is required: at least one part with this name and a filename.")
    if count > limits.files:
        raise TooManyFilesError(f"file takes at most {limits.files} files in one request; it has {count}.")


def _rest(left: int, size: int, limits: UploadLimits) -> int:
    if size > left:
        raise FilesTooLargeError(f"The files have more than {limits.all_bytes} bytes together.")
    return left - size


def _clean_name(name: str, path: str) -> str:
    name = file_name_if_asked(_UNPRINTABLE.sub("", name).replace("\\", "/").rpartition("/")[2].strip())
    if len(name) > MAX_FILE_NAME_CHARACTERS:
        raise InvalidRequestError(f"{path}.name must be at most {MAX_FILE_NAME_CHARACTERS} characters.")
    return name
