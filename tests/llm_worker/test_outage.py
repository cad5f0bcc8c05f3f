"""Postgres goes away in the middle of a batch: answers are held, none is paid or counted twice."""

import threading
import time

import pytest
from sqlalchemy import event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from services.llm_worker import progress
from services.shared.db.repos import usage
from services.shared.db.session import engine
from services.shared.queues import Task
from services.shared.settings import settings
from services.shared.stages import StageName
from tests.databases import Database
from tests.fakes.llm import Call, FakeLlm
from tests.fakes.proxy import Proxy
from tests.llm_worker.shelf import Shelf

pytestmark = pytest.mark.stack


def test_answers_are_held_while_postgres_is_away(
    shelf: Shelf, llm: FakeLlm, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = shelf.start_run(pairs=20)
    shelf.do(Task.RATE, run_id)
    url = make_url(database.app_url)
    with Proxy.before(str(url.host), int(url.port or 0)) as proxy:
        through = url.set(port=proxy.port).render_as_string(hide_password=False)
        monkeypatch.setenv("WINNOW_DATABASE_URL", through)
        settings.cache_clear()
        engine("database_url").dispose()
        engine.cache_clear()

        def cut(call: Call) -> None:
            if call is llm.chats()[0]:
                proxy.cut()
                threading.Timer(1.5, proxy.heal).start()

        llm.script = cut
        began = time.monotonic()
        shelf.do(Task.RATE_BATCH, run_id)
        assert time.monotonic() - began >= 1.5
        assert shelf.stage(run_id, StageName.RATE).state == "succeeded"
        assert len(shelf.labels(run_id)) == len(llm.chats()) == 40
        assert shelf.attempts(run_id) == {"ok": 40}
        engine("database_url").dispose()


@pytest.mark.parametrize("lost", ["usage.add", "progress.tell"])
def test_answers_whose_commit_nobody_heard_of_are_counted_once(
    shelf: Shelf, llm: FakeLlm, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    run_id = shelf.start_run(pairs=20)
    shelf.do(Task.RATE, run_id)
    begun: list[str] = []

    def noted(*given: object, **named: object) -> None:
        if not begun:
            begun.append(lost)
        work(*given, **named)

    def lose(_session: Session) -> None:
        if begun == [lost]:
            begun.append("lost")
            raise OperationalError("COMMIT", {}, ConnectionResetError())

    module, _, name = lost.partition(".")
    work = getattr({"usage": usage, "progress": progress}[module], name)
    monkeypatch.setattr(f"services.llm_worker.keeping.{lost}", noted)
    monkeypatch.setattr("services.llm_worker.keeping.PROGRESS_SECONDS", 0.0)
    event.listen(Session, "after_commit", lose)
    try:
        shelf.do(Task.RATE_BATCH, run_id)
    finally:
        event.remove(Session, "after_commit", lose)
    assert begun == [lost, "lost"]
    assert shelf.stage(run_id, StageName.RATE).state == "succeeded"
    assert len(shelf.labels(run_id)) == len(llm.chats()) == 40
    assert shelf.attempts(run_id) == {"ok": 40}
