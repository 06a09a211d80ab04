"""The tables, as SQLAlchemy sees them. The migrations define them; a test holds the two together."""

from typing import Any

from pgvector.sqlalchemy import HALFVEC
from sqlalchemy import (
    REAL,
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSVECTOR

from memcubed.store import columns, usage_tables
from memcubed.store.columns import cube_column, time_type

metadata = columns.metadata
usage_days, usage_tasks = usage_tables.usage_days, usage_tables.usage_tasks
usage_day_kinds, usage_task_kinds = usage_tables.usage_day_kinds, usage_tables.usage_task_kinds
kept_answers = usage_tables.kept_answers


def _part_of_memory() -> tuple[Column[Any], Column[Any], ForeignKeyConstraint]:
    return (
        Column("cube_id", Uuid, primary_key=True),
        Column("memory_id", Uuid, primary_key=True),
        ForeignKeyConstraint(["cube_id", "memory_id"], ["memories.cube_id", "memories.id"], ondelete="CASCADE"),
    )


def _marks(*fields: str) -> list[Column[Any] | Index]:
    """Beginnings of fields of `info` that a trigger writes, for filters to look up by index."""
    columns: list[Column[Any] | Index] = [Column(f"{field}_mark", Text) for field in fields]
    indexes = [
        Index(f"memories_{field}_idx", "cube_id", f"{field}_mark", postgresql_where=text(f"{field}_mark IS NOT NULL"))
        for field in fields
    ]
    return columns + indexes


projects = Table(
    "projects",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("timezone", Text, nullable=False),
    Column("created_at", time_type, nullable=False, server_default=func.now()),
    Column("daily_token_budget", BigInteger),
    Column("redact", Boolean),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("project_id", Uuid, ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("prefix", Text, nullable=False),
    Column("key_hash", Text, nullable=False, unique=True),
    Column("created_at", time_type, nullable=False, server_default=func.now()),
    Column("last_used_at", time_type),
    Column("expires_at", time_type),
    Column("revoked_at", time_type),
    Column("scopes", ARRAY(Text), nullable=False, server_default=text("'{read,write}'")),
    Index("api_keys_project_id_idx", "project_id"),
)

admin_keys = Table(
    "admin_keys",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("prefix", Text, nullable=False),
    Column("key_hash", Text, nullable=False, unique=True),
    Column("created_at", time_type, nullable=False, server_default=func.now()),
    Column("last_used_at", time_type),
    Column("expires_at", time_type),
    Column("revoked_at", time_type),
)

project_rates = Table(
    "project_rates",
    metadata,
    Column("project_id", Uuid, ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True),
    Column("requests_full_at", time_type, nullable=False, server_default=text("'-infinity'")),
    Column("tokens_full_at", time_type, nullable=False, server_default=text("'-infinity'")),
    prefixes=["UNLOGGED"],
)

cubes = Table(
    "cubes",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("project_id", Uuid, ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("created_at", time_type, nullable=False, server_default=func.now()),
    UniqueConstraint("project_id", "kind", "owner"),
)

tasks = Table(
    "tasks",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("project_id", Uuid, ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    Column("options", JSONB, nullable=False),
    Column("idempotency_key", Text),
    Column("body_hash", Text, nullable=False),
    Column("running_body_hash", Text),
    Column("created_at", time_type, nullable=False, server_default=func.now()),
    Column("finished_at", time_type),
    UniqueConstraint("project_id", "idempotency_key"),
    UniqueConstraint("project_id", "running_body_hash"),
    Index("tasks_skills_idx", "project_id", "finished_at", postgresql_where=text("options -> 'kinds' ? 'skill'")),
)

skill_runs = Table(
    "skill_runs",
    metadata,
    cube_column(),
    Column("project_id", Uuid, nullable=False),
    Column("seen_until", time_type, nullable=False),
)

task_shares = Table(
    "task_shares",
    metadata,
    cube_column(),
    Column("task_id", Uuid, ForeignKey("tasks.id", ondelete="CASCADE"), primary_key=True),
    Column("project_id", Uuid, nullable=False),
    Column("status", Text, nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("waits", Integer, nullable=False, server_default=text("0")),
    Column("last_error", Text),
    Column("receipt", JSONB),
    Column("finished_at", time_type),
    Index("task_shares_task_id_idx", "task_id"),
)

messages = Table(
    "messages",
    metadata,
    cube_column(),
    Column("id", Uuid, primary_key=True),
    Column("project_id", Uuid, nullable=False),
    Column("task_id", Uuid, ForeignKey("tasks.id", ondelete="CASCADE"), nullable=False),
    Column("position", BigInteger, Identity(always=True)),
    Column("conversation_id", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("speaker", Text),
    Column("text", Text, nullable=False),
    Column("payload", JSONB, nullable=False),
    Column("chat_time", time_type, nullable=False),
    Column("created_at", time_type, nullable=False, server_default=func.now()),
    Index("messages_conversation_idx", "cube_id", "conversation_id", "position"),
    Index("messages_task_id_idx", "task_id"),
)

message_readings = Table(
    "message_readings",
    metadata,
    Column("cube_id", Uuid, primary_key=True),
    Column("message_id", Uuid, primary_key=True),
    Column("part", Integer, primary_key=True),
    Column("project_id", Uuid, nullable=False),
    Column("pieces", JSONB, nullable=False),
    Column("failure", Text),
    ForeignKeyConstraint(["cube_id", "message_id"], ["messages.cube_id", "messages.id"], ondelete="CASCADE"),
)

memories = Table(
    "memories",
    metadata,
    cube_column(),
    Column("id", Uuid, primary_key=True),
    Column("project_id", Uuid, nullable=False),
    Column("sequence", BigInteger, Identity(always=True)),
    Column("task_id", Uuid, ForeignKey("tasks.id", ondelete="SET NULL")),
    Column("kind", Text, nullable=False),
    Column("layer", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("reasoning", Text, nullable=False, server_default=""),
    Column("index_text", Text, nullable=False),
    Column("context_text", Text, nullable=False, server_default=""),
    Column("source_role", Text, nullable=False),
    Column("speaker", Text),
    Column("words", TSVECTOR, nullable=False),
    Column("word_count", Integer, nullable=False),
    Column("tags", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("info", JSONB, nullable=False, server_default=text("'{}'")),
    Column("details", JSONB, nullable=False, server_default=text("'{}'")),
    Column("related_ids", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("weight", REAL, nullable=False, server_default=text("1")),
    Column("superseded_by", Uuid),
    Column("confidence", REAL, nullable=False),
    Column("conversation_id", Text, nullable=False),
    Column("app_id", Text),
    Column("agent_id", Text),
    Column("extractor", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("told_at", time_type, nullable=False),
    Column("memory_time", time_type),
    Column("created_at", time_type, nullable=False),
    Column("updated_at", time_type, nullable=False),
    *_marks("business_type", "biz_id", "scene", "custom_status"),
    Index("memories_fingerprint_idx", "cube_id", "fingerprint"),
    Index("memories_task_id_idx", "task_id"),
    Index("memories_id_idx", "id"),
)

memory_vectors = Table(
    "memory_vectors",
    metadata,
    *_part_of_memory(),
    Column("project_id", Uuid, nullable=False),
    Column("space", Text, primary_key=True),
    Column("embedding", HALFVEC, nullable=False),
)

calibrations = Table(
    "calibrations",
    metadata,
    Column("space", Text, primary_key=True),
    Column("middle", REAL, nullable=False),
    Column("noise", REAL, nullable=False),
    Column("gain", REAL, nullable=False),
    Column("shift", REAL, nullable=False),
    Column("fitted_at", time_type, nullable=False, server_default=func.now()),
)

memory_sources = Table(
    "memory_sources",
    metadata,
    *_part_of_memory(),
    Column("message_id", Uuid, primary_key=True),
    Column("project_id", Uuid, nullable=False),
    ForeignKeyConstraint(["cube_id", "message_id"], ["messages.cube_id", "messages.id"], ondelete="CASCADE"),
    Index("memory_sources_message_idx", "cube_id", "message_id"),
)

recalled_memories = Table(
    "recalled_memories",
    metadata,
    *_part_of_memory(),
    Column("scope_id", Uuid, primary_key=True),
    Column("conversation_id", Text, primary_key=True),
    Column("project_id", Uuid, nullable=False),
    Column("recalled_at", time_type, nullable=False),
    Index("recalled_memories_scope_idx", "scope_id", "recalled_at"),
)

large_cubes = Table(
    "large_cubes",
    metadata,
    cube_column(),
    Column("project_id", Uuid, nullable=False),
    Column("space", Text, nullable=False),
    Column("dimensions", Integer, nullable=False),
    Column("memories", BigInteger, nullable=False),
    Column("word_count", Double, nullable=False),
    Column("speakers", ARRAY(Text), nullable=False),
    Column("oldest", time_type),
    Column("newest", time_type),
    Column("indexed_at", time_type, nullable=False),
)

large_cube_words = Table(
    "large_cube_words",
    metadata,
    Column("cube_id", Uuid, ForeignKey("large_cubes.cube_id", ondelete="CASCADE"), primary_key=True),
    Column("lexeme", Text, primary_key=True),
    Column("project_id", Uuid, nullable=False),
    Column("documents", Integer, nullable=False),
)

profile_templates = Table(
    "profile_templates",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("project_id", Uuid, ForeignKey("projects.id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("metadata", JSONB, nullable=False),
    Column("created_at", time_type, nullable=False),
    Column("updated_at", time_type, nullable=False),
    Index("profile_templates_project_id_idx", "project_id", "created_at"),
)

profiles = Table(
    "profiles",
    metadata,
    cube_column(),
    Column("template_id", Uuid, ForeignKey("profile_templates.id", ondelete="CASCADE"), primary_key=True),
    Column("project_id", Uuid, nullable=False),
    Column("metadata", JSONB, nullable=False),
    Column("updated_at", time_type, nullable=False),
    Index("profiles_template_id_idx", "template_id"),
)

memory_versions = Table(
    "memory_versions",
    metadata,
    *_part_of_memory(),
    Column("version", Integer, primary_key=True),
    Column("project_id", Uuid, nullable=False),
    Column("key", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("reasoning", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("superseded_by", Uuid),
    Column("created_at", time_type, nullable=False),
)

knowledge_bases = Table(
    "knowledge_bases",
    metadata,
    cube_column(),
    Column("project_id", Uuid, nullable=False),
    Column("id", Uuid, nullable=False),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("created_at", time_type, nullable=False, server_default=func.now()),
    Index("knowledge_bases_project_id_idx", "project_id"),
)

knowledge_files = Table(
    "knowledge_files",
    metadata,
    cube_column(),
    Column("id", Uuid, primary_key=True),
    Column("project_id", Uuid, nullable=False),
    Column("knowledge_base_id", Uuid, nullable=False),
    Column("position", BigInteger, Identity(always=True)),
    Column("name", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("format", Text),
    Column("url", Text),
    Column("size", BigInteger),
    Column("status", Text, nullable=False),
    Column("reason", Text),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("pieces", Integer),
    Column("created_at", time_type, nullable=False),
    Column("updated_at", time_type, nullable=False),
    Index("knowledge_files_project_id_idx", "project_id", "id"),
)

knowledge_file_parts = Table(
    "knowledge_file_parts",
    metadata,
    Column("cube_id", Uuid, primary_key=True),
    Column("file_id", Uuid, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("project_id", Uuid, nullable=False),
    Column("content", LargeBinary, nullable=False),
    ForeignKeyConstraint(["cube_id", "file_id"], ["knowledge_files.cube_id", "knowledge_files.id"], ondelete="CASCADE"),
)

knowledge_links = Table(
    "knowledge_links",
    metadata,
    cube_column(),
    Column("project_id", Uuid, ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True),
    Column("knowledge_base_id", Uuid, nullable=False),
    Column("owner_id", Uuid, nullable=False),
    Column("created_at", time_type, nullable=False, server_default=func.now()),
    Index("knowledge_links_project_id_idx", "project_id"),
)
