"""What all tables are made of."""

from typing import Any, Final

from sqlalchemy import Column, DateTime, ForeignKey, MetaData, Uuid

metadata: Final = MetaData()

time_type: Final = DateTime(timezone=True)


def cube_column() -> Column[Any]:
    """The cube that a row lives in, and goes with; first in the primary key."""
    return Column("cube_id", Uuid, ForeignKey("cubes.id", ondelete="CASCADE"), primary_key=True)
