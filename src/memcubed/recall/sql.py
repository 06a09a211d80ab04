"""The statement of a search.

Every memory of an ordinary cube is scored by every arm. Of a large cube with indexes (see `large`) the function
memcubed_large_candidates, migration 0006, names the memories that can matter, and those are scored the same way. The
statement itself sees which cubes are large, so a search is one round trip either way.

BM25 is that of Robertson and Zaragoza (2009) with k1 = 1.2 and b = 0.75, its document frequencies taken over the
memories in scope (of a large cube as counted when it was indexed), divided by the most that a memory could reach. What
stands next to a memory in its conversation speaks for it too. docs/adr/0003 has the measurements of the scores,
docs/adr/0007 those of the two forms.
"""

from collections.abc import Sequence
from typing import Final, LiteralString

# Narrow rows, since they are joined, sorted and kept. Words only where a term of the query occurs. Only memories of one
# strand are neighbours in a conversation: those of another kind were often made of the same words. 0 are facts,
# 1 preferences.
_SCORED: Final[LiteralString] = """
    m.cube_id, m.id, m.sequence, m.conversation_id COLLATE "C" AS conversation_id,
    CASE m.kind WHEN 'fact' THEN 0 WHEN 'explicit_preference' THEN 1 WHEN 'implicit_preference' THEN 1
        WHEN 'tool_schema' THEN 2 WHEN 'tool_trajectory' THEN 2 WHEN 'event' THEN 3 ELSE 4 END AS strand,
    m.layer = 'WorkingMemory' AS is_raw, m.word_count, m.speaker, m.told_at,
    CASE WHEN m.words @@ %(tsquery)s::tsquery THEN m.words END AS words
"""

# OFFSET 0 has the server plan and compute each part as it stands.
_EXACT: Final[LiteralString] = (
    """
    SELECT x.*, true AS follows, true AS is_counted
    FROM unnest(%(cubes)s::uuid[]) c (cube_id)
    CROSS JOIN LATERAL (
        SELECT m.*, v.cosine FROM (
            SELECT """
    + _SCORED
    + """
            FROM memories m
            WHERE m.project_id = %(project_id)s
                AND m.cube_id = c.cube_id
                AND m.status = 'activated'
                AND m.kind = ANY(%(kinds)s)
            OFFSET 0
        ) m
        LEFT JOIN (
            SELECT v.memory_id, 1 - (v.embedding <=> %(vector)s::halfvec) AS cosine
            FROM memory_vectors v
            WHERE v.project_id = %(project_id)s AND v.cube_id = c.cube_id AND v.space = %(space)s
            OFFSET 0
        ) v ON v.memory_id = m.id
        OFFSET 0
    ) x
    WHERE NOT EXISTS (SELECT FROM large l WHERE l.cube_id = c.cube_id)
"""
)

# Of cubes that only what meets a condition counts of. The condition is applied before anything else, so that the work,
# the statistics and the neighbours are those of what it leaves; the vectors are then looked up one by one.
_FILTERED: Final[LiteralString] = (
    """
    SELECT x.*, true AS follows, true AS is_counted
    FROM unnest(%(<cubes>)s::uuid[]) c (cube_id)
    CROSS JOIN LATERAL (
        SELECT m.*, 1 - (v.embedding <=> %(vector)s::halfvec) AS cosine
        FROM (
            SELECT """
    + _SCORED
    + """
            FROM memories m
            WHERE m.project_id = %(project_id)s
                AND m.cube_id = c.cube_id
                AND m.status = 'activated'
                AND m.kind = ANY(%(kinds)s)
                AND <condition>
            OFFSET 0
        ) m
        LEFT JOIN memory_vectors v
            ON v.project_id = %(project_id)s AND v.cube_id = c.cube_id AND v.memory_id = m.id AND v.space = %(space)s
        OFFSET 0
    ) x
"""
)

