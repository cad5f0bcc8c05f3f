"""What every table shares: names of constraints, ids, moments, the caller's strings."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from sqlalchemy import DateTime, ForeignKeyConstraint, MetaData, String, Text, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, mapped_column

from services.shared.ids import new_id

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

Key = Annotated[UUID, mapped_column(primary_key=True, default=new_id)]
# The caller's own id: any UTF-8 up to 256 bytes; bytes decide the order, nothing is normalised.
CallerId = Annotated[str, mapped_column(Text(collation="C"))]
CallerKey = Annotated[str, mapped_column(Text(collation="C"), primary_key=True)]
Word = Annotated[str, mapped_column(String(64))]
Moment = Annotated[datetime, mapped_column(DateTime(timezone=True))]
Made = Annotated[datetime, mapped_column(DateTime(timezone=True), server_default=func.now())]
Json = Annotated[dict[str, Any], mapped_column(JSONB(none_as_null=True))]


class Base(DeclarativeBase):
    """The mapped classes' root."""

    metadata = MetaData(naming_convention=NAMES)


def within_dataset() -> ForeignKeyConstraint:
    """Return the key that ties a row to a dataset of its own project."""
    return ForeignKeyConstraint(
        ["project_id", "dataset_id"], ["datasets.project_id", "datasets.id"], ondelete="CASCADE"
    )


def within_run() -> ForeignKeyConstraint:
    """Return the key that ties a row to a run of its own project."""
    return ForeignKeyConstraint(
        ["project_id", "run_id"], ["runs.project_id", "runs.id"], ondelete="CASCADE"
    )
