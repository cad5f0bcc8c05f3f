"""Alembic's doorway: online only, one upgrade at a time, on the connection it is given."""

from alembic import context
from sqlalchemy import Connection, text

from services.shared.db import tables
from services.shared.db.base import Base

_LOCK = 0x6D696772  # concurrent upgrades wait for one another

assert tables.Project.metadata is Base.metadata  # noqa: S101 (the import fills the metadata)


def run(connection: Connection) -> None:
    """Bring the connected database to where alembic was told, in one transaction."""
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        compare_type=True,
        compare_server_default=False,
        include_object=_include,
    )
    with context.begin_transaction():
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        context.run_migrations()


def _include(_object: object, _name: str | None, kind: str, reflected: bool, _to: object) -> bool:  # noqa: FBT001 (alembic's signature)
    return not (kind == "table" and reflected and _name == "alembic_version")


run(context.config.attributes["connection"])