_INDEXED: Final[LiteralString] = (
    """
    SELECT """
    + _SCORED
    + """, 1 - (v.embedding <=> %(vector)s::halfvec) AS cosine, c.follows, false AS is_counted
    FROM large l
    CROSS JOIN LATERAL memcubed_large_candidates(
        l.cube_id, l.space, l.dimensions, %(kinds)s, %(vector)s::halfvec, %(terms)s, %(effort)s, %(nearest)s
    ) c
    JOIN memories m ON m.cube_id = l.cube_id AND m.id = c.id AND m.project_id = %(project_id)s
    LEFT JOIN memory_vectors v
        ON v.cube_id = l.cube_id AND v.memory_id = c.id AND v.space = %(space)s AND v.project_id = %(project_id)s
"""
)

_BEFORE: Final[LiteralString] = (
    """
WITH large AS MATERIALIZED (
    SELECT * FROM large_cubes
    WHERE project_id = %(project_id)s AND cube_id = ANY(%(cubes)s) AND %(use_indexes)s
        AND (space = %(space)s OR %(vector)s::halfvec IS NULL)
),
scope AS MATERIALIZED ("""
    + _EXACT
)

_AFTER: Final[LiteralString] = (
    "    UNION ALL"
    + _INDEXED
    + """),
spread AS (
    SELECT s.counted, s.counted + l.memories AS size,
        greatest((s.word_count + l.word_count) / nullif(s.counted + l.memories, 0), 1) AS word_count,
        least(s.oldest, l.oldest) AS oldest, greatest(s.newest, l.newest) AS newest,
        ARRAY(SELECT speaker FROM scope WHERE speaker IS NOT NULL UNION SELECT unnest(speakers) FROM large) AS speakers
    FROM (
        SELECT count(*) FILTER (WHERE is_counted) AS counted,
            coalesce(sum(word_count) FILTER (WHERE is_counted), 0)::float8 AS word_count,
            min(told_at) AS oldest, max(told_at) AS newest
        FROM scope
    ) s, (
        SELECT coalesce(sum(memories), 0)::bigint AS memories, coalesce(sum(word_count * memories), 0) AS word_count,
            min(oldest) AS oldest, max(newest) AS newest
        FROM large
    ) l
),
hits AS MATERIALIZED (
    SELECT s.cube_id, s.id, s.word_count, s.is_counted, w.lexeme, cardinality(w.positions) AS tf
    FROM scope s CROSS JOIN LATERAL unnest(s.words) w
    WHERE s.words IS NOT NULL AND w.lexeme = ANY(%(terms)s)
),
documents AS (
    SELECT lexeme, count(*) AS number FROM hits WHERE is_counted GROUP BY lexeme
    UNION ALL
    SELECT f.lexeme, greatest(f.found, w.documents)
    FROM (SELECT cube_id, lexeme, count(*) AS found FROM hits WHERE NOT is_counted GROUP BY cube_id, lexeme) f
    LEFT JOIN large_cube_words w
        ON w.cube_id = f.cube_id AND w.lexeme = f.lexeme AND w.project_id = %(project_id)s
),
weights AS MATERIALIZED (
    SELECT t.term AS lexeme,
        ln(1 + ((SELECT size FROM spread) - coalesce(sum(d.number), 0)::float8 + 0.5)
            / (coalesce(sum(d.number), 0)::float8 + 0.5)) AS idf
    FROM unnest(%(terms)s::text[]) t (term) LEFT JOIN documents d ON d.lexeme = t.term
    GROUP BY t.term
),
lexical AS (
    SELECT h.cube_id, h.id,
        sum(2.2 * w.idf * h.tf / (h.tf + 1.2 * (0.25 + 0.75 * h.word_count / (SELECT word_count FROM spread))))
            / (%(lexical_shrink)s + 2.2 * (SELECT sum(idf) FROM weights)) AS score
    FROM hits h JOIN weights w USING (lexeme)
    GROUP BY h.cube_id, h.id
),
scored AS (
    SELECT s.cube_id, s.id, s.sequence, s.conversation_id, s.strand, s.is_raw, s.follows, s.cosine,
        coalesce(l.score, 0) AS lexical,
        %(vector_weight)s * (coalesce(s.cosine, %(vector_shift)s) - %(vector_shift)s)
            + %(lexical_weight)s * coalesce(l.score, 0) AS own
    FROM scope s LEFT JOIN lexical l ON l.cube_id = s.cube_id AND l.id = s.id
),
placed AS (
    SELECT s.*, greatest(own - %(neighbour_floor)s, 0) AS lift,
        -- candidates of a large cube that are not known to follow one another count as far apart
        sum(CASE WHEN follows THEN 1 ELSE 3 END) OVER (near ROWS UNBOUNDED PRECEDING) AS place
    FROM scored s
    WINDOW near AS (PARTITION BY cube_id, conversation_id, strand ORDER BY sequence)
),
ranked AS MATERIALIZED (
    SELECT cube_id, id, sequence, strand, is_raw, cosine, lexical, own, place,
        %(next_weight)s * (
            CASE WHEN place - lag(place) OVER near = 1 THEN lag(lift) OVER near ELSE 0 END
            + CASE WHEN lead(place) OVER near - place = 1 THEN lead(lift) OVER near ELSE 0 END
        )
        + %(second_weight)s * (
            CASE WHEN place - lag(place, 2) OVER near = 2 THEN lag(lift, 2) OVER near ELSE 0 END
            + CASE WHEN lead(place, 2) OVER near - place = 2 THEN lead(lift, 2) OVER near ELSE 0 END
        ) AS around
    FROM placed
    WINDOW near AS (PARTITION BY cube_id, conversation_id, strand ORDER BY sequence)
),
chosen AS (
    (
        SELECT cube_id, id, cosine, lexical, around, place FROM ranked WHERE cosine IS NOT NULL OR lexical > 0
        ORDER BY own + around DESC LIMIT %(limit)s
    ) UNION (
        -- kinds of which there are few, which many facts would leave no room
        SELECT cube_id, id, cosine, lexical, around, place FROM ranked
        WHERE (cosine IS NOT NULL OR lexical > 0) AND strand > 1
        ORDER BY own + around DESC LIMIT %(limit)s
    ) UNION (
        SELECT cube_id, id, cosine, lexical, around, place FROM ranked WHERE cosine IS NULL AND is_raw
        ORDER BY sequence DESC LIMIT %(pending)s
    ) UNION (
        -- what has no vector yet has nothing but its words, which the cosines of many others would outweigh
        SELECT cube_id, id, cosine, lexical, around, place FROM ranked WHERE cosine IS NULL AND lexical > 0
        ORDER BY lexical DESC LIMIT %(pending)s
    )
)
SELECT m.cube_id, m.id, m.kind, m.layer, m.key, m.value, m.reasoning, m.tags, m.info, m.details, m.weight, m.confidence,
    m.conversation_id, m.status,
    m.source_role, m.speaker, m.told_at, c.place, m.fingerprint, m.memory_time, m.created_at, m.updated_at,
    c.cosine, c.lexical, c.around, p.size, p.counted, p.speakers, p.oldest, p.newest,
    (
        SELECT coalesce(json_agg(json_build_array(g.id, g.role, g.text, extract(epoch FROM g.chat_time))
            ORDER BY g.position), '[]'::json)
        FROM memory_sources x JOIN messages g ON g.cube_id = x.cube_id AND g.id = x.message_id
        WHERE x.cube_id = m.cube_id AND x.memory_id = m.id AND x.project_id = %(project_id)s
            AND g.project_id = %(project_id)s
    ) AS sources
FROM chosen c
JOIN memories m ON m.cube_id = c.cube_id AND m.id = c.id AND m.project_id = %(project_id)s
CROSS JOIN spread p
"""
)

SEARCH: Final = _BEFORE + _AFTER
"""The statement where everything in the cubes counts."""


def filtered_search(filters: Sequence[tuple[LiteralString, LiteralString]]) -> LiteralString:
    """The statement with further cubes: for each the name of the parameter that lists them, and their condition.

    A condition is SQL over `m`, a memory; such cubes are always scanned, whether they have indexes or not.
    """
    parts = [_FILTERED.replace("<cubes>", cubes).replace("<condition>", condition) for cubes, condition in filters]
    return _BEFORE + "".join(f"    UNION ALL{part}" for part in parts) + _AFTER


SERVER_SETTINGS: Final = {"enable_seqscan": "off", "jit": "off", "work_mem": "32MB"}
"""What the statement runs with. The server knows how large cubes are on average and, where most memories are in one
large cube, would read the whole table for a small one; it may not. Compiling the statement takes longer than running
it. An exact scan of the largest ordinary cube sorts and joins within this memory."""
