"""Some of a dataset's pairs and texts, and some answers of before: what an estimate is made of."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from services.shared.db.repos.extents import conditions
from services.shared.db.repos.profiles import worded
from services.shared.db.tables import (
    Candidate,
    Interaction,
    Item,
    Job,
    Rating,
    Run,
    RunRating,
    User,
)
from services.shared.expression import Comparison

ANSWERS = 100
"""Answers of one view that are looked at."""


@dataclass(frozen=True, kw_only=True)
class Told:
    """A call of before: what it asked about, and what it cost in tokens."""

    user_id: str
    item_id: str
    history: Sequence[str]
    prompt_tokens: int
    completion_tokens: int


def pairs_of(
    session: Session,
    dataset_id: UUID,
    users: Collection[str],
    positive: Sequence[Comparison],
    *,
    most: int,
) -> dict[str, list[str]]:
    """Return the items of these users' positive pairs, at most so many each, by a hash's order."""
    user_id, item_id = Interaction.user_id, Interaction.item_id
    place = func.row_number().over(partition_by=user_id, order_by=func.md5(user_id + item_id))
    drawn = (
        select(user_id, item_id, place.label("place"))
        .where(*conditions(dataset_id, positive), user_id.in_(users))
        .group_by(user_id, item_id)
        .subquery()
    )
    # a robot among them may have millions
    query = select(drawn.c.user_id, drawn.c.item_id).where(drawn.c.place <= most)
    found: dict[str, list[str]] = {}
    for user, item in session.execute(query.order_by(drawn.c.user_id, drawn.c.place)):
        found.setdefault(user, []).append(item)
    return found


def texts_of(
    session: Session, table: type[User] | type[Item], dataset_id: UUID, ids: Collection[str]
) -> dict[str, str]:
    """Return the texts by which a run knows these; who has none is not in it."""
    text = worded(table)
    query = select(table.id, text).where(table.dataset_id == dataset_id, table.id.in_(ids))
    return {ident: said for ident, said in session.execute(query) if said is not None}


def answers(
    session: Session, dataset_id: UUID, *, llm: str, prompt_version: int, view: str
) -> list[Told]:
    """Return the newest answers whose tokens the endpoint counted, with what was asked."""
    newest = (
        select(Rating.id)
        .where(
            Rating.dataset_id == dataset_id,
            Rating.llm == llm,
            Rating.prompt_version == prompt_version,
            Rating.view == view,
            Rating.prompt_tokens.is_not(None),
        )
        .order_by(Rating.id.desc())
        .limit(ANSWERS)
        .subquery()
    )
    query = (
        select(Rating, Candidate.history)
        .join(newest, newest.c.id == Rating.id)
        .join(RunRating, RunRating.rating_id == Rating.id)
        .join(
            Candidate,
            (Candidate.run_id == RunRating.run_id)
            & (Candidate.user_id == Rating.user_id)
            & (Candidate.item_id == Rating.item_id),
        )
        .where(~RunRating.cached)  # by the run that asked: its shelf is the one that was shown
    )
    return [
        Told(
            user_id=rating.user_id,
            item_id=rating.item_id,
            history=history,
            prompt_tokens=rating.prompt_tokens or 0,
            completion_tokens=rating.completion_tokens or 0,
        )
        for rating, history in session.execute(query)
    ]


def last_run(session: Session, dataset_id: UUID, *, llm: str) -> Run | None:
    """Return the newest run that succeeded with this language model."""
    query = (
        select(Run)
        .join(Job, Job.id == Run.id)
        .where(Run.dataset_id == dataset_id, Run.llm == llm, Job.state == "succeeded")
        .order_by(Job.created_at.desc(), Job.id.desc())
    )
    return session.scalars(query.limit(1)).one_or_none()


def usable_answers(session: Session, dataset_id: UUID, *, llm: str, prompt_version: int) -> int:
    """Return how many parsed answers are stored that are younger than user's and item's texts."""
    older = (
        select(Rating.id)
        .outerjoin(User, (User.dataset_id == dataset_id) & (User.id == Rating.user_id))
        .outerjoin(Item, (Item.dataset_id == dataset_id) & (Item.id == Rating.item_id))
        .where(
            Rating.dataset_id == dataset_id,
            Rating.llm == llm,
            Rating.prompt_version == prompt_version,
            Rating.label != "unparsed",
            func.coalesce(User.updated_at <= Rating.created_at, True),
            func.coalesce(Item.updated_at <= Rating.created_at, True),
        )
        .subquery()
    )
    return session.scalar(select(func.count()).select_from(older)) or 0
