"""What the language model was asked and said: candidates, batches, ratings, verdicts, usage."""

from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
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
    within_run,
)


class Prompt(Base):
    """An immutable version of a prompt's text; the code is keyed by its schema version."""

    __tablename__ = "prompts"

    name: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    schema_version: Mapped[int]
    system: Mapped[str]
    template: Mapped[str]
    sha256: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[Made]


class Candidate(Base):
    """A suspicious pair of a run (Eq. 12): a low-scoring edge or a high-scoring non-edge."""

    __tablename__ = "candidates"
    __table_args__ = (within_run(), Index(None, "run_id", "batch_id"))

    run_id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[CallerKey]
    item_id: Mapped[CallerKey]
    project_id: Mapped[UUID]
    edge: Mapped[bool]
    score: Mapped[float]  # the score that chose it: an edge's as `edge_scores` says
    history: Mapped[list[str]] = mapped_column(ARRAY(TEXT(collation="C")))  # the item view's shelf
    batch_id: Mapped[UUID | None]


class RatingBatch(Base):
    """At most a minute of rating, claimed by one worker with a lease and a fencing token."""

    __tablename__ = "rating_batches"
    __table_args__ = (
        within_run(),
        CheckConstraint(
            "state IN ('pending', 'running', 'done', 'dead', 'cancelled')", name="state"
        ),
        Index(None, "run_id", "state"),
    )

    id: Mapped[Key]
    run_id: Mapped[UUID]
    project_id: Mapped[UUID]
    number: Mapped[int]
    state: Mapped[Word] = mapped_column(default="pending")
    calls: Mapped[int]  # pairs times views
    attempts: Mapped[int] = mapped_column(default=0)
    lease_token: Mapped[int] = mapped_column(BigInteger, default=0)
    lease_until: Mapped[Moment | None]
    error: Mapped[Json | None]
    created_at: Mapped[Made]


class Rating(Base):
    """One answer: one view of one pair. Never two for the same question."""

    __tablename__ = "ratings"
    __table_args__ = (
        within_dataset(),
        CheckConstraint("view IN ('user', 'item')", name="view"),
        CheckConstraint("label IN ('High', 'Mid', 'Low', 'unparsed')", name="label"),
        UniqueConstraint(
            "project_id",
            "dataset_id",
            "user_id",
            "item_id",
            "view",
            "content_sha256",
            "repeat",
            name="uq_ratings_question",
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    project_id: Mapped[UUID]
    dataset_id: Mapped[UUID]
    user_id: Mapped[CallerId]
    item_id: Mapped[CallerId]
    view: Mapped[Word]
    # of view, model, prompt version, parameters and exact texts: see shared/llm/cache_key.py
    content_sha256: Mapped[bytes] = mapped_column(LargeBinary)
    repeat: Mapped[int] = mapped_column(default=0)
    prompt_version: Mapped[int]
    llm: Mapped[str]
    label: Mapped[Word]
    reason: Mapped[str]
    answer_sha256: Mapped[bytes | None] = mapped_column(LargeBinary)
    latency_ms: Mapped[float | None]
    prompt_tokens: Mapped[int | None]
    completion_tokens: Mapped[int | None]
    created_at: Mapped[Made]


class RunRating(Base):
    """Which rating a run used for which view of which pair, and whether it was paid for here."""

    __tablename__ = "run_ratings"
    __table_args__ = (within_run(),)

    run_id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[CallerKey]
    item_id: Mapped[CallerKey]
    view: Mapped[str] = mapped_column(primary_key=True)
    project_id: Mapped[UUID]
    rating_id: Mapped[int] = mapped_column(ForeignKey("ratings.id", ondelete="CASCADE"), index=True)
    cached: Mapped[bool]


class Verdict(Base):
    """What a run made of a candidate, or of a pair that a person spoke of, and did about it."""

    __tablename__ = "verdicts"
    __table_args__ = (
        within_run(),
        CheckConstraint("verdict IN ('hard', 'noise', 'clean', 'unsure')", name="verdict"),
        CheckConstraint("action IN ('keep', 'drop', 'add', 'none')", name="action"),
        Index(None, "run_id", "verdict"),
    )

    run_id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[CallerKey]
    item_id: Mapped[CallerKey]
    project_id: Mapped[UUID]
    edge: Mapped[bool]
    verdict: Mapped[Word]
    action: Mapped[Word]
    decided_by: Mapped[Word]  # rule, person
    score: Mapped[float | None]  # None where a person spoke and nobody asked the graph
    note: Mapped[str | None]  # why an action was not taken: a cap, a user's last edge, …
    created_at: Mapped[Made]


class Usage(Base):
    """One attempt at a call, also a failed one: what it cost."""

    __tablename__ = "usage"
    __table_args__ = (within_run(), Index(None, "run_id"))

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    project_id: Mapped[UUID]
    run_id: Mapped[UUID]
    batch_id: Mapped[UUID | None]
    kind: Mapped[Word]  # chat, embedding
    model: Mapped[str]
    status: Mapped[str]  # ok, unparsable, http_429, timeout, …
    attempt: Mapped[int]
    prompt_tokens: Mapped[int | None]
    completion_tokens: Mapped[int | None]
    latency_ms: Mapped[float | None]
    created_at: Mapped[Made]


class Embedding(Base):
    """A text's vector as float16 bytes, by content, so that no text is embedded twice."""

    __tablename__ = "embeddings"

    project_id: Mapped[UUID] = mapped_column(
        ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True
    )
    text_sha256: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    model: Mapped[str] = mapped_column(primary_key=True)
    vector: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[Made]
