"""Usage: one row an attempt, also a failed one."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from services.shared.db.tables import Usage
from services.shared.llm.protocol import ChatReply, EmbedReply


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """What one attempt at a call came to; tokens are None where the endpoint named none."""

    kind: str  # chat, embedding
    model: str
    status: str  # of services.shared.llm.protocol.CallStatus
    attempt: int
    prompt_tokens: int | None
    completion_tokens: int | None
    latency_ms: float | None


def attempt_of(reply: ChatReply | EmbedReply, *, kind: str, model: str, number: int) -> Attempt:
    """Return what the `number`-th attempt at a call came to."""
    return Attempt(
        kind=kind,
        model=model,
        status=reply.status,
        attempt=number,
        prompt_tokens=reply.usage.prompt if reply.usage else None,
        completion_tokens=reply.usage.completion if reply.usage else None,
        latency_ms=reply.latency_ms,
    )


def add(
    session: Session,
    attempts: Sequence[Attempt],
    *,
    project_id: UUID,
    run_id: UUID,
    batch_id: UUID | None = None,
) -> None:
    """Keep the attempts."""
    fixed = {"project_id": project_id, "run_id": run_id, "batch_id": batch_id}
    # a trigger adds each statement's rows to sums that others add to: in one order, all at once
    rows = [{**vars(attempt), **fixed} for attempt in sorted(attempts, key=_sum_of)]
    if rows:
        session.execute(insert(Usage).returning(Usage.id), rows)  # without it a statement a row


def _sum_of(attempt: Attempt) -> tuple[str, str, str]:
    return attempt.kind, attempt.model, attempt.status


def of_run(session: Session, run_id: UUID, *, kind: str | None = None) -> dict[str, dict[str, int]]:
    """Return requests, prompt_tokens and completion_tokens of the run, by model.

    `kind` narrows it to "chat" or "embedding", where one model may serve both.
    """
    query = select(
        Usage.model,
        func.count().label("requests"),
        func.coalesce(func.sum(Usage.prompt_tokens), 0).label("prompt_tokens"),
        func.coalesce(func.sum(Usage.completion_tokens), 0).label("completion_tokens"),
    ).where(Usage.run_id == run_id)
    if kind is not None:
        query = query.where(Usage.kind == kind)
    return {
        row.model: {
            "requests": row.requests,
            "prompt_tokens": int(row.prompt_tokens),
            "completion_tokens": int(row.completion_tokens),
        }
        for row in session.execute(query.group_by(Usage.model))
    }
