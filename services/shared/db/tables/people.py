"""What people decide: words on pairs with their history, what is served, who did what."""

from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index
from sqlalchemy.orm import Mapped, mapped_column

from services.shared.db.base import (
    Base,
    CallerId,
    CallerKey,
    Json,
    Key,
    Made,
    Word,
    within_dataset,
)

VERDICTS = "('hard', 'noise', 'clean', 'unsure')"


class _Said:
    """Who said it, why, and which version of the dataset it made."""

    project_id: Mapped[UUID]
    note: Mapped[str | None]
    author: Mapped[str | None]  # in the caller's words; the key is what was checked
    key_id: Mapped[UUID | None]
    key_name: Mapped[str | None]
    key_prefix: Mapped[str | None]
    undo_of: Mapped[UUID | None]  # the run whose changes this word takes back
    dataset_version: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[Made]


class Override(_Said, Base):
    """A person's word on a pair as it stands now; the next run obeys it."""

    __tablename__ = "overrides"
    __table_args__ = (
        within_dataset(),
        CheckConstraint(f"verdict IN {VERDICTS}", name="verdict"),
    )

    dataset_id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[CallerKey]
    item_id: Mapped[CallerKey]
    verdict: Mapped[Word]


class OverrideChange(_Said, Base):
    """One change of a person's word; only ever added to."""

    __tablename__ = "override_changes"
    __table_args__ = (
        within_dataset(),
        CheckConstraint(f"verdict IN {VERDICTS}", name="verdict"),
        Index(None, "dataset_id", "user_id", "item_id", "id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    dataset_id: Mapped[UUID]
    user_id: Mapped[CallerId]
    item_id: Mapped[CallerId]
    verdict: Mapped[Word | None]  # None: the word was withdrawn


class Serving(Base):
    """Since when a dataset serves which lists; the newest row is in force."""

    __tablename__ = "servings"
    __table_args__ = (
        within_dataset(),
        CheckConstraint("graph IN ('raw', 'denoised')", name="graph"),
        CheckConstraint("cause IN ('first', 'promote', 'rollback', 'undo', 'redo')", name="cause"),
        Index(None, "dataset_id", "id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    project_id: Mapped[UUID]
    dataset_id: Mapped[UUID]
    model_id: Mapped[UUID]
    graph: Mapped[Word | None]  # None: the model's own choice
    cause: Mapped[Word]
    previous_id: Mapped[int | None] = mapped_column(BigInteger)  # where a rollback goes
    created_at: Mapped[Made]


class AuditEntry(Base):
    """Who did what; only ever added to, and kept when its dataset is erased."""

    __tablename__ = "audit_log"
    __table_args__ = (
        CheckConstraint("actor IN ('key', 'operator', 'system')", name="actor"),
        Index(None, "project_id", "created_at", "id"),
    )

    id: Mapped[Key]
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    action: Mapped[Word]
    actor: Mapped[Word]
    key_id: Mapped[UUID | None]
    key_name: Mapped[str | None]
    key_prefix: Mapped[str | None]
    author: Mapped[str | None]
    dataset_id: Mapped[UUID | None]
    subject: Mapped[Json]  # ids and what was before and after; no text, no note, no secret
    request_id: Mapped[str | None]
    created_at: Mapped[Made]
