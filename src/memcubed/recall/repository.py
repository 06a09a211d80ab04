"""Recall's one round trip to the database."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, LiteralString
from uuid import UUID

from memcubed.memories.model import MemoryKind, MemoryLayer
from memcubed.messages.model import Role
from memcubed.providers.embeddings import Vector
from memcubed.recall.model import Candidate, Found, Source
from memcubed.recall.ranking import LEXICAL_SHRINK, NEIGHBOUR_FLOOR, Weights
from memcubed.store.session import Database, Row
from memcubed.store.vectors import to_halfvec
from memcubed.store.words import to_tsquery

CANDIDATES: Final = 100
"""How many memories the database hands over for the last steps of ranking."""

PENDING: Final = 8
"""How many of the newest raw turns that have no vector yet are looked at."""

# The exact form: every memory in scope is scored by every arm. BM25 is that of Robertson and Zaragoza (2009) with
# k1 = 1.2 and b = 0.75, its document frequencies taken over the memories in scope, divided by the most that a memory
# could reach. What stands next to a memory in its conversation speaks for it too. docs/adr/0003 has the measurements.
SEARCH: Final[LiteralString] = """
WITH scope AS MATERIALIZED (
    SELECT m.cube_id, m.id, m.layer, m.sequence, m.conversation_id, m.kind = 'fact' AS is_fact, m.words, m.word_count,
        m.speaker, m.told_at, 1 - (v.embedding <=> %(vector)s::halfvec) AS cosine
    FROM memories m
    LEFT JOIN memory_vectors v
        ON v.cube_id = m.cube_id AND v.memory_id = m.id AND v.space = %(space)s AND v.project_id = %(project_id)s
    WHERE m.project_id = %(project_id)s
        AND m.cube_id = ANY(%(cubes)s)
        AND m.status = 'activated'
        AND m.kind = ANY(%(kinds)s)
),
spread AS (
    SELECT count(*) AS size, greatest(avg(word_count), 1) AS word_count,
        array_agg(DISTINCT speaker) FILTER (WHERE speaker IS NOT NULL) AS speakers,
        min(told_at) AS oldest, max(told_at) AS newest
    FROM scope
),
hits AS MATERIALIZED (
    SELECT s.id, s.word_count, w.lexeme, cardinality(w.positions) AS tf
    FROM scope s CROSS JOIN LATERAL unnest(s.words) w
    WHERE s.words @@ %(tsquery)s::tsquery AND w.lexeme = ANY(%(terms)s)
),
weights AS (
    SELECT t.term AS lexeme,
        ln(1 + ((SELECT size FROM spread) - count(h.id) + 0.5) / (count(h.id) + 0.5)) AS idf
    FROM unnest(%(terms)s::text[]) t (term) LEFT JOIN hits h ON h.lexeme = t.term
    GROUP BY t.term
),
lexical AS (
    SELECT h.id,
        sum(2.2 * w.idf * h.tf / (h.tf + 1.2 * (0.25 + 0.75 * h.word_count / (SELECT word_count FROM spread))))
            / (%(lexical_shrink)s + 2.2 * (SELECT sum(idf) FROM weights)) AS score
    FROM hits h JOIN weights w USING (lexeme)
    GROUP BY h.id
),
scored AS (
    SELECT s.*, coalesce(l.score, 0) AS lexical,
        %(vector_weight)s * coalesce(s.cosine, 0) + %(lexical_weight)s * coalesce(l.score, 0) AS own
    FROM scope s LEFT JOIN lexical l USING (id)
),
lifted AS (
    SELECT s.*, greatest(own - %(neighbour_floor)s, 0) AS lift FROM scored s
),
ranked AS (
    SELECT s.*,
        %(next_weight)s * (coalesce(lag(lift) OVER near, 0) + coalesce(lead(lift) OVER near, 0))
        + %(second_weight)s * (coalesce(lag(lift, 2) OVER near, 0) + coalesce(lead(lift, 2) OVER near, 0)) AS around,
        row_number() OVER near AS place
    FROM lifted s
    WINDOW near AS (PARTITION BY cube_id, conversation_id, is_fact ORDER BY sequence)
),
chosen AS (
    (SELECT * FROM ranked WHERE cosine IS NOT NULL OR lexical > 0 ORDER BY own + around DESC LIMIT %(limit)s)
    UNION (
        SELECT * FROM ranked WHERE cosine IS NULL AND layer = 'WorkingMemory'
        ORDER BY sequence DESC LIMIT %(pending)s
    )
)
SELECT m.id, m.kind, m.layer, m.key, m.value, m.reasoning, m.tags, m.info, m.confidence, m.conversation_id,
    m.source_role, m.speaker, m.told_at, c.place, m.fingerprint, m.memory_time, m.created_at, m.updated_at,
    c.cosine, c.lexical, c.around, p.size, p.speakers, p.oldest, p.newest,
    (
        SELECT coalesce(json_agg(json_build_array(g.id, g.role, g.text, extract(epoch FROM g.chat_time))
            ORDER BY g.position), '[]'::json)
        FROM memory_sources x JOIN messages g ON g.cube_id = x.cube_id AND g.id = x.message_id
        WHERE x.cube_id = m.cube_id AND x.memory_id = m.id AND x.project_id = %(project_id)s
    ) AS sources
FROM chosen c JOIN memories m ON m.cube_id = c.cube_id AND m.id = c.id CROSS JOIN spread p
"""


class RecallRepository:
    """Searches cubes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def search(
        self,
        project_id: UUID,
        cube_ids: Sequence[UUID],
        kinds: frozenset[MemoryKind],
        *,
        vector: Vector | None,
        space: str,
        terms: Sequence[str],
        weights: Weights,
    ) -> Found:
        """The best candidates of each arm over every activated memory of these cubes.

        `vector` is in `space`; without one, words alone decide.
        """
        rows = await self._database.read(
            SEARCH,
            search_parameters(project_id, cube_ids, kinds, vector=vector, space=space, terms=terms, weights=weights),
            project_id=project_id,
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
        "lexical_weight": weights.words,
        "lexical_shrink": LEXICAL_SHRINK,
        "next_weight": weights.next_turn,
        "second_weight": weights.second_turn,
        "neighbour_floor": NEIGHBOUR_FLOOR,
    }


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
        id=row["id"],
        kind=MemoryKind(row["kind"]),
        layer=MemoryLayer(row["layer"]),
        key=row["key"],
        value=row["value"],
        reasoning=row["reasoning"],
        tags=tuple(row["tags"]),
        info=row["info"],
        confidence=round(row["confidence"], 4),
        conversation_id=row["conversation_id"],
        source_role=Role(row["source_role"]),
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
