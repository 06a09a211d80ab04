"""The tables of what model calls cost, and of answers that were paid for."""

from sqlalchemy import BigInteger, Column, Date, ForeignKey, Table, Text, Uuid, func

from memcubed.store.columns import cube_column, metadata, time_type

usage_days = Table(
    "usage_days",
    metadata,
    Column("project_id", Uuid, ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True),
    Column("day", Date, primary_key=True),
    Column("purpose", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("calls", BigInteger, nullable=False),
    Column("input_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
)

usage_tasks = Table(
    "usage_tasks",
    metadata,
    Column("task_id", Uuid, ForeignKey("tasks.id", ondelete="CASCADE"), primary_key=True),
    Column("project_id", Uuid, nullable=False),
    Column("purpose", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("calls", BigInteger, nullable=False),
    Column("input_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
)

usage_day_kinds = Table(
    "usage_day_kinds",
    metadata,
    Column("project_id", Uuid, ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True),
    Column("day", Date, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("memories", BigInteger, nullable=False),
    Column("calls", BigInteger, nullable=False),
    Column("input_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
)

usage_task_kinds = Table(
    "usage_task_kinds",
    metadata,
    Column("task_id", Uuid, ForeignKey("tasks.id", ondelete="CASCADE"), primary_key=True),
    Column("project_id", Uuid, nullable=False),
    Column("kind", Text, primary_key=True),
    Column("memories", BigInteger, nullable=False),
    Column("calls", BigInteger, nullable=False),
    Column("input_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
)

kept_answers = Table(
    "kept_answers",
    metadata,
    cube_column(),
    Column("question", Text, primary_key=True),
    Column("project_id", Uuid, nullable=False),
    Column("answer", Text, nullable=False),
    Column("kept_at", time_type, nullable=False, server_default=func.now()),
)
