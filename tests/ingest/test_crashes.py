"""Whatever dies on the way, an import ends once and its rows are there once."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import UUID

import psutil
import psycopg
import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from services.api.ingest import reports, spool
from services.api.ingest.plan import ROWS as ROWS_FILE
from services.api.use_cases.cancel_job import cancel_job
from services.api.use_cases.purge_dataset import purge_dataset
from services.api.worker import perform_import as performing
from services.api.worker.clean import clean
from services.api.worker.perform_import import perform_import
from services.api.worker.settle_import import Claimed, admit, settle
from services.shared import broker
from services.shared.db.repos import datasets, imports, profiles, staging
from services.shared.db.repos.imports import Counts
from services.shared.db.repos.profiles import Profile
from services.shared.db.session import unit_of_work
from services.shared.db.tables import User
from services.shared.errors import LeaseLostError, WinnowError
from services.shared.queues import Task
from services.shared.settings import settings
from tests.databases import Database, libpq
from tests.ingest.house import Shop, running
from tests.waiting import until

pytestmark = pytest.mark.stack
ROWS = 30_000
BODY = b"user_id,item_id\n" + b"".join(b"u%d,i%d\n" % (n, n % 997) for n in range(ROWS))
SMALL = b"user_id,item_id\nu,i\nv,i\n"


@pytest.fixture
def rows_in(database: Database) -> Iterator[Callable[[str], int]]:
    """Counts a dataset's rows in a table as the superuser, from whom no policy hides any."""
    with psycopg.connect(libpq(database.admin_url), autocommit=True) as connection:

        def count(query: str) -> int:
            row = connection.execute(query).fetchone()
            return 0 if row is None else int(row[0])

        yield count


@pytest.mark.parametrize("moment", ["parsing", "publishing"])
def test_a_killed_worker_leaves_its_import_to_the_next(
    shop: Shop, place: Path, rows_in: Callable[[str], int], moment: str
) -> None:
    active = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE "
    signs = {
        "parsing": lambda: len(list(spool.folder().glob("*.1"))) == 1,
        "publishing": lambda: rows_in(active + "'SELECT staging.publish%'") > 0,
    }
    job = shop.send(BODY).json()["id"]
    with running("services.api.worker", log=place / "killed.log") as worker:
        until(signs[moment])
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    assert shop.job(job)["state"] == "running"
    with running("services.api.worker", log=place / "next.log"):
        assert shop.ended(job)["result"]["accepted"] == ROWS
    assert rows_in(f"SELECT count(*) FROM interactions WHERE dataset_id = '{shop.dataset}'") == ROWS
    assert rows_in("SELECT count(*) FROM pg_tables WHERE schemaname = 'staging'") == 0


def test_a_parser_does_not_outlive_its_killed_worker(shop: Shop, place: Path) -> None:
    job = shop.send(BODY * 10).json()["id"]
    with running("services.api.worker", log=place / "killed.log") as worker:
        until(lambda: len(list(spool.folder().glob(f"*_{job}.1/{ROWS_FILE}"))) == 1)
        (parser,) = psutil.Process(worker.pid).children()
        parser.suspend()  # so that it cannot come to its end by itself
        worker.kill()
        worker.wait()
        until(lambda: not parser.is_running() or parser.status() == psutil.STATUS_ZOMBIE)


def test_a_crash_after_the_rows_are_visible_only_ends_the_job(
    shop: Shop, rows_in: Callable[[str], int]
) -> None:
    job, project = _sent(shop, rows_in)
    claimed = admit(job, project_id=project)
    assert claimed is not None
    performing._bring_in(claimed, lambda: None)
    assert shop.job(str(job))["state"] == "running"
    _lapse(project, job)
    perform_import(job, project_id=project, stopping=threading.Event())
    ended = shop.job(str(job))
    assert (ended["state"], ended["result"]["accepted"]) == ("succeeded", 2)
    assert len(shop.rows()) == 2
    assert shop.http.get(shop.path).json()["version"] == 1


def test_an_upload_whose_commit_nobody_heard_of_keeps_its_file(
    shop: Shop, rows_in: Callable[[str], int]
) -> None:
    def lose(session: Session) -> None:
        if any(message.task is Task.IMPORT for message in broker.pending(session)):
            raise OperationalError("COMMIT", {}, ConnectionResetError())

    again = {"Idempotency-Key": "the-same-again"}
    event.listen(Session, "after_commit", lose)
    try:
        assert shop.send(SMALL, headers=again).status_code == 503
    finally:
        event.remove(Session, "after_commit", lose)
    answer = shop.send(SMALL, headers=again)
    assert (answer.status_code, answer.headers["Idempotency-Replayed"]) == (202, "true")
    job = UUID(answer.json()["id"])
    (path,) = spool.folder().glob(f"*_{job}")
    owner = spool.owner_of(path.name)
    assert owner is not None
    perform_import(job, project_id=owner[0], stopping=threading.Event())
    assert shop.job(str(job))["result"]["accepted"] == rows_in("SELECT 2")
    assert len(shop.rows()) == 2


