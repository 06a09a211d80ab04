"""Large cubes: what is known of each, and the function that finds their candidates by index (docs/adr/0007)."""

from alembic import op

revision = "0006"
down_revision = "0005"

TENANT_TABLES = ("large_cubes", "large_cube_words")

UPGRADE = """
-- Cubes whose indexes `memcubed index` has built, with what a search would otherwise have to count.
CREATE TABLE large_cubes (
    cube_id uuid PRIMARY KEY REFERENCES cubes (id) ON DELETE CASCADE,
    project_id uuid NOT NULL,
    -- the vector space that is indexed, and how many numbers a vector in it has
    space text NOT NULL,
    dimensions integer NOT NULL,
    memories bigint NOT NULL,
    word_count double precision NOT NULL,
    speakers text[] NOT NULL,
    oldest timestamptz,
    newest timestamptz,
    indexed_at timestamptz NOT NULL
);

-- In how many memories a word occurs, of words in many.
CREATE TABLE large_cube_words (
    cube_id uuid NOT NULL REFERENCES large_cubes (cube_id) ON DELETE CASCADE,
    lexeme text NOT NULL,
    project_id uuid NOT NULL,
    documents integer NOT NULL,
    PRIMARY KEY (cube_id, lexeme)
);
"""

POLICY = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON {table} USING (project_id = (SELECT memcubed_tenant()));
"""

# Row-level security keeps `@@`, which is not marked leakproof, from using an index. So this one function runs as the
# tables' owner; it looks at the running transaction's project only and gives nothing but ids, which the search
# statement then reads under row-level security like any other. Where the owner is itself bound by row-level
# security, the answer is the same and slower.
WORDS = """
CREATE FUNCTION memcubed_large_words(cube uuid, kinds text[], terms text[], wanted integer)
    RETURNS TABLE (id uuid) LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
    SET enable_seqscan = off
    SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    tenant CONSTANT uuid := memcubed_tenant();
    -- so many rows are read at most; 20 for each that is wanted order them well enough
    most CONSTANT integer := wanted * 20;
    total bigint;
    average float8;
    query text;
    score text;
