"""Candidates for tests of ranking, with what a test does not care about filled in."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

from memcubed.memories.model import MemoryKind, MemoryLayer, MemoryStatus, Source, SourceRole
from memcubed.messages.model import Role
from memcubed.recall.model import Candidate

NOW = datetime(2025, 6, 10, 12, tzinfo=UTC)
CUBE = UUID(int=1)


def candidate(
    value: str = "I like tea.",
    *,
    cosine: float | None = 0.3,
    lexical: float = 0.0,
    around: float = 0.0,
    kind: MemoryKind = MemoryKind.FACT,
    role: Role = Role.USER,
    speaker: str | None = None,
    told_at: datetime = NOW,
    conversation_id: str = "c",
    place: int = 1,
    weight: float = 1.0,
    fingerprint: str | None = None,
    id_: UUID | None = None,
) -> Candidate:
    return Candidate(
        cube_id=CUBE,
        id=id_ or uuid4(),
        kind=kind,
        layer=MemoryLayer.LONG_TERM,
        status=MemoryStatus.ACTIVATED,
        key=value,
        value=value,
        reasoning="",
        tags=(),
        info={},
        details={},
        weight=weight,
        confidence=1.0,
        conversation_id=conversation_id,
        source_role=SourceRole(role.value),
        speaker=speaker,
        told_at=told_at,
        place=place,
        fingerprint=fingerprint or uuid4().hex,
        memory_time=None,
        created_at=NOW,
        updated_at=NOW,
        sources=(Source(uuid4(), role, value, told_at),),
        cosine=cosine,
        lexical=lexical,
        around=around,
    )
