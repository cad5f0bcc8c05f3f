"""A run whose endpoint stays away waits with its reason, and goes on by itself or at a word."""

from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
import redis
from sqlalchemy import text

from services.api.use_cases.cancel_job import cancel_job
from services.api.use_cases.steer_job import pause_job, resume_job, retry_job
from services.llm_worker import retry
from services.llm_worker.away import GREETING
from services.shared import disk
from services.shared.db.repos import batches, jobs, pauses, stages
from services.shared.db.session import unit_of_work
from services.shared.db.tables import Job
from services.shared.errors import ConflictError, DiskFullError
from services.shared.queues import Task
from services.shared.settings import settings
from services.shared.stages import StageName
from services.shared.sweep import sweep
from tests.fakes.llm import Call, FakeLlm, Wire, honest, refused
from tests.llm_worker.shelf import Shelf, claim, waiting_messages

pytestmark = pytest.mark.stack


@pytest.fixture(autouse=True)
def _eager(monkeypatch: pytest.MonkeyPatch, worker: Path) -> None:
    """Wait little between attempts; nothing of another test waits in the queue."""
    assert worker.exists()
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.01)
    with redis.Redis.from_url(settings().require("redis_url")) as broker:
        broker.flushall()


def _away(_: Call) -> Wire:
    return Wire(200, b"", cut=True)


def _parked(shelf: Shelf, *, pairs: int = 20) -> UUID:
    run_id = shelf.start_run(pairs=pairs)
    shelf.do(Task.RATE, run_id)
    return run_id


def _pause(job: Job) -> dict[str, object]:
    assert job.pause is not None
    return job.pause


def _seconds_until_retry(job: Job) -> float:
    assert job.retry_at is not None
    return (job.retry_at - datetime.now(UTC)).total_seconds()


@pytest.mark.parametrize(
    ("wire", "said"),
    [
        (Wire(200, b"", cut=True), "the connection failed"),
        (refused(503), "HTTP status 503"),
        (refused(500), "HTTP status 500"),
        (refused(429), "takes no more requests for now"),
    ],
)
def test_an_endpoint_that_stays_away_pauses_the_run_with_its_reason(
    shelf: Shelf, llm: FakeLlm, wire: Wire, said: str
) -> None:
    run_id = _parked(shelf)
    llm.script = lambda _: wire
    shelf.do(Task.RATE_BATCH, run_id)
    job = shelf.job(run_id)
    assert (job.state, _pause(job)["code"], _pause(job)["stage"]) == ("paused", "LLM_AWAY", "rate")
    assert said in str(_pause(job)["detail"])
    assert "sk-of-a-test" not in str(job.pause)
    assert 0 < _seconds_until_retry(job) <= settings().retry_first_seconds
    with unit_of_work(shelf.project_id) as session:
        assert batches.counts(session, run_id) == {"pending": 1}  # nobody holds it
    assert shelf.attempts(run_id).total() == len(llm.chats())


