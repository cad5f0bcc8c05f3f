"""Tenants, their keys, and answers kept for repeated requests."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from services.shared.db.base import Base, Json, Key, Made, Moment, Word


class Project(Base):
    """A tenant: owns everything below it."""

    __tablename__ = "projects"

    id: Mapped[Key]
    name: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[Made]


class ApiKey(Base):
    """A key of a project; of its secret only the SHA-256 is kept."""

    __tablename__ = "api_keys"
    __table_args__ = (CheckConstraint("role IN ('admin', 'write', 'read')", name="role"),)

    id: Mapped[Key]
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    name: Mapped[str]
    role: Mapped[Word]
    prefix: Mapped[str] = mapped_column(unique=True)
    secret_sha256: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[Made]
    expires_at: Mapped[Moment | None]
    revoked_at: Mapped[Moment | None]


class IdempotencyKey(Base):
    """The first answer to a request that names an Idempotency-Key; kept for 24 hours."""

    __tablename__ = "idempotency_keys"

    project_id: Mapped[UUID] = mapped_column(
        ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True
    )
    key: Mapped[str] = mapped_column(primary_key=True)
    request_sha256: Mapped[bytes] = mapped_column(LargeBinary)  # method, path, query and body
    status: Mapped[int | None]  # None while the first request still runs
    answer: Mapped[Json | None]  # {"headers": {...}, "body": ...}
    created_at: Mapped[Made]
