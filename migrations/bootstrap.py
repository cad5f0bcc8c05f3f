"""Makes the three roles that services use and the database they share; safe to repeat.

Roles belong to the whole cluster, so no migration makes them: migrations only grant. Nobody but
this command uses the superuser, who would bypass row-level security.
"""

from collections.abc import Mapping

import psycopg
from psycopg import sql
from sqlalchemy import URL, make_url

from services.shared.settings import settings

OWNER, APP, INGEST = "winnow_owner", "winnow_app", "winnow_ingest"
_ROLE = sql.SQL(
    "{verb} ROLE {name} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS PASSWORD {password}"
)


def bootstrap() -> None:
    """Make roles and database as the four URLs of the settings name them.

    ValueError when a URL names another role than Winnow's three, or another database.
    """
    names = ("owner_database_url", "database_url", "ingest_database_url")
    urls = [make_url(settings().require(name)) for name in names]
    if [url.username for url in urls] != [OWNER, APP, INGEST]:
        raise ValueError(f"the URLs must name {OWNER}, {APP} and {INGEST}, in this order")
    database = urls[0].database
    if database is None or any(url.database != database for url in urls):
        raise ValueError("the three URLs must name the same database")
    admin_url = settings().require("admin_database_url")
    create_roles(admin_url, {str(url.username): str(url.password) for url in urls})
    create_database(admin_url, database)


def create_roles(admin_url: str, passwords: Mapping[str, str]) -> None:
    """Make or alter the login role of each name; none may bypass row-level security."""
    with _connect(make_url(admin_url)) as connection:
        for name, password in passwords.items():
            _make_role(connection, name, password)


def create_database(admin_url: str, name: str) -> None:
    """Make the database unless it is there; give it to the owner and shut out everyone else."""
    with _connect(make_url(admin_url)) as connection:
        known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
        verb = (
            "ALTER DATABASE {} OWNER TO {}" if known.fetchone() else "CREATE DATABASE {} OWNER {}"
        )
        database = sql.Identifier(name)
        connection.execute(sql.SQL(verb).format(database, sql.Identifier(OWNER)))
        connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))
        for role in (APP, INGEST):
            grant = sql.SQL("GRANT CONNECT ON DATABASE {} TO {}")
            connection.execute(grant.format(database, sql.Identifier(role)))


def _connect(url: URL) -> psycopg.Connection:
    return psycopg.connect(
        host=url.host,
        port=url.port,
        user=url.username,
        password=url.password,
        dbname=url.database or "postgres",
        autocommit=True,
    )


def _make_role(connection: psycopg.Connection, name: str, password: str) -> None:
    known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name])
    verb = sql.SQL("ALTER" if known.fetchone() else "CREATE")
    connection.execute(
        _ROLE.format(verb=verb, name=sql.Identifier(name), password=sql.Literal(password))
    )
