"""An import that finds a disk full waits with its reason, and comes in once there is room."""

import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text

from services.api.ingest import spool
from services.api.worker.perform_import import perform_import
from services.shared.db.session import unit_of_work
from tests.ingest.house import ENDED, Shop, running
from tests.waiting import until

pytestmark = pytest.mark.stack

ROWS = 20_000
BODY = b"user_id,item_id\n" + b"".join(b"u%d,i%d\n" % (n, n % 997) for n in range(ROWS))
PATIENCE = 150  # seconds; a busy machine starts a worker slowly
SMALL = 100_000  # bytes: less than the rows come to


@contextmanager
def _files_of_at_most(pid: int, size: int) -> Iterator[None]:
    """Let a process, and those that it starts, write no file larger than `size` bytes."""
    soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))


def test_an_import_that_finds_no_room_waits_and_then_comes_in(
    shop: Shop, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WINNOW_RETRY_FIRST_SECONDS", "0.5")
    job = shop.send(BODY).json()["id"]
    with running("services.api.worker", log=place / "full.log") as worker:
        with _files_of_at_most(worker.pid, SMALL):
            until(lambda: shop.job(job)["state"] == "paused", seconds=PATIENCE)
            pause = shop.job(job)["pause"]
        assert (pause["code"], pause["stage"]) == ("DISK_FULL", None)
        assert "WINNOW_SPOOL_DIR" in pause["detail"]
        assert pause["retry_at"] > pause["since"]
        until(lambda: shop.job(job)["state"] in ENDED, seconds=PATIENCE)
        ended = shop.job(job)
    assert (ended["state"], ended["pause"]) == ("succeeded", None)
    assert ended["result"]["accepted"] == ROWS
    assert list(spool.folder().glob(f"*{job}*")) == []


def test_an_upload_that_finds_no_room_is_refused_with_the_settings_name(shop: Shop) -> None:
    with _files_of_at_most(0, SMALL):
        answer = shop.send(BODY)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert "WINNOW_SPOOL_DIR" in answer.json()["detail"]
    assert list(spool.folder().glob("*")) == []


def test_a_person_pauses_and_resumes_an_import(shop: Shop) -> None:
    job, project = _sent(shop)
    paused = shop.http.post(f"/v1/jobs/{job}:pause").json()
    assert (paused["state"], paused["pause"]["code"]) == ("paused", "ASKED")
    assert paused["pause"]["retry_at"] is None
    perform_import(job, project_id=project, stopping=threading.Event())
    assert shop.rows() == []
    assert shop.http.post(f"/v1/jobs/{job}:resume").json()["state"] == "queued"
    perform_import(job, project_id=project, stopping=threading.Event())
    assert shop.job(str(job))["result"]["accepted"] == ROWS


def test_a_paused_import_can_be_cancelled(shop: Shop) -> None:
    job, project = _sent(shop)
    shop.http.post(f"/v1/jobs/{job}:pause")
    cancelled = shop.http.post(f"/v1/jobs/{job}:cancel").json()
    assert (cancelled["state"], cancelled["pause"]) == ("cancelled", None)
    perform_import(job, project_id=project, stopping=threading.Event())
    assert shop.rows() == []


def test_an_import_that_was_killed_too_often_is_tried_again_from_its_file(shop: Shop) -> None:
    job, project = _sent(shop)
    with unit_of_work(project) as session:
        session.execute(
            text("UPDATE imports SET attempts = 5 WHERE id = :id"), {"id": job}
        )  # as after five workers that died
    perform_import(job, project_id=project, stopping=threading.Event())
    assert shop.job(str(job))["error"]["code"] == "IMPORT_KILLED"
    again = shop.http.post(f"/v1/jobs/{job}:retry").json()
    assert (again["state"], again["error"]) == ("queued", None)
    perform_import(job, project_id=project, stopping=threading.Event())
    assert shop.job(str(job))["result"]["accepted"] == ROWS
    late = shop.http.post(f"/v1/jobs/{job}:retry")
    assert (late.status_code, late.json()["code"]) == (409, "NOT_FAILED")


def test_a_file_that_was_refused_has_to_be_sent_again(shop: Shop) -> None:
    job, project = _sent(shop, b"user_id,item_id\n,i\n")
    perform_import(job, project_id=project, stopping=threading.Event())
    assert shop.job(str(job))["error"]["code"] == "TOO_MANY_REJECTED"
    answer = shop.http.post(f"/v1/jobs/{job}:retry")
    assert (answer.status_code, answer.json()["code"]) == (409, "UPLOAD_GONE")
    assert "send it again" in answer.json()["detail"]


def _sent(shop: Shop, body: bytes = BODY) -> tuple[UUID, UUID]:
    """Return the ids of an import that no worker has begun, and of its project."""
    job = UUID(shop.send(body).json()["id"])
    (name,) = [path.name for path in spool.folder().glob(f"*_{job}")]
    owner = spool.owner_of(name)
    assert owner is not None
    return job, owner[0]
