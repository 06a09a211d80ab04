"""The files and images among the parts of a message's content."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from memcubed.documents.detection import detect
from memcubed.documents.fetch import check_url
from memcubed.documents.images import image_type
from memcubed.documents.inline import is_url, read_inline
from memcubed.errors import (
    FilesTooLargeError,
    InvalidRequestError,
    MissingFieldError,
    TooManyFilesError,
    UnsupportedFileTypeError,
)

MAX_IMAGE_BYTES: Final = 20_000_000
MAX_NAME_CHARACTERS: Final = 200


class AttachmentKind(StrEnum):
    """What a part is; the values are the contract's types of parts."""

    FILE = "file"
    IMAGE = "image_url"


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file or an image. `part` is its place among the message's parts, from 0.

    `reference` is a URL, a data URL or base64; `name` is what its sender calls it, or "".
    """

    part: int
    kind: AttachmentKind
    reference: str
    name: str


@dataclass(frozen=True, slots=True)
class FileLimits:
    """How much one request may bring, and how much of it is fetched; sizes in bytes."""

    count: int
    file_bytes: int
    total_bytes: int


def find_attachments(content: object) -> list[Attachment]:
    """The attachments of a message's content that was accepted once."""
    parts = content if isinstance(content, list) else []
    return [attachment for index, part in enumerate(parts) if (attachment := _read_part(index, part)) is not None]


def _read_part(index: int, part: object) -> Attachment | None:
    match part:
        case {"type": AttachmentKind.FILE.value, "file": {"file_data": str(reference)} as file}:
            name = file.get("filename") or file.get("file_name") or file.get("name")
            kind = AttachmentKind.FILE
        case {"type": AttachmentKind.IMAGE.value, "image_url": {"url": str(reference)} | str(reference)}:
            name, kind = None, AttachmentKind.IMAGE
        case _:
            return None
    return Attachment(index, kind, reference, name.strip()[:MAX_NAME_CHARACTERS] if isinstance(name, str) else "")


def check_part(part: Mapping[str, Any], path: str) -> None:
    """Whether a part of type `file` or `image_url` has its structure; errors name the field."""
    kind = part["type"]
    if kind == AttachmentKind.FILE:
        if not isinstance(part.get("file"), dict):
            raise MissingFieldError(f"{path}.file is required: an object with `file_data`.")
        _check_reference(part["file"].get("file_data"), f"{path}.file.file_data")
    elif isinstance(part.get("image_url"), dict):
        _check_reference(part["image_url"].get("url"), f"{path}.image_url.url")
    else:
        _check_reference(part.get("image_url"), f"{path}.image_url")


def _check_reference(reference: object, path: str) -> None:
    if reference is None or reference == "":
        raise MissingFieldError(f"{path} is required: an http(s) URL, a data URL or base64.")
    if not isinstance(reference, str):
        raise InvalidRequestError(f"{path} must be a string: an http(s) URL, a data URL or base64.")


def check_attachments(contents: Sequence[object], limits: FileLimits) -> None:
    """Whether the files of a request can be taken: their number, sizes, encodings and types. Takes time for large ones.

    `contents` are the contents of its messages. What a URL leads to is seen only when it is fetched.
    """
    found = list(_with_paths(contents))
    if len(found) > limits.count:
        raise TooManyFilesError(f"messages have {len(found)} files and images; at most {limits.count} are allowed.")
    total = 0
    for attachment, path in found:
        total += _check_attachment(attachment, path, limits)
        if total > limits.total_bytes:
            raise FilesTooLargeError(f"The files have more than {limits.total_bytes / 1_000_000:g} MB together.")


def _with_paths(contents: Sequence[object]) -> Iterator[tuple[Attachment, str]]:
    for index, content in enumerate(contents):
        for attachment in find_attachments(content):
            field = "file.file_data" if attachment.kind is AttachmentKind.FILE else "image_url.url"
            yield attachment, f"messages[{index}].content[{attachment.part}].{field}"


def _check_attachment(attachment: Attachment, path: str, limits: FileLimits) -> int:
    """How many bytes it has, when it came with the request."""
    if is_url(attachment.reference):
        check_url(attachment.reference, path)
        return 0
    is_image = attachment.kind is AttachmentKind.IMAGE
    most = min(limits.file_bytes, MAX_IMAGE_BYTES) if is_image else limits.file_bytes
    file = read_inline(attachment.reference, path, max_bytes=most)
    if image_type(file.content) is None:
        if is_image:
            raise UnsupportedFileTypeError(f"{path} is no image that is read: PNG, JPEG, GIF or WebP.")
        if detect(file.content, name=attachment.name, media_type=file.media_type) is None:
            raise UnsupportedFileTypeError(
                f"{path} is of no type that is read: PDF, DOCX, DOC, TXT, JSON, MD or XML, or an image."
            )
    return len(file.content)
