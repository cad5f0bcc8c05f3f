"""Ratings: found by content, stored once, linked to every run that uses them."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, tuple_
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


Asked = tuple[str, str, str, bytes]
"""User, item, view and content of a question."""


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


def find(session: Session, dataset_id: UUID, questions: Sequence[Asked]) -> dict[Asked, int]:
    """Return the id of each of `questions` that has a parsed rating; failures never count."""
    return _ids(session, dataset_id, questions, Rating.label != "unparsed")


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
    # in one order for all, or two runs that store the same questions wait for each other
    answers = sorted(answers, key=_question)
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
    ids = _ids(session, dataset_id, [_question(answer) for answer in answers])
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


def _question(answer: Answer) -> Asked:
    return answer.user_id, answer.item_id, answer.view, answer.content_sha256


def _ids(
    session: Session, dataset_id: UUID, questions: Sequence[Asked], *also: ColumnElement[bool]
) -> dict[Asked, int]:
    columns = Rating.user_id, Rating.item_id, Rating.view, Rating.content_sha256
    query = select(*columns, Rating.id).where(
        Rating.dataset_id == dataset_id, tuple_(*columns).in_(list(questions)), *also
    )
    return {(user, item, view, key): i for user, item, view, key, i in session.execute(query)}
