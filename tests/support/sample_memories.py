"""Memories of every kind, put into a cube as extractors would."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from pydantic import JsonValue

from memcubed.memories.model import MemoryKind, MemoryLayer, NewMemory, Provenance, SourceRole
from memcubed.projects.keys import hash_key
from memcubed.store.cubes import Cube, CubeKind, ensure_cubes
from tests.support.api import Api, Client
from tests.support.databases import query

DETAILS: Final[Mapping[MemoryKind, Mapping[str, JsonValue]]] = {
    MemoryKind.EVENT: {"time": ["2025-06-10"], "location": ["Guangzhou"], "roles": ["the user"]},
    MemoryKind.TOOL_TRAJECTORY: {
        "used": [{"used_tool": "get_weather", "success_rate": 1.0}],
        "experience": "It works.",
    },
    MemoryKind.SKILL: {"skill": {"name": "Booking", "description": "How to book a hotel"}, "type": "generated"},
    MemoryKind.PROFILE: {"template_id": "t", "path": ["Work", "City"], "algorithm_updatable": True},
}


def project_of(api: Api, client: Client) -> UUID:
    """The project that a client's key belongs to."""
    (row,) = query(
        api.urls.owner, "SELECT project_id FROM api_keys WHERE key_hash = %(hash)s", hash=hash_key(client.key)
    )
    project_id: UUID = row[0]
    return project_id


def new_memory(value: str, kind: MemoryKind = MemoryKind.FACT) -> NewMemory:
    return NewMemory(
        kind=kind,
        layer=MemoryLayer.USER if kind.is_preference else MemoryLayer.LONG_TERM,
        key=value[:20],
        value=value,
        index_text=value,
        source_ids=(),
        source_role=SourceRole.USER,
        told_at=datetime(2025, 6, 10, tzinfo=UTC),
        details=DETAILS.get(kind, {}),
    )


async def settle(
    api: Api,
    client: Client,
    *memories: NewMemory,
    owner: str = "u",
    kind: CubeKind = CubeKind.USER,
    conversation_id: str = "c",
) -> UUID:
    """Store memories as if a task had made them; the cube's id."""
    project_id = project_of(api, client)
    cube = Cube(project_id, kind, owner)
    async with api.service.database.transaction(project_id) as connection:
        await ensure_cubes(connection, [cube])
        await api.service.memories.settle(
            connection,
            project_id,
            cube.id,
            memories,
            Provenance(task_id=_task(api, project_id), conversation_id=conversation_id),
            extractor="test",
        )
    return cube.id


def _task(api: Api, project_id: UUID) -> UUID:
    rows = query(
        api.urls.owner,
        "INSERT INTO tasks (id, project_id, options, body_hash) VALUES (gen_random_uuid(), %(project)s, '{}', '')"
        " RETURNING id",
        project=project_id,
    )
    task_id: UUID = rows[0][0]
    return task_id
