"""What callers upload: datasets, users, items, interactions, imports."""

from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, LargeBinary, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.shared.db.base import (
    Base,
    CallerId,
    CallerKey,
    Json,
    Key,
    Made,
    Moment,
    Word,
    within_dataset,
)


class Dataset(Base):
    """A log with its profiles; `version` is bumped by every committed write."""

    __tablename__ = "datasets"
    __table_args__ = (
        UniqueConstraint("project_id", "id"),
        Index(
            "uq_datasets_live_name",
            "project_id",
            "name",
            unique=True,
            postgresql_where="deleted_at IS NULL",
        ),
    )

    id: Mapped[Key]
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    name: Mapped[str]
    settings: Mapped[Json]
    version: Mapped[int] = mapped_column(BigInteger, default=0)
    current_model_id: Mapped[UUID | None]  # the one pointer that promotion moves
    current_graph: Mapped[Word | None]  # whose lists; None: as the model's row says
    created_at: Mapped[Made]
    deleted_at: Mapped[Moment | None]


class _Profile:
    """An id of the caller's, its text and its attributes."""

    project_id: Mapped[UUID]
    dataset_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[CallerKey]
    text: Mapped[str | None]
    text_sha256: Mapped[bytes | None] = mapped_column(LargeBinary)
    attributes: Mapped[Json]
    updated_at: Mapped[Made]


class User(_Profile, Base):
    """A person whose taste is learned."""

    __tablename__ = "users"
    __table_args__ = (within_dataset(),)


class Item(_Profile, Base):
    """A thing that may be recommended."""

    __tablename__ = "items"
    __table_args__ = (within_dataset(),)


class Interaction(Base):
    """One event of the log, as it was sent; duplicates fall at snapshot time."""

    __tablename__ = "interactions"
    __table_args__ = (
        within_dataset(),
        Index(None, "dataset_id", "user_id", "item_id"),
        Index(None, "dataset_id", "seq"),
        Index(
            "ix_interactions_event",
            "dataset_id",
            "event_id",
            postgresql_where="event_id IS NOT NULL",
        ),
    )

    seq: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    project_id: Mapped[UUID]
    dataset_id: Mapped[UUID]
    import_id: Mapped[UUID | None]
    user_id: Mapped[CallerId]
    item_id: Mapped[CallerId]
    type: Mapped[str | None]
    value: Mapped[float | None]
    timestamp: Mapped[Moment | None]
    event_id: Mapped[str | None]
    text: Mapped[str | None]
    position: Mapped[int | None]
    split: Mapped[str | None]
    recommendation_id: Mapped[str | None]
    received_at: Mapped[Made]


class Import(Base):
    """A bulk upload: seen whole once `visible_at` is set, or not at all. Its id is its job's."""

    __tablename__ = "imports"
    __table_args__ = (within_dataset(),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    project_id: Mapped[UUID]
    dataset_id: Mapped[UUID]
    kind: Mapped[Word]  # interactions, users, items
    options: Mapped[Json]  # the parser's, and validate_only
    spool_name: Mapped[str]
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[bytes] = mapped_column(LargeBinary)
    accepted: Mapped[int] = mapped_column(BigInteger, default=0)
    duplicates: Mapped[int] = mapped_column(BigInteger, default=0)
    rejected: Mapped[int] = mapped_column(BigInteger, default=0)
    errors: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, default=list)  # the first 100
    errors_path: Mapped[str | None]  # all of them, in the artefact store
    lease_token: Mapped[int] = mapped_column(BigInteger, default=0)
    lease_until: Mapped[Moment | None]
    attempts: Mapped[int] = mapped_column(default=0)
    sent_at: Mapped[Made]  # when its message was last sent
    visible_at: Mapped[Moment | None]
    created_at: Mapped[Made]
