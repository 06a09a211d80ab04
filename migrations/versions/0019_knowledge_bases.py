"""Knowledge bases, their files with what was sent, and which projects may read those of others."""

from alembic import op

revision = "0019"
down_revision = "0018"

TENANT_TABLES = ("knowledge_bases", "knowledge_files", "knowledge_file_parts", "knowledge_links")

UPGRADE = """
CREATE TABLE knowledge_bases (
    cube_id uuid PRIMARY KEY REFERENCES cubes (id) ON DELETE CASCADE,
    project_id uuid NOT NULL,
    id uuid NOT NULL,
    name text NOT NULL,
    description text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX knowledge_bases_project_id_idx ON knowledge_bases (project_id);

CREATE TABLE knowledge_files (
    cube_id uuid NOT NULL REFERENCES cubes (id) ON DELETE CASCADE,
    id uuid NOT NULL,
    project_id uuid NOT NULL,
    knowledge_base_id uuid NOT NULL,
    -- files in the order in which they were added
    position bigint GENERATED ALWAYS AS IDENTITY,
    name text NOT NULL,
    -- document or skill, and the document's format; a file from a URL has neither format nor size until it was fetched
    type text NOT NULL,
    format text,
    url text,
    size bigint,
    status text NOT NULL,
    reason text,
    attempts integer NOT NULL DEFAULT 0,
    -- how many memories were made of it; none yet when null
    pieces integer,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (cube_id, id)
);
CREATE INDEX knowledge_files_project_id_idx ON knowledge_files (project_id, id);

-- What was sent, in parts of a size that is handled well.
CREATE TABLE knowledge_file_parts (
    cube_id uuid NOT NULL,
    file_id uuid NOT NULL,
    number integer NOT NULL,
    project_id uuid NOT NULL,
    content bytea NOT NULL,
    PRIMARY KEY (cube_id, file_id, number),
    FOREIGN KEY (cube_id, file_id) REFERENCES knowledge_files (cube_id, id) ON DELETE CASCADE
);

-- The project may read a knowledge base of the owner's, another project.
CREATE TABLE knowledge_links (
    cube_id uuid NOT NULL REFERENCES cubes (id) ON DELETE CASCADE,
    project_id uuid NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    knowledge_base_id uuid NOT NULL,
    owner_id uuid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (cube_id, project_id)
);
CREATE INDEX knowledge_links_project_id_idx ON knowledge_links (project_id);
"""

POLICY = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON {table} USING (project_id = (SELECT memcubed_tenant()));
"""


def upgrade() -> None:
    op.execute(UPGRADE)
    for table in TENANT_TABLES:
        op.execute(POLICY.format(table=table))


def downgrade() -> None:
    for table in reversed(TENANT_TABLES):
        op.execute(f"DROP TABLE {table}")