def test_a_closed_port_and_a_silent_endpoint_pause_the_run(
    shelf: Shelf, llm: FakeLlm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WINNOW_LLM__TIMEOUT_SECONDS", "0.1")
    monkeypatch.setenv("WINNOW_LLM__MAX_ATTEMPTS", "2")
    settings.cache_clear()
    run_id = _parked(shelf)
    llm.latency = 0.5
    shelf.do(Task.RATE_BATCH, run_id)
    assert "did not answer in time" in str(_pause(shelf.job(run_id))["detail"])
    assert set(shelf.attempts(run_id)) == {"timeout"}


def test_a_paused_run_goes_on_by_itself_and_pays_for_nothing_twice(
    shelf: Shelf, llm: FakeLlm
) -> None:
    run_id = _parked(shelf, pairs=60)
    answers = iter(range(25))  # then the endpoint goes away, in the middle of the first batch
    llm.script = lambda call: _away(call) if next(answers, None) is None else honest(call)
    shelf.do(Task.RATE_BATCH, run_id)
    assert shelf.job(run_id).state == "paused"
    assert len(shelf.labels(run_id)) == 25
    llm.script = lambda _: None
    shelf.let_time_pass(run_id)
    assert "rate.batch" in _swept(run_id)
    sweep()
    shelf.do(Task.RATE_BATCH, run_id)
    job = shelf.job(run_id)
    assert (job.state, job.pause, job.retry_at) == ("running", None, None)
    for _ in range(2):
        shelf.do(Task.RATE_BATCH, run_id)
    assert shelf.stage(run_id, StageName.RATE).state == "succeeded"
    assert set(shelf.ratings().values()) == {1}
    attempts = shelf.attempts(run_id)
    assert attempts["ok"] == 120 + 1  # and one knock that was answered
    assert attempts.total() == len(llm.chats())


def test_the_tries_grow_apart_and_each_costs_one_small_call(shelf: Shelf, llm: FakeLlm) -> None:
    run_id = _parked(shelf)
    llm.script = _away
    shelf.do(Task.RATE_BATCH, run_id)
    since, asked = _pause(shelf.job(run_id))["since"], len(llm.chats())
    waits = []
    for _ in range(5):
        shelf.let_time_pass(run_id)
        shelf.do(Task.RATE_BATCH, run_id)
        waits.append(_seconds_until_retry(shelf.job(run_id)))
    # 15 s doubled, up to two minutes
    assert [round(wait, -1) for wait in waits] == [30, 60, 120, 120, 120]
    assert _pause(shelf.job(run_id))["since"] == since
    knocks = llm.chats()[asked:]
    assert [call.prompt for call in knocks] == [GREETING] * 5
    assert {call.body["max_tokens"] for call in knocks} == {1}


def test_a_retry_after_puts_the_next_try_off(shelf: Shelf, llm: FakeLlm) -> None:
    run_id = _parked(shelf)
    llm.script = lambda call: refused(429, retry_after="0" if call.attempt < 6 else "200")
    shelf.do(Task.RATE_BATCH, run_id)
    assert 150 < _seconds_until_retry(shelf.job(run_id)) <= 200
    assert GREETING not in [call.prompt for call in llm.chats()]  # 429 has said it


def test_no_message_makes_a_paused_run_begin_too_soon_and_the_sweep_sends_none(
    shelf: Shelf, llm: FakeLlm
) -> None:
    run_id = _parked(shelf)
    llm.script = _away
    shelf.do(Task.RATE_BATCH, run_id)
    asked, waiting = len(llm.chats()), waiting_messages()
    shelf.do(Task.RATE_BATCH, run_id)
    assert len(llm.chats()) == asked
    shelf.execute("UPDATE stages SET sent_at = now() - interval '1 day' WHERE name = 'rate'")
    assert "rate.batch" not in _swept(run_id)
    assert waiting_messages() == waiting


def test_of_all_who_hear_that_it_is_time_one_knocks(shelf: Shelf, llm: FakeLlm) -> None:
    run_id = _parked(shelf, pairs=60)
    llm.script = _away
    shelf.do(Task.RATE_BATCH, run_id)
    shelf.let_time_pass(run_id)
    with unit_of_work(shelf.project_id) as session:
        assert pauses.take_turn(session, run_id, StageName.RATE)
    asked = len(llm.chats())
    shelf.do(Task.RATE_BATCH, run_id)
    assert len(llm.chats()) == asked
    assert "rate.batch" not in _swept(run_id)


def test_once_the_cause_is_gone_as_many_workers_are_sent_for_as_before(
    shelf: Shelf, llm: FakeLlm
) -> None:
    run_id = _parked(shelf, pairs=120)  # six batches
    llm.script = _away
    shelf.do(Task.RATE_BATCH, run_id)
    with redis.Redis.from_url(settings().require("redis_url")) as broker:
        broker.flushall()
    llm.script = lambda _: None
    shelf.let_time_pass(run_id)
    shelf.do(Task.RATE_BATCH, run_id)
    assert waiting_messages() == batches.AT_ONCE  # three, and the next of the one that is done


def test_a_batch_under_way_when_the_run_was_paused_may_end_the_rating_and_the_pause(
    shelf: Shelf, llm: FakeLlm
) -> None:
    run_id = _parked(shelf)

    def met_by_another(call: Call) -> None:
        if call is llm.chats()[0]:
            cause = pauses.Cause(code="LLM_AWAY", detail="Away.")
            with unit_of_work(shelf.project_id) as session:
                pauses.hold_stage(session, run_id, StageName.RATE, cause)

    llm.script = met_by_another
    shelf.do(Task.RATE_BATCH, run_id)
    assert shelf.stage(run_id, StageName.RATE).state == "succeeded"
    job = shelf.job(run_id)
    assert (job.state, job.pause) == ("running", None)


def test_a_stage_let_go_of_after_its_pause_was_taken_back_is_sent_for_at_once(
    shelf: Shelf, llm: FakeLlm
) -> None:
    run_id = shelf.start_run()
    lease = claim(shelf, run_id, StageName.EMBED)
    assert lease is not None
    with unit_of_work(shelf.project_id) as session:
        pause_job(session, run_id)
        resume_job(session, run_id)
    before = waiting_messages()
    with unit_of_work(shelf.project_id) as session:
        stages.let_go(session, lease)
    assert waiting_messages() == before + 1
    lease = claim(shelf, run_id, StageName.EMBED)
    assert lease is not None
    with unit_of_work(shelf.project_id) as session:
        cancel_job(session, run_id)
    with unit_of_work(shelf.project_id) as session:
        stages.let_go(session, lease)
    assert shelf.job(run_id).state == "cancelled"
    assert llm.calls == []


def test_what_needs_no_llm_goes_on_beside_a_paused_rating(shelf: Shelf, llm: FakeLlm) -> None:
    run_id = _parked(shelf)
    shelf.execute("UPDATE stages SET state = 'ready' WHERE name = 'train_raw'")
    llm.script = _away
    shelf.do(Task.RATE_BATCH, run_id)
    assert shelf.job(run_id).state == "paused"
    assert claim(shelf, run_id, StageName.TRAIN_RAW) is not None
    with unit_of_work(shelf.project_id) as session:
        assert jobs.wish(session, run_id) is jobs.Wish.GO_ON


def test_a_paused_run_can_be_cancelled(shelf: Shelf, llm: FakeLlm) -> None:
    run_id = _parked(shelf)
    llm.script = _away
    shelf.do(Task.RATE_BATCH, run_id)
    with unit_of_work(shelf.project_id) as session:
        assert cancel_job(session, run_id).state == "cancelled"
    job = shelf.job(run_id)
    assert (job.pause, job.retry_at) == (None, None)
    asked = len(llm.chats())
    shelf.do(Task.RATE_BATCH, run_id)
    assert len(llm.chats()) == asked
    assert _swept(run_id) == set()


def test_a_run_cancelled_while_it_meets_an_endpoint_that_is_away_ends(
    shelf: Shelf, llm: FakeLlm
) -> None:
    run_id = _parked(shelf)

    def cancelled_meanwhile(call: Call) -> Wire:
        if call is llm.chats()[0]:
            with unit_of_work(shelf.project_id) as session:
                cancel_job(session, run_id)
        return _away(call)

    llm.script = cancelled_meanwhile
    shelf.do(Task.RATE_BATCH, run_id)
    assert shelf.job(run_id).state == "cancelled"


def test_a_person_pauses_a_rating_and_what_is_under_way_is_kept(
    shelf: Shelf, llm: FakeLlm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WINNOW_BATCH_PAIRS", "120")
    settings.cache_clear()
    run_id = _parked(shelf, pairs=120)
    llm.latency = 0.05

    def pause(call: Call) -> None:
        if call is llm.chats()[0]:
            with unit_of_work(shelf.project_id) as session:
                pause_job(session, run_id)

    llm.script = pause
    shelf.do(Task.RATE_BATCH, run_id)
    job, paid = shelf.job(run_id), len(llm.chats())
    assert (job.state, _pause(job)["code"], job.retry_at) == ("paused", "ASKED", None)
    assert len(shelf.labels(run_id)) == paid < 240
    with unit_of_work(shelf.project_id) as session:
        assert batches.counts(session, run_id) == {"pending": 1}
    for _ in range(2):  # neither a message nor the sweep makes it go on
        shelf.do(Task.RATE_BATCH, run_id)
        assert _swept(run_id) == set()
    assert len(llm.chats()) == paid
    with unit_of_work(shelf.project_id) as session:
        pause_job(session, run_id)  # again: as before
        assert resume_job(session, run_id).state == "running"
    llm.latency = 0.0
    shelf.do(Task.RATE_BATCH, run_id)
    assert shelf.stage(run_id, StageName.RATE).state == "succeeded"
    assert len(llm.chats()) == len(shelf.labels(run_id)) == 240
    with unit_of_work(shelf.project_id) as session, pytest.raises(ConflictError) as caught:
        resume_job(session, run_id)
    assert caught.value.code == "NOT_PAUSED"


def test_a_person_pauses_an_embedding_and_its_vectors_are_kept(
    shelf: Shelf, llm: FakeLlm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WINNOW_LEASE_SECONDS", "1")  # how soon a pause is noticed
    settings.cache_clear()
    run_id = shelf.start_run()

    def pause(_: Call) -> Wire | None:
        if len(llm.calls) > 1:
            return refused(429, retry_after="60")
        with unit_of_work(shelf.project_id) as session:
            pause_job(session, run_id)
        return None

    llm.script = pause
    shelf.do(Task.EMBED, run_id)
    stage = shelf.stage(run_id, StageName.EMBED)
    assert (stage.state, stage.attempts) == ("ready", 0)
    assert claim(shelf, run_id, StageName.EMBED) is None
    llm.script = lambda _: None
    with unit_of_work(shelf.project_id) as session:
        resume_job(session, run_id)
    shelf.do(Task.EMBED, run_id)
    figures = shelf.stage(run_id, StageName.EMBED).figures
    assert (figures["texts"], figures["cached"]) == (21, 9)  # the users' were there


def test_a_person_who_cannot_wait_has_a_paused_run_tried_at_once(
    shelf: Shelf, llm: FakeLlm
) -> None:
    run_id = _parked(shelf)
    llm.script = _away
    shelf.do(Task.RATE_BATCH, run_id)
    with redis.Redis.from_url(settings().require("redis_url")) as broker:
        broker.flushall()
    with unit_of_work(shelf.project_id) as session:
        assert resume_job(session, run_id).state == "paused"  # until the endpoint answers
    assert waiting_messages() >= 1
    llm.script = lambda _: None
    shelf.do(Task.RATE_BATCH, run_id)
    assert shelf.stage(run_id, StageName.RATE).state == "succeeded"


def test_a_persons_pause_outlives_the_endpoints(shelf: Shelf, llm: FakeLlm) -> None:
    run_id = _parked(shelf)
    llm.script = _away
    shelf.do(Task.RATE_BATCH, run_id)
    with unit_of_work(shelf.project_id) as session:
        assert _pause(pause_job(session, run_id))["code"] == "ASKED"
    llm.script = lambda _: None
    shelf.let_time_pass(run_id)
    asked = len(llm.chats())
    shelf.do(Task.RATE_BATCH, run_id)
    assert (shelf.job(run_id).state, len(llm.chats())) == ("paused", asked)
    with unit_of_work(shelf.project_id) as session:
        assert _pause(resume_job(session, run_id))["code"] == "LLM_AWAY"  # as far as anybody knows
    shelf.do(Task.RATE_BATCH, run_id)
    assert shelf.stage(run_id, StageName.RATE).state == "succeeded"


def test_a_key_that_was_mended_lets_a_failed_run_go_on_without_paying_again(
    shelf: Shelf, llm: FakeLlm
) -> None:
    run_id = _parked(shelf, pairs=60)
    shelf.do(Task.RATE_BATCH, run_id)
    llm.script = lambda _: refused(401)
    shelf.do(Task.RATE_BATCH, run_id)
    assert shelf.job(run_id).state == "failed"
    llm.script = lambda _: None
    kept = shelf.labels(run_id)
    assert len(kept) == 40
    with unit_of_work(shelf.project_id) as session:
        job = retry_job(session, run_id, is_kept=lambda _: False)
        assert (job.state, job.error, job.finished_at) == ("queued", None, None)
        assert batches.counts(session, run_id) == {"done": 1, "pending": 2}
    shelf.rate(run_id)
    assert shelf.stage(run_id, StageName.RATE).state == "succeeded"
    assert shelf.labels(run_id).items() >= kept.items()
    assert shelf.attempts(run_id)["ok"] == 120
    assert set(shelf.ratings().values()) == {1}
    with unit_of_work(shelf.project_id) as session, pytest.raises(ConflictError) as caught:
        retry_job(session, run_id, is_kept=lambda _: False)
    assert caught.value.code == "NOT_FAILED"


def test_a_cancelled_run_can_begin_again_where_it_stopped(shelf: Shelf, llm: FakeLlm) -> None:
    run_id = _parked(shelf, pairs=60)
    shelf.do(Task.RATE_BATCH, run_id)
    with unit_of_work(shelf.project_id) as session:
        cancel_job(session, run_id)
    with unit_of_work(shelf.project_id) as session:
        retry_job(session, run_id, is_kept=lambda _: False)
    states = {name: shelf.stage(run_id, name).state for name in StageName}
    assert states[StageName.CANDIDATES] == "succeeded"
    assert states[StageName.RATE] == "ready"
    shelf.rate(run_id)
    assert len(llm.chats()) == len(shelf.labels(run_id)) == 120


def test_a_batch_that_is_still_held_when_its_run_begins_again_is_rated_once(
    shelf: Shelf, llm: FakeLlm
) -> None:
    run_id = _parked(shelf, pairs=40)
    with unit_of_work(shelf.project_id) as session:
        held = batches.claim(session, run_id)
        assert held is not None
        cancel_job(session, run_id)
        assert jobs.state(session, run_id) == "cancelling"
        with pytest.raises(ConflictError):
            retry_job(session, run_id, is_kept=lambda _: False)
    shelf.execute("UPDATE rating_batches SET lease_until = now() - interval '1 s'")
    shelf.do(Task.RATE_BATCH, run_id)
    assert shelf.job(run_id).state == "cancelled"
    with unit_of_work(shelf.project_id) as session:
        retry_job(session, run_id, is_kept=lambda _: False)
    shelf.rate(run_id)
    with unit_of_work(shelf.project_id) as session:
        assert batches.counts(session, run_id) == {"done": 2}
    assert set(shelf.ratings().values()) == {1}


def test_a_batch_that_an_old_message_took_before_its_stage_began_again_is_waited_for(
    shelf: Shelf, llm: FakeLlm
) -> None:
    run_id = _parked(shelf)
    llm.script = lambda _: refused(401)
    shelf.do(Task.RATE_BATCH, run_id)
    llm.script = lambda _: None
    with unit_of_work(shelf.project_id) as session:
        retry_job(session, run_id, is_kept=lambda _: False)
    with unit_of_work(shelf.project_id) as session:
        held = batches.claim(session, run_id)
        assert held is not None
    shelf.do(Task.RATE, run_id)
    assert shelf.stage(run_id, StageName.RATE).state == "running"
    with unit_of_work(shelf.project_id) as session:
        batches.give_back(session, held)
    shelf.rate(run_id)
    assert shelf.stage(run_id, StageName.RATE).state == "succeeded"
    assert len(shelf.labels(run_id)) == 40


def test_a_run_that_failed_elsewhere_while_its_rating_waited_waits_on_when_tried_again(
    shelf: Shelf, llm: FakeLlm
) -> None:
    run_id = _parked(shelf)
    shelf.execute("UPDATE stages SET state = 'ready' WHERE name = 'train_raw'")
    llm.script = _away
    shelf.do(Task.RATE_BATCH, run_id)
    raw = claim(shelf, run_id, StageName.TRAIN_RAW)
    assert raw is not None
    with unit_of_work(shelf.project_id) as session:
        stages.fail(session, raw, {"code": "STAGE_KILLED", "detail": "Five times."})
    assert (shelf.job(run_id).state, shelf.job(run_id).pause) == ("failed", None)
    with unit_of_work(shelf.project_id) as session:
        assert _pause(retry_job(session, run_id, is_kept=lambda _: False))["code"] == "LLM_AWAY"
    assert shelf.stage(run_id, StageName.TRAIN_RAW).state == "ready"
    llm.script = lambda _: None
    shelf.let_time_pass(run_id)
    shelf.do(Task.RATE_BATCH, run_id)
    assert shelf.stage(run_id, StageName.RATE).state == "succeeded"


def test_a_full_disk_pauses_a_rating_until_there_is_room(
    shelf: Shelf, llm: FakeLlm, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = _parked(shelf)

    def full(_: object) -> None:
        raise DiskFullError("There is no room left on the disk of WINNOW_SPOOL_DIR.", needs=1)

    with monkeypatch.context() as patched:
        patched.setattr("services.llm_worker.batch.texts_of", full)  # a copy from an object store
        shelf.do(Task.RATE_BATCH, run_id)
    job = shelf.job(run_id)
    assert (job.state, _pause(job)["code"]) == ("paused", "DISK_FULL")
    with monkeypatch.context() as patched:
        patched.setattr(disk, "_has_room", lambda *_: False)
        shelf.let_time_pass(run_id)
        shelf.do(Task.RATE_BATCH, run_id)
        assert shelf.job(run_id).state == "paused"
    shelf.let_time_pass(run_id)
    shelf.do(Task.RATE_BATCH, run_id)
    assert shelf.stage(run_id, StageName.RATE).state == "succeeded"


def test_a_job_that_has_ended_is_neither_paused_nor_resumed(shelf: Shelf, llm: FakeLlm) -> None:
    run_id = _parked(shelf)
    with unit_of_work(shelf.project_id) as session:
        cancel_job(session, run_id)
    for steer in (pause_job, resume_job):
        with unit_of_work(shelf.project_id) as session, pytest.raises(ConflictError) as caught:
            steer(session, run_id)
        assert (caught.value.code, str(caught.value.detail)) == (
            "JOB_ENDED",
            "The job has been cancelled already.",
        )
    assert llm.calls == []


def _swept(run_id: UUID) -> set[str]:
    """Return which tasks of the run the sweep sends now; it is undone."""
    with unit_of_work() as session:
        rows = session.execute(text("SELECT task, id FROM sweep_overdue(interval '0')")).all()
        session.rollback()
    return {row.task for row in rows if row.id == run_id}
