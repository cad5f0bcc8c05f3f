"""Reads a dataset whole, as of one moment, by COPY: the first step of every run."""

from pathlib import Path
from typing import Literal, cast
from uuid import UUID

import psycopg
from psycopg import sql
from sqlalchemy import select
from sqlalchemy.orm import Session

from services.shared.db.session import set_project
from services.shared.db.tables import Dataset
from services.shared.errors import NotFoundError

INTERACTION_COLUMNS = ("user_id", "item_id", "type", "value", "micros", "split", "seq")
PROFILE_COLUMNS = ("id", "text")
WORD_COLUMNS = ("user_id", "item_id", "verdict")

_INTERACTIONS = sql.SQL("""
    COPY (SELECT user_id, item_id, type, value,
                 (extract(epoch FROM "timestamp") * 1000000)::bigint, split, seq
          FROM interactions WHERE dataset_id = {dataset})
    TO STDOUT (FORMAT csv)""")
# a thing whose own text says nothing is known by its title; the rule of profiles.worded
_PROFILES = sql.SQL(r"""
    COPY (SELECT id, CASE WHEN text ~ '\S' THEN text ELSE nullif(attributes->>'title', '') END
          FROM {table} WHERE dataset_id = {dataset})
    TO STDOUT (FORMAT csv)""")
_WORDS = sql.SQL("""
    COPY (SELECT user_id, item_id, verdict FROM overrides WHERE dataset_id = {dataset})
    TO STDOUT (FORMAT csv)""")


def begin(session: Session, project_id: UUID) -> None:
    """Let a fresh transaction see the project as of one moment (REPEATABLE READ)."""
    session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    set_project(session, project_id)


def version(session: Session, dataset_id: UUID) -> int:
    """Return the dataset's version as of the transaction; NotFoundError when it is gone."""
    query = select(Dataset.version).where(Dataset.id == dataset_id, Dataset.deleted_at.is_(None))
    found = session.scalar(query)
    if found is None:
        raise NotFoundError("dataset", dataset_id)
    return found


def copy_interactions(session: Session, dataset_id: UUID, path: Path) -> None:
    """Write INTERACTION_COLUMNS of every interaction as CSV without a header, unordered."""
    _copy(session, _INTERACTIONS.format(dataset=sql.Literal(dataset_id)), path)


def copy_profiles(
    session: Session, table: Literal["users", "items"], dataset_id: UUID, path: Path
) -> None:
    """Write PROFILE_COLUMNS of every user or item as CSV without a header, unordered."""
    names = {"table": sql.Identifier(table), "dataset": sql.Literal(dataset_id)}
    _copy(session, _PROFILES.format(**names), path)


def copy_words(session: Session, dataset_id: UUID, path: Path) -> None:
    """Write WORD_COLUMNS of every pair that a person has spoken of, as CSV, unordered."""
    _copy(session, _WORDS.format(dataset=sql.Literal(dataset_id)), path)


def _copy(session: Session, statement: sql.Composed, path: Path) -> None:
    connection = cast(
        "psycopg.Connection[tuple[object, ...]]",
        session.connection().connection.driver_connection,
    )
    with connection.cursor() as cursor, cursor.copy(statement) as rows, path.open("wb") as file:
        for piece in rows:
            file.write(piece)
