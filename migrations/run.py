"""Up, down and the check for drift, on a given database."""

from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, NullPool, create_engine

from services.shared.db.base import Base

HERE = Path(__file__).parent


def upgrade(owner_url: str, revision: str = "head") -> None:
    """Bring the database up to `revision` as its owner."""
    with _connected(owner_url) as connection:
        command.upgrade(_config(connection), revision)


def downgrade(owner_url: str, revision: str) -> None:
    """Take the database down to `revision` as its owner; rows of dropped tables are lost."""
    with _connected(owner_url) as connection:
        command.downgrade(_config(connection), revision)


def heads() -> list[str]:
    """Return the newest revisions: one, unless two branches were never merged."""
    return list(ScriptDirectory(str(HERE)).get_heads())


def drift(owner_url: str) -> list[object]:
    """Return what differs between the migrated database and the mapped tables: nothing."""
    with _connected(owner_url) as connection:
        return list(compare_metadata(MigrationContext.configure(connection), Base.metadata))


def _connected(url: str) -> Connection:
    return create_engine(url, poolclass=NullPool).connect()


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(HERE))
    config.attributes["connection"] = connection
    return config