def test_a_rehearsal_that_is_cut_short_is_done_anew(
    shop: Shop, rows_in: Callable[[str], int]
) -> None:
    job, project = _sent(shop, rows_in, validate_only="true")
    claimed = admit(job, project_id=project)
    assert claimed is not None
    performing._bring_in(claimed, lambda: None)
    assert shop.job(str(job))["state"] == "running"
    _lapse(project, job)
    perform_import(job, project_id=project, stopping=threading.Event())
    ended = shop.job(str(job))
    assert (ended["state"], ended["result"]["accepted"]) == ("succeeded", 2)
    assert shop.rows() == []
    assert shop.http.get(shop.path).json()["version"] == 0


def test_a_worker_that_lost_its_lease_publishes_nothing(
    shop: Shop, rows_in: Callable[[str], int]
) -> None:
    job, project = _sent(shop, rows_in)
    late = admit(job, project_id=project)
    assert late is not None
    _lapse(project, job)
    assert admit(job, project_id=project) is not None
    counts = Counts(accepted=1, duplicates=0, rejected=0, errors=[], errors_path=None)
    with pytest.raises(LeaseLostError), unit_of_work(setting="ingest_database_url") as session:
        staging.publish(
            session,
            late.lease,
            "interactions",
            columns=("line", "user_id", "item_id"),
            blocks=[b"2,u,i\n"],
            counts=counts,
        )
    assert shop.rows() == []


def test_a_message_that_comes_twice_does_no_harm(shop: Shop, rows_in: Callable[[str], int]) -> None:
    job, project = _sent(shop, rows_in)
    for _ in range(2):
        perform_import(job, project_id=project, stopping=threading.Event())
    assert len(shop.rows()) == 2
    assert shop.job(str(job))["state"] == "succeeded"


def test_a_worker_that_must_stop_gives_the_import_back(
    shop: Shop, rows_in: Callable[[str], int]
) -> None:
    job, project = _sent(shop, rows_in, BODY)
    stopping = threading.Event()
    stopping.set()
    perform_import(job, project_id=project, stopping=stopping)
    assert shop.rows() == []
    assert shop.job(str(job))["state"] == "running"
    perform_import(job, project_id=project, stopping=threading.Event())
    assert shop.job(str(job))["result"]["accepted"] == ROWS


