"""Tool memories in the database."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import Row, Select, bindparam, cast, or_, select, update
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.ext.asyncio import AsyncConnection

from memcubed.memories.model import MemoryKind, MemoryStatus
from memcubed.memories.tool_history import HeldTool
from memcubed.store.tables import memories

_KINDS = (MemoryKind.TOOL_SCHEMA.value, MemoryKind.TOOL_TRAJECTORY.value)


class ToolMemoryRepository:
    """The tool memories of one cube, in the transaction it is given."""

    def __init__(self, connection: AsyncConnection, project_id: UUID, cube_id: UUID) -> None:
        self._connection = connection
        self._project_id = project_id
        self._cube_id = cube_id

    async def find_held(self, marks: Sequence[str]) -> dict[str, HeldTool]:
        """The activated tool memories with these fingerprints."""
        rows = await self._connection.execute(self._activated().where(memories.c.fingerprint.in_(marks)))
        return {row.fingerprint: _held(row) for row in rows}

    async def list_of(self, tools: Iterable[str]) -> list[HeldTool]:
        """All activated memories that tell of one of these tools."""
        names = list(tools)
        rows = await self._connection.execute(
            self._activated().where(
                or_(
                    memories.c.details["tool"].astext.in_(names),
                    memories.c.details["tally"].has_any(cast(names, ARRAY(TEXT))),
                )
            )
        )
        return [_held(row) for row in rows]

    async def supersede(self, pairs: Sequence[tuple[UUID, UUID]], now: datetime) -> None:
        """Archive the first of each pair in favour of the second."""
        if pairs:
            await self._connection.execute(
                self._update().values(
                    status=MemoryStatus.ARCHIVED.value, superseded_by=bindparam("new_id"), updated_at=now
                ),
                [{"memory_id": old, "new_id": new} for old, new in pairs],
            )

    async def set_details(self, details: Mapping[UUID, Mapping[str, JsonValue]]) -> None:
        """Give memories other details; their text stays."""
        if details:
            await self._connection.execute(
                self._update().values(details=bindparam("new_details")),
                [{"memory_id": id_, "new_details": dict(value)} for id_, value in details.items()],
            )

    def _update(self) -> Any:  # noqa: ANN401 - an update, of which SQLAlchemy's types say no more
        return update(memories).where(
            memories.c.project_id == self._project_id,
            memories.c.cube_id == self._cube_id,
            memories.c.id == bindparam("memory_id"),
        )

    def _activated(self) -> Select[Any]:
        return select(
            memories.c.id, memories.c.kind, memories.c.fingerprint, memories.c.value, memories.c.details
        ).where(
            memories.c.project_id == self._project_id,
            memories.c.cube_id == self._cube_id,
            memories.c.kind.in_(_KINDS),
            memories.c.status == MemoryStatus.ACTIVATED,
        )


def _held(row: Row[Any]) -> HeldTool:
    return HeldTool(row.id, MemoryKind(row.kind), row.fingerprint, row.value, row.details)
