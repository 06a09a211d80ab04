"""What was read of a message's files and images."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from memcubed.messages.attachments import Attachment


@dataclass(frozen=True, slots=True)
class ReadPiece:
    """A part of a document that makes sense alone, or an image's description; `key` says what it is part of."""

    key: str
    text: str


@dataclass(frozen=True, slots=True)
class Reading:
    """The outcome of reading one attachment: its pieces, or in plain words why there are none."""

    pieces: tuple[ReadPiece, ...]
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class MessageFiles:
    """A message with attachments; `text` is the text that came with them."""

    message_id: UUID
    chat_time: datetime
    text: str
    attachments: tuple[Attachment, ...]


@dataclass(frozen=True, slots=True)
class MessageReading:
    """A message's attachments as they were read, each with its reading."""

    message: MessageFiles
    readings: tuple[tuple[Attachment, Reading], ...]
