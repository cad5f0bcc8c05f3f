"""People's words on pairs: how they stand now, and every change that ever was."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, insert, select, text, tuple_
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from services.shared.db.repos.audit import Actor
from services.shared.db.tables import Dataset, Model, Override, OverrideChange

Pair = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Word:
    """What a person says of a pair; `verdict` None takes the word back."""

    user_id: str
    item_id: str
    verdict: str | None
    note: str | None = None
    author: str | None = None

    @property
    def pair(self) -> Pair:
        """Return whom and what it speaks of."""
        return self.user_id, self.item_id


def find(session: Session, dataset_id: UUID, pairs: Collection[Pair]) -> dict[Pair, Override]:
    """Return the words on these pairs as they stand now."""
    query = select(Override).where(
        Override.dataset_id == dataset_id, tuple_(Override.user_id, Override.item_id).in_(pairs)
    )
    fresh = query.execution_options(populate_existing=True)  # they are written past the session
    return {(row.user_id, row.item_id): row for row in session.scalars(fresh)} if pairs else {}


def history(session: Session, dataset_id: UUID, pair: Pair, *, most: int) -> list[OverrideChange]:
    """Return the changes of the words on a pair, the newest first, at most so many."""
    query = select(OverrideChange).where(
        OverrideChange.dataset_id == dataset_id,
        OverrideChange.user_id == pair[0],
        OverrideChange.item_id == pair[1],
    )
    return list(session.scalars(query.order_by(OverrideChange.id.desc()).limit(most)))


def obeyed_version(session: Session, dataset_id: UUID) -> int:
    """Return the newest version of the dataset that a model has learned; -1 without one.

    A word of a later version is pending: no run has obeyed it yet.
    """
    query = select(func.max(Model.dataset_version)).where(Model.dataset_id == dataset_id)
    found = session.scalar(query)
    return -1 if found is None else found


def count_pending(session: Session, dataset_id: UUID) -> int:
    """Return how many words of now no model has learned of yet."""
    obeyed = obeyed_version(session, dataset_id)
    query = select(func.count()).where(
        Override.dataset_id == dataset_id, Override.dataset_version > obeyed
    )
    return session.scalar(query) or 0


def keep(session: Session, dataset: Dataset, words: Sequence[Word], actor: Actor) -> None:
    """Write the words, no pair twice, and their history, at the dataset's version of now."""
    said = [word for word in words if word.verdict is not None]
    rows = [_row(dataset, word, actor) for word in words]
    if said:
        statement = postgresql.insert(Override).values([_row(dataset, w, actor) for w in said])
        fresh = {name: statement.excluded[name] for name in rows[0] if name not in _KEYS}
        session.execute(
            statement.on_conflict_do_update(
                index_elements=_KEYS[1:], set_={**fresh, "created_at": func.now()}
            )
        )
    gone = [word.pair for word in words if word.verdict is None]
    if gone:
        session.execute(
            delete(Override).where(
                Override.dataset_id == dataset.id,
                tuple_(Override.user_id, Override.item_id).in_(gone),
            )
        )
    if rows:
        session.execute(insert(OverrideChange), rows)


_KEYS = ("project_id", "dataset_id", "user_id", "item_id")
_WHO = "note, author, key_id, key_name, key_prefix"
_COLUMNS = f"project_id, dataset_id, user_id, item_id, {_WHO}, undo_of, dataset_version"

# Under the rule `soft` an edge that got no two Highs was not dropped, but weighs less.
_PROTECT = text(f"""
    WITH made AS (
        INSERT INTO overrides ({_COLUMNS}, verdict)
        SELECT v.project_id, :dataset_id, v.user_id, v.item_id, CAST(:note AS text),
               CAST(:author AS text), CAST(:key_id AS uuid), CAST(:key_name AS text),
               CAST(:key_prefix AS text), v.run_id, :version, 'unsure'
        FROM verdicts v
        WHERE v.run_id = :run_id AND v.decided_by = 'rule' AND (
            v.action IN ('drop', 'add')
            OR (:soft AND v.edge AND v.verdict <> 'hard' AND 2 = (
                SELECT count(*) FROM run_ratings l JOIN ratings r ON r.id = l.rating_id
                WHERE l.run_id = v.run_id AND l.user_id = v.user_id AND l.item_id = v.item_id
                  AND r.label <> 'unparsed')))
        ON CONFLICT (dataset_id, user_id, item_id) DO NOTHING
        RETURNING {_COLUMNS}, verdict
    )
    INSERT INTO override_changes ({_COLUMNS}, verdict) SELECT {_COLUMNS}, verdict FROM made
""")  # noqa: S608 - names of columns, from here
_RELEASE = text(f"""
    WITH gone AS (
        DELETE FROM overrides WHERE dataset_id = :dataset_id AND undo_of = :run_id
        RETURNING project_id, dataset_id, user_id, item_id, undo_of
    )
    INSERT INTO override_changes ({_COLUMNS}, verdict)
    SELECT project_id, dataset_id, user_id, item_id, CAST(:note AS text), CAST(:author AS text),
           CAST(:key_id AS uuid), CAST(:key_name AS text), CAST(:key_prefix AS text), undo_of,
           :version, NULL
    FROM gone
""")  # noqa: S608 - as above


def protect(
    session: Session, dataset: Dataset, run_id: UUID, actor: Actor, *, note: str | None, soft: bool
) -> int:
    """Say `unsure` of every pair that the run's rule changed and nobody spoke of; return how many.

    `soft`: the run's rule weighed edges down; those count as changed. The words carry the version
    after the dataset's present one.
    """
    values = {**_bulk(dataset, run_id, actor, note), "soft": soft}
    return _count(session.execute(_PROTECT, values))


def release(
    session: Session, dataset: Dataset, run_id: UUID, actor: Actor, *, note: str | None
) -> int:
    """Take back the words that `protect` left and nobody has changed since; return how many."""
    return _count(session.execute(_RELEASE, _bulk(dataset, run_id, actor, note)))


def _count(result: Any) -> int:  # noqa: ANN401 - SQLAlchemy's cursor result
    return int(result.rowcount)


def _bulk(dataset: Dataset, run_id: UUID, actor: Actor, note: str | None) -> dict[str, Any]:
    return {
        "dataset_id": dataset.id,
        "run_id": run_id,
        "note": note,
        "version": dataset.version + 1,
        **_who(actor, actor.author),
    }


def _row(dataset: Dataset, word: Word, actor: Actor) -> dict[str, Any]:
    return {
        "project_id": dataset.project_id,
        "dataset_id": dataset.id,
        "user_id": word.user_id,
        "item_id": word.item_id,
        "verdict": word.verdict,
        "note": word.note,
        "undo_of": None,
        "dataset_version": dataset.version,
        **_who(actor, word.author),
    }


def _who(actor: Actor, author: str | None) -> dict[str, Any]:
    return {
        "author": author,
        "key_id": actor.key_id,
        "key_name": actor.key_name,
        "key_prefix": actor.key_prefix,
    }