def test_no_heartbeat_holds_an_import_that_was_given_back(
    shop: Shop, rows_in: Callable[[str], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    job, project = _sent(shop, rows_in, BODY)
    stopping = threading.Event()
    stopping.set()

    def slowly(claimed: Claimed, ending: WinnowError | None) -> None:
        settle(claimed, ending)
        time.sleep(settings().lease_seconds)  # three beats

    monkeypatch.setattr(performing, "settle", slowly)
    perform_import(job, project_id=project, stopping=stopping)
    with unit_of_work(project) as session:
        assert imports.get(session, job).lease_until is None


def test_a_cancelled_import_brings_nothing_in(shop: Shop, rows_in: Callable[[str], int]) -> None:
    job, project = _sent(shop, rows_in)
    assert shop.http.post(f"/v1/jobs/{job}:cancel").json()["state"] == "cancelled"
    perform_import(job, project_id=project, stopping=threading.Event())
    assert shop.rows() == []
    held, _ = _sent(shop, rows_in)
    assert admit(held, project_id=project) is not None
    assert shop.http.post(f"/v1/jobs/{held}:cancel").json()["state"] == "cancelling"
    _lapse(project, held)
    perform_import(held, project_id=project, stopping=threading.Event())
    assert shop.job(str(held))["state"] == "cancelled"
    assert shop.rows() == []


def test_a_cancel_that_comes_while_a_worker_begins_is_heeded(
    shop: Shop, rows_in: Callable[[str], int]
) -> None:
    job, project = _sent(shop, rows_in)
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    with ThreadPoolExecutor(1) as pool:
        with unit_of_work(project) as session:
            cancel_job(session, job)  # and has not committed yet
            begun = pool.submit(perform_import, job, project_id=project, stopping=threading.Event())
            until(lambda: rows_in(waiting) == 1)
        begun.result(20)
    assert shop.job(str(job))["state"] == "cancelled"
    assert shop.rows() == []


def test_an_import_of_profiles_waits_its_turn_beside_an_upsert(
    shop: Shop, rows_in: Callable[[str], int]
) -> None:
    job, project = _sent(shop, rows_in, b"id,text\na,imported\n", kind="users")
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    with ThreadPoolExecutor(1) as pool:
        with unit_of_work(project) as session:
            dataset = datasets.lock(session, UUID(shop.dataset))
            begun = pool.submit(perform_import, job, project_id=project, stopping=threading.Event())
            until(lambda: rows_in(waiting) == 1)
            scope = {"project_id": project, "dataset_id": dataset.id}
            profiles.upsert(session, User, profiles=[Profile("a", "put", {})], **scope)
        begun.result(20)
    assert shop.job(str(job))["state"] == "succeeded"
    assert [row["text"] for row in shop.rows("users")] == ["imported"]  # it came last


def test_an_import_whose_file_is_gone_fails_with_a_word(
    shop: Shop, rows_in: Callable[[str], int]
) -> None:
    job, project = _sent(shop, rows_in)
    (spool.folder() / spool.name_for(project, job)).unlink()
    perform_import(job, project_id=project, stopping=threading.Event())
    assert shop.job(str(job))["error"]["code"] == "UPLOAD_LOST"


def test_old_files_go_unless_an_import_waits_for_them(
    shop: Shop, rows_in: Callable[[str], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    job, project = _sent(shop, rows_in)
    monkeypatch.setattr("services.api.worker.clean.UNTOUCHED_SECONDS", -1)
    awaited = spool.folder() / spool.name_for(project, job)
    for name in (f"{project}_{project}", f"{project}_{job}.part", f"{project}_{project}.3"):
        (spool.folder() / name).touch()
    assert clean() == 3
    assert awaited.exists()
    shop.http.post(f"/v1/jobs/{job}:cancel")
    assert clean() == 1
    assert not awaited.exists()


def test_a_deleted_dataset_is_erased_with_its_files(
    shop: Shop, rows_in: Callable[[str], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.shared.db.repos.purges.ROWS", 50)
    job, project = _sent(
        shop, rows_in, SMALL * 1 + b"".join(b"%d,i\n" % n for n in range(300)) + b",i\n"
    )
    perform_import(job, project_id=project, stopping=threading.Event())
    shop.http.put(f"{shop.path}/users", json={"users": [{"id": "u", "text": "mine"}]})
    shop.http.put(f"{shop.path}/items", json={"items": [{"id": "i", "text": "ours"}]})
    other = shop.http.post("/v1/datasets", json={"name": "other"}).json()["id"]
    shop.http.put(f"/v1/datasets/{other}/items", json={"items": [{"id": "i", "text": "ours"}]})
    with unit_of_work(project) as session:
        for text_ in ("mine", "ours"):
            session.execute(
                text(
                    "INSERT INTO embeddings (project_id, text_sha256, model, vector)"
                    " VALUES (:project, sha256(CAST(:text AS bytea)), 'm', '')"
                ),
                {"project": project, "text": text_.encode()},
            )
    shop.http.put(f"{shop.path}/verdicts/u/i", json={"verdict": "noise"})
    folder = reports.store().read_manifest(_report_of(project, job)).folder
    purge = {
        "project_id": project,
        "store": reports.store(),
        "reports": reports.prefix(UUID(shop.dataset)),
        "stopping": threading.Event(),
    }
    assert purge_dataset(UUID(shop.dataset), **purge) is False  # it lives
    assert shop.http.delete(shop.path).status_code == 204
    assert purge_dataset(UUID(shop.dataset), **purge) is True
    words = ("overrides", "override_changes")
    for table in ("interactions", "users", "items", "imports", "jobs", *words):
        assert rows_in(f"SELECT count(*) FROM {table} WHERE dataset_id = '{shop.dataset}'") == 0
    assert rows_in(f"SELECT count(*) FROM datasets WHERE id = '{shop.dataset}'") == 0
    assert rows_in("SELECT count(*) FROM embeddings") == 1  # the other dataset has that text too
    assert rows_in(f"SELECT count(*) FROM items WHERE dataset_id = '{other}'") == 1
    erased = f"action = 'dataset.erase' AND dataset_id = '{shop.dataset}'"
    assert rows_in(f"SELECT count(*) FROM audit_log WHERE actor = 'system' AND {erased}") == 1
    assert not (spool.folder().parents[1] / "artifacts" / folder).exists()


def test_a_purge_waits_for_the_jobs_that_still_run(
    shop: Shop, rows_in: Callable[[str], int]
) -> None:
    job, project = _sent(shop, rows_in)
    assert admit(job, project_id=project) is not None
    shop.http.delete(shop.path)
    purge = {
        "project_id": project,
        "store": reports.store(),
        "reports": reports.prefix(UUID(shop.dataset)),
        "stopping": threading.Event(),
    }
    assert purge_dataset(UUID(shop.dataset), **purge) is False
    _lapse(project, job)
    assert purge_dataset(UUID(shop.dataset), **purge) is True


def _sent(
    shop: Shop, rows_in: Callable[[str], int], body: bytes = SMALL, **query: str
) -> tuple[UUID, UUID]:
    """Return the ids of an import that no worker has begun, and of its project."""
    assert rows_in("SELECT 1") == 1
    job = UUID(shop.send(body, **query).json()["id"])
    (name,) = [path.name for path in spool.folder().glob(f"*_{job}")]
    owner = spool.owner_of(name)
    assert owner is not None
    return job, owner[0]


def _lapse(project: UUID, job: UUID) -> None:
    with unit_of_work(project) as session:
        session.execute(
            text("UPDATE imports SET lease_until = now() - interval '1 s' WHERE id = :id"),
            {"id": job},
        )


def _report_of(project: UUID, job: UUID) -> str:
    with unit_of_work(project) as session:
        path = imports.get(session, job).errors_path
    assert path is not None
    return path
