"""Rows of an upload: copied beside the log, then made visible whole, in one transaction."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import orjson
import psycopg
from psycopg import Connection, sql
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from services.shared.db.repos.imports import Counts, ImportLease
from services.shared.errors import InvalidError, LeaseLostError

UNKNOWN_IDS = "WN001"
"""The SQLSTATE under which `staging.publish` refuses rows of unknown users or items."""


def publish(
    session: Session,
    lease: ImportLease,
    kind: str,
    *,
    columns: Sequence[str],
    blocks: Iterable[bytes],
    counts: Counts,
) -> None:
    """Copy the rows and make them visible, all in this transaction of the role winnow_ingest.

    `blocks` is CSV as `COPY … (FORMAT csv)` reads it. LeaseLostError, and nothing written, when a
    newer token has come or the import is visible already; InvalidError when the dataset wants known
    ids and a row names another. A predecessor that still copies holds a
    lock: then this fails after ten seconds, and the next attempt is the sweep's.
    """
    session.execute(text("SET LOCAL lock_timeout = '10s'"))
    opened = text("SELECT staging.open(:id, :kind)")
    name = session.scalar(opened, {"id": lease.import_id, "kind": kind})
    _copy(session, str(name), columns, blocks)
    query = text(
        "SELECT staging.publish(:id, :token, :accepted, :duplicates, :rejected,"
        " CAST(:errors AS jsonb), :errors_path)"
    )
    values = {
        "id": lease.import_id,
        "token": lease.token,
        "accepted": counts.accepted,
        "duplicates": counts.duplicates,
        "rejected": counts.rejected,
        "errors": orjson.dumps(list(counts.errors)).decode(),
        "errors_path": counts.errors_path,
    }
    with _unknown_ids_told():
        if not session.scalar(query, values):
            raise LeaseLostError(f"import {lease.import_id}")


def rehearse(
    session: Session,
    lease: ImportLease,
    kind: str,
    *,
    columns: Sequence[str],
    blocks: Iterable[bytes],
    counts: Counts,
) -> None:
    """Do all that `publish` does, raise all that it raises, and leave no trace of it."""
    trial = session.begin_nested()
    publish(session, lease, kind, columns=columns, blocks=blocks, counts=counts)
    trial.rollback()


@contextmanager
def _unknown_ids_told() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        if not isinstance(error.orig, psycopg.Error) or error.orig.sqlstate != UNKNOWN_IDS:
            raise
        raise InvalidError(str(error.orig.diag.message_primary), code="UNKNOWN_ID") from None


def _copy(session: Session, name: str, columns: Sequence[str], blocks: Iterable[bytes]) -> None:
    connection = session.connection().connection.driver_connection
    assert isinstance(connection, Connection)  # noqa: S101 - the URL says psycopg
    statement = sql.SQL("COPY staging.{} ({}) FROM STDIN (FORMAT csv)").format(
        sql.Identifier(name), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for block in blocks:
            copy.write(block)
