"""Recall's one round trip to the database."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, LiteralString
from uuid import UUID

import structlog

from memcubed.filters import compile_condition
from memcubed.memories.model import MemoryKind, MemoryLayer, MemoryStatus, Source, SourceRole
from memcubed.messages.model import Role
from memcubed.providers.embeddings import Vector
from memcubed.recall.large import LARGE
from memcubed.recall.model import Candidate, Found
from memcubed.recall.ranking import LEXICAL_SHRINK, NEIGHBOUR_FLOOR, Weights
from memcubed.recall.scope import SearchedCube
from memcubed.recall.sql import SEARCH, SERVER_SETTINGS, filtered_search
from memcubed.store.session import Database, Row
from memcubed.store.vectors import to_halfvec
from memcubed.store.words import to_tsquery

CANDIDATES: Final = 100
"""How many memories the database hands over for the last steps of ranking."""

PENDING: Final = 8
"""How many memories without a vector yet are looked at: the newest raw turns, and those nearest in words."""

NEAREST: Final = 200
"""How many memories of a large cube the vectors and the words propose each."""

EFFORT: Final = 400
"""hnsw.ef_search: docs/adr/0007 has the recall against exact scans that it gives."""

log = structlog.get_logger(__name__)


class RecallRepository:
    """Searches cubes. `use_indexes` is False to score large cubes exactly, as a measure of the indexes."""

    def __init__(
        self, database: Database, *, large: int = LARGE, use_indexes: bool = True, effort: int = EFFORT
    ) -> None:
        self._database = database
        self._large = large
        self._use_indexes = use_indexes
        self._effort = effort

    async def search(
        self,
        project_id: UUID,
        cubes: Sequence[SearchedCube],
        kinds: frozenset[MemoryKind],
        *,
        vector: Vector | None,
        space: str,
        terms: Sequence[str],
        weights: Weights,
    ) -> Found:
        """The best candidates of each arm over what these cubes have that is activated and meets their conditions.

        `vector` is in `space`; without one, words alone decide.
        """
        whole = [cube.id for cube in cubes if cube.condition is None]
        parameters = search_parameters(
            project_id, whole, kinds, vector=vector, space=space, terms=terms, weights=weights
        )
        statement, conditions = _filtered(cubes)
        rows = await self._database.read(
            statement,
            {**parameters, **conditions, "use_indexes": self._use_indexes, "effort": self._effort},
            project_id=project_id,
            server_settings=SERVER_SETTINGS,
        )
        if self._use_indexes and not conditions and rows and rows[0]["counted"] >= self._large:
            log.warning(
                "large_cube_without_index",
                cubes=[str(cube_id) for cube_id in whole],
                memories=rows[0]["counted"],
                advice="run `memcubed index`",
            )
        return _found(rows)


def search_parameters(
    project_id: UUID,
    cube_ids: Sequence[UUID],
    kinds: frozenset[MemoryKind],
    *,
    vector: Vector | None,
    space: str,
    terms: Sequence[str],
    weights: Weights,
) -> dict[str, Any]:
    """What the SEARCH statement is given."""
    return {
        "project_id": project_id,
        "cubes": list(cube_ids),
        "kinds": [kind.value for kind in kinds],
        "space": space,
        "vector": None if vector is None else to_halfvec(vector),
        "terms": list(terms),
        "tsquery": to_tsquery(terms),
        "limit": CANDIDATES,
        "pending": PENDING,
        "vector_weight": weights.vectors,
        "vector_shift": weights.vector_shift,
        "lexical_weight": weights.words,
        "lexical_shrink": LEXICAL_SHRINK,
        "next_weight": weights.next_turn,
        "second_weight": weights.second_turn,
        "neighbour_floor": NEIGHBOUR_FLOOR,
        "use_indexes": True,
        "effort": EFFORT,
        "nearest": NEAREST,
    }


def _filtered(cubes: Sequence[SearchedCube]) -> tuple[LiteralString, dict[str, Any]]:
    """The statement for these cubes, and the parameters of their conditions."""
    groups: dict[int, list[SearchedCube]] = {}
    for cube in cubes:
        if cube.condition is not None:
            # by identity: to Python a condition on 1 equals one on true
            groups.setdefault(id(cube.condition), []).append(cube)
    arms: list[tuple[LiteralString, LiteralString]] = []
    parameters: dict[str, Any] = {}
    for number, group in enumerate(groups.values()):
        if group[0].condition is not None:
            compiled = compile_condition(group[0].condition, prefix=f"filter_{number}")
            arms.append((f"cubes_{number}", compiled.sql))
            parameters |= {**compiled.parameters, f"cubes_{number}": [cube.id for cube in group]}
    return filtered_search(arms) if arms else SEARCH, parameters


def _found(rows: Sequence[Row]) -> Found:
    if not rows:
        return Found(())
    spread = rows[0]
    return Found(
        candidates=tuple(_candidate(row) for row in rows),
        size=spread["size"],
        speakers=frozenset(spread["speakers"] or ()),
        oldest=spread["oldest"],
        newest=spread["newest"],
    )


def _candidate(row: Row) -> Candidate:
    return Candidate(
        cube_id=row["cube_id"],
        id=row["id"],
        kind=MemoryKind(row["kind"]),
        layer=MemoryLayer(row["layer"]),
        status=MemoryStatus(row["status"]),
        key=row["key"],
        value=row["value"],
        reasoning=row["reasoning"],
        tags=tuple(row["tags"]),
        info=row["info"],
        details=row["details"],
        weight=row["weight"],
        confidence=round(row["confidence"], 4),
        conversation_id=row["conversation_id"],
        source_role=SourceRole(row["source_role"]),
        speaker=row["speaker"],
        told_at=row["told_at"],
        place=row["place"],
        fingerprint=row["fingerprint"],
        memory_time=row["memory_time"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        sources=tuple(_source(source) for source in row["sources"]),
        cosine=row["cosine"],
        lexical=float(row["lexical"]),
        around=float(row["around"]),
    )


def _source(source: Sequence[Any]) -> Source:
    message_id, role, content, epoch = source
    return Source(UUID(message_id), Role(role), content, datetime.fromtimestamp(epoch, UTC))
