"""Work that takes time: jobs, runs, their stages; and the models that come of it."""

from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from services.shared.db.base import Base, Json, Key, Made, Moment, Word, within_dataset, within_run

JOB_STATES = "('queued', 'running', 'paused', 'cancelling', 'succeeded', 'failed', 'cancelled')"
STAGE_STATES = "('waiting', 'ready', 'running', 'succeeded', 'failed', 'cancelled')"


class Job(Base):
    """Anything that takes time; a run's or an import's id is its job's id."""

    __tablename__ = "jobs"
    __table_args__ = (
        UniqueConstraint("project_id", "id"),
        CheckConstraint(f"state IN {JOB_STATES}", name="state"),
        Index(None, "project_id", "created_at"),
    )

    id: Mapped[Key]
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    dataset_id: Mapped[UUID | None]
    kind: Mapped[Word]  # run, import, purge
    state: Mapped[Word] = mapped_column(default="queued")
    progress: Mapped[Json]  # {"total", "completed", "failed", "cached"}
    error: Mapped[Json | None]  # {"code", "detail", "stage"}
    result: Mapped[Json | None]
    pause: Mapped[Json | None]  # {"code", "detail", "stage", "since"} while it is paused
    retry_at: Mapped[Moment | None]  # of a paused job; without one it waits for a person
    request_id: Mapped[str | None]
    created_at: Mapped[Made]
    started_at: Mapped[Moment | None]
    finished_at: Mapped[Moment | None]


class Run(Base):
    """One denoise-and-train pipeline; pins all that its result depends on."""

    __tablename__ = "runs"
    __table_args__ = (
        UniqueConstraint("project_id", "id"),
        within_dataset(),
        ForeignKeyConstraint(
            ["project_id", "id"], ["jobs.project_id", "jobs.id"], ondelete="CASCADE"
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    project_id: Mapped[UUID]
    dataset_id: Mapped[UUID]
    dataset_version: Mapped[int] = mapped_column(BigInteger)
    dataset_settings: Mapped[Json]  # as they stood when the run began
    spec: Mapped[Json]
    config_sha256: Mapped[bytes] = mapped_column(LargeBinary)
    seed: Mapped[int] = mapped_column(BigInteger)
    llm: Mapped[str]
    embedder: Mapped[str]
    prompt_version: Mapped[int]
    artifacts: Mapped[Json]  # stage name -> {"path", "sha256"} of its manifest
    created_at: Mapped[Made]


class Stage(Base):
    """One step of a run, claimed with a lease and a fencing token."""

    __tablename__ = "stages"
    __table_args__ = (within_run(), CheckConstraint(f"state IN {STAGE_STATES}", name="state"))

    run_id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    project_id: Mapped[UUID]
    state: Mapped[Word] = mapped_column(default="waiting")
    attempts: Mapped[int] = mapped_column(default=0)
    lease_token: Mapped[int] = mapped_column(BigInteger, default=0)
    # a parked stage's is infinity, which Python cannot hold: only SQL compares it
    lease_until: Mapped[Moment | None] = mapped_column(deferred=True)
    sent_at: Mapped[Moment | None]  # when its message was last sent
    progress: Mapped[Json]
    figures: Mapped[Json]
    error: Mapped[Json | None]
    pause: Mapped[Json | None]  # {"code", "detail", "since", "tries", "needs"} while it waits
    retry_at: Mapped[Moment | None]  # no sooner is a paused stage claimed again
    peak_memory_bytes: Mapped[int | None] = mapped_column(BigInteger)
    started_at: Mapped[Moment | None]
    finished_at: Mapped[Moment | None]


class Model(Base):
    """A trained, versioned, servable result; one per run, with both graphs in it."""

    __tablename__ = "models"
    __table_args__ = (within_dataset(), within_run(), UniqueConstraint("run_id"))

    id: Mapped[Key]
    project_id: Mapped[UUID]
    dataset_id: Mapped[UUID]
    run_id: Mapped[UUID]
    dataset_version: Mapped[int] = mapped_column(BigInteger)
    default_graph: Mapped[Word]  # raw or denoised: decided on validation
    card: Mapped[Json]
    artifact_path: Mapped[str]
    manifest_sha256: Mapped[str]
    created_at: Mapped[Made]
