"""Ratings: found by content, stored once, linked to every run that uses them."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.shared.db.tables import Rating, RunRating

_ANSWERED = (
    "label",
    "reason",
    "answer_sha256",
    "latency_ms",
    "prompt_tokens",
    "completion_tokens",
)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One view of one pair, answered."""

    user_id: str
    item_id: str
    view: str
    content_sha256: bytes
    label: str
    reason: str
    prompt_version: int
    llm: str
    answer_sha256: bytes | None
    latency_ms: float | None
    prompt_tokens: int | None
    completion_tokens: int | None


def already_linked(
    session: Session, run_id: UUID, pairs: Sequence[tuple[str, str]]
) -> set[tuple[str, str, str]]:
    """Return those (user, item, view) of `pairs` that the run has a rating for."""
    query = select(RunRating.user_id, RunRating.item_id, RunRating.view).where(
        RunRating.run_id == run_id, tuple_(RunRating.user_id, RunRating.item_id).in_(list(pairs))
    )
    return {(row.user_id, row.item_id, row.view) for row in session.execute(query)}


def find(
    session: Session, dataset_id: UUID, keys: Sequence[bytes]
) -> dict[tuple[str, str, str, bytes], int]:
    """Return the id of each parsed rating whose content is one of `keys`; failures never count."""
    query = select(
        Rating.id, Rating.user_id, Rating.item_id, Rating.view, Rating.content_sha256
    ).where(
        Rating.dataset_id == dataset_id,
        Rating.content_sha256.in_(list(keys)),
        Rating.label != "unparsed",
    )
    return {
        (row.user_id, row.item_id, row.view, row.content_sha256): row.id
        for row in session.execute(query)
    }


def store(
    session: Session,
    answers: Sequence[Answer],
    *,
    project_id: UUID,
    dataset_id: UUID,
    run_id: UUID,
) -> None:
    """Keep the answers and link them to the run; one that is stored already is linked only.

    An `unparsed` answer gives way to a parsed one of the same content, never the other way.
    """
    if not answers:
        return
    rows = [
        {**vars(answer), "project_id": project_id, "dataset_id": dataset_id, "repeat": 0}
        for answer in answers
    ]
    statement = insert(Rating).values(rows)
    parsed = statement.on_conflict_do_update(
        constraint="uq_ratings_question",
        set_={name: statement.excluded[name] for name in _ANSWERED},
        where=Rating.label == "unparsed",
    )
    session.execute(parsed)
    ids = _ids(session, dataset_id, answers)
    links = [
        (answer.user_id, answer.item_id, answer.view, ids[_question(answer)]) for answer in answers
    ]
    link(session, links, project_id=project_id, run_id=run_id, cached=False)


def link(
    session: Session,
    links: Sequence[tuple[str, str, str, int]],
    *,
    project_id: UUID,
    run_id: UUID,
    cached: bool,
) -> None:
    """Note which rating the run uses for which (user, item, view); the first link stands."""
    if not links:
        return
    rows = [
        {
            "run_id": run_id,
            "project_id": project_id,
            "user_id": user_id,
            "item_id": item_id,
            "view": view,
            "rating_id": rating_id,
            "cached": cached,
        }
        for user_id, item_id, view, rating_id in links
    ]
    session.execute(insert(RunRating).values(rows).on_conflict_do_nothing())


def progress(session: Session, run_id: UUID) -> dict[str, int]:
    """Return the run's calls so far: completed, of them from the cache, and failed to parse."""
    query = (
        select(
            func.count().label("completed"),
            func.count().filter(RunRating.cached).label("cached"),
            func.count().filter(Rating.label == "unparsed").label("failed"),
        )
        .join(Rating, Rating.id == RunRating.rating_id)
        .where(RunRating.run_id == run_id)
    )
    row = session.execute(query).one()
    return {"completed": row.completed, "cached": row.cached, "failed": row.failed}


def _question(answer: Answer) -> tuple[str, str, str, bytes]:
    return answer.user_id, answer.item_id, answer.view, answer.content_sha256


def _ids(
    session: Session, dataset_id: UUID, answers: Sequence[Answer]
) -> dict[tuple[str, str, str, bytes], int]:
    query = select(
        Rating.id, Rating.user_id, Rating.item_id, Rating.view, Rating.content_sha256
    ).where(
        Rating.dataset_id == dataset_id,
        tuple_(Rating.user_id, Rating.item_id, Rating.view, Rating.content_sha256).in_(
            [_question(answer) for answer in answers]
        ),
    )
    return {
        (row.user_id, row.item_id, row.view, row.content_sha256): row.id
        for row in session.execute(query)
    }
