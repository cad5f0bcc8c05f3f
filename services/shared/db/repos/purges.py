"""What a deleted dataset leaves: erased a few thousand rows at a time, its own row last."""

from uuid import UUID

from sqlalchemy import TextClause, delete, func, select, text
from sqlalchemy.orm import Session

from services.shared.db.repos import jobs
from services.shared.db.tables import Dataset, Import, Job, Run

ROWS = 5_000
TABLES = (
    "verdicts",
    "run_ratings",
    "candidates",
    "interactions",
    "ratings",
    "overrides",  # their history, which nobody may delete from, goes with the dataset's own row
    "users",
    "items",
)
OF_RUNS, PROFILES = frozenset(TABLES[:3]), frozenset(TABLES[-2:])

# By physical place: no order is needed, and it is the fastest way to a few rows of many.
SOME = """
    DELETE FROM {table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM {table} WHERE {of} LIMIT :rows))
"""
# Another dataset of the project may have the same text; then its vector stays.
WITH_VECTORS = """
    WITH gone AS ({some} RETURNING text_sha256), dead AS (
        DELETE FROM embeddings e USING gone WHERE e.text_sha256 = gone.text_sha256
        AND NOT EXISTS (SELECT FROM users u
            WHERE u.text_sha256 = e.text_sha256 AND u.dataset_id <> :dataset)
        AND NOT EXISTS (SELECT FROM items i
            WHERE i.text_sha256 = e.text_sha256 AND i.dataset_id <> :dataset)
    ) SELECT count(*) FROM gone
"""


def alone(session: Session, dataset_id: UUID) -> bool:
    """Hold the dataset's purge until the transaction ends; False when another holds it."""
    query = text("SELECT pg_try_advisory_xact_lock(hashtextextended(:name, 0))")
    return bool(session.scalar(query, {"name": f"purge {dataset_id}"}))


def is_buried(session: Session, dataset_id: UUID) -> bool:
    """Say whether the dataset is a tombstone."""
    query = select(Dataset.id).where(Dataset.id == dataset_id, Dataset.deleted_at.is_not(None))
    return session.scalar(query) is not None


def end_abandoned_imports(session: Session, dataset_id: UUID) -> None:
    """End the imports that were to be stopped and whose worker died."""
    held = Import.lease_until > func.now()
    query = (
        select(Import.id)
        .join(Job, Job.id == Import.id)
        .where(Import.dataset_id == dataset_id, Job.state.not_in(jobs.ENDED), held.is_not(True))
    )
    for import_id in session.scalars(query).all():
        jobs.end(session, import_id, "cancelled")


def is_worked_on(session: Session, dataset_id: UUID) -> bool:
    """Say whether a job of the dataset has not ended."""
    query = select(Job.id).where(Job.dataset_id == dataset_id, Job.state.not_in(jobs.ENDED))
    return session.scalar(query.limit(1)) is not None


def run_ids(session: Session, dataset_id: UUID) -> list[UUID]:
    """Return the dataset's runs."""
    return list(session.scalars(select(Run.id).where(Run.dataset_id == dataset_id)))


def erase_some(session: Session, dataset_id: UUID) -> int:
    """Erase up to ROWS rows of the first table that has any; return how many, 0 when done.

    The vectors of texts that no other dataset of the project has go with the profiles.
    """
    for table in TABLES:
        erased = session.scalar(_statement(table), {"dataset": dataset_id, "rows": ROWS})
        if erased:
            return int(erased)
    return 0


def erase_row(session: Session, dataset_id: UUID) -> None:
    """Erase the dataset's jobs with their runs, and the dataset itself."""
    session.execute(delete(Job).where(Job.dataset_id == dataset_id))
    session.execute(delete(Dataset).where(Dataset.id == dataset_id))


def _statement(table: str) -> TextClause:
    runs = "run_id IN (SELECT id FROM runs WHERE dataset_id = :dataset)"
    of = runs if table in OF_RUNS else "dataset_id = :dataset"
    some = SOME.format(table=table, of=of)
    if table in PROFILES:
        return text(WITH_VECTORS.format(some=some))
    return text(f"WITH gone AS ({some} RETURNING 1) SELECT count(*) FROM gone")  # noqa: S608 - names from TABLES
