"""Four fields of `info` that an index can look up."""

from alembic import op

revision = "0014"
down_revision = "0013"

FIELDS = ("business_type", "biz_id", "scene", "custom_status")

# Row-level security lets no operator on jsonb use an index, since none is marked leakproof; equality of texts is. So
# each field has a mark in a column of its own: of a text its beginning, of a list only that it is one, and none of
# anything else. It narrows down what has to be looked at; what a condition means is decided on `info` itself.
FUNCTIONS = """
CREATE FUNCTION memcubed_info_mark(value jsonb) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE jsonb_typeof(value) WHEN 'string' THEN '=' || left(value #>> '{}', 64) WHEN 'array' THEN '[]' END
$$;

CREATE FUNCTION memcubed_mark_info() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    NEW.business_type_mark := memcubed_info_mark(NEW.info -> 'business_type');
    NEW.biz_id_mark := memcubed_info_mark(NEW.info -> 'biz_id');
    NEW.scene_mark := memcubed_info_mark(NEW.info -> 'scene');
    NEW.custom_status_mark := memcubed_info_mark(NEW.info -> 'custom_status');
    RETURN NEW;
END $$;
"""

COLUMNS = """
ALTER TABLE memories
    ADD COLUMN business_type_mark text,
    ADD COLUMN biz_id_mark text,
    ADD COLUMN scene_mark text,
    ADD COLUMN custom_status_mark text;
CREATE TRIGGER memories_mark_info BEFORE INSERT OR UPDATE OF info ON memories
    FOR EACH ROW EXECUTE FUNCTION memcubed_mark_info();
"""

# Project by project, since row-level security may bind the owner as well. Rows without such a field stay untouched.
FILL = """
DO $$
DECLARE
    before CONSTANT text := coalesce(current_setting('memcubed.project_id', true), '');
    project uuid;
BEGIN
    FOR project IN SELECT id FROM projects LOOP
        PERFORM set_config('memcubed.project_id', project::text, true);
        UPDATE memories SET info = info
            WHERE project_id = project AND info ?| ARRAY['business_type', 'biz_id', 'scene', 'custom_status'];
    END LOOP;
    PERFORM set_config('memcubed.project_id', before, true);
END $$;
"""

INDEX = "CREATE INDEX memories_{field}_idx ON memories (cube_id, {field}_mark) WHERE {field}_mark IS NOT NULL"

DOWNGRADE = """
DROP TRIGGER memories_mark_info ON memories;
DROP FUNCTION memcubed_mark_info;
DROP FUNCTION memcubed_info_mark;
ALTER TABLE memories
    DROP COLUMN business_type_mark,
    DROP COLUMN biz_id_mark,
    DROP COLUMN scene_mark,
    DROP COLUMN custom_status_mark;
"""


def upgrade() -> None:
    op.execute(FUNCTIONS)
    op.execute(COLUMNS)
    op.execute(FILL)
    for field in FIELDS:
        op.execute(INDEX.format(field=field))


def downgrade() -> None:
    op.execute(DOWNGRADE)
