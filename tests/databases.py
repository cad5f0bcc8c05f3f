"""Databases of the tests: one template per session, one clone per test file."""

import re
from dataclasses import dataclass

import psycopg
from psycopg import sql

PASSWORDS = {
    "winnow_owner": "owner-of-a-test",
    "winnow_app": "app-of-a-test",
    "winnow_ingest": "ingest-of-a-test",
}


@dataclass(frozen=True)
class Database:
    """One database under each of the four roles, as SQLAlchemy URLs."""

    name: str
    admin_url: str

    @property
    def owner_url(self) -> str:
        """The role that owns the tables and may change them."""
        return self._as("winnow_owner")

    @property
    def app_url(self) -> str:
        """The role of the services, bound by row-level security."""
        return self._as("winnow_app")

    @property
    def ingest_url(self) -> str:
        """The role that copies uploads into staging tables."""
        return self._as("winnow_ingest")

    def _as(self, role: str) -> str:
        login = f"//{role}:{PASSWORDS[role]}@"
        return re.sub(r"//[^@]*@", login, self.admin_url)


def on_server(admin_url: str, name: str) -> Database:
    """Return the database `name` of the server that `admin_url` points to."""
    return Database(name=name, admin_url=re.sub(r"/[^/]*$", f"/{name}", admin_url))


def clone(template: Database, name: str) -> Database:
    """Create a database that equals the template and return it."""
    names = (sql.Identifier(name), sql.Identifier(template.name))
    server = on_server(template.admin_url, "postgres").admin_url
    _execute(server, sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*names))
    return on_server(server, name)


def drop(database: Database) -> None:
    """Drop the database, with whatever connections a test left behind."""
    statement = sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(database.name))
    _execute(on_server(database.admin_url, "postgres").admin_url, statement)


def libpq(url: str) -> str:
    """Return a SQLAlchemy URL as psycopg itself reads it."""
    return url.replace("postgresql+psycopg://", "postgresql://", 1)


def _execute(url: str, statement: sql.Composed) -> None:
    with psycopg.connect(libpq(url), autocommit=True) as connection:
        connection.execute(statement)
