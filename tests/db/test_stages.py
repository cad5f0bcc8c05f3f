"""A stage is claimed by one, fenced by its token, and the run goes where the graph says."""

import time

import pytest
from sqlalchemy import text

from services.shared import broker
from services.shared.db.repos import jobs, stages
from services.shared.db.session import unit_of_work
from services.shared.db.tables import Job
from services.shared.errors import LeaseLostError
from services.shared.queues import Task
from services.shared.rates import pace
from services.shared.stages import WAITS_FOR, StageName, startable
from tests.db.conftest import make_dataset, make_project, make_run

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("connected")]


def _ready(session: broker.Session, run_id: object) -> set[str]:
    return {stage.name for stage in stages.of_run(session, run_id) if stage.state == "ready"}  # type: ignore[arg-type]


def test_the_graph_has_no_cycle_and_ends_with_publish() -> None:
    done: list[str] = []
    waiting = {name.value for name in WAITS_FOR}
    while waiting:
        step = startable(done, waiting)
        assert step
        done += [name.value for name in step]
        waiting -= {name.value for name in step}
    assert done[-1] == "publish"


def test_a_ready_stage_is_claimed_once() -> None:
    project = make_project("p")
    run_id = make_run(project, make_dataset(project))
    with unit_of_work(project) as session:
        first = stages.claim(session, run_id, StageName.SNAPSHOT)
        second = stages.claim(session, run_id, StageName.SNAPSHOT)
        job = jobs.get(session, run_id)
    assert first is not None
    assert (first.token, first.attempt) == (1, 1)
    assert second is None
    assert job.state == "running"


def test_an_abandoned_stage_is_claimed_anew_and_the_old_token_writes_nothing() -> None:
    project = make_project("p")
    run_id = make_run(project, make_dataset(project))
    with unit_of_work(project) as session:
        old = stages.claim(session, run_id, StageName.SNAPSHOT)
    with unit_of_work(project) as session:
        session.execute(text("UPDATE stages SET lease_until = now() - interval '1 second'"))
    with unit_of_work(project) as session:
        new = stages.claim(session, run_id, StageName.SNAPSHOT)
    assert old is not None
    assert new is not None
    assert new.token == old.token + 1
    for write in (
        lambda session: stages.renew(session, old),
        lambda session: stages.report(session, old, {"completed": 1}),
        lambda session: stages.finish(session, old, {}),
        lambda session: stages.fail(session, old, {"code": "X"}),
    ):
        with pytest.raises(LeaseLostError), unit_of_work(project) as session:
            write(session)


def test_a_finished_stage_starts_what_waited_for_it() -> None:
    project = make_project("p")
    run_id = make_run(project, make_dataset(project))
    with unit_of_work(project) as session:
        lease = stages.claim(session, run_id, StageName.SNAPSHOT)
        assert lease is not None
        stages.finish(session, lease, {"edges": 3})
        sent = {message.task for message in broker.pending(session)}
        assert _ready(session, run_id) == {"embed", "pretrain"}
    assert sent == {Task.EMBED, Task.PRETRAIN}


def test_the_last_stage_ends_the_run() -> None:
    project = make_project("p")
    run_id = make_run(project, make_dataset(project))
    with unit_of_work(project) as session:
        for _ in WAITS_FOR:
            for name in _ready(session, run_id):
                lease = stages.claim(session, run_id, StageName(name))
                assert lease is not None
                stages.finish(session, lease, {"by": name})
    with unit_of_work(project) as session:
        job = jobs.get(session, run_id)
        assert (job.state, job.result) == ("succeeded", {"by": "publish"})


def test_a_failed_stage_fails_the_run_and_starts_nothing() -> None:
    project = make_project("p")
    run_id = make_run(project, make_dataset(project))
    with unit_of_work(project) as session:
        lease = stages.claim(session, run_id, StageName.SNAPSHOT)
        assert lease is not None
        stages.fail(session, lease, {"code": "TOO_SMALL", "detail": "2 users"})
    with unit_of_work(project) as session:
        job = jobs.get(session, run_id)
        states = {stage.state for stage in stages.of_run(session, run_id)[1:]}
        assert job.state == "failed"
        assert job.error == {"code": "TOO_SMALL", "detail": "2 users", "stage": "snapshot"}
        assert states == {"cancelled"}


def test_a_cancelled_run_ends_when_its_running_stage_does() -> None:
    project = make_project("p")
    run_id = make_run(project, make_dataset(project))
    with unit_of_work(project) as session:
        lease = stages.claim(session, run_id, StageName.SNAPSHOT)
        stages.cancel_run(session, run_id)
    with unit_of_work(project) as session:
        assert jobs.state(session, run_id) == "cancelling"
        assert lease is not None
        stages.cancelled(session, lease)
    with unit_of_work(project) as session:
        assert jobs.state(session, run_id) == "cancelled"
        assert {stage.state for stage in stages.of_run(session, run_id)} == {"cancelled"}


def test_a_run_that_has_not_begun_is_cancelled_at_once() -> None:
    project = make_project("p")
    run_id = make_run(project, make_dataset(project))
    with unit_of_work(project) as session:
        stages.cancel_run(session, run_id)
        assert jobs.state(session, run_id) == "cancelled"
        assert session.get_one(Job, run_id).kind == "run"


def test_a_parked_stage_is_read_though_its_lease_never_ends() -> None:
    project = make_project("p")
    run_id = make_run(project, make_dataset(project))
    with unit_of_work(project) as session:
        lease = stages.claim(session, run_id, StageName.SNAPSHOT)
        assert lease is not None
        stages.park(session, lease)
    with unit_of_work(project) as session:
        assert stages.of_run(session, run_id)[0].state == "running"
        assert stages.parked(session, run_id, StageName.SNAPSHOT) == lease
        assert stages.claim(session, run_id, StageName.SNAPSHOT) is None


def test_each_report_leaves_a_mark_of_the_moment_for_the_pace() -> None:
    project = make_project("p")
    run_id = make_run(project, make_dataset(project))
    with unit_of_work(project) as session:
        lease = stages.claim(session, run_id, StageName.SNAPSHOT)
    assert lease is not None
    for completed in (1, 2, 3):
        with unit_of_work(project) as session:
            counts = {"total": 9, "completed": completed, "failed": 0, "cached": 0}
            stages.report(session, lease, counts)
        time.sleep(0.02)  # a mark tells hundredths of a second
    with unit_of_work(project) as session:
        stage = stages.of_run(session, run_id)[0]
    assert stage.progress["completed"] == 3
    assert [mark[1:] for mark in stage.marks] == [[1, 0], [3, 0]]
    assert pace(stage.marks) is not None
