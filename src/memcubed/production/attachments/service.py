"""The files and images of a task's messages: each read once, and made into memories that say where they come from."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from memcubed.language.detect import detect
from memcubed.memories.model import MemoryKind, MemoryLayer, NewMemory, SourceRole
from memcubed.production.attachments.model import MessageFiles, Reading
from memcubed.production.attachments.reader import AttachmentReader
from memcubed.production.attachments.repository import AttachmentRepository
from memcubed.store.session import Database

_NOT_ASKED_FOR = "Files and images were not read: facts were not asked for."


@dataclass(frozen=True, slots=True)
class AttachedMemories:
    """What a task's attachments came to. `notes` tell in plain words of each that could not be read."""

    memories: tuple[NewMemory, ...] = ()
    notes: tuple[str, ...] = ()


class AttachmentService:
    """Reads attachments before their messages are extracted."""

    def __init__(self, database: Database, reader: AttachmentReader, *, total_bytes: int) -> None:
        self._database = database
        self._reader = reader
        self._total_bytes = total_bytes

    async def read_all(
        self, project_id: UUID, cube_id: UUID, task_id: UUID, kinds: frozenset[MemoryKind]
    ) -> AttachedMemories:
        """The memories of a task's attachments; what a run before this one has read is not read again.

        No database session is held while something is fetched, parsed or described.
        """
        async with self._database.look_up(project_id) as connection:
            files = await AttachmentRepository(connection, project_id).list_files(cube_id, task_id)
        if not files:
            return AttachedMemories()
        async with self._database.look_up(project_id) as connection:
            done = await AttachmentRepository(connection, project_id).list_readings(task_id)
        if MemoryKind.FACT not in kinds:
            return AttachedMemories(notes=(_NOT_ASKED_FOR,))
        memories: list[NewMemory] = []
        notes: list[str] = []
        room = self._total_bytes
        for message in files:
            language = detect(message.text)
            for attachment in message.attachments:
                reading = done.get((message.message_id, attachment.part))
                if reading is None:
                    reading, size = await self._reader.read(attachment, language, room=room)
                    room -= size
                    await self._keep(project_id, cube_id, message.message_id, attachment.part, reading)
                memories += _memories(message, reading)
                if reading.failure is not None:
                    notes.append(reading.failure)
        return AttachedMemories(tuple(memories), tuple(dict.fromkeys(notes)))

    async def _keep(self, project_id: UUID, cube_id: UUID, message_id: UUID, part: int, reading: Reading) -> None:
        async with self._database.transaction(project_id) as connection:
            await AttachmentRepository(connection, project_id).add_reading(cube_id, message_id, part, reading)


def _memories(message: MessageFiles, reading: Reading) -> Sequence[NewMemory]:
    return [
        NewMemory(
            kind=MemoryKind.FACT,
            layer=MemoryLayer.LONG_TERM,
            key=piece.key,
            value=piece.text,
            index_text=f"{piece.key}\n{piece.text}",
            source_ids=(message.message_id,),
            source_role=SourceRole.DOCUMENT,
            told_at=message.chat_time,
        )
        for piece in reading.pieces
        if piece.text
    ]
