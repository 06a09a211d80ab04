"""Reading one attachment: fetch it where it is a URL, then parse it or have it described."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeVar

import structlog

from memcubed.documents.detection import detect as detect_type
from memcubed.documents.fetch import Fetcher
from memcubed.documents.images import image_type
from memcubed.documents.inline import is_url, read_inline
from memcubed.documents.model import Document
from memcubed.documents.parser import DocumentParser
from memcubed.errors import BudgetSpentError, FetchError, MemcubedError, ProviderError
from memcubed.language.cleaning import printable
from memcubed.language.detect import Language
from memcubed.language.redaction import file_name_if_asked, redact_if_asked
from memcubed.memories.model import MemoryKind
from memcubed.messages.attachments import MAX_IMAGE_BYTES, MAX_NAME_CHARACTERS, Attachment, AttachmentKind
from memcubed.production.attachments.describing import clean_description, describing_prompt
from memcubed.production.attachments.model import Reading, ReadPiece
from memcubed.providers.llm.vision import VisionModel
from memcubed.usage.attribution import VISION, purposed

_TRIES: Final = 3
_FIRST_WAIT_SECONDS: Final = 1.0
_NO_VISION: Final = "no vision model is configured (MEMCUBED_VISION_MODEL)"
_PLAIN_NAMES: Final = {
    (AttachmentKind.FILE, Language.EN): "file",
    (AttachmentKind.FILE, Language.ZH): "文件",
    (AttachmentKind.IMAGE, Language.EN): "image",
    (AttachmentKind.IMAGE, Language.ZH): "图片",
}

log = structlog.get_logger(__name__)

DoneT = TypeVar("DoneT")
Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    media_type: str
    name: str


class AttachmentReader:
    """Reads attachments. Whatever goes wrong with one is its reading's `failure`, never an exception.

    What is read is redacted where the running job's project wants that.
    But for BudgetSpentError: an image that is not read today can be read tomorrow.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        parser: DocumentParser,
        vision: VisionModel | None,
        *,
        file_bytes: int,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._fetcher = fetcher
        self._parser = parser
        self._vision = vision
        self._file_bytes = file_bytes
        self._sleep = sleep

    async def read(self, attachment: Attachment, language: Language, *, room: int) -> tuple[Reading, int]:
        """The reading, and how many bytes the attachment had; at most `room` bytes of it are fetched.

        A fetch and a model call that fail in passing are tried again, a few times and a moment apart.
        """
        if attachment.kind is AttachmentKind.IMAGE and self._vision is None:
            return _failed(attachment, _NO_VISION), 0
        try:
            file = await self._load(attachment, room)
        except MemcubedError as error:
            return _failed(attachment, error.message), 0
        try:
            return await self._read(attachment, file, language), len(file.content)
        except BudgetSpentError:
            raise  # the task waits for the next day; then the image is read
        except MemcubedError as error:
            return _failed(attachment, error.message), len(file.content)

    async def _load(self, attachment: Attachment, room: int) -> _File:
        reference = attachment.reference
        if not is_url(reference):
            inline = await asyncio.to_thread(read_inline, reference, "The file", max_bytes=self._file_bytes)
            return _File(inline.content, inline.media_type, file_name_if_asked(attachment.name))
        most = min(room, self._file_bytes, MAX_IMAGE_BYTES if attachment.kind is AttachmentKind.IMAGE else room)
        if most <= 0:
            raise FetchError("The files of the request are too large together.")
        fetched = await self._insist(lambda: self._fetcher.fetch(reference, max_bytes=most))
        name = attachment.name or printable(fetched.name)[:MAX_NAME_CHARACTERS].strip()
        return _File(fetched.content, fetched.media_type, file_name_if_asked(name))

    async def _read(self, attachment: Attachment, file: _File, language: Language) -> Reading:
        title = file.name or _PLAIN_NAMES[attachment.kind, language]
        image = image_type(file.content)
        if image is not None:
            if self._vision is None:
                return _failed(attachment, _NO_VISION)
            text = await self._describe(self._vision, file.content, image, language)
            return Reading((ReadPiece(title, text),)) if text else _failed(attachment, "the vision model said nothing")
        if attachment.kind is AttachmentKind.IMAGE:
            return _failed(attachment, "it is no PNG, JPEG, GIF or WebP")
        kind = await asyncio.to_thread(detect_type, file.content, name=file.name, media_type=file.media_type)
        if kind is None:
            return _failed(attachment, "it is no PDF, DOCX, DOC, TXT, JSON, MD or XML")
        return Reading(_pieces(await self._parser.parse(file.content, kind), title))

    async def _describe(self, vision: VisionModel, image: bytes, media_type: str, language: Language) -> str:
        instructions = describing_prompt(language)
        with purposed(VISION):
            said = await self._insist(lambda: vision.describe(image, media_type, instructions=instructions))
        text = clean_description(redact_if_asked(said.text))
        said.credit({MemoryKind.FACT.value: len(text)})
        return text

    async def _insist(self, once: Callable[[], Awaitable[DoneT]]) -> DoneT:
        tries = 0
        while True:
            try:
                return await once()
            except (FetchError, ProviderError) as error:
                tries += 1
                if not error.retryable or tries >= _TRIES:
                    raise
                log.info("attachment_tried_again", reason=error.message, tries=tries)
                await self._sleep(_FIRST_WAIT_SECONDS * 2 ** (tries - 1))


def _pieces(document: Document, title: str) -> tuple[ReadPiece, ...]:
    return tuple(
        ReadPiece(" › ".join((title, *piece.heading)), printable(piece.text).strip()) for piece in document.pieces
    )


def _failed(attachment: Attachment, why: str) -> Reading:
    what = "The image" if attachment.kind is AttachmentKind.IMAGE else "The file"
    name = f" {attachment.name}" if attachment.name else ""
    return Reading((), redact_if_asked(f"{what}{name} was not read: {why.rstrip('.')}."))
