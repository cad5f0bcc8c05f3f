"""Engines, and the one place that commits: `unit_of_work`."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from uuid import UUID

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.orm import Session

from services.shared import broker
from services.shared.settings import settings

_MADE: list[Engine] = []


@lru_cache(maxsize=4)
def engine(setting: str) -> Engine:
    """Return this process' engine for the role whose URL stands in `setting`.

    Made on first use, so after a worker's fork; `forget_engines` drops what a parent had.
    """
    made = create_engine(
        settings().require(setting),
        pool_pre_ping=True,
        hide_parameters=True,  # an error must not carry a profile text into a log
        pool_size=10,
        max_overflow=20,
        connect_args={"connect_timeout": 5},
    )
    _MADE.append(made)
    return made


def forget_engines() -> None:
    """Let go of inherited engines without closing the parent's sockets; call after a fork."""
    for made in _MADE:
        made.dispose(close=False)
    _MADE.clear()
    engine.cache_clear()


def set_project(session: Session, project_id: UUID | str) -> None:
    """Let this transaction see one project's rows and no others (row-level security)."""
    session.execute(
        text("SELECT set_config('winnow.project', :project, true)"), {"project": str(project_id)}
    )


@contextmanager
def unit_of_work(
    project_id: UUID | str | None = None, *, setting: str = "database_url"
) -> Iterator[Session]:
    """Yield a session whose transaction commits on the way out and whose messages then leave.

    An exception rolls everything back, and the messages die with it. Without `project_id` only
    unpoliced tables are readable until `set_project` is called.
    """
    with Session(engine(setting), expire_on_commit=False) as session:
        broker.watch_savepoints(session)
        if project_id is not None:
            set_project(session, project_id)
        yield session
        session.commit()
        broker.send_all(session)