BEGIN
    IF NOT has_table_privilege(session_user, 'public.memories', 'SELECT') THEN
        RETURN;
    END IF;
    SELECT l.memories, greatest(l.word_count, 1) INTO total, average
        FROM large_cubes l WHERE l.cube_id = cube AND l.project_id = tenant;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    -- The rare words by themselves as far as the rows last; of the others, two that seldom meet; at the least, the
    -- rarest. A common word alone says little of a memory, and the vectors find what it has in common with the query.
    WITH known AS (
        SELECT format('''%s''', replace(replace(t.term, '\\', '\\\\'), '''', '''''')) AS term,
            least(coalesce(w.documents, 0), total)::float8 AS documents
        FROM unnest(terms) t (term)
        LEFT JOIN large_cube_words w ON w.cube_id = cube AND w.project_id = tenant AND w.lexeme = t.term
    ),
    ordered AS (
        SELECT term, documents, ln(1 + (total - documents + 0.5) / (documents + 0.5)) AS idf,
            sum(documents) OVER (ORDER BY documents, term) <= most AS is_rare,
            row_number() OVER (ORDER BY documents, term) AS rank
        FROM known
    ),
    clauses AS (
        SELECT term AS clause FROM ordered WHERE is_rare
        UNION ALL
        SELECT format('(%s & %s)', a.term, b.term) FROM ordered a JOIN ordered b ON a.rank < b.rank
        WHERE NOT a.is_rare AND NOT b.is_rare AND b.rank <= 16 AND a.documents * b.documents / total <= most
    )
    SELECT coalesce((SELECT string_agg(clause, ' | ') FROM clauses), (SELECT term FROM ordered WHERE rank = 1)),
        (SELECT string_agg(format('CASE WHEN words @@ %L::tsquery THEN %s ELSE 0 END', term, idf), ' + ')
            FROM ordered WHERE rank <= 32)
        INTO query, score;
    IF query IS NULL THEN
        RETURN;
    END IF;
    RETURN QUERY EXECUTE format(
        'SELECT id FROM (
            SELECT id, words, word_count FROM memories
            WHERE cube_id = %L AND status = ''activated'' AND project_id = $1 AND kind = ANY($2)
                AND words @@ %L::tsquery
            LIMIT %s
        ) m
        ORDER BY (%s) / (2 + 1.2 * (0.25 + 0.75 * word_count / %s)) DESC LIMIT %s',
        cube, query, most, score, average, wanted
    ) USING tenant, kinds;
END $$;
"""

CANDIDATES = """
CREATE FUNCTION memcubed_large_candidates(
    cube uuid, space text, dimensions integer, kinds text[], query halfvec, terms text[], effort integer,
    nearest integer
) RETURNS TABLE (id uuid, follows boolean) LANGUAGE plpgsql STABLE
    SET enable_seqscan = off
    SET enable_hashjoin = off
    SET enable_mergejoin = off
    SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    tenant CONSTANT uuid := memcubed_tenant();
    vectors uuid[] := '{}';
    words uuid[];
    raw uuid[];
    -- the neighbours of so many of the best by vectors and by words are looked at
    expanded CONSTANT integer := 60;
BEGIN
    PERFORM set_config('hnsw.ef_search', effort::text, true), set_config('hnsw.iterative_scan', 'relaxed_order', true);
    -- The cube is written into the statements, since a partial index is only used where its condition is plain.
    IF query IS NOT NULL THEN
        EXECUTE format(
            'SELECT coalesce(array_agg(memory_id ORDER BY distance), ''{}'') FROM (
                SELECT v.memory_id, v.embedding::halfvec(%1$s) <=> $1 AS distance
                FROM memory_vectors v JOIN memories m ON m.cube_id = v.cube_id AND m.id = v.memory_id
                WHERE v.cube_id = %2$L AND v.space = %3$L AND v.project_id = $2
                    AND m.cube_id = %2$L AND m.status = ''activated'' AND m.kind = ANY($3)
                ORDER BY v.embedding::halfvec(%1$s) <=> $1 LIMIT %4$s
            ) found',
            dimensions, cube, space, nearest
        ) INTO vectors USING query, tenant, kinds;
    END IF;
    SELECT coalesce(array_agg(w.id), '{}') INTO words FROM memcubed_large_words(cube, kinds, terms, nearest) w;
    EXECUTE format(
        'SELECT coalesce(array_agg(id), ''{}'') FROM (
            SELECT id FROM memories m
            WHERE cube_id = %1$L AND status = ''activated'' AND layer = ''WorkingMemory''
                AND project_id = $1 AND kind = ANY($2)
            ORDER BY sequence DESC LIMIT 64
        ) newest
        WHERE NOT EXISTS (
            SELECT FROM memory_vectors v WHERE v.cube_id = %1$L AND v.memory_id = newest.id AND v.space = %2$L
        )',
        cube, space
    ) INTO raw USING tenant, kinds;
    RETURN QUERY EXECUTE format(
        'WITH best AS MATERIALIZED (
            SELECT DISTINCT m.id, m.conversation_id, m.kind = ''fact'' AS is_fact, m.sequence
            FROM unnest($1[:$4] || $2[:$4]) e (id) JOIN memories m ON m.cube_id = %1$L AND m.id = e.id
        ),
        near AS MATERIALIZED (
            SELECT b.id AS best, n.id, n.sequence FROM best b CROSS JOIN LATERAL (
                (
                    SELECT m.id, m.sequence FROM memories m
                    WHERE m.cube_id = %1$L AND m.status = ''activated'' AND m.project_id = $5 AND m.kind = ANY($6)
                        AND m.conversation_id = b.conversation_id AND (m.kind = ''fact'') = b.is_fact
                        AND m.sequence >= b.sequence
                    ORDER BY m.sequence LIMIT 3
                ) UNION ALL (
                    SELECT m.id, m.sequence FROM memories m
                    WHERE m.cube_id = %1$L AND m.status = ''activated'' AND m.project_id = $5 AND m.kind = ANY($6)
                        AND m.conversation_id = b.conversation_id AND (m.kind = ''fact'') = b.is_fact
                        AND m.sequence < b.sequence
                    ORDER BY m.sequence DESC LIMIT 2
                )
            ) n
        ),
        runs AS (
            SELECT id, lag(id) OVER (PARTITION BY best ORDER BY sequence) IS NOT NULL AS follows FROM near
        )
        SELECT id, bool_or(follows) FROM (
            SELECT id, follows FROM runs
            UNION ALL SELECT id, false FROM unnest($1 || $2 || $3) u (id)
        ) every GROUP BY id',
        cube
    ) USING vectors, words, raw, expanded, tenant, kinds;
END $$;
"""

DOWNGRADE = """
DROP FUNCTION memcubed_large_candidates, memcubed_large_words;
DROP TABLE large_cube_words;
DROP TABLE large_cubes;
"""


def upgrade() -> None:
    op.execute(UPGRADE)
    for table in TENANT_TABLES:
        op.execute(POLICY.format(table=table))
    op.get_bind().exec_driver_sql(WORDS.replace("%", "%%"))
    op.get_bind().exec_driver_sql(CANDIDATES.replace("%", "%%"))


def downgrade() -> None:
    op.execute(DOWNGRADE)
