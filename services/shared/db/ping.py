"""Whether Postgres answers, asked beside the pool: a pool that is used up is no Postgres away."""

import psycopg
from sqlalchemy import make_url

from services.shared.settings import settings

CONNECT_SECONDS = 2  # the least that libpq knows
STATEMENT_MILLISECONDS = 1000


def ping() -> None:
    """Log in as the services do and ask the least question; psycopg.Error when that fails."""
    url = make_url(settings().require("database_url")).set(drivername="postgresql")
    with psycopg.connect(
        url.render_as_string(hide_password=False),
        connect_timeout=CONNECT_SECONDS,
        options=f"-c statement_timeout={STATEMENT_MILLISECONDS}",
        autocommit=True,
    ) as connection:
        connection.execute("SELECT 1")
